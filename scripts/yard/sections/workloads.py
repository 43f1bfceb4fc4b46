"""A section a workload: a plot of ratios a setting, how time grows, memory over time."""

from typing import NamedTuple

from yard import charts, samples, stats, verdicts
from yard.answer import Answer, answer
from yard.charts import AXIS_LIMIT
from yard.view import REFERENCE


class Work(NamedTuple):
    """A workload and its charts; `partial` names who runs only some of its settings."""

    name: str
    summary: str
    operation: str
    settings: int
    answer: Answer
    partial: list
    figures: list
    curves: list
    memory: "MemoryChart"


# ---- a setting: its allocators with their ratios, fastest first


class StripRow(NamedTuple):
    """One allocator: time in ns and memory in bytes (None: not measured), bytes held per live byte; dot and
    interval in per cent."""

    name: str
    best: bool
    time: float
    memory: float
    held: float
    ratio: stats.Estimate
    at: float
    span: tuple


class CellFigure(NamedTuple):
    """`one`: where equality stands, as a share of the plot's width; `own`: of a program that the user recorded."""

    number: int
    label: str
    own: bool
    one: float
    ticks: list
    rows: list
    command: str


def axis_of(view, cells):
    """The scale that all settings of a workload share."""
    ratios = [cell.ratio(row.name, REFERENCE) for cell in cells for row in view.rows]
    values = [value for ratio in ratios if ratio for value in (ratio.lo, ratio.hi, ratio.median) if value]
    return charts.Axis(values, always=1, limit=AXIS_LIMIT)


def cell_order(view, cell):
    """The rows of a cell's chart: fastest first, then what can't be compared, then what failed."""
    compared = [row for row in view.rows if cell.ratio(row.name, REFERENCE)]
    alone = [row for row in view.rows if cell.time(row.name) and row not in compared]
    failed = [row for row in view.rows if ("throughput", row.name) in cell.failures]
    return sorted(compared, key=lambda row: cell.ratio(row.name, REFERENCE).median) + alone + failed


def strip_row(view, cell, axis, name):
    time, ratio = cell.time(name), cell.ratio(name, REFERENCE)
    memory = samples.median_of(cell.memory_values(name, "peak_rss_above_start"))
    held = samples.median_of(cell.memory_values(name, "fragmentation"))
    at = axis.at(ratio.median) if ratio else None
    span = (axis.at(ratio.lo), axis.at(ratio.hi)) if ratio and ratio.lo is not None else None
    return StripRow(name, name in view.best(cell), time.median if time else None, memory, held, ratio, at, span)


def cell_figure(view, cell, axis):
    """None where nothing was measured."""
    rows = [strip_row(view, cell, axis, row.name) for row in cell_order(view, cell)]
    if not rows:
        return None
    ticks = axis.scale(most=5).ticks
    label = cell.label or cell.workload
    return CellFigure(view.number(cell), label, bool(cell.trace), axis.at(1) / 100, ticks, rows, view.run.command(cell))


# ---- how time grows with a parameter


class Curve(NamedTuple):
    """Time over one parameter, a line an allocator. `points` are (value, number of the cell); `reference`
    is the reference's (value, ns) at both ends; who is `outside` is far above the chart."""

    chart: charts.Chart
    parameter: str
    fixed: str
    points: list
    lines: list
    labels: list
    reference: list
    outside: list


def curve_sets(cells):
    """Sets of cells that differ in one number only, at least three of it: what a curve can show."""
    found = []
    names = {name for cell in cells for name, value in cell.values().items() if isinstance(value, int)}
    for name in sorted(names):
        groups = {}
        for cell in cells:
            values = cell.values()
            if name in values:
                rest = tuple(sorted((key, value) for key, value in values.items() if key != name))
                groups.setdefault(rest, []).append((values[name], cell))
        for rest, points in groups.items():
            if len({value for value, _ in points}) >= 3:
                found.append((name, rest, sorted(points, key=lambda point: point[0])))
    return found


def fixed_text(rest):
    """The parameters that all points of a curve share; one thread goes without saying."""
    named = [(key, value) for key, value in rest if (key, value) != ("threads", 1)]
    return ", ".join(f"{value} threads" if key == "threads" else f"{key}={value}" for key, value in named)


def times(view, points):
    """By row, (value, ns) of those that were measured at two points or more."""
    found = {}
    for row in view.rows:
        line = [(value, cell.time(row.name).median) for value, cell in points if cell.time(row.name)]
        if len(line) >= 2:
            found[row.name] = line
    return found


