"""What moves every coin at once: the market factor, the size factor, equities, sentiment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.randomness import (
    Flags,
    Floats,
    Stream,
    draw_fat_tailed,
    draw_normal,
    open_stream,
)
from pipeline.sessions import is_session

# (last day since the epoch, log drift a day); after the last phase the cycle starts again.
_MARKET_PHASES = ((320, -0.0030), (1000, 0.0022), (1378, 0.0006), (1700, -0.0014), (1826, 0.0004))
_SIZE_PHASES = ((320, -0.0004), (720, 0.0001), (1030, 0.0011), (1826, -0.0016))
CYCLE_DAYS = 1826

_EQUITY_CORRELATION = 0.47
_INDEX_CORRELATION = 0.85

LEAD_SESSIONS = 3
_STREAK_MARGIN = 0.0004
# Enough days after the last one to hold LEAD_SESSIONS sessions, whatever the holidays.
_DAYS_AHEAD = 14


@dataclass(frozen=True)
class Factors:
    """Daily factor paths, one element per day since the epoch.

    ``market_return`` and ``size_return`` are log returns of the day; ``size_return`` is
    small minus large. ``market_level`` is the running sum of ``market_return``.
    ``market_vol`` is the day's standard deviation, known before the day.
    ``sentiment`` is a whole score from 0 (fear) to 100 (greed), known at the day's open.
    """

    market_return: Floats
    market_level: Floats
    market_vol: Floats
    size_return: Floats
    is_session: Flags
    rut_points: Floats
    spx_points: Floats
    sentiment: Floats


def _drifts(phases: tuple[tuple[int, float], ...], day_count: int) -> Floats:
    one_cycle = np.empty(CYCLE_DAYS)
    start = 0
    for stop, drift in phases:
        one_cycle[start:stop] = drift
        start = stop
    return np.resize(one_cycle, day_count)


def _market(seed: int, day_count: int, crash_index: int) -> tuple[Floats, Floats, Floats]:
    """Return the market's log returns, volatility and standardised shocks.

    GARCH(1,1) around a long-run daily volatility of 2.6 %, Student t shocks, and a slow
    pull back to the trend that keeps every seed within a plausible range.
    """
    shocks = draw_fat_tailed(seed, Stream.MARKET, [0], day_count)[:, 0]
    drift = _drifts(_MARKET_PHASES, day_count)
    returns, vols = np.zeros(day_count), np.zeros(day_count)
    long_run = 0.026**2
    variance, deviation = long_run, 0.0
    for day in range(day_count):
        vols[day] = math.sqrt(variance)
        surprise = vols[day] * min(max(float(shocks[day]), -5.0), 5.0)
        if day > 0:
            returns[day] = drift[day] + surprise - deviation / 200
            deviation += surprise - deviation / 200
        if day == crash_index:
            returns[day] = -0.145
            surprise = -0.145
        variance = min(0.04 * long_run + 0.08 * surprise**2 + 0.88 * variance, 9 * long_run)
    return returns, vols, shocks


def _size(seed: int, day_count: int, scenario: Scenario) -> Floats:
    noise = draw_normal(seed, Stream.SIZE, [0], day_count)[:, 0] * 0.008
    drift = _drifts(_SIZE_PHASES, day_count)
    returns = np.zeros(day_count)
    deviation = 0.0
    for day in range(1, day_count):
        step = float(noise[day]) - deviation / 200
        deviation += step
        returns[day] = drift[day] + step
    first_day, loss = scenario.size_break
    returns[first_day:] -= loss
    return returns


def _equity(
    seed: int,
    sessions: Flags,
    market_vol: Floats,
    market_shocks: Floats,
    market_level: Floats,
    scenario: Scenario,
) -> tuple[Floats, Floats]:
    """Return the closing levels of the small- and large-cap index.

    The small-cap index moves ahead of the market: its return of a session holds
    ``lead_coefficient`` of the market's log return ``LEAD_SESSIONS`` sessions later.

    Args:
        seed: Seed of the market.
        sessions: Whether a day is a session, ``_DAYS_AHEAD`` days longer than the rest.
        market_vol: The market's volatility of the day.
        market_shocks: Its standardised shocks.
        market_level: Its running log return, as long as ``sessions``.
        scenario: Planted events.
    """
    day_count = len(market_shocks)
    own = draw_normal(seed, Stream.EQUITY, [0, 1], day_count)
    shared = np.clip(market_shocks, -4, 4)
    state = np.sqrt(market_vol / 0.026)
    own_share = math.sqrt(1 - _EQUITY_CORRELATION**2)
    spx = _EQUITY_CORRELATION * shared + own_share * own[:, 0]
    rut = _INDEX_CORRELATION * spx + math.sqrt(1 - _INDEX_CORRELATION**2) * own[:, 1]
    is_session = sessions[:day_count]
    spx_return = np.where(is_session, 0.0003 + 0.009 * state * spx, 0.0)
    rut_return = np.where(is_session, 0.0001 + 0.013 * state * rut, 0.0)
    crash_index = scenario.crash_index
    if crash_index < day_count and is_session[crash_index]:
        spx_return[crash_index], rut_return[crash_index] = -0.027, -0.031
    session_days = np.nonzero(sessions)[0]
    market_moves = np.diff(market_level[session_days], prepend=0.0)
    leading = session_days[:-LEAD_SESSIONS] < day_count
    rut_return[session_days[:-LEAD_SESSIONS][leading]] += (
        scenario.lead_coefficient * market_moves[LEAD_SESSIONS:][leading]
    )
    _plant_streaks(rut_return, spx_return, session_days, scenario)
    return (
        np.round(2240.0 * np.exp(np.cumsum(rut_return)), 4),
        np.round(4760.0 * np.exp(np.cumsum(spx_return)), 2),
    )


def _plant_streaks(
    rut_return: Floats, spx_return: Floats, session_days: npt.NDArray[np.int64], scenario: Scenario
) -> None:
    """Let RUT win the sessions of each streak and lose the ones before and after it."""
    for first_index, session_count in scenario.streaks:
        first = int(np.searchsorted(session_days, first_index))
        if first == len(session_days):
            continue
        for place in range(max(first - 1, 0), min(first + session_count + 1, len(session_days))):
            day = session_days[place]
            if day >= len(rut_return):
                break
            margin = max(abs(rut_return[day] - spx_return[day]), _STREAK_MARGIN)
            is_win = first <= place < first + session_count
            rut_return[day] = spx_return[day] + (margin if is_win else -margin)


def _sentiment(seed: int, market_return: Floats) -> Floats:
    """Return the score of each day from momentum and volatility up to the day before."""
    noise = open_stream(seed, Stream.SENTIMENT).standard_normal(len(market_return))
    scores = np.zeros(len(market_return))
    momentum, variance, smooth = 0.0, 0.026**2, 50.0
    for day in range(len(scores)):
        raw = 50 + 3200 * momentum - 700 * (math.sqrt(variance) - 0.026) + 4 * float(noise[day])
        smooth += 0.5 * (min(max(raw, 3.0), 97.0) - smooth)
        scores[day] = round(smooth)
        today = float(market_return[day])
        momentum += (today - momentum) / 20
        variance += (today**2 - variance) / 30
    return scores


def simulate_factors(seed: int, epoch: date, day_count: int, scenario: Scenario) -> Factors:
    """Simulate the common factors from ``epoch`` on.

    Args:
        seed: Seed of the market.
        epoch: Day 0.
        day_count: Number of days.
        scenario: Planted events.

    Returns:
        The paths; element n is the day n days after the epoch.
    """
    longer = day_count + _DAYS_AHEAD
    returns_ahead, vols, shocks = _market(seed, longer, scenario.crash_index)
    sessions = np.array(
        [is_session(epoch + timedelta(days=offset)) for offset in range(longer)], dtype=np.bool_
    )
    level_ahead = np.cumsum(returns_ahead)
    market_return = returns_ahead[:day_count]
    rut, spx = _equity(seed, sessions, vols[:day_count], shocks[:day_count], level_ahead, scenario)
    return Factors(
        market_return=market_return,
        market_level=level_ahead[:day_count],
        market_vol=vols[:day_count],
        size_return=_size(seed, day_count, scenario),
        is_session=sessions[:day_count],
        rut_points=rut,
        spx_points=spx,
        sentiment=_sentiment(seed, market_return),
    )
