"""Inputs that fail become findings: told apart by kind and stack, minimised, kept.

A finding is a folder in fuzz/out/findings. It appears whole, by a rename, and the engine's input is deleted only
after that: whenever this is interrupted, what was found is in one place or the other.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from . import common, fuzzing

INPUTS_PER_KIND = 5
FRAMES = 3  # of the stack, that tell two crashes of one kind apart
RUN_SECONDS = 60
MINIMISE_SECONDS = 900
ERROR = re.compile(
    r"finding: |ERROR: (Address|UndefinedBehavior)Sanitizer|AddressSanitizer: CHECK failed|runtime error: |heapyard: .*must be|ERROR: libFuzzer: (timeout|out-of-memory|deadly signal)"
)
FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-f]+ +(?:in (\S+)|\((\S+\+0x[0-9a-f]+)\))", re.MULTILINE)
# Frames of the run-time libraries, of how a program ends, and of all runs alike.
NOT_TELLING = re.compile(r"_*(asan|ubsan|sanitizer|interceptor|lsan|libc_start|GI)_|_start$|(abort|raise|gsignal|main|mem\w+|malloc|free|calloc|realloc)$|fuzzer::")
BELOW = re.compile(r"hy_interpret|hy_target_run|LLVMFuzzer|run_inputs|run_once")
_keeping = threading.Lock()


@dataclass(frozen=True)
class Finding:
    cell: fuzzing.Cell
    line: str  # the message that reported it
    folder: Path  # with input, seed.txt and reproducer.c
    is_new: bool = True


def _slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def kind_of(line):
    """A name for the kind of bug: the finding's line without numbers, so that equal bugs have equal names."""
    line = re.sub(r"==\d+==", "", line)
    line = re.sub(r" \(row .*", "", line)
    line = re.sub(r"0x[0-9a-f]+|\d+|\(nil\)", "", line)
    return _slug(line.replace("finding: ", "").replace("ERROR: ", "")) or "crash"


def stack_of(text):
    """The functions of the first stack in a sanitizer's report that say where it was, innermost first."""
    found = []
    for line in text.splitlines():
        frame = FRAME.match(line)
        if not frame:
            if found:
                break
            continue
        name = frame[1] or frame[2].rsplit("/", 1)[-1]
        if BELOW.match(name):
            break
        if not NOT_TELLING.match(name):
            found.append(name)
    return found[:FRAMES]


def error_in(text):
    """The first error line in a run's output; "" where there is none."""
    return next((line.strip() for line in text.splitlines() if ERROR.search(line)), "")


def error_in_log(log):
    """The first error line of a fuzzer's log, for an input that does not fail by itself."""
    with contextlib.suppress(OSError):
        return error_in(Path(log).read_text(errors="replace")) or "it fails in the fuzzer, not by itself"
    return "it fails in the fuzzer, not by itself"


def run_once(cell, path, symbolize=0):
    """What the fuzzer prints about one input; "" where the input is good."""
    known = fuzzing.known_of(cell)
    env = fuzzing.environment(**({"HEAPYARD_KNOWN": known} if known.exists() else {}))
    env["ASAN_OPTIONS"] = env["ASAN_OPTIONS"].replace("symbolize=0", f"symbolize={symbolize}")
    env["UBSAN_OPTIONS"] = f"print_stacktrace={symbolize}:symbolize={symbolize}"
    command = [cell.binary, *cell.arguments(), f"-timeout={fuzzing.HANG_SECONDS}", "-detect_leaks=0", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=env, timeout=RUN_SECONDS, cwd=fuzzing.OUT)
    except subprocess.TimeoutExpired:
        return f"ERROR: libFuzzer: timeout: it runs for more than {RUN_SECONDS} s"
    return done.stderr if done.returncode != 0 else ""


def signature(cell, path, log):
    """(the line that reports it, its name): equal names are the same bug. An oracle's finding is known by what
    it says; what a sanitizer or a signal ended, by its stack too."""
    line = error_in(run_once(cell, path))
    if not line:
        return "", kind_of(error_in_log(log))
    kind = kind_of(line)
    if "finding: " in line:
        return line, kind
    frames = stack_of(run_once(cell, path, symbolize=1))
    stack = hashlib.sha1(" ".join(frames).encode()).hexdigest()[:6] if frames else ""
    return line, "-".join(part for part in (kind, stack) if part)


