"""fuzz/unreached.toml: lines and branches of allocators/ that no input of a history can reach, each with its reason.

An entry names a file, and a function of it, or lines by their exact text, or lines of a function. It excuses what of
these is not reached. One that names nothing, or a line of which everything is reached, is wrong: so the table holds
nothing but what is true of the sources and of the corpus.
"""

import tomllib
from dataclasses import dataclass

from . import common

KEYS = {"file", "function", "text", "why"}


def path():
    return common.ROOT / "fuzz" / "unreached.toml"


@dataclass(frozen=True)
class Entry:
    file: str
    functions: tuple  # none: anywhere in the file
    texts: tuple  # none: all of the functions
    why: str


def _strings(value):
    strings = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(one, str) and one for one in strings):
        raise TypeError
    return strings


def _entry(number, table):
    where = f"{path().name}: entry {number}"
    if not KEYS >= table.keys() or not {"file", "why"} <= table.keys() or not {"function", "text"} & table.keys():
        raise common.usage_error(f"{where} needs file, why, and function or text, and nothing else")
    try:
        entry = Entry(table["file"], _strings(table.get("function", ())), _strings(table.get("text", ())), table["why"])
    except TypeError:
        raise common.usage_error(f"{where}: each value must be a text, or a list of texts") from None
    if not (common.ROOT / entry.file).is_file():
        raise common.usage_error(f"{where}: there is no file {entry.file}")
    return entry


def read():
    """The table's entries."""
    try:
        tables = tomllib.loads(path().read_text()).get("unreached", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise common.usage_error(f"{path().name} can't be read: {error}") from None
    return [_entry(number, table) for number, table in enumerate(tables, 1)]


def _lines_of(entry, functions):
    """Numbers of the lines that it is about by each of its texts or functions, and what it calls them."""
    lines = [line.strip() for line in (common.ROOT / entry.file).read_text(errors="replace").splitlines()]
    spans = [span for name in entry.functions for span in functions.get((entry.file, name), [])]
    inside = {i for first, last in spans for i in range(first, last + 1)} if entry.functions else set(range(1, len(lines) + 1))
    if not entry.texts:
        for name in entry.functions:
            yield f"function {name}", {i for first, last in functions.get((entry.file, name), []) for i in range(first, last + 1)}
    for text in entry.texts:
        yield f"line '{text}'", {i for i in inside if lines[i - 1] == text}


def _complain(entry, named, lines, reached):
    if not lines:
        return f"{entry.file} has no {named}" + (f" in {', '.join(entry.functions)}" if entry.texts and entry.functions else "")
    whole = not entry.texts
    if reached and (not whole or reached == lines):
        return f"{entry.file}:{min(reached)}: {named} is reached"
    return None


def excuse(files, functions, entries):
    """Notes in each file (fuzz_coverage.File, by path) what the entries excuse; functions: their first and last lines by
    (path, name). Returns what is wrong with the table, a line each."""
    wrong = []
    for entry in entries:
        file = files.get(entry.file)
        for named, lines in _lines_of(entry, functions):
            open_lines = file.unreached_lines() if file else set()
            complaint = _complain(entry, named, lines, lines - open_lines)
            if complaint:
                wrong.append(f"{path().name}: {complaint}: mend the entry, or take it out")
            elif file:
                file.excused |= lines
    return wrong
