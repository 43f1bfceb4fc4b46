"""The long hunt: libFuzzer and AFL++ concurrently over every cell, in rounds, resumable.

Each cell gets one slice of time per round. In a slice both engines run at once on the cell's corpus:
libFuzzer rereads its folder as it grows, AFL++ reads the same folder as a foreign corpus, and inputs that
AFL++ finds are copied into it. State is written after every slice, so that the next run resumes there
however this one ends (its hours, Ctrl-C, a power failure). Findings are stored by kind of bug.
"""

import hashlib
import html
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from . import common, fuzzing

STATE = fuzzing.OUT / "overnight" / "state.json"
SUMMARY = fuzzing.OUT / "overnight" / "summary.md"
PAGE = fuzzing.OUT / "overnight" / "summary.html"
SLICE_MIN, SLICE_MAX, ROUNDS = 5, 600, 4
SYNC_SECONDS = 5


def afl_environment():
    env = fuzzing.environment(
        AFL_SKIP_CPUFREQ=1, AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1, AFL_NO_UI=1, AFL_NO_AFFINITY=1,
        AFL_AUTORESUME=1, AFL_IMPORT_FIRST=1, AFL_IGNORE_UNKNOWN_ENVS=1,
    )  # fmt: skip
    env["ASAN_OPTIONS"] += ":abort_on_error=1:detect_leaks=0"
    env["UBSAN_OPTIONS"] += ":halt_on_error=1:abort_on_error=1"
    return env


def fresh_state(hours):
    return {"hours": hours, "used_seconds": 0.0, "finished": False, "next": 0, "cells": {}, "errors": {}}


def load_state(hours):
    """The state of an unfinished run, or a new one. Findings of earlier runs stay in fuzz/out/findings."""
    try:
        state = json.loads(STATE.read_text())
    except (FileNotFoundError, ValueError):
        return fresh_state(hours)
    if state.get("finished"):
        return fresh_state(hours)
    print(f"going on after {state['used_seconds'] / 3600:.2f} h of {hours:g} h", flush=True)
    state["hours"] = hours
    return state


def save_state(state):
    with common.atomic_write(STATE) as out:
        json.dump(state, out, indent=1)


def new_tally():
    return {"executions": 0, "operations": 0, "afl_executions": 0, "stability": None, "corpus": 0, "seconds": 0.0, "findings": []}


def copy_queue(afl_folder, corpus):
    """Copies AFL++'s inputs to the shared corpus, named by a hash of their contents."""
    for item in afl_folder.glob("main/queue/id:*"):
        try:
            data = item.read_bytes()
        except OSError:  # AFL++ trims and renames while it runs
            continue
        target = corpus / hashlib.sha1(data).hexdigest()
        if len(data) <= fuzzing.MAX_LENGTH and not target.exists():
            target.write_bytes(data)


def read_afl_stats(folder):
    stats = {}
    path = folder / "main" / "fuzzer_stats"
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            stats[name.strip()] = value.strip()
    return int(stats.get("execs_done", 0)), stats.get("stability")


