"""Allocators down, workloads across: every ratio to the reference."""

import math
from typing import NamedTuple

from yard import samples
from yard.view import REFERENCE

# How far from 1, in powers of two, a ratio is for each step of shade.
SHADE_STEPS = (0.07, 0.25, 0.55, 1.0)
LARGE = 99.5


class TableCell(NamedTuple):
    """`css`: b best, n not significant, m1 … p4 shade, q no interval, k no number."""

    css: str
    text: str


FAILED = TableCell("k", "failed")


class TableRow(NamedTuple):
    name: str
    mean: float
    count: int
    cells: list


def shade(ratio):
    """The class of a ratio's background, symmetric in log: m4 (half or less) … p4 (double or more)."""
    level = sum(abs(math.log2(ratio)) >= limit for limit in SHADE_STEPS)
    return f"{'m' if ratio < 1 else 'p'}{level}" if level else ""


def table_cell(view, cell, name):
    status = view.run.status(cell, "throughput", name)
    if status == samples.FAILED:
        return FAILED
    ratio = cell.ratio(name, REFERENCE)
    if ratio is None:
        return TableCell("k", "—" if status == samples.NOT_APPLICABLE else "·")
    best = ["b"] if name in view.best(cell) else []
    if name == REFERENCE:
        return TableCell("".join(best), "1")
    if ratio.median >= LARGE:
        return TableCell("p4", f"{ratio.median:.0f}")
    look = "n" if ratio.lo is not None and ratio.contains(1.0) else shade(ratio.median)
    classes = [*best, look, "q" if ratio.lo is None else ""]
    return TableCell(" ".join(filter(None, classes)), f"{ratio.median:.2f}")


def data(view):
    rows = []
    for mean in view.means:
        cells = [table_cell(view, cell, mean.row.name) for cell in view.cells]
        rows.append(TableRow(mean.row.name, mean.time, mean.times, cells))
    return {
        "groups": [(name, len(cells)) for name, cells in view.works.items()],
        "labels": [view.labels[cell.key] for cell in view.cells],
        "rows": rows,
    }
