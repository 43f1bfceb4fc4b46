"""What the fuzzing scripts share: builds, cells (property × row), one hunt, and keeping of findings."""

import difflib
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from . import common

OUT = common.ROOT / "fuzz" / "out"
CORPORA = [common.ROOT / "corpus" / "seeds", common.ROOT / "corpus" / "regressions"]
MAX_LENGTH = 512  # bytes of an input: a few hundred operations
HANG_SECONDS = 10
SANITIZER_OPTIONS = "quarantine_size_mb=1:malloc_context_size=4:allocator_may_return_null=1:detect_stack_use_after_return=0"


@dataclass(frozen=True)
class Cell:
    """A property over a row ("-" where it needs none), the fuzzer that can run it, and the plugin that has the
    row, as LABEL=PATH."""

    prop: str
    row: str
    binary: Path
    plugin: str = ""

    @property
    def name(self):
        return self.prop if self.row == "-" else f"{self.prop} {self.row}"

    @property
    def folder(self):
        return Path(self.prop) / (self.row if self.row != "-" else "once")

    def arguments(self):
        plugin = [f"--plugin={self.plugin}"] if self.plugin else []
        return [*plugin, f"--property={self.prop}", *([f"--row={self.row}"] if self.row != "-" else [])]


@dataclass
class Listing:
    """The rows, properties and cells of a build of the fuzzer."""

    rows: dict = field(default_factory=dict)  # name -> what to install, or ""
    properties: dict = field(default_factory=dict)  # name -> rows, once or must_fail
    cells: list = field(default_factory=list)  # (property, row)


@dataclass
class Hunt:
    """The result of fuzzing one cell."""

    cell: Cell
    executions: int = 0
    operations: int = 0
    findings: list = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True)
class Finding:
    cell: Cell
    line: str  # the message that reported it
    folder: Path  # with input, seed.txt and reproducer.c


def environment(**extra):
    """The environment of all engines. The tunable reserves static thread-local storage, of which jemalloc needs
    more than a library loaded by dlopen gets by default."""
    return os.environ | {
        "ASAN_OPTIONS": SANITIZER_OPTIONS + ":symbolize=0",
        "UBSAN_OPTIONS": "print_stacktrace=0",
        "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192",
    } | {name: str(value) for name, value in extra.items()}


def read_listing(binary, plugin=None):
    """The listing of a build; with a plugin, only the plugin's rows."""
    listing = Listing()
    command = [binary, "list", *([f"--plugin={plugin}"] if plugin else [])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    if done.returncode == common.Exit.USAGE:
        raise common.usage_error(done.stderr.strip())
    if done.returncode != 0:
        raise common.Failure(common.Exit.HARNESS, f"{binary} list failed: {done.stderr.strip()}")
    for line in done.stdout.splitlines():
        kind, *fields = line.split("\t")
        if kind == "row":
            listing.rows[fields[0]] = fields[2]
        elif kind == "property":
            listing.properties[fields[0]] = fields[1]
        elif kind == "cell":
            listing.cells.append(tuple(fields))
    return listing


def fuzzer(preset="fuzz"):
    return common.build(preset, "heapyard-fuzz") / "fuzz" / "heapyard-fuzz"


def replayer(preset="fuzz"):
    """The program that runs single inputs: the fuzzer, or the replayer where clang is not installed."""
    if shutil.which("clang-14"):
        return fuzzer(preset)
    preset = preset.replace("fuzz", "replay")
    print(f"clang-14 is not here (scripts/bootstrap fuzz): replaying with the build {preset} of the default compiler", flush=True)
    return common.build(preset, "heapyard-replay") / "fuzz" / "heapyard-replay"


def _names(text):
    return [name for name in re.split(r"[,\s]+", text or "") if name]


def _known(wanted, known, kind):
    for name in wanted:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, 0)
        raise common.usage_error(f"no {kind} {name}" + (f"; did you mean {near[0]}?" if near else ""))


