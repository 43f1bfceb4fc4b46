"""What an allocator looks like, the same in every chart: a colour, a mark, filled or hollow.

Eight hues that stay apart for the colour-blind (after Okabe and Ito, darkened or lightened until they
stand out from either background) are dealt to those that people choose between; ours are circles,
peers diamonds, what comes from the system squares, floors grey triangles. A row that is another form of
another row (its sized API, its twin, a composition with it on top) has that one's colour and is hollow. When
the hues run out they come again hollow: the mark and the name beside it still tell them apart.
"""

from typing import NamedTuple

HUES = 8
GREY, INK = 8, 9


class Look(NamedTuple):
    css: str
    colour: int
    shape: str
    hollow: bool


def shape(row):
    if row.floor:
        return "t"
    if row.peer:
        return "d"
    return "s" if row.group == "source" else "o"


def assign(rows, reference):
    """Looks by name, for rows in the registry's order."""
    out, dealt = {}, 0

    def rank(i):
        return (rows[i].base is not None, not rows[i].peer, rows[i].group == "decorator", i)

    for index in sorted(range(len(rows)), key=rank):
        row = rows[index]
        base = row.base.name if row.base else None
        hollow = base in out
        if row.floor:
            colour = GREY
        elif row.name == reference or base == reference:
            colour = INK
        elif base in out:
            colour = out[base].colour
        else:
            colour = dealt % HUES
            taken = any((look.colour, look.shape) == (colour, shape(row)) for look in out.values())
            hollow = dealt >= 2 * HUES or taken
            dealt += 1
        out[row.name] = Look(f"r{index}", colour, shape(row), hollow)
    return out
