"""Binance's bulk archive: positioning, open interest and funding of its USDT perpetuals.

A day's ``metrics`` file holds a row every five minutes. Rows belong to the day in the file's
name: since 2026-06-25 the stamps begin their five minutes, before they ended them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar

from pipeline.errors import NotYetAvailableError, PayloadError
from pipeline.sources.payload import shown
from pipeline.sources.universe import perp_symbols
from pipeline.sources.venues import (
    decimal_or_none,
    ratio_or_none,
    require_day,
    rounded_day,
    stamp_of,
    sum_by_day,
)
from pipeline.sources.vision_archive import VisionSource
from pipeline.sources.vision_files import (
    ArchiveFile,
    columns_of,
    daily_file,
    last_of_month,
    monthly_file,
    read_files,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings

VENUE = "binance"
MIN_ROWS = 200
"""Of the 288 five-minute rows of a day; with less the last of them may be hours old."""

ONE_ROW_ERA_ENDS = date(2022, 1, 1)
"""Before it a day's file may hold a single row."""

METRICS_HEADER = (
    "create_time",
    "symbol",
    "sum_open_interest",
    "sum_open_interest_value",
    "count_toptrader_long_short_ratio",
    "sum_toptrader_long_short_ratio",
    "count_long_short_ratio",
    "sum_taker_long_short_vol_ratio",
)
FUNDING_HEADER = ("calc_time", "funding_interval_hours", "last_funding_rate")
_METRICS_FOLDER = "data/futures/um/daily/metrics/{symbol}"
_FUNDING_FOLDER = "data/futures/um/monthly/fundingRate/{symbol}"
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


