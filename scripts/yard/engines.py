"""The engines at work on one cell: libFuzzer, alone or in fork mode, and AFL++ with its secondaries.

All engines of a cell share one corpus: libFuzzer rereads its folder as it grows, AFL++ reads the same folder as a
foreign corpus, and what AFL++ finds is copied into it. What an engine has left behind when it was killed is
collected before the next slice: nothing is deleted that has not been kept elsewhere.
"""

import collections
import contextlib
import glob
import hashlib
import re
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import common, findings, fuzzing

DICTIONARY = common.ROOT / "fuzz" / "heapyard.dict"
RSS_LIMIT_MB = 1024
LOG_LIMIT = 4 << 20
CORPUS_FILES, CORPUS_BYTES = 5000, 8 << 20  # above either a cell's corpus is merged
MERGE_SECONDS = 300
COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")
_collecting = collections.defaultdict(threading.Lock)  # of each cell's folder
SECONDARIES = ("fast", "explore", "rare", "exploit")  # power schedules, one each, in turn


@dataclass
class Slice:
    """What came of fuzzing one cell for some time."""

    cell: fuzzing.Cell
    executions: int = 0
    operations: int = 0
    afl_executions: int = 0
    stability: str = ""
    edges: int = 0
    features: int = 0
    features_before: int = 0
    seconds: float = 0.0
    findings: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    started: bool = True

    def add(self, other):
        """What came of another hunt on the same cell, right behind this one."""
        self.executions += other.executions
        self.operations += other.operations
        self.edges, self.features = max(self.edges, other.edges), max(self.features, other.features)
        known = {finding.folder for finding in self.findings}
        self.findings += [finding for finding in other.findings if finding.folder not in known]
        self.errors += other.errors


def read_coverage(log):
    """(features first, edges last, features last) that libFuzzer tells in its log."""
    try:
        told = COVERAGE.findall(Path(log).read_text(errors="replace"))
    except OSError:
        told = []
    return (int(told[0][1]), *map(int, told[-1])) if told else (0, 0, 0)


def last_line(log):
    with contextlib.suppress(OSError):
        lines = Path(log).read_text(errors="replace").strip().splitlines()
        return next((line for line in reversed(lines) if "heapyard" in line or "ERROR" in line), lines[-1] if lines else "no output")
    return "no output"


def work_of(cell):
    return fuzzing.OUT / "work" / cell.folder


def afl_of(cell):
    return fuzzing.OUT / "afl" / cell.folder


def add_to_corpus(corpus, path):
    """Copies an input, named by a hash of its contents as libFuzzer does it."""
    try:
        data = path.read_bytes()
    except OSError:  # the engines trim and rename while they run
        return
    target = corpus / hashlib.sha1(data).hexdigest()
    if 0 < len(data) <= fuzzing.MAX_LENGTH and not target.exists():
        with common.atomic_write(target, "wb") as out:
            out.write(data)


def _left(folder, pattern):
    """Paths below a folder that match; what the engines delete meanwhile is left out, where Path.glob would raise."""
    return [folder / name for name in glob.glob(pattern, root_dir=folder)]


def collect_inputs(cell):
    """Copies what the engines have found to the shared corpus: AFL++'s queues, and the units of jobs of
    libFuzzer's fork mode that were ended before they were merged."""
    corpus = fuzzing.corpus_of(cell)
    for path in _left(afl_of(cell), "*/queue/id:*"):
        if ",sync:" not in path.name:
            add_to_corpus(corpus, path)
    for path in _left(work_of(cell), "tmp/*/C*/*"):
        add_to_corpus(corpus, path)


def collect_findings(cell, log=None):
    """Keeps every crash and hang that an engine has left; returns the findings."""
    with _collecting[cell.folder]:
        return _collect_findings(cell, log or work_of(cell) / "log.txt")


def _keep(cell, artifact, log):
    """The finding of an artifact, in a list; none where it is no failure, or AFL++ has just renamed its folder."""
    try:
        if artifact.name.startswith("slow-unit"):
            artifact.unlink()
        # On a busy machine AFL++ takes slow inputs for hangs.
        elif artifact.parent.name.startswith("hangs") and not findings.run_once(cell, artifact):
            artifact.unlink()
        else:
            return [findings.keep_finding(cell, artifact, log)]
    except FileNotFoundError:
        if artifact.exists():
            raise
    return []


def _collect_findings(cell, log):
    artifacts = sorted(_left(work_of(cell), "artifacts/*"))
    artifacts += sorted([*_left(afl_of(cell), "*/crashes*/id:*"), *_left(afl_of(cell), "*/hangs*/id:*")])
    return [finding for artifact in artifacts for finding in _keep(cell, artifact, log)]


