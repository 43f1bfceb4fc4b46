"""Time against memory: one dot an allocator, and the numbers of the chart."""

from typing import NamedTuple

from yard import charts, samples, verdicts
from yard.charts import AXIS_LIMIT
from yard.verdicts import figure
from yard.view import REFERENCE

# Pixels for which the names are placed; the script places them again for the width that there is.
WIDTH, HEIGHT = 1000, 460

SHAPES = (("o", "ours"), ("d", "peers"), ("s", "system"), ("t", "floors, not for use"))


class Dot(NamedTuple):
    """x and y in per cent; `spot` is where the label stands beside it, None without room."""

    name: str
    x: float
    y: float
    label: str
    spot: tuple


class Scatter(NamedTuple):
    """`one`: where both ratios are 1. `fastest` and `leanest` are Means."""

    chart: charts.Chart
    one: tuple
    dots: list
    fastest: tuple
    leanest: tuple


def beyond(x_axis, y_axis, mean):
    """The number of a dot that stands at the edge because its place is outside."""
    pairs = ((x_axis, mean.time), (y_axis, mean.memory))
    outside = [value for axis, value in pairs if axis.at(value) > 100]
    return f" ({figure(outside[0])} ×)" if outside else ""


def importance(mean):
    """Who gets the room for its name first."""
    row = mean.row
    return (row.name != REFERENCE, row.floor, not verdicts.candidate(row), mean.time)


def dots(means, x_axis, y_axis):
    order = sorted(means, key=importance)
    places = [(x_axis.inside(mean.time), y_axis.inside(mean.memory)) for mean in order]
    labels = [mean.row.name + beyond(x_axis, y_axis, mean) for mean in order]
    pixels = [(x / 100 * WIDTH, HEIGHT - y / 100 * HEIGHT, label) for (x, y), label in zip(places, labels)]
    spots = charts.place_labels(pixels, WIDTH, HEIGHT)
    names = [mean.row.name for mean in order]
    return [Dot(name, x, y, label, spot) for name, (x, y), label, spot in zip(names, places, labels, spots)]


def scatter(view):
    """None where no allocator has both numbers."""
    means = [mean for mean in view.means if mean.time and mean.memory]
    if not means:
        return None
    x_axis = charts.Axis([mean.time for mean in means], always=1, pad=0.1, limit=AXIS_LIMIT)
    y_axis = charts.Axis([mean.memory for mean in means], always=1, pad=0.1, limit=AXIS_LIMIT)
    x_scale = x_axis.scale("time, ratio to libc (geometric mean, log scale)")
    chart = charts.Chart("scatter-plot", x_scale, y_axis.scale("memory, ratio to libc"), HEIGHT)
    fastest = min(means, key=lambda mean: mean.time)
    leanest = min(means, key=lambda mean: mean.memory)
    return Scatter(chart, (x_axis.at(1), y_axis.at(1)), dots(means, x_axis, y_axis), fastest, leanest)


def data(view):
    large = [cell for cell in view.cells if cell.live_peak >= samples.LEAST_LIVE_BYTES]
    measured = [len(records) for cell in view.cells for records in cell.memory.values()]
    present = {look.shape for look in view.looks.values()}
    lacking = [mean.row for mean in view.means if mean.time and not mean.memory]
    return {
        "settings": len(view.cells),
        "large": len(large),
        "measured_once": bool(measured) and max(measured) == 1,
        "absent": [row.name for row in lacking if verdicts.candidate(row)],
        "scatter": scatter(view),
        "means": view.means,
        "shapes": [(shape, text) for shape, text in SHAPES if shape in present],
    }
