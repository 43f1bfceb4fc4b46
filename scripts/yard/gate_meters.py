"""Runs heapyard-bench for the gate, one process after another, and parses its output.

Counting processes get a fixed environment and a fixed processor model, so that a count is the same on every
machine. Timing processes get an environment of random size, so that no comparison depends on one stack
address.
"""

import json
import os
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from yard.gate_judge import Cell

# The processor features by which glibc selects memcpy and other functions; and space for the peers'
# thread-local storage, without which the harness would re-execute itself.
HWCAPS = "-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-ERMS,-FSRM,-RTM,-AVX_Fast_Unaligned_Load"
TUNABLES = f"glibc.cpu.hwcaps={HWCAPS}:glibc.rtld.optional_static_tls=8192"
CALLGRIND = [
    "valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no", "--fair-sched=yes",
    "--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64",
]
COUNT_TIMEOUT_S = 300
CELL_TIMEOUT_S = 20
MEMORY_TIMEOUT_S = 120


class Crash(NamedTuple):
    """A process that crashed, hung or failed: the reason, and the command."""

    why: str
    command: str


def cell_of(record):
    return Cell(record["row"].split("@")[0], record["workload"], record["params"], record["threads"])


def have_valgrind():
    return shutil.which("valgrind") is not None


def _fixed_environment():
    return {"PATH": "/usr/bin:/bin", "GLIBC_TUNABLES": TUNABLES}


def _random_environment(chooser):
    return {
        "PATH": "/usr/bin:/bin",
        "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192",
        "PADDING": "x" * chooser.randrange(4096),
    }


def _lines(text):
    """The records of JSON lines; one that was truncated by a crash is left out."""
    records = []
    for line in text.splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def _run(command, environment, timeout, cwd=None):
    """Runs the command; returns the records that it printed, and the Crash or None."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout, cwd=cwd)
        out, status, trouble = done.stdout, done.returncode, done.stderr
    except subprocess.TimeoutExpired as expired:
        out = (expired.stdout or b"").decode()
        return _lines(out), Crash(f"hung: nothing for {timeout} s", " ".join(words))
    if status < 0:
        return _lines(out), Crash(f"signal {-status}", " ".join(words))
    if status > 0:
        last = trouble.strip().splitlines()[-1:] or [""]
        return _lines(out), Crash(f"exit {status} {last[0]}".rstrip(), " ".join(words))
    return _lines(out), None


class Meters:
    """The harness with the plugins of one comparison; `plugins` is label to path, base first."""

    def __init__(self, bench, plugins, tier):
        self.bench = bench
        self.plugins = plugins
        self.tier = tier

    def _loads(self, *labels):
        return [f"--plugin={label}={self.plugins[label]}" for label in labels]

    def cells(self):
        """Every cell of both sides: the records of `pairs --list`."""
        command = [self.bench, "pairs", "--list", "--tier", self.tier, *self._loads("base", "head")]
        records, crash = _run(command, _fixed_environment(), COUNT_TIMEOUT_S)
        if crash:
            raise RuntimeError(f"{crash.why}: {crash.command}")
        return records

    def exact(self, label, row):
        """The exact meter on one row: {cell: record}, and the Crash or None."""
        command = [self.bench, "exact", "--tier", self.tier, "--rows", f"{row}@{label}", *self._loads(label)]
        records, crash = _run(command, _fixed_environment(), COUNT_TIMEOUT_S)
        return {cell_of(record): record for record in records if record["kind"] == "exact"}, crash

    def instructions(self, label, rows):
        """The instruction meter on these rows: {cell: record with `instructions`}, and the Crash or None.
        The plugin has the same label on both sides, so that their arguments have the same length."""
        with tempfile.TemporaryDirectory(prefix="gate-") as folder:
            command = [*CALLGRIND, f"--callgrind-out-file={folder}/profile", self.bench, "instructions"]
            command += ["--tier", self.tier, "--rows", ",".join(f"{row}@side" for row in rows)]
            command += [f"--plugin=side={self.plugins[label]}"]
            records, crash = _run(command, _fixed_environment(), COUNT_TIMEOUT_S, cwd=folder)
            counts = read_profiles(Path(folder))
        regions = {}
        for record in records:
            if record["kind"] == "region" and record["profile"] in counts:
                regions[cell_of(record)] = record | {"instructions": counts[record["profile"]]}
        return regions, crash

    def peak_rss(self, label, cell):
        """The peak of resident memory of one fresh process, in bytes above its start, or None; and the Crash
        or None."""
        command = [self.bench, "memory", "--row", f"{cell.row}@{label}", "--workload", cell.workload]
        command += ["--params", cell.params, "--threads", cell.threads, *self._loads(label)]
        records, crash = _run(command, _fixed_environment(), MEMORY_TIMEOUT_S)
        if crash or not records:
            return None, crash
        return records[0]["peak_rss"] - records[0]["start_rss"], None

    def pairs(self, numbers, control, seed, microseconds, core=None):
        """Times the cells of these numbers in one process, pinned to `core` where one is given: its records, and
        the Crash or None."""
        chooser = random.Random(seed)
        command = [self.bench, "pairs", "--tier", self.tier, "--seed", seed, "--microseconds", microseconds]
        command += ["--only", ",".join(map(str, numbers)), *self._loads(*self.plugins)]
        if control:
            command += ["--control", ",".join(map(str, control))]
        if core is not None:
            command = ["taskset", "--cpu-list", core, *command]
        return _run(command, _random_environment(chooser), 60 + CELL_TIMEOUT_S * len(numbers))

    def with_plugins(self, plugins):
        """The same harness with other plugins."""
        return Meters(self.bench, plugins, self.tier)


def read_profiles(folder):
    """Callgrind's profiles: {name given at the dump: instructions}."""
    counts = {}
    for path in sorted(folder.glob("profile*")):
        text = path.read_text()
        name = re.search(r"^desc: Trigger: Client Request: (\S+)", text, re.MULTILINE)
        events = re.search(r"^events: (.*)$", text, re.MULTILINE)
        totals = re.search(r"^totals: (.*)$", text, re.MULTILINE)
        if name and events and totals:
            counts[name.group(1)] = int(totals.group(1).split()[events.group(1).split().index("Ir")])
    return counts
