"""The gate's tier that times: base against head, epoch against epoch in one process, many processes.

Looks at all cells, then again and longer at those that are still open. What looks slower is confirmed
in fresh processes of builds that are linked in another order.

A cell of one thread is timed by its thread's own processor time, and its ratio is that of epochs that
lie next to each other in one process; so a process on the core beside it takes nothing from it, and
as many processes run at once as there are cores, each kept on its own. Cells of several threads
need the cores for themselves: their processes run one after another.

Measured with head against its copy, ten cells, twelve processes each way, twice, on two cores that
other work kept at a load of eight: half of the distance between the bounds was 2.5 and 2.0 % (median)
one process at a time, 1.6 and 1.0 % side by side, and 4.6 and 4.0 % against 8.8 and 8.5 % in the one
worst cell, which then takes more looks.
"""

import math
import os
import queue
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scipy.stats import binomtest

from yard import stats
from yard.gate_judge import (
    Bounds, Finding, Verdict, bounds, broken, confirm_time, control_holds, judge_time, look_alpha, missing,
    share_of_alpha,
)

SIDES = ("base", "head")
# A fair coin for which side goes first fails this once in a thousand million.
ORDER_ALPHA = 1e-9
# Relinked builds of each side, and processes of each pair of them, that confirm a slowdown.
RELINKS = 8
PROCESSES_A_RELINK = 3
# A row is slow by the quickest of so many processes.
PROBES = 2


def cores(count):
    """Up to that many of the processors that this process may use."""
    return tuple(sorted(os.sched_getaffinity(0))[:count])


class Doubt(Exception):
    """A record of the sampler that can't be right; `finding` is missing or broken."""

    def __init__(self, finding):
        super().__init__(finding.note)
        self.finding = finding


def check_record(cell, record, plugins, labels):
    """Whether a record of `pairs` proves what it claims. Raises Doubt."""
    for label in labels:
        row = record.get("rows", {}).get(label)
        if row is None:
            raise Doubt(missing(cell, "time", f"the sampler left out {label}"))
        if not row["ns_per_op"]:
            raise Doubt(missing(cell, "time", f"no samples of {label}"))
        if not all(math.isfinite(value) and value > 0 for value in row["ns_per_op"]):
            raise Doubt(broken(cell, "time", f"{label} has a time that is no time"))
        if Path(row["file"]).resolve() != Path(plugins[label]).resolve():
            raise Doubt(broken(cell, "time", f"what is called {label} ran from {row['file']}"))
    rows = [record["rows"][label] for label in labels]
    for what in ("operations", "checksum"):
        if len({row[what] for row in rows}) != 1:
            raise Doubt(broken(cell, "time", f"the sides did different work: their {what} disagree"))
    if len({len(row["ns_per_op"]) for row in rows}) != 1:
        raise Doubt(missing(cell, "time", "one side has fewer samples than the other"))
    if not _interleaved(record["order"], len(labels), len(rows[0]["ns_per_op"])):
        raise Doubt(broken(cell, "time", "the epochs were not interleaved: a permutation, then its reverse"))


def _interleaved(order, count, rounds):
    """Every round runs each candidate once, in any order, and then in the reverse of that order."""
    letters = sorted("abc"[:count])
    if len(order) != 2 * count * rounds:
        return False
    for at in range(0, len(order), 2 * count):
        first, second = order[at : at + count], order[at + count : at + 2 * count]
        if sorted(first) != letters or second != first[::-1]:
            return False
    return True


def first_places(order, count):
    """(rounds, how many of them the first candidate began before the second)."""
    rounds = [order[at : at + count] for at in range(0, len(order), 2 * count)]
    return len(rounds), sum(one.index("a") < one.index("b") for one in rounds)


