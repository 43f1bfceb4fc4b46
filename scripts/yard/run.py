"""Runs a plan: process by process, each result on disk before the next begins.

Replicates are the outer loop and cells the inner one, so that an interrupted run has results for every cell.
samples.ndjson is both the raw data and the state from which a run is resumed: what it has is not measured
again. A process that crashes or hangs fails only the row that was being measured, which the sampler names in
a file: the others are measured in a fresh process without it. Whatever fails in a process that runs on a
preloaded library is that library's failure, and before one is measured in a cell, its blocks are verified there.
"""

import hashlib
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from yard import cells as cell_plans
from yard import common, context, preloads, traces

RUN, SAMPLES = "run.json", "samples.ndjson"
# A process counts as hung after this many times the expected time plus this many seconds.
HANG_FACTOR, HANG_SECONDS = 10, 30
MEMORY_HANG_SECONDS = 60
ENVIRONMENT_BYTES_MAX = 4096
# So many processes measure what scopes and handles cost.
OVERHEAD_PROCESSES = 12
# A preloaded library that hung in so many cells is not tried in more.
HANGS_MAX = 2


class Bench:
    """The executable heapyard-bench and its command lines. traces: paths; preloads: those of preloads.parse."""

    def __init__(self, executable, plugins=(), preloads=(), traces=()):
        self.executable = Path(executable)
        self.plugins = [part for plugin in plugins for part in ("--plugin", plugin)]
        self.preloads, self.traces = tuple(preloads), tuple(dict.fromkeys(traces))

    def command(self, verb, preload=None, **options):
        """The command line: option names with _ for -; None leaves an option out. A process that runs on a
        preloaded library has no plugins."""
        line = [str(self.executable), verb]
        for name, value in options.items():
            if value is not None:
                line += [f"--{name.replace('_', '-')}", str(value)]
        return line + (["--preload", preload.argument] if preload else self.plugins)

    def preload_of(self, rows):
        """The library that these rows, which share a process, are measured on; None: none."""
        return next((preload for preload in self.preloads for row in rows if preload.has(row)), None)

    def trace_options(self):
        return [part for path in self.traces for part in ("--trace", path)]

    def listing(self):
        """Rows, workloads and cells: those of this build, of plugins, of preloaded libraries, of traces."""
        done = subprocess.run([*self.command("list"), "--json", *self.trace_options()], capture_output=True, text=True)
        if done.returncode != 0:
            told = done.stderr.strip().removeprefix("heapyard-bench list: ")
            raise common.Failure(done.returncode, told or "heapyard-bench list failed")
        found = json.loads(done.stdout)
        preloads.check_names(self.preloads, [row["name"] for row in found["rows"]])
        for preload in self.preloads:
            preloads.add_rows(self, preload, found)
        return found

    def identity(self):
        return hashlib.sha256(self.executable.read_bytes()).hexdigest()


def shown(command):
    """A command as text that can be pasted in the project's root."""
    return shlex.join(command).replace(f"{common.ROOT}/", "")


def call(command, seconds):
    """Runs a command with an environment of random size. Returns (status or None where it hung, output,
    errors)."""
    environment = dict(os.environ, HY_PADDING="x" * random.randrange(ENVIRONMENT_BYTES_MAX))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment, errors="replace")
    except subprocess.TimeoutExpired:
        return None, "", ""
    return done.returncode, done.stdout, done.stderr


def parsed(output):
    """The record that a meter printed; None where it printed none, as one whose memory is damaged may."""
    try:
        record = json.loads(output)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def explained(status, errors, seconds):
    """Why a process failed, with the last line of what it said about it."""
    told = errors.strip().splitlines()[-1] if errors.strip() else ""
    if status == 0:
        return "it printed no result"
    if status == common.Exit.HARNESS and told.startswith("heapyard-bench "):
        return told.split(": ", 1)[1]
    return common.reason(status, seconds) + (f": {told}" if told else "")


