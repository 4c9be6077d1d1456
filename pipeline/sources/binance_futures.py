"""Binance's futures API: how it is asked; positioning and open interest of the last days.

It stands in for the bulk archive while a day's files are not there yet. The series of
``/futures/data`` reach 30 days back. A daily point is taken as the day that its stamp begins,
as the archive's files do since 2026-06-25; should the vendor mean the end of a period, a value
is a day old and never from the future.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown
from pipeline.sources.shapes import as_list
from pipeline.sources.universe import perp_symbols
from pipeline.sources.venues import (
    DAY_MILLISECONDS,
    ask_for_each,
    daily_points,
    field_of,
    midnight,
    named_bodies,
    ratio_or_none,
    require_day,
    stamp_of,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

logger = logging.getLogger(__name__)

VENUE = "binance"
HISTORY_DAYS = 30
SYMBOLS_ASKED = 150
"""Largest perpetuals that are asked for: seven calls each have to fit a few minutes."""

RATIO_TOLERANCE = 0.01
"""How far a ratio may be from long / short, which are rounded to four decimals."""

_ROUNDING = 5e-5


class BinanceFuturesSource(Source):
    """A dataset from one or more endpoints, each asked symbol by symbol.

    Attributes:
        endpoints: Path by the name in the bodies' names.
        limit: Rows that an answer takes.
        is_daily: Whether a period of a day has to be asked for.
        history_days: Days that the vendor keeps.
        days_beyond: Days asked for beyond the one wanted, to see that it is over.
    """

    name = "binance_futures"
    vendor = "binance_futures"
    kind = "by_date"
    endpoints: ClassVar[Mapping[str, str]]
    limit: ClassVar[int] = 500
    is_daily: ClassVar[bool] = True
    history_days: ClassVar[int] = HISTORY_DAYS
    days_beyond: ClassVar[int] = 0

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for each of the ``SYMBOLS_ASKED`` largest perpetuals. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
            UnobtainableError: The day is more than ``HISTORY_DAYS`` back.
        """
        now = settings.now()
        if now < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        oldest = now.date() - timedelta(days=self.history_days - 1)
        if market_date < oldest:
            raise UnobtainableError(
                f"Binance serves the last {self.history_days} days only, not {market_date}; take "
                "it from the bulk archive"
            )
        first = max(first_day(market_date, since), oldest)
        symbols = perp_symbols(settings, VENUE, market_date)[:SYMBOLS_ASKED]

        def ask(symbol: str) -> Iterator[tuple[str, HttpResponse]]:
            for endpoint, path in self.endpoints.items():
                yield (
                    f"{endpoint}-{symbol}",
                    client.get(
                        vendor_url(settings, self.vendor, path),
                        params=self.params(symbol, first, market_date),
                    ),
                )

        yield from ask_for_each(symbols, ask, who="Binance")

    def params(self, symbol: str, first: date, last: date) -> dict[str, str]:
        """Return the query for one symbol and the days from ``first`` to ``last``."""
        return {
            "symbol": symbol,
            **({"period": "1d"} if self.is_daily else {}),
            "startTime": str(midnight(first)),
            "endTime": str(midnight(last + timedelta(days=1 + self.days_beyond)) - 1),
            "limit": str(self.limit),
        }

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read one body per endpoint and symbol.

        Returns:
            One row per day and symbol, from ``first`` to ``market_date``; units as in the
            class. A measure that is blank, or 0 where 0 cannot be, is null; a day with
            nothing but nulls has no row. The running day is dropped.

        Raises:
            PayloadError: A body is not the documented list, is of another symbol, holds a
                figure that cannot be, or a day twice.
            NotYetAvailableError: No symbol has the day yet.
        """
        measures: dict[tuple[date, str], dict[str, float | None]] = {}
        for endpoint, symbol, body in named_bodies(bodies, self.endpoints):
            where = f"{symbol} {endpoint}"
            rows = as_list(parse_json(body), where)
            if len(rows) >= self.limit:
                raise PayloadError(f"{where}: {len(rows)} rows, as many as fit; ask for less days")
            for day, values in self.read_series(endpoint, symbol, rows, where).items():
                measures.setdefault((day, symbol), {}).update(values)
        found = [
            {
                "market_date": day,
                "source": self.name,
                "venue": VENUE,
                "perp_symbol": symbol,
                **values,
            }
            for (day, symbol), values in sorted(measures.items())
            if first <= day <= market_date and any(value is not None for value in values.values())
        ]
        require_day(found, market_date, (day for day, _ in measures), f"Binance's {self.dataset}")
        return found

    def read_series(
        self, endpoint: str, symbol: str, rows: Sequence[Any], where: str
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return the measures of one endpoint and symbol by day."""
        raise NotImplementedError