def cut_logs(cell):
    """Empties logs that have grown too large; who writes them appends."""
    for log in [work_of(cell) / "log.txt", *_left(afl_of(cell), "*.log")]:
        with contextlib.suppress(OSError):
            if log.stat().st_size > LOG_LIMIT:
                log.open("r+b").truncate(0)


def libfuzzer_command(cell, seconds, artifacts, seeds, corpus, chance=0, fork=0, executions=-1):
    """chance: the seed of the fuzzer's choices; 0: a random one. fork: that many processes, which go on
    after crashes. executions: how many at most; -1: as many as the seconds give."""
    forked = [f"-fork={fork}", "-ignore_crashes=1", "-ignore_timeouts=1", "-ignore_ooms=1"] if fork else []
    return [
        cell.binary, *cell.arguments(), f"-max_total_time={max(1, round(seconds))}", f"-max_len={fuzzing.MAX_LENGTH}", f"-dict={DICTIONARY}",
        f"-seed={chance}", f"-timeout={fuzzing.HANG_SECONDS}", f"-rss_limit_mb={RSS_LIMIT_MB}", "-detect_leaks=0",
        f"-runs={executions}", "-print_final_stats=1", "-reload=1", *forked, f"-artifact_prefix={artifacts}/", corpus, seeds,
    ]  # fmt: skip


def hunt(cell, seconds, seeds, processes, chance=0, fork=0, while_running=lambda: None, known=()):
    """Runs libFuzzer on a cell; without `fork` a crash ends it early. while_running: called before it starts,
    when the folders are there. known: lines of findings, whose kinds a property that can is to pass over."""
    work = work_of(cell)
    left = collect_findings(cell)
    collect_inputs(cell)
    shutil.rmtree(work, ignore_errors=True)  # with what an earlier hunt knew
    for name in ("artifacts", "tmp"):
        (work / name).mkdir(parents=True)
    log, counts, told = work / "log.txt", fuzzing.counts_of(cell), fuzzing.known_of(cell)
    told.write_text("".join(f"{line}\n" for line in known))
    # In fork mode the arguments that are not libFuzzer's do not reach its jobs.
    env = fuzzing.environment(HEAPYARD_COUNTS=counts, HEAPYARD_KNOWN=told, TMPDIR=work / "tmp", **cell.variables())
    command = libfuzzer_command(cell, seconds, work / "artifacts", seeds, fuzzing.corpus_of(cell), chance, fork)
    while_running()
    status = processes.run(command, seconds + 60, env, log)
    result = Slice(cell, *fuzzing.read_counts(counts))
    result.features_before, result.edges, result.features = read_coverage(log)
    result.findings = left + collect_findings(cell, log)
    ended = status != 0 and not processes.stopping
    if ended and not result.findings and not fork and save_last_input(cell, counts):
        result.findings = collect_findings(cell, log)
    if ended and not result.findings:
        result.started = result.executions > 0
        what = "ended with" if result.started else "can't start:"
        result.errors.append(f"{cell.name}: the fuzzer {what} {common.reason(status, seconds + 60)}: {last_line(log)}")
    return result


def save_last_input(cell, counts):
    """Where a process ended without leaving what it ended of (a malloc library that fails may take the engine's report
    with it): the input that it ran, if that fails by itself. Returns whether there is one."""
    data = fuzzing.read_input(counts)
    if data is None:
        return False
    artifact = work_of(cell) / "artifacts" / "crash-last"
    artifact.write_bytes(data)
    if findings.run_once(cell, artifact):
        return True
    artifact.unlink()
    return False


def hunt_on(cell, seconds, seeds, processes, chance=0, known=()):
    """Runs libFuzzer for the whole time, past each finding that the property can pass over."""
    end, told = time.monotonic() + seconds, list(known)
    whole = hunt(cell, seconds, seeds, processes, chance, known=told)
    latest = whole
    while cell.skips_known and latest.findings and not latest.errors and not processes.stopping:
        told += [finding.line for finding in latest.findings]
        left = end - time.monotonic()
        if left < 1:
            break
        latest = hunt(cell, left, seeds, processes, chance and chance + len(told), known=told)
        whole.add(latest)
    return whole


def read_afl_stats(folder):
    """Executions and stability that an instance of AFL++ tells."""
    stats = {}
    with contextlib.suppress(OSError):
        for line in (folder / "fuzzer_stats").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            stats[name.strip()] = value.strip()
    return int(stats.get("execs_done", 0)), stats.get("stability", "")