class Folder:
    """A run folder: run.json, and samples.ndjson with the index of what has been measured."""

    def __init__(self, path, description):
        self.path = Path(path)
        self.description = description
        self.measured = defaultdict(set)  # (cell key, process) → rows with a time
        self.memory_measured = set()  # (cell key, row, process)
        self.failed = {}  # (suite, cell key, row) → record
        self.harness = set()
        self.overheads = set()  # processes
        self.log = None

    def __enter__(self):
        self.path.mkdir(parents=True, exist_ok=True)
        samples = self.path / SAMPLES
        if samples.exists():
            self._read(samples)
        self.log = open(samples, "a", encoding="utf-8")
        self.write_description()
        return self

    def __exit__(self, *unused):
        self.log.close()

    def _read(self, samples):
        """Reads what an earlier run measured, and drops a last line that was truncated by a kill."""
        good = 0
        with open(samples, "rb") as lines:
            for line in lines:
                try:
                    self._note(json.loads(line))
                except ValueError:
                    break
                good += len(line)
        os.truncate(samples, good)

    def _note(self, record):
        key = (record.get("workload"), record.get("params"), record.get("threads"))
        if record["kind"] == "samples":
            self.measured[key, record["process"]] |= set(record["rows"])
        elif record["kind"] == "memory":
            self.memory_measured.add((key, record["row"], record["process"]))
        elif record["kind"] == "failed":
            self.failed[record["suite"], key, record["row"]] = record
        elif record["kind"] == "harness":
            self.harness.add((key, record.get("process")))
        elif record["kind"] == "overhead":
            self.overheads.add(record.get("process"))

    def add(self, record):
        self.log.write(json.dumps(record, separators=(",", ":")) + "\n")
        self.log.flush()
        self._note(record)

    def write_description(self, **changes):
        self.description.update(changes)
        with common.atomic_write(self.path / RUN) as out:
            json.dump(self.description, out, indent=1)
            out.write("\n")

    @property
    def empty(self):
        return not self.measured and not self.memory_measured


def describe(plan, listing, bench, arguments, seed):
    """The contents of run.json for a new run. `arguments` are those of scripts/bench that affect what is
    measured."""
    chosen = set(plan.rows)
    workloads = []
    for workload in listing["workloads"]:
        cells = [cell for cell in plan.cells if cell.workload == workload["name"]]
        if cells:
            given = [{"params": cell.params, "threads": cell.threads, "rows": list(cell.rows)} for cell in cells]
            workloads.append({name: workload[name] for name in ("name", "summary", "operation")} | {"cells": given})
    description = {
        "schema_version": 1, "finished": False, "tier": plan.tier.name, "started": timestamp(), "ended": None,
        "command": shlex.join(["scripts/bench", *arguments]), "seed": seed,
        **context.describe(listing, bench.executable.parent.parent),
        "preloads": [preloads.describe(preload, listing) for preload in bench.preloads],
        "traces": [traces.describe(path) for path in bench.traces],
        "processes": plan.processes, "rounds": max(plan.rounds.values()),
        "rows": [row for row in listing["rows"] if row["name"] in chosen or row.get("missing")],
        "workloads": workloads,
    }  # fmt: skip
    return description | {"resume_key": resume_key(description, bench)}


def timestamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def resume_key(description, bench):
    """Runs with the same key measure the same thing on the same machine."""
    names = ("commit", "command", "machine", "kernel", "cpu", "tier", "processes", "workloads", "preloads", "traces")
    parts = [description.get(name) for name in names] + [bench.identity()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def unfinished(out, key):
    """The folder of the newest unfinished run with this key, or None."""
    for path in sorted(Path(out).glob(f"*/{RUN}"), reverse=True):
        if path.parent.is_symlink():
            continue
        try:
            description = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if description.get("resume_key") == key and not description.get("finished"):
            return path.parent
    return None


def fresh_folder(out):
    name = time.strftime("%Y-%m-%dT%H%M%S", time.localtime())
    path = Path(out) / name
    number = 2
    while path.exists():
        path = Path(out) / f"{name}-{number}"
        number += 1
    return path


class Progress:
    """One line with the time left: rewritten on a terminal, printed every 20 seconds elsewhere."""

    def __init__(self, expected_seconds, out=sys.stderr):
        self.expected = max(expected_seconds, 1)
        self.out = out
        self.done = 0.0  # of the expected seconds
        self.skipped = 0.0
        self.start = time.monotonic()
        self.last = 0.0

    def step(self, seconds, label, measured=True):
        """A step with this expected time has been measured (or was skipped as already done)."""
        self.done += seconds
        if not measured:
            self.skipped += seconds
        interval = 0.2 if self.out.isatty() else 20
        now = time.monotonic()
        if now - self.last >= interval:
            self.last = now
            self._show(now - self.start, label)

    def _show(self, elapsed, label):
        mine = self.done - self.skipped
        speed = elapsed / mine if mine > 0 and elapsed > 2 else 1
        left = max(0.0, self.expected - self.done) * speed
        text = f"{min(99, 100 * self.done / self.expected):3.0f} %  {left // 60:.0f} min {left % 60:02.0f} s left  {label}"
        self.out.write(f"\r\x1b[K{text[:99]}" if self.out.isatty() else text + "\n")
        self.out.flush()

    def end(self):
        if self.out.isatty():
            self.out.write("\r\x1b[K")
            self.out.flush()


class Pace:
    """Keeps the throughput part within its tier's time on machines that are slower or busier than the plan
    assumes: after a few processes have shown the speed, the remaining ones get fewer rounds each. Every process
    still measures every row. Where even the fewest rounds take too long, there are fewer processes, down to the
    least that gives a useful interval."""

    CALIBRATION_SECONDS = 10

    def __init__(self, plan):
        self.budget = plan.tier.seconds
        self.left = sum(
            cell_plans.process_seconds(cell, group, plan.rounds[cell]) for cell in plan.cells for group in cell.groups
        ) * plan.processes  # fmt: skip
        self.planned = self.spent = 0.0
        self.fewest = min(cell_plans.PROCESSES_MIN, plan.processes * 3 // 4)

    def is_over(self, processes):
        """Whether the time is used up, and this number of processes is enough."""
        return self.budget is not None and self.spent >= self.budget and processes >= self.fewest

    def rounds(self, cell, rounds):
        """The number of rounds for the cell's next process, at most the planned ones."""
        if self.budget is None or self.spent < self.CALIBRATION_SECONDS:
            return rounds
        slowness = self.spent / self.planned
        scale = max(0.0, self.budget - self.spent) / max(self.left * slowness, 1e-9)
        return rounds if scale >= 1 else min(rounds, cell_plans.rounds_of(cell, rounds * scale))

    def took(self, planned, seconds):
        """A process whose rounds were expected to take `planned` seconds took `seconds`."""
        self.planned += planned
        self.spent += seconds

    def over(self, expected):
        """A process of the plan is done, measured now or by an earlier run."""
        self.left -= expected


class Runner:
    """Runs a plan and writes its results to a folder."""

    def __init__(self, plan, bench, folder, seed, progress):
        self.plan, self.bench, self.folder, self.seed, self.progress = plan, bench, folder, seed, progress
        self.pace = Pace(plan)
        self.verified = set()  # (cell key, row) of preloaded libraries
        self.hangs = Counter()  # of preloaded libraries, by name
        self.scratch = tempfile.TemporaryDirectory(prefix="heapyard-bench-")

    def run(self):
        """Throughput and memory, replicate by replicate; memory's replicates are spread evenly over the run."""
        self.fail_broken()
        with self.scratch:
            spread = [round(index * self.plan.processes / self.plan.memory_processes) for index in range(self.plan.memory_processes)]
            for process in range(self.plan.processes):
                over = self.pace.is_over(process)
                self.overheads(process)
                for cell in () if over else self.plan.cells:
                    self.throughput(cell, process)
                for index, at in enumerate(spread):
                    if at == process:
                        self.memory(index)
        self.progress.end()

    def overheads(self, process):
        """What scopes and handles cost: a tenth of a second, in as many processes as give an interval. Where it can't
        be measured, it says so once, and the cells are measured all the same."""
        if process >= OVERHEAD_PROCESSES or process in self.folder.overheads:
            return
        command = [str(self.bench.executable), "overheads", "--process", str(process), "--seed", str(self.seed % (1 << 32))]
        status, output, errors = call(command, HANG_SECONDS)
        records = [parsed(line) for line in output.splitlines()] if status == 0 else []
        if not records or None in records:
            print(f"not measured: {shown(command)}: {explained(status, errors, HANG_SECONDS)}", file=sys.stderr)
            self.folder.overheads.update(range(OVERHEAD_PROCESSES))
            return
        for record in records:
            self.folder.add(record)

    def key(self, cell):
        return (cell.workload, cell.params, cell.threads)

    def process_seed(self, cell, process):
        text = f"{self.seed}/{cell.label}/{process}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")

    def fail_broken(self):
        """Notes the rows that can't be measured at all, in every cell."""
        for cell in self.plan.cells:
            for row in set(cell.rows) & set(self.plan.broken):
                command = self.bench.command("list", preload=self.bench.preload_of([row]))
                self.fail_everywhere(cell, row, self.plan.broken[row], command)

    def fail_everywhere(self, cell, row, why, command):
        for suite in ("throughput", "memory"):
            if (suite, self.key(cell), row) not in self.folder.failed:
                self.fail(suite, cell, 0, row, why, command)

    def verify(self, cell, group, process):
        """Fails the rows of a preloaded library whose blocks can't be believed in this cell."""
        preload = self.bench.preload_of(group)
        for row in filter(preload.has, group) if preload else ():
            key = (self.key(cell), row)
            if key in self.verified or ("throughput", *key) in self.folder.failed:
                continue
            self.verified.add(key)
            command = self.bench.command("verify", preload, row=row, **self.options(cell, process))
            why = self.why_unverified(preload, command, cell)
            if why:
                self.fail_everywhere(cell, row, why, command)

    def why_unverified(self, preload, command, cell):
        """None where all is well. Who hangs everywhere would keep all others waiting."""
        if self.hangs[preload.name] >= HANGS_MAX:
            return f"hung in {HANGS_MAX} other settings, and was not tried in this one"
        seconds = HANG_SECONDS + HANG_FACTOR * cell_plans.process_seconds(cell, [preload.name], 1)
        status, _, errors = call(command, seconds)
        return None if status == 0 else explained(status, errors, seconds)

    def throughput(self, cell, process):
        for group in cell.groups:
            self.verify(cell, group, process)
            expected = cell_plans.process_seconds(cell, group, self.plan.rounds[cell])
            done = self.folder.measured[self.key(cell), process]
            wanted = [row for row in group if ("throughput", self.key(cell), row) not in self.folder.failed]
            new = [row for row in wanted if row not in done]
            alone = not set(new) - set(cell_plans.REFERENCES) and bool(done)
            if new and not alone:
                rounds = self.pace.rounds(cell, self.plan.rounds[cell])
                start = time.monotonic()
                self.sample(cell, process, wanted, expected, rounds)
                self.pace.took(cell_plans.process_seconds(cell, group, rounds), time.monotonic() - start)
            self.pace.over(expected)
            self.progress.step(expected, f"{cell.label} (process {process + 1} of {self.plan.processes})", bool(new))

    def options(self, cell, process):
        return {"workload": cell.workload, "params": cell.params, "threads": cell.threads, "seed": self.process_seed(cell, process)}

    def sample(self, cell, process, rows, expected, rounds):
        """Measures the rows in one process; where it fails, repeats it without the rows that are to blame."""
        preload = self.bench.preload_of(rows)
        while rows and self.bench.preload_of(rows) == preload:
            measured = list(rows)
            if self.lacks_harness(cell, process) and not preload:
                measured.append(cell_plans.HARNESS)
            where = Path(self.scratch.name) / "where"
            where.unlink(missing_ok=True)
            command = self.bench.command(
                "sample", preload, rows=",".join(measured), **self.options(cell, process), rounds=rounds, process=process, where=where
            )
            seconds = HANG_SECONDS + HANG_FACTOR * expected
            status, output, errors = call(command, seconds)
            record = parsed(output) if status == 0 else None
            if record:
                self.take(cell, process, record)
                return
            why = explained(status, errors, seconds)
            culprits = self.culprits(where, rows, cell, process)
            for row in culprits:
                self.fail("throughput", cell, process, row, why)
            rows = [row for row in rows if row not in culprits]

    def culprits(self, where, rows, cell, process):
        """The row that the sampler was measuring; where that is unknown, those that fail alone, or else all."""
        try:
            named = where.read_bytes().split(b"\0")[0].decode(errors="replace")
        except OSError:
            named = ""
        preload = self.bench.preload_of(rows)
        own = list(filter(preload.has, rows)) if preload else rows
        if named in own:
            return [named]
        if preload:
            return own
        alone = []
        for row in rows:
            command = self.bench.command("sample", rows=row, **self.options(cell, process), rounds=1)
            if call(command, HANG_SECONDS)[0] != 0:
                alone.append(row)
        return alone or list(rows)

    def take(self, cell, process, record):
        """Stores a record of samples; rows with an error or a wrong checksum become failures."""
        harness = record["rows"].pop(cell_plans.HARNESS, None)
        record["epoch_operations"].pop(cell_plans.HARNESS, None)
        for row, why in self.blamed(record["rows"]).items():
            self.fail("throughput", cell, process, row, why)
            del record["rows"][row]
        if record["rows"]:
            self.folder.add(record)
        if harness and "ns_per_op" in harness:
            place = {name: record[name] for name in ("workload", "params", "threads", "process")}
            cost = statistics.median(harness["ns_per_op"])
            self.folder.add({"kind": "harness", "name": cell_plans.HARNESS, **place, "ns_per_op": cost})

    def blamed(self, rows):
        """Why, for each row that must not be believed. What is wrong with libc in a process that runs on a
        preloaded library is the library's doing, and none of its numbers count."""
        wrong = {row: result.get("error") or self.disagreement(rows, row) for row, result in rows.items()}
        wrong = {row: why for row, why in wrong.items() if why}
        preload = self.bench.preload_of(rows)
        damaged = [row for row in wrong if preload and not preload.has(row)]
        if not damaged:
            return wrong
        why = f"{damaged[0]}, measured beside it, went wrong: {wrong[damaged[0]]}"
        for row in set(rows) - set(filter(preload.has, rows)):
            del rows[row]
        return dict.fromkeys(rows, why)

    def disagreement(self, rows, row):
        """Why a row's checksum is wrong, or None. The majority's is taken as correct."""
        sums = [result["checksum"] for result in rows.values() if "checksum" in result]
        usual = statistics.mode(sums)
        mine = rows[row].get("checksum")
        return None if mine == usual else f"checksum {mine} where the others have {usual}: contents were not kept"

    def lacks_harness(self, cell, process):
        return process < cell_plans.HARNESS_PROCESSES and (self.key(cell), process) not in self.folder.harness

    def fail(self, suite, cell, process, row, why, command=None):
        self.folder.add(self.failure(suite, cell, process, row, why, command))
        preload = self.bench.preload_of([row])
        if preload and why.startswith("hung"):
            self.hangs[preload.name] += suite == "throughput"

    def failure(self, suite, cell, process, row, why, command=None):
        """The record of a failure. command: what shows it; None: what measures the row."""
        preload, options = self.bench.preload_of([row]), self.options(cell, process)
        if not command and suite == "memory":
            command = self.bench.command("memory", preload, row=row, **options)
        elif not command:
            command = self.bench.command("sample", preload, rows=row, **options, rounds=self.plan.rounds[cell])
        return {
            "kind": "failed", "suite": suite, "workload": cell.workload, "params": cell.params, "threads": cell.threads,
            "row": row, "process": process, "why": why, "command": shown(command),
        }  # fmt: skip

    def memory(self, process):
        """One replicate: a fresh process for each cell and row, several at once, because they are idle most of
        the time."""
        jobs = []
        for cell in self.plan.cells:
            for row in cell.rows:
                known = (self.key(cell), row, process) in self.folder.memory_measured
                if not known and ("memory", self.key(cell), row) not in self.folder.failed:
                    jobs.append((cell, row))
        at_once = self.memory_at_once()
        seconds = cell_plans.memory_replicate_seconds(self.plan.cells)
        waiting, running = list(reversed(jobs)), set()
        with ThreadPoolExecutor(at_once) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < at_once:
                        running.add(pool.submit(self.measure_memory, *waiting.pop(), process))
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for job in finished:
                        self.folder.add(job.result())
                        self.progress.step(seconds / len(jobs), f"memory (process {process + 1} of {self.plan.memory_processes})")
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise
        if not jobs:
            self.progress.step(seconds, "memory", measured=False)

    def memory_at_once(self):
        greatest = max(cell.live_bytes for cell in self.plan.cells)
        return max(1, min(cell_plans.MEMORY_AT_ONCE, int(context.memory_available_bytes() / 2 // max(greatest, 1))))

    def measure_memory(self, cell, row, process):
        """The record of one memory process, or of its failure."""
        preload = self.bench.preload_of([row])
        command = self.bench.command("memory", preload, row=row, **self.options(cell, process), process=process)
        status, output, errors = call(command, MEMORY_HANG_SECONDS)
        record = parsed(output) if status == 0 else None
        if record:
            return record
        why = errors.strip().splitlines()[-1] if status == 1 and errors.strip() else common.reason(status, MEMORY_HANG_SECONDS)
        return self.failure("memory", cell, process, row, why)


def point_latest(folder):
    """Points the link reports/out/latest to this run, the newest one with results."""
    link = folder.parent / "latest"
    temporary = folder.parent / f".latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    os.replace(temporary, link)
