"""The table of mutants: planted bugs, one entry each in fuzz/mutants/*.toml, none of them in the sources.

An entry names a file and a text that stands once in it, and what would stand there had somebody made the mistake.
mutants_tree.py makes a copy of the sources that holds all of them at once, chosen at run time by one number.
"""

import fnmatch
import hashlib
import re
import tomllib
import zlib
from dataclasses import dataclass, field, fields
from pathlib import Path

from . import common

TABLE = Path("fuzz") / "mutants"
KINDS = ("expression", "statement")
CLASSES = (
    "rounding", "overflow", "alignment", "resize", "arena", "pool", "bounds", "free_list", "threads", "oom", "pages",
    "accounting", "detection", "codec", "wrapper", "refusal", "leak",
)  # fmt: skip

# Who tells, besides the oracles and properties of the yard: sanitizers, the library's own checks, a limit of time,
# and the kinds of property that look for one class of bug each.
OTHER_ORACLES = ("asan", "ubsan", "lsan", "race", "check", "hang", "misuse", "schedules", "codec", "strings", "handles", "scopes")


@dataclass(frozen=True)
class Mutant:
    """A planted bug. models: the real bug that it is modelled on, or "mechanical"; rows: the rows, or the properties
    without a row, whose fuzzing should find it; oracle: which one is expected to tell."""

    id: str
    file: str
    find: str
    replace: str
    models: str
    rows: list = field(hash=False)
    oracle: str
    kind: str = "expression"
    equivalent: str = ""  # why nothing that anybody could see differs
    unseen: str = ""  # why nothing that looks can tell of it, though something differs
    tests: list = field(default_factory=list, hash=False)  # unit tests that concern it, else those of its file
    table: str = ""  # where the entry stands
    class_: str = ""

    @property
    def number(self):
        """What chooses it at run time: from the name, so that a new entry renumbers no other."""
        return zlib.crc32(self.id.encode()) & 0x7FFFFFFF or 1

    @property
    def digest(self):
        """Changes with whatever its measurements depend on."""
        parts = (self.file, self.find, self.replace, self.kind)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


REQUIRED = ("id", "file", "find", "replace", "class", "models", "rows", "oracle")
OPTIONAL = ("kind", "equivalent", "unseen", "tests")


def _entry(text, table, place):
    """One Mutant of the parsed entry; an error names what is wrong with it."""
    name = f"{table}: {text.get('id', f'entry {place}')}"
    for key in REQUIRED:
        if key not in text:
            raise common.usage_error(f"{name}: no {key}")
    for key, value in text.items():
        if key not in REQUIRED + OPTIONAL:
            raise common.usage_error(f"{name}: no such key: {key}")
        wanted = list if key in ("rows", "tests") else str
        if not isinstance(value, wanted):
            raise common.usage_error(f"{name}: {key} must be a {'list' if wanted is list else 'string'}")
    known = {item.name for item in fields(Mutant)}
    mutant = Mutant(**{key: value for key, value in text.items() if key in known}, class_=text["class"], table=table)
    if not re.fullmatch(r"[a-z0-9_]+", mutant.id):
        raise common.usage_error(f"{name}: an id is of a-z, 0-9 and _")
    if mutant.kind not in KINDS:
        raise common.usage_error(f"{name}: kind must be one of {', '.join(KINDS)}, not {mutant.kind}")
    if mutant.class_ not in CLASSES:
        raise common.usage_error(f"{name}: no class {mutant.class_}; there are {', '.join(CLASSES)}")
    if not mutant.find or not mutant.rows or not mutant.models or not mutant.oracle:
        raise common.usage_error(f"{name}: find, rows, models and oracle must not be empty")
    if mutant.equivalent and mutant.unseen:
        raise common.usage_error(f"{name}: equivalent and unseen exclude each other")
    if mutant.find == mutant.replace:
        raise common.usage_error(f"{name}: replace is what find is")
    return mutant


def read(root=common.ROOT):
    """All mutants of the table, by file and place."""
    found = []
    for path in sorted((Path(root) / TABLE).glob("*.toml")):
        table = str(path.relative_to(root))
        try:
            text = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise common.usage_error(f"{table}: {error}") from None
        found += [_entry(entry, table, place) for place, entry in enumerate(text.get("mutant", []), 1)]
    if not found:
        raise common.usage_error(f"{TABLE}: no mutants (each is a [[mutant]] of a .toml file there)")
    seen = {}
    for mutant in found:
        for key in (mutant.id, mutant.number):
            if key in seen:
                raise common.usage_error(f"{mutant.table}: {mutant.id}: the name is taken, by {seen[key]}")
            seen[key] = f"{mutant.id} of {mutant.table}"
    return found


def choose(mutants, globs):
    """Those whose id, class or table's name a glob of the list (separated by commas) matches."""
    if not globs:
        return mutants
    chosen = set()
    for glob in globs.split(","):
        hits = {m.id for m in mutants for name in (m.id, m.class_, Path(m.table).stem) if fnmatch.fnmatchcase(name, glob)}
        if not hits:
            raise common.usage_error(f"no mutant {glob} (scripts/mutants --list names them)")
        chosen |= hits
    return [mutant for mutant in mutants if mutant.id in chosen]


def names_of(path, macro):
    """The names in a .def file's lines."""
    return re.findall(rf"^{macro}\((\w+)\)", Path(path).read_text(), re.MULTILINE)


def oracle_names(root=common.ROOT):
    """The oracles that can be switched off."""
    return names_of(Path(root) / "fuzz" / "oracles.def", "HY_ORACLE")


def check_names(mutants, root=common.ROOT):
    """Every row of an entry is one, or a property that needs none; whoever should tell can."""
    root = Path(root)
    properties = names_of(root / "fuzz" / "properties.def", "HY_PROPERTY")
    rows = {*names_of(root / "allocators" / "rows.def", "HY_ROW"), *properties}
    oracles = {*oracle_names(root), *properties, *OTHER_ORACLES}
    for mutant in mutants:
        for row in mutant.rows:
            if row not in rows:
                raise common.usage_error(f"{mutant.table}: {mutant.id}: no row or property {row}")
        if mutant.oracle not in oracles:
            raise common.usage_error(f"{mutant.table}: {mutant.id}: no oracle {mutant.oracle}; there are {', '.join(sorted(oracles))}")
