"""The cells of a comparison, and which of them are timed.

Every cell that base and head have is counted. Timing takes most of a run, so the standard forms time only
decisive cells: the middle cell of each row, workload and number of threads, and one cell of each
composition, because its code is also timed in the rows that it is made of. Filters by rows or workloads
select all of their cells.
"""

import difflib
from typing import NamedTuple

from yard import common
from yard.gate_meters import cell_of

# Rows that this project can't regress: foreign allocators, and the floors that only serve as reference.
GROUPS_LEFT_OUT = ("peer", "floor")
# Below this much live memory, resident memory depends more on the process than on the allocator.
MEMORY_LIVE_MIN = 1 << 20


class Plan(NamedTuple):
    """The cells of a comparison."""

    numbered: list  # (number, cell), in base and in head
    timed: list  # those of them that are timed
    live_bytes: dict  # by cell
    gone: list  # cells that base has and head hasn't
    new: list  # rows that only head has
    uncounted: frozenset  # cells whose counts differ from run to run

    @property
    def cells(self):
        return [cell for _, cell in self.numbered]

    @property
    def single_threaded(self):
        """Cells of one thread, of workloads that have none of their own: only their counts are reproducible."""
        return [cell for cell in self.cells if cell.threads == 1 and cell not in self.uncounted]

    @property
    def large(self):
        return [cell for cell in self.cells if self.live_bytes[cell] >= MEMORY_LIVE_MIN]


def _wanted(filters, known, kind):
    """The names that the filters keep. An unknown name is a usage error."""
    if not filters:
        return known
    for name in filters:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1, 0)
            raise common.usage_error(f"no {kind} '{name}' in this comparison; did you mean '{near[0] if near else ''}'?")
    return set(filters)


def decisive(records):
    """The records of the decisive cells (see above)."""
    groups = {}
    for record in records:
        key = (record["row"], record["workload"], record["threads"])
        groups.setdefault(key, []).append(record)
    chosen, settled = [], set()
    for (row, _, _), members in groups.items():
        if members[0]["group"] == "composition" and row in settled:
            continue
        settled.add(row)
        chosen.append(members[len(members) // 2])
    return chosen


def make_plan(records, allocators, workloads, threads=(), every=True):
    """The plan from the harness's list of cells and the filters. every: time every cell, decisive or not."""
    records = [record for record in records if record["group"] not in GROUPS_LEFT_OUT]
    rows = _wanted(allocators, {record["row"] for record in records}, "allocator")
    names = _wanted(workloads, {record["workload"] for record in records}, "workload")
    counts = _wanted(threads, {str(record["threads"]) for record in records}, "number of threads")
    kept = [record for record in records if record["row"] in rows and record["workload"] in names]
    kept = [record for record in kept if str(record["threads"]) in counts]
    in_base = {record["row"] for record in kept if record["base"]}
    both = [record for record in kept if record["base"] and record["head"]]
    timed = both if every or allocators or workloads else decisive(both)
    return Plan(
        [(record["number"], cell_of(record)) for record in both],
        [(record["number"], cell_of(record)) for record in timed],
        {cell_of(record): record.get("live_bytes", 0) for record in kept},
        [cell_of(record) for record in kept if not record["head"]],
        sorted({record["row"] for record in kept} - in_base),
        frozenset(cell_of(record) for record in kept if not record["counted"]),
    )
