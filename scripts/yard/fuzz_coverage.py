"""What of allocators/ inputs reach, in lines and branches: the committed corpus alone, and with what hunts have grown.

The replayer is built with clang's source-based coverage, whose counters are a mapped file: so the processes of
findings, forks and aborts count, too. What is not counted, and why, stands in exclusions.py, in UNREACHED, and line by
line in fuzz/unreached.toml.
"""

import collections
import json
import os
import re
import shutil
import subprocess

from . import common, exclusions, fuzzing, unreached

# What no input of a history reaches, whatever it holds: a regular expression over paths, and why.
UNREACHED = [
    (r"allocators/conformance/", "the conformance suite, which is not run here, and the child, which is no allocator of ours to test"),
    (r"allocators/history/|allocators/(json|plugin|plugins)\.c", "the yard: histories, traces and plugins, with tests of their own"),
    (r"allocators/trace/", "the recorder of programs' calls"),
    (r"allocators/peers/", "other people's allocators, and what loads them"),
    (r"allocators/(registry\.c|.*_row\.c|.*region_row\.h|plugin/)", "the yard's rows: names, loops of benches, what no history asks of an instance"),
    (r"allocators/core/(error|build_info|line_sink|object_symbols|source_lines|stack_trace|shared_object)\.|allocators/core/misuse\.c", "names, texts and messages: what is printed where a program has gone wrong"),
    (r"allocators/strategies/(debug_report|smp_stats|smp_restart)\.", "reports and figures that are printed, for people"),
    (r"allocators/malloc/(options|information)\.|allocators/malloc/operators\.cc", "what the malloc library reads from its environment, prints, and has of C++"),
]  # fmt: skip

# Lines that end the run that reaches them, and what alone leads there.
ENDING = [
    (r".*\b(hy_corrupted|hy_misuse|abort|HY_REQUIRE)\(", "misuse that ends the program: it is never called so here"),
]  # fmt: skip

LEAST = {"lines": 98.0, "branches": 95.0}


def _excluded(path, patterns):
    return any(re.match(pattern, path) for pattern, _ in patterns)


class File:
    """Lines and branches of a source file, and which of them some run reached."""

    def __init__(self, path):
        self.lines, self.branches = {}, {}
        text = (common.ROOT / path).read_text(errors="replace").splitlines()
        self.no_line = {i for i, line in enumerate(text, 1) if "GCOV_EXCL_LINE" in line or _excluded(line, exclusions.LINES + ENDING)}
        self.excused = set()  # lines of which what is not reached doesn't count (unreached.py)
        self.no_branch = {i for i, line in enumerate(text, 1) if "GCOV_EXCL_BR_LINE" in line or _excluded(line, exclusions.BRANCHES)}
        # What decides whether such a line runs stands on it, or before it.
        self.no_branch |= self.no_line | {i - 1 for i in self.no_line}

    def take_line(self, line, count):
        if line not in self.no_line:
            self.lines[line] = self.lines.get(line, 0) + count

    def take_branch(self, place, count):
        """place: (line, column, …) and which way; copies of a header's function add up."""
        if place[0] not in self.no_branch:
            self.branches[place] = self.branches.get(place, 0) + count

    def unreached_lines(self):
        """Lines that no run reached, or of which no run took a branch."""
        return {line for line, count in self.lines.items() if not count} | {place[0] for place, count in self.branches.items() if not count}

    def reached(self):
        """[lines reached, lines, branches reached, branches]."""
        return self.reached_of(self.excused)

    def reached_of(self, excused=frozenset()):
        """The same, where lines that are excused count only if they are reached."""
        lines = [count for line, count in self.lines.items() if count or line not in excused]
        branches = [count for place, count in self.branches.items() if count or place[0] not in excused]
        return [sum(map(bool, lines)), len(lines), sum(map(bool, branches)), len(branches)]

    def missing(self):
        """Lines that no run reached."""
        return sorted(line for line, count in self.lines.items() if not count and line not in self.excused)

    def missing_branches(self):
        """Lines on which a branch was never taken, though they ran."""
        return sorted({place[0] for place, count in self.branches.items() if not count} - set(self.missing()) - self.excused)


