"""A run as the page shows it: what its sections share, computed once."""

import functools
from typing import NamedTuple

from yard import looks, samples, verdicts

REFERENCE = samples.REFERENCE


class Mean(NamedTuple):
    """A row's geometric means of time and memory against the reference, and over how many cells."""

    row: samples.Row
    time: float
    times: int
    memory: float
    memories: int


def varying(cells):
    """The parameters in which some cells differ, which is what their short labels name."""
    values = [cell.values() for cell in cells]
    names = {name for each in values for name in each}
    return {name for name in names if len({each.get(name) for each in values}) > 1}


class View:
    """Rows and cells in the order of the page. `detail` shrinks (1, 0.4 …) when a page gets too large."""

    def __init__(self, run, detail=1.0):
        self.run, self.detail = run, detail
        self.rows = run.chosen()
        self.looks = looks.assign(self.rows, REFERENCE)
        self.works = {}
        for cell in run.cells.values():
            self.works.setdefault(cell.workload, []).append(cell)
        self.cells = [cell for cells in self.works.values() for cell in cells]
        self._numbers = {cell.key: number for number, cell in enumerate(self.cells)}
        self.labels = {}
        for cells in self.works.values():
            names = varying(cells)
            self.labels |= {cell.key: cell.label_of(names) for cell in cells}
        self._best = {}

    def number(self, cell):
        """The cell's place among all; its table's id is made of it."""
        return self._numbers[cell.key]

    def best(self, cell):
        """The names that lead one cell, which are printed in bold."""
        if cell.key not in self._best:
            ratios = [(row, cell.ratio(row.name, REFERENCE)) for row in self.rows if verdicts.candidate(row)]
            found = [verdicts.Standing(row, ratio, 1) for row, ratio in ratios if ratio]
            found.sort(key=lambda standing: standing.ratio.median)
            self._best[cell.key] = {leader.row.name for leader in verdicts.leaders(found)}
        return self._best[cell.key]

    @functools.cached_property
    def means(self):
        """A Mean for each row, over what it can run."""
        out = []
        for row in self.rows:
            time = verdicts.partial_mean(self.cells, row.name, REFERENCE, verdicts.time_ratio)
            memory = verdicts.partial_mean(self.cells, row.name, REFERENCE, verdicts.memory_ratio)
            out.append(Mean(row, *time, *memory))
        return out

    def failures(self):
        """(cell, suite, row's name, record) of everything that failed."""
        found = [(cell, key, record) for cell in self.cells for key, record in cell.failures.items()]
        return [(cell, suite, row, record) for cell, (suite, row), record in found]
