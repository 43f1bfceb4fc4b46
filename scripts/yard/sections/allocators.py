"""A section an allocator: what it is, where it shines, where it doesn't, its bytes per live byte."""

from typing import NamedTuple

from yard import samples, stats
from yard.view import REFERENCE

PLACES_MAX = 3


class Place(NamedTuple):
    """A setting and the ratio there."""

    number: int
    title: str
    ratio: float


class Card(NamedTuple):
    """`judged`: whether it was compared with another at all. `held`: bytes at the peak per live byte."""

    name: str
    summary: str
    group: str
    traits: list
    judged: bool
    good: list
    bad: list
    held: float
    held_count: int
    version: str


def judged(view, row):
    """(cell, ratio) where the row was compared with the reference, fastest first."""
    pairs = [(cell, cell.ratio(row.name, REFERENCE)) for cell in view.cells]
    return sorted(((cell, ratio) for cell, ratio in pairs if ratio), key=lambda pair: pair[1].median)


def held_per_live(view, row):
    """One number for each setting that holds enough."""
    out = []
    for cell in view.cells:
        value = samples.median_of(cell.memory_values(row.name, "peak_rss_above_start"))
        if cell.live_peak >= samples.LEAST_LIVE_BYTES and value:
            out.append(value / cell.live_peak)
    return out


def card(view, row):
    pairs = judged(view, row)
    bounded = [(cell, ratio) for cell, ratio in pairs if ratio.lo is not None]
    places = [(ratio, Place(view.number(cell), cell.title, ratio.median)) for cell, ratio in bounded]
    held = held_per_live(view, row)
    return Card(
        row.name,
        row.summary,
        row.group,
        [trait for trait in row.traits if trait != row.group],
        bool(pairs) and row.name != REFERENCE,
        [place for ratio, place in places if ratio.hi < 1][:PLACES_MAX],
        [place for ratio, place in reversed(places) if ratio.lo > 1][:PLACES_MAX],
        stats.geometric_mean(held) if held else None,
        len(held),
        (view.run.context.get("versions") or {}).get(row.name),
    )


def data(view):
    return {"cards": [card(view, row) for row in view.rows]}
