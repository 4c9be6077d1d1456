"""Cboe: daily closes of the Russell 2000 and the S&P 500.

The label is the New York session; its close falls at 20:00 or 21:00 UTC of the same day.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import shown

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

TICKERS = ("RUT", "SPX")
# A long weekend with a holiday on either side.
STALE_DAYS = 5
_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_CLOSE = re.compile(r"[0-9]+(\.[0-9]+)?")


class Cboe(Source):
    """``{RUT|SPX}_History.csv``: every session's price-return close, in index points."""

    name = "cboe"
    vendor = "cboe"
    dataset = "equity_daily"
    kind = "by_date"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for both files; each holds the whole history. See ``Source.fetch``."""
        for ticker in TICKERS:
            path = f"api/global/us_indices/daily_prices/{ticker}_History.csv"
            yield (
                f"{ticker}_History",
                client.get(vendor_url(settings, self.vendor, path), expect="csv"),
            )

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read both files.

        Returns:
            One row per session and ticker, closes in index points, an empty one as null; days
            without a session have no row.

        Raises:
            PayloadError: A file is missing, its header or a row is not the documented one, or
                a session occurs twice with different closes.
            NotYetAvailableError: A file ends more than ``STALE_DAYS`` before the day.
            UnobtainableError: A file has later sessions but none near the day.
        """
        received = dict(bodies)
        expected = {f"{ticker}_History" for ticker in TICKERS}
        if received.keys() != expected or len(received) != len(bodies):
            raise PayloadError(
                f"{', '.join(sorted(expected))} are needed, got "
                f"{shown(', '.join(name for name, _ in bodies))}; fetch again"
            )
        rows: list[dict[str, object]] = []
        for ticker in TICKERS:
            lines = read_history(received[f"{ticker}_History"], ticker)
            _check_recent([session for session, _ in lines], ticker, market_date)
            closes: dict[date, float | None] = {}
            for session, text in lines:
                if not first <= session <= market_date:
                    continue
                close = _read_close(text, f"{ticker} {session}")
                if closes.setdefault(session, close) != close:
                    raise PayloadError(f"{ticker} {session}: two different closes; fetch again")
            rows += [
                {"session_date": day, "source": self.name, "ticker": ticker, "close_points": close}
                for day, close in sorted(closes.items())
            ]
        return rows


def read_history(body: bytes, ticker: str) -> list[tuple[date, str]]:
    """Read a history file's lines: session, and its close as written.

    Args:
        body: CSV with the header ``DATE,<ticker>`` and dates as MM/DD/YYYY.
        ticker: ``RUT`` or ``SPX``; sister files carry total returns under other headers.

    Raises:
        PayloadError: Not UTF-8, another header, a line that is not a date and a value, or a
            last line that looks cut: it does not end, and has other decimals than the one before.
    """
    try:
        text = body.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise PayloadError(f"{ticker}: the file is not CSV in UTF-8; fetch again") from exc
    if not lines or lines[0] != ["DATE", ticker]:
        raise PayloadError(
            f"{ticker}: the header is {shown(','.join(lines[0]) if lines else '')} instead of "
            f"'DATE,{ticker}'; the file has changed, compare it with the source's page"
        )
    sessions: list[tuple[date, str]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        match = _DATE.fullmatch(line[0])
        if match is None or len(line) != len(lines[0]):
            raise PayloadError(f"{ticker}: line {number} is {shown(','.join(line))}")
        try:
            session = date(int(match[3]), int(match[1]), int(match[2]))
        except ValueError as exc:
            raise PayloadError(f"{ticker}: line {number} has no such day as {line[0]}") from exc
        sessions.append((session, line[1]))
    if not text.endswith("\n") and len({_decimals(close) for _, close in sessions[-2:]}) > 1:
        raise PayloadError(f"{ticker}: the last line, {shown(lines[-1])}, is cut; fetch again")
    return sessions


def _decimals(close: str) -> int:
    return len(close.partition(".")[2])


def _read_close(text: str, where: str) -> float | None:
    if not text:
        return None
    close = float(text) if _CLOSE.fullmatch(text) else math.nan
    if not (math.isfinite(close) and close > 0):
        raise PayloadError(f"{where}: the close is {shown(text)}, not a positive number")
    return close


def _check_recent(sessions: Sequence[date], ticker: str, market_date: date) -> None:
    oldest_allowed = market_date - timedelta(days=STALE_DAYS)
    if any(oldest_allowed <= session <= market_date for session in sessions):
        return
    span = f"it holds {min(sessions)} to {max(sessions)}" if sessions else "it is empty"
    if any(session > market_date for session in sessions):
        raise UnobtainableError(
            f"{ticker}: no session within {STALE_DAYS} days before {market_date}, {span}; import "
            "history from elsewhere"
        )
    raise NotYetAvailableError(
        f"{ticker}: no session within {STALE_DAYS} days before {market_date}, {span}; run again "
        "after the file is rewritten, about 02:00 UTC"
    )
