"""Cboe: daily closes of the Russell 2000, the S&P 500 and the VIX."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import format_datetime

import pandas as pd

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import CSV_TYPE, XML_TYPE, Request, Response, World
from pipeline.sandbox.vendors.equities import last_closed_session, sessions_until
from pipeline.sessions import session_close

_PATH = "/api/global/us_indices/daily_prices/"


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status, as the object store does."""
    code = {403: "AccessDenied", 404: "NoSuchKey"}.get(status, "InternalError")
    return XML_TYPE, f"<Error><Code>{code}</Code></Error>".encode()


def render_index_history(equity: pd.DataFrame, ticker: str) -> bytes:
    """Render Cboe's ``<ticker>_History.csv``.

    Args:
        equity: One row per session and ticker: session_date, ticker, close_points.
        ticker: ``RUT`` or ``SPX``.

    Returns:
        CSV with the header ``DATE,<ticker>``, oldest session first, days as MM/DD/YYYY and
        six decimals.
    """
    sessions = equity[equity["ticker"] == ticker].sort_values("session_date")
    lines = [
        f"{day:%m/%d/%Y},{points:.6f}"
        for day, points in zip(sessions["session_date"], sessions["close_points"], strict=True)
    ]
    return "\n".join([f"DATE,{ticker}", *lines, ""]).encode()


def render_vix_history(bars: list[tuple[str, float, float, float, float]]) -> bytes:
    """Render Cboe's ``VIX_History.csv``.

    Args:
        bars: Session as MM/DD/YYYY, open, high, low and close in points, oldest first.

    Returns:
        CSV with the header ``DATE,OPEN,HIGH,LOW,CLOSE`` and six decimals.
    """
    lines = [",".join([day, *(f"{value:.6f}" for value in values)]) for day, *values in bars]
    return "\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *lines, ""]).encode()


def answer_history(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer a history file, which ends with the last session that is closed."""
    last, ticker = last_closed_session(world.now), groups["ticker"]
    market = world.market_today
    market.index_of(last)
    if ticker == "VIX":
        figures = market.aggregates
        body = render_vix_history(
            [
                (
                    f"{day:%m/%d/%Y}",
                    float(figures.vix_open[index]),
                    float(figures.vix_high[index]),
                    float(figures.vix_low[index]),
                    float(figures.vix_close[index]),
                )
                for index, day in sessions_until(world, last)
            ]
        )
    else:
        body = render_index_history(market.equity_history(market.first_day, last), ticker)
    headers = {"Last-Modified": format_datetime(session_close(last), usegmt=True)}
    return Response(200, CSV_TYPE, body, headers)


ENDPOINTS = tuple(
    Endpoint(
        "cboe",
        ticker,
        rf"{_PATH}(?P<ticker>{ticker})_History\.csv",
        answer_history,
        Shape(
            kind="csv",
            figures=(("CLOSE" if ticker == "VIX" else ticker,),),
            stamps=((("DATE",), "%m/%d/%Y"),),
        ),
        render_error,
        f"{_PATH}{ticker}_History.csv",
        alias=f"cboe-{ticker.lower()}",
    )
    for ticker in ("RUT", "SPX", "VIX")
)
