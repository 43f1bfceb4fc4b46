"""The long hunt: libFuzzer in fork mode and AFL++ over every cell, on all cores, resumable.

A slice is a team of processes on one cell for some time: half of them jobs of libFuzzer, the others AFL++'s main
instance and its secondaries, on one corpus. Which cell is next is told by shares.py: the time goes where
coverage still grows. State is written after every slice, so that the next run resumes there however this one
ends (its hours, a signal, a full disk, a power failure); what the engines had found by then is collected by the
next run. What is bounded: each process's memory, each cell's corpus (merged), logs (cut), inputs kept per
finding, and the disk, of which a margin stays free.
"""

import contextlib
import csv
import fcntl
import html
import json
import shutil
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from . import common, engines, findings, fuzzing, shape
from .shares import Shares
from .status import StatusLine

SLICE_MIN, SLICE_MAX, ROUNDS = 5, 600, 4
TEAM = 4  # processes on one cell, where there are as many cores
COLLECT_SECONDS = 5
FREE_BYTES = 64 << 20  # of the disk: below that the hunt ends
PROGRESS_FIELDS = ["seconds", "cell", "slice_seconds", "executions", "afl_executions", "operations", "executions_per_second",
                   "edges", "features", "corpus", "findings"]  # fmt: skip
ENGINES = ("libfuzzer", "afl")


def folder():
    return fuzzing.OUT / "overnight"


def state_path():
    return folder() / "state.json"


def progress_path():
    return folder() / "progress.csv"


def fresh_state(hours):
    return {"began": time.time(), "hours": hours, "used_seconds": 0.0, "finished": False, "cells": {}, "errors": {}, "not_started": []}


_TALLY = shape.fields(
    **dict.fromkeys(("executions", "operations", "afl_executions", "corpus", "edges", "features"), shape.is_count),
    seconds=shape.is_number, clock=shape.is_number, stability=shape.is_text,
    findings=shape.each(lambda value: shape.each(shape.is_text)(value) and len(value) == 2),
)  # fmt: skip
_STATE = shape.fields(
    began=shape.is_number, hours=shape.is_number, used_seconds=shape.is_number, cells=shape.by_name(_TALLY),
    errors=lambda value: isinstance(value, dict), not_started=lambda value: isinstance(value, list),
)  # fmt: skip


def load_state(hours):
    """The state of an unfinished run, or a new one. Findings of earlier runs stay in fuzz/out/findings."""
    try:
        state = fresh_state(hours) | json.loads(state_path().read_text())
        if not _STATE(state):
            raise ValueError("another state's shape")
    except FileNotFoundError:
        return fresh_state(hours)
    except (ValueError, TypeError, RecursionError):
        kept = state_path().with_suffix(".damaged")
        state_path().rename(kept)
        print(f"{kept}: no state of a hunt, kept aside; beginning anew with the corpora and findings that exist", flush=True)
        return fresh_state(hours)
    if state["finished"]:
        progress_path().unlink(missing_ok=True)
        return fresh_state(hours)
    print(f"going on after {state['used_seconds'] / 3600:.2f} h of {hours:g} h", flush=True)
    state["hours"] = hours
    return state


def save_state(state):
    with common.atomic_write(state_path()) as out:
        json.dump(state, out, indent=1)


def new_tally():
    return {"executions": 0, "operations": 0, "afl_executions": 0, "stability": "", "corpus": 0, "seconds": 0.0, "clock": 0.0,
            "edges": 0, "features": 0, "findings": []}  # fmt: skip


def require_engines(chosen):
    """The fuzzer built for AFL++; None where AFL++ is not wanted."""
    if "afl" not in chosen:
        return None
    for program in ("afl-fuzz", "afl-clang-fast"):
        if not shutil.which(program):
            raise common.usage_error(f"{program} is not here: install afl++ (scripts/bootstrap fuzz-overnight), or --engines libfuzzer")
    return fuzzing.fuzzer("fuzz-afl")