def choose_cells(allocators=None, properties=None, sanitized=False, plugin=None, binary=None, build=None):
    """The cells that the filters choose. Rows that the build with sanitizers lacks are run by the one without,
    unless `sanitized`; a must-fail property is chosen only by name. With a plugin (LABEL=PATH), only its rows.
    build: fuzzer or replayer."""
    build = build or fuzzer
    binary = binary or build()
    listing = read_listing(binary, plugin)
    rows, wanted = _names(allocators), _names(properties)
    if plugin and not rows:
        rows = [name for name, missing in listing.rows.items() if not missing]
    _known(rows, listing.rows, "allocator")
    _known(wanted, listing.properties, "property")
    needs_plain = not sanitized and not plugin and any(missing and (not rows or name in rows) for name, missing in listing.rows.items())
    plain = read_listing(plain_binary := build("fuzz-plain")) if needs_plain else None
    for name in rows:
        missing = listing.rows[name] and (plain.rows[name] if plain else listing.rows[name])
        if missing:
            raise common.usage_error(f"{name} is not in this build: {missing}")

    cells = []
    for prop, kind in listing.properties.items():
        if wanted and prop not in wanted or not wanted and kind == "must_fail":
            continue
        if kind == "once" or kind == "must_fail":
            cells.append(Cell(prop, "-", binary))
        cells += [Cell(prop, row, binary, plugin or "") for p, row in listing.cells if p == prop and (not rows or row in rows)]
        if plain:
            ours = {row for p, row in listing.cells if p == prop}
            cells += [
                Cell(prop, row, plain_binary)
                for p, row in plain.cells
                if p == prop and row not in ours and (not rows or row in rows)
            ]
    if rows:
        cells = [cell for cell in cells if cell.row != "-" or wanted]
    return cells


def assemble_seeds(binary):
    """Assembles the committed corpus to inputs in fuzz/out/seeds; returns the folder."""
    folder = OUT / "seeds"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for corpus in CORPORA:
        for source in sorted(corpus.rglob("*.txt")):
            target = folder / "-".join(source.relative_to(corpus).with_suffix("").parts)
            done = subprocess.run([binary, "assemble", source, target], capture_output=True, text=True, env=environment())
            if done.returncode != 0:
                raise common.usage_error(done.stderr.strip())
        for source in sorted(corpus.rglob("*.calls")):  # the language is what the fuzzer reads
            shutil.copyfile(source, folder / "-".join(source.relative_to(corpus).parts))
    return folder


def corpus_of(cell):
    folder = OUT / "corpus" / cell.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_counts(path):
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return 0, 0
    return struct.unpack("QQ", data[:16]) if len(data) >= 16 else (0, 0)


class Processes:
    """The processes that this run has started, so that an interrupt can end them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = set()
        self.stopping = False

    def run(self, command, seconds, env, log):
        """Runs to the end or for `seconds`, in a process group of its own; returns the exit status, None
        where it was stopped."""
        with open(log, "wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=env, cwd=OUT, start_new_session=True)
            with self._lock:
                self._running.add(process)
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._end(process)
                return None
            finally:
                with self._lock:
                    self._running.discard(process)

    @staticmethod
    def _end(process):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(3)
                return
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                process.wait()
                return

    def stop(self):
        self.stopping = True
        with self._lock:
            running = list(self._running)
        for process in running:
            self._end(process)


def libfuzzer_command(cell, seconds, artifacts, seeds, corpus, chance=0):
    """chance: the seed of the fuzzer's choices; 0: a random one."""
    return [
        cell.binary, *cell.arguments(), f"-max_total_time={max(1, round(seconds))}", f"-max_len={MAX_LENGTH}",
        f"-seed={chance}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=1024", "-detect_leaks=0", "-print_final_stats=1", "-reload=1",
        f"-artifact_prefix={artifacts}/", corpus, seeds,
    ]  # fmt: skip


