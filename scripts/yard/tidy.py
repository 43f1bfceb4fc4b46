"""The rules of the house that a program can check: what is where, who includes whom, how code is formed.

A rule is a function from a Tree to findings; RULES lists them. Each finding names a file, a line, what
is wrong and what mends it. A rule reads the files as text: it must stay right for every file that the
compilers and interpreters accept, so it asks simple questions only.
"""

import ast
import dataclasses
import posixpath
import re
import shutil
import subprocess
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something to mend, in the form that editors jump to."""

    path: str
    line: int
    what: str
    mend: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}; {self.mend}"


class Tree:
    """The files of a checkout: what git has or would take, or, outside git, all of them."""

    def __init__(self, root):
        self.root = Path(root)
        self.paths = sorted(self._list())
        self._present = set(self.paths)
        self._texts = {}

    def _list(self):
        asked = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0 and (self.root / ".git").exists():
            names = asked.stdout.split("\0")
        else:
            names = [str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        return {name for name in names if name and (self.root / name).is_file()}

    def __contains__(self, path):
        return str(path) in self._present

    def text(self, path):
        """The file's text; empty for what is no text."""
        if path not in self._texts:
            try:
                self._texts[path] = (self.root / path).read_bytes().decode("utf-8")
            except UnicodeDecodeError:
                self._texts[path] = ""
        return self._texts[path]

    def lines(self, path):
        """Pairs of line number, from 1, and line."""
        return enumerate(self.text(path).split("\n"), start=1)

    def under(self, *folders, suffixes=()):
        """The paths below any of the folders with any of the suffixes."""
        return [
            path
            for path in self.paths
            if any(path.startswith(folder + "/") for folder in folders) and (not suffixes or path.endswith(suffixes))
        ]


# --- the house ---------------------------------------------------------------------------------------

TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "Makefile", "README.md", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE",
    "allocators", "bench", "corpus", "fuzz", "reports", "scripts",
}  # fmt: skip


def top_level(tree):
    """Nothing but the agreed rooms and dotfiles at the top."""
    seen = set()
    for path in tree.paths:
        entry = path.split("/")[0]
        if entry in seen or entry in TOP_LEVEL or entry.startswith("."):
            continue
        seen.add(entry)
        yield Finding(path, 1, f"{entry} does not belong at the top level", "move it into one of the rooms")


SIZE_LIMIT_BYTES = 1 << 20


def file_sizes(tree):
    """Large files live in the corpus, where their origin is said."""
    for path in tree.paths:
        size = (tree.root / path).stat().st_size
        if size > SIZE_LIMIT_BYTES and not path.startswith("corpus/"):
            yield Finding(path, 1, f"{size} bytes are more than 1 MiB", "generate it, or shrink it")


# Lower layers know nothing of higher ones. A file may include its own layer and those below it.
LIBRARY_LAYERS = {"core": 0, "sources": 1, "strategies": 2, "decorators": 3, "scope": 4, "malloc": 4}
YARD_LAYERS = {"plugin": 5, "history": 6, "peers": 6, "trace": 7, "conformance": 9}
ROW_LAYER = 6
REGISTRY_LAYER = 8
YARD_LAYER = 10
# The library's public headers, and those of the installed components beside it.
INCLUDE_FOLDERS = ["allocators/include", "allocators/plugin/include", "allocators/conformance/include"]
INCLUDE = re.compile(r'\s*#\s*include\s+([<"])([^">]+)[">]')


def _public_header_layer(tree, name):
    """A public header lives in the layer of the file that implements it; one without is the front door's."""
    for layer, rank in LIBRARY_LAYERS.items():
        if f"allocators/{layer}/{name}.c" in tree:
            return rank
    return 0


def _layer(tree, path):
    """The rank of a file's layer, None for what has none."""
    parts = path.split("/")
    if path.startswith("allocators/include/heapyard/"):
        return _public_header_layer(tree, Path(path).stem)
    if parts[0] == "allocators" and re.search(r"_row\.[ch]$", path):
        return ROW_LAYER
    if parts[0] in ("bench", "fuzz"):
        return YARD_LAYER
    if parts[0] != "allocators":
        return None
    if len(parts) == 2:
        return REGISTRY_LAYER
    return {**LIBRARY_LAYERS, **YARD_LAYERS}.get(parts[1])


def _resolve(tree, path, bracket, included):
    """The file of the tree that an #include names, None for the system's: only quotes look beside the file."""
    beside = [posixpath.normpath(str(Path(path).parent / included))] if bracket == '"' else []
    candidates = [f"{folder}/{included}" for folder in INCLUDE_FOLDERS] + [included] + beside
    return next((candidate for candidate in candidates if candidate in tree), None)


