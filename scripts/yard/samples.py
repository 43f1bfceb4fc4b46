"""Reads run.json and samples.ndjson of a run folder.

A Run has cells (workload, parameters, threads) in the order of the run; a Cell has the measurements of every
row, ratios of any row to any other, and the reason where there are none. The folder's format is described in
results.py. Reading is tolerant: a run may be unfinished, its last line truncated by a kill, its rows unknown
to the current registry.
"""

import difflib
import json
import shlex
from pathlib import Path

import numpy

from yard import common, shape, stats, traces

OK, FAILED, NOT_MEASURED = "ok", "failed", "not measured"
NOT_APPLICABLE, NOT_IN_BUILD = "not applicable", "not in this build"
REFERENCE = "libc"
# Below this much live memory, resident memory depends more on the process than on its allocator.
LEAST_LIVE_BYTES = 1 << 20

# The names and units in the results of a memory record's fields.
MEMORY_METRICS = {
    "peak_rss": ("peak_rss", "bytes"),
    "peak_rss_above_start": ("peak_rss_above_start", "bytes"),
    "rss_after_free": ("rss_after_free", "bytes"),
    "rss_after_100ms": ("rss_after_free_100ms", "bytes"),
    "rss_after_1s": ("rss_after_free_1s", "bytes"),
    "live_peak": ("live_peak", "bytes"),
    "fragmentation": ("fragmentation", "ratio"),
    "minor_faults": ("minor_faults", "count"),
    "major_faults": ("major_faults", "count"),
}


class Row:
    """An allocator as described by the run's registry."""

    def __init__(self, given):
        self.name = given["name"]
        self.group = given.get("group") or "other"
        self.summary = given.get("summary") or ""
        self.traits = [trait.replace("-", " ").replace("_", " ") for trait in given.get("traits") or []]
        self.missing = given.get("missing") or None
        # The name of the preloaded library that the row is of.
        self.preload = given.get("preload") or None
        # The row that this one is a variant of, where the registry has it; see kin().
        self.base = None

    def has(self, *traits):
        return all(trait in self.traits for trait in traits)

    @property
    def floor(self):
        return self.group == "floor" or self.has("floor")

    @property
    def peer(self):
        return self.group == "peer" or self.has("peer")

    @property
    def twin(self):
        """The name of the row that this one repeats for the A/A check, or None."""
        return self.name[: -len("_again")] if self.name.endswith("_again") else None

    @property
    def ours(self):
        """An allocator of this project, or one that is plugged in: no part of the system, no peer."""
        return not self.floor and not self.peer and self.group != "source"

    @property
    def general(self):
        """Usable by any program: thread-safe, frees in any order, serves any size and reuses freed memory."""
        return (
            self.has("thread safe", "free any", "real free")
            and not self.has("fixed capacity")
            and not self.has("fixed block")
            and not self.floor
            and not self.twin
        )


def kin(rows):
    """Sets each row's base from its name: a sized or shared variant, the twin for the A/A check, or a
    composition, which is named from its top (arena_over_page is an arena, counting_over_arena a counter)."""
    for row in rows.values():
        top = row.name.partition("_over_")[0] if "_over_" in row.name else row.name
        if row.name.endswith(("_sized", "_again", "_shared")):
            top = row.name.rpartition("_")[0]
        row.base = rows[top] if top != row.name and top in rows else None


class Process:
    """One process of one cell: each row's nanoseconds per operation, round by round."""

    def __init__(self, line):
        self.index = line.get("process", 0)
        self.seed = line.get("seed")
        self.operations = line.get("epoch_operations") or {}
        self.rows = {}
        self.checksums = {}
        for name, row in line["rows"].items():
            rounds = [value for value in row.get("ns_per_op") or [] if value is not None and value > 0]
            if rounds:
                self.rows[name] = numpy.asarray(rounds, float)
                self.checksums[name] = row.get("checksum")
        self._medians = {}

    def log_ratio(self, row, reference):
        """The median over rounds of log(row / reference)."""
        key = (row, reference)
        if key not in self._medians:
            self._medians[key] = stats.paired_log_ratio(self.rows[row], self.rows[reference])
        return self._medians[key]

    def disagrees(self, row, reference):
        """Whether the row's checksum differs from the reference's for the same number of operations."""
        if row == reference or self.operations.get(row) != self.operations.get(reference):
            return False
        pair = self.checksums.get(row), self.checksums.get(reference)
        return None not in pair and pair[0] != pair[1]


