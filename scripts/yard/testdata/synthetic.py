"""Run folders that nobody measured, for the tests of what reads run folders.

Allocators, workloads and what applies to what are the registry's, as heapyard-bench of the build in
HEAPYARD_BUILD (default build/debug) lists them. Only the numbers are made up, and they have the shape of
real ones: a cost per allocator and cell, a machine whose speed wanders (common to all rows of a round), a
memory layout per process, heavy tails. The truth is known: the twin of libc is libc. The made-up machine
has all peers but the last; some cells crash. The same arguments and registry give the same folder.
"""

import functools
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from yard import cells, common, samples

TIER = "standard"
# Nanoseconds of libc's pair, and how much of them a row takes: the first trait or group that it has decides.
LIBC_NS = 6.4
COSTS = (
    ("floor", 0.22), ("whole pages", 40.0), ("quarantines", 12.0), ("fixed block", 0.3),
    ("fixed capacity", 0.28), ("bulk reset", 0.33), ("peer", 0.68), ("decorator", 1.2), ("composition", 1.3),
)  # fmt: skip
# Fewer allocators than this are all well.
FEWEST_FOR_A_CRASH = 8
START_RSS = 2_400_000
SERIES_STEPS = 40


class NoBuild(Exception):
    """There is no heapyard-bench to ask."""


@functools.lru_cache(maxsize=1)
def registry():
    """What heapyard-bench lists."""
    build = Path(os.environ.get("HEAPYARD_BUILD", common.ROOT / "build" / "debug"))
    bench = build / "bench" / "heapyard-bench"
    try:
        return json.loads(subprocess.run([bench, "list", "--json"], capture_output=True, check=True).stdout)
    except OSError as error:
        mend = "build it, or name its build in HEAPYARD_BUILD"
        raise NoBuild(f"{bench} does not run ({error.strerror}): {mend}") from error


def machine():
    """The registry as on a machine that has every peer but the last, whatever this one has. A peer runs what
    libc runs."""
    listing = json.loads(json.dumps(registry()))
    peers = [row for row in listing["rows"] if row["group"] == "peer"]
    for row in peers:
        row["missing"] = None
    peers[-1]["missing"] = f"install {peers[-1]['name']}"
    names = {row["name"] for row in peers[:-1]}
    for cell in (cell for workload in listing["workloads"] for cell in workload["cells"]):
        cell["rows"] = [name for name in cell["rows"] if name not in names and name != peers[-1]["name"]]
        cell["rows"] += [row["name"] for row in peers[:-1] if samples.REFERENCE in cell["rows"]]
    return listing


def choose(rows, count):
    """So many names: libc and its twin, then of each group in turn, compositions last. None: all."""
    present = [row for row in rows if not row.get("missing")]
    stacks = [row["name"] for row in present if row["group"] == "composition"]
    groups = {}
    for row in present:
        if row["name"] not in cells.REFERENCES and row["group"] != "composition":
            groups.setdefault(row["group"], []).append(row["name"])
    turns = itertools.zip_longest(*groups.values())
    singles = [*cells.REFERENCES, *(name for turn in turns for name in turn if name)]
    chosen = set((singles + stacks)[:count])
    return [row["name"] for row in present if row["name"] in chosen]


def plan(listing, names, stacks, count):
    """The standard run's cells with the rows that apply to each. A count takes so many of them; where that is
    more, the workloads come again under other names. `stacks`: rows that few cells have."""

    def found(workloads):
        every = [workload["name"] for workload in workloads]
        return cells.find_cells({"workloads": workloads}, TIER, names, {"compositions": stacks}, every, None, 1 << 40)

    once = listing["workloads"]
    for turn in range(1, math.ceil((count or 0) / len(found(once)))):
        again = [{**each, "name": f"{each['name']}_{turn}"} for each in once]
        listing["workloads"] = listing["workloads"] + again
    return found(listing["workloads"])[:count]