def layers(tree):
    """Includes point downwards. Tests, their data and programs (command/, *main.c) stand above all, but not across."""
    for path in tree.under("allocators", "bench", "fuzz", suffixes=(".c", ".h", ".cc")):
        own = _layer(tree, path)
        if own is None or path == "allocators/include/heapyard/heapyard.h":
            continue
        above_all = re.search(r"(_test\.c|[/_]main\.c)$|/(command|testdata)/", path)
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            target = match and _resolve(tree, path, *match.groups())
            if not target or _layer(tree, target) is None:
                continue
            room, other_room = path.split("/")[0], target.split("/")[0]
            across = other_room != "allocators" and other_room != room
            if across or (not above_all and _layer(tree, target) > own):
                yield Finding(
                    path, number, f"{match.group(2)} is in a layer above", "move what is needed down, or this file up"
                )


ROW_LIST = "allocators/rows.def"
ROW = re.compile(r"^const hy_row hy_(\w+)_row\s*=", re.MULTILINE)


def _row_findings(tree, folders, pattern, table, kind, line):
    """What the pattern finds has its line in the table; a file without any is a helper with a header."""
    if table not in tree:
        return
    listed = tree.text(table)
    for path in tree.under(*folders, suffixes=(".c",)):
        if path.endswith("_test.c"):
            continue
        rows = pattern.findall(tree.text(path))
        for row in rows:
            if not re.search(line.format(row), listed):
                yield Finding(path, 1, f"{row} is in no row of {table}", "add its row")
        noun = Path(path).stem
        header = f"allocators/include/heapyard/{noun}.h"
        if not rows and str(Path(path).with_suffix(".h")) not in tree and header not in tree:
            yield Finding(path, 1, f"no {kind} here, and no header that says what else it is for", f"add the row to {table}")


def orphans(tree):
    """Each allocator, workload, meter, property and oracle has its row."""
    folders = [f"allocators/{layer}" for layer in ("sources", "strategies", "decorators")]
    yield from _row_findings(tree, folders, ROW, ROW_LIST, "allocator", r"\bHY_ROW\({}\)")
    for path in tree.under(*folders, suffixes=(".c",)):
        if ROW.search(tree.text(path)) and not path.endswith("_row.c"):
            yield Finding(path, 1, "a row in a file of the library's", f"put it beside, into {path[:-2]}_row.c")
    kinds = {
        "bench/workloads": "workload", "bench/meters": "meter",
        "fuzz/properties": "property", "fuzz/oracles": "oracle",
    }  # fmt: skip
    for folder, kind in kinds.items():
        pattern = re.compile(rf"^const hy_{kind} hy_(\w+)_{kind}\s*=", re.MULTILINE)
        yield from _row_findings(tree, [folder], pattern, folder + ".def", kind, rf"\bHY_{kind.upper()}\({{}}\)")


def umbrella(tree):
    """Every public header of the library is reached from heapyard.h."""
    start = "allocators/include/heapyard/heapyard.h"
    if start not in tree:
        return
    reached, queue = {start}, [start]
    while queue:
        for _, line in tree.lines(queue.pop()):
            match = INCLUDE.match(line)
            target = match and f"allocators/include/{match.group(2)}"
            if target and target in tree and target not in reached:
                reached.add(target)
                queue.append(target)
    for path in tree.under("allocators/include/heapyard", suffixes=(".h",)):
        if path not in reached:
            yield Finding(path, 1, "heapyard.h does not include this header", "include it there")


def subjects(tree):
    """A test's name says what it tests: a file of that noun beside it, a public header, or a script."""
    for path in tree.paths:
        match = re.match(r"(.*/)?(\w+)_test\.(c|py|mjs)$", path)
        if not match:
            continue
        folder, noun = match.group(1) or "", match.group(2)
        names = [f"{folder}{noun}{suffix}" for suffix in (".c", ".h", ".cc", ".py", "", ".html")]
        names += [f"{include}/heapyard/{noun}.h" for include in INCLUDE_FOLDERS]
        names += [f"scripts/{noun}", f"scripts/yard/{noun}.py"]
        first = tree.text(path).split("\n", 1)[0]
        if not any(name in tree for name in names) and not first.startswith(("/*", '"""', "//")):
            yield Finding(path, 1, f"nothing here is called {noun}", "name the test after what it tests, or say it on line 1")


# --- the code ----------------------------------------------------------------------------------------

LENGTH_LIMIT = 70
LENGTH_AIM = 40


def _brace_functions(tree, path):
    """Functions that begin at the left margin and end with a brace there: (name, first line, lines)."""
    begin, heading = 0, ""
    inside = False
    for number, line in tree.lines(path):
        if inside:
            if line.startswith(("}", ")")):
                inside = False
                yield re.search(r"(\w+)\s*\(", heading).group(1), begin, number - begin + 1
                heading = ""
            continue
        if not line or line.startswith(("}", "#", "/", " *", "*")):
            heading = ""
            continue
        begin = begin if heading else number
        heading += line + " "
        if line.endswith(("{", ") (")):
            inside = re.match(r"[^=]*\w\s*\(", heading) is not None
            heading = heading if inside else ""
        elif not re.search(r"[,()]$|^[\w *]+$", line):
            heading = ""


