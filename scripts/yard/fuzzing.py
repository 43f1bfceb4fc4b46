"""What the fuzzing scripts share: builds, cells (property × row), seeds and processes."""

import contextlib
import difflib
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from . import common, preloads

OUT = common.ROOT / "fuzz" / "out"
CORPORA = [common.ROOT / "corpus" / "seeds", common.ROOT / "corpus" / "regressions"]
MAX_LENGTH = 512  # bytes of an input: a few hundred operations
HANG_SECONDS = 10
LIST_SECONDS = 60
SANITIZER_OPTIONS = "quarantine_size_mb=1:malloc_context_size=4:allocator_may_return_null=1:detect_stack_use_after_return=0"


@dataclass(frozen=True)
class Cell:
    """A property over a row ("-" where it needs none), the fuzzer that can run it, and where the row is from: a
    plugin, as LABEL=PATH, or a malloc library, as NAME=PATH."""

    prop: str
    row: str
    binary: Path
    plugin: str = ""
    preload: str = ""
    skips_known: bool = False  # the property goes on behind findings of kinds that are known

    @property
    def name(self):
        return self.prop if self.row == "-" else f"{self.prop} {self.row}"

    @property
    def folder(self):
        return Path(self.prop) / (self.row if self.row != "-" else "once")

    def arguments(self):
        plugin = [f"--plugin={self.plugin}"] if self.plugin else []
        preload = [f"--preload={self.preload}"] if self.preload else []
        return [*plugin, *preload, f"--property={self.prop}", *([f"--row={self.row}"] if self.row != "-" else [])]

    def variables(self):
        """The same in the environment, for engines that own the command line."""
        given = {"HEAPYARD_PROPERTY": self.prop}
        if self.plugin:
            given["HEAPYARD_PLUGIN"] = self.plugin
        if self.preload:
            given["HEAPYARD_PRELOAD"] = self.preload
        if self.row != "-":
            given["HEAPYARD_ROW"] = self.row
        return given


@dataclass
class Listing:
    """The rows, properties and cells of a build of the fuzzer."""

    rows: dict = field(default_factory=dict)  # name -> what to install, or ""
    properties: dict = field(default_factory=dict)  # name -> rows, once or must_fail
    cells: list = field(default_factory=list)  # (property, row)
    skips_known: set = field(default_factory=set)  # properties


def environment(**extra):
    """The environment of all engines. The tunable reserves static thread-local storage, of which jemalloc needs
    more than a library loaded by dlopen gets by default."""
    return os.environ | {
        "ASAN_OPTIONS": SANITIZER_OPTIONS + ":symbolize=0",
        "UBSAN_OPTIONS": "print_stacktrace=0",
        "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192",
    } | {name: str(value) for name, value in extra.items()}


