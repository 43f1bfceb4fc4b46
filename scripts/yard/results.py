"""Converts the raw samples of a run to all other formats.

A run folder (reports/out/<time>/) is written by scripts/bench; this module derives the other files in it:

    run.json         context, rows and workloads; rewritten when the run ends (below)
    samples.ndjson   raw samples, one JSON object a line, appended process by process
    results.ndjson   one record per cell with raw samples, statistics and context (reports/schema.json)
    results.csv      the flat view, one line per cell and metric
    bencher.json     Bencher Metric Format; github-action-benchmark.json; junit.xml
    index.html       the page (page.py)

run.json:

    {"schema_version": 1, "finished": true, "tier": "quick|standard|full",
     "started": "2026-01-31T12:00:00Z", "ended": "…" or null,
     "command": "scripts/bench --quick", "seed": 1,
     "commit": "40 hex digits", "dirty": false,
     "machine": "…", "system": "Debian GNU/Linux 12 (bookworm)", "kernel": "Linux 6.1.0 x86_64",
     "cpu": "…", "cores": 2, "memory_bytes": 8589934592,
     "compiler": "gcc 12.2.0", "flags": "-O2 -g …", "check_level": 0,
     "versions": {"jemalloc": "5.3.0-1", "libc": "2.36-9"},
     "load": {"before": [0.1, 0.2, 0.3], "after": […] or null},
     "pressure": {"before": {"cpu": 1.2, "memory": 0.0, "io": 0.4}, "after": {…} or null},   (PSI "some" avg60, percent)
     "processes": 12, "rounds": 40,
     "preloads": [{"name": "je", "path": "/…/libjemalloc.so.2", "file": "what path links to", "soname": "…" or null,
                   "version": "5.3.0" or null, "sha256": "of the file"}],
     "traces": [{"path": "/…/yours.hyt", "sha256": "…"}],                       recorded programs given by path
     "rows": [{"name": "arena", "group": "strategy", "summary": "…", "traits": ["thread-safe", …],
               "missing": null or "install libjemalloc2",
               "preload": name of its library, "broken": why it can't be listed (both only of preloaded ones)}],
                                                                       every row of the registry, in its order
     "workloads": [{"name": "pair", "summary": "two sentences", "operation": "one allocation and its free",
                    "cells": [{"params": "size=64", "threads": 1,
                               "rows": ["libc", "libc_again", "arena", …]}]}]}

A cell's "rows" are those of the run's rows that it applies to by traits, so that a missing number can be
explained: "not applicable", "not in this build", "failed", "not measured (yet)". Unknown fields are null.
Intervals need at least six processes.

samples.ndjson has lines of kind "samples" (one process of one cell: rows → ns_per_op, one number per
round; all rows of the line are interleaved round by round, so they pair), "memory" (one process of one
cell and row), "failed", "harness" and "overhead" (one process of one comparison of the meter overheads: two
sides, which pair round by round). A last line that was truncated by a kill is left out.
"""

import csv
import io
import json
from xml.sax.saxutils import escape, quoteattr

from yard import common, samples, stats

SCHEMA_VERSION = 1
COLUMNS = (
    "suite,allocator,workload,params,threads,metric,unit,median,lo95,hi95,n,ratio_vs_libc,ratio_lo95,ratio_hi95".split(",")
)
# The fields of the run that every record repeats, so that a line is meaningful on its own.
CONTEXT = (
    "started command commit dirty machine system kernel cpu cores memory_bytes compiler flags check_level versions load "
    "pressure tier finished preloads traces"
).split()


def _metric(name, unit, estimate, ratio):
    """One metric of a cell: its statistics and the ratio to libc."""
    ratio = ratio or stats.Estimate(None, None, None, 0)
    return {
        "metric": name, "unit": unit, "median": estimate.median, "lo95": estimate.lo, "hi95": estimate.hi, "n": estimate.n,
        "ratio_vs_libc": ratio.median, "ratio_lo95": ratio.lo, "ratio_hi95": ratio.hi,
    }  # fmt: skip


def _time_metrics(cell, row):
    return [_metric("time", "ns/op", cell.time(row), cell.ratio(row, samples.REFERENCE))]


def _memory_metrics(cell, row):
    found = []
    for field, (name, unit) in samples.MEMORY_METRICS.items():
        values = cell.memory_values(row, field)
        if values:
            found.append(_metric(name, unit, stats.median_interval(values), cell.memory_ratio(row, samples.REFERENCE, field)))
    return found


def _raw(cell, suite, row):
    """The raw samples, including those of failed cells."""
    if suite == "memory":
        return [{key: value for key, value in record.items() if key != "kind"} for record in cell.memory.get(row, [])]
    return [
        {"process": process.index, "seed": process.seed, "operations": process.operations.get(row),
         "checksum": process.checksums.get(row), "ns_per_op": process.rows[row].tolist()}
        for process in cell.runs(row)
    ]  # fmt: skip


