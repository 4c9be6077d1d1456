"""What the perpetuals do: positioning, open interest, funding, liquidations, prices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.factors import Factors
from pipeline.sandbox.paths import CoinPaths, round_significant
from pipeline.sandbox.perps import INTERVAL_CHANGE_INDEX, Perp
from pipeline.sandbox.randomness import (
    Floats,
    Stream,
    draw_normal,
    draw_reverting,
)

# The log of the long/short account ratio falls by this for each e-fold of market cap.
TILT_SLOPE = -0.12
CRASH_OPEN_INTEREST_LOSS_FRACTION = 0.35
CRASH_LIQUIDATION_FACTOR = 6.0

# What a venue's log ratio is above Binance's; its traders differ, the ranking does not.
VENUE_LOG_OFFSET = {"bybit": -0.05, "okx": 0.10, "gate": 0.20}

_TYPICAL_LOG_CAP = math.log(1e9)
_LARGEST_FUNDING_FRACTION = 0.02
_PATTERN_FRACTION = 0.000005


@dataclass(frozen=True)
class Derivatives:
    """Daily figures of every perpetual: one row per day, one column per perpetual.

    NaN outside a perpetual's life. Ratios are longs over shorts or buyers over sellers.
    ``funding_event_fraction`` is the middle of the day's funding rates, of which there are
    ``funding_event_count``.
    """

    perps: tuple[Perp, ...]
    long_short_account_ratio: Floats
    top_account_ratio: Floats
    top_position_ratio: Floats
    taker_buy_sell_ratio: Floats
    open_interest_units: Floats
    open_interest_usd: Floats
    funding_event_fraction: Floats
    funding_event_count: Floats
    funding_rate_fraction: Floats
    long_liquidation_usd: Floats
    short_liquidation_usd: Floats
    open_usd: Floats
    close_usd: Floats
    high_usd: Floats
    low_usd: Floats
    volume_usd: Floats

    def column(self, symbol: str) -> int | None:
        """Return the column of a perpetual by its symbol, None for an unknown one."""
        return next((n for n, perp in enumerate(self.perps) if perp.symbol == symbol), None)


def _clip(values: Floats, lowest: float, highest: float) -> Floats:
    return np.minimum(np.maximum(values, lowest), highest)


def funding_pattern(event_count: int) -> tuple[float, ...]:
    """Return what each of a day's funding rates is above their middle; the sum is 0."""
    pattern = [
        _PATTERN_FRACTION * (2 * event - event_count + 1) / event_count
        for event in range(event_count)
    ]
    return tuple(round(value, 8) for value in pattern)


def _positioning(
    seed: int, subjects: list[int], log_size: Floats, factors: Factors, scenario: Scenario
) -> Floats:
    """Return the long/short account ratio: falls with size, rises with greed."""
    day_count = len(log_size)
    mood = (factors.sentiment - 50) / 50
    slope = np.full(day_count, TILT_SLOPE)
    first_flat, last_flat = scenario.flat_positioning
    slope[first_flat : last_flat + 1] = 0.0
    own = draw_reverting(seed, Stream.POSITIONING, subjects, day_count, 0.93)
    log_ratio = 0.42 + 0.2 * mood[:, np.newaxis] + slope[:, np.newaxis] * log_size + 0.2 * own
    ratio: Floats = np.exp(_clip(log_ratio, -1.6, 1.9))
    return ratio.round(4)


def _open_interest_usd(
    seed: int, subjects: list[int], cap: Floats, log_size: Floats, crash_index: int
) -> Floats:
    day_count = len(cap)
    own = draw_reverting(seed, Stream.OPEN_INTEREST, subjects, day_count, 0.98)
    days_after = np.arange(day_count) - crash_index
    loss = np.where(
        days_after >= 0,
        CRASH_OPEN_INTEREST_LOSS_FRACTION * np.exp(-np.maximum(days_after, 0) / 60.0),
        0.0,
    )
    share = 0.02 * np.exp(0.15 * own - 0.05 * _clip(log_size, -4.0, 6.0))
    interest_usd: Floats = cap * share * (1 - loss)[:, np.newaxis]
    return interest_usd