def read_listing(binary, plugin=None, preload=None):
    """The listing of a build; with a plugin or a malloc library, only its rows."""
    listing = Listing()
    command = [binary, "list", *([f"--plugin={plugin}"] if plugin else []), *([f"--preload={preload}"] if preload else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment(), timeout=LIST_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise common.Failure(common.Exit.NOTHING_MEASURED, f"{preload or plugin or binary}: hung: could not be listed within {LIST_SECONDS} s") from error
    except OSError as error:
        raise common.usage_error(f"{binary} is no fuzzer: {error.strerror}; make fuzz builds one") from error
    if done.returncode == common.Exit.USAGE:
        raise common.usage_error(done.stderr.strip())
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        if preload:
            raise common.Failure(common.Exit.NOTHING_MEASURED, f"--preload {preload}: no process can run on it ({common.reason(done.returncode)}): {said}")
        raise common.Failure(common.Exit.NOTHING_MEASURED, f"{binary} can't start ({common.reason(done.returncode)}): {said}")
    for line in done.stdout.splitlines():
        kind, *fields = line.split("\t")
        if kind == "row":
            listing.rows[fields[0]] = fields[2]
        elif kind == "property":
            listing.properties[fields[0]] = fields[1]
        elif kind == "skips_known":
            listing.skips_known.add(fields[0])
        elif kind == "cell":
            listing.cells.append(tuple(fields))
    if not listing.properties:
        raise common.usage_error(f"{binary} is no fuzzer: its list has no property; make fuzz builds one")
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
        skips = prop in listing.skips_known
        if kind == "once" or kind == "must_fail":
            cells.append(Cell(prop, "-", binary, skips_known=skips))
        cells += [
            Cell(prop, row, binary, plugin or "", skips_known=skips)
            for p, row in listing.cells
            if p == prop and (not rows or row in rows)
        ]
        if plain:
            ours = {row for p, row in listing.cells if p == prop}
            cells += [
                Cell(prop, row, plain_binary, skips_known=skips)
                for p, row in plain.cells
                if p == prop and row not in ours and (not rows or row in rows)
            ]
    if rows:
        cells = [cell for cell in cells if cell.row != "-" or wanted]
    return cells


def choose_preloaded_cells(libraries, allocators=None, properties=None, binary=None, build=None):
    """The cells of malloc libraries (preloads.Preload) and of nothing else, by the build without sanitizers, whose
    malloc would be another. A name may be no row's of ours, whose corpora and findings have names alike."""
    binary = binary or (build or fuzzer)("fuzz-plain")
    preloads.check_names(libraries, read_listing(binary).rows)
    listings = {library: read_listing(binary, preload=library.argument) for library in libraries}
    rows, wanted = _names(allocators), _names(properties)
    _known(rows, [row for listing in listings.values() for row in listing.rows], "allocator")
    _known(wanted, next(iter(listings.values())).properties, "property")
    return [
        Cell(prop, row, binary, preload=library.argument, skips_known=prop in listing.skips_known)
        for library, listing in listings.items()
        for prop, row in listing.cells
        if (not rows or row in rows) and (not wanted or prop in wanted)
    ]


def assemble_seeds(binary):
    """Assembles the committed corpus to inputs in fuzz/out/seeds; returns the folder."""
    folder = OUT / "seeds"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pairs = []
    for corpus in CORPORA:
        for source in sorted(corpus.rglob("*.txt")):
            pairs += [source, folder / "-".join(source.relative_to(corpus).with_suffix("").parts)]
        for source in sorted(corpus.rglob("*.calls")):  # the language is what the fuzzer reads
            shutil.copyfile(source, folder / "-".join(source.relative_to(corpus).parts))
    done = subprocess.run([binary, "assemble", *pairs], capture_output=True, text=True, env=environment())
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [common.reason(done.returncode)]
        raise common.usage_error(f"the corpus has a damaged seed: {said[0]}")
    return folder


def empty_seeds():
    """A folder for hunts that begin with nothing: libFuzzer wants one input, which may be a blank."""
    folder = OUT / "seeds"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "blank").write_bytes(b"\n")
    return folder


def shown(path):
    """A path as it is said: from the project's folder where it is inside."""
    return str(path.relative_to(common.ROOT)) if path.is_relative_to(common.ROOT) else str(path)


def corpus_of(cell):
    folder = OUT / "corpus" / cell.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def counts_of(cell):
    """What libFuzzer's process counts in."""
    return OUT / "work" / cell.folder / "counts"


def known_of(cell):
    """The findings that a hunt on the cell passes over, a line each."""
    return OUT / "work" / cell.folder / "known.txt"


def read_counts(path):
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return 0, 0
    return struct.unpack("QQ", data[:16]) if len(data) >= 16 else (0, 0)


def read_input(path):
    """The input that a process ran last, out of its file of counts; None: it ran none."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < 24 or not any(data[:8]):
        return None
    return data[24 : 24 + struct.unpack("Q", data[16:24])[0]]


INPUT_BYTES, PAST_BYTES = 512, 1 << 20  # of the file of counts (fuzz/target.h)


def read_past(path):
    """All inputs that a process ran, as one, out of its file of counts; b"" where the property has no such thing."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return b""
    start = 24 + INPUT_BYTES + 8
    if len(data) < start + PAST_BYTES:
        return b""
    size, past = struct.unpack("Q", data[start - 8 : start])[0], data[start : start + PAST_BYTES]
    return past[:size] if size <= PAST_BYTES else past[size % PAST_BYTES :] + past[: size % PAST_BYTES]


def with_fixed_layout(command):
    """The command for a program with ThreadSanitizer, whose shadow needs a process layout that kernels with much address
    randomisation break. Where that can't be had, as in some containers, the program says itself if it can't start."""
    launcher = ["setarch", platform.machine(), "-R"]
    can = shutil.which("setarch") and subprocess.run([*launcher, "true"], capture_output=True).returncode == 0
    return [*(launcher if can else []), *map(str, command)]


def bound_to_parent(command):
    """The command, ended with the process that starts it, however that one ends."""
    return ["setpriv", "--pdeathsig", "TERM", *command] if shutil.which("setpriv") else command


class Processes:
    """The processes that this run has started, so that an interrupt can end them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = set()
        self.stopping = False

    def run(self, command, seconds, env, log):
        """Runs to the end or for `seconds`, in a process group of its own, of which nothing is left then; returns
        the exit status, None where it was stopped. The log is appended to, so that others can cut it."""
        Path(log).unlink(missing_ok=True)
        with open(log, "ab") as output:
            with self._lock:
                if self.stopping:
                    return None
                process = subprocess.Popen(bound_to_parent(command), stdout=output, stderr=output, env=env, cwd=OUT, start_new_session=True)
                self._running.add(process)
            try:
                status = process.wait(seconds)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # AFL++ may leave a target behind, stopped
                return status
            except subprocess.TimeoutExpired:
                self._end(process)
                return None
            finally:
                with self._lock:
                    self._running.discard(process)

    @staticmethod
    def _end(process):
        """Ends a process and its group: first so that it can finish what it writes."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
                os.killpg(process.pid, number)
                process.wait(3)
        process.wait()

    def stop(self):
        with self._lock:
            self.stopping = True
            running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in running:
            self._end(process)
