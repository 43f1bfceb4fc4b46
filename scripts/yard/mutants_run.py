"""Measures who finds a mutant: the committed corpus, fuzzing from an empty corpus, real threads under
ThreadSanitizer, the unit tests.

Each is a process with HEAPYARD_MUTANT set, in the copy that mutants_tree.py builds. What a process says is read
for the oracle that told.
"""

import hashlib
import itertools
import json
import math
import os
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import common, engines, fuzzing, shape

OUT = fuzzing.OUT / "mutants"
RESULTS = OUT / "results.jsonl"
REPLAY_SECONDS = 20  # of one row's corpus, else it hangs
TEST_SECONDS = 120
THREADS_SECONDS = 4  # of one row
GLANCE = 2000  # executions of a first look: most of what is found needs no more
WAYS = ("corpus", "fuzz", "threads", "tests")
ALONE = "alone"  # the corpus once more, without the oracle that told
# What an empty corpus has: libFuzzer gives up where its own empty input reaches no instrumented code.
START = b"0\n"


@dataclass
class Outcome:
    """One measurement of one mutant. way: one of WAYS, or ALONE; limit: the seconds that fuzzing was given; without:
    the oracle that was off; yard: which corpus and fuzzer looked."""

    mutant: str
    digest: str
    way: str
    seed: int = 0
    limit: float = 0
    killed: bool = False
    oracle: str = ""
    where: str = ""  # the cell or the test that told
    line: str = ""
    seconds: float = 0
    executions: int = 0
    without: str = ""
    yard: str = ""


def oracle_of(text):
    """Which oracle a failing process's words come from, and the line that says so; ("", "") for none."""
    patterns = (
        (r"finding: ([\w-]+):.*", None),
        (r".*ERROR: LeakSanitizer.*", "lsan"),
        (r".*ERROR: AddressSanitizer.*", "asan"),
        (r".*WARNING: ThreadSanitizer.*", "race"),
        (r".*AddressSanitizer: CHECK failed.*", "asan"),
        (r".*runtime error: .*", "ubsan"),
        (r"heapyard: .*", "check"),
        (r".*libFuzzer: timeout.*", "hang"),
        (r".*libFuzzer: out-of-memory.*", "memory"),
        (r"FOUND .*\n.*", "crash"),
        (r".*libFuzzer: deadly signal.*", "crash"),
    )  # fmt: skip
    for pattern, name in patterns:
        found = re.search(rf"^[ ]*{pattern}$", text, re.MULTILINE)
        if found:
            return name or found.group(1), found.group(0).strip()[-300:]
    return "", ""


@dataclass
class Yard:
    """What measures: the programs of the mutated copy."""

    fuzzer: Path
    seeds: Path
    listing: fuzzing.Listing
    tests: Path = None  # the debug build's folder
    threads: Path = None  # heapyard-threads under ThreadSanitizer
    tree: Path = None
    words: dict = field(default_factory=dict)  # the first word of a finding -> its oracle
    digest: str = ""  # of the corpus and of what looks
    processes: fuzzing.Processes = field(default_factory=fuzzing.Processes)

    def cells(self, mutant):
        """What can find it: each property over its rows, and those without a row that it names."""
        chosen = [fuzzing.Cell(prop, row, self.fuzzer) for row in mutant.rows for prop, own in self.listing.cells if own == row]
        once = [fuzzing.Cell(row, "-", self.fuzzer) for row in mutant.rows if self.listing.properties.get(row) == "once"]
        return chosen + once


def environment(mutant, **extra):
    return fuzzing.environment(HEAPYARD_MUTANT=mutant.number if mutant else 0, **extra)


def _process(yard, command, seconds, env):
    """Runs to its end; (status or None where it hung, what it said, seconds)."""
    with tempfile.NamedTemporaryFile(dir=OUT, suffix=".log") as log:
        start = time.monotonic()
        status = yard.processes.run([str(word) for word in command], seconds, env, log.name)
        return status, Path(log.name).read_text(errors="replace"), time.monotonic() - start


def _told(yard, status, said):
    """Which oracle ended a process, and its line; ("", "") where none did."""
    if status == common.Exit.GOOD:
        return "", ""
    if status is None:
        return "hang", "no end in time"
    told, line = oracle_of(said)
    if status in (common.Exit.USAGE, common.Exit.NOTHING_MEASURED) or status == common.Exit.HARNESS and not told:
        last = said.strip().splitlines()[-1:] or ["no output"]
        raise common.Failure(common.Exit.HARNESS, f"{yard.fuzzer} can't run: {last[0]}")
    return yard.words.get(told, told) or "crash", line or common.reason(status)


