"""FRED: closes of the S&P 500 and the VIX, a working day late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import CSV_TYPE, HTML_TYPE, Request, Response, World
from pipeline.sandbox.vendors.equities import closes, last_closed_session
from pipeline.sandbox.vendors.text import fixed
from pipeline.sessions import is_session

_SERIES = {"SP500": "SPX", "VIXCLS": "VIX"}
_SATURDAY = 5
_PUBLISHED_HOUR = 9
_YEARS_KEPT = 10


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error page of a status."""
    page = f"<!DOCTYPE html><html><head><title>Error {status}</title></head></html>"
    return HTML_TYPE, page.encode()


def _published_at(session: date) -> datetime:
    day = session + timedelta(days=1)
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=_PUBLISHED_HOUR)


def _day(text: str | None, default: date) -> date | None:
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def answer_series(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``fredgraph.csv``: every weekday of ten years, a holiday with an empty value."""
    series = request.parameters.get("id", "")
    newest = last_closed_session(world.now)
    while _published_at(newest) > world.now or not is_session(newest):
        newest -= timedelta(days=1)
    oldest = max(world.first_day, world.today - timedelta(days=_YEARS_KEPT * 365))
    first = _day(request.parameters.get("cosd"), oldest)
    last = _day(request.parameters.get("coed"), newest)
    if series not in _SERIES or first is None or last is None:
        return Response(404, *render_error(404))
    levels = closes(world.market_today, _SERIES[series])
    lines = []
    day = max(first, oldest)
    while day <= min(last, newest):
        if day.weekday() < _SATURDAY:
            level = float(levels[(day - world.first_day).days])
            lines.append(f"{day},{fixed(level, 2) if is_session(day) else ''}")
        day += timedelta(days=1)
    body = "\n".join([f"observation_date,{series}", *lines, ""]).encode()
    return Response(200, CSV_TYPE, body, {"Cache-Control": "max-age=600"})


ENDPOINTS = (
    Endpoint(
        "fred",
        "fredgraph",
        r"/graph/fredgraph\.csv",
        answer_series,
        Shape(kind="csv", figures=((1,),), stamps=((("observation_date",), "%Y-%m-%d"),)),
        render_error,
        "/graph/fredgraph.csv?id=SP500",
    ),
)
