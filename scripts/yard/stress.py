"""The property `threads` of a hunt: real threads share an instance of each row for threads, and ThreadSanitizer
judges what the processor made of it (fuzz/threads_main.c; preset tsan)."""

import re
import subprocess

from . import changes, common, findings, fuzzing

PROPERTY = "threads"
SHARE = 0.1  # of a hunt's seconds
LEAST_SECONDS = 3


def split(given):
    """(the properties that are left for the fuzzers, None for all, "" for none; whether threads are wanted)."""
    names = [name for name in re.split(r"[,\s]+", given.properties or "") if name]
    if not names:
        return None, not (given.plugin or given.preload or given.fuzzer)
    if PROPERTY in names and (given.plugin or given.preload):
        raise common.usage_error("the property threads takes no --plugin and no --preload: ThreadSanitizer needs their code compiled with it")
    return ",".join(name for name in names if name != PROPERTY), PROPERTY in names


def program():
    return common.build("tsan", "heapyard-threads") / "fuzz" / "heapyard-threads"


def rows_of(binary, allocators=None):
    """The rows for threads that the filter leaves."""
    done = subprocess.run(fuzzing.with_fixed_layout([binary, "--list"]), capture_output=True, text=True)
    if done.returncode != 0:
        raise common.Failure(common.Exit.NOTHING_MEASURED, f"{binary} can't start ({common.reason(done.returncode)}): {done.stderr.strip()}")
    wanted = [name for name in re.split(r"[,\s]+", allocators or "") if name]
    return [row for row in done.stdout.split() if not wanted or row in wanted]


def _line_of(said, status):
    """What was found, in one line; None: the program failed without a finding."""
    for line in said.splitlines():
        if line.startswith("finding: ") or line.startswith("SUMMARY: ThreadSanitizer"):
            return re.sub(r"^SUMMARY: ", "", line)
    return None if status == common.Exit.USAGE else f"ended with {common.reason(status)}"


def _keep(row, line, command, said):
    folder = fuzzing.OUT / "findings" / f"{PROPERTY}-{row}-{findings.kind_of(line)}"
    with common.atomic_write(folder / "report.txt") as out:
        out.write(f"{line}\n\n{' '.join(command)}\n\n{said}")
    return folder


def _run_row(binary, row, seconds, seed):
    """(operations, (line, folder, command) of a finding or None)."""
    command = fuzzing.with_fixed_layout([binary, f"--row={row}", f"--seconds={seconds:g}", f"--seed={seed}"])
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds + fuzzing.HANG_SECONDS * 6)
    except subprocess.TimeoutExpired:
        line = "hung: the threads wait for each other"
        return 0, (line, _keep(row, line, command, ""), command)
    if done.returncode == common.Exit.GOOD:
        return int(re.search(r"operations (\d+)", done.stdout).group(1)), None
    line = _line_of(done.stderr, done.returncode)
    if line is None:
        raise common.Failure(common.Exit.HARNESS, f"threads {row}: {done.stderr.strip()}")
    return 0, (line, _keep(row, line, command, done.stderr), command)


def shares(rows, seconds, first):
    """The seconds of each row: those that come first have half of them all."""
    others = [row for row in rows if row not in first]
    if not first or not others:
        return dict.fromkeys(rows, seconds / len(rows))
    return dict.fromkeys(first, seconds / 2 / len(first)) | dict.fromkeys(others, seconds / 2 / len(others))


def _changed(rows):
    cells = [fuzzing.Cell(PROPERTY, row, None) for row in rows]
    changed, _ = changes.files()
    names = changes.concerned(cells, changed) if changed else []
    return [cell.row for cell in cells if cell.name in names]


def run(allocators, seconds, chance=0, alone=False):
    """Hunts for so many seconds over the rows together, those first that what was changed last concerns, prints what it
    finds; returns the exit status. chance: if not 0, no row is first. alone: nothing else is hunted, so that a filter
    which leaves no row is an error."""
    binary = program()
    rows = rows_of(binary, allocators)
    if not rows and alone:
        raise common.Failure(common.Exit.NOTHING_MEASURED, f"no row for threads is one of {allocators}")
    if not rows:
        return common.Exit.GOOD
    seconds = max(LEAST_SECONDS, seconds)
    operations, found = 0, 0
    for number, (row, share) in enumerate(shares(rows, seconds, [] if chance else _changed(rows)).items()):
        done, finding = _run_row(binary, row, share, chance + number + 1)
        operations += done
        if finding:
            found += 1
            line, folder, command = finding
            print(f"\nFOUND by threads {row}: {line}\n\n  {fuzzing.shown(folder / 'report.txt')}\n  {' '.join(command)}\n", flush=True)
    said = f"{found} findings, told above" if found else "nothing found"
    print(f"  {f'threads, {len(rows)} rows':<40} {operations:>10,} operations under ThreadSanitizer  {said}", flush=True)
    return common.Exit.CONFIRMED if found else common.Exit.GOOD