class Samples:
    """What is known of one cell's time so far."""

    def __init__(self, cell, number, in_control):
        self.cell = cell
        self.number = number
        self.in_control = in_control
        self.log_ratios = []  # head / base, one a process
        self.control = []  # a copy of head / head
        self.elapsed_ns = math.inf
        self.rounds = 0
        self.base_first = 0
        self.base_ns = []
        self.head_ns = []
        self.finding = None  # when it is settled
        self._lock = threading.Lock()

    def add(self, record, labels):
        """One process's record. Processes that run side by side may add theirs at once."""
        with self._lock:
            self._add(record, labels)

    def _add(self, record, labels):
        rows = {label: record["rows"][label]["ns_per_op"] for label in labels}
        self.log_ratios.append(stats.paired_log_ratio(rows["head"], rows["base"]))
        if "again" in rows:
            self.control.append(stats.paired_log_ratio(rows["again"], rows["head"]))
        self.base_ns.append(sorted(rows["base"])[len(rows["base"]) // 2])
        self.head_ns.append(sorted(rows["head"])[len(rows["head"]) // 2])
        self.elapsed_ns = min(self.elapsed_ns, record["elapsed_ns"])
        rounds, first = first_places(record["order"], len(labels))
        self.rounds += rounds
        self.base_first += first

    def fair(self):
        """Whether chance chose which side went first."""
        return binomtest(self.base_first, self.rounds, 0.5).pvalue > ORDER_ALPHA

    def settle(self, verdict, bound, note=""):
        """Writes the finding. base and head are in ns per operation, head scaled so that their ratio is
        the one that was judged (the median over processes of each side alone is noisier)."""
        base = sorted(self.base_ns)[len(self.base_ns) // 2]
        self.finding = Finding(self.cell, "time", "time", verdict, base, base * bound.median, bound.lo, bound.hi, note)


def run_process(samples, meters, control, seed, microseconds, core=None):
    """One process over the cells in `samples`, on that core where one is given. Where it crashes, the cell at which it did is settled as
    broken and the others go on in another process. Cells whose record is in doubt are settled."""
    waiting = {one.number: one for one in samples if one.finding is None}
    while waiting:
        chosen = [number for number in waiting if number in control]
        records, crash = meters.pairs(sorted(waiting), sorted(chosen), seed, microseconds, core)
        for record in records:
            one = waiting.pop(record["number"], None)
            if one is not None:
                _take(one, record, meters.plugins, one.number in chosen)
        unheard = sorted(waiting)
        if not unheard:
            return
        first = waiting.pop(unheard[0])
        if crash is None:
            first.finding = missing(first.cell, "time", "the sampler left it out")
        else:
            first.finding = broken(first.cell, "time", f"{crash.why}: {crash.command}")


def _take(one, record, plugins, with_control):
    labels = ("base", "head", "again") if with_control else SIDES
    if record["kind"] == "failed":
        one.finding = broken(one.cell, "time", record["why"])
        return
    try:
        check_record(one.cell, record, plugins, labels)
    except Doubt as doubt:
        one.finding = doubt.finding
        return
    one.add(record, labels)


class TimeTier:
    """Looks, judges, confirms."""

    def __init__(self, meters, relinked, seed, microseconds, looks, progress, slowest_ns=0, lanes=(None,)):
        self.meters = meters
        self.relinked = relinked  # (number) -> Meters over the number-th pair of relinked builds
        self.seed = seed
        self.microseconds = microseconds
        self.looks = looks  # processes in all after each look
        self.progress = progress
        self.slowest_ns = slowest_ns  # a row whose first cell takes longer is timed there alone; 0: none is
        self.lanes = lanes  # cores, each of which runs a process at a time
        self.slow_rows = []
        self.samples = []
        self.control_failed = []

    def run(self, numbered_cells):
        """numbered_cells: (number, cell). The findings, one a cell."""
        numbered_cells = self._without_slow(numbered_cells)
        control = control_numbers(numbered_cells)
        self.samples = [Samples(cell, number, number in control) for number, cell in numbered_cells]
        alpha = look_alpha(len(self.samples), len(self.looks))
        done = 0
        for look, processes in enumerate(self.looks):
            self._look(control if look == 0 else set(), done, processes)
            done = processes
            suspects = self._judge(alpha, last=look == len(self.looks) - 1)
            if suspects:
                self._confirm(suspects)
            if all(one.finding for one in self.samples):
                break
        self._judge_control(len(control))
        return [one.finding for one in self.samples]

    def _open(self):
        return [one for one in self.samples if one.finding is None]

    def _look(self, control, done, processes):
        alone = [one for one in self._open() if one.cell.threads == 1]
        crowded = [one for one in self._open() if one.cell.threads > 1]
        seeds = [self.seed + process for process in range(done, processes)]
        count = len(seeds) * (bool(alone) + bool(crowded))
        self.progress.start(f"time ({len(alone) + len(crowded)} cells)", count)
        if alone:
            self._run([(alone, self.meters, control, seed) for seed in seeds])
        for seed in seeds if crowded else ():
            run_process(crowded, self.meters, control, seed, self.microseconds)
            self.progress.step()

    def _run(self, tasks):
        """A process for each (samples, meters, control, seed): one at a time on each lane."""
        free = queue.SimpleQueue()
        for lane in self.lanes:
            free.put(lane)

        def one(task):
            lane = free.get()
            try:
                run_process(*task, self.microseconds, lane)
            finally:
                free.put(lane)
            self.progress.step()

        with ThreadPoolExecutor(len(self.lanes)) as pool:
            list(pool.map(one, tasks))

    def _without_slow(self, numbered_cells):
        """The cells without those of slow rows, such as one of a system call an operation, which would
        take most of the time: what they can lose shows in their first cell and in the counts."""
        if not self.slowest_ns:
            return numbered_cells
        first = {}
        for number, cell in numbered_cells:
            if cell.threads == 1:
                first.setdefault(cell.row, (number, cell))
        probes = {row: Samples(cell, number, False) for row, (number, cell) in first.items()}
        slow = list(probes)
        for seed in range(self.seed, self.seed + PROBES):
            run_process([probes[row] for row in slow], self.meters, set(), seed, self.microseconds, self.lanes[0])
            slow = [row for row in slow if self.slowest_ns < probes[row].elapsed_ns < math.inf]
        self.slow_rows = slow
        kept = {number for row, (number, _) in first.items() if row in slow}
        return [(number, cell) for number, cell in numbered_cells if cell.row not in slow or number in kept]

    def _judge(self, alpha, last):
        """Settles what can be settled; gives those that look slower, with their bounds."""
        suspects = []
        for one in self._open():
            if not one.fair():
                one.finding = broken(one.cell, "time", "the order of the sides was not left to chance")
                continue
            bound = bounds(one.log_ratios, alpha)
            verdict = judge_time(bound)
            if verdict is Verdict.FAIL:
                suspects.append((one, bound))
            elif verdict is not Verdict.INCONCLUSIVE or last:
                one.settle(verdict, bound, f"{bound.processes} processes")
        return suspects

    def _confirm(self, suspects):
        """Fresh processes of relinked builds, for the cells that failed."""
        again = {one.number: Samples(one.cell, one.number, False) for one, _ in suspects}
        self.progress.start(f"time, confirming {len(again)} relinked", RELINKS * PROCESSES_A_RELINK)
        medians = {number: [] for number in again}
        for number in range(RELINKS):
            fresh = {one.number: Samples(one.cell, one.number, False) for one, _ in suspects}
            self._confirm_with(self.relinked(number), fresh, self.seed + 10_000 + number * 100)
            for one in fresh.values():
                again[one.number].finding = again[one.number].finding or one.finding
                if one.log_ratios:
                    medians[one.number].append(statistics.median(one.log_ratios))
        for one, first in suspects:
            fresh = again[one.number]
            if fresh.finding:
                one.finding = fresh.finding
                continue
            verdict, bound, note = confirm_time(first, medians[one.number])
            shown = bound if verdict is not Verdict.FAIL else Bounds(bound.median, first.lo, first.hi, bound.processes)
            one.settle(verdict, shown, note)

    def _confirm_with(self, meters, fresh, seed):
        """The processes of one relinked pair of builds."""
        seeds = range(seed, seed + PROCESSES_A_RELINK)
        alone = [one for one in fresh.values() if one.cell.threads == 1]
        crowded = [one for one in fresh.values() if one.cell.threads > 1]
        if alone:
            self._run([(alone, meters, set(), number) for number in seeds])
        for number in seeds if crowded else ():
            run_process(crowded, meters, set(), number, self.microseconds)

    def _judge_control(self, comparisons):
        """Where head differs from its own copy, this machine could not tell, and no time verdict counts."""
        alpha = share_of_alpha(comparisons, 1)
        self.control_failed = [
            one.cell for one in self.samples if one.control and not control_holds(one.control, alpha)
        ]
        if not self.control_failed:
            return
        for one in self.samples:
            if one.finding.verdict in (Verdict.PASS, Verdict.CHANGED, Verdict.FAIL):
                note = f"head differed from its own copy on {self.control_failed[0]}: {one.finding.note}"
                one.finding = one.finding._replace(verdict=Verdict.INCONCLUSIVE, note=note)


def control_numbers(numbered_cells):
    """One cell of each workload and parameters, and of a different row each time: those in which head
    is compared with a copy of itself too."""
    groups = {}
    for number, cell in numbered_cells:
        groups.setdefault((cell.workload, cell.params, cell.threads), []).append(number)
    return {numbers[place % len(numbers)] for place, numbers in enumerate(groups.values())}