def minimise(cell, path, folder, known=None):
    """Minimises an input into folder/seed.txt and folder/reproducer.c. known: a file of findings to pass over.
    Returns (status, standard error)."""
    passed = [f"--known={known}"] if known and known.exists() else []
    command = [cell.binary, "minimise", *cell.arguments(), *passed, f"--c={folder}/reproducer.c", f"--seed={folder}/seed.txt", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=fuzzing.environment(), timeout=MINIMISE_SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"minimising took more than {MINIMISE_SECONDS} s"
    return done.returncode, done.stderr.strip()


def _sync(folder):
    """Makes what is in a folder last, and its names."""
    for path in [*(path for path in folder.iterdir() if path.is_file()), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _add_input(folder, artifact):
    """Another input of a known finding, as long as there are few."""
    data = artifact.read_bytes()
    target = folder / "inputs" / hashlib.sha1(data).hexdigest()
    if data == (folder / "input").read_bytes() or target.exists():
        return
    if not target.parent.exists() or sum(1 for _ in target.parent.iterdir()) < INPUTS_PER_KIND:
        with common.atomic_write(target, "wb") as out:
            out.write(data)


def remove_unfinished():
    """Removes folders that never became findings; their inputs are where the engines put them."""
    for path in (fuzzing.OUT / "findings").glob(".new-*"):
        shutil.rmtree(path, ignore_errors=True)


def _new_folder(cell, artifact, line, folder):
    """Fills a folder beside the one that it becomes; returns the finding's line."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
        new = Path(scratch) / "finding"
        new.mkdir()
        shutil.copyfile(artifact, new / "input")
        known = fuzzing.known_of(cell)
        if cell.skips_known and known.exists():
            shutil.copyfile(known, new / "known.txt")
        if cell.preload:
            (new / "preload.txt").write_text(f"{cell.preload}\n")
        status, output = minimise(cell, artifact, new, new / "known.txt")
        past = b"" if status == common.Exit.CONFIRMED else fuzzing.read_past(fuzzing.counts_of(cell))
        if past:  # it may fail after what was run before it
            (new / "past").write_bytes(past)
            status, output = minimise(cell, new / "past", new, new / "known.txt")
            (new / "past").rename(new / "input") if status == common.Exit.CONFIRMED else (new / "past").unlink()
        if status == common.Exit.CONFIRMED and output:
            line = output.splitlines()[0]
        (new / "finding.txt").write_text(f"{cell.prop}\t{cell.row}\t{line}\n")
        _sync(new)
        os.rename(new, folder)
        _sync(folder.parent)
    return line


def keep_finding(cell, artifact, log):
    """Keeps an engine's input as a finding, or as one more input of a finding that is known, and deletes it."""
    line, kind = signature(cell, artifact, log)
    folder = fuzzing.OUT / "findings" / f"{_slug(cell.name)}-{kind}"
    with _keeping:  # two engines may find the same bug at the same time
        is_new = not (folder / "finding.txt").exists()
        if is_new:
            line = _new_folder(cell, artifact, line or error_in_log(log), folder)
        else:
            _add_input(folder, artifact)
            line = (folder / "finding.txt").read_text().rstrip("\n").split("\t", 2)[2]
    artifact.unlink(missing_ok=True)
    return Finding(cell, line, folder, is_new)


def print_reproducer(finding, say=print):
    """Prints the finding, its calls as a seed and as C, and the command that reproduces it."""
    text = [f"\nFOUND by {finding.cell.name}: {finding.line}"]
    seed, program = finding.folder / "seed.txt", finding.folder / "reproducer.c"
    if seed.exists():
        text += ["\nin words (a seed):\n", seed.read_text().rstrip()]
    if program.exists():
        source = program.read_text()
        is_program = "int main(void)" in source  # schedules have no program of one thread
        if is_program:
            text += ["\nas a C program (its calls; the whole file compiles alone):\n", source[source.index("int main(void)") :].rstrip()]
        elif source.strip("=\n"):  # what a sanitizer says before its report is a line of these
            text += ["\nstep by step:\n", source.rstrip()]
        text.append(f"\n  {fuzzing.shown(program)}")
    cell = finding.cell
    plugin = f" --plugin {cell.plugin}" if cell.plugin else f" --preload {cell.preload}" if cell.preload else ""
    where = fuzzing.shown(finding.folder / "input")
    text.append(f"  scripts/fuzz --reproduce {where}{plugin}")
    if not cell.preload:
        text.append(f"  scripts/fuzz --keep {where} --name WHAT_WAS_WRONG   # once it is fixed: a regression test")
    say("\n".join(text))


# Words of findings that are answers of a malloc library's choice, where the C standard leaves it one or programs seldom
# look; all others break what a program relies on.
CHOICES = (
    (r"finding: errno: ", "errno is set otherwise"),
    (r"finding: align: a small block", "small blocks are aligned less"),
    (r"finding: align: a block of no bytes", "blocks of no bytes are aligned less"),
    (r"of no bytes at an alignment gave no block", "a block of 0 bytes is none"),
    (r"finding: answer: .* of a block to 0 bytes gave a block", "realloc to 0 keeps a block"),
    (r"finding: answer: (aligned_alloc|memalign|posix_memalign) served .* at (no power of two|0)", "a strange alignment is served"),
    (r"finding: usable: .* of pvalloc's", "pvalloc does not round up"),
)  # fmt: skip


def choice_of(line):
    """What a library's finding is a choice about; "" where it is none."""
    return next((what for pattern, what in CHOICES if re.search(pattern, line)), "")


def table(found):
    """A line for each kind that was found: what is broken first, then what is chosen otherwise."""
    order = sorted(found, key=lambda finding: (bool(choice_of(finding.line)), finding.cell.name, finding.line))
    lines = []
    for finding in order:
        program = finding.folder / "reproducer.c"
        shown = fuzzing.shown(program if program.exists() else finding.folder / "input")
        said = re.sub(r" \(row .*", "", finding.line).replace("finding: ", "")
        lines.append(f"  {choice_of(finding.line) or 'BROKEN':<36} {finding.cell.row:<16} {said}\n  {'':<36} {shown}")
    return "\n".join(lines)
