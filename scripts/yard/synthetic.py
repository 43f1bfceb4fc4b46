"""Run folders that nobody measured, for the tests of what reads run folders.

    python3 scripts/yard/synthetic.py FOLDER [--rows N] [--workloads N] [--processes N] [--unfinished]

The numbers have the shape of real ones: a cost per allocator and workload that grows with size and
live set, a machine whose speed wanders (common to all rows of a round), a memory layout per process,
heavy tails. The truth is known: libc_again is libc, and each row's true ratio follows from its cost.
Some rows crash, some don't apply, one is not in the build. The same arguments give the same folder.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy

NAMES = (
    "floor_null:floor floor_bump:floor floor_free_list:floor libc:source libc_again:source raw_libc:source page:source "
    "bump:strategy fixed_buffer:strategy arena:strategy pool:strategy counting:decorator headered:decorator "
    "arena_over_page:composition jemalloc:peer jemalloc_sized:peer mimalloc:peer mimalloc_sized:peer tcmalloc_gperf:peer "
    "tcmalloc_gperf_sized:peer"
).split()
COSTS = {
    "floor_null": 0.25, "floor_bump": 0.18, "floor_free_list": 0.2, "libc": 1.0, "libc_again": 1.0, "raw_libc": 0.97, "page": 40.0,
    "bump": 0.26, "fixed_buffer": 0.27, "arena": 0.31, "pool": 0.28, "counting": 1.12, "headered": 1.2, "arena_over_page": 0.33,
    "jemalloc": 0.74, "jemalloc_sized": 0.66, "mimalloc": 0.72, "mimalloc_sized": 0.69, "tcmalloc_gperf": 0.62,
    "tcmalloc_gperf_sized": 0.6,
}  # fmt: skip
WORKLOADS = {
    "pair": ("The cheapest case there is: a block is allocated and freed at once. It shows the cost of the call itself.",
             "one allocation and its free", "size", [16, 64, 512, 4096], [1, 2]),
    "window": ("Steady churn at a constant live set: one block is allocated and a random old one freed. Caches and lists are used as in a server.",
               "one allocation and one free", "window", [100, 1000, 10000, 100000], [1, 2]),
    "request": ("A request loop: a thousand blocks of mixed size, then all of them end at once. Allocators with a reset use it.",
                "one block of the request", "blocks", [100, 1000], [1]),
    "mixed": ("Sizes spread log-uniformly from 16 bytes to 8 KiB over a random window. It fragments what can be fragmented.",
              "one allocation and one free", "window", [10000], [1, 2]),
    "trace": ("A recorded real program, replayed operation by operation. Frees by other threads are kept.",
              "one recorded operation", "file", ["cc1", "sqlite", "redis"], [1]),
}  # fmt: skip
GENERAL = ["thread-safe", "free-any", "real-free"]
PROPERTIES = {"bump": ["fixed-capacity"], "fixed_buffer": ["fixed-capacity", "free-last"], "arena": ["bulk-reset", "free-last"],
              "pool": ["fixed-block", "free-any", "real-free"], "arena_over_page": ["bulk-reset"], "counting": ["free-any", "real-free"],
              "headered": ["free-any", "real-free"]}  # fmt: skip


def rows(count):
    """The first `count` rows of a registry; beyond the known names, plausible others."""
    out = []
    for index in range(count):
        name, group = NAMES[index].split(":") if index < len(NAMES) else (f"contender_{index}", "peer" if index % 3 == 0 else "strategy")
        traits = {"floor": ["floor"], "peer": [*GENERAL, "peer"]}.get(group, PROPERTIES.get(name, GENERAL))
        out.append({"name": name, "group": group, "summary": f"what {name.replace('_', ' ')} is for, in one line", "traits": traits, "missing": None})
    out.append({"name": "rpmalloc", "group": "peer", "summary": "lock-free caches", "traits": GENERAL, "missing": "install librpmalloc1"})
    return out


def workloads(count, names):
    """As many cells as asked for, grouped into workloads; the rows that each applies to."""
    out, cells = [], 0
    for turn in range(count):
        for base, (summary, operation, key, values, threads) in WORKLOADS.items():
            workload = {"name": base if turn == 0 else f"{base}_{turn}", "summary": summary, "operation": operation, "cells": []}
            for value, thread in ((value, thread) for thread in threads for value in values):
                if cells == count:
                    break
                applies = [name for index, name in enumerate(names) if _applies(name, index, base, thread)]
                workload["cells"].append({"params": f"{key}={value}", "threads": thread, "rows": applies})
                cells += 1
            if workload["cells"]:
                out.append(workload)
    return out


def _applies(name, index, base, threads):
    single = name in ("bump", "fixed_buffer", "arena", "pool", "arena_over_page", "floor_bump", "floor_free_list")
    if threads > 1 and single:
        return False
    if base in ("window", "mixed", "trace") and name in ("bump", "fixed_buffer", "arena", "arena_over_page", "floor_bump", "floor_null"):
        return False
    return not (name == "pool" and base in ("mixed", "trace", "request")) and not (index >= len(NAMES) and index % 7 == 0 and threads > 1)


def cost(name, cell, generator):
    """The true nanoseconds per operation of a row in a cell."""
    value = cell["params"].split("=")[1]
    scale = 1 + 0.35 * math.log10(int(value)) if value.isdigit() else 4.0
    own = COSTS.get(name) or math.exp(generator.normal(-0.1, 0.5))
    wobble = 1.0 if name in ("libc", "libc_again") or name.startswith("floor") else math.exp(generator.normal(0, 0.18))
    return 6.4 * own * wobble * scale * (1.25 if cell["threads"] > 1 else 1)


def timings(workload, cell, truth, processes, rounds, generator):
    """The "samples" lines of one cell."""
    for process in range(processes):
        machine = np_exp(generator.standard_t(3, rounds) * 0.08)
        found = {}
        for name, base in truth.items():
            layout = math.exp(generator.normal(0, 0.008))
            values = base * layout * machine * np_exp(generator.standard_t(3, rounds) * 0.02)
            found[name] = {"ns_per_op": [round(float(value), 4) for value in values], "checksum": "c0ffee"}
        yield {"kind": "samples", "suite": "throughput", "workload": workload["name"], "params": cell["params"], "threads": cell["threads"],
               "process": process, "seed": int(generator.integers(1 << 32)), "rows": found}  # fmt: skip


def np_exp(values):
    return numpy.exp(numpy.clip(values, -1.5, 1.5))


def memory(workload, cell, name, process, generator):
    """A "memory" line: live bytes rise, waver and fall; resident ones follow with an overhead."""
    live_peak = int(24e6 if cell["threads"] > 1 else 9e6)
    overhead = {"page": 2.6, "libc": 1.08, "libc_again": 1.08}.get(name, 1.02 + 0.4 * ((sum(name.encode()) % 17) / 17))
    start, series = 2_400_000, []
    for step in range(40):
        share = min(1, step / 10) * (0.85 + 0.15 * math.sin(step / 2)) if step < 34 else max(0, (39 - step) / 6)
        live = int(live_peak * share)
        held = max(live * overhead, (series[-1][1] - start) * 0.97 if series else 0)
        series.append([live, int(start + held * math.exp(generator.normal(0, 0.004)))])
    peak = max(rss for _, rss in series)
    return {"kind": "memory", "workload": workload["name"], "params": cell["params"], "threads": cell["threads"], "process": process,
            "row": name, "start_rss": start, "peak_rss": peak, "live_peak": live_peak, "rss_after_free": series[-1][1],
            "rss_after_100ms": int(series[-1][1] * 0.9), "rss_after_1s": int(start + (series[-1][1] - start) * 0.4),
            "minor_faults": peak // 4096, "major_faults": 0, "series": series}  # fmt: skip


def context(rows, workloads, processes, rounds, finished):
    return {
        "schema_version": 1, "finished": finished, "tier": "standard", "started": "2026-01-31T12:00:00Z",
        "ended": "2026-01-31T12:09:12Z" if finished else None, "command": "scripts/bench", "seed": 1, "commit": "5eed" * 10, "dirty": False,
        "machine": "synthetic", "system": "Debian GNU/Linux 12 (bookworm)", "kernel": "Linux 6.1.0-18-amd64 x86_64",
        "cpu": "a processor that does not exist", "cores": 2, "memory_bytes": 8 << 30, "compiler": "gcc 12.2.0", "flags": "-O2 -g -DNDEBUG",
        "check_level": 0, "versions": {"libc": "2.36-9", "jemalloc": "5.3.0-1", "mimalloc": "2.0.9", "tcmalloc_gperf": "2.10-1"},
        "load": {"before": [0.31, 0.4, 0.38], "after": [1.02, 0.9, 0.6] if finished else None},
        "pressure": {"before": {"cpu": 1.2, "memory": 0.0, "io": 0.4}, "after": {"cpu": 6.4, "memory": 0.0, "io": 0.1} if finished else None},
        "processes": processes, "rounds": rounds, "rows": rows, "workloads": workloads,
    }  # fmt: skip


def lines(rows, workloads, processes, rounds, memory_processes, generator):
    """Everything that samples.ndjson holds, crashes included."""
    yield {"kind": "harness", "name": "empty", "ns_per_op": 0.42}
    names = [row["name"] for row in rows if not row["missing"]]
    for workload in workloads:
        for place, cell in enumerate(workload["cells"]):
            crashed = names[-1] if place == 1 and names[-1] in cell["rows"] and len(names) > 8 else None
            truth = {name: cost(name, cell, generator) for name in cell["rows"] if name != crashed}
            if crashed:
                yield {"kind": "failed", "suite": "throughput", "workload": workload["name"], "params": cell["params"],
                       "threads": cell["threads"], "row": crashed, "process": 0, "why": "signal 11 (SIGSEGV)",
                       "command": f"heapyard-bench sample --row {crashed} --workload {workload['name']} --params '{cell['params']}'"}  # fmt: skip
            yield from timings(workload, cell, truth, processes, rounds, generator)
            for name in truth:
                for process in range(memory_processes):
                    yield memory(workload, cell, name, process, generator)


def write(folder, row_count=20, workload_count=24, processes=10, rounds=20, finished=True, memory_processes=1, seed=1):
    """Makes the folder and returns it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = numpy.random.default_rng(seed)
    table = rows(row_count)
    cells = workloads(workload_count, [row["name"] for row in table if not row["missing"]])
    (folder / "run.json").write_text(json.dumps(context(table, cells, processes, rounds, finished)), encoding="utf-8")
    with open(folder / "samples.ndjson", "w", encoding="utf-8") as out:
        for line in lines(table, cells, processes, rounds, memory_processes, generator):
            out.write(json.dumps(line) + "\n")
    return folder


def main():
    parser = argparse.ArgumentParser(description="Writes a run folder with made-up samples, for tests.")
    parser.add_argument("folder")
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--workloads", type=int, default=24, help="cells: a workload with one set of parameters")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--unfinished", action="store_true")
    args = parser.parse_args()
    write(args.folder, args.rows, args.workloads, args.processes, finished=not args.unfinished)


if __name__ == "__main__":
    sys.exit(main())