def hunt(cell, seconds, seeds, processes, log_folder=None, chance=0):
    """Runs libFuzzer on a cell; a crash ends it early."""
    work = OUT / "work" / cell.folder
    shutil.rmtree(work, ignore_errors=True)
    artifacts = work / "artifacts"
    artifacts.mkdir(parents=True)
    log, counts = (log_folder or work) / "log.txt", work / "counts"
    command = libfuzzer_command(cell, seconds, artifacts, seeds, corpus_of(cell), chance)
    status = processes.run(command, seconds + 60, environment(HEAPYARD_COUNTS=counts), log)
    result = Hunt(cell, *read_counts(counts))
    for artifact in sorted(artifacts.iterdir()):
        if not artifact.name.startswith("slow-unit"):
            result.findings.append(keep_finding(cell, artifact, log))
    if status != 0 and not result.findings and not processes.stopping:
        tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
        result.error = f"{cell.name}: the fuzzer ended with {status}: {tail[0]}"
    return result


def _slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def kind_of(line):
    """A name for the kind of bug: the finding's line without numbers, so that equal bugs have equal names."""
    line = re.sub(r"==\d+==", "", line)
    line = re.sub(r" \(row .*", "", line)
    line = re.sub(r"0x[0-9a-f]+|\d+|\(nil\)", "", line)
    return _slug(line.replace("finding: ", "").replace("ERROR: ", "")) or "crash"


def error_in_log(log):
    """The first error line of a fuzzer's log, for an input that does not fail by itself."""
    for line in Path(log).read_text(errors="replace").splitlines():
        if re.search(r"finding: |ERROR: AddressSanitizer|AddressSanitizer: CHECK failed|runtime error: |heapyard: .*must be|ERROR: libFuzzer: (timeout|out-of-memory)", line):
            return line.strip()
    return "it fails in the fuzzer, not by itself"


def minimise(cell, path, folder):
    """Minimises an input into folder/seed.txt and folder/reproducer.c. Returns (status, standard error)."""
    command = [cell.binary, "minimise", *cell.arguments(), f"--c={folder}/reproducer.c", f"--seed={folder}/seed.txt", path]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment())
    return done.returncode, done.stderr.strip()


def keep_finding(cell, artifact, log):
    """Minimises an artifact and stores it in a folder named by cell and kind, so that equal bugs share one."""
    scratch = OUT / "work" / cell.folder / "minimised"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    status, output = minimise(cell, artifact, scratch)
    line = output.splitlines()[0] if status == 3 and output else error_in_log(log)
    folder = OUT / "findings" / f"{_slug(cell.name)}-{kind_of(line)}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("seed.txt", "reproducer.c"):
        if (scratch / name).exists():
            shutil.copy(scratch / name, folder / name)
    shutil.copy(artifact, folder / "input")
    (folder / "finding.txt").write_text(f"{cell.prop}\t{cell.row}\t{line}\n")
    return Finding(cell, line, folder)


def print_reproducer(finding):
    """Prints the finding, its calls as a seed and as C, and the command that reproduces it."""
    print(f"\nFOUND by {finding.cell.name}: {finding.line}")
    seed, program = finding.folder / "seed.txt", finding.folder / "reproducer.c"
    if seed.exists():
        print("\nas a seed (to be committed in corpus/regressions/ once it is fixed):\n")
        print(seed.read_text().rstrip())
    if program.exists():
        text = program.read_text()
        if "int main(void)" in text:
            print("\nas a C program (its calls; the whole file compiles alone):\n")
            print(text[text.index("int main(void)") :].rstrip())
        else:
            print("\nin words:\n")
            print(text.rstrip())
        print(f"\n  {program.relative_to(common.ROOT)}")
    plugin = f" --plugin {finding.cell.plugin}" if finding.cell.plugin else ""
    print(f"  scripts/fuzz --reproduce {(finding.folder / 'input').relative_to(common.ROOT)}{plugin}", flush=True)
