"""Charts as static SVG that needs no script and fits any width.

Positions are percentages and lengths are pixels: a chart stretches with its column while text and
marks keep their size. Marks are symbols defined once in the page (#o, #d, #s, #t) and coloured by
the class of their allocator. Every chart carries a sentence that says what it shows.
"""

import math

from markupsafe import Markup, escape

STEPS = (1, 2, 5)


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

    def ticks(self, most=6):
        """(per cent, value), few enough to be read and with `always` among them."""
        if not self.log:
            step = 10 ** math.floor(math.log10(self.hi))
            step = next(step * factor for factor in (0.1, 0.2, 0.5, 1, 2, 5) if self.hi / (step * factor) <= most)
            return [(self.at(i * step), i * step) for i in range(int(self.hi / step) + 1)]
        decades = range(math.floor(self.lo), math.ceil(self.hi) + 1)
        for steps in (((1, 1.1, 1.2, 1.5, 2, 3, 5, 7, 8, 9) if self.hi - self.lo < 0.5 else STEPS), STEPS, (1, 3), (1,)):
            values = [round(step * 10.0**decade, 12) for decade in decades for step in steps]
            values = [value for value in values if self.lo <= math.log10(value) <= self.hi]
            if len(values) <= most:
                break
        stride = math.ceil(len(values) / most)
        anchor = values.index(self.always) if self.always in values else 0
        return [(self.at(value), value) for index, value in enumerate(values) if (index - anchor) % stride == 0]


def short(value):
    """A tick's number: 0.05, 1, 20, 3k, 2M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{letter}"
    return f"{value:g}"


def percent(value):
    """A position with the precision of a tenth of a pixel on a wide screen; off-chart values stay at the edge."""
    return f"{min(max(value, -1), 101):.1f}".rstrip("0").rstrip(".") + "%"


def strip(axis, ratio, shape):
    """One row's interval and dot."""
    line = ""
    if ratio.lo is not None:
        line = f'<line x1="{percent(axis.at(ratio.lo))}" x2="{percent(axis.at(ratio.hi))}"/>'
    return Markup(f'<svg>{line}<use href="#{shape}" x="{percent(axis.at(ratio.median))}"/></svg>')


def strip_axis(axis):
    """The scale above the strips of a table, aligned with them."""
    ticks = "".join(
        f'<text x="{percent(place)}"{" class=one" if value == axis.always else ""}>{short(value)}</text>' for place, value in axis.ticks(5)
    )
    return Markup(f'<svg class=ax aria-hidden=true>{ticks}</svg>')


def _grid(axis_x, axis_y, label_x, label_y):
    parts = []
    for place, value in axis_y.ticks():
        at = percent(100 - place)
        kind = "one" if value == axis_y.always else "g"
        parts.append(f'<line class={kind} x2="100%" y1="{at}" y2="{at}"/><text class=ty x="-8" y="{at}">{short(value)}</text>')
    for place, value in axis_x.ticks():
        at = percent(place)
        kind = "one" if value == axis_x.always else "g"
        parts.append(f'<line class={kind} x1="{at}" x2="{at}" y2="100%"/><text class=tx x="{at}" y="100%">{short(value)}</text>')
    parts.append(f'<text class=lx x="50%" y="100%">{escape(label_x)}</text><text class=ly x="0" y="0">{escape(label_y)}</text>')
    return "".join(parts)


def plot(name, axes, labels, marks, says, height=320, wide_right=True):
    """A chart with both axes; `marks` is SVG in per cent, `says` is its text alternative."""
    grid = _grid(*axes, *labels)
    side = " r" if wide_right else ""
    return Markup(
        f'<div class="plot{side}" style="--h:{height}px"><svg id="{escape(name)}" role=img aria-label="{escape(says)}">'
        f'<g class=grid aria-hidden=true>{grid}</g>{marks}</svg></div>'
    )


def place_labels(dots, width, height, letter=6.7, line=14):
    """Where the name of each dot goes: (dx, dy, anchor), or None where there is no room. Dots are
    (x, y, text) in pixels, the most important first."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y, _ in dots]
    out = []
    for x, y, text in dots:
        length = len(text) * letter
        found = None
        for dx, dy, anchor in ((10, 4, "start"), (-10, 4, "end"), (0, -10, "middle"), (0, 19, "middle"), (8, -8, "start"), (8, 16, "start"), (-8, -8, "end"), (-8, 16, "end")):
            left = x + dx - {"start": 0, "end": length, "middle": length / 2}[anchor]
            box = (left, y + dy - line + 3, left + length, y + dy + 3)
            free = all(box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1] for other in taken)
            if free and box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height:
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


def polyline(points):
    """A line through points in per cent, in a layer that stretches while its stroke doesn't."""
    path = " ".join(f"{x:.1f},{100 - y:.1f}" for x, y in points)
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio=none width="100%" height="100%" class=layer><polyline points="{path}"/></svg>'


def end_labels(ends, height):
    """Names at the right edge, (class, name, height in per cent), spread so that they can be read."""
    most = max(1, height // 14)
    ends = ends[:most]
    places = spread([(100 - y) / 100 * height for _, _, y in ends], 14, height)
    return "".join(f'<text class="el {css}" x="100%" dx=10 y="{place:.0f}" dy=4>{escape(name)}</text>' for (css, name, _), place in zip(ends, places))