def read_lines(text, files):
    """Adds lines by path, from llvm-cov's export in lcov's format."""
    current = None
    for line in text.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            path = os.path.relpath(rest, common.ROOT)
            counted = path.startswith("allocators/") and not _excluded(path, exclusions.FILES + UNREACHED)
            current = files.setdefault(path, File(path)) if counted else None
        elif current and kind == "DA":
            number, count = rest.split(",")[:2]
            current.take_line(int(number), int(count))


def read_branches(data, files):
    """Adds branches, from llvm-cov's export in JSON: (line, column, end) and two counts each."""
    for source in data["files"]:
        path = os.path.relpath(source["filename"], common.ROOT)
        for line, column, *end, taken, passed, _, _, _ in source.get("branches", []) if path in files else []:
            files[path].take_branch((line, column, *end, True), taken)
            files[path].take_branch((line, column, *end, False), passed)


def spans_of(data):
    """First and last line of functions, from the same export, by (path, name); a static one's name has its file's
    before a colon, which is left out here."""
    spans = collections.defaultdict(set)
    for function in data["functions"]:
        path = os.path.relpath(function["filenames"][0], common.ROOT)
        first, _, last = function["regions"][0][:3]
        spans[path, function["name"].rpartition(":")[2]].add((first, last))
    return spans


def _tool(name):
    found = shutil.which(f"{name}-14") or shutil.which(name)
    if not found:
        raise common.usage_error(f"{name}-14 is not installed: scripts/bootstrap fuzz")
    return found


def _replay(binary, profiles, prop, options, inputs):
    """Every input on every row of a property; what was found is somebody else's to say."""
    variables = fuzzing.environment(LLVM_PROFILE_FILE=profiles / "%c%m.profraw")
    command = [binary, "run", f"--property={prop}", *options, *inputs]
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode not in (common.Exit.GOOD, common.Exit.CONFIRMED):
        said = (done.stderr.strip().splitlines() or [common.reason(done.returncode)])[-1]
        raise common.Failure(common.Exit.HARNESS, f"replaying {prop} for its coverage: {said}")


def _export(folder, profiles, binaries, entries):
    """Files by path, and what is wrong with the entries."""
    merged = folder / "merged.profdata"
    subprocess.run([_tool("llvm-profdata"), "merge", "-o", merged, *sorted(profiles.glob("*.profraw"))], check=True)
    objects = [word for binary in binaries for word in ("-object", binary)][1:]
    texts = []
    for form in ("lcov", "text"):
        command = [_tool("llvm-cov"), "export", f"-format={form}", f"-instr-profile={merged}", *objects]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise common.Failure(common.Exit.HARNESS, f"llvm-cov: {done.stderr.strip().splitlines()[-1]}")
        texts.append(done.stdout)
    files = {}
    read_lines(texts[0], files)
    data = json.loads(texts[1])["data"][0]
    read_branches(data, files)
    return files, unreached.excuse(files, spans_of(data), entries)


def total_of(files):
    return [sum(column) for column in zip(*(file.reached() for file in files.values()))] or [0, 0, 0, 0]


def total_with_excused(files):
    return [sum(column) for column in zip(*(file.reached_of() for file in files.values()))] or [0, 0, 0, 0]


def percent(reached, count):
    return 100 * reached / count if count else 100.0


def _cells(row):
    return [f"{percent(*row[:2]):.2f} % of {row[1]}", f"{percent(*row[2:]):.2f} % of {row[3]}"]


def _listed(numbers):
    return ", ".join(map(str, numbers[:12])) + (f" and {len(numbers) - 12} more" if len(numbers) > 12 else "")


