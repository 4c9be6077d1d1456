"""What the sources of stock indices share: sessions, closes, and how old a file may be.

A session is a New York trading day; days without one have no row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.payload import shown

# A long weekend with a holiday on either side.
STALE_DAYS = 5
_CLOSE = re.compile(r"[0-9]+(\.[0-9]+)?")


def read_close(text: str, where: str) -> float | None:
    """Return a close in index points as it is written; an empty one as None.

    Raises:
        PayloadError: It is not a positive decimal number.
    """
    if not text:
        return None
    close = float(text) if _CLOSE.fullmatch(text) else math.nan
    if not (math.isfinite(close) and close > 0):
        raise PayloadError(f"{where}: the close is {shown(text)}, not a positive number")
    return close


def check_recent(sessions: Sequence[date], ticker: str, market_date: date) -> None:
    """Check that a series has a session within ``STALE_DAYS`` days before a day.

    Raises:
        NotYetAvailableError: It ends before that.
        UnobtainableError: It has later sessions but none near the day.
    """
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


def session_rows(
    source: str, ticker: str, closes: Iterable[tuple[date, float | None]], first: date, last: date
) -> list[dict[str, object]]:
    """Return the rows of ``raw.equity_daily`` of one series.

    Args:
        source: Name of the source.
        ticker: Our name of the series.
        closes: Sessions with their closes in index points, in any order.
        first: First session wanted.
        last: Last session wanted.

    Returns:
        One row per session, in order.

    Raises:
        PayloadError: A session occurs twice with different closes.
    """
    wanted: dict[date, float | None] = {}
    for session, close in closes:
        if first <= session <= last and wanted.setdefault(session, close) != close:
            raise PayloadError(f"{ticker} {session}: two different closes; fetch again")
    return [
        {"session_date": day, "source": source, "ticker": ticker, "close_points": close}
        for day, close in sorted(wanted.items())
    ]