def record(run, cell, suite, row, context):
    """The record of one cell and row: the metrics, or why there are none."""
    status = run.status(cell, suite, row.name)
    failure = cell.failures.get((suite, row.name), {})
    metrics = []
    if status == samples.OK:
        metrics = (_time_metrics if suite == "throughput" else _memory_metrics)(cell, row.name)
    return {
        "schema_version": SCHEMA_VERSION, "suite": suite, "allocator": row.name, "group": row.group,
        "workload": cell.workload, "params": cell.params, "threads": cell.threads,
        "status": status, "why": failure.get("why") or row.missing,
        "command": failure.get("command") or run.command(cell, row.name),
        "metrics": metrics, "samples": _raw(cell, suite, row.name), "context": context,
    }  # fmt: skip


def records(run):
    """One record for each suite, cell and row; rows that are not in this build come last."""
    context = {name: run.context.get(name) for name in CONTEXT}
    rows = run.chosen()
    rows += [row for row in run.missing() if row not in rows]
    for suite in run.suites():
        for cell in run.cells.values():
            for row in rows:
                yield record(run, cell, suite, row, context)


def number(value):
    """A number as text for the flat formats: six significant digits, integers exact."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def csv_lines(record):
    """A record's lines in the flat view: one per metric. A cell that failed or was not measured has one line
    with n = 0; one that does not apply has none."""
    head = [record[name] for name in ("suite", "allocator", "workload", "params", "threads")]
    if record["status"] in (samples.FAILED, samples.NOT_MEASURED):
        metric = ["time", "ns/op"] if record["suite"] == "throughput" else ["peak_rss", "bytes"]
        return [[*head, *metric, "", "", "", 0, "", "", ""]]
    return [[*head, metric["metric"], metric["unit"], *(number(metric[name]) for name in COLUMNS[7:])] for metric in record["metrics"]]


def name_of(record):
    """The name of a cell and row, by which other tools key their histories."""
    parts = [record["workload"], record["params"], f"threads={record['threads']}", record["allocator"]]
    return "/".join(part for part in parts if part)


def bencher(found):
    """Bencher Metric Format: name → measure → value and bounds."""
    out = {}
    for record in found:
        for metric in record["metrics"]:
            measure = "latency" if metric["metric"] == "time" else metric["metric"]
            value = {"value": metric["median"]}
            if metric["lo95"] is not None:
                value |= {"lower_value": metric["lo95"], "upper_value": metric["hi95"]}
            out.setdefault(name_of(record), {})[measure] = value
    return out


def github_action(found):
    """The list that github-action-benchmark reads as customSmallerIsBetter."""
    out = []
    for record in found:
        for metric in record["metrics"]:
            if metric["metric"] not in ("time", "peak_rss"):
                continue
            entry = {"name": f"{name_of(record)} {metric['metric']}", "unit": metric["unit"], "value": metric["median"]}
            if metric["lo95"] is not None:
                entry["range"] = f"{number(metric['lo95'])} to {number(metric['hi95'])}"
            out.append(entry | {"extra": record["command"]})
    return out


def junit(found):
    """One test case per record: failed cells are failures, unmeasured ones are skipped."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    failures = sum(record["status"] == samples.FAILED for record in found)
    skipped = sum(record["status"] not in (samples.FAILED, samples.OK) for record in found)
    lines.append(f'<testsuites><testsuite name="heapyard bench" tests="{len(found)}" failures="{failures}" skipped="{skipped}">')
    for record in found:
        case = f'<testcase classname={quoteattr(record["suite"] + "." + record["workload"])} name={quoteattr(name_of(record))}'
        if record["status"] == samples.OK:
            lines.append(case + "/>")
            continue
        text = quoteattr(record["why"] or record["status"])
        inner = f"<failure message={text}>{escape(record['command'])}</failure>" if record["status"] == samples.FAILED else f"<skipped message={text}/>"
        lines.append(f"{case}>{inner}</testcase>")
    return "\n".join([*lines, "</testsuite></testsuites>", ""])


def csv_text(found):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in found:
        writer.writerows(csv_lines(record))
    return out.getvalue()


def derive(run_dir):
    """Writes every derived format of a run folder except the page; each file is written atomically. Returns the
    Run, for the page and the terminal."""
    run = samples.load(run_dir)
    found = list(records(run))
    texts = {
        "results.ndjson": "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in found),
        "results.csv": csv_text(found),
        "bencher.json": json.dumps(bencher(found), indent=1) + "\n",
        "github-action-benchmark.json": json.dumps(github_action(found), indent=1) + "\n",
        "junit.xml": junit(found),
    }
    for name, text in texts.items():
        with common.atomic_write(run.folder / name) as out:
            out.write(text)
    return run