def _funding(
    seed: int, perps: tuple[Perp, ...], factors: Factors, log_return: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the middle rate of a day's fundings, how many there are, and their sum.

    They follow the day before, as the first is due when the day opens.
    """
    day_count = len(log_return)
    move_before = np.vstack([np.zeros_like(log_return[:1]), log_return[:-1]])
    own = draw_reverting(seed, Stream.FUNDING, [p.subject for p in perps], day_count, 0.9)
    mood = ((factors.sentiment - 50) / 50)[:, np.newaxis]
    daily = 0.0002 + 0.0004 * mood + 0.0002 * own + 0.002 * _clip(move_before, -0.3, 0.3)
    is_changed = (np.arange(day_count) >= INTERVAL_CHANGE_INDEX)[:, np.newaxis]
    before = np.array([24 // perp.funding_hours for perp in perps], dtype=np.float64)
    after = np.array([24 // perp.changed_hours for perp in perps], dtype=np.float64)
    count = np.where(is_changed, after, before)
    limit = _LARGEST_FUNDING_FRACTION
    middle: Floats = np.round(_clip(daily / count, -limit, limit), 8)
    # The pattern of a day adds up to nothing.
    return middle, count, np.round(middle * count, 8)


def simulate_derivatives(
    seed: int, perps: tuple[Perp, ...], paths: CoinPaths, factors: Factors, scenario: Scenario
) -> Derivatives:
    """Simulate every perpetual.

    Args:
        seed: Seed of the market.
        perps: Who there is.
        paths: What the coins do.
        factors: What moves them all.
        scenario: Planted events.

    Returns:
        Prices with 7 significant digits, ratios with 4 decimals, units with 3, rates with
        8, US dollars in whole ones. The planted truths: the slope of log ratio on log cap
        is ``TILT_SLOPE``; longs are liquidated at the crash, where open interest falls.
    """
    numbers, subjects = [p.coin_number for p in perps], [p.subject for p in perps]
    day_count = len(factors.market_return)
    spot, cap = paths.price_usd[:, numbers], paths.cap_usd[:, numbers]
    log_size = np.log(np.maximum(cap, 1.0)) - _TYPICAL_LOG_CAP - factors.market_level[:, np.newaxis]
    log_return = np.zeros_like(spot)
    log_return[1:] = np.diff(np.log(spot), axis=0)
    multiplier = np.array([float(p.multiplier) for p in perps])
    basis = 0.0003 * _clip(draw_normal(seed, Stream.BASIS, subjects, day_count), -4, 4)
    close = round_significant(spot * multiplier * (1 + basis), 7)
    opening = np.vstack([close[:1], close[:-1]])
    swing = 0.2 * np.abs(log_return) + 0.004
    ratio = _positioning(seed, subjects, log_size, factors, scenario)
    own_top = draw_reverting(seed, Stream.TOP_TRADERS, subjects, day_count, 0.9)
    own_taker = draw_normal(seed, Stream.TAKER, subjects, day_count)
    taker: Floats = np.exp(1.5 * _clip(log_return, -0.3, 0.3) + 0.04 * own_taker)
    interest = _open_interest_usd(seed, subjects, cap, log_size, scenario.crash_index)
    units = np.round(interest / close, 3)
    middle, count, funding = _funding(seed, perps, factors, log_return)
    forced = np.exp(0.5 * draw_normal(seed, Stream.LIQUIDATION, subjects, day_count))
    fall, rise = np.maximum(-log_return, 0.0), np.maximum(log_return, 0.0)
    long_share = 0.003 + 0.8 * fall**1.5
    if scenario.crash_index < day_count:
        long_share[scenario.crash_index] *= CRASH_LIQUIDATION_FACTOR
    long_share = np.minimum(long_share, 0.6)
    # Against USDC there is a tenth of what there is against USDT.
    share = np.array([0.1 if p.quote_asset == "USDC" else 1.0 for p in perps])
    units = np.round(units * share, 3)
    notional = units * close
    days = np.arange(day_count)[:, np.newaxis]
    is_listed = (days >= np.array([p.onboard_index for p in perps])) & (
        days < np.array([p.delisting_index for p in perps])
    )

    def alive(values: Floats) -> Floats:
        return np.where(is_listed, values, np.nan)

    return Derivatives(
        perps=perps,
        long_short_account_ratio=alive(ratio),
        top_account_ratio=alive(np.round(ratio**0.6 * np.exp(0.08 * own_top), 4)),
        top_position_ratio=alive(np.round(ratio**0.3 * np.exp(0.06 * own_top + 0.05), 4)),
        taker_buy_sell_ratio=alive(taker.round(4)),
        open_interest_units=alive(units),
        open_interest_usd=alive(np.round(notional, 2)),
        funding_event_fraction=alive(middle),
        funding_event_count=alive(count),
        funding_rate_fraction=alive(funding),
        long_liquidation_usd=alive(np.round(notional * forced * long_share)),
        short_liquidation_usd=alive(np.round(notional * forced * (0.003 + 0.8 * rise**1.5))),
        open_usd=alive(opening),
        close_usd=alive(close),
        high_usd=alive(round_significant(np.maximum(opening, close) * (1 + swing), 7)),
        low_usd=alive(round_significant(np.minimum(opening, close) * (1 - swing), 7)),
        volume_usd=alive(np.round(paths.volume_24h_usd[:, numbers] * 1.5 * share)),
    )
