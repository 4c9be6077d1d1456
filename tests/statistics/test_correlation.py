"""Correlation, what it is worth, and many of them."""

from __future__ import annotations

import numpy as np
import pytest
from chance import assert_nominal, assert_not_above, autoregressive, count_rejections, volatility
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.statistics.correlation import (
    SPEARMAN_FACTOR,
    correlate,
    effective_count,
    fisher_interval,
    fisher_p_value,
    shared_size,
)
from pipeline.statistics.multiple import adjust_p_values


def p_value(first: np.ndarray, second: np.ndarray, count: float | None = None) -> float:
    worth = effective_count(first, second) if count is None else np.array(count)
    return float(fisher_p_value(correlate(first, second), worth))


def test_correlation_is_that_of_scipy_row_by_row() -> None:
    chance = np.random.default_rng(5)
    x, y = chance.standard_normal((2, 4, 30))
    expected = [stats.pearsonr(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert correlate(x, y) == pytest.approx(expected)


def test_constant_has_no_correlation() -> None:
    x = np.array([[0.1] * 5, [1.0, 2, 3, 4, 5]])
    assert np.isnan(correlate(x, x)[0])
    assert correlate(x, x)[1] == pytest.approx(1)
    assert np.isnan(effective_count(x, x)[0])


def test_effective_count_by_hand() -> None:
    x, y = np.random.default_rng(2).standard_normal((2, 40)).cumsum(axis=1)
    a, b = stats.zscore(x), stats.zscore(y)
    total = max(1.0, np.mean(a**2 * b**2) / (1 + 2 * np.mean(a * b) ** 2))
    for lag in range(1, 11):
        parts = []
        for series in (x - x.mean(), y - y.mean()):
            own = sum(series[i] * series[i + lag] for i in range(40 - lag))
            parts.append(own / sum(series**2))
        total += 2 * (1 - lag / 40) * parts[0] * parts[1]
    assert float(effective_count(x, y)) == pytest.approx(40 / total)
    assert total > 1.4


def test_effective_count_of_two_autoregressive_series_is_that_of_theory() -> None:
    chance = np.random.default_rng(8)
    found = [
        float(effective_count(autoregressive(chance, 2000, 0.5), autoregressive(chance, 2000, 0.5)))
        for _ in range(20)
    ]
    # the sum of 0.25^k is a third, so the count shrinks by 1 + 2/3
    assert np.mean(found) == pytest.approx(2000 / (1 + 2 / 3), rel=0.05)


def test_effective_count_never_exceeds_the_count() -> None:
    chance = np.random.default_rng(4)
    x, y = autoregressive(chance, 100, 0.9), autoregressive(chance, 100, -0.9)
    assert float(effective_count(x, y)) == 100


def test_shared_size_is_1_of_normal_series_and_that_of_theory_of_wild_ones() -> None:
    chance = np.random.default_rng(9)
    x, y = chance.standard_normal((2, 200_000))
    assert float(shared_size(x, y)) == pytest.approx(1, abs=0.02)
    assert float(shared_size(x, 0.6 * x + 0.8 * y)) == pytest.approx(1, abs=0.03)
    # days of scale 1 and 2 in equal parts: E s^4 / (E s^2)^2 is 8.5 / 6.25
    scale = chance.choice([1.0, 2.0], 200_000)
    assert float(shared_size(scale * x, scale * y)) == pytest.approx(8.5 / 6.25, abs=0.03)
    assert float(shared_size(scale * x, chance.permutation(scale) * y)) == pytest.approx(
        1, abs=0.03
    )


def test_series_that_are_wild_together_are_rejected_at_the_level() -> None:
    def together(chance: np.random.Generator) -> float:
        wild = volatility(chance, 252)
        return p_value(wild * chance.standard_normal(252), wild * chance.standard_normal(252))

    assert_nominal(together)


def test_interval_and_p_value_are_those_of_scipy() -> None:
    x, y = np.random.default_rng(6).standard_normal((2, 40))
    oracle = stats.pearsonr(x, y)
    low, high = fisher_interval(correlate(x, y), np.array(40.0))
    expected = oracle.confidence_interval()
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high))
    assert p_value(x, y, 40) == pytest.approx(oracle.pvalue, abs=0.01)


def test_interval_by_hand() -> None:
    # atanh(0.5) is 0.5493 and 1 / sqrt(25) is 0.2
    low, high = fisher_interval(np.array(0.5), np.array(28.0))
    assert (float(low), float(high)) == pytest.approx((0.1560, 0.7358), abs=1e-4)


def test_too_few_observations_have_no_interval() -> None:
    low, high = fisher_interval(np.array(0.5), np.array(3.0))
    assert np.isnan([low, high, fisher_p_value(np.array(0.5), np.array(2.5))]).all()


def test_perfect_correlation_is_certain_and_finite() -> None:
    low, high = fisher_interval(np.array(1.0), np.array(30.0))
    assert (float(low), float(high)) == (1.0, 1.0)
    assert float(fisher_p_value(np.array(-1.0), np.array(30.0))) == 0


@pytest.mark.parametrize("count", [30, 252])
def test_correlation_of_noise_is_rejected_at_its_level(count: int) -> None:
    assert_nominal(lambda chance: p_value(*chance.standard_normal((2, count))))


def test_rank_correlation_of_noise_is_rejected_at_its_level() -> None:
    def ranked(chance: np.random.Generator) -> float:
        x, y = stats.rankdata(chance.standard_t(3, (2, 60)), axis=-1)
        found = fisher_p_value(correlate(x, y), effective_count(x, y), SPEARMAN_FACTOR)
        return float(found)

    assert_nominal(ranked)


def test_dependent_series_need_the_effective_count() -> None:
    def pair(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return autoregressive(chance, 252, 0.6), autoregressive(chance, 252, 0.6)

    as_if_independent = count_rejections(lambda chance: p_value(*pair(chance), 252.0), 0.05)
    with_effective_count = count_rejections(lambda chance: p_value(*pair(chance)), 0.05)
    assert as_if_independent > 60
    assert with_effective_count < 45


def test_adjusted_p_values_are_those_of_scipy_and_statsmodels() -> None:
    # the example of scipy.stats.false_discovery_control
    p = np.array(
        [
            [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344],
            [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000, 0.0005],
        ]
    )
    assert adjust_p_values(p) == pytest.approx(stats.false_discovery_control(p, axis=-1))
    assert adjust_p_values(p[0]) == pytest.approx(multipletests(p[0], method="fdr_bh")[1])


def test_missing_p_values_are_no_tests() -> None:
    p = np.array([0.01, np.nan, 0.04, np.nan])
    assert adjust_p_values(p)[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjust_p_values(p)[[1, 3]]).all()
    assert adjust_p_values([]).size == 0


def test_families_of_noise_hold_a_discovery_no_more_often_than_the_level() -> None:
    assert_not_above(lambda chance: float(adjust_p_values(chance.uniform(size=24)).min()))