class Cell:
    """One workload with one set of parameters and threads, for all rows."""

    def __init__(self, workload, params, threads, rows=None, summary=""):
        self.workload, self.params, self.threads, self.summary = workload, params or "", threads, summary
        self.rows = rows
        self.processes = {}
        self.memory = {}
        self.failures = {}
        self._ratios, self._times = {}, {}

    @property
    def key(self):
        return (self.workload, self.params, self.threads)

    @property
    def label(self):
        """Parameters and threads as text for display."""
        return self.label_of(self.values())

    def label_of(self, names):
        """The label with only these parameters."""
        shown = {name: value for name, value in self.values().items() if name in names}
        threads = shown.pop("threads", 1)
        parts = [traces.name(str(value)) if name == "file" else f"{name}={value}" for name, value in shown.items()]
        return ", ".join(parts + ([f"{threads} threads"] if threads != 1 else []))

    @property
    def trace(self):
        """The path of the recorded program that was given for this run; None for all other cells."""
        return traces.path_of(self.params)

    @property
    def title(self):
        return f"{self.workload} ({self.label})" if self.label else self.workload

    def values(self):
        """The parameters as a dictionary, numbers as numbers."""
        found = {}
        for part in self.params.split(";"):
            name, equals, value = part.partition("=")
            if equals:
                found[name] = int(value) if value.isdigit() else value
        return found | {"threads": self.threads}

    def runs(self, row):
        """The processes in which the row was measured."""
        return [process for process in self.processes.values() if row in process.rows]

    def measured(self, suite):
        """The set of rows that have numbers and did not fail."""
        seen = set(self.memory)
        if suite == "throughput":
            seen = {name for process in self.processes.values() for name in process.rows}
        return {name for name in seen if (suite, name) not in self.failures}

    def log_ratios(self, row, reference):
        """The log ratios of the processes that ran both rows; where none did (one of them runs in processes of
        its own), of the processes of the same number, each against libc beside it."""
        if not {row, reference} <= self.measured("throughput"):
            return []
        both = [process for process in self.runs(row) if reference in process.rows]
        if both or REFERENCE not in self.measured("throughput"):
            return [process.log_ratio(row, reference) for process in both]
        mine, others = self.logs_against_libc(row), self.logs_against_libc(reference)
        return [mine[number] - others[number] for number in mine if number in others]

    def logs_against_libc(self, row):
        """The row's log ratio to libc, by the number of the process."""
        beside = [process for process in self.runs(row) if REFERENCE in process.rows]
        return {process.index: process.log_ratio(row, REFERENCE) for process in beside}

    def ratio(self, row, reference):
        """The ratio of the row's time to the reference's; None where they share no process."""
        if (row, reference) not in self._ratios:
            logs = self.log_ratios(row, reference)
            self._ratios[row, reference] = stats.ratio(logs) if logs else None
        return self._ratios[row, reference]

    def time(self, row):
        """Nanoseconds per operation; None where it was not measured."""
        if row not in self._times:
            runs = self.runs(row) if row in self.measured("throughput") else []
            medians = [float(numpy.median(process.rows[row])) for process in runs]
            self._times[row] = stats.median_interval(medians) if medians else None
        return self._times[row]

    def memory_values(self, row, field):
        """One number per process that has one."""
        if row not in self.measured("memory"):
            return []
        found = [memory_value(record, field) for record in self.memory[row]]
        return [value for value in found if value is not None]

    def memory_ratio(self, row, reference, field="peak_rss_above_start"):
        taken = [self.memory_values(name, field) for name in (row, reference)]
        sides = [[value for value in values if value > 0] for values in taken]
        if row == reference or not all(sides):
            return stats.Estimate(1.0, 1.0, 1.0, len(sides[0])) if all(sides) else None
        return stats.unpaired_ratio(*(stats.median_interval(side) for side in sides))

    @property
    def live_peak(self):
        """The peak of the workload's live bytes, the same for all rows."""
        peaks = [record.get("live_peak") or 0 for records in self.memory.values() for record in records]
        return max(peaks, default=0)


