"""Binance's futures statistics: positioning and open interest of the last thirty days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    as_count,
    as_seconds,
    day_of,
    render_json,
    seconds_of,
)
from pipeline.sandbox.vendors.binance_series import (
    DAY_SECONDS,
    ROWS_PER_DAY,
    WAVE,
)
from pipeline.sandbox.vendors.text import fixed

HISTORY_DAYS = 30
_MINUTES = {"m": 1, "h": 60, "d": 1440}
_PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
_MOST_POINTS = 500
_RESTRICTED = (
    "Service unavailable from a restricted location according to 'b. Eligibility' in "
    "https://www.binance.com/en/terms. Please contact customer service if you believe you "
    "received this message in error."
)

Point = Callable[[World, int, int, float], dict[str, Any]]


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status; the firewall's refusal is a web page."""
    if status == 403:
        return "text/html; charset=utf-8", b"<html><body>403 Forbidden</body></html>"
    code, message = {
        418: (-1003, "Way too many requests; IP banned until 1700000000000."),
        429: (-1003, "Too many requests; current limit is 2400 requests per minute."),
        451: (0, _RESTRICTED),
    }.get(status, (-1000, "An unknown error occurred while processing the request."))
    return JSON_TYPE, render_json({"code": code, "msg": message})


def refuse(code: int, message: str) -> Response:
    return answer_json({"code": code, "msg": message}, 400)


def _mandatory(name: str) -> Response:
    return refuse(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def asked_column(world: World, request: Request) -> int | Response:
    """Return the column of a perpetual that trades today, or the complaint."""
    symbol = request.parameters.get("symbol")
    if not symbol:
        return _mandatory("symbol")
    figures = world.market.derivatives
    column = figures.column(symbol)
    if column is None or not figures.perps[column].is_listed(world.last_index):
        return refuse(-1121, "Invalid symbol.")
    return column


def asked_times(request: Request, newest: float) -> tuple[float | None, float] | Response:
    """Return start (None when not given) and end in seconds, or the complaint."""
    start = as_seconds(request.parameters.get("startTime"), -1.0, 1000)
    end = as_seconds(request.parameters.get("endTime"), newest, 1000)
    if start is None or end is None:
        name = "startTime" if start is None else "endTime"
        return refuse(-1130, f"parameter '{name}' is invalid.")
    return (None if start < 0 else start), end


def cut(rows: list[Any], start: float | None, limit: int) -> list[Any]:
    """Return the first rows from a start, the last ones without it."""
    return rows[:limit] if start is not None else rows[-limit:]


def _share_point(name: str) -> Point:
    def point(world: World, column: int, index: int, wave: float) -> dict[str, Any]:
        ratio = float(getattr(world.market.derivatives, name)[index, column]) * wave
        return {
            "symbol": world.market.derivatives.perps[column].symbol,
            "longShortRatio": fixed(ratio, 4),
            "longAccount": fixed(ratio / (1 + ratio), 4),
            "shortAccount": fixed(1 / (1 + ratio), 4),
        }

    return point


def _taker_point(world: World, column: int, index: int, wave: float) -> dict[str, Any]:
    figures = world.market.derivatives
    ratio = float(figures.taker_buy_sell_ratio[index, column]) * wave
    volume = float(figures.volume_usd[index, column] / figures.close_usd[index, column])
    return {
        "buySellRatio": fixed(ratio, 4),
        "buyVol": fixed(volume * ratio / (1 + ratio), 3),
        "sellVol": fixed(volume / (1 + ratio), 3),
    }


def _interest_point(world: World, column: int, index: int, wave: float) -> dict[str, Any]:
    figures = world.market.derivatives
    perp = figures.perps[column]
    return {
        "symbol": perp.symbol,
        "sumOpenInterest": fixed(float(figures.open_interest_units[index, column]) * wave, 8),
        "sumOpenInterestValue": fixed(float(figures.open_interest_usd[index, column]) * wave, 8),
        "CMCCirculatingSupply": fixed(float(world.market.paths.supply[index, perp.coin_number]), 8),
    }


_POINTS: dict[str, Point] = {
    "globalLongShortAccountRatio": _share_point("long_short_account_ratio"),
    "topLongShortAccountRatio": _share_point("top_account_ratio"),
    "topLongShortPositionRatio": _share_point("top_position_ratio"),
    "takerlongshortRatio": _taker_point,
    "openInterestHist": _interest_point,
}


def answer_series(world: World, request: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``/futures/data/<series>``: complete periods, stamped with their start.

    The periods of today stand at yesterday's figures.
    """
    column = asked_column(world, request)
    if isinstance(column, Response):
        return column
    period = request.parameters.get("period", "")
    if period not in _PERIODS:
        return _mandatory("period")
    limit = as_count(request.parameters.get("limit"), 30, _MOST_POINTS)
    if not limit:
        return refuse(-1130, "parameter 'limit' is invalid.")
    now = world.now.timestamp()
    times = asked_times(request, now)
    if isinstance(times, Response):
        return times
    start, end = times
    oldest = now - HISTORY_DAYS * DAY_SECONDS
    if start is not None and start < oldest:
        return refuse(-1130, "parameter 'startTime' is invalid.")
    step = int(period[:-1]) * _MINUTES[period[-1]] * 60
    begin = max(start if start is not None else oldest, seconds_of(world.first_day))
    stamps = range(-(-int(begin) // step) * step, int(min(end, now - step)) + 1, step)
    perp = world.market.derivatives.perps[column]
    rows = []
    for stamp in cut(list(stamps), start, limit):
        index = (day_of(stamp + step - 1) - world.first_day).days
        place = ((stamp + step) % DAY_SECONDS) // 300 or ROWS_PER_DAY
        if perp.onboard_index <= index:
            known = min(index, world.last_index)
            point = _POINTS[groups["series"]](world, column, known, float(WAVE[place - 1]))
            rows.append(point | {"timestamp": stamp * 1000})
    return answer_json(rows)


_SHARES = (("longShortRatio",), ("longAccount",))
_FIGURES = {
    "globalLongShortAccountRatio": _SHARES,
    "topLongShortAccountRatio": _SHARES,
    "topLongShortPositionRatio": _SHARES,
    "takerlongshortRatio": (("buySellRatio",), ("buyVol",)),
    "openInterestHist": (("sumOpenInterestValue",), ("sumOpenInterest",)),
}

ENDPOINTS = (
    *(
        Endpoint(
            "binance_futures",
            series,
            rf"/futures/data/(?P<series>{series})",
            answer_series,
            Shape(figures=figures, stamps=((("timestamp",), "ms"),)),
            render_error,
            f"/futures/data/{series}?symbol=BTCUSDT&period=1d&limit=30",
        )
        for series, figures in _FIGURES.items()
    ),
)
