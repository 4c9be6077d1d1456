"""Binance's bulk archive: daily candles of perpetuals, and spot closes for price history.

A candle is of the UTC day that its open time begins. Spot files have no header line and stamp
in microseconds from 2025 on; futures files have one from about 2022-05 on and stamp in
milliseconds. Both are told by what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar

from pipeline.errors import PayloadError
from pipeline.sources.binance_candles import CANDLE_COLUMNS, read_candle
from pipeline.sources.binance_vision import VENUE
from pipeline.sources.payload import shown
from pipeline.sources.universe import perp_symbols, spot_pairs
from pipeline.sources.venues import DAY_MILLISECONDS, day_of_stamp, require_day, stamp_of
from pipeline.sources.vision_archive import VisionSource
from pipeline.sources.vision_files import (
    LABEL_SEPARATOR,
    ArchiveFile,
    columns_of,
    daily_file,
    last_of_month,
    monthly_file,
    read_files,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings

FIRST_MICROSECONDS = 10**14


class _VisionKlines(VisionSource):
    """Daily candles: a month's file where a whole month is wanted and over, else a day's."""

    folder: ClassVar[str]

    def symbols(self, settings: Settings, first: date, last: date) -> Mapping[str, str]:
        """Return the symbols of a span, the largest coins first, and a label or nothing."""
        raise NotImplementedError

    def files(
        self, settings: Settings, first: date, market_date: date
    ) -> Sequence[Sequence[ArchiveFile]]:
        """Return files that cover the days. See ``VisionSource.files``.

        A month's file is taken only once it is there for sure, on the tenth of the next month.
        """
        groups: list[list[ArchiveFile]] = []
        last = market_date
        while last >= first:
            month = last.replace(day=1)
            is_whole = last == last_of_month(last) and month >= first
            is_monthly = is_whole and settings.now().date() >= last + timedelta(days=10)
            make, start = (monthly_file, month) if is_monthly else (daily_file, last)
            folder = self.folder.replace("{period}", "monthly" if is_monthly else "daily")
            symbols = self.symbols(settings, start, last)
            groups.append([make(folder, "1d", name, last, coin) for name, coin in symbols.items()])
            last = start - timedelta(days=1)
        return groups

    def read_candles(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> list[tuple[str, date, dict[str, float | None]]]:
        """Return symbol, day and candle, by symbol and day, of the days wanted."""
        candles: dict[tuple[str, date], dict[str, float | None]] = {}
        for symbol, days in read_files(bodies, "1d", read_klines):
            for day, candle in days.items():
                if candles.setdefault((symbol, day), candle) != candle:
                    raise PayloadError(f"{symbol} {day}: two files differ; fetch again")
        wanted = [
            (symbol, day, candle)
            for (symbol, day), candle in sorted(candles.items(), key=lambda item: item[0])
            if first <= day <= market_date
        ]
        require_day(
            [{"market_date": day} for _, day, _ in wanted], market_date, (), "Binance's archive"
        )
        return wanted


class BinanceVisionPerp(_VisionKlines):
    """Perpetuals: close, high, low and quote volume in US dollars (USDT)."""

    name = "binance_vision"
    dataset = "perp_daily"
    earliest_date = date(2020, 1, 1)
    available_hours = 10.0
    folder = "data/futures/um/{period}/klines/{symbol}/1d"

    def symbols(self, settings: Settings, first: date, last: date) -> Mapping[str, str]:
        """Return the perpetuals of the span's last day."""
        return dict.fromkeys(perp_symbols(settings, VENUE, last), "")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the zips and their checksums.

        Returns:
            One row per day and symbol, from ``first`` to ``market_date``. A day without trade
            has no row, as its candle repeats an older price.

        Raises:
            PayloadError: A file is of another fetch, or most do not fit their checksums or
                are not in the documented shape.
            NotYetAvailableError: No file has the day.
        """
        return [
            {
                "market_date": day,
                "source": self.name,
                "venue": VENUE,
                "perp_symbol": symbol,
                **candle,
            }
            for symbol, day, candle in self.read_candles(bodies, market_date, first)
        ]


class BinanceSpot(_VisionKlines):
    """Spot pairs in USDT: closes only, for the history of prices; the coin is ours already."""

    name = "binance_spot"
    dataset = "market_daily"
    earliest_date = date(2017, 8, 17)
    available_hours = 10.0
    is_rechecked = False
    folder = "data/spot/{period}/klines/{symbol}/1d"

    def symbols(self, settings: Settings, first: date, last: date) -> Mapping[str, str]:
        """Return the pairs in USDT whose coin the reviewed list knows, and that coin."""
        return spot_pairs(settings, first, last)

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the zips and their checksums.

        Returns:
            One row per day and coin, from ``first`` to ``market_date``: ``coin_id``, which the
            names of the bodies carry, and ``price_usd``, the close in USDT; all else is null.
            A day without trade has no row.

        Raises:
            PayloadError: As for perpetuals, or a name carries no coin, or two pairs price one.
            NotYetAvailableError: No file has the day.
        """
        rows: dict[tuple[date, str], dict[str, object]] = {}
        for label, day, candle in self.read_candles(bodies, market_date, first):
            coin_id, separator, pair = label.partition(LABEL_SEPARATOR)
            if not separator or not coin_id or (day, coin_id) in rows:
                raise PayloadError(f"{day}: {shown(label)} names no coin, or one priced already")
            rows[day, coin_id] = {
                "market_date": day,
                "source": self.name,
                "coin_id": coin_id,
                "symbol": pair.removesuffix("USDT"),
                "price_usd": candle["close_usd"],
            }
        return list(rows.values())


def read_klines(
    symbol: str, first: date, last: date, lines: list[list[str]]
) -> dict[date, dict[str, float | None]]:
    """Return the candles of a file by day.

    Args:
        symbol: What to call the file in a message.
        first: First day that the file may hold.
        last: Last day.
        lines: Cells. With a header line they are found by their names and there may be more
            of them; without one there are twelve in the documented order, as nothing says
            what another one would be.

    Raises:
        PayloadError: A documented column is missing, a line is of another length, of a day
            that is not the file's or comes twice, or its prices cannot be.
    """
    if lines and CANDLE_COLUMNS[0] in lines[0]:
        places = columns_of(lines, CANDLE_COLUMNS)
        lines = [[line[place] for place in places.values()] for line in lines[1:]]
    candles: dict[date, dict[str, float | None]] = {}
    seen: set[date] = set()
    for line in lines:
        if len(line) != len(CANDLE_COLUMNS):
            raise PayloadError(f"a line is {shown(','.join(line))}")
        opened = stamp_of(line[0], symbol)
        per_day = DAY_MILLISECONDS * (1000 if opened >= FIRST_MICROSECONDS else 1)
        day = day_of_stamp(opened, per_day, symbol)
        if opened % per_day or not first <= day <= last or day in seen:
            raise PayloadError(f"the line of {opened} is not a day of {first} to {last}, or again")
        seen.add(day)
        candle = read_candle(line, per_day, f"{symbol} {day}")
        if candle is not None:
            candles[day] = candle
    return candles
