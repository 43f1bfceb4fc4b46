"""What a run measured, from its raw samples to every format that is read elsewhere.

A run folder (reports/out/<time>/) is written by scripts/bench and derived from by this module:

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
     "rows": [{"name": "arena", "group": "strategy", "summary": "…", "traits": ["thread-safe", …],
               "missing": null or "install libjemalloc2"}],          every row of the registry, in its order
     "workloads": [{"name": "pair", "summary": "two sentences", "operation": "one allocation and its free",
                    "cells": [{"params": "size=64", "threads": 1,
                               "rows": ["libc", "libc_again", "arena", …]}]}]}

A cell's "rows" are those it applies to by traits, among the rows chosen for the run; with that, a
number that isn't there is told apart: "not applicable", "not in this build", "failed", "not measured
(yet)". Fields that can't be known are null. Intervals need at least six processes.

samples.ndjson has lines of kind "samples" (one process of one cell: rows → ns_per_op, one number a
round, all rows of the line interleaved round by round, so they pair), "memory" (one process of one
cell and row), "failed" and "harness". The last line may be cut by a kill: it is left out.
"""
