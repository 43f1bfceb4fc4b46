"""What the numbers let one say: which allocator for which use, in sentences made from the data.

A verdict names a winner only where its interval touches nobody else's. Floors, twins and decorators
are measured, but are no answer to "which allocator": a floor is no allocator, a twin is one that is
there already, a decorator costs on top of what it wraps.

Settings of one workload with the same thread count are one use, which has one answer.
"""

from typing import NamedTuple

from yard import samples, stats


class Standing(NamedTuple):
    """A row's ratio to the reference over some cells (their geometric mean where they are several)."""

    row: samples.Row
    ratio: stats.Estimate
    cells: int


class Verdict(NamedTuple):
    """The best, and all that can't be told from it: of all candidates, of ours, of the general-purpose."""

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
    """The geometric mean of medians over those cells that the row can run, and how many they are."""
    ratios = [ratio_of(cell, row, reference) for cell in cells]
    medians = [ratio.median for ratio in ratios if ratio is not None and ratio.median > 0]
    return (stats.geometric_mean(medians), len(medians)) if medians else (None, 0)


def time_ratio(cell, row, reference):
    return cell.ratio(row, reference)


def memory_ratio(cell, row, reference):
    """The ratio of memory taken, where the workload holds enough for that to mean something."""
    return cell.memory_ratio(row, reference) if cell.live_peak >= samples.LEAST_LIVE_BYTES else None


def standings(run, cells, reference=samples.REFERENCE):
    """All rows that ran every one of the cells, fastest first."""
    found = []
    for row in run.chosen():
        ratio = mean_ratio(cells, row.name, reference)
        if ratio is not None:
            found.append(Standing(row, ratio, len(cells)))
    return sorted(found, key=lambda standing: standing.ratio.median)


def candidate(row):
    """Whether the row is an answer to "which allocator": a composition of one that stands there itself
    (an arena over another child) is a way to use that one, told in its section."""
    if row.floor or row.twin or row.group == "decorator":
        return False
    return row.group != "composition" or row.base is None


def leaders(found):
    """The fastest, then those whose intervals touch its own; empty where none has an interval."""
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
    """Who leads over these cells together."""
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
    """A ratio as people read it: three significant digits, never more than three decimals."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.9995 else f"{value:.3f}"


def with_interval(ratio):
    """"0.612 × [0.605, 0.618]"; without interval it says so."""
    if ratio.lo is None:
        return f"{figure(ratio.median)} × (no interval)"
    return f"{figure(ratio.median)} × [{figure(ratio.lo)}, {figure(ratio.hi)}]"