def oracle_words(tree):
    """The first words of findings, by the oracle or property that says them."""
    words = {}
    for path in [*(tree / "fuzz").glob("oracles/*.c"), *(tree / "fuzz").glob("properties/*.c")]:
        for word in re.findall(r'hy_finding\(\s*"([\w-]+)"', path.read_text()):
            words.setdefault(word, path.stem)
    return words


def replay(yard, mutant, cell, without=""):
    """The committed corpus on one cell. without: an oracle that is off."""
    command = [yard.fuzzer, "run", *cell.arguments(), yard.seeds]
    switched = {"HEAPYARD_ORACLES": f"-{without}"} if without else {}
    status, said, seconds = _process(yard, command, REPLAY_SECONDS, environment(mutant, **switched))
    told, line = _told(yard, status, said)
    counted = re.search(r"^executions (\d+)", said, re.MULTILINE)
    return status != common.Exit.GOOD, told, line, seconds, int(counted.group(1)) if counted else 0


def by_corpus(yard, mutant, without=""):
    """All its cells until one finds it. without: an oracle that is off, to see whether any other tells."""
    outcome = Outcome(mutant.id, mutant.digest, ALONE if without else "corpus", without=without, yard=yard.digest)
    for cell in yard.cells(mutant):
        killed, told, line, seconds, executions = replay(yard, mutant, cell, without)
        outcome.seconds += seconds
        outcome.executions += executions
        if killed:
            outcome.killed, outcome.oracle, outcome.where, outcome.line = True, told, cell.name, line
            break
    return outcome


def by_fuzzing(yard, mutant, seconds, seed):
    """Its cells in turn from empty corpora, each for a glance, then for a second, for two, for four, until
    one finds it or the seconds are over. What a cell has found out it keeps until its next turn."""
    outcome = Outcome(mutant.id, mutant.digest, "fuzz", seed, seconds, yard=yard.digest)
    cells = yard.cells(mutant)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        for place in itertools.count():
            left = seconds - outcome.seconds
            if not cells or outcome.killed or left <= 0:
                return outcome
            turn, number = divmod(place, len(cells))
            length = min(2 ** max(turn - 1, 0), math.ceil(left))
            # The same choices twice would find the same again.
            hunt_once(yard, mutant, cells[number], Path(folder) / str(number), length, seed + 1000 * turn, outcome, -1 if turn else GLANCE)


def hunt_once(yard, mutant, cell, folder, seconds, chance, outcome, executions=-1):
    """Fuzzes one cell for some seconds, or executions if those are over earlier, and adds what came of it to
    the outcome. folder: keeps its corpus."""
    corpus, counts = folder / "corpus", folder / "counts"
    if not corpus.exists():
        corpus.mkdir(parents=True)
        (corpus / "start").write_bytes(START)
    counts.unlink(missing_ok=True)
    command = engines.libfuzzer_command(cell, seconds, folder, corpus, corpus, chance, executions=executions)
    status, said, spent = _process(yard, command, seconds + 30, environment(mutant, HEAPYARD_COUNTS=counts))
    outcome.seconds += spent
    outcome.executions += fuzzing.read_counts(counts)[0]
    if status != common.Exit.GOOD:
        outcome.killed, outcome.where = True, cell.name
        outcome.oracle, outcome.line = _told(yard, status, said)


def threads_command(program, row, seconds):
    return fuzzing.with_fixed_layout([program, f"--row={row}", f"--seconds={seconds}"])


def by_threads(yard, mutant):
    """Real threads over each of its rows that threads may share, under ThreadSanitizer."""
    outcome = Outcome(mutant.id, mutant.digest, "threads", yard=yard.digest)
    for row in mutant.rows:
        command = threads_command(yard.threads, row, THREADS_SECONDS)
        status, said, seconds = _process(yard, command, THREADS_SECONDS + 60, environment(mutant))
        if status == common.Exit.USAGE:  # no row for threads
            continue
        outcome.seconds += seconds
        if status != common.Exit.GOOD:
            outcome.killed, outcome.where = True, f"threads {row}"
            outcome.oracle, outcome.line = _told(yard, status, said)
            break
    return outcome


def test_programs(mutant, tree):
    """The unit tests that concern it: the entry's own, else those beside its file whose name begins alike."""
    noun = Path(mutant.file).stem
    folder = Path(mutant.file).parent
    if folder.name == "heapyard":
        found = [path for path in (tree / "allocators").rglob(f"{noun}_test.c")]
    else:
        found = list((tree / folder).glob(f"{noun}_test.c")) or list((tree / folder).glob(f"{noun.split('_')[0]}*_test.c"))
    return mutant.tests or sorted(path.stem for path in found)


