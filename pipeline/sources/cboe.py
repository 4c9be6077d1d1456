"""Cboe: daily closes of the Russell 2000, the S&P 500 and the VIX.

The label is the New York session; its close falls at 20:00 or 21:00 UTC of the same day.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from pipeline.errors import PayloadError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import shown
from pipeline.sources.sessions import check_recent, read_close, session_rows
from pipeline.sources.shapes import named_bodies

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

# Each file's columns, the close last; there may be others, in any order.
HEADERS = {
    "RUT": ("DATE", "RUT"),
    "SPX": ("DATE", "SPX"),
    "VIX": ("DATE", "OPEN", "HIGH", "LOW", "CLOSE"),
}
_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")


class Cboe(Source):
    """``{RUT|SPX|VIX}_History.csv``: every session's price-return close, in index points."""

    name = "cboe"
    vendor = "cboe"
    dataset = "equity_daily"
    kind = "by_date"
    sends_all_since = True

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for the three files; each holds the whole history. See ``Source.fetch``."""
        for ticker in HEADERS:
            path = f"api/global/us_indices/daily_prices/{ticker}_History.csv"
            url = vendor_url(settings, self.vendor, path)
            yield f"{ticker}_History", client.get(url, expect="csv")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the three files.

        Returns:
            One row per session and ticker, closes in index points, an empty one as null; days
            without a session have no row.

        Raises:
            PayloadError: A file is missing, its header or a row is not the documented one, or
                a session occurs twice with different closes.
            NotYetAvailableError: A file ends more than ``STALE_DAYS`` before the day.
            UnobtainableError: A file has later sessions but none near the day.
        """
        received = named_bodies(bodies, [f"{ticker}_History" for ticker in HEADERS])
        rows: list[dict[str, object]] = []
        for ticker in HEADERS:
            lines = read_history(received[f"{ticker}_History"], ticker)
            check_recent([session for session, _ in lines], ticker, market_date)
            closes = [
                (session, read_close(text, f"{ticker} {session}"))
                for session, text in lines
                if first <= session <= market_date
            ]
            rows += session_rows(self.name, ticker, closes, first, market_date)
        return rows


def read_history(body: bytes, ticker: str) -> list[tuple[date, str]]:
    """Read a history file's lines: session, and its close as written.

    Args:
        body: CSV with the columns of ``HEADERS`` and dates as MM/DD/YYYY.
        ticker: A key of ``HEADERS``; sister files carry total returns under other headers.

    Raises:
        PayloadError: Not UTF-8, another header, a line that is not a date and values, or a
            last line that looks cut: it does not end, and has other decimals than the one before.
    """
    try:
        text = body.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise PayloadError(f"{ticker}: the file is not CSV in UTF-8; fetch again") from exc
    header = lines[0] if lines else []
    if any(header.count(name) != 1 for name in HEADERS[ticker]):
        raise PayloadError(
            f"{ticker}: the header is {shown(','.join(header))} instead of "
            f"{','.join(HEADERS[ticker])!r}; the file has changed, compare it with the source's "
            "page"
        )
    day_place, close_place = header.index(HEADERS[ticker][0]), header.index(HEADERS[ticker][-1])
    sessions: list[tuple[date, str]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        match = _DATE.fullmatch(line[day_place]) if len(line) == len(header) else None
        if match is None:
            raise PayloadError(f"{ticker}: line {number} is {shown(','.join(line))}")
        try:
            session = date(int(match[3]), int(match[1]), int(match[2]))
        except ValueError as exc:
            raise PayloadError(f"{ticker}: line {number} has no such day as {match[0]}") from exc
        sessions.append((session, line[close_place]))
    if not text.endswith("\n") and len({_decimals(close) for _, close in sessions[-2:]}) > 1:
        raise PayloadError(f"{ticker}: the last line, {shown(lines[-1])}, is cut; fetch again")
    return sessions


def _decimals(close: str) -> int:
    return len(close.partition(".")[2])
