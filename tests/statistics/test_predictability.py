"""Forecasts by IVX: by loops over the formula, planted, and of a signal made of the past."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chance import assert_nominal
from scipy import stats

from pipeline.statistics.forecasts import shift_p_value
from pipeline.statistics.hac import long_run_variance, newey_west_lag
from pipeline.statistics.predictability import forecast_p_value, rank_so_far


def p_by_loops(
    days: list[int], scores: list[float], moves: dict[int, float], horizon: int
) -> float:
    """Return the p-value by the sums of the definition, day by day."""
    root = 1 - len(days) ** -0.95
    instrument, value = {}, 0.0
    for place, day in enumerate(days):
        value = root * value + (scores[place] - scores[place - 1] if place else 0.0)
        instrument[day] = value
    summed = []
    for day in range(days[0], days[-1] + horizon):
        window = [d for d in days if day - horizon < d <= day]
        if window and day in moves:
            summed.append((day, sum(instrument[d] for d in window)))
    mean = np.mean([moves[day] for day, _ in summed])
    z = np.array([total for _, total in summed])
    e = np.array([moves[day] - mean for day, _ in summed])
    feedback = 0.0
    for ahead in (1, 2, 3):
        pairs = []
        for day, _ in summed:
            following = [n for n, known in enumerate(days) if known >= day + ahead]
            if following:
                change = scores[following[0]] - scores[following[0] - 1]
                pairs.append((moves[day], change))
        feedback = max(feedback, abs(stats.pearsonr(*zip(*pairs, strict=True)).statistic))
    lags = newey_west_lag(len(z))
    variance = len(z) * (
        feedback**2 * long_run_variance(z * e, lags)
        + (1 - feedback**2) * long_run_variance((z - z.mean()) * e, lags)
    )
    return float(2 * stats.norm.sf(abs(z @ e) / math.sqrt(variance)))


@pytest.mark.parametrize(("horizon", "step"), [(1, 1), (5, 1), (30, 7), (1, 7), (7, 7)])
def test_p_value_is_that_of_the_sums(horizon: int, step: int) -> None:
    chance = np.random.default_rng(horizon + step)
    days = 100 + step * np.arange(60)
    scores = chance.standard_normal(60).cumsum()
    next_days = np.arange(90, 100 + 60 * step + horizon)
    moves = chance.standard_normal(len(next_days))
    expected = p_by_loops(
        days.tolist(),
        scores.tolist(),
        dict(zip(next_days.tolist(), moves.tolist(), strict=True)),
        horizon,
    )
    assert forecast_p_value(days, scores, next_days, moves, horizon) == pytest.approx(expected)


def test_rank_so_far_knows_nothing_of_later_values() -> None:
    values = np.array([3.0, 1.0, 2.0, 2.0, 9.0])
    # of 1, 2, 3, 4, 5 values so far, the middle of the places that a value shares
    assert rank_so_far(values) == pytest.approx([1 / 2, 0.5 / 2, 1.5 / 3, 2 / 4, 4.5 / 5])
    assert rank_so_far(values[:3]) == pytest.approx(rank_so_far(values)[:3])


def test_planted_forecast_is_found() -> None:
    chance = np.random.default_rng(2)
    scores = chance.standard_normal(800)
    moves = chance.standard_normal(830)
    moves[:800] += 0.3 * scores
    days, next_days = np.arange(800), np.arange(830)
    assert forecast_p_value(days, scores, next_days, moves, 1) < 1e-6
    assert forecast_p_value(days, scores, next_days, moves, 7) < 0.01


def test_few_or_constant_values_tell_nothing() -> None:
    days, moves = np.arange(60), np.random.default_rng(1).standard_normal(60)
    assert math.isnan(forecast_p_value(days, np.ones(60), days, moves, 1))
    assert math.isnan(forecast_p_value(days, moves, days, np.ones(60), 1))
    assert math.isnan(forecast_p_value(days[:29], moves[:29], days, moves, 1))
    assert math.isnan(forecast_p_value(days, moves, days + 1000, moves, 1))


def drawdowns(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a market's distance from its high, and its moves from the day after on."""
    levels = chance.standard_normal(432).cumsum()
    return (levels - np.maximum.accumulate(levels))[:400], np.diff(levels)[1:]


def test_drawdown_of_a_market_of_noise_is_rejected_at_its_level() -> None:
    days = np.arange(400)

    def p_value(chance: np.random.Generator) -> float:
        scores, moves = drawdowns(chance)
        return forecast_p_value(days, rank_so_far(scores), np.arange(len(moves)), moves, 30)

    assert_nominal(p_value)


def test_shifting_such_a_signal_would_reject_too_often() -> None:
    rejected = 0
    for seed in range(200):
        scores, moves = drawdowns(np.random.default_rng(seed))
        rejected += shift_p_value(scores, moves[:400]) <= 0.05
    assert rejected > 20
