"""OKX's statistics by currency: account ratio, open interest and volume."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pipeline.sandbox.derivatives import VENUE_LOG_OFFSET
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
from pipeline.sandbox.vendors.binance_series import DAY_SECONDS
from pipeline.sandbox.vendors.text import fixed

BAR_STARTS_SECONDS = 16 * 3600
_DEPTH_DAYS = 180
_OFFSET = math.exp(VENUE_LOG_OFFSET["okx"])
# OKX's share of what there is at Binance.
_SHARE = 0.3


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    code, message = {429: ("50011", "Too Many Requests")}.get(status, ("50001", "Service error"))
    return JSON_TYPE, render_json({"code": code, "msg": message, "data": []})


def okx_currencies(world: World) -> dict[str, int]:
    """Return the perpetual's column by currency."""
    return {
        perp.coin_symbol: column
        for column, perp in enumerate(world.market.derivatives.perps)
        if perp.quote_asset == "USDT" and perp.is_listed(world.last_index)
    }


def _bad(parameter: str) -> Response:
    return answer_json({"code": "51000", "msg": f"Parameter {parameter} error", "data": []})


def _bars(world: World, request: Request) -> tuple[int, list[tuple[int, int]]] | Response:
    """Return the column and (start in seconds, day's index) of the bars, or the complaint.

    The bar that starts at 16:00 on the day before is taken as the day's. It begins before the
    day does, and stands at the day before's figure until the day is over.
    """
    column = okx_currencies(world).get(request.parameters.get("ccy", ""))
    if column is None:
        return _bad("ccy")
    period = request.parameters.get("period", "1D")
    if period not in ("1D", "1Dutc"):
        return _bad("period")
    now = world.now.timestamp()
    begin = as_seconds(request.parameters.get("begin"), 0.0, 1000)
    end = as_seconds(request.parameters.get("end"), now, 1000)
    if begin is None or end is None:
        return _bad("begin" if begin is None else "end")
    shift = BAR_STARTS_SECONDS - DAY_SECONDS if period == "1D" else 0
    first = max(
        world.market.derivatives.perps[column].onboard_index, world.last_index - _DEPTH_DAYS + 1
    )
    starts = (
        (world.midnight(index) + shift, index) for index in range(first, world.last_index + 3)
    )
    return column, [
        (start, min(index, world.last_index))
        for start, index in starts
        if begin <= start <= min(end, now)
    ][::-1]


def answer_ratio(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``rubik/stat/contracts/long-short-account-ratio``, newest first."""
    bars = _bars(world, request)
    if isinstance(bars, Response):
        return bars
    column, days = bars
    ratios = world.market.derivatives.long_short_account_ratio
    data = [
        [str(start * 1000), fixed(float(ratios[index, column]) * _OFFSET, 4)]
        for start, index in days
    ]
    return answer_json({"code": "0", "msg": "", "data": data})


def answer_interest(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``rubik/stat/contracts/open-interest-volume`` in US dollars, newest first."""
    bars = _bars(world, request)
    if isinstance(bars, Response):
        return bars
    column, days = bars
    figures = world.market.derivatives
    data = [
        [
            str(start * 1000),
            fixed(float(figures.open_interest_usd[index, column]) * _SHARE, 2),
            fixed(float(figures.volume_usd[index, column]) * _SHARE, 2),
        ]
        for start, index in days
    ]
    return answer_json({"code": "0", "msg": "", "data": data})


_PATH = r"/api/v5/rubik/stat/contracts/"

ENDPOINTS = (
    Endpoint(
        "okx",
        "long-short-account-ratio",
        _PATH + "long-short-account-ratio",
        answer_ratio,
        Shape(rows=("data",), figures=((1,),), stamps=(((0,), "ms"),), newest="first"),
        render_error,
        _PATH + "long-short-account-ratio?ccy=BTC&period=1D",
    ),
    Endpoint(
        "okx",
        "open-interest-volume",
        _PATH + "open-interest-volume",
        answer_interest,
        Shape(rows=("data",), figures=((1,), (2,)), stamps=(((0,), "ms"),), newest="first"),
        render_error,
        _PATH + "open-interest-volume?ccy=BTC&period=1D",
    ),
)
