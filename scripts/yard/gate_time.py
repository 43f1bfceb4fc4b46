"""The gate's tier that times: base against head, in adjacent epochs of one process, in many processes.

A look measures a number of processes and judges; cells that are still inconclusive get further looks with
more processes. Slowdowns are confirmed in fresh processes of builds that are linked in another order.

A cell of one thread is timed by its thread's processor time, as the ratio of adjacent epochs of one process.
A process on another core hardly affects that, so as many processes run at once as there are cores, each
pinned to one. Cells of several threads need all cores: their processes run one after another.

Measured with head against its copy, ten cells, twelve processes each way, twice, on two cores that
other work kept at a load of eight: half of the distance between the bounds was 2.5 and 2.0 % (median)
one process at a time, 1.6 and 1.0 % concurrently, and 4.6 and 4.0 % against 8.8 and 8.5 % in the one
worst cell, which then gets more looks.
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
# A random order of the sides fails the test of fairness with this probability.
ORDER_ALPHA = 1e-9
# To confirm a slowdown: the number of relinked builds of each side, and of processes for each pair of them.
RELINKS = 8
PROCESSES_A_RELINK = 3
# A row is slow where the fastest of this many processes is.
PROBES = 2


def cores(count):
    """At most `count` of the processors that this process may use."""
    return tuple(sorted(os.sched_getaffinity(0))[:count])


class InvalidRecord(Exception):
    """A record of the sampler is invalid; the verdict of `finding` is missing or broken."""

    def __init__(self, finding):
        super().__init__(finding.note)
        self.finding = finding


def check_record(cell, record, plugins, labels):
    """Verifies a record of `pairs`: samples, files, work and order. Raises InvalidRecord."""
    for label in labels:
        row = record.get("rows", {}).get(label)
        if row is None:
            raise InvalidRecord(missing(cell, "time", f"the sampler left out {label}"))
        if not row["ns_per_op"]:
            raise InvalidRecord(missing(cell, "time", f"no samples of {label}"))
        if not all(math.isfinite(value) and value > 0 for value in row["ns_per_op"]):
            raise InvalidRecord(broken(cell, "time", f"{label} has a time that is no time"))
        if Path(row["file"]).resolve() != Path(plugins[label]).resolve():
            raise InvalidRecord(broken(cell, "time", f"what is called {label} ran from {row['file']}"))
    rows = [record["rows"][label] for label in labels]
    for what in ("operations", "checksum"):
        if len({row[what] for row in rows}) != 1:
            raise InvalidRecord(broken(cell, "time", f"the sides did different work: their {what} disagree"))
    if len({len(row["ns_per_op"]) for row in rows}) != 1:
        raise InvalidRecord(missing(cell, "time", "one side has fewer samples than the other"))
    if not _interleaved(record["order"], len(labels), len(rows[0]["ns_per_op"])):
        raise InvalidRecord(broken(cell, "time", "the epochs were not interleaved: a permutation, then its reverse"))


def _interleaved(order, count, rounds):
    """Whether every round runs each candidate once, in any order, and then in the reverse of that order."""
    letters = sorted("abc"[:count])
    if len(order) != 2 * count * rounds:
        return False
    for at in range(0, len(order), 2 * count):
        first, second = order[at : at + count], order[at + count : at + 2 * count]
        if sorted(first) != letters or second != first[::-1]:
            return False
    return True


def first_places(order, count):
    """(number of rounds, number of those in which the first candidate ran before the second)."""
    rounds = [order[at : at + count] for at in range(0, len(order), 2 * count)]
    return len(rounds), sum(one.index("a") < one.index("b") for one in rounds)


class Samples:
    """The samples of one cell so far."""

    def __init__(self, cell, number, in_control):
        self.cell = cell
        self.number = number
        self.in_control = in_control
        self.log_ratios = []  # of head / base, one per process
        self.control = []  # of a copy of head / head
        self.elapsed_ns = math.inf
        self.rounds = 0
        self.base_first = 0
        self.base_ns = []
        self.head_ns = []
        self.finding = None  # set when the cell is settled
        self._lock = threading.Lock()

    def add(self, record, labels):
        """Adds one process's record. Thread-safe, because processes run concurrently."""
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
        """Whether the order of the sides is plausible as random."""
        return binomtest(self.base_first, self.rounds, 0.5).pvalue > ORDER_ALPHA

    def settle(self, verdict, bound, note=""):
        """Sets the finding. base and head are in ns per operation; head is computed from the judged ratio,
        because the median over processes of each side alone is noisier."""
        base = sorted(self.base_ns)[len(self.base_ns) // 2]
        self.finding = Finding(self.cell, "time", "time", verdict, base, base * bound.median, bound.lo, bound.hi, note)


def run_process(samples, meters, control, seed, microseconds, core=None):
    """Measures the cells in `samples` in one process, pinned to `core` where one is given. Where it crashes, the
    cell at which it did is settled as broken, and the remaining ones run in another process. Cells with an
    invalid record are settled too."""
    waiting = {one.number: one for one in samples if one.finding is None}
    while waiting:
        chosen = [number for number in waiting if number in control]
        records, crash = meters.pairs(sorted(waiting), sorted(chosen), seed, microseconds, core)
        for record in records:
            one = waiting.pop(record["number"], None)
            if one is not None:
                _take(one, record, meters.plugins, one.number in chosen)
        unreported = sorted(waiting)
        if not unreported:
            return
        first = waiting.pop(unreported[0])
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
    except InvalidRecord as error:
        one.finding = error.finding
        return
    one.add(record, labels)


class TimeTier:
    """Measures, judges and confirms the time of all cells."""

    def __init__(self, meters, relinked, seed, microseconds, looks, progress, slowest_ns=0, lanes=(None,)):
        self.meters = meters
        self.relinked = relinked  # (number) -> Meters over the number-th pair of relinked builds
        self.seed = seed
        self.microseconds = microseconds
        self.looks = looks  # the total number of processes after each look
        self.progress = progress
        self.slowest_ns = slowest_ns  # a row whose first cell takes longer is timed only there; 0: no limit
        self.lanes = lanes  # cores, each of which runs one process at a time
        self.slow_rows = []
        self.samples = []
        self.control_failed = []

    def run(self, numbered_cells):
        """numbered_cells: (number, cell). Returns the findings, one per cell."""
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
        """Runs a process for each (samples, meters, control, seed): one at a time on each lane."""
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
        """The cells without those of slow rows (such as one system call per operation), which would take most of
        the time: a regression of theirs shows in their first cell and in the counts."""
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
        """Settles the cells that the bounds decide; returns the slower ones, with their bounds."""
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
        """Measures the slower cells again, in fresh processes of relinked builds, and settles them."""
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
        """Runs the processes of one relinked pair of builds."""
        seeds = range(seed, seed + PROCESSES_A_RELINK)
        alone = [one for one in fresh.values() if one.cell.threads == 1]
        crowded = [one for one in fresh.values() if one.cell.threads > 1]
        if alone:
            self._run([(alone, meters, set(), number) for number in seeds])
        for number in seeds if crowded else ():
            run_process(crowded, meters, set(), number, self.microseconds)

    def _judge_control(self, comparisons):
        """Where head differs from its own copy, the machine is too noisy, and no time verdict counts."""
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
    """The numbers of the cells in which head is also compared with a copy of itself: one for each workload,
    parameters and threads, of a different row each time."""
    groups = {}
    for number, cell in numbered_cells:
        groups.setdefault((cell.workload, cell.params, cell.threads), []).append(number)
    return {numbers[place % len(numbers)] for place, numbers in enumerate(groups.values())}
