"""Binance's series, for its API and its archive alike: candles, fundings, five-minute rows."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np

from pipeline.sandbox.derivatives import funding_pattern
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.paths import round_significant
from pipeline.sandbox.vendors.text import fixed, plain

ROWS_PER_DAY = 288
DAY_SECONDS = 86_400

_TURNS = 3
_WAVE = 0.004 * np.sin(2 * np.pi * _TURNS * np.arange(1, ROWS_PER_DAY + 1) / ROWS_PER_DAY)
_WAVE[-1] = 0.0
WAVE = 1 + _WAVE
"""What a ratio or an open interest is of the day's, five minutes by five; 1 at the close."""


def spot_numbers(market: SimulatedMarket) -> dict[str, int]:
    """Return the coin's column by spot pair: every coin with a perpetual has one in USDT."""
    return {
        f"{perp.coin_symbol}USDT": perp.coin_number
        for perp in market.derivatives.perps
        if perp.quote_asset == "USDT"
    }


def _candle(
    opened: int, units: int, prices: tuple[float, float, float, float], volume_usd: float
) -> list[Any]:
    """Return a daily candle in the API's form; ``units`` is how many a second has."""
    volume = volume_usd / prices[3]
    return [
        opened * units,
        *(plain(price) for price in prices),
        fixed(volume, 3),
        (opened + DAY_SECONDS) * units - 1,
        fixed(volume_usd, 2),
        int(volume_usd // 700) + 1,
        fixed(volume * 0.51, 3),
        fixed(volume_usd * 0.51, 2),
        "0",
    ]


def perp_candle(market: SimulatedMarket, column: int, index: int, opened: int) -> list[Any]:
    """Return a perpetual's candle of a day; ``opened`` is its start in UNIX seconds."""
    figures = market.derivatives
    prices = (
        float(figures.open_usd[index, column]),
        float(figures.high_usd[index, column]),
        float(figures.low_usd[index, column]),
        float(figures.close_usd[index, column]),
    )
    return _candle(opened, 1000, prices, float(figures.volume_usd[index, column]))


def running_candle(market: SimulatedMarket, column: int, index: int, opened: int) -> list[Any]:
    """Return today's candle: it stands at yesterday's close, ``index`` being yesterday."""
    figures = market.derivatives
    price = float(figures.close_usd[index, column])
    volume = float(figures.volume_usd[index, column]) / 50
    return _candle(opened, 1000, (price, price, price, price), volume)


def spot_candle(
    market: SimulatedMarket, number: int, index: int, opened: int, units: int
) -> list[Any]:
    """Return a coin's spot candle of a day; it closes at the coin's price."""
    prices = market.paths.price_usd[:, number]
    has_before = index > market.coins[number].listing_index
    close, opening = float(prices[index]), float(prices[index - 1 if has_before else index])
    swing = 0.2 * abs(math.log(close / opening)) + 0.004
    extremes = np.array([max(opening, close) * (1 + swing), min(opening, close) * (1 - swing)])
    high, low = (float(value) for value in round_significant(extremes, 8))
    volume = float(market.paths.volume_24h_usd[index, number])
    return _candle(opened, units, (opening, high, low, close), volume)


def fundings(
    market: SimulatedMarket, column: int, index: int, midnight: int
) -> list[tuple[int, int, float]]:
    """Return a day's fundings: time in milliseconds, hours between them, rate as a fraction."""
    figures = market.derivatives
    count = int(figures.funding_event_count[index, column])
    middle = float(figures.funding_event_fraction[index, column])
    hours = 24 // count
    return [
        (
            (midnight + event * hours * 3600) * 1000 + (column + index + event) % 9,
            hours,
            round(middle + above, 8),
        )
        for event, above in enumerate(funding_pattern(count))
    ]


def is_defective(symbol: str, day: str, every: int) -> bool:
    """Tell whether the archive's file of that day is one of its bad ones, one in ``every``."""
    return zlib.crc32(f"{symbol} {day} {every}".encode()) % every == 0
