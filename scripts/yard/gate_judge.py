"""From measurements to verdicts. Nothing here runs a process, so every rule can be tested with numbers.

A finding is one metric of one cell, base against head. Time is judged by one-sided order-statistic
bounds on the median log ratio over processes. A FAIL takes two steps: a lower bound above the margin,
then the same in fresh processes of relinked builds, which are independent of the first. The familywise
error is the product of both steps' errors, summed over every comparison and every look at it. A PASS takes
one step: its error is the probability that a slowdown of exactly TIME_PASS is missed in its cell, and is
divided among the looks. Counts are compared exactly.
"""

import enum
import math
from typing import NamedTuple, Optional

from yard import stats
from yard.common import Exit, worst

TIME_FAIL = 1.02  # FAIL: the lower bound of head / base is above this
TIME_PASS = 1.05  # PASS: its upper bound is below this
FAMILY_ALPHA = 0.01  # probability of a false alarm in a whole run
CELL_ALPHA = 0.01  # of a false pass of one cell, and of a false first step, over all looks
CONFIRM_ALPHA = 0.01  # of the confirmation alone
INSTRUCTIONS_REPORT = 1.001
INSTRUCTIONS_FAIL = 1.01
RSS_FAIL = 1.05
RSS_FAIL_BYTES = 256 * 1024


class Cell(NamedTuple):
    row: str
    workload: str
    params: str
    threads: int = 1

    def __str__(self):
        threads = "" if self.threads == 1 else f" × {self.threads} threads"
        return f"{self.row} · {self.workload} {self.params}{threads}"


class Verdict(enum.Enum):
    PASS = "pass"
    CHANGED = "changed"  # beyond noise but no failure: better, or worse by less than the margin
    ACCEPTED = "accepted"
    FAIL = "FAIL"
    INCONCLUSIVE = "inconclusive"
    MISSING = "missing"
    BROKEN = "broken"  # crashed, hung, or gave invalid output: a failure of the harness


class Finding(NamedTuple):
    cell: Cell
    tier: str
    metric: str
    verdict: Verdict
    base: Optional[float] = None
    head: Optional[float] = None
    lo: Optional[float] = None  # of head / base
    hi: Optional[float] = None
    note: str = ""

    @property
    def ratio(self):
        """head / base; None where it is undefined."""
        if not self.base:
            return 1.0 if self.base == 0 and self.head == 0 else None
        return None if self.head is None else self.head / self.base

    @property
    def effect(self):
        """The change as text: '+2.3 %', or plain numbers where the base is 0."""
        if self.base is None or self.head is None:
            return ""
        if self.ratio is None:
            return f"{self.base:.0f} to {self.head:.0f}"
        return f"{100 * (self.ratio - 1):+.2f} %"


def settle_accepted(finding, entries):
    """The finding, as accepted where an entry covers it."""
    if finding.verdict not in (Verdict.FAIL, Verdict.MISSING):
        return finding
    metric = "removed" if finding.verdict is Verdict.MISSING else finding.metric
    for entry in entries:
        if entry.covers(finding.cell, metric) and entry.allows(finding.base, finding.head):
            return finding._replace(verdict=Verdict.ACCEPTED, note=f"accepted: {entry.reason}")
    return finding


def missing(cell, tier, note):
    return Finding(cell, tier, tier, Verdict.MISSING, note=note)


def broken(cell, tier, note):
    return Finding(cell, tier, tier, Verdict.BROKEN, note=note)


# Exact and instruction tiers: compared without statistics.


def judge_exact(cell, base, head):
    """base, head: records of the exact meter. One finding for each metric of base."""
    if base["checksum"] != head["checksum"] or base["operations"] != head["operations"]:
        return [broken(cell, "exact", "base and head did different work: their checksums disagree")]
    findings = []
    for metric in base["metrics"]:
        if metric not in head["metrics"]:
            findings.append(missing(cell, "exact", f"head no longer tells {metric}"))
            continue
        before, after = base["metrics"][metric], head["metrics"][metric]
        verdict = Verdict.PASS if before == after else Verdict.FAIL if after > before else Verdict.CHANGED
        findings.append(Finding(cell, "exact", metric, verdict, before, after))
    return findings


def judge_instructions(cell, base, head):
    """base, head: records with the `instructions` of their region."""
    if base["checksum"] != head["checksum"] or base["operations"] != head["operations"]:
        return broken(cell, "instructions", "base and head did different work: their checksums disagree")
    before, after = base["instructions"], head["instructions"]
    if before <= 0 or after <= 0:
        return missing(cell, "instructions", "nothing was counted")
    ratio = after / before
    verdict = Verdict.PASS
    if ratio >= INSTRUCTIONS_FAIL:
        verdict = Verdict.FAIL
    elif ratio > INSTRUCTIONS_REPORT or ratio < 1 / INSTRUCTIONS_REPORT:
        verdict = Verdict.CHANGED
    per_operation = base["operations"]
    return Finding(cell, "instructions", "instructions", verdict, before / per_operation, after / per_operation)