class BinanceVisionPositioning(VisionSource):
    """``metrics``: the last ratios of the day; plain ratios, long over short, buy over sell."""

    name = "binance_vision"
    dataset = "positioning_daily"
    earliest_date = date(2020, 9, 1)
    available_hours = 10.0
    measures: ClassVar[Mapping[str, str]] = {
        "long_short_account_ratio": "count_long_short_ratio",
        "top_account_ratio": "count_toptrader_long_short_ratio",
        "top_position_ratio": "sum_toptrader_long_short_ratio",
        "taker_buy_sell_ratio": "sum_taker_long_short_vol_ratio",
    }

    def files(
        self, settings: Settings, first: date, market_date: date
    ) -> Sequence[Sequence[ArchiveFile]]:
        """Return one file per day and symbol. See ``VisionSource.files``."""
        return [
            [
                daily_file(_METRICS_FOLDER, "metrics", symbol, day)
                for symbol in perp_symbols(settings, VENUE, day)
            ]
            for day in days_back(market_date, first)
        ]

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the zips and their checksums.

        Returns:
            One row per day and symbol, from ``first`` to ``market_date``: the last row of the
            day's file. Blank and 0 are null; a file with less than ``MIN_ROWS`` rows, or with
            nothing but nulls in its last one, has no row.

        Raises:
            PayloadError: A file is of another fetch, or most do not fit their checksums or
                are not in the documented shape.
            NotYetAvailableError: No file is of the day.
        """
        days = [
            {"market_date": day, "source": self.name, "venue": VENUE, "perp_symbol": symbol, **row}
            for symbol, (day, row) in read_files(bodies, "metrics", self._read_metrics)
            if first <= day <= market_date
        ]
        rows = [day for day in days if any(day.get(name) is not None for name in self.measures)]
        require_day(rows, market_date, (), "Binance's archive")
        return sorted(rows, key=lambda row: (row["market_date"], row["perp_symbol"]))

    def _read_metrics(
        self, symbol: str, day: date, _: date, lines: list[list[str]]
    ) -> tuple[date, dict[str, float | None]]:
        last = read_last_metrics(symbol, day, lines)
        if last is None:
            return day, {}
        return day, {
            measure: ratio_or_none(last[column], f"{symbol} {day} {column}")
            for measure, column in self.measures.items()
        }


class BinanceVisionOpenInterest(BinanceVisionPositioning):
    """``metrics``: the last open interest of the day, in units of the base and in US dollars."""

    dataset = "open_interest_daily"
    payloads_of = "positioning_daily"
    measures: ClassVar[Mapping[str, str]] = {
        "open_interest_units": "sum_open_interest",
        "open_interest_usd": "sum_open_interest_value",
    }


def read_last_metrics(symbol: str, day: date, lines: list[list[str]]) -> dict[str, str] | None:
    """Return the last row of a day's metrics file by column, None for too short a file.

    Raises:
        PayloadError: A documented column is missing, or a row is of another symbol, another
            day, or cut.
    """
    places = columns_of(lines, METRICS_HEADER)
    opens = datetime.combine(day, time())
    stamped: list[tuple[datetime, int]] = []
    for number, line in enumerate(lines[1:], start=1):
        created, of = line[places["create_time"]], line[places["symbol"]]
        if not _TIME.fullmatch(created):
            raise PayloadError(f"line {number + 1} is {shown(','.join(line))}")
        try:
            stamp = datetime.fromisoformat(created)
        except ValueError as exc:
            raise PayloadError(f"line {number + 1} has no such time as {created}") from exc
        if of != symbol:
            raise PayloadError(f"line {number + 1} is of {shown(of)}")
        # Either end of five minutes may be the stamp, so the next midnight is of the day too.
        if not opens <= stamp <= opens + timedelta(days=1, minutes=1):
            raise PayloadError(f"line {number + 1} is of {created}, not of {day}")
        stamped.append((stamp, number))
    is_of_one_row_era = len(stamped) == 1 and day < ONE_ROW_ERA_ENDS
    if len({stamp for stamp, _ in stamped}) < MIN_ROWS and not is_of_one_row_era:
        return None
    last = lines[max(stamped)[1]]
    return {name: last[place] for name, place in places.items()}


class BinanceVisionFunding(VisionSource):
    """Monthly ``fundingRate``: the sum of the rates settled in a UTC day, as a fraction.

    A month's file comes on the first Monday of the next, so this is for history.
    """

    name = "binance_vision"
    dataset = "funding_daily"
    earliest_date = date(2020, 1, 1)
    available_hours = 38 * 24.0
    is_rechecked = False
    young_days = 10

    def files(
        self, settings: Settings, first: date, market_date: date
    ) -> Sequence[Sequence[ArchiveFile]]:
        """Return one file per month and symbol. See ``VisionSource.files``.

        Raises:
            NotYetAvailableError: The month of ``market_date`` is not over.
        """
        if settings.now().date() <= last_of_month(market_date):
            raise NotYetAvailableError(
                f"the funding of {market_date:%Y-%m} is in the archive once the month is over"
            )
        months = sorted({day.replace(day=1) for day in days_back(market_date, first)}, reverse=True)
        return [
            [
                monthly_file(_FUNDING_FOLDER, "fundingRate", symbol, month)
                for symbol in perp_symbols(settings, VENUE, min(last_of_month(month), market_date))
            ]
            for month in months
        ]

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the zips and their checksums.

        Returns:
            One row per day and symbol, from ``first`` to ``market_date``.

        Raises:
            PayloadError: As for positioning, or two files give one settlement two rates.
            NotYetAvailableError: No file has the day.
        """
        settlements: dict[str, list[tuple[int, float]]] = {}
        for symbol, listed in read_files(bodies, "fundingRate", _read_settlements):
            settlements.setdefault(symbol, []).extend(listed)
        rows = [
            {
                "market_date": day,
                "source": self.name,
                "venue": VENUE,
                "perp_symbol": symbol,
                "funding_rate_fraction": rate,
            }
            for symbol, listed in sorted(settlements.items())
            for day, rate in sum_by_day(listed, symbol).items()
            if first <= day <= market_date
        ]
        require_day(rows, market_date, (), "Binance's archive")
        return rows


def _read_settlements(
    symbol: str, first: date, last: date, lines: list[list[str]]
) -> list[tuple[int, float]]:
    places = columns_of(lines, FUNDING_HEADER)
    settlements = []
    for line in lines[1:]:
        stamp = stamp_of(line[places["calc_time"]], symbol)
        rate = decimal_or_none(line[places["last_funding_rate"]], f"{symbol} last_funding_rate")
        # Rounded to the minute, the first settlement of the next month may be this file's last.
        if not first <= rounded_day(stamp, symbol) <= last + timedelta(days=1) or rate is None:
            raise PayloadError(f"the line {shown(','.join(line))} is not of {first:%Y-%m}")
        settlements.append((stamp, rate))
    return settlements


def days_back(last: date, first: date) -> list[date]:
    """Return the days from ``last`` back to ``first``."""
    return [last - timedelta(days=back) for back in range((last - first).days + 1)]
