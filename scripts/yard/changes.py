"""What was changed last, and the cells that it concerns: a hunt looks there first.

What was changed is what the working tree has that the last commit has not; where that is nothing of the allocators,
what that commit changed. The table of mutants says which rows a source file is judged by; of others the file's name
does, and of those that are called as no row the names of what includes them.
"""

import re
import subprocess
from pathlib import Path

from . import common, mutants

# Properties without a row, by the first words of what files of theirs are called.
FIRST_WORDS = {
    "codec": ("bytes", "history", "print"),
    "handles": ("handle",),
    "plugins": ("plugin", "plugins"),
    "posix": ("malloc", "aligned", "operator", "smp"),
    "scopes": ("scope", "typed"),
    "strings": ("string",),
    "trace_file": ("trace",),
}


def _git(root, *words):
    try:
        done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, errors="replace")
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def _sources(names):
    """Those of the allocators, in order; tests are none."""
    return [name for name in dict.fromkeys(names) if re.fullmatch(r"allocators/.*(?<!_test)\.[ch]", name)]


def files(root=common.ROOT):
    """(files, when): what was changed last; ([], "") where that can't be told."""
    own = _git(root, "rev-parse", "--show-prefix")
    if own != [""]:  # no checkout, or the folder of another one
        return [], ""
    uncommitted = _sources([*_git(root, "diff", "--name-only", "HEAD"), *_git(root, "ls-files", "--others", "--exclude-standard")])
    if uncommitted:
        return uncommitted, "since the last commit"
    return _sources(_git(root, "diff", "--name-only", "HEAD~1", "HEAD")), "by the last commit"


def _first_word(name):
    return name.split("_")[0]


def _is_named(cell, stem):
    """Whether a file is called as one of a cell's rows, or as its property, as far as its first word."""
    if cell.row == "-":
        return _first_word(stem) in FIRST_WORDS.get(cell.prop, ())
    return _first_word(stem) in map(_first_word, cell.row.split("@")[0].split("_over_"))


def _includers(name, root):
    """The sources that include its header."""
    stem = re.sub(r"_(linux|wasm)$", "", Path(name).stem)  # of one system
    header = re.compile(rf"^#include .*\b{re.escape(stem)}\.h[>\"]", re.MULTILINE)
    sources = _sources(str(path.relative_to(root)) for path in sorted((Path(root) / "allocators").rglob("*.c")))
    return [source for source in sources if header.search((Path(root) / source).read_text(errors="replace"))]


def concerned(cells, changed, root=common.ROOT):
    """The names of the cells that the files concern; none where these are most of all, as no choice is left."""
    judged = {}
    for mutant in mutants.read(root):
        judged.setdefault(mutant.file, set()).update(mutant.rows)

    def of_file(name):
        rows = judged.get(name)
        if rows:
            return {cell.name for cell in cells if (cell.row if cell.row != "-" else cell.prop) in rows}
        return {cell.name for cell in cells if _is_named(cell, Path(name).stem)}

    found = set()
    for name in changed:
        found |= of_file(name) or set().union(*map(of_file, _includers(name, root)))
    return sorted(found) if len(found) <= len(cells) / 2 else []