def cost(row, cell, own, generator):
    """The true nanoseconds per operation of a row in a cell. `own`: what makes it differ from its like."""
    steady = row.floor or row.name in cells.REFERENCES
    wobble = 1.0 if steady else own * math.exp(generator.normal(0, 0.18))
    share = next((share for what, share in COSTS if row.has(what) or row.group == what), 1.0)
    values = [part.split("=")[1] for part in cell.params.split(";")]
    scale = 1 + sum(0.2 * math.log10(int(value)) if value.isdigit() else 3.0 for value in values)
    return LIBC_NS * share * wobble * scale * (1.25 if cell.threads > 1 else 1)


def cut(values):
    return numpy.exp(numpy.clip(values, -1.5, 1.5))


def where(cell):
    """The fields that name a cell in every line."""
    return {"workload": cell.workload, "params": cell.params, "threads": cell.threads}


def timings(cell, truth, processes, rounds, generator):
    """The "samples" lines of one cell."""
    for process in range(processes):
        speed = cut(generator.standard_t(3, rounds) * 0.08)
        found = {}
        for name, base in truth.items():
            layout = math.exp(generator.normal(0, 0.008))
            values = base * layout * speed * cut(generator.standard_t(3, rounds) * 0.02)
            found[name] = {"ns_per_op": [round(float(value), 4) for value in values], "checksum": "c0ffee"}
        yield {
            "kind": "samples", "suite": "throughput", **where(cell), "process": process,
            "seed": int(generator.integers(1 << 32)), "rows": found,
        }  # fmt: skip


def series(live_peak, overhead, generator):
    """(live, resident) over time: live bytes rise, waver and fall; resident ones follow with an overhead."""
    out = []
    for step in range(SERIES_STEPS):
        risen = min(1, step / 10) * (0.85 + 0.15 * math.sin(step / 2))
        left = max(0, (SERIES_STEPS - 1 - step) / 6)
        live = int(live_peak * min(risen, left))
        held = max(live * overhead, (out[-1][1] - START_RSS) * 0.97 if out else 0)
        out.append([live, int(START_RSS + held * math.exp(generator.normal(0, 0.004)))])
    return out


def memory(cell, row, own, process, generator):
    """A "memory" line."""
    overhead = 2.6 if row.has("whole pages") else 1.08 if row.name in cells.REFERENCES else 1.02 + 0.3 * own
    steps = series(cell.live_bytes, overhead, generator)
    peak, last = max(rss for _, rss in steps), steps[-1][1]
    return {
        "kind": "memory", **where(cell), "process": process, "row": row.name,
        "start_rss": START_RSS, "peak_rss": peak, "live_peak": cell.live_bytes, "rss_after_free": last,
        "rss_after_100ms": int(last * 0.9), "rss_after_1s": int(START_RSS + (last - START_RSS) * 0.4),
        "minor_faults": peak // 4096, "major_faults": 0, "series": steps,
    }  # fmt: skip


def crash(cell, name):
    """A "failed" line."""
    command = f"heapyard-bench sample --row {name} --workload {cell.workload} --params '{cell.params}'"
    return {
        "kind": "failed", "suite": "throughput", **where(cell), "row": name, "process": 0,
        "why": "signal 11 (SIGSEGV)", "command": command,
    }  # fmt: skip


def lines(rows, planned, processes, rounds, memory_processes, generator):
    """Everything that samples.ndjson holds. The last row crashes in the second cell of each workload."""
    yield {"kind": "harness", "name": cells.HARNESS, "ns_per_op": 0.42}
    for name, added, bound in (("ambient", 0.3, 1.5), ("handle", 1.2, 1.0), ("defer", 0.0, 0.0)):
        for process in range(processes):
            plain = [2.0 + 0.01 * process + 0.001 * round_ for round_ in range(rounds)]
            told = {"what": f"{name}, over doing without", "operation": "one call", "bound_ns": bound, "process": process}
            yield {"kind": "overhead", "name": name, **told, "plain_ns": plain, "with_ns": [value + added for value in plain]}
    known = {row["name"]: samples.Row(row) for row in rows if not row.get("missing")}
    own = {name: math.exp(generator.normal(0, 0.2)) for name in known}
    last, seen = list(known)[-1], {}
    for cell in planned:
        seen[cell.workload] = seen.get(cell.workload, 0) + 1
        crashes = seen[cell.workload] == 2 and last in cell.rows and len(known) > FEWEST_FOR_A_CRASH
        truth = {name: cost(known[name], cell, own[name], generator) for name in cell.rows}
        if crashes:
            del truth[last]
            yield crash(cell, last)
        yield from timings(cell, truth, processes, rounds, generator)
        for name in truth:
            for process in range(memory_processes):
                yield memory(cell, known[name], own[name], process, generator)