def by_tests(yard, mutant):
    outcome = Outcome(mutant.id, mutant.digest, "tests", yard=yard.digest)
    for name in test_programs(mutant, yard.tree):
        found = [path for path in yard.tests.rglob(name) if path.is_file()]
        if not found:
            raise common.Failure(common.Exit.HARNESS, f"{mutant.id}: no test program {name} in {yard.tests}")
        # The tests of the malloc family ask to be told whose it is.
        status, said, seconds = _process(yard, [found[0]], TEST_SECONDS, environment(mutant, HY_TEST_MALLOC="heapyard"))
        outcome.seconds += seconds
        if status != 0:
            failed = re.search(r"^\[  FAILED  \] \w+.*", said, re.MULTILINE)
            outcome.killed, outcome.oracle, outcome.where = True, "test", name
            outcome.line = failed.group(0) if failed else common.reason(status, TEST_SECONDS)
            break
    return outcome


# ---- what is known already ----


_LINE = shape.fields(
    **dict.fromkeys(("mutant", "digest", "way", "oracle", "where", "line"), shape.is_text),
    killed=lambda value: isinstance(value, bool), seed=shape.is_count, limit=shape.is_number, seconds=shape.is_number,
    executions=shape.is_count, without=shape.TEXT_OR_NONE, yard=shape.TEXT_OR_NONE,
)  # fmt: skip


def read_results(path=None):
    """Every measurement made so far; a line that a kill cut off is left out."""
    outcomes = []
    path = path or RESULTS
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            try:
                read = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if _LINE(read) and set(read) <= set(Outcome.__dataclass_fields__):
                outcomes.append(Outcome(**read))
    return outcomes


def append_result(outcome, path=None):
    path = path or RESULTS
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as out:
        cut = out.seek(0, os.SEEK_END) and (out.seek(-1, os.SEEK_END), out.read(1))[1] != b"\n"
        out.write((b"\n" if cut else b"") + json.dumps(asdict(outcome)).encode() + b"\n")


def known(outcomes, mutants):
    """The last measurement by (mutant, way, seed), of mutants as they are now."""
    digests = {mutant.id: mutant.digest for mutant in mutants}
    return {(o.mutant, o.way, o.seed): o for o in outcomes if digests.get(o.mutant) == o.digest}


def is_done(outcome, limit, yard="", without=""):
    """Whether a measurement need not be made again. A survivor must of a shorter hunt, and of an earlier yard: its
    corpus or its oracles may have learned to find it."""
    if outcome is None or outcome.without != without:
        return False
    return outcome.killed or (outcome.limit >= limit and outcome.yard == yard)


# ---- many at once ----


def run_all(jobs, yard, at_a_time, progress, results=None):
    """Runs (function, arguments) jobs; each outcome is kept as soon as it is there."""
    outcomes = []
    with ThreadPoolExecutor(at_a_time) as pool:
        waiting = [pool.submit(function, yard, *arguments) for function, *arguments in jobs]
        try:
            for future in as_completed(waiting):
                outcome = future.result()
                append_result(outcome, results)
                outcomes.append(outcome)
                progress(outcome)
        except BaseException:
            for future in waiting:
                future.cancel()
            yard.processes.stop()
            raise
    return outcomes


def yard_digest(seeds, tree):
    """Of what looks for mutants: the corpus and the sources of the fuzzer."""
    digest = hashlib.sha256()
    sources = [path for path in (Path(tree) / "fuzz").rglob("*") if path.suffix in (".c", ".h", ".def", ".txt")]
    for path in sorted([*sources, *(path for path in Path(seeds).rglob("*") if path.is_file())]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def check_clean(yard, mutants):
    """Without a mutant nothing may be found, else every kill would mean nothing."""
    cells = {cell for mutant in mutants for cell in yard.cells(mutant)}
    for cell in sorted(cells, key=lambda c: c.name):
        killed, told, line, _, _ = replay(yard, None, cell)
        if killed:
            raise common.Failure(common.Exit.HARNESS, f"{cell.name}: the corpus finds something without a mutant: {told}: {line}")


def make_yard(tree, build, with_tests, with_threads=False):
    """Builds what measures. build: mutants_tree.build."""
    OUT.mkdir(parents=True, exist_ok=True)
    fuzzer = build("fuzz", "heapyard-fuzz") / "fuzz" / "heapyard-fuzz"
    listing = fuzzing.read_listing(fuzzer)
    seeds = fuzzing.assemble_seeds(fuzzer)
    tests = build("debug", *with_tests) if with_tests else None
    threads = build("tsan", "heapyard-threads") / "fuzz" / "heapyard-threads" if with_threads else None
    return Yard(fuzzer, seeds, listing, tests, threads, tree, oracle_words(tree), yard_digest(seeds, tree))