class AflSlice:
    """Runs AFL++ on one cell for one slice, while a thread copies its inputs to the shared corpus."""

    def __init__(self, cell, binary, seeds, processes):
        self.cell, self.binary, self.seeds, self.processes = cell, binary, seeds, processes
        self.folder = fuzzing.OUT / "afl" / cell.folder
        self.corpus = fuzzing.corpus_of(cell)
        self.log = self.folder / "log.txt"
        self.done = threading.Event()

    def command(self, seconds):
        return [
            "afl-fuzz", "-i", self.seeds, "-o", self.folder, "-M", "main", "-F", self.corpus, "-V", str(max(1, round(seconds))),
            "-t", "2000", "-m", "none", "-G", str(fuzzing.MAX_LENGTH), "--", self.binary,
        ]  # fmt: skip

    def sync(self):
        while not self.done.wait(SYNC_SECONDS):
            copy_queue(self.folder, self.corpus)

    def run(self, seconds):
        """Runs; returns (executions, stability, findings, error)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = read_afl_stats(self.folder)[0]
        env = afl_environment() | {"HEAPYARD_PROPERTY": self.cell.prop}
        if self.cell.plugin:
            env["HEAPYARD_PLUGIN"] = self.cell.plugin
        if self.cell.row != "-":
            env["HEAPYARD_ROW"] = self.cell.row
        copier = threading.Thread(target=self.sync)
        copier.start()
        try:
            status = self.processes.run(self.command(seconds), seconds + 60, env, self.log)
        finally:
            self.done.set()
            copier.join()
        copy_queue(self.folder, self.corpus)
        executions, stability = read_afl_stats(self.folder)
        error = ""
        if status not in (0, None) and not self.processes.stopping:
            error = f"{self.cell.name}: afl-fuzz ended with {status}, see {self.log}"
        return max(0, executions - before), stability, self.findings(), error

    def findings(self):
        found = []
        for folder in ("crashes", "hangs"):
            for crash in sorted(self.folder.glob(f"main/{folder}/id:*")):
                found.append(fuzzing.keep_finding(self.cell, crash, self.log))
                crash.unlink()
        return found


def run_slice(cell, seconds, seeds, afl_binary, processes):
    """Runs both engines at once; returns the tally of the slice, and errors."""
    start = time.monotonic()
    tally, errors = new_tally(), []
    afl, outcome = None, []
    if afl_binary:
        afl_slice = AflSlice(cell, afl_binary, seeds, processes)
        afl = threading.Thread(target=lambda: outcome.append(afl_slice.run(seconds)))
        afl.start()
    result = fuzzing.hunt(cell, seconds, seeds, processes)
    tally["executions"], tally["operations"] = result.executions, result.operations
    findings = result.findings
    if result.error:
        errors.append(result.error)
    if afl:
        afl.join()
        executions, stability, found, error = outcome[0] if outcome else (0, None, [], f"{cell.name}: afl-fuzz could not be run")
        tally["afl_executions"], tally["stability"] = executions, stability
        findings = findings + found
        errors += [error] if error else []
    tally["findings"] = [[str(finding.folder.relative_to(common.ROOT)), finding.line] for finding in findings]
    tally["corpus"] = sum(1 for _ in fuzzing.corpus_of(cell).iterdir())
    tally["seconds"] = time.monotonic() - start
    return tally, errors


def add_tally(total, more):
    for name in ("executions", "operations", "afl_executions", "seconds"):
        total[name] += more[name]
    total["corpus"] = more["corpus"]
    total["stability"] = more["stability"] or total["stability"]
    known = {folder for folder, _ in total["findings"]}
    for folder, line in more["findings"]:
        if folder not in known:
            known.add(folder)
            total["findings"].append([folder, line])
            print(f"FOUND {line}\n  {folder}", flush=True)


def find_afl():
    """The fuzzer built for AFL++; None, with the reason printed, where AFL++ is not installed."""
    if not shutil.which("afl-fuzz") or not shutil.which("afl-clang-fast"):
        print("AFL++ is not in this run: install afl++ (scripts/bootstrap fuzz-overnight)", flush=True)
        return None
    return fuzzing.fuzzer("fuzz-afl")


def drive(cells, state, jobs, processes):
    """Runs slices of all cells in turn until the hours are used up."""
    afl_binary = find_afl()
    seeds = fuzzing.assemble_seeds(cells[0].binary)
    plain = [cell for cell in cells if cell.binary != cells[0].binary]
    at_once = max(1, min(jobs // 2 if afl_binary else jobs, len(cells)))
    total = state["hours"] * 3600
    length = min(SLICE_MAX, max(SLICE_MIN, total * at_once / len(cells) / ROUNDS))
    engines = "libFuzzer and AFL++" if afl_binary else "libFuzzer"
    print(f"{len(cells)} cells, {engines}, {at_once} at a time, slices of {length:.0f} s, {state['hours']:g} h in all", flush=True)
    with ThreadPoolExecutor(at_once) as pool:
        while state["used_seconds"] < total and not processes.stopping:
            batch = [cells[(state["next"] + i) % len(cells)] for i in range(at_once)]
            start = time.monotonic()
            seconds = min(length, max(1.0, total - state["used_seconds"]))
            runs = [pool.submit(run_slice, cell, seconds, seeds, None if cell in plain else afl_binary, processes) for cell in batch]
            try:
                wait(runs)
            except KeyboardInterrupt:
                processes.stop()
            # The results of an interrupted slice are kept too.
            for cell, run in zip(batch, runs):
                tally, errors = run.result()
                add_tally(state["cells"].setdefault(cell.name, new_tally()), tally)
                state["errors"].update({error: state["errors"].get(error, 0) + 1 for error in errors})
            state["used_seconds"] += time.monotonic() - start
            state["next"] = (state["next"] + at_once) % len(cells)
            save_state(state)


def summary_rows(state):
    for name, tally in sorted(state["cells"].items()):
        yield [
            name, f"{tally['seconds']:.0f}", f"{tally['executions']:,}", f"{tally['operations']:,}", f"{tally['afl_executions']:,}",
            tally["stability"] or "–", f"{tally['corpus']:,}", str(len(tally["findings"])),
        ]  # fmt: skip


HEADINGS = ["cell", "seconds", "libFuzzer executions", "operations", "AFL++ executions", "stability", "corpus", "findings"]


def write_summary(state, findings):
    """Writes summary.md, and the same as a page."""
    hours = f"{state['used_seconds'] / 3600:.2f} of {state['hours']:g} h" + ("" if state["finished"] else ", unfinished: the next run goes on")
    lines = ["# The overnight hunt", "", hours, "", "## Findings", ""]
    lines += [f"- `{folder}`: {line}" for folder, line in findings] or ["None."]
    lines += ["", "## Harness errors", ""] + ([f"- {error} ({count} times)" for error, count in state["errors"].items()] or ["None."])
    lines += ["", "## Cells", "", "| " + " | ".join(HEADINGS) + " |", "|---" * len(HEADINGS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in summary_rows(state)]
    with common.atomic_write(SUMMARY) as out:
        out.write("\n".join(lines) + "\n")
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(word)}</td>" for word in row) + "</tr>" for row in summary_rows(state))
    head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    items = "".join(f"<li><code>{html.escape(folder)}</code>: {html.escape(line)}</li>" for folder, line in findings) or "<li>None</li>"
    style = "body{font:16px sans-serif;margin:2em;color-scheme:light dark}td,th{padding:.2em .8em;text-align:right}td:first-child,th:first-child{text-align:left}"
    with common.atomic_write(PAGE) as out:
        out.write(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>The overnight hunt</title><style>{style}</style>'
            f"<h1>The overnight hunt</h1><p>{html.escape(hours)}</p><h2>Findings</h2><ul>{items}</ul>"
            f"<h2>Cells</h2><table><tr>{head}</tr>{cells}</table></html>\n"
        )


def run(cells, hours, jobs):
    state, processes = load_state(hours), fuzzing.Processes()
    try:
        drive(cells, state, jobs, processes)
    except KeyboardInterrupt:
        processes.stop()
    state["finished"] = state["used_seconds"] >= hours * 3600
    save_state(state)
    findings = [finding for tally in state["cells"].values() for finding in tally["findings"]]
    write_summary(state, findings)
    print(SUMMARY.read_text())
    executions = sum(tally["executions"] + tally["afl_executions"] for tally in state["cells"].values())
    operations = sum(tally["operations"] for tally in state["cells"].values())
    print(f"{SUMMARY.relative_to(Path(common.ROOT))}")
    print(f"executions {executions}, operations {operations}, findings {len(findings)}")
    return common.worst(
        [common.Exit.CONFIRMED] * bool(findings)
        + [common.Exit.HARNESS] * bool(state["errors"])
        + [common.Exit.NOTHING_MEASURED] * (executions == 0)
    )