def judge_rss(cell, base, head):
    """base, head: peak RSS in bytes of several processes each. Peak RSS has several modes, so the least of each
    side is compared: what the allocator needs, without random additions."""
    if not base or not head:
        return missing(cell, "memory", "no process was measured")
    before, after = min(base), min(head)
    fails = after > before * RSS_FAIL and after - before > RSS_FAIL_BYTES
    return Finding(cell, "memory", "peak_rss", Verdict.FAIL if fails else Verdict.PASS, before, after)


# Time.


class Bounds(NamedTuple):
    median: float  # of head / base
    lo: Optional[float]
    hi: Optional[float]
    processes: int


def bounds(log_ratios, alpha):
    """One-sided bounds, each at alpha, as ratios; None where there are too few processes."""
    lo, hi = stats.lower_bound(log_ratios, alpha), stats.upper_bound(log_ratios, alpha)
    return Bounds(
        math.exp(stats.median_interval(log_ratios).median),
        None if lo is None else math.exp(lo),
        None if hi is None else math.exp(hi),
        len(log_ratios),
    )


def share_of_alpha(comparisons, looks):
    """The alpha of one look at one comparison that keeps the familywise error below FAMILY_ALPHA."""
    return FAMILY_ALPHA / max(1, comparisons * looks)


def look_alpha(comparisons, looks):
    """The alpha of each bound of one look at one comparison: CELL_ALPHA divided among its looks, or less where
    there are so many comparisons that the errors of first step and confirmation together would exceed
    FAMILY_ALPHA."""
    return min(CELL_ALPHA / looks, share_of_alpha(comparisons, looks) / CONFIRM_ALPHA)


def judge_time(bound):
    """The verdict of the bounds: FAIL (to be confirmed), PASS or CHANGED, or INCONCLUSIVE (sample more)."""
    if bound.lo is not None and bound.lo > TIME_FAIL:
        return Verdict.FAIL
    if bound.hi is not None and bound.hi < TIME_PASS:
        return Verdict.CHANGED if bound.lo > 1 and bound.median > 1.01 or bound.hi < 1 / 1.01 else Verdict.PASS
    return Verdict.INCONCLUSIVE


def confirm_time(first, relinked):
    """The verdict on a FAIL after fresh processes of relinked builds. `relinked` has one number for each build,
    because a build's layout shifts all of its processes alike: a slowdown that stays is due to the code, one
    that disappears was due to the layout."""
    bound = bounds(relinked, CONFIRM_ALPHA)
    if bound.lo is not None and bound.lo > TIME_FAIL:
        return Verdict.FAIL, bound, "confirmed with relinked builds"
    if bound.hi is not None and bound.hi < TIME_PASS:
        note = f"{100 * (first.median - 1):+.1f} % as first linked, not when linked in another order"
        return Verdict.PASS, bound, note
    return Verdict.INCONCLUSIVE, bound, "slower as first linked; relinked builds leave it open"


def control_holds(log_ratios, alpha):
    """Whether a comparison of head with a copy of itself stays within the margin, both ways."""
    bound = bounds(log_ratios, alpha)
    slower = bound.lo is not None and bound.lo > TIME_FAIL
    faster = bound.hi is not None and bound.hi < 1 / TIME_FAIL
    return not slower and not faster


class Sums(NamedTuple):
    compared: int
    failed: int
    inconclusive: int
    missing: int
    broken: int

    def line(self):
        """The summary at the end of a run."""
        text = (
            f"compared {self.compared}, failed {self.failed}, inconclusive {self.inconclusive}, "
            f"missing {self.missing}"
        )
        return text + (f", broken {self.broken}" if self.broken else "")


def sums(findings):
    def count(*verdicts):
        return sum(finding.verdict in verdicts for finding in findings)

    compared = len(findings) - count(Verdict.MISSING, Verdict.BROKEN)
    return Sums(compared, count(Verdict.FAIL), count(Verdict.INCONCLUSIVE), count(Verdict.MISSING), count(Verdict.BROKEN))


def exit_code(findings, not_run=()):
    """The run's status. not_run: requested tiers that could not run."""
    total = sums(findings)
    codes = []
    if total.failed:
        codes.append(Exit.CONFIRMED)
    if total.broken:
        codes.append(Exit.HARNESS)
    if total.missing or total.compared == 0:
        codes.append(Exit.NOTHING_MEASURED)
    if total.inconclusive or not_run:
        codes.append(Exit.INCONCLUSIVE)
    return worst(codes)