def _table(committed, grown):
    headings = ["file", "lines", "branches", "lines with grown corpora", "branches", "lines that none reaches", "lines with a branch that none takes"]
    lines = ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
    for path, file in sorted(committed.items()):
        more = [_listed(grown[path].missing()), _listed(grown[path].missing_branches())]
        lines.append(f"| {path} | " + " | ".join(_cells(file.reached()) + _cells(grown[path].reached()) + more) + " |")
    lines.append("| total | " + " | ".join(_cells(total_of(committed)) + _cells(total_of(grown))) + " | | |")
    return "\n".join(lines)


def path_of_results():
    return fuzzing.OUT / "coverage.json"


def read_results():
    """What the last count has left; None where there is none."""
    try:
        data = json.loads(path_of_results().read_text())
        totals = {name: data[name]["total"] for name in ("committed", "grown")}
        return {name: {"lines": percent(*total[:2]), "branches": percent(*total[2:])} for name, total in totals.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(committed, grown):
    names = ("committed", committed), ("grown", grown)
    data = {name: {"total": total_of(files), "files": {path: file.reached() for path, file in sorted(files.items())}} for name, files in names}
    with common.atomic_write(path_of_results()) as out:
        json.dump(data, out, indent=1)
    text = _table(committed, grown)
    reasons = "".join(f"\n- `{pattern}`: {reason}" for pattern, reason in exclusions.FILES + UNREACHED + ENDING)
    lines = "".join(f"\n- lines' branches `{pattern}`: {reason}" for pattern, reason in exclusions.BRANCHES)
    lines += "\n- what `fuzz/unreached.toml` names, as far as none reaches it"
    with common.atomic_write(fuzzing.OUT / "coverage.md") as out:
        out.write(f"# What inputs reach of allocators/\n\n{text}\n\nNot counted:\n{reasons}{lines}\n")
    print(text)


def run(allocators, properties):
    """Replays on the cells that the filters leave, counts, writes coverage.md and coverage.json; returns the exit
    status."""
    os.environ["LLVM_PROFILE_FILE"] = os.devnull  # of what only lists and assembles
    folder = common.build("replay-coverage", "heapyard-replay")
    entries = unreached.read()
    binary, library = folder / "fuzz" / "heapyard-replay", folder / "allocators" / "libheapyard_malloc_small.so"
    cells = fuzzing.choose_cells(allocators, properties, sanitized=True, binary=binary)
    fuzzing.assemble_seeds(binary)
    work = fuzzing.OUT / "work" / "coverage"
    shutil.rmtree(work, ignore_errors=True)
    (profiles := work / "profiles").mkdir(parents=True)
    rows = collections.defaultdict(list)
    for cell in cells:
        rows[cell.prop].append(cell)
    for prop in rows:
        options = ["--refusals"] if prop == "conform" else []
        for row in [[]] if not allocators else [cell.arguments()[1:] for cell in rows[prop]]:
            _replay(binary, profiles, prop, options + row, [fuzzing.OUT / "seeds"])
    committed, wrong = _export(work, profiles, [binary, library], entries)
    for prop, its in rows.items():
        for cell in its:
            inputs = fuzzing.corpus_of(cell)
            if any(inputs.iterdir()):
                _replay(binary, profiles, prop, cell.arguments()[1:], [inputs])
    grown, _ = _export(work, profiles, [binary, library], entries)
    _write(committed, grown)
    lines, branches = percent(*total_of(committed)[:2]), percent(*total_of(committed)[2:])
    print(f"the committed corpus reaches {lines:.2f} % of lines (to reach: {LEAST['lines']:g}) and {branches:.2f} % of branches (to reach: {LEAST['branches']:g})")
    whole = total_with_excused(committed)
    print(f"with what none reaches for a reason: {percent(*whole[:2]):.2f} % of lines, {percent(*whole[2:]):.2f} % of branches")
    print(fuzzing.shown(fuzzing.OUT / "coverage.md"))
    if wrong and not allocators and not properties:
        raise common.usage_error("\n".join(wrong))
    return common.Exit.GOOD
