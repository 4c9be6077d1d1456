"""FRED: daily closes of the S&P 500 and the VIX, from the graph's CSV, without a key.

The label is the New York session. The S&P 500 reaches ten years back, and no further.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import PayloadError, UnobtainableError
from pipeline.sources.base import Source, first_day, vendor_url
from pipeline.sources.payload import shown
from pipeline.sources.sessions import STALE_DAYS, check_recent, read_close, session_rows
from pipeline.sources.shapes import csv_lines, named_bodies

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

# FRED's name of each series, and ours.
SERIES = {"SP500": "SPX", "VIXCLS": "VIX"}
YEARS_KEPT = 10
_DATE_COLUMNS = frozenset({"observation_date", "DATE"})
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Fred(Source):
    """``fredgraph.csv``: price-return closes in index points, published the next working day."""

    name = "fred"
    vendor = "fred"
    dataset = "equity_daily"
    kind = "by_date"
    available_hours = 24.0

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for both series over the days wanted. See ``Source.fetch``.

        Raises:
            UnobtainableError: The day is more than ``YEARS_KEPT`` years ago.
        """
        if market_date < settings.now().date() - timedelta(days=YEARS_KEPT * 365):
            raise UnobtainableError(
                f"FRED has no S&P 500 of {market_date}, only the last {YEARS_KEPT} years; import "
                "history from elsewhere"
            )
        # Far enough back that a long weekend does not make the answer empty.
        start = max(first_day(market_date, since), date(1990, 1, 1)) - timedelta(days=STALE_DAYS)
        for series in SERIES:
            params = {"id": series, "cosd": start.isoformat(), "coed": market_date.isoformat()}
            url = vendor_url(settings, self.vendor, "graph/fredgraph.csv")
            yield series, client.get(url, params=params, expect="csv")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read both files.

        Returns:
            One row per session and ticker, closes in index points; a holiday, which FRED
            lists with an empty value or a dot, has no row.

        Raises:
            PayloadError: A file is missing, its header or a line is not the documented one, or
                a session occurs twice with different closes.
            NotYetAvailableError: A file ends more than ``STALE_DAYS`` before the day.
            UnobtainableError: A file has later sessions but none near the day.
        """
        received = named_bodies(bodies, list(SERIES))
        rows: list[dict[str, object]] = []
        for series, ticker in SERIES.items():
            closes = _read_series(received[series], series)
            check_recent([session for session, _ in closes], ticker, market_date)
            rows += session_rows(self.name, ticker, closes, first, market_date)
        return rows


def _read_series(body: bytes, series: str) -> list[tuple[date, float]]:
    header, *lines = csv_lines(body, series)
    day_columns = [place for place, name in enumerate(header) if name in _DATE_COLUMNS]
    if len(day_columns) != 1 or header.count(series) != 1:
        raise PayloadError(
            f"{series}: the header is {shown(','.join(header))} instead of "
            f"'observation_date,{series}'; the file has changed"
        )
    closes: list[tuple[date, float]] = []
    for number, line in enumerate(lines, start=2):
        where = f"{series}: line {number}"
        day, text = line[day_columns[0]], line[header.index(series)]
        try:
            session = date.fromisoformat(day) if _DAY.fullmatch(day) else None
        except ValueError:
            session = None
        if session is None:
            raise PayloadError(f"{where} has no such day as {shown(day)}")
        close = None if text == "." else read_close(text, where)
        if close is not None:
            closes.append((session, close))
    return closes
