"""Tests of means by cosines: by the sums of the source, against Student's, and on noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chance import assert_nominal, autoregressive
from scipy import stats

from pipeline.statistics.cosines import cosine_count, difference_p_value, mean_p_value


def variance_by_sums(series: np.ndarray) -> tuple[float, int]:
    """Return the variance of the mean by equation 4 of the source, term by term."""
    count = len(series)
    cosines = math.floor(0.41 * count ** (2 / 3))
    projections = [
        math.sqrt(2 / count)
        * sum(
            (x - series.mean()) * math.cos(math.pi * j * (t + 0.5) / count)
            for t, x in enumerate(series)
        )
        for j in range(1, cosines + 1)
    ]
    return sum(p**2 for p in projections) / cosines / count, cosines


@pytest.mark.parametrize(("count", "cosines"), [(60, 6), (200, 14), (1400, 51)])
def test_cosines_grow_with_the_series(count: int, cosines: int) -> None:
    assert cosine_count(count) == cosines


def test_mean_is_compared_with_students_t_of_as_many_degrees_as_cosines() -> None:
    series = 0.4 + np.random.default_rng(3).standard_normal(75)
    variance, freedom = variance_by_sums(series)
    expected = 2 * stats.t.sf(series.mean() / math.sqrt(variance), freedom)
    assert mean_p_value(series) == pytest.approx(expected)


def test_difference_adds_the_variances_with_the_degrees_of_satterthwaite() -> None:
    chance = np.random.default_rng(4)
    a, b = chance.standard_normal(60), 0.5 + 3 * chance.standard_normal(150)
    (own, m), (other, n) = variance_by_sums(a), variance_by_sums(b)
    freedom = (own + other) ** 2 / (own**2 / m + other**2 / n)
    t_value = abs(a.mean() - b.mean()) / math.sqrt(own + other)
    assert difference_p_value(a, b) == pytest.approx(2 * stats.t.sf(t_value, freedom))
    assert difference_p_value(b, a) == pytest.approx(difference_p_value(a, b))


def test_missing_few_and_constant_values_give_nothing_or_are_left_out() -> None:
    series = np.random.default_rng(5).standard_normal(40)
    assert mean_p_value([*series, np.nan]) == mean_p_value(series)
    assert np.isnan([mean_p_value(series[:9]), mean_p_value(np.ones(40))]).all()
    assert np.isnan(difference_p_value(series[:9], series))
    assert np.isnan(difference_p_value(np.ones(40), np.zeros(40)))
    assert difference_p_value(np.ones(40), series) < 0.001


def test_mean_of_a_short_dependent_series_is_rejected_at_its_level() -> None:
    assert_nominal(lambda chance: mean_p_value(autoregressive(chance, 60, 0.3)))


def test_short_regime_beside_a_long_one_is_rejected_at_its_level() -> None:
    def p_value(chance: np.random.Generator) -> float:
        series = autoregressive(chance, 1460, 0.3)
        return difference_p_value(series[1400:], series[:1400])

    assert_nominal(p_value)
