"""Non-parametric inference over processes.

Timings on a shared machine are skewed, heavy-tailed and correlated within a process: the memory layout of
code and heap shifts all rounds of a process together. So the unit of inference is the process. Each process
gives one number, the median over rounds of log(candidate / reference), paired by round; the median of those
numbers is the estimate, and order statistics (the inverted sign test) bound it. Their coverage is exact for
any continuous distribution; the two-sided interval is interpolated between neighbouring ranks
(Hettmansperger and Sheather, 1986), because with few processes the coverage of whole ranks jumps from 93 to
98 %. With fewer than six processes no 95 % interval exists, and the functions return None.

All functions work on logarithms of ratios, or on plain values; `Estimate.exp` converts back.
"""

import math
from typing import NamedTuple, Optional

import numpy
from scipy.stats import binom

CONFIDENCE = 0.95
# The fewest values whose range covers the median with 95 %: 1 - 2 / 2^n >= 0.95.
FEWEST = 6


class Estimate(NamedTuple):
    """A median, its interval (None where there are too few values) and the number of values."""

    median: float
    lo: Optional[float]
    hi: Optional[float]
    n: int

    def exp(self):
        """The estimate of a ratio from that of its logarithm."""
        return Estimate(math.exp(self.median), *(None if x is None else math.exp(x) for x in (self.lo, self.hi)), self.n)

    def contains(self, value):
        """Whether the interval contains the value; None where there is no interval."""
        return None if self.lo is None else self.lo <= value <= self.hi


def coverage(n, depth):
    """The probability that the median is between the depth-th smallest and the depth-th largest of n values."""
    return 1.0 - 2.0 * float(binom.cdf(depth - 1, n, 0.5))


_ranks = {}


def _interpolation(n, confidence):
    """(depth, weight): the interval's ends are `weight` of the way from the depth-th value to the next inner
    one. None where even the range of all values has too little coverage."""
    key = (n, confidence)
    if key not in _ranks:
        depth = 0
        while depth < n // 2 and coverage(n, depth + 1) >= confidence:
            depth += 1
        if depth == 0:
            _ranks[key] = None
        else:
            outer, inner = coverage(n, depth), coverage(n, depth + 1) if 2 * (depth + 1) <= n + 1 else 0.0
            share = (outer - confidence) / (outer - inner)
            weight = (n - depth) * share / (depth + (n - 2 * depth) * share)
            _ranks[key] = (depth, weight)
    return _ranks[key]


def median_interval(values, confidence=CONFIDENCE):
    """The median of independent values, with its interpolated sign-test interval."""
    ordered = sorted(float(value) for value in values)
    n = len(ordered)
    if n == 0:
        raise ValueError("no values: nothing was measured")
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    place = _interpolation(n, confidence)
    if place is None:
        return Estimate(middle, None, None, n)
    depth, weight = place
    inner = min(depth, n - 1)
    lo = (1 - weight) * ordered[depth - 1] + weight * ordered[inner]
    hi = (1 - weight) * ordered[n - depth] + weight * ordered[n - 1 - inner]
    return Estimate(middle, lo, hi, n)


def bound_rank(n, alpha):
    """The greatest k for which the k-th smallest of n values is above the median with probability of
    at most alpha; 0 where n is too small for that alpha."""
    rank = 0
    while rank < n and float(binom.cdf(rank, n, 0.5)) <= alpha:
        rank += 1
    return rank


def lower_bound(values, alpha):
    """A lower bound of the median with an error of at most alpha (an exact order statistic, not interpolated).
    None where there are too few values for that alpha."""
    ordered = sorted(float(value) for value in values)
    rank = bound_rank(len(ordered), alpha)
    return ordered[rank - 1] if rank else None


def upper_bound(values, alpha):
    """An upper bound of the median with an error of at most alpha; None as above."""
    below = lower_bound([-value for value in values], alpha)
    return None if below is None else -below


def paired_log_ratio(candidate, reference):
    """The number that a process gives: the median over rounds of log(candidate / reference)."""
    rounds = min(len(candidate), len(reference))
    if rounds == 0:
        raise ValueError("a process without rounds")
    pairs = numpy.asarray(candidate[:rounds], float), numpy.asarray(reference[:rounds], float)
    return float(numpy.median(numpy.log(pairs[0]) - numpy.log(pairs[1])))


def ratio(log_ratios, confidence=CONFIDENCE):
    """The ratio over processes, from each process's paired_log_ratio."""
    return median_interval(log_ratios, confidence).exp()


def geometric_mean(values):
    """The geometric mean of positive values."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def joint_log_ratios(cells):
    """cells: lists of log ratios by process. Returns, by process, the log of the geometric mean over cells.
    Processes of different cells are independent and exchangeable, so the i-th of each form one joint draw; there
    are as many as in the shortest list."""
    count = min(len(cell) for cell in cells)
    return [sum(cell[i] for cell in cells) / len(cells) for i in range(count)]


def unpaired_ratio(candidate, reference):
    """The ratio of two estimates of positive values that can't be paired (each from processes of its own, as
    memory is measured). The interval combines the worst ends of both, which is conservative."""
    n = min(candidate.n, reference.n)
    middle = candidate.median / reference.median
    if None in (candidate.lo, reference.lo):
        return Estimate(middle, None, None, n)
    return Estimate(middle, candidate.lo / reference.hi, candidate.hi / reference.lo, n)


class Control(NamedTuple):
    """The result of an A/A check: of `cells` intervals, `containing` contain 1."""

    cells: int
    containing: int
    median_half_width: Optional[float]

    @property
    def share(self):
        return self.containing / self.cells if self.cells else None


def control(ratios):
    """The A/A check over estimates of ratios whose true value is 1; those without interval are ignored."""
    bounded = [ratio for ratio in ratios if ratio.lo is not None]
    if not bounded:
        return Control(0, 0, None)
    widths = [(ratio.hi - ratio.lo) / 2 for ratio in bounded]
    return Control(len(bounded), sum(ratio.contains(1.0) for ratio in bounded), float(numpy.median(widths)))


def clearly_apart(one, other):
    """Whether both estimates have intervals, and these do not overlap."""
    if one.lo is None or other.lo is None:
        return False
    return one.hi < other.lo or other.hi < one.lo
