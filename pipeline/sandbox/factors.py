"""What moves every coin at once: the market factor, the size factor, equities, sentiment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from pipeline.sandbox.randomness import (
    Flags,
    Floats,
    Stream,
    draw_fat_tailed,
    draw_normal,
    open_stream,
)
from pipeline.sandbox.sessions import is_session

# (last day since the epoch, log drift a day); after the last phase the cycle starts again.
_MARKET_PHASES = ((320, -0.0030), (1000, 0.0022), (1378, 0.0006), (1700, -0.0014), (1826, 0.0004))
_SIZE_PHASES = ((320, -0.0004), (720, 0.0001), (1030, 0.0011), (1826, -0.0016))
CYCLE_DAYS = 1826

_EQUITY_CORRELATION = 0.47
_INDEX_CORRELATION = 0.85


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


def _size(seed: int, day_count: int) -> Floats:
    noise = draw_normal(seed, Stream.SIZE, [0], day_count)[:, 0] * 0.008
    drift = _drifts(_SIZE_PHASES, day_count)
    returns = np.zeros(day_count)
    deviation = 0.0
    for day in range(1, day_count):
        step = float(noise[day]) - deviation / 200
        deviation += step
        returns[day] = drift[day] + step
    return returns


def _equity(
    seed: int, epoch: date, market_vol: Floats, market_shocks: Floats, crash_index: int
) -> tuple[Flags, Floats, Floats]:
    """Return session flags and the closing levels of the small- and large-cap index."""
    day_count = len(market_shocks)
    own = draw_normal(seed, Stream.EQUITY, [0, 1], day_count)
    sessions = np.array(
        [is_session(epoch + timedelta(days=offset)) for offset in range(day_count)], dtype=np.bool_
    )
    shared = np.clip(market_shocks, -4, 4)
    state = np.sqrt(market_vol / 0.026)
    own_share = math.sqrt(1 - _EQUITY_CORRELATION**2)
    spx = _EQUITY_CORRELATION * shared + own_share * own[:, 0]
    rut = _INDEX_CORRELATION * spx + math.sqrt(1 - _INDEX_CORRELATION**2) * own[:, 1]
    spx_return = np.where(sessions, 0.0003 + 0.009 * state * spx, 0.0)
    rut_return = np.where(sessions, 0.0001 + 0.013 * state * rut, 0.0)
    if crash_index < day_count and sessions[crash_index]:
        spx_return[crash_index], rut_return[crash_index] = -0.027, -0.031
    return (
        sessions,
        np.round(2240.0 * np.exp(np.cumsum(rut_return)), 4),
        np.round(4760.0 * np.exp(np.cumsum(spx_return)), 2),
    )


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


def simulate_factors(seed: int, epoch: date, day_count: int, crash_index: int) -> Factors:
    """Simulate the common factors from ``epoch`` on.

    Args:
        seed: Seed of the market.
        epoch: Day 0.
        day_count: Number of days.
        crash_index: Days from the epoch to the market-wide crash.

    Returns:
        The paths; element n is the day n days after the epoch.
    """
    market_return, market_vol, shocks = _market(seed, day_count, crash_index)
    sessions, rut, spx = _equity(seed, epoch, market_vol, shocks, crash_index)
    return Factors(
        market_return=market_return,
        market_level=np.cumsum(market_return),
        market_vol=market_vol,
        size_return=_size(seed, day_count),
        is_session=sessions,
        rut_points=rut,
        spx_points=spx,
        sentiment=_sentiment(seed, market_return),
    )
