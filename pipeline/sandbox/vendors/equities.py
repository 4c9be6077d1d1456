"""Which session's figures are out, and how the indices stand: shared by their vendors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.randomness import Floats
from pipeline.sessions import is_session, session_close


def last_closed_session(now: datetime) -> date:
    """Return the New York session whose close is the latest one at or before ``now``."""
    day = now.astimezone(UTC).date()
    while not is_session(day) or session_close(day) > now:
        day -= timedelta(days=1)
    return day


def closes(market: SimulatedMarket, ticker: str) -> Floats:
    """Return an index's closes in points, by day since the market's first."""
    levels = {
        "RUT": market.factors.rut_points,
        "SPX": market.factors.spx_points,
        "VIX": market.aggregates.vix_close,
    }
    return levels[ticker]


def sessions_until(world: World, last: date) -> list[tuple[int, date]]:
    """Return (index, day) of the market's sessions up to a day."""
    market = world.market_today
    flags = market.factors.is_session
    count = (last - market.first_day).days + 1
    return [(index, world.day(index)) for index in range(count) if flags[index]]
