"""Which cells a bench run measures, with which rows, rounds and processes, and how long that takes.

heapyard-bench list --json gives the rows and workloads; the tier chooses cells, filters choose rows and
workloads. A cell's rows share a process; where their live sets together would not fit into memory, they
are split into several groups, each including the references. Rows of a library that is preloaded are such a
group of their own.
"""

import difflib
import fnmatch
import math
from typing import NamedTuple

from yard import common, traces

REFERENCES = ("libc", "libc_again")
HARNESS = "empty"
# Groups of rows over other rows.
LAYERS = ("composition", "decorator")
TIERS = {"quick": 1, "standard": 2, "full": 3}
TIER_NAMES = {"smoke": 0, **TIERS}
# The number of processes that also measure the harness's own cost.
HARNESS_PROCESSES = 3
ROUNDS_MIN = 5
# Epochs of at least this length are whole programs: one round per process.
WHOLE_EPOCH_SECONDS = 0.005
PROCESSES_MIN = 8
# The time of an epoch of the cheapest cells, warm-up included: they get the tier's rounds, longer ones fewer.
SHORTEST_EPOCH_NS = 125_000
START_SECONDS = 0.03
FILL_SECONDS_PER_BLOCK = 300e-9
CALIBRATION_EPOCHS = 8
MEMORY_PROCESS_SECONDS = 0.1
# A memory process waits for a second once all is freed: so many run at once.
MEMORY_IDLE_SECONDS = 1.0
MEMORY_AT_ONCE = 48


class Tier(NamedTuple):
    """How much a run measures. `seconds` bounds the throughput part; None: no bound."""

    name: str
    processes: int
    rounds: int
    seconds: float
    memory_processes: int
    memory_seconds: float


TIER_PLANS = {
    "quick": Tier("quick", 8, 20, 36, 1, 20),
    "standard": Tier("standard", 30, 60, 420, 6, 130),
    "full": Tier("full", 30, 60, None, 7, None),
}


class Cell(NamedTuple):
    """One workload with one set of parameters and threads. groups: tuples of rows that share a process."""

    workload: str
    params: str
    threads: int
    rows: tuple
    groups: tuple
    epoch_seconds: float  # of one row, warm-up included
    live_blocks: int
    live_bytes: int

    @property
    def label(self):
        return f"{self.workload} {self.params}" + (f" × {self.threads} threads" if self.threads > 1 else "")


class Plan(NamedTuple):
    tier: Tier
    cells: tuple
    rounds: dict  # by cell
    processes: int
    memory_processes: int
    seconds: float  # expected
    rows: tuple  # chosen, without missing ones
    broken: dict  # why, by row: those that can't be measured


def matching(filters, names, what):
    """The names chosen by comma-separated names or globs; None chooses all. A filter that matches nothing is
    a usage error that suggests the nearest name."""
    if not filters:
        return list(names)
    chosen = set()
    for pattern in (part.strip() for part in filters.split(",")):
        found = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            close = difflib.get_close_matches(pattern, names, n=1, cutoff=0)
            raise common.usage_error(f"no {what} '{pattern}'" + (f"; did you mean '{close[0]}'?" if close else ""))
        chosen |= set(found)
    return [name for name in names if name in chosen]


def choose_rows(listing, filters):
    """The names of the rows to measure. A missing row is a usage error where it is named exactly, and left out
    where a glob or no filter chooses it: the page lists it with what to install."""
    missing = {row["name"]: row["missing"] for row in listing["rows"] if row.get("missing")}
    chosen = matching(filters, [row["name"] for row in listing["rows"]], "allocator")
    for name in (filters or "").split(","):
        if name.strip() in missing:
            raise common.usage_error(f"{name.strip()} is not in this build: {missing[name.strip()]}")
    return [name for name in chosen if name not in missing]


def choose_threads(listing, filters):
    if not filters:
        return None
    known = sorted({cell["threads"] for workload in listing["workloads"] for cell in workload["cells"]})
    wanted = [part.strip() for part in filters.split(",")]
    for part in wanted:
        if part not in map(str, known):
            raise common.usage_error(f"no thread count '{part}'; there are {', '.join(map(str, known))}")
    return {int(part) for part in wanted}


def deal(rows, live_bytes, memory_bytes, preloads=None):
    """Splits rows into groups whose live sets together fit into half the memory, references in each; the last
    ones are of a preloaded library each. preloads: its name, by row."""
    owners = preloads or {}
    names = dict.fromkeys(owners[row] for row in rows if row in owners)
    groups = share(tuple(row for row in rows if row not in owners), live_bytes, memory_bytes)
    return groups + tuple(tuple(row for row in rows if row in REFERENCES or owners.get(row) == name) for name in names)


