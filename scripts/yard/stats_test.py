"""The intervals have their nominal coverage, for the kinds of noise of a shared machine."""

import math
import sys
from pathlib import Path

import numpy
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from yard import stats  # noqa: E402

TRIALS = 3000


def skewed(generator, shape):
    """Log-normal, shifted so that its median is 0."""
    return numpy.exp(generator.normal(0, 1.0, shape)) - 1.0


def heavy(generator, shape):
    """Student's t with two degrees of freedom: its variance is infinite."""
    return generator.standard_t(2, shape)


def three_modes(generator, shape):
    """Three modes, as of three page layouts; the median is 0 by symmetry."""
    return generator.normal(0, 0.2, shape) + generator.choice([-2.0, 0.0, 2.0], shape)


@pytest.mark.parametrize("noise", [skewed, heavy, three_modes])
@pytest.mark.parametrize("n", [6, 7, 8, 10, 12, 20, 30])
def test_interval_covers_the_median(noise, n):
    draws = noise(numpy.random.default_rng(n), (TRIALS, n))
    covered = sum(stats.median_interval(draw).contains(0.0) for draw in draws) / TRIALS
    # Three standard errors of a share of 95 % in 3,000 trials are 1.2 points; six processes can't do
    # better than the whole range (96.9 %) without interpolation.
    assert 0.935 <= covered <= 0.975


def test_joint_ratio_over_cells_covers():
    generator = numpy.random.default_rng(5)
    covered = 0
    for _ in range(1000):
        cells = [list(generator.standard_t(3, 12)) for _ in range(4)]
        covered += stats.median_interval(stats.joint_log_ratios(cells)).contains(0.0)
    assert 0.93 <= covered / 1000 <= 0.975


def test_paired_rounds_cancel_common_noise():
    generator = numpy.random.default_rng(6)
    ratios = []
    for _ in range(200):
        processes = []
        for _ in range(12):
            machine = numpy.exp(generator.standard_t(3, 40))
            own = numpy.exp(generator.normal(0, 0.01, (2, 40)))
            processes.append(stats.paired_log_ratio(machine * own[0] * 1.05, machine * own[1]))
        ratios.append(stats.ratio(processes))
    assert all(ratio.lo > 1.03 and ratio.hi < 1.07 for ratio in ratios)
    assert 0.92 <= sum(ratio.contains(1.05) for ratio in ratios) / len(ratios) <= 0.99


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_too_few_processes_have_no_interval(n):
    estimate = stats.median_interval(range(n))
    assert (estimate.lo, estimate.hi, estimate.n) == (None, None, n)
    assert estimate.median == (n - 1) / 2
    assert estimate.contains(0) is None


def test_six_values_give_an_interval_within_their_range():
    estimate = stats.median_interval([1, 2, 3, 4, 5, 6])
    assert estimate.median == 3.5
    assert 1.0 < estimate.lo < 2.0 and 5.0 < estimate.hi < 6.0
    assert stats.coverage(6, 1) == pytest.approx(1 - 2 / 64)


def test_interval_equals_the_published_interpolation():
    # n = 10: depth 2 covers 97.85 %, depth 3 covers 89.06 %.
    estimate = stats.median_interval(range(1, 11))
    share = (0.978515625 - 0.95) / (0.978515625 - 0.890625)
    weight = 8 * share / (2 + 6 * share)
    assert estimate.lo == pytest.approx(2 + weight)
    assert estimate.hi == pytest.approx(9 - weight)


def test_no_values_is_an_error():
    with pytest.raises(ValueError):
        stats.median_interval([])
    with pytest.raises(ValueError):
        stats.paired_log_ratio([], [])


def test_one_sided_bound_is_the_sixth_of_thirty():
    values = list(range(1, 31))
    assert stats.lower_bound(values, 1.7e-4) == 6
    assert stats.upper_bound(values, 1.7e-4) == 25
    assert stats.lower_bound(values, 1e-12) is None
    assert stats.lower_bound(range(7), 0.01) == 0 and stats.lower_bound(range(6), 0.01) is None


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_one_sided_bounds_fail_no_more_often_than_alpha(alpha):
    draws = heavy(numpy.random.default_rng(11), (TRIALS, 20))
    above = sum(stats.lower_bound(draw, alpha) > 0 for draw in draws) / TRIALS
    below = sum(stats.upper_bound(draw, alpha) < 0 for draw in draws) / TRIALS
    limit = alpha + 3 * math.sqrt(alpha / TRIALS)
    assert 0 < above <= limit and 0 < below <= limit


def test_unpaired_ratio_covers():
    generator = numpy.random.default_rng(8)
    covered = 0
    for _ in range(500):
        sides = numpy.exp(generator.normal(0, 0.1, (2, 12)))
        covered += stats.unpaired_ratio(stats.median_interval(2.0 * sides[0]), stats.median_interval(sides[1])).contains(2.0)
    assert covered / 500 >= 0.95
    single = stats.unpaired_ratio(stats.median_interval([3]), stats.median_interval([1.5, 1.5]))
    assert (single.median, single.lo, single.n) == (2.0, None, 1)


def test_control_ignores_estimates_without_interval():
    ratios = [stats.Estimate(1.0, 0.98, 1.02, 9), stats.Estimate(1.1, 1.05, 1.15, 9), stats.Estimate(1.0, None, None, 3)]
    control = stats.control(ratios)
    assert (control.cells, control.containing, control.share) == (2, 1, 0.5)
    assert control.median_half_width == pytest.approx(0.035)
    assert stats.control([]).share is None


def test_95_percent_of_same_against_same_intervals_contain_one():
    generator = numpy.random.default_rng(20)
    ratios = []
    for _ in range(600):
        processes = []
        for _ in range(12):
            layout = generator.normal(0, 0.01)
            one, other = numpy.exp(generator.standard_t(2, (2, 40)) * 0.02)
            processes.append(stats.paired_log_ratio(one * math.exp(layout), other))
        ratios.append(stats.ratio(processes))
    assert 0.92 <= stats.control(ratios).share <= 0.98


def test_clearly_apart_needs_both_intervals():
    low, high = stats.Estimate(1, 0.9, 1.1, 8), stats.Estimate(2, 1.8, 2.2, 8)
    assert stats.clearly_apart(low, high) and stats.clearly_apart(high, low)
    assert not stats.clearly_apart(low, stats.Estimate(1.1, 1.05, 1.2, 8))
    assert not stats.clearly_apart(low, stats.Estimate(2, None, None, 3))
