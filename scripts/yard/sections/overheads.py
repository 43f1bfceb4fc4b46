"""What the comforts over an allocator cost: the ambient one, scopes, handles, each beside doing without."""

import statistics
from typing import NamedTuple

from yard import stats


class Overhead(NamedTuple):
    """One comparison. plain, over: nanoseconds an operation without it, and beyond that with it, over processes;
    bound: what `over` is held to, None: nothing; holds: whether all of the interval lies below it."""

    name: str
    what: str
    operation: str
    plain: stats.Estimate
    over: stats.Estimate
    bound: float
    holds: bool


def medians(line):
    """A process's medians over its rounds: the plain side, and the difference; None where it has no rounds."""
    pairs = [(plain, with_it) for plain, with_it in zip(line["plain_ns"], line["with_ns"]) if plain and with_it]
    if not pairs:
        return None
    return statistics.median(plain for plain, _ in pairs), statistics.median(with_it - plain for plain, with_it in pairs)


def overhead(name, lines):
    found = [both for both in map(medians, lines) if both]
    if not found:
        return None
    plain, over = (stats.median_interval(side) for side in zip(*found))
    bound = lines[0].get("bound_ns") or None
    greatest = over.median if over.hi is None else over.hi
    return Overhead(name, lines[0]["what"], lines[0]["operation"], plain, over, bound, bound is not None and greatest <= bound)


def data(view):
    found = [overhead(name, lines) for name, lines in view.run.overheads.items()]
    return {"overheads": [each for each in found if each]}