def _python_functions(tree, path):
    for node in ast.walk(ast.parse(tree.text(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def _language(tree, path):
    first = tree.text(path).split("\n", 1)[0]
    if path.endswith((".c", ".h", ".cc")):
        return "c"
    if path.endswith(".py") or (first.startswith("#!") and "python" in first):
        return "python"
    if path.endswith(".sh") or (first.startswith("#!") and first.endswith("sh")):
        return "shell"
    if path.endswith((".js", ".mjs")):
        return "javascript"
    return None


def functions(tree):
    """Every function of the project: (path, name, first line, lines)."""
    for path in tree.paths:
        language = _language(tree, path)
        if language == "python":
            found = _python_functions(tree, path)
        elif language:
            found = _brace_functions(tree, path)
        else:
            continue
        for name, line, length in found:
            yield path, name, line, length


def function_lengths(tree):
    """Functions that fit a screen. Those between the aim and the limit are listed on demand only."""
    for path, name, line, length in functions(tree):
        if length > LENGTH_LIMIT:
            yield Finding(path, line, f"{name} has {length} lines, more than {LENGTH_LIMIT}", "split it")


FORBIDDEN = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "a note to oneself", "do it, or file it where work is planned"),
    (re.compile(r"\|\| true\b"), "a failure swallowed whole", "allow the status that is expected, and no other"),
    (re.compile(r"(?<![\w.])/(work|home|Users|root)/\w"), "a path of one machine", "derive it from the checkout or the environment"),
    (re.compile(r"\.\./shared\b"), "a path outside the project", "keep what is needed in the project"),
    (re.compile(r"^(<{7}|>{7}|={7})( |$)"), "a merge conflict", "resolve it"),
]


def forbidden_words(tree):
    """What must not be in a finished tree. The rules themselves have to name it."""
    for path in tree.paths:
        if path.startswith("scripts/yard/tidy") or path.startswith("corpus/"):
            continue
        for number, line in tree.lines(path):
            for pattern, what, mend in FORBIDDEN:
                match = pattern.search(line)
                if match:
                    yield Finding(path, number, f"{what} ({match.group(0).strip()})", mend)


def whitespace(tree):
    """No trailing blanks, no carriage returns, one newline at the end."""
    for path in tree.paths:
        text = tree.text(path)
        if not text or path.startswith("corpus/"):
            continue
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield Finding(path, text.count("\n") + 1, "the file does not end with one newline", "end it with one")
        for number, line in tree.lines(path):
            if line != line.rstrip() and not (path.endswith(".md") and line.endswith("  ")):
                yield Finding(path, number, "blanks at the end of the line", "remove them")


def openings(tree):
    """A file of C opens with a comment that names it and says what it is for."""
    for path in tree.under("allocators", "bench", "fuzz", suffixes=(".c", ".h", ".cc")):
        name = Path(path).name
        head = "".join(tree.text(path).split("\n")[:2])
        if not head.startswith(("/*", "//")) or name not in head:
            yield Finding(path, 1, "the file does not open with its name and purpose", f"begin with: /* {name}: …")


def shell_options(tree):
    """A shell script stops at its first failure."""
    for path in tree.paths:
        if _language(tree, path) == "shell" and not re.search(r"^set -\w*e", tree.text(path), re.MULTILINE):
            yield Finding(path, 1, "the script goes on after a failure", "set -euo pipefail (bash) or set -eu (sh)")


README_LIMIT = 100


def readme_length(tree):
    """The README at the top fits one screen of a browser; what needs more room stands in its folder's own."""
    lines = tree.text("README.md").count("\n") if "README.md" in tree else 0
    if lines > README_LIMIT:
        what = f"the README has {lines} lines, more than {README_LIMIT}"
        yield Finding("README.md", README_LIMIT + 1, what, "move what is not for newcomers to its folder's README")


LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def links(tree):
    """What a document links to in the project is there."""
    for path in tree.paths:
        if not path.endswith(".md"):
            continue
        for number, line in tree.lines(path):
            for target in LINK.findall(line):
                if "://" in target:
                    continue
                wanted = posixpath.normpath(str(Path(path).parent / target))
                if not (tree.root / wanted).exists():
                    yield Finding(path, number, f"the link {target} leads nowhere", "make it, or link to what is there")


RULES = [
    top_level, file_sizes, layers, orphans, umbrella, subjects, function_lengths, forbidden_words, whitespace,
    openings, shell_options, readme_length, links,
]  # fmt: skip


def form(tree):
    """What clang-format would change, or None where it is not installed."""
    tool = shutil.which("clang-format-14")
    if not tool:
        return None
    paths = tree.under("allocators", "bench", "fuzz", suffixes=(".c", ".h", ".cc"))
    if not paths:
        return []
    run = subprocess.run([tool, "--dry-run", *paths], cwd=tree.root, capture_output=True, text=True, check=False)
    first = {}
    for match in re.finditer(r"^(\S+?):(\d+):\d+: ", run.stderr, re.MULTILINE):
        first.setdefault(match.group(1), int(match.group(2)))
    return [Finding(path, line, "clang-format would change this", f"clang-format-14 -i {path}") for path, line in first.items()]


def findings(tree):
    """All that all rules find, in the order of files."""
    found = [finding for rule in RULES for finding in rule(tree)]
    return sorted(found, key=lambda finding: (finding.path, finding.line))