def share(rows, live_bytes, memory_bytes):
    """Splits rows that can share a process."""
    fitting = max(len(REFERENCES) + 1, int(memory_bytes / 2 // max(live_bytes, 1)))
    references = [row for row in rows if row in REFERENCES]
    if len(rows) <= fitting or not references:
        return (tuple(rows),)
    others = [row for row in rows if row not in REFERENCES]
    step = fitting - len(references)
    return tuple(tuple(references + others[start : start + step]) for start in range(0, len(others), step))


def rows_of(given, rows, layers, tier):
    """The rows that a cell is measured with. layers: {"compositions": rows, "decorators": rows} that are measured
    below the full tier only in cells that their workload marks for them."""
    spared = () if tier == "full" else [row for name in layers if not given[name] for row in layers[name]]
    return tuple(row for row in given["rows"] if row in rows and row not in spared)


def find_cells(listing, tier, rows, layers, workloads, threads, memory_bytes):
    found = []
    preloads = {row["name"]: row["preload"] for row in listing.get("rows", []) if row.get("preload")}
    for workload in listing["workloads"]:
        if workload["name"] not in workloads:
            continue
        for given in workload["cells"]:
            if TIER_NAMES[given["tier"]] > TIERS[tier] or (threads and given["threads"] not in threads):
                continue
            applying = rows_of(given, rows, layers, tier)
            if not set(applying) - set(REFERENCES) and not set(rows) <= set(REFERENCES):
                continue
            found.append(
                Cell(
                    workload["name"], given["params"], given["threads"], applying,
                    deal(applying, given["live_bytes"], memory_bytes, preloads),
                    (given["epoch_ns"] + given["warm_ns"]) / 1e9, given["live_blocks"], given["live_bytes"],
                )  # fmt: skip
            )
    return tuple(found)


def process_seconds(cell, rows, rounds):
    """The expected time of one process of a cell."""
    before = 1 if cell.epoch_seconds >= WHOLE_EPOCH_SECONDS else CALIBRATION_EPOCHS
    one = cell.epoch_seconds * (2 * rounds + before) + cell.live_blocks * FILL_SECONDS_PER_BLOCK
    return START_SECONDS + len(rows) * one


def rounds_of(cell, wanted):
    return 1 if cell.epoch_seconds >= WHOLE_EPOCH_SECONDS else max(ROUNDS_MIN, math.ceil(wanted))


def throughput_seconds(cells, rounds, processes):
    return processes * sum(process_seconds(cell, group, rounds[cell]) for cell in cells for group in cell.groups)


def share_rounds(cells, tier):
    """(rounds by cell, processes), chosen so that the whole fits the tier's time. Long epochs get fewer rounds;
    where that is not enough all get fewer, and then there are fewer processes."""
    full = {
        cell: rounds_of(cell, min(tier.rounds, tier.rounds * SHORTEST_EPOCH_NS / 1e9 / cell.epoch_seconds)) for cell in cells
    }
    if tier.seconds is None:
        return full, tier.processes
    for scale in (1, 0.75, 0.5, 0.35, 0.25):
        rounds = {cell: rounds_of(cell, count * scale) for cell, count in full.items()}
        if throughput_seconds(cells, rounds, tier.processes) <= tier.seconds:
            return rounds, tier.processes
    one = throughput_seconds(cells, rounds, 1)
    return rounds, max(min(PROCESSES_MIN, tier.processes), min(tier.processes, int(tier.seconds / one)))


def memory_replicate_seconds(cells):
    """The expected time of one process for each cell and row: their idle second overlaps as far as so many run at
    once, their work shares the cores."""
    jobs = sum(len(cell.rows) for cell in cells)
    busy = sum(len(cell.rows) * (MEMORY_PROCESS_SECONDS + cell.live_blocks * 30 * 50e-9) for cell in cells) / 2
    return 1.5 + max(busy, (jobs * MEMORY_IDLE_SECONDS + 2 * busy) / MEMORY_AT_ONCE)


def choose_workloads(listing, workloads, paths):
    """The listing with the chosen workloads alone. Where traces are given by their paths, these are chosen, and
    of all else what is named."""
    names = [workload["name"] for workload in listing["workloads"]]
    named = [] if paths and not workloads else matching(workloads, names, "workload")
    given = [traces.params(path) for path in paths]
    found = []
    for workload in listing["workloads"]:
        whole = workload["name"] in named
        chosen = [cell for cell in workload["cells"] if whole or cell["params"] in given]
        if chosen:
            found.append(workload | {"cells": chosen})
    return listing | {"workloads": found}


def make(listing, tier_name="standard", allocators=None, workloads=None, threads=None, memory_bytes=1 << 34, paths=()):
    """The plan of a run. Filters are comma-separated names or globs, as for make bench; paths: traces."""
    tier = TIER_PLANS[tier_name]
    listing = choose_workloads(listing, workloads, paths)
    chosen = choose_rows(listing, allocators)
    rows = [row["name"] for row in listing["rows"] if row["name"] in chosen or row["name"] in REFERENCES]
    names = [workload["name"] for workload in listing["workloads"]]
    # With a filter, compositions and decorators are measured in every cell.
    layers = {} if allocators else {f"{group}s": [row["name"] for row in listing["rows"] if row["group"] == group] for group in LAYERS}
    cells = find_cells(listing, tier_name, rows, layers, names, choose_threads(listing, threads), memory_bytes)
    if not cells:
        raise common.usage_error("these filters leave no cell: heapyard-bench list shows what applies to what")
    rounds, processes = share_rounds(cells, tier)
    replicate = memory_replicate_seconds(cells)
    memory = tier.memory_processes
    if tier.memory_seconds:
        memory = max(1, min(memory, int(tier.memory_seconds / replicate)))
    seconds = throughput_seconds(cells, rounds, processes) + memory * replicate
    broken = {row["name"]: row["broken"] for row in listing["rows"] if row.get("broken") and row["name"] in rows}
    return Plan(tier, cells, rounds, processes, memory, seconds, tuple(rows), broken)
