"""Derives from the measurements which allocator is best for which use.

A verdict names a single winner only where its interval overlaps no other's. Floors, twins and decorators are
measured, but not recommended: a floor is not an allocator, a twin repeats another row, a decorator adds its
cost to that of the allocator it wraps.

Settings of one workload with the same thread count are one use, which has one answer.
"""

from typing import NamedTuple

from yard import samples, stats


class Standing(NamedTuple):
    """A row's ratio to the reference, as the geometric mean over some cells."""

    row: samples.Row
    ratio: stats.Estimate
    cells: int


class Verdict(NamedTuple):
    """The best row and all that do not differ from it significantly: of all candidates, of ours, and of the
    general-purpose ones. partial: candidates that were not measured in all cells."""

    leaders: list
    ours: list
    general: list
    partial: list
    why_none: str


def mean_ratio(cells, row, reference):
    """The geometric mean over cells of the row's ratio; None unless it was measured in all of them."""
    logs = [cell.log_ratios(row, reference) for cell in cells]
    if not logs or not all(logs):
        return None
    return stats.ratio(stats.joint_log_ratios(logs))


def partial_mean(cells, row, reference, ratio_of):
    """The geometric mean of medians over the cells in which the row was measured, and their number."""
    ratios = [ratio_of(cell, row, reference) for cell in cells]
    medians = [ratio.median for ratio in ratios if ratio is not None and ratio.median > 0]
    return (stats.geometric_mean(medians), len(medians)) if medians else (None, 0)


def time_ratio(cell, row, reference):
    return cell.ratio(row, reference)


def memory_ratio(cell, row, reference):
    """The ratio of memory, where the workload has enough live memory for it to be meaningful."""
    return cell.memory_ratio(row, reference) if cell.live_peak >= samples.LEAST_LIVE_BYTES else None


def standings(run, cells, reference=samples.REFERENCE):
    """All rows that were measured in every cell, fastest first."""
    found = []
    for row in run.chosen():
        ratio = mean_ratio(cells, row.name, reference)
        if ratio is not None:
            found.append(Standing(row, ratio, len(cells)))
    return sorted(found, key=lambda standing: standing.ratio.median)


def candidate(row):
    """Whether the row may be recommended. A composition of an allocator that has a row of its own (an arena over
    another child) is a way to use that one, and shown in its section."""
    if row.floor or row.twin or row.group == "decorator":
        return False
    return row.group != "composition" or row.base is None


def leaders(found):
    """The fastest, then those whose intervals overlap its own; empty where none has an interval."""
    bounded = [standing for standing in found if standing.ratio.lo is not None]
    if not bounded:
        return []
    best = bounded[0]
    return [best] + [other for other in bounded[1:] if not stats.clearly_apart(best.ratio, other.ratio)]


def incomplete(run, cells, found, reference):
    """The candidates that ran some of the cells and so have no standing."""
    complete = {standing.row.name for standing in found}
    others = [row for row in run.chosen() if candidate(row) and row.name not in complete]
    return [row for row in others if any(cell.log_ratios(row.name, reference) for cell in cells)]


def verdict(run, cells, reference=samples.REFERENCE):
    """The verdict over these cells together."""
    cells = [cell for cell in cells if reference in cell.measured("throughput")]
    if not cells:
        why = f"{reference} was not measured here, so there is nothing to compare with"
        return Verdict([], [], [], [], why)
    found = [standing for standing in standings(run, cells, reference) if candidate(standing.row)]
    partial = incomplete(run, cells, found, reference)
    first = leaders(found)
    if not first:
        fewest = min((standing.ratio.n for standing in found), default=0)
        why = f"an interval takes {stats.FEWEST} processes and there are {fewest}: no winner is named"
        return Verdict([], [], [], partial, why)
    ours = leaders([standing for standing in found if standing.row.ours])
    general = leaders([standing for standing in found if standing.row.general])
    return Verdict(first, ours, general, partial, "")


def uses(run):
    """(workload, [(threads, cells), …]) in the run's order, fewest threads first."""
    found = {}
    for cell in run.cells.values():
        found.setdefault(cell.workload, {}).setdefault(cell.threads, []).append(cell)
    return [(workload, sorted(parts.items())) for workload, parts in found.items()]


def figure(value):
    """A ratio as text: three significant digits, at most three decimals."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.9995 else f"{value:.3f}"


def with_interval(ratio):
    """"0.612 × [0.605, 0.618]", or "0.612 × (no interval)"."""
    if ratio.lo is None:
        return f"{figure(ratio.median)} × (no interval)"
    return f"{figure(ratio.median)} × [{figure(ratio.lo)}, {figure(ratio.hi)}]"
