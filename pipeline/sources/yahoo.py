"""Yahoo's chart: daily closes of the Russell 2000, the S&P 500 and the VIX.

Off unless ``TIDEMARK_IS_YAHOO_ENABLED`` is set, as Yahoo's terms allow personal use only. A
bar is stamped with the session's opening; its day is the one in the exchange's time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.errors import PayloadError, SourceError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.sessions import STALE_DAYS, check_recent, session_rows
from pipeline.sources.shapes import (
    amount_or_none,
    as_list,
    as_object,
    named_bodies,
    object_in,
    unix_time,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

# Yahoo's name of each series, and ours.
SYMBOLS = {"^RUT": "RUT", "^GSPC": "SPX", "^VIX": "VIX"}
DECIMALS = 4
# Unix seconds of fewer digits are refused; the Russell 2000 begins in 1987.
_EARLIEST = date(1975, 1, 1)


class Yahoo(Source):
    """``/v8/finance/chart/{symbol}``: closes in index points."""

    name = "yahoo"
    vendor = "yahoo"
    dataset = "equity_daily"
    kind = "by_date"
    is_opt_in = True

    def is_usable(self, settings: Settings) -> bool:
        """Return whether the user asked for it."""
        return settings.is_yahoo_enabled

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for the three series over the days wanted. See ``Source.fetch``.

        By its bounds: a named range thins the bars out when it is long.
        """
        first = max(first_day(market_date, since), _EARLIEST)
        start = datetime.combine(first - timedelta(days=STALE_DAYS), time(), tzinfo=UTC)
        for symbol, ticker in SYMBOLS.items():
            params = {
                "interval": "1d",
                "period1": str(int(start.timestamp())),
                "period2": str(int(close_of(market_date).timestamp())),
                "events": "history",
            }
            url = vendor_url(settings, self.vendor, f"v8/finance/chart/{quote(symbol)}")
            yield ticker, client.get(url, params=params)

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the three bodies.

        Returns:
            One row per session and ticker, closes in index points, rounded to ``DECIMALS``; a
            bar without a close has no row. A last bar that shows a session which is still
            running, or again the session before it, is left out.

        Raises:
            SourceError: A body carries the vendor's own error.
            PayloadError: Not the documented shape, another series, or a session twice with
                different closes.
            NotYetAvailableError: A series ends more than ``STALE_DAYS`` before the day.
            UnobtainableError: A series has later sessions but none near the day.
        """
        received = named_bodies(bodies, list(SYMBOLS.values()))
        rows: list[dict[str, object]] = []
        for symbol, ticker in SYMBOLS.items():
            closes = _read_chart(parse_json(received[ticker]), symbol, ticker)
            check_recent([session for session, _ in closes], ticker, market_date)
            rows += session_rows(self.name, ticker, closes, first, market_date)
        return rows


def _read_chart(content: Any, symbol: str, where: str) -> list[tuple[date, float]]:
    chart = object_in(as_object(content, where), "chart", where)
    if chart.get("error") is not None:
        raise SourceError(f"{where}: it says {shown(chart['error'])}; run again later")
    results = as_list(chart.get("result"), f"{where}, result")
    if len(results) != 1:
        raise PayloadError(f"{where}: {len(results)} results instead of one")
    result = as_object(results[0], where)
    meta = object_in(result, "meta", where)
    if meta.get("symbol") != symbol or meta.get("dataGranularity") != "1d":
        raise PayloadError(
            f"{where}: the bars are {shown(meta.get('dataGranularity'))} of "
            f"{shown(meta.get('symbol'))} instead of '1d' of {symbol!r}"
        )
    zone = _zone(meta, where)
    quotes = as_list(object_in(result, "indicators", where).get("quote"), f"{where}, quote")
    if len(quotes) != 1:
        raise PayloadError(f"{where}: {len(quotes)} lists of quotes instead of one")
    # A span without a session comes without the two lists.
    stamps = as_list(result.get("timestamp", []), f"{where}, timestamp")
    closes = as_list(as_object(quotes[0], where).get("close", []), f"{where}, close")
    if len(stamps) != len(closes):
        raise PayloadError(f"{where}: {len(stamps)} stamps for {len(closes)} closes")
    bars: list[tuple[datetime, float | None]] = []
    for index, (stamp, close) in enumerate(zip(stamps, closes, strict=True), start=1):
        bar = f"{where}, bar {index}"
        value = amount_or_none({"close": close}, "close", bar)
        if value is not None and round(value, DECIMALS) == 0:
            raise PayloadError(f"{bar}: the close is {value}")
        bars.append((unix_time(stamp, bar).astimezone(zone), value))
    return [
        (opened.date(), round(value, DECIMALS))
        for opened, value in _finished(bars, meta, zone, where)
        if value is not None
    ]


def _zone(meta: Mapping[str, Any], where: str) -> ZoneInfo:
    name = text_or_none(meta, "exchangeTimezoneName", where)
    try:
        return ZoneInfo(name or "")
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise PayloadError(f"{where}: {shown(name)} is no time zone") from exc


def _finished(
    bars: Sequence[tuple[datetime, float | None]],
    meta: Mapping[str, Any],
    zone: ZoneInfo,
    where: str,
) -> Sequence[tuple[datetime, float | None]]:
    """Leave out the last bar while its session runs, and one that shows a session again.

    The running price is stamped with ``regularMarketTime``, not with the opening.
    """
    if not bars:
        return bars
    last = bars[-1][0]
    is_repeated = len(bars) > 1 and bars[-2][0].date() == last.date()
    kept = bars[:-1] if is_repeated else bars
    period = meta.get("currentTradingPeriod")
    if "regularMarketTime" in meta and isinstance(period, dict) and "regular" in period:
        seen_at = unix_time(meta["regularMarketTime"], f"{where}, regularMarketTime")
        regular = object_in(period, "regular", where)
        closes_at = unix_time(regular.get("end"), f"{where}, end")
        running = closes_at.astimezone(zone).date()
        if seen_at < closes_at:
            kept = [bar for bar in kept if bar[0].date() != running]
    return kept
