"""Whose turn it is in a hunt that is too short for all cells: it begins where the last one ended."""

import itertools
import json

from . import common, fuzzing


def path():
    return fuzzing.OUT / "turns.json"


def interleaved(cells):
    """The cells' names, one of each property in turn."""
    by_property = {}
    for cell in cells:
        by_property.setdefault(cell.prop, []).append(cell.name)
    rounds = itertools.zip_longest(*by_property.values())
    return [name for names in rounds for name in names if name is not None]


def read():
    """The clocks (shares.py) at the end of the last hunt; none where there was no hunt, or its file is damaged."""
    try:
        clocks = json.loads(path().read_text())
    except (OSError, ValueError):
        return {}
    is_good = isinstance(clocks, dict) and all(isinstance(clock, (int, float)) for clock in clocks.values())
    return clocks if is_good else {}


def keep(clocks):
    """Adds the clocks of a hunt to those of earlier ones over other cells."""
    with common.atomic_write(path()) as out:
        json.dump(read() | clocks, out)
