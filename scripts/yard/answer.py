"""A verdict as plain data for a sentence: who leads, in which forms, and who leads of the general ones."""

from typing import NamedTuple

from yard import samples, stats

SHOWN_MAX = 3


class Leader(NamedTuple):
    """An allocator, its other forms that can't be told from it, its ratio (None: it is the reference)."""

    name: str
    forms: list
    ratio: stats.Estimate


class Tie(NamedTuple):
    """One allocator, or several without a clear difference; `more` of them are counted only."""

    leaders: list
    more: int


class Answer(NamedTuple):
    """The best and, where that is not fit for any program, the best of those that are; else why nobody is."""

    best: Tie
    general: Tie
    why_none: str


def families(standings):
    """Leaders with the other forms of the same allocator (its sized API) behind the better one."""
    found = {}
    for standing in standings:
        found.setdefault((standing.row.base or standing.row).name, []).append(standing)
    return list(found.values())


def leader(forms):
    name = forms[0].row.name
    ratio = None if name == samples.REFERENCE else forms[0].ratio
    return Leader(name, [standing.row.name for standing in forms[1:]], ratio)


def tie(standings):
    """None where nobody leads."""
    if not standings:
        return None
    found = families(standings)
    return Tie([leader(forms) for forms in found[:SHOWN_MAX]], max(0, len(found) - SHOWN_MAX))


def answer(verdict):
    if not verdict.leaders:
        return Answer(None, None, verdict.why_none)
    fit = all(standing.row.general for standing in verdict.leaders)
    return Answer(tie(verdict.leaders), None if fit else tie(verdict.general), "")