def median_of(values):
    """A value in the middle; None of nothing."""
    return sorted(values)[len(values) // 2] if values else None


def memory_value(record, field):
    if field == "fragmentation":
        held, live = memory_value(record, "peak_rss_above_start"), record.get("live_peak") or 0
        return held / live if held is not None and live >= LEAST_LIVE_BYTES else None
    if field != "peak_rss_above_start":
        return record.get(field)
    if record.get("peak_rss") is None or record.get("start_rss") is None:
        return None
    return max(0, record["peak_rss"] - record["start_rss"])


class Run:
    """The contents of a run folder. `unreadable` counts invalid lines (a kill truncates the last one)."""

    def __init__(self, folder, context):
        self.folder = Path(folder)
        self.context = context
        self.finished = bool(context.get("finished"))
        self.rows = {given["name"]: Row(given) for given in context.get("rows") or []}
        kin(self.rows)
        self.workloads = {given["name"]: given for given in context.get("workloads") or []}
        self.cells = {}
        self.harness = []
        self.overheads = {}  # name → lines, one a process
        self.unreadable = 0
        for workload in self.workloads.values():
            for given in workload.get("cells") or []:
                self.cell(workload["name"], given.get("params"), given.get("threads", 1), given.get("rows"))

    def cell(self, workload, params, threads, rows=None):
        key = (workload, params or "", threads)
        if key not in self.cells:
            self.cells[key] = Cell(*key, rows=rows)
            self.workloads.setdefault(workload, {"name": workload, "summary": "", "operation": "operation"})
        return self.cells[key]

    def take(self, line):
        """Adds one line of samples.ndjson."""
        kind = line["kind"]
        if kind == "harness":
            self.harness.append(line)
            return
        if kind == "overhead":
            self.overheads.setdefault(line["name"], []).append(line)
            return
        cell = self.cell(line["workload"], line.get("params"), line.get("threads", 1))
        names = list(line["rows"]) if kind == "samples" else [line["row"]]
        for name in names:
            self.rows.setdefault(name, Row({"name": name}))
        if kind == "samples":
            # A process that was repeated without a crashed row has another memory layout, so both are kept.
            cell.processes[(line.get("process", 0), tuple(sorted(names)))] = Process(line)
        elif kind == "memory":
            cell.memory.setdefault(line["row"], []).append(line)
        elif kind == "failed":
            cell.failures[(line.get("suite", "throughput"), line["row"])] = line

    def check_sums(self):
        """Marks rows whose checksum differs from the reference's as failed: they did different work."""
        for cell in self.cells.values():
            for process in cell.processes.values():
                anchor = REFERENCE if REFERENCE in process.rows else next(iter(process.rows), None)
                for row in process.rows:
                    if process.disagrees(row, anchor):
                        mine, theirs = process.checksums[row], process.checksums[anchor]
                        why = f"checksum {mine} where {anchor} has {theirs}"
                        cell.failures.setdefault(("throughput", row), {"why": why, "process": process.index})

    def chosen(self):
        """The rows that take part in this run, in the registry's order, without missing ones."""
        named = {name for cell in self.cells.values() for name in cell.rows or []}
        for cell in self.cells.values():
            named |= cell.measured("throughput") | cell.measured("memory") | {row for _, row in cell.failures}
        return [row for row in self.rows.values() if row.name in named]

    def missing(self):
        return [row for row in self.rows.values() if row.missing]

    def status(self, cell, suite, name):
        if (suite, name) in cell.failures:
            return FAILED
        if name in cell.measured(suite):
            return OK
        if self.rows[name].missing:
            return NOT_IN_BUILD
        if cell.rows is not None and name in cell.rows:
            return NOT_MEASURED
        return NOT_APPLICABLE

    def suites(self):
        """The suites that this run has results or failures of."""
        cells = self.cells.values()
        found = {suite for cell in cells for suite, _ in cell.failures}
        found |= {"throughput" for cell in cells if cell.processes}
        found |= {"memory" for cell in cells if cell.memory}
        return [suite for suite in ("throughput", "memory") if suite in found]

    def command(self, cell, *names):
        """The command that measures this cell again, with these rows only where some are named."""
        tier = {"quick": " QUICK=1", "full": " FULL=1"}.get(self.context.get("tier"), "")
        what = f"TRACE={shlex.quote(cell.trace)}" if cell.trace else f"WORKLOADS={cell.workload}"
        parts = [f"make bench FRESH=1{tier} {what} THREADS={cell.threads}"]
        if names:
            parts.append(f"ALLOCATORS={','.join(dict.fromkeys((REFERENCE, *names)))}")
        libraries = self.libraries(cell.rows or [] if not names else names)
        if libraries:
            parts.append(f"PRELOAD={shlex.quote(' '.join(libraries))}")
        return " ".join(parts)

    def libraries(self, rows):
        """"name=path" of each preloaded library that some of these rows are of."""
        owners = {self.rows[row].preload for row in rows if row in self.rows}
        return [f"{given['name']}={given['path']}" for given in self.context.get("preloads") or [] if given["name"] in owners]

    def control(self):
        """The A/A check: the twin against its original, over all cells of this run."""
        ratios = []
        for twin in (row for row in self.rows.values() if row.twin in self.rows):
            ratios += [cell.ratio(twin.name, twin.twin) for cell in self.cells.values()]
        return stats.control([ratio for ratio in ratios if ratio is not None])


_ROW = shape.fields(
    name=shape.is_text, group=shape.TEXT_OR_NONE, summary=shape.TEXT_OR_NONE, missing=shape.TEXT_OR_NONE, preload=shape.TEXT_OR_NONE,
    traits=shape.of(shape.is_none, shape.each(shape.is_text)),
)  # fmt: skip
_CELL = shape.fields(params=shape.TEXT_OR_NONE, threads=shape.COUNT_OR_NONE, rows=shape.of(shape.is_none, shape.each(shape.is_text)))
_WORKLOAD = shape.fields(name=shape.is_text, cells=shape.of(shape.is_none, shape.each(_CELL)))
# What is relied on; all else in run.json is only shown.
_PARTS = {
    "rows": shape.of(shape.is_none, shape.each(_ROW)),
    "workloads": shape.of(shape.is_none, shape.each(_WORKLOAD)),
    "preloads": shape.of(shape.is_none, shape.each(shape.fields(name=shape.is_text, path=shape.is_text))),
    "tier": shape.TEXT_OR_NONE,
}
_MEASURED = shape.fields(ns_per_op=shape.of(shape.is_none, shape.each(shape.NUMBER_OR_NONE)))
_WHERE = {"workload": shape.is_text, "params": shape.TEXT_OR_NONE, "threads": shape.COUNT_OR_NONE, "process": shape.COUNT_OR_NONE}
_MEMORY = dict.fromkeys(("peak_rss", "start_rss", "live_peak", *(field for field in MEMORY_METRICS if field != "fragmentation")), shape.NUMBER_OR_NONE)
_LINES = {
    "harness": shape.fields(),
    "overhead": shape.fields(name=shape.is_text, what=shape.is_text, operation=shape.is_text, bound_ns=shape.NUMBER_OR_NONE, plain_ns=shape.each(shape.NUMBER_OR_NONE), with_ns=shape.each(shape.NUMBER_OR_NONE)),
    "samples": shape.fields(**_WHERE, rows=shape.by_name(_MEASURED), epoch_operations=shape.of(shape.is_none, shape.by_name(shape.NUMBER_OR_NONE))),
    "memory": shape.fields(**_WHERE, row=shape.is_text, **_MEMORY),
    "failed": shape.fields(**_WHERE, row=shape.is_text, why=shape.TEXT_OR_NONE, command=shape.TEXT_OR_NONE, suite=shape.TEXT_OR_NONE),
}  # fmt: skip


def context_of(path):
    """What run.json says of a run; a usage error where it is none."""
    try:
        context = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise common.usage_error(f"{path} is not JSON: {error}") from None
    wrong = [name for name, kind in _PARTS.items() if not isinstance(context, dict) or not kind(context.get(name))]
    if wrong:
        raise common.usage_error(f"{path} is damaged: '{wrong[0]}' is not as scripts/bench writes it; make bench FRESH=1 measures anew")
    return context


def is_whole(line):
    """Whether a line of samples.ndjson is as it was written."""
    return isinstance(line, dict) and isinstance(line.get("kind"), str) and line["kind"] in _LINES and _LINES[line["kind"]](line)


def load(folder):
    """Reads a run folder; a usage error where it is not one."""
    folder = Path(folder)
    try:
        context = context_of(folder / "run.json")
    except FileNotFoundError:
        what = f"{folder} is no run folder: it has no run.json (make bench writes one)"
        raise common.usage_error(what) from None
    run = Run(folder, context)
    samples = folder / "samples.ndjson"
    if samples.exists():
        with open(samples, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    whole = is_whole(read := json.loads(line))
                except (ValueError, RecursionError):
                    whole = False
                if whole:
                    run.take(read)
                else:
                    run.unreadable += 1
    run.check_sums()
    return run


def nearest(word, names):
    """The name closest to `word`, for "did you mean"."""
    close = difflib.get_close_matches(word, list(names), n=1, cutoff=0.0)
    return close[0] if close else None


def find_run(named):
    """The folder of a run, by path or by name below reports/out; None names the latest."""
    if named is None:
        latest = common.OUT / "latest"
        if not latest.exists():
            raise common.usage_error("there is no run yet: make bench makes one")
        return latest.resolve()
    for folder in (Path(named), common.OUT / named):
        if (folder / "run.json").is_file():
            return folder.resolve()
    known = sorted(folder.parent.name for folder in common.OUT.glob("*/run.json"))
    close = nearest(str(named), known)
    mend = f"; did you mean '{close}'?" if close else ": make bench makes one"
    raise common.usage_error(f"no run '{named}'{mend}")
