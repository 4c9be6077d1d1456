"""Statistics of what followed a signal, against scipy, statsmodels and plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from pipeline.statistics.forecasts import (
    correlate_forecast,
    difference_intervals,
    difference_t_value,
    shift_p_value,
)


def noise(seed: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return chance.standard_normal(count), chance.standard_normal(count)


@pytest.mark.parametrize("seed", range(5))
def test_shift_p_value_is_the_share_of_all_shifts(seed: int) -> None:
    x, y = noise(seed, 61)
    fits = [abs(float((np.roll(x, k) - x.mean()) @ (y - y.mean()))) for k in range(61)]
    assert shift_p_value(x, y) == pytest.approx(np.mean([fit >= fits[0] - 1e-9 for fit in fits]))


@pytest.mark.parametrize("seed", range(5))
def test_correlation_is_spearmans(seed: int) -> None:
    x, y = noise(seed)
    x = np.round(x, 1)  # ties
    found = correlate_forecast(x, y, 5)
    assert found.correlation == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("lag_count", [0, 1, 7])
def test_t_value_of_ranks_is_that_of_statsmodels(lag_count: int) -> None:
    x, y = noise(7)
    a, b = stats.rankdata(x), stats.rankdata(y)
    fitted = OLS(b, np.column_stack([np.ones(len(a)), a])).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag_count, "use_correction": False}
    )
    assert correlate_forecast(x, y, lag_count).t_value == pytest.approx(fitted.tvalues[1])


@pytest.mark.parametrize("lag_count", [0, 1, 7])
def test_t_value_of_a_difference_is_that_of_statsmodels(lag_count: int) -> None:
    x, y = noise(11)
    is_member = x > 0.6
    fitted = OLS(y, np.column_stack([np.ones(len(y)), is_member.astype(float)])).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag_count, "use_correction": False}
    )
    assert difference_t_value(is_member, y, lag_count) == pytest.approx(fitted.tvalues[1])


def test_nothing_to_compare_gives_no_figure() -> None:
    y = np.arange(10.0)
    assert np.isnan(difference_t_value(np.ones(10, dtype=bool), y, 1))
    assert np.isnan(difference_t_value(np.zeros(10, dtype=bool), y, 1))
    assert np.isnan(shift_p_value(np.ones(10), y))
    assert np.isnan(correlate_forecast(np.ones(10), y, 1).correlation)


def windows(returns: np.ndarray, horizon: int) -> np.ndarray:
    return np.convolve(returns, np.ones(horizon), "valid")


@pytest.mark.parametrize("horizon", [1, 10])
@pytest.mark.parametrize("is_slow", [False, True])
def test_p_value_of_white_noise_keeps_its_level(horizon: int, is_slow: bool) -> None:
    """500 seeds, a signal that does not know: 25 false alarms are due at 5 %."""
    alarms = {"rank": 0, "bucket": 0}
    for seed in range(500):
        signal, returns = noise(seed, 400)
        if is_slow:
            signal = np.convolve(signal, np.ones(20) / 20, "same")
        moves = windows(returns, horizon)
        signal = signal[: len(moves)]
        ranks = stats.rankdata(signal), stats.rankdata(moves)
        alarms["rank"] += shift_p_value(*ranks) <= 0.05
        is_top = (signal >= np.quantile(signal, 0.8)).astype(float)
        alarms["bucket"] += shift_p_value(is_top, moves) <= 0.05
    low, high = stats.binom.ppf([0.0005, 0.9995], 500, 0.05)
    assert low <= alarms["rank"] <= high, alarms
    assert low <= alarms["bucket"] <= high, alarms


@pytest.mark.parametrize("horizon", [1, 10])
def test_interval_holds_the_truth_in_95_of_100_cases(horizon: int) -> None:
    held = 0
    for seed in range(300):
        _, returns = noise(seed, 800)
        moves = windows(returns, horizon)
        marks = np.random.default_rng(seed + 10_000).random((1, len(moves))) < 0.3
        ((low, high),) = difference_intervals(
            marks, moves, np.random.default_rng(seed), max(horizon, 9)
        )
        held += low <= 0 <= high
    assert 0.90 <= held / 300 <= 0.99


def test_interval_is_the_same_every_night() -> None:
    marks, moves = noise(3)
    found = [
        difference_intervals(marks[None] > 0, moves, np.random.default_rng(1), 5) for _ in "ab"
    ]
    assert (found[0] == found[1]).all()
    assert np.isnan(
        difference_intervals(np.zeros((1, 200), dtype=bool), moves, np.random.default_rng(1), 5)
    ).all()
