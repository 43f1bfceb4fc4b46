"""Runs the programs of programs.py over mallocs, keeps each sample, and says what they come to.

A sample is one run: seconds, peak resident bytes of the program and its children, and whether it ran right. It is
kept as a line of JSON as soon as it is there, so that a run that was interrupted goes on where it stopped.
"""

import atexit
import csv
import functools
import hashlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from yard import common, stats
from yard.programs import free_port

LIBC = "libc"
LIBC_FILE = "libc.so.6"  # preloaded, too: some programs are linked to another malloc
TIMEOUT_SECONDS = 600
READY_SECONDS = 30
PEERS = {"jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}
FOLDERS = ("/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib64")


def peers_here():
    """The peers' libraries that are installed, by name."""
    paths = {name: next((Path(folder, file) for folder in FOLDERS if Path(folder, file).exists()), None) for name, file in PEERS.items()}
    return {name: path for name, path in paths.items() if path}


# --- one run -------------------------------------------------------------------------------------------


class Wrong(Exception):
    """A program that did not run right over a malloc."""


def environment_of(program, folder):
    """What every run sees, whoever starts it."""
    found = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
    return found | {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"} | program.environment


@functools.cache
def measurer():
    """programs_measure, compiled; gone with this process."""
    folder = tempfile.mkdtemp(prefix="heapyard-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = Path(__file__).resolve().parent / "programs_measure.c"
    done = subprocess.run(["cc", "-std=gnu17", "-O1", "-static", str(source), "-o", f"{folder}/measure"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise common.Failure(common.Exit.HARNESS, f"{source} does not compile: {done.stderr.strip()[-500:]}")
    return f"{folder}/measure"


def start(program, folder, port, library):
    """The program over the library, through programs_measure; its outputs go to files of the folder."""
    words = [measurer(), str(folder / "measured"), str(TIMEOUT_SECONDS), str(library or LIBC_FILE), *program.words(program.command, folder, port)]
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as errors:
        return subprocess.Popen(words, cwd=folder, env=environment_of(program, folder), stdin=subprocess.DEVNULL, stdout=out, stderr=errors)


def measured(process, folder):
    """What programs_measure says at the end."""
    if process.wait() != 0:
        raise common.Failure(common.Exit.HARNESS, f"programs_measure ended with {process.returncode}")
    return json.loads((folder / "measured").read_text())


def last_words(folder):
    texts = [(folder / name).read_text(errors="replace").strip() for name in ("stderr", "stdout")]
    return next((text.splitlines()[-1] for text in texts if text), "nothing said")


def run_command(program, folder, port, library):
    """(seconds, peak bytes, what it printed) of a command."""
    said = measured(start(program, folder, port, library), folder)
    if said["status"] == -signal.SIGKILL and said["seconds"] >= TIMEOUT_SECONDS:
        raise Wrong(f"still ran after {TIMEOUT_SECONDS} s")
    if said["status"] != 0:
        raise Wrong(f"exit {said['status']}: {last_words(folder)}")
    return said["seconds"], said["peak_bytes"], hashlib.sha256((folder / "stdout").read_bytes()).hexdigest()


def await_port(process, port, folder):
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise Wrong(f"the server ended by itself: {last_words(folder)}")
        time.sleep(0.02)
    raise Wrong(f"the server did not listen after {READY_SECONDS} s")


def load(program, folder, port):
    """Runs a server's client; (seconds, what it printed)."""
    began = time.monotonic()
    try:
        done = subprocess.run(program.words(program.client, folder, port), env=environment_of(program, folder), cwd=folder,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        raise Wrong(f"its client still ran after {TIMEOUT_SECONDS} s") from expired
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Wrong(f"its client's exit {done.returncode}: {said[-1] if said else 'nothing said'}")
    return time.monotonic() - began, done.stdout


def run_server(program, folder, port, library):
    """The same of a server: seconds are its client's, bytes are the server's."""
    server = start(program, folder, port, library)
    try:
        await_port(server, port, folder)
        seconds, printed = load(program, folder, port)
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            said = measured(server, folder)
    if said["status"] not in (0, -signal.SIGINT, 128 + signal.SIGINT):
        raise Wrong(f"the server's exit {said['status']}: {last_words(folder)}")
    return seconds, said["peak_bytes"], hashlib.sha256(printed).hexdigest()


def run_once(program, library):
    """A sample of a program over a library (None: the C library's malloc)."""
    folder = Path(tempfile.mkdtemp(prefix="heapyard-"))
    folder.chmod(0o755)
    port = free_port()
    try:
        if program.prepare:
            program.prepare(folder, port)
        run = run_server if program.client else run_command
        seconds, peak, answer = run(program, folder, port, library)
        return {"seconds": seconds, "peak_bytes": peak, "answer": "" if program.self_tests else answer}
    except Wrong as wrong:
        return {"wrong": str(wrong).replace(str(folder), "…")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- all runs ------------------------------------------------------------------------------------------


def digest(library):
    """What tells one build of a library from another; the C library's own malloc has none."""
    return hashlib.sha256(library.read_bytes()).hexdigest()[:16] if library else ""


class Samples:
    """The samples of a file; those of other builds of a library stay there and do not count."""

    def __init__(self, path, fresh=False):
        self.path = path
        if fresh:
            path.unlink(missing_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.all = [json.loads(line) for line in lines if line.endswith("}")]

    def of(self, program, library, build):
        key = (program, library, build)
        return [sample for sample in self.all if (sample["program"], sample["library"], sample["build"]) == key]

    def add(self, **sample):
        self.all.append(sample)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(sample) + "\n")


def measure(programs, libraries, rounds, samples, say):
    """Runs what is missing of each program's rounds, the libraries in turn, each round beginning with another."""
    builds = {name: digest(path) for name, path in libraries.items()}
    names = list(libraries)
    for program in programs:
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                before = samples.of(program.name, name, builds[name])
                if len(before) > turn or any("wrong" in sample for sample in before):
                    continue
                sample = run_once(program, libraries[name])
                samples.add(program=program.name, library=name, build=builds[name], **sample)
                told = sample.get("wrong") or f"{sample['seconds']:.2f} s, {sample['peak_bytes'] / 2**20:.1f} MiB"
                say(f"{program.name}, round {turn + 1} of {rounds}, {name}: {told}")


# --- what they come to ---------------------------------------------------------------------------------


class Cell:
    """A program over a library."""

    def __init__(self, samples, expected):
        self.wrong = next((sample["wrong"] for sample in samples if "wrong" in sample), None)
        right = [sample for sample in samples if "wrong" not in sample]
        if not self.wrong and any(sample["answer"] != expected for sample in right):
            self.wrong = "printed something else than over libc"
        self.rounds = len(right)
        self.seconds = statistics.median(sample["seconds"] for sample in right) if right else None
        self.peak_bytes = statistics.median(sample["peak_bytes"] for sample in right) if right else None
        self.is_right = not self.wrong and bool(right)


def cells(programs, libraries, samples):
    """By program's and library's name."""
    found = {}
    for program in programs:
        reference = samples.of(program.name, LIBC, "")
        expected = next((sample["answer"] for sample in reference if "wrong" not in sample), None)
        for name, path in libraries.items():
            found[program.name, name] = Cell(samples.of(program.name, name, digest(path)), expected)
    return found


def ratio(found, program, library, field):
    """To libc; None where one of the two is not there."""
    cell, reference = found[program, library], found[program, LIBC]
    return getattr(cell, field) / getattr(reference, field) if cell.is_right and reference.is_right else None


def means(found, programs, libraries, field):
    """The geometric mean of each library's ratios, over the programs that ran right over all of them."""
    common_ones = [program.name for program in programs if all(found[program.name, name].is_right for name in libraries)]
    return {
        name: stats.geometric_mean([ratio(found, program, name, field) for program in common_ones]) if common_ones else None for name in libraries
    }


def table(found, programs, libraries, field, title, unit):
    """Lines of one table: libc's figure, the others' ratios to it."""
    scale = {"s": 1, "MiB": 2**20}[unit]
    others = [name for name in libraries if name != LIBC]
    yield f"{title:<14} {'libc':>11} " + " ".join(f"{name:>10}" for name in others)
    for program in programs:
        reference = found[program.name, LIBC]
        first = f"{getattr(reference, field) / scale:.2f} {unit}" if reference.is_right else "wrong"
        ratios = [ratio(found, program.name, name, field) for name in others]
        told = ["wrong" if found[program.name, name].wrong else "–" if value is None else f"{value:.2f}" for name, value in zip(others, ratios, strict=True)]
        yield f"{program.name:<14} {first:>11} " + " ".join(f"{text:>10}" for text in told)
    overall = means(found, programs, libraries, field)
    told = [f"{overall[name]:.3f}" if overall[name] else "–" for name in others]
    yield f"{'geometric mean':<14} {'':>11} " + " ".join(f"{text:>10}" for text in told)


FIELDS = ["program", "library", "right", "wrong", "rounds", "seconds", "seconds_to_libc", "peak_bytes", "peak_bytes_to_libc"]


def write_csv(path, found, programs, libraries):
    with common.atomic_write(path) as file:
        lines = csv.writer(file)
        lines.writerow(FIELDS)
        for program in programs:
            for name in libraries:
                cell = found[program.name, name]
                ratios = [ratio(found, program.name, name, field) for field in ("seconds", "peak_bytes")]
                lines.writerow([program.name, name, int(cell.is_right), cell.wrong or "", cell.rounds, cell.seconds, ratios[0], cell.peak_bytes, ratios[1]])