def _points(rows: Sequence[Any], symbol: str, where: str) -> dict[date, Any]:
    """Return the rows of ``/futures/data`` by the day that each stamp begins."""
    for row in rows:
        said = row.get("symbol", symbol) if isinstance(row, dict) else symbol
        if said != symbol:
            raise PayloadError(f"{where}: a row is of {shown(said)}; fetch again")
    return daily_points(
        ((stamp_of(field_of(row, "timestamp", where), where), row) for row in rows),
        DAY_MILLISECONDS,
        where,
    )


class BinanceFuturesPositioning(BinanceFuturesSource):
    """Long/short ratios by accounts and positions, and the taker ratio; plain ratios.

    A ratio is taken as long share / short share. Where the ratio that comes with them is off by
    more than ``RATIO_TOLERANCE``, the two contradict each other and it is null.
    """

    dataset = "positioning_daily"
    endpoints: ClassVar[Mapping[str, str]] = {
        "globalLongShortAccountRatio": "futures/data/globalLongShortAccountRatio",
        "topLongShortAccountRatio": "futures/data/topLongShortAccountRatio",
        "topLongShortPositionRatio": "futures/data/topLongShortPositionRatio",
        "takerlongshortRatio": "futures/data/takerlongshortRatio",
    }
    _measure: ClassVar[Mapping[str, str]] = {
        "globalLongShortAccountRatio": "long_short_account_ratio",
        "topLongShortAccountRatio": "top_account_ratio",
        "topLongShortPositionRatio": "top_position_ratio",
        "takerlongshortRatio": "taker_buy_sell_ratio",
    }

    def read_series(
        self, endpoint: str, symbol: str, rows: Sequence[Any], where: str
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return one ratio by day. See ``BinanceFuturesSource.read_series``."""
        fields = (
            ("buyVol", "sellVol", "buySellRatio")
            if endpoint == "takerlongshortRatio"
            else ("longAccount", "shortAccount", "longShortRatio")
        )
        return {
            day: {self._measure[endpoint]: _checked_ratio(row, fields, f"{where} {day}")}
            for day, row in _points(rows, symbol, where).items()
        }


def _checked_ratio(row: object, fields: tuple[str, str, str], where: str) -> float | None:
    long, short, said = (
        ratio_or_none(field_of(row, field, where), f"{where} {field}") for field in fields
    )
    if long is None or short is None or said is None:
        return None
    # Shares come with four decimals; a small one moves the ratio by its own rounding.
    is_share = long <= 1 and short <= 1
    allowed = RATIO_TOLERANCE + (_ROUNDING / long + _ROUNDING / short if is_share else 0.0)
    allowed += _ROUNDING / said
    if not abs(long / short / said - 1) <= allowed:
        logger.warning("%s: %s is not %s / %s; left out", where, said, long, short)
        return None
    return long / short


class BinanceFuturesOpenInterest(BinanceFuturesSource):
    """Open interest in units of the contract's base and in US dollars (USDT)."""

    dataset = "open_interest_daily"
    endpoints: ClassVar[Mapping[str, str]] = {"openInterestHist": "futures/data/openInterestHist"}

    def read_series(
        self, endpoint: str, symbol: str, rows: Sequence[Any], where: str
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return open interest by day. See ``BinanceFuturesSource.read_series``."""
        return {
            day: {
                "open_interest_units": ratio_or_none(
                    field_of(row, "sumOpenInterest", where), f"{where} {day} sumOpenInterest"
                ),
                "open_interest_usd": ratio_or_none(
                    field_of(row, "sumOpenInterestValue", where),
                    f"{where} {day} sumOpenInterestValue",
                ),
            }
            for day, row in _points(rows, symbol, where).items()
        }
