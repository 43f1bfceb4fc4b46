"""The long hunt for bugs: how fast it ran, how coverage grew, what it found."""

import csv
import json
from typing import NamedTuple

from yard import charts, fuzz_coverage, overnight

POINTS = 60  # of a chart's line
HEIGHT = 220


class Course(NamedTuple):
    """One chart: a number over the hours of the hunt."""

    chart: charts.Chart
    points: list
    last: float


def read_state():
    """What the last long hunt has left; None where there is none."""
    try:
        state = json.loads(overnight.state_path().read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and state.get("cells") else None


def read_progress():
    """The lines of the hunt's course as (seconds, cell, slice_seconds, executions, edges); damaged ones are left out."""
    found = []
    try:
        with open(overnight.progress_path(), newline="") as lines:
            for line in csv.DictReader(lines):
                try:
                    executions = int(line["executions"]) + int(line["afl_executions"])
                    found.append((float(line["seconds"]), line["cell"], float(line["slice_seconds"]), executions, int(line["edges"])))
                except (TypeError, ValueError, KeyError):  # cut by a kill
                    continue
    except OSError:
        return []
    return found


def coverage(progress):
    """(seconds, edges that all cells together have reached by then)."""
    edges, out = {}, []
    for seconds, cell, _, _, reached in progress:
        edges[cell] = max(reached, edges.get(cell, 0))
        out.append((seconds, sum(edges.values())))
    return out


def speed(progress):
    """(seconds, executions a second of the slices that ended in a span of the hunt)."""
    out = []
    step = max(1, len(progress) // POINTS)
    for start in range(0, len(progress), step):
        part = progress[start : start + step]
        out.append((part[-1][0], sum(line[3] for line in part) / max(sum(line[2] for line in part), 0.1)))
    return out


def course(name, label, values):
    values = values[:: max(1, len(values) // POINTS)] + values[-1:]
    hours = [seconds / 3600 for seconds, _ in values]
    x_axis = charts.Axis(hours, log=False)
    y_axis = charts.Axis([value for _, value in values], log=False)
    points = [(x_axis.inside(hour), y_axis.inside(value)) for hour, (_, value) in zip(hours, values)]
    chart = charts.Chart(name, x_axis.scale("hours of hunting"), y_axis.scale(label), HEIGHT)
    return Course(chart, points, values[-1][1])


def courses():
    progress = read_progress()
    if len(progress) < 2:
        return []
    return [
        course("fuzz-coverage", "edges reached, all cells together", coverage(progress)),
        course("fuzz-speed", "executions a second of a cell’s slice", speed(progress)),
    ]


def data(view):
    state = read_state()
    if state is None:
        return {"hunt": None}
    cells = sorted(state["cells"].items())
    return {
        "hunt": state,
        "courses": courses(),
        "sources": fuzz_coverage.read_results(),
        "cells": cells,
        "findings": [finding for _, tally in cells for finding in tally["findings"]],
        "executions": sum(tally["executions"] + tally["afl_executions"] for _, tally in cells),
        "operations": sum(tally["operations"] for _, tally in cells),
    }