def described(listing, planned):
    """The workloads of run.json."""
    out = []
    for workload in listing["workloads"]:
        own = [cell for cell in planned if cell.workload == workload["name"]]
        given = [{"params": cell.params, "threads": cell.threads, "rows": list(cell.rows)} for cell in own]
        texts = {name: workload[name] for name in ("name", "summary", "operation")}
        out += [{**texts, "cells": given}] if given else []
    return out


def context(rows, workloads, processes, rounds, finished):
    peers = {row["name"]: "1.0" for row in rows if row["group"] == "peer" and not row.get("missing")}
    return {
        "schema_version": 1, "finished": finished, "tier": TIER, "started": "2026-01-31T12:00:00Z",
        "ended": "2026-01-31T12:09:12Z" if finished else None,
        "command": "scripts/bench", "seed": 1, "commit": "5eed" * 10, "dirty": False,
        "machine": "synthetic", "system": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "Linux 6.1.0-18-amd64 x86_64", "cpu": "a processor that does not exist",
        "cores": 2, "memory_bytes": 8 << 30,
        "compiler": "gcc 12.2.0", "flags": "-O2 -g -DNDEBUG", "check_level": 0,
        "versions": {samples.REFERENCE: "2.36-9", **peers},
        "load": {"before": [0.31, 0.4, 0.38], "after": [1.02, 0.9, 0.6] if finished else None},
        "pressure": {
            "before": {"cpu": 1.2, "memory": 0.0, "io": 0.4},
            "after": {"cpu": 6.4, "memory": 0.0, "io": 0.1} if finished else None,
        },
        "processes": processes, "rounds": rounds, "rows": rows, "workloads": workloads,
    }  # fmt: skip


def write(
    folder,
    row_count=None,
    cell_count=None,
    processes=10,
    rounds=20,
    finished=True,
    memory_processes=1,
    seed=1,
):
    """Makes the folder and returns it. Without a row count, compositions are in the cells that the standard
    run has them in, else wherever they apply."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = numpy.random.default_rng(seed)
    listing = machine()
    names = choose(listing["rows"], row_count)
    rows = [row for row in listing["rows"] if row["name"] in names or row.get("missing")]
    stacks = {row["name"] for row in rows if row["group"] == "composition"} if row_count is None else ()
    planned = plan(listing, names, stacks, cell_count)
    about = context(rows, described(listing, planned), processes, rounds, finished)
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    with open(folder / "samples.ndjson", "w", encoding="utf-8") as out:
        for line in lines(rows, planned, processes, rounds, memory_processes, generator):
            out.write(json.dumps(line) + "\n")
    return folder


def main():
    parser = common.Parser(__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="where the run is written")
    parser.add_argument("--rows", metavar="N", type=int, help="so many allocators (default: all)")
    parser.add_argument("--cells", metavar="N", type=int, help="so many cells (default: the standard run's)")
    parser.add_argument("--processes", metavar="N", type=int, default=10, help="of each cell (default: 10)")
    parser.add_argument("--unfinished", action="store_true", help="a run that was interrupted")
    args = parser.parse_args()
    try:
        write(args.folder, args.rows, args.cells, args.processes, finished=not args.unfinished)
    except NoBuild as problem:
        raise common.usage_error(str(problem)) from problem


if __name__ == "__main__":
    common.main_guard(main)