def afl_environment(cell):
    env = fuzzing.environment(
        AFL_SKIP_CPUFREQ=1, AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1, AFL_NO_UI=1, AFL_NO_AFFINITY=1,
        AFL_AUTORESUME=1, AFL_IMPORT_FIRST=1, AFL_IGNORE_UNKNOWN_ENVS=1, **cell.variables(),
    )  # fmt: skip
    env["ASAN_OPTIONS"] += ":abort_on_error=1:detect_leaks=0"
    env["UBSAN_OPTIONS"] += ":halt_on_error=1:abort_on_error=1"
    return env


class AflTeam:
    """AFL++'s main instance on a cell, and secondaries where there are cores for them."""

    def __init__(self, cell, binary, seeds, processes, size):
        self.cell, self.binary, self.seeds, self.processes = cell, binary, seeds, processes
        self.names = ["main", *(f"secondary{i}" for i in range(1, size))]
        self.folder = afl_of(cell)
        self.statuses = {}

    def command(self, name, seconds):
        number = self.names.index(name)
        schedule = ["-p", SECONDARIES[(number - 1) % len(SECONDARIES)]] if number else []
        foreign = [] if number else ["-F", fuzzing.corpus_of(self.cell)]
        return [
            "afl-fuzz", "-i", self.seeds, "-o", self.folder, "-S" if number else "-M", name, *foreign, *schedule,
            "-V", str(max(1, round(seconds))), "-t", "2000", "-m", "none", "-G", str(fuzzing.MAX_LENGTH), "-x", DICTIONARY, "--", self.binary,
        ]  # fmt: skip

    def _executions(self):
        return sum(read_afl_stats(self.folder / name)[0] for name in self.names)

    def _run(self, name, seconds):
        log = self.folder / f"{name}.log"
        self.statuses[name] = self.processes.run(self.command(name, seconds), seconds + 60, afl_environment(self.cell), log)

    def run(self, seconds):
        """Returns (executions, stability, errors)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self._executions()
        threads = [threading.Thread(target=self._run, args=(name, seconds)) for name in self.names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        executions = max(0, self._executions() - before)
        errors = []
        for name, status in self.statuses.items():
            if status not in (0, None) and not self.processes.stopping:
                said = last_line(self.folder / f"{name}.log")
                errors.append(f"{self.cell.name}: afl-fuzz {name} ended with {common.reason(status)}: {said}")
        if errors and not executions:
            self.forget()
        return executions, read_afl_stats(self.folder / "main")[1], errors

    def forget(self):
        """Begins anew with the shared corpus, where the folder can't be gone on with or has grown."""
        collect_inputs(self.cell)
        collect_findings(self.cell)
        shutil.rmtree(self.folder, ignore_errors=True)


def recover_corpus(cell):
    """After an end in the middle of a merge: the corpus as it was, or as it became."""
    corpus = fuzzing.corpus_of(cell)
    old = corpus.with_name(corpus.name + ".old")
    if not old.exists():
        return
    if not any(corpus.iterdir()):
        corpus.rmdir()
        old.rename(corpus)
    else:
        shutil.rmtree(old)


def corpus_size(corpus):
    sizes = [path.stat().st_size for path in corpus.iterdir()]
    return len(sizes), sum(sizes)


def merge_corpus(cell, processes):
    """Leaves the smallest inputs of a corpus that reach what all of it reaches; on any failure, all of it.
    Returns whether it was merged."""
    corpus, work = fuzzing.corpus_of(cell), work_of(cell)
    collect_inputs(cell)
    new = corpus.with_name(corpus.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    command = [cell.binary, *cell.arguments(), "-merge=1", f"-max_len={fuzzing.MAX_LENGTH}", "-detect_leaks=0",
               f"-rss_limit_mb={RSS_LIMIT_MB}", f"-artifact_prefix={work}/artifacts/", new, corpus]  # fmt: skip
    env = fuzzing.environment(TMPDIR=work / "tmp", **cell.variables())
    status = processes.run(command, MERGE_SECONDS, env, work / "merge.log")
    if status != 0 or not any(new.iterdir()):
        shutil.rmtree(new)
        return False
    old = corpus.with_name(corpus.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    corpus.rename(old)
    new.rename(corpus)
    shutil.rmtree(old)
    shutil.rmtree(afl_of(cell), ignore_errors=True)  # its queue is in the corpus, its crashes are kept
    return True


def is_large(cell):
    files, size = corpus_size(fuzzing.corpus_of(cell))
    return files > CORPUS_FILES or size > CORPUS_BYTES
