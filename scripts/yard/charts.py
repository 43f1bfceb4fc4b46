"""Where things stand in a chart: axes, ticks, labels that keep apart. The markup is in charts.html.

Positions are percentages and lengths are pixels: a chart stretches with its column while text and
marks keep their size.
"""

import math
from typing import NamedTuple

STEPS = (1, 2, 5)
# Steps for an axis of less than half a decade.
FINE_STEPS = (1, 1.1, 1.2, 1.5, 2, 3, 5, 7, 8, 9)
# Ratios above this stand at the edge of a chart, with their number, rather than squeeze all others.
AXIS_LIMIT = 4
# Pixels: of a chart, and between the names beside it.
HEIGHT, LINE_HEIGHT = 320, 14


class Tick(NamedTuple):
    """`one`: the value that an axis always shows, which has a stronger line."""

    place: float
    text: str
    one: bool


class Scale(NamedTuple):
    """What an axis looks like."""

    label: str
    ticks: list


class Chart(NamedTuple):
    """A chart's frame; `name` is its id."""

    name: str
    x: Scale
    y: Scale
    height: int = HEIGHT


class Line(NamedTuple):
    """An allocator's line through points in per cent."""

    name: str
    points: list


class EndLabel(NamedTuple):
    """A name at the right edge, in pixels from the top."""

    name: str
    y: float


class Axis:
    """From values to per cent of the chart's length, and the ticks worth showing. `always` stays
    visible whatever the data. Values above a `limit` don't widen the axis."""

    def __init__(self, values, log=True, always=None, pad=0.04, limit=None):
        values = [value for value in values if value is not None and (value > 0 or not log)]
        values = [value for value in values if value <= limit] if limit else values
        values += [always] if always is not None else []
        lo, hi = (min(values), max(values)) if values else (1, 1)
        self.log, self.always = log, always
        if log:
            lo, hi = (lo, hi) if hi / lo > 1.3 else (lo / 1.2, hi * 1.2)
        else:
            hi = hi if hi > lo else lo + 1
        self.lo, self.hi = self._scale(lo), self._scale(hi)
        room = (self.hi - self.lo) * pad
        self.hi += room
        self.lo -= room if log else 0

    def _scale(self, value):
        return math.log10(value) if self.log else value

    def at(self, value):
        return 100 * (self._scale(value) - self.lo) / (self.hi - self.lo)

    def inside(self, value):
        """As at(), but what is off the chart stands at its edge."""
        return min(max(self.at(value), 0), 100)

    def _linear_ticks(self, most):
        step = 10 ** math.floor(math.log10(self.hi))
        step = next(step * factor for factor in (0.1, 0.2, 0.5, 1, 2, 5) if self.hi / (step * factor) <= most)
        return [(self.at(i * step), i * step) for i in range(int(self.hi / step) + 1)]

    def ticks(self, most=6):
        """(per cent, value), few enough to be read and with `always` among them."""
        if not self.log:
            return self._linear_ticks(most)
        decades = range(math.floor(self.lo), math.ceil(self.hi) + 1)
        for steps in (FINE_STEPS if self.hi - self.lo < 0.5 else STEPS, STEPS, (1, 3), (1,)):
            values = [round(step * 10.0**decade, 12) for decade in decades for step in steps]
            values = [value for value in values if self.lo <= math.log10(value) <= self.hi]
            if len(values) <= most:
                break
        stride = math.ceil(len(values) / most)
        anchor = values.index(self.always) if self.always in values else 0
        return [(self.at(value), value) for value in values[anchor % stride :: stride]]

    def scale(self, label="", most=6):
        ticks = [Tick(place, short(value), value == self.always) for place, value in self.ticks(most)]
        return Scale(label, ticks)


def short(value):
    """A tick's number: 0.05, 1, 20, 3k, 2M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{letter}"
    return f"{value:g}"


def percent(value):
    """A position to a tenth of a per cent, a pixel on a wide screen; off-chart values stay at the edge."""
    return f"{min(max(value, -1), 101):.1f}".rstrip("0").rstrip(".") + "%"


def path(points):
    """Points in per cent from the lower left as SVG counts them, from the upper left."""
    return " ".join(f"{x:.1f},{100 - y:.1f}" for x, y in points)


# Where a name may stand beside its dot, the best place first: right, left, above, below, the corners.
SPOTS = (
    (10, 4, "start"), (-10, 4, "end"), (0, -10, "middle"), (0, 19, "middle"),
    (8, -8, "start"), (8, 16, "start"), (-8, -8, "end"), (-8, 16, "end"),
)  # fmt: skip
DOT_RADIUS = 6
LETTER_WIDTH = 6.7


def _overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def place_labels(dots, width, height):
    """Where the name of each dot goes: (dx, dy, anchor), or None where there is no room. Dots are
    (x, y, text) in pixels, the most important first."""
    taken = [(x - DOT_RADIUS, y - DOT_RADIUS, x + DOT_RADIUS, y + DOT_RADIUS) for x, y, _ in dots]
    out = []
    for x, y, text in dots:
        length = len(text) * LETTER_WIDTH
        found = None
        for dx, dy, anchor in SPOTS:
            left = x + dx - {"start": 0, "end": length, "middle": length / 2}[anchor]
            box = (left, y + dy - LINE_HEIGHT + 3, left + length, y + dy + 3)
            inside = box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height
            if inside and not any(_overlap(box, other) for other in taken):
                found = (dx, dy, anchor)
                taken.append(box)
                break
        out.append(found)
    return out


def spread(wishes, gap, height):
    """Heights for labels beside the ends of lines: near the wish, in order, at least `gap` apart."""
    order = sorted(range(len(wishes)), key=lambda i: wishes[i])
    places, floor = {}, 0.0
    for index in order:
        floor = max(wishes[index], floor)
        places[index] = floor
        floor += gap
    ceiling = float(height)
    for index in reversed(order):
        ceiling = min(places[index], ceiling)
        places[index] = ceiling
        ceiling -= gap
    return [places[i] for i in range(len(wishes))]


def end_labels(lines, height=HEIGHT):
    """The names of lines beside their last points, as many as there is room for, spread so that they can
    be read."""
    lines = lines[: max(1, height // LINE_HEIGHT)]
    wishes = [(100 - line.points[-1][1]) / 100 * height for line in lines]
    return [EndLabel(line.name, y) for line, y in zip(lines, spread(wishes, LINE_HEIGHT, height))]
