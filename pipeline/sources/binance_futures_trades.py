"""Binance's futures API: funding and daily candles of the last days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from pipeline.errors import PayloadError
from pipeline.sources.binance_candles import candle_cell, read_candle
from pipeline.sources.binance_futures import BinanceFuturesSource
from pipeline.sources.payload import shown
from pipeline.sources.venues import (
    DAY_MILLISECONDS,
    daily_points,
    decimal_or_none,
    field_of,
    finished_days,
    midnight,
    rounded_day,
    stamp_of,
    sum_by_day,
)

FUNDING_LIMIT = 1000
KLINE_LIMIT = 1500


class BinanceFuturesFunding(BinanceFuturesSource):
    """Sum of the funding rates settled in a UTC day, as a fraction of the position.

    The interval is 1 to 8 hours and changes, so rates are added up and never multiplied. A
    call takes 1,000 settlements, more than ``HISTORY_DAYS`` have at one an hour.
    """

    dataset = "funding_daily"
    endpoints: ClassVar[Mapping[str, str]] = {"fundingRate": "fapi/v1/fundingRate"}
    limit = FUNDING_LIMIT
    is_daily = False
    days_beyond = 1

    def params(self, symbol: str, first: date, last: date) -> dict[str, str]:
        """Return the query; a settlement at midnight may be stamped some ms before it."""
        query = super().params(symbol, first, last)
        return query | {"startTime": str(midnight(first) - 30_000)}

    def read_series(
        self, endpoint: str, symbol: str, rows: Sequence[Any], where: str
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return the sums of the days that a later settlement follows, as one does at midnight.

        See ``BinanceFuturesSource.read_series``.
        """
        settlements = []
        for row in rows:
            if field_of(row, "symbol", where) != symbol:
                raise PayloadError(f"{where}: a row is of {shown(row['symbol'])}; fetch again")
            rate = decimal_or_none(field_of(row, "fundingRate", where), f"{where} fundingRate")
            stamp = stamp_of(field_of(row, "fundingTime", where), f"{where} fundingTime")
            rounded_day(stamp, where)
            if rate is None:
                raise PayloadError(f"{where}: a settlement has no rate; fetch again")
            settlements.append((stamp, rate))
        sums = finished_days(sum_by_day(settlements, where))
        return {day: {"funding_rate_fraction": rate} for day, rate in sums.items()}


class BinanceFuturesPerp(BinanceFuturesSource):
    """Close, high, low and volume of a UTC day in US dollars (USDT); a day without trade is out."""

    dataset = "perp_daily"
    endpoints: ClassVar[Mapping[str, str]] = {"klines": "fapi/v1/klines"}
    limit = KLINE_LIMIT
    is_daily = False
    days_beyond = 1

    def params(self, symbol: str, first: date, last: date) -> dict[str, str]:
        """Return the query for daily candles."""
        return super().params(symbol, first, last) | {"interval": "1d"}

    def read_series(
        self, endpoint: str, symbol: str, rows: Sequence[Any], where: str
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return the candles that another one follows. See ``BinanceFuturesSource.read_series``."""
        candles = daily_points(
            ((stamp_of(candle_cell(row, 0, where), where), row) for row in rows),
            DAY_MILLISECONDS,
            where,
        )
        return {
            day: values
            for day, row in finished_days(candles).items()
            if (values := read_candle(row, DAY_MILLISECONDS, f"{where} {day}")) is not None
        }
