"""The gate's tiers: each measures the cells of a plan on both sides and gives its findings.

They know of the harness only what Meters (gate_meters.py) tells, so that the tests can put a harness
in its place that swaps, drops or invents.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scipy.stats import binomtest

from yard import stats
from yard.gate_judge import (
    Bounds, Finding, Verdict, bounds, broken, confirm_time, control_holds, judge_exact, judge_instructions,
    judge_rss, judge_time, missing, share_of_alpha,
)

SIDES = ("base", "head")
# A fair coin for which side goes first fails this once in a thousand million.
ORDER_ALPHA = 1e-9
# Relinked builds of each side, and processes of each pair of them, that confirm a slowdown.
RELINKS = 8
PROCESSES_A_RELINK = 4
# A cell is slow by the quickest of so many processes.
SLOW_AFTER = 3


def rows_of(cells):
    """The rows of the cells, in order."""
    return list(dict.fromkeys(cell.row for cell in cells))


def _count_both_sides(cells, count, tier, progress, jobs):
    """Runs count(label, row) for every row and side; gives (cell, base record, head record) for the
    cells that both told, and findings for those that one didn't."""
    rows = rows_of(cells)
    tasks = [(label, row) for row in rows for label in SIDES]
    progress.start(tier, len(tasks))

    def one(task):
        result = count(*task)
        progress.step()
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = dict(zip(tasks, pool.map(one, tasks)))
    both, findings = [], []
    for cell in cells:
        told = {label: results[label, cell.row] for label in SIDES}
        absent = [label for label in SIDES if cell not in told[label][0]]
        crashes = [told[label][1] for label in absent if told[label][1]]
        if crashes:
            findings.append(broken(cell, tier, f"{crashes[0].why}: {crashes[0].command}"))
        elif absent:
            findings.append(missing(cell, tier, f"{' and '.join(absent)} gave no numbers"))
        else:
            both.append((cell, told["base"][0][cell], told["head"][0][cell]))
    return both, findings


def exact_tier(cells, meters, progress, jobs):
    both, findings = _count_both_sides(cells, meters.exact, "exact", progress, jobs)
    for cell, base, head in both:
        findings += judge_exact(cell, base, head)
    return findings


def instruction_tier(cells, meters, progress, jobs):
    both, findings = _count_both_sides(cells, meters.instructions, "instructions", progress, jobs)
    return findings + [judge_instructions(cell, base, head) for cell, base, head in both]


def memory_tier(cells, meters, processes, progress, jobs):
    """Peak RSS of fresh processes, the sides in turns."""
    tasks = [(label, cell) for cell in cells for _ in range(processes) for label in SIDES]
    progress.start("memory", len(tasks))

    def one(task):
        result = meters.peak_rss(*task)
        progress.step()
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = list(zip(tasks, pool.map(one, tasks)))
    findings = []
    for cell in cells:
        peaks = {label: [] for label in SIDES}
        crashes = []
        for (label, other), (peak, crash) in results:
            if other == cell:
                peaks[label] += [] if peak is None else [peak]
                crashes += [crash] if crash else []
        if crashes:
            findings.append(broken(cell, "memory", f"{crashes[0].why}: {crashes[0].command}"))
        else:
            findings.append(judge_rss(cell, peaks["base"], peaks["head"]))
    return findings


# Time.


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

    def add(self, record, labels):
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


def run_process(samples, meters, control, seed, microseconds):
    """One process over the cells in `samples`. Where it crashes, the cell at which it did is settled as
    broken and the others go on in another process. Cells whose record is in doubt are settled."""
    waiting = {one.number: one for one in samples if one.finding is None}
    while waiting:
        chosen = [number for number in waiting if number in control]
        records, crash = meters.pairs(sorted(waiting), sorted(chosen), seed, microseconds)
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
    """Looks at all cells, then again and longer at those that are still open, then confirms."""

    def __init__(self, meters, relinked, seed, microseconds, looks, progress, slowest_ns=None):
        self.meters = meters
        self.relinked = relinked  # (number) -> Meters over the number-th pair of relinked builds
        self.seed = seed
        self.microseconds = microseconds
        self.looks = looks  # processes in all after each look
        self.progress = progress
        self.slowest_ns = slowest_ns  # a cell that takes longer in a process is left out; None: none is
        self.left_out = []
        self.samples = []
        self.control_failed = []

    def run(self, numbered_cells):
        """numbered_cells: (number, cell). The findings, one a cell."""
        control = control_numbers(numbered_cells)
        self.samples = [Samples(cell, number, number in control) for number, cell in numbered_cells]
        alpha = share_of_alpha(len(self.samples), len(self.looks))
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
        self.progress.start(f"time ({len(self._open())} cells)", processes - done)
        for process in range(done, processes):
            run_process(self._open(), self.meters, control, self.seed + process, self.microseconds)
            if process == SLOW_AFTER - 1 and self.slowest_ns:
                self._leave_out_slow()
            self.progress.step()

    def _leave_out_slow(self):
        """Cells that would take most of the time, such as those of one system call an operation: what
        they can lose shows in the counts."""
        slow = [one for one in self._open() if one.elapsed_ns > self.slowest_ns]
        self.left_out += [one.cell for one in slow]
        self.samples = [one for one in self.samples if one not in slow]

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
        for number in range(RELINKS):
            meters = self.relinked(number)
            for process in range(PROCESSES_A_RELINK):
                seed = self.seed + 10_000 + number * 100 + process
                run_process(again.values(), meters, set(), seed, self.microseconds)
                self.progress.step()
        for one, first in suspects:
            fresh = again[one.number]
            if fresh.finding:
                one.finding = fresh.finding
                continue
            verdict, bound, note = confirm_time(first, fresh.log_ratios)
            shown = bound if verdict is not Verdict.FAIL else Bounds(bound.median, first.lo, first.hi, bound.processes)
            one.settle(verdict, shown, note)

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
