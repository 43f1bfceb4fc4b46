"""What the page's script computes with: by cell, process and row one packed number, the log ratio to libc."""

import base64
import math

import numpy

from yard import samples, stats, verdicts
from yard.charts import AXIS_LIMIT
from yard.sections.workloads import cell_order
from yard.view import REFERENCE

# A log ratio is packed as a 16-bit whole number of 1/2000: 0.05 %, up to a factor of ten million.
PACK_SCALE = 2000
PACK_NONE = -32768
PACK_LIMIT = 16

STATUS_LETTERS = {
    samples.OK: "o",
    samples.FAILED: "f",
    samples.NOT_APPLICABLE: "n",
    samples.NOT_IN_BUILD: "n",
    samples.NOT_MEASURED: "u",
}


def packed(view, cell):
    """For each row, for each process, the log ratio to libc (or the log time where libc is absent)."""
    processes = list(cell.processes.values())
    out = numpy.full((len(view.rows), len(processes)), PACK_NONE, dtype="<i2")
    numbers = {row.name: number for number, row in enumerate(view.rows)}
    good = cell.measured("throughput")
    for column, process in enumerate(processes):
        anchored = REFERENCE in process.rows and REFERENCE in good
        for name in process.rows.keys() & good:
            if anchored:
                value = process.log_ratio(name, REFERENCE)
            else:
                value = math.log(float(numpy.median(process.rows[name])))
            out[numbers[name], column] = round(max(-PACK_LIMIT, min(PACK_LIMIT, value)) * PACK_SCALE)
    return base64.b64encode(out.tobytes()).decode()


def memory(cell, name):
    """Median, low and high bytes above the start (the median alone where there is no interval), or 0."""
    values = [value for value in cell.memory_values(name, "peak_rss_above_start") if value > 0]
    if not values or cell.live_peak < samples.LEAST_LIVE_BYTES:
        return 0
    estimate = stats.median_interval(values)
    if estimate.lo is None:
        return [round(estimate.median)]
    return [round(value) for value in (estimate.median, estimate.lo, estimate.hi)]


def statuses(view, cell, suite):
    """A letter a row."""
    return "".join(STATUS_LETTERS[view.run.status(cell, suite, row.name)] for row in view.rows)


def cell_data(view, cell):
    """Workload, parameters, processes, status by suite, ns, memory, ratios, and the order of its chart."""
    numbers = {row.name: number for number, row in enumerate(view.rows)}
    times = [cell.time(row.name) for row in view.rows]
    return {
        "w": list(view.works).index(cell.workload),
        "p": view.labels[cell.key],
        "n": len(cell.processes),
        "s": [statuses(view, cell, suite) for suite in ("throughput", "memory")],
        "ns": [float(f"{time.median:.4g}") if time else 0 for time in times],
        "m": [memory(cell, row.name) for row in view.rows],
        "d": packed(view, cell),
        "o": [numbers[row.name] for row in cell_order(view, cell)],
    }


def row_data(view, row):
    """Name, group, mark, and whether it is an answer to "which allocator"."""
    return [row.name, row.group, view.looks[row.name].shape, int(verdicts.candidate(row))]


def data(view):
    return {
        "scale": PACK_SCALE,
        "reference": REFERENCE,
        "limit": AXIS_LIMIT,
        "rows": [row_data(view, row) for row in view.rows],
        "works": list(view.works),
        "cells": [cell_data(view, cell) for cell in view.cells],
    }
