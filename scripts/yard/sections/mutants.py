"""Planted bugs: who found each, how fast, and which survive."""

import csv
from collections import Counter
from typing import NamedTuple

from yard import mutants_run, mutants_table

FATES = ("survived", "killed", "equivalent", "unmeasured")  # in the order of the page


class Way(NamedTuple):
    """What one way of looking (corpus, fuzz, tests) has found of one planted bug."""

    killed: int
    measured: int
    oracle: str
    seconds: float
    executions: int


class Row(NamedTuple):
    """One planted bug: a line of the matrix. ways: by name; those that were not measured are left out. alone: yes where
    the corpus finds it by one oracle only, no where another tells as well, else empty. reason: why it is equivalent,
    or survives."""

    id: str
    class_: str
    models: str
    fate: str
    ways: dict
    alone: str
    reason: str


class Tally(NamedTuple):
    """The planted bugs of one class, or all of them. ways: by name, (killed, measured)."""

    name: str
    count: int
    ways: dict
    fates: Counter


def _way(line, name):
    measured = int(line[f"{name}_measured"])
    seconds, executions = line[f"{name}_seconds"], line[f"{name}_executions"]
    return Way(int(line[f"{name}_killed"]), measured, line[f"{name}_oracle"], float(seconds or 0), int(executions or 0))


def read_matrix():
    """The lines of the matrix that scripts/mutants wrote; none where it has not run, and no damaged ones."""
    rows = []
    try:
        with open(mutants_table.MATRIX, newline="") as lines:
            for line in csv.DictReader(lines):
                try:
                    ways = {name: _way(line, name) for name in mutants_run.WAYS}
                    rows.append(Row(line["id"], line["class"], line["models"], line["fate"], {n: w for n, w in ways.items() if w.measured}, line["alone"], line["reason"]))
                except (KeyError, TypeError, ValueError):
                    continue
    except OSError:
        return []
    return rows


def tally(name, rows):
    ways = {}
    for way in mutants_run.WAYS:
        found = [row.ways[way] for row in rows if way in row.ways]
        ways[way] = (sum(it.killed > 0 for it in found), len(found))
    return Tally(name, len(rows), ways, Counter(row.fate for row in rows))


def by_class(rows):
    return [tally(name, [row for row in rows if row.class_ == name]) for name in sorted({row.class_ for row in rows})]


def by_oracle(rows):
    """(who told first, how many in the corpus, how many of these nobody else tells of or None where that was not
    looked at, how many by fuzzing), most first."""
    told = {way: Counter(row.ways[way].oracle for row in rows if way in row.ways and row.ways[way].killed) for way in ("corpus", "fuzz")}
    looked = {row.ways["corpus"].oracle for row in rows if row.alone}
    alone = Counter(row.ways["corpus"].oracle for row in rows if row.alone == "yes")
    found = [(name, told["corpus"][name], alone[name] if name in looked else None, told["fuzz"][name]) for name in {*told["corpus"], *told["fuzz"]}]
    return sorted(found, key=lambda it: (-it[1] - it[3], it[0]))


def data(view):
    rows = [row for row in read_matrix() if row.ways]
    if not rows:
        return {"all": None}
    fuzzed = [row.ways["fuzz"].seconds for row in rows if "fuzz" in row.ways and row.ways["fuzz"].killed]
    return {
        "all": tally("all", rows),
        "classes": by_class(rows),
        "oracles": by_oracle(rows),
        "rows": sorted(rows, key=lambda row: (FATES.index(row.fate) if row.fate in FATES else 9, row.class_, row.id)),
        "seconds": (mutants_table.percentile(fuzzed, 0.5), mutants_table.percentile(fuzzed, 0.95)) if fuzzed else None,
    }