def curve(view, name, parameter, rest, points):
    """The chart called `name`; None where nobody has a line."""
    found = times(view, points)
    if not found:
        return None
    model = found.get(REFERENCE) or next(iter(found.values()))
    limit = 2 * AXIS_LIMIT * max(ns for _, ns in model)
    outside = [row for row, line in found.items() if min(ns for _, ns in line) > limit]
    shown = {row: line for row, line in found.items() if row not in outside}
    x_axis = charts.Axis([value for value, _ in points])
    y_axis = charts.Axis([ns for line in shown.values() for _, ns in line])
    order = sorted(shown, key=lambda row: shown[row][-1][1])
    places = {row: [(x_axis.at(value), y_axis.at(ns)) for value, ns in line] for row, line in shown.items()}
    lines = [charts.Line(row, places[row]) for row in order]
    whole = [line for line in lines if shown[line.name][-1][0] == points[-1][0]]
    x_scale = x_axis.scale(f"{parameter} (log scale)")
    return Curve(
        charts.Chart(name, x_scale, y_axis.scale("ns per operation (log scale)")),
        parameter,
        fixed_text(rest),
        [(value, view.number(cell)) for value, cell in points],
        lines,
        charts.end_labels(whole),
        shown.get(REFERENCE, [])[:: len(points) - 1],
        outside,
    )


# ---- memory over time


class MemoryChart(NamedTuple):
    """Resident memory over the course of one setting, against what is live. `lean` and `fat` are (name,
    bytes at the peak); `live` is the outline of the area under the live bytes."""

    chart: charts.Chart
    number: int
    label: str
    live: list
    lines: list
    labels: list
    live_peak: int
    lean: tuple
    fat: tuple


# Points of the area; the lines share MEMORY_POINTS among all charts of the page.
LIVE_POINTS, MEMORY_POINTS, MEMORY_POINTS_MIN = 60, 24000, 6


def thinned(series, most):
    """At most so many points of a series, first, last and highest among them, with their places in it."""
    if len(series) <= most:
        return list(enumerate(series))
    keep = {round(i * (len(series) - 1) / (most - 1)) for i in range(most)}
    keep.add(max(range(len(series)), key=lambda i: series[i]))
    return [(i, series[i]) for i in sorted(keep)]


def memory_cell(cells):
    """The setting whose memory is drawn: the one that holds most."""

    def drawn(cell):
        records = [record for records in cell.memory.values() for record in records]
        return cell.live_peak >= samples.LEAST_LIVE_BYTES and any(record.get("series") for record in records)

    return max(filter(drawn, cells), key=lambda cell: cell.live_peak, default=None)


def above_start(record):
    """Resident bytes over time, above those at the start."""
    return [rss - (record.get("start_rss") or 0) for _, rss in record["series"]]


def places(series, y_axis, most):
    """Bytes over time as points in per cent."""
    last = max(1, len(series) - 1)
    return [(100 * i / last, y_axis.at(value / 2**20)) for i, value in thinned(series, most)]


def memory_chart(view, name, cells):
    """None where no setting holds enough."""
    cell = memory_cell(cells)
    if cell is None:
        return None
    measured = [row.name for row in view.rows if row.name in cell.measured("memory")]
    records = {row: cell.memory[row][0] for row in measured if cell.memory[row][0].get("series")}
    held = {row: above_start(record) for row, record in records.items()}
    peaks = {row: max(series) for row, series in held.items()}
    y_axis = charts.Axis([0, max(peaks.values()) / 2**20], log=False)
    x_axis = charts.Axis([0, 100], log=False, pad=0)
    share = MEMORY_POINTS / max(1, len(records) * len(view.works))
    most = max(MEMORY_POINTS_MIN, int(view.detail * min(LIVE_POINTS, share)))
    lines = [charts.Line(row, places(series, y_axis, most)) for row, series in held.items()]
    model = records.get(REFERENCE) or next(iter(records.values()))
    live = places([live for live, _ in model["series"]], y_axis, LIVE_POINTS)
    lean, fat = min(peaks, key=peaks.get), max(peaks, key=peaks.get)
    x_scale = x_axis.scale("progress of the run, %")
    return MemoryChart(
        charts.Chart(f"m-{name}", x_scale, y_axis.scale("MiB above the start")),
        view.number(cell),
        cell.label or name,
        [(0, 0), *live, (100, 0)],
        lines,
        charts.end_labels(sorted(lines, key=lambda line: line.points[-1][1])),
        cell.live_peak,
        (lean, peaks[lean]),
        (fat, peaks[fat]),
    )


# ---- all of them


def work(view, name, cells):
    given = view.run.workloads[name]
    axis = axis_of(view, cells)
    verdict = verdicts.verdict(view.run, cells)
    figures = [cell_figure(view, cell, axis) for cell in cells]
    curves = [curve(view, f"k-{name}-{number}", *found) for number, found in enumerate(curve_sets(cells))]
    return Work(
        name,
        given.get("summary") or "",
        given.get("operation") or "",
        len(cells),
        answer(verdict),
        [row.name for row in verdict.partial] if len(cells) > 1 else [],
        list(filter(None, figures)),
        list(filter(None, curves)),
        memory_chart(view, name, cells),
    )


def data(view):
    return {"works": [work(view, name, cells) for name, cells in view.works.items()]}
