"""Yahoo's charts of the Russell 2000, the S&P 500 and the VIX."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    as_seconds,
    render_json,
)
from pipeline.sandbox.vendors.equities import closes, last_closed_session, sessions_until
from pipeline.sessions import is_session, session_close

_NEW_YORK = ZoneInfo("America/New_York")
_TICKERS = {"^RUT": "RUT", "^GSPC": "SPX", "^VIX": "VIX"}


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    if status == 429:
        return "text/html; charset=utf-8", b"Too Many Requests\r\n"
    code = {404: "Not Found", 401: "Unauthorized"}.get(status, "Internal Server Error")
    error = {"code": code, "description": "The sandbox was asked to fail."}
    return JSON_TYPE, render_json({"chart": {"result": None, "error": error}})


def _bad(status: int, code: str, description: str) -> Response:
    error = {"code": code, "description": description}
    return answer_json({"chart": {"result": None, "error": error}}, status)


def _opens_at(day: date) -> int:
    return int(datetime.combine(day, time(9, 30), _NEW_YORK).timestamp())


def _bars(world: World, ticker: str) -> list[tuple[int, float]]:
    """Return stamp and close of each session; the running one comes twice, the second as of now.

    A running session stands at the close before it.
    """
    levels = closes(world.market_today, ticker)
    last = last_closed_session(world.now)
    # The figures come with the noise of 32-bit floats.
    bars = [
        (_opens_at(day), float(levels[index]) + 1.3e-5)
        for index, day in sessions_until(world, last)
    ]
    today = world.now.astimezone(_NEW_YORK).date()
    if is_session(today) and _opens_at(today) <= world.now.timestamp() and today > last and bars:
        bars += [(_opens_at(today), bars[-1][1]), (int(world.now.timestamp()), bars[-1][1])]
    return bars


def answer_chart(world: World, request: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``/v8/finance/chart/<symbol>`` of interval 1d between two bounds."""
    symbol = groups["symbol"]
    if symbol not in _TICKERS:
        return _bad(404, "Not Found", "No data found, symbol may be delisted")
    if request.parameters.get("interval", "1d") != "1d":
        return _bad(400, "Bad Request", "Invalid input - interval is not supported")
    start = as_seconds(request.parameters.get("period1"), 0.0)
    end = as_seconds(request.parameters.get("period2"), world.now.timestamp())
    if start is None or end is None:
        return _bad(400, "Bad Request", "Invalid input - period1 or period2")
    bars = [bar for bar in _bars(world, _TICKERS[symbol]) if start <= bar[0] <= end]
    session = last_closed_session(world.now)
    current = world.now.astimezone(_NEW_YORK).date()
    trading = current if is_session(current) else session
    levels = [close for _, close in bars]
    meta: dict[str, Any] = {
        "currency": "USD",
        "symbol": symbol,
        "instrumentType": "INDEX",
        "gmtoffset": int(world.now.astimezone(_NEW_YORK).utcoffset().total_seconds()),  # type: ignore[union-attr]
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": int(
            min(world.now, session_close(trading)).timestamp()
            if _opens_at(trading) <= world.now.timestamp()
            else session_close(session).timestamp()
        ),
        "currentTradingPeriod": {
            "regular": {
                "timezone": "EST",
                "start": _opens_at(trading),
                "end": int(session_close(trading).timestamp()),
                "gmtoffset": -18000,
            }
        },
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"],
    }
    result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [{}]}}
    if bars:
        meta["regularMarketPrice"] = levels[-1]
        result["timestamp"] = [stamp for stamp, _ in bars]
        result["indicators"] = {
            "quote": [
                {
                    "open": [levels[0], *levels[:-1]],
                    "high": [level * 1.01 for level in levels],
                    "low": [level * 0.99 for level in levels],
                    "close": levels,
                    "volume": [0] * len(levels),
                }
            ],
            "adjclose": [{"adjclose": levels}],
        }
    return answer_json({"chart": {"result": [result], "error": None}})


ENDPOINTS = (
    Endpoint(
        "yahoo",
        "chart",
        r"/v8/finance/chart/(?P<symbol>[^/]+)",
        answer_chart,
        Shape(
            rows=("chart", "result", 0),
            figures=(("indicators", "quote", 0, "close"),),
            stamps=((("timestamp",), "s"),),
            is_columns=True,
        ),
        render_error,
        "/v8/finance/chart/%5ERUT?interval=1d&period1=0&events=history",
    ),
)