@contextlib.contextmanager
def only_one():
    """Two hunts in one folder would delete each other's work."""
    folder().mkdir(parents=True, exist_ok=True)
    with open(folder() / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise common.usage_error(f"another hunt runs in {fuzzing.OUT}: end it first, or --out FOLDER") from error
        yield


class Collector(threading.Thread):
    """While a slice runs: copies AFL++'s inputs, keeps findings, cuts logs."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.findings, self.done, self.error = cell, [], threading.Event(), None

    def run(self):
        try:
            while not self.done.wait(COLLECT_SECONDS):
                engines.collect_inputs(self.cell)
                self.findings += engines.collect_findings(self.cell)
                engines.cut_logs(self.cell)
        except OSError as error:
            self.error = error

    def end(self):
        self.done.set()
        self.join()
        if self.error:
            raise self.error


def run_slice(cell, seconds, seeds, afl_binary, team, processes, chosen=ENGINES):
    """Both engines at once on one cell."""
    start = time.monotonic()
    engines.recover_corpus(cell)
    collector = Collector(cell)
    collector.findings += engines.collect_findings(cell)
    secondaries = max(1, team // 2) if afl_binary else 0
    afl, outcome = None, []
    if afl_binary:
        instances = engines.AflTeam(cell, afl_binary, seeds, processes, secondaries)
        afl = threading.Thread(target=lambda: outcome.append(instances.run(seconds)))
        afl.start()
    if "libfuzzer" in chosen:
        result = engines.hunt(cell, seconds, seeds, processes, fork=max(1, team - secondaries), while_running=collector.start)
    else:
        collector.start()
        result = engines.Slice(cell)
    if afl:
        afl.join()
        result.afl_executions, result.stability, errors = outcome[0] if outcome else (0, "", [f"{cell.name}: afl-fuzz can't start"])
        result.errors += errors
        result.started = result.started and bool(result.afl_executions or processes.stopping or not errors)
    collector.end()
    engines.collect_inputs(cell)
    result.findings += collector.findings + engines.collect_findings(cell)
    if engines.is_large(cell) and not processes.stopping:
        engines.merge_corpus(cell, processes)
    result.seconds = time.monotonic() - start
    return result


def add_slice(tally, result, say=print):
    """Adds a slice to its cell's tally; returns the features that the cell's coverage grew by."""
    tally["executions"] += result.executions
    tally["operations"] += result.operations
    tally["afl_executions"] += result.afl_executions
    tally["seconds"] += result.seconds
    tally["stability"] = result.stability or tally["stability"]
    tally["corpus"] = sum(1 for _ in fuzzing.corpus_of(result.cell).iterdir())
    growth = max(0, result.features - (tally["features"] or result.features_before))
    tally["edges"] = max(tally["edges"], result.edges)
    tally["features"] = max(tally["features"], result.features)
    known = {folder for folder, _ in tally["findings"]}
    for finding in result.findings:
        where = fuzzing.shown(finding.folder)
        if where not in known:
            known.add(where)
            tally["findings"].append([where, finding.line])
            findings.print_reproducer(finding, say)
    return growth


def adopt_findings(state, cells):
    """Adds the findings that were kept after the last state was: those of a slice that was killed."""
    names = {(cell.prop, cell.row): cell.name for cell in cells}
    for path in sorted((fuzzing.OUT / "findings").glob("*/finding.txt")):
        if path.stat().st_mtime < state["began"]:
            continue
        prop, row, line = path.read_text().rstrip("\n").split("\t", 2)
        if (prop, row) not in names:
            continue
        known = state["cells"].setdefault(names[prop, row], new_tally())["findings"]
        if fuzzing.shown(path.parent) not in [where for where, _ in known]:
            known.append([fuzzing.shown(path.parent), line])


def count_findings(state):
    return sum(len(tally["findings"]) for tally in state["cells"].values())


class Progress:
    """The course of a hunt as CSV: a line a slice."""

    def __init__(self, path):
        self.path = path

    def add(self, state, result):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tally = state["cells"][result.cell.name]
        executions = result.executions + result.afl_executions
        values = [f"{state['used_seconds']:.0f}", result.cell.name, f"{result.seconds:.1f}", result.executions, result.afl_executions,
                  result.operations, f"{executions / max(result.seconds, 0.1):.0f}", tally["edges"], tally["features"], tally["corpus"],
                  count_findings(state)]  # fmt: skip
        with open(self.path, "a", newline="") as out:
            if out.tell() == 0:
                csv.writer(out).writerow(PROGRESS_FIELDS)
            csv.writer(out).writerow(values)


class Hunt:
    """A run over all cells: workers that take the next cell, run a slice on it, and add what came of it."""

    def __init__(self, cells, state, jobs, chosen, afl_binary, processes):
        self.cells = {cell.name: cell for cell in cells}
        self.state, self.chosen, self.afl_binary, self.processes = state, chosen, afl_binary, processes
        self.at_once = max(1, min(jobs // min(TEAM, jobs), len(cells)))
        self.team = max(1, jobs // self.at_once)
        self.total = state["hours"] * 3600
        self.length = min(SLICE_MAX, max(SLICE_MIN, self.total * self.at_once / len(cells) / ROUNDS))
        self.shares = Shares(list(self.cells), {name: tally.get("clock", 0.0) for name, tally in state["cells"].items()})
        self.before, self.start = state["used_seconds"], time.monotonic()
        self.progress, self.line = Progress(progress_path()), StatusLine()
        self.sanitized = cells[0].binary  # AFL++'s fuzzer has the same rows
        self.end = ""

    def used(self):
        return self.before + time.monotonic() - self.start

    def begin(self, pool, seeds):
        """Starts a slice on the cell whose turn it is."""
        cell = self.cells[self.shares.take()]
        seconds = min(self.length, max(1.0, self.total - self.used()))
        afl_binary = self.afl_binary if cell.binary == self.sanitized else None
        return pool.submit(run_slice, cell, seconds, seeds, afl_binary, self.team, self.processes, self.chosen)

    def add(self, result):
        name = result.cell.name
        tally = self.state["cells"].setdefault(name, new_tally())
        growth = add_slice(tally, result, self.line.say)
        self.shares.give_back(name, result.seconds, growth)
        for each, clock in self.shares.clocks().items():
            if each in self.state["cells"]:
                self.state["cells"][each]["clock"] = clock
        for error in result.errors:
            self.state["errors"][error] = self.state["errors"].get(error, 0) + 1
        if not result.started and name not in self.state["not_started"]:
            self.state["not_started"].append(name)
        self.state["used_seconds"] = self.used()
        save_state(self.state)
        self.progress.add(self.state, result)

    def status(self):
        tallies = self.state["cells"].values()
        executions = sum(tally["executions"] + tally["afl_executions"] for tally in tallies)
        seconds = sum(tally["seconds"] for tally in tallies)
        return (
            f"{self.used() / 3600:.2f} of {self.state['hours']:g} h  {len(tallies)}/{len(self.cells)} cells  "
            f"{executions:,} executions  {executions / max(seconds, 1):,.0f}/s a cell  "
            f"{sum(tally['edges'] for tally in tallies):,} edges  {count_findings(self.state)} findings"
        )

    def disk_is_full(self):
        return shutil.disk_usage(fuzzing.OUT).free < FREE_BYTES

    def stop(self, why):
        self.end = self.end or why
        self.line.say(f"{why}: ending the engines, and collecting what they have found")
        self.processes.stop()

    def drive(self, seeds):
        with ThreadPoolExecutor(self.at_once) as pool:
            running = set()
            while running or (self.used() < self.total and not self.end):
                try:
                    while len(running) < self.at_once and self.used() < self.total and not self.end:
                        running.add(self.begin(pool, seeds))
                    done, _ = wait(running, 1.0, FIRST_COMPLETED)
                    self.line.show(self.status())
                    if not self.end and self.disk_is_full():
                        self.stop(f"less than {FREE_BYTES >> 20} MiB of the disk are free")
                    for future in done:
                        running.discard(future)
                        self.add(future.result())
                except KeyboardInterrupt:
                    self.stop("interrupted")
                except OSError as error:  # what is on the disk stays there for the next run
                    self.stop(f"{error.filename or fuzzing.OUT}: {error.strerror}")
        self.line.end()


def summary_rows(state):
    for name, tally in sorted(state["cells"].items()):
        yield [
            name, f"{tally['seconds']:.0f}", f"{tally['executions']:,}", f"{tally['operations']:,}", f"{tally['afl_executions']:,}",
            tally["stability"] or "–", f"{tally['edges']:,}", f"{tally['corpus']:,}", str(len(tally["findings"])),
        ]  # fmt: skip


HEADINGS = ["cell", "seconds", "libFuzzer executions", "operations", "AFL++ executions", "stability", "edges", "corpus", "findings"]


def write_summary(state, found):
    """Writes summary.md, and the same as a page; returns the text."""
    hours = f"{state['used_seconds'] / 3600:.2f} of {state['hours']:g} h" + ("" if state["finished"] else ", unfinished: the next run goes on")
    lines = ["# The overnight hunt", "", hours, "", "## Findings", ""]
    lines += [f"- `{where}`: {line}" for where, line in found] or ["None."]
    lines += ["", "## Harness errors", ""] + ([f"- {error} ({count} times)" for error, count in state["errors"].items()] or ["None."])
    lines += ["", "## Cells", "", "| " + " | ".join(HEADINGS) + " |", "|---" * len(HEADINGS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in summary_rows(state)]
    text = "\n".join(lines) + "\n"
    with common.atomic_write(folder() / "summary.md") as out:
        out.write(text)
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(word)}</td>" for word in row) + "</tr>" for row in summary_rows(state))
    head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    items = "".join(f"<li><code>{html.escape(where)}</code>: {html.escape(line)}</li>" for where, line in found) or "<li>None</li>"
    style = "body{font:16px sans-serif;margin:2em;color-scheme:light dark}td,th{padding:.2em .8em;text-align:right}td:first-child,th:first-child{text-align:left}"
    with common.atomic_write(folder() / "summary.html") as out:
        out.write(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>The overnight hunt</title><style>{style}</style>'
            f"<h1>The overnight hunt</h1><p>{html.escape(hours)}</p><h2>Findings</h2><ul>{items}</ul>"
            f"<h2>Cells</h2><table><tr>{head}</tr>{cells}</table></html>\n"
        )
    return text


def finish(state):
    """Says what came of it; returns the exit status."""
    found = [finding for tally in state["cells"].values() for finding in tally["findings"]]
    executions = sum(tally["executions"] + tally["afl_executions"] for tally in state["cells"].values())
    operations = sum(tally["operations"] for tally in state["cells"].values())
    print(write_summary(state, found))
    print(fuzzing.shown(folder() / "summary.md"))
    print(f"executions {executions}, operations {operations}, findings {len(found)}")
    return common.worst(
        [common.Exit.CONFIRMED] * bool(found)
        + [common.Exit.HARNESS] * any(error.split(":")[0] not in state["not_started"] for error in state["errors"])
        + [common.Exit.NOTHING_MEASURED] * (executions == 0 or bool(state["not_started"]))
    )


def terminated(*_):
    raise KeyboardInterrupt


def run(cells, hours, jobs, chosen=ENGINES):
    afl_binary = require_engines(chosen)
    with only_one():
        state = load_state(hours)
        findings.remove_unfinished()
        hunt = Hunt(cells, state, jobs, chosen, afl_binary, fuzzing.Processes())
        names = " and ".join({"libfuzzer": "libFuzzer", "afl": "AFL++"}[name] for name in chosen)
        print(f"{len(cells)} cells, {names}, {hunt.at_once} at a time, slices of {hunt.length:.0f} s, {hours:g} h in all", flush=True)
        signal.signal(signal.SIGTERM, terminated)
        hunt.drive(fuzzing.assemble_seeds(cells[0].binary))
        state["used_seconds"] = hunt.used()
        state["finished"] = not hunt.end and state["used_seconds"] >= hours * 3600
        try:
            adopt_findings(state, cells)
            save_state(state)
            status = finish(state)
        except OSError as error:
            raise common.Failure(common.Exit.HARNESS, f"{error.filename or fuzzing.OUT}: {error.strerror}; what was found stays there") from error
        if "disk" in hunt.end:
            status = common.worst([status, common.Exit.HARNESS])
        return status
