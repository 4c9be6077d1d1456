"""Cross-sections by rank against scipy, exact arithmetic, and on noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from chance import SEEDS, assert_nominal
from scipy import stats

from pipeline.statistics.ranks import (
    compare_groups,
    correlate_ranks,
    fit_theil_sen,
)


def test_theil_sen_is_the_median_of_pairwise_slopes() -> None:
    x, y = np.random.default_rng(4).standard_normal((2, 15))
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i, j in combinations(range(15), 2)]
    found = fit_theil_sen(x, y)
    assert found.value == pytest.approx(float(np.median(slopes)))
    oracle = stats.theilslopes(y, x)
    assert (found.low, found.high) == pytest.approx((oracle.low_slope, oracle.high_slope))


def test_theil_sen_recovers_a_planted_slope_beside_outliers() -> None:
    chance = np.random.default_rng(7)
    x = chance.uniform(0, 10, 100)
    y = -0.3 * x + 0.1 * chance.standard_normal(100)
    y[:15] += 50
    found = fit_theil_sen(x, y)
    assert found.low < -0.3 < found.high
    assert found.value == pytest.approx(-0.3, abs=0.03)


def test_theil_sen_interval_covers_no_slope_as_often_as_it_says() -> None:
    covered = 0
    for seed in SEEDS:
        found = fit_theil_sen(*np.random.default_rng(seed).standard_normal((2, 40)))
        covered += found.low <= 0 <= found.high
    assert covered / len(SEEDS) == pytest.approx(0.95, abs=0.033)


def test_rank_correlation_by_hand() -> None:
    # the example of scipy.stats.spearmanr: 1 - 6 * 4 / (5 * 24)
    found = correlate_ranks([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])
    assert found.value == pytest.approx(0.82078268)
    assert found.p_value == pytest.approx(0.08858700)


def test_group_test_is_that_of_scipy() -> None:
    # the example of scipy.stats.mannwhitneyu: ages at which diabetes was found
    males, females = [19, 22, 16, 29, 24], [20, 11, 17, 12]
    found = compare_groups(males, females)
    assert found.value == pytest.approx(17 / 20)
    assert found.p_value == pytest.approx(0.1111111)


def test_missing_values_are_left_out() -> None:
    nan = float("nan")
    full = correlate_ranks([1, 2, 3, 4], [2, 1, 4, 3])
    assert correlate_ranks([1, 2, nan, 3, 4], [2, 1, 9, 4, 3]) == full
    assert fit_theil_sen([1, 2, nan, 3], [2, 4, 1, 6]).value == pytest.approx(2)
    assert compare_groups([1, nan, 3], [2, 5]) == compare_groups([1, 3], [2, 5])


def test_constants_and_few_values_give_nothing() -> None:
    assert np.isnan(correlate_ranks([1, 1, 1], [1, 2, 3]).value)
    assert np.isnan(correlate_ranks([1, 2], [1, 2]).value)
    assert np.isnan(fit_theil_sen([1, 1, 1], [1, 2, 3]).value)
    assert np.isnan(compare_groups([], [1, 2]).value)
    assert np.isnan(compare_groups([3, 3], [3, 3]).p_value)


def test_rank_correlation_of_noise_is_rejected_at_its_level() -> None:
    assert_nominal(lambda chance: correlate_ranks(*chance.standard_normal((2, 60))).p_value)


def test_groups_of_noise_are_rejected_at_their_level() -> None:
    assert_nominal(
        lambda chance: compare_groups(chance.standard_t(3, 40), chance.standard_t(3, 25)).p_value
    )


def test_rank_correlation_of_a_planted_signal_is_found() -> None:
    chance = np.random.default_rng(1)
    signal = chance.standard_normal(4000)
    outcome = 0.3 * signal + chance.standard_normal(4000)
    found = correlate_ranks(signal, outcome)
    assert found.value == pytest.approx(0.275, abs=0.05)
    assert found.p_value < 1e-6
