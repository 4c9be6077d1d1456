"""Binance's futures API of ordinary paths: fundings, candles, contracts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import Request, Response, World, answer_json, as_count, day_of
from pipeline.sandbox.vendors.binance_futures import (
    HISTORY_DAYS,
    asked_column,
    asked_times,
    cut,
    refuse,
    render_error,
)
from pipeline.sandbox.vendors.binance_series import fundings, perp_candle, running_candle
from pipeline.sandbox.vendors.text import fixed

_MOST_FUNDINGS, _MOST_CANDLES = 1000, 1500


def answer_fundings(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/fapi/v1/fundingRate``: the settlements up to now, oldest first."""
    column = asked_column(world, request)
    if isinstance(column, Response):
        return column
    limit = as_count(request.parameters.get("limit"), 100, _MOST_FUNDINGS)
    if not limit:
        return refuse(-1130, "parameter 'limit' is invalid.")
    now = world.now.timestamp()
    times = asked_times(request, now)
    if isinstance(times, Response):
        return times
    start, end = times
    market = world.market_today
    perp = market.derivatives.perps[column]
    newest = min(day_of(min(end, now)), world.today)
    oldest = day_of(start) if start is not None else newest - timedelta(days=limit // 2 + 1)
    first = max((oldest - world.first_day).days, perp.onboard_index)
    rows = []
    for index in range(first, min((newest - world.first_day).days, perp.delisting_index - 1) + 1):
        price = float(market.derivatives.open_usd[index, column])
        rows += [
            {
                "symbol": perp.symbol,
                "fundingTime": stamp,
                "fundingRate": fixed(rate, 8),
                "markPrice": fixed(price, 8),
                "rateType": "Regular",
            }
            for stamp, _hours, rate in fundings(market, column, index, world.midnight(index))
            if (start or 0) * 1000 <= stamp <= min(end, now) * 1000
        ]
    return answer_json(cut(rows, start, limit))


def answer_candles(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/fapi/v1/klines`` of interval 1d, oldest first, the running day included."""
    column = asked_column(world, request)
    if isinstance(column, Response):
        return column
    if request.parameters.get("interval") != "1d":
        return refuse(-1120, "Invalid interval.")
    limit = as_count(request.parameters.get("limit"), 500, _MOST_CANDLES)
    if not limit:
        return refuse(-1130, "parameter 'limit' is invalid.")
    times = asked_times(request, world.now.timestamp())
    if isinstance(times, Response):
        return times
    start, end = times
    perp, market = world.market.derivatives.perps[column], world.market
    opens = [
        (index, world.midnight(index)) for index in range(perp.onboard_index, world.last_index + 2)
    ]
    wanted = [(index, opened) for index, opened in opens if (start or 0) <= opened <= end]
    rows = [
        perp_candle(market, column, index, opened)
        if index <= world.last_index
        else running_candle(market, column, world.last_index, opened)
        for index, opened in cut(wanted, start, limit)
    ]
    return answer_json(rows)


def _contract(world: World, symbol: str, base: str, quote: str, onboard: int) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": world.midnight(onboard) * 1000,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": 7,
        "quantityPrecision": 3,
        "underlyingType": "COIN",
        "underlyingSubType": ["Layer-1"],
    }


def answer_contracts(world: World, _: Request, __: Mapping[str, str]) -> Response:
    """Answer ``/fapi/v1/exchangeInfo``; what was delisted lately is settling."""
    symbols = []
    for perp in world.market.derivatives.perps:
        gone_for = world.last_index - perp.delisting_index
        if perp.onboard_index <= world.last_index and gone_for < HISTORY_DAYS:
            contract = _contract(
                world, perp.symbol, perp.base_asset, perp.quote_asset, perp.onboard_index
            )
            status = "TRADING" if gone_for < 0 else "SETTLING"
            symbols.append(contract | {"status": status})
    basket = _contract(world, "BTCDOMUSDT", "BTCDOM", "USDT", 0) | {"underlyingType": "INDEX"}
    stock = _contract(world, "TSLAUSDT", "TSLA", "USDT", 0) | {"underlyingType": "EQUITY"}
    quarterly = f"BTCUSDT_{world.today + timedelta(days=60):%y%m%d}"
    future = _contract(world, quarterly, "BTC", "USDT", 0)
    future |= {"pair": "BTCUSDT", "contractType": "CURRENT_QUARTER"}
    body = {
        "timezone": "UTC",
        "serverTime": int(world.now.timestamp() * 1000),
        "futuresType": "U_MARGINED",
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [*symbols, basket, stock, future],
    }
    return answer_json(body)


ENDPOINTS = (
    Endpoint(
        "binance_futures",
        "fundingRate",
        r"/fapi/v1/fundingRate",
        answer_fundings,
        Shape(figures=(("fundingRate",),), stamps=((("fundingTime",), "ms"),)),
        render_error,
        "/fapi/v1/fundingRate?symbol=BTCUSDT&limit=100",
    ),
    Endpoint(
        "binance_futures",
        "klines",
        r"/fapi/v1/klines",
        answer_candles,
        Shape(figures=((4,), (7,)), stamps=(((0,), "ms"), ((6,), "ms"))),
        render_error,
        "/fapi/v1/klines?symbol=BTCUSDT&interval=1d&limit=30",
    ),
    Endpoint(
        "binance_futures",
        "exchangeInfo",
        r"/fapi/v1/exchangeInfo",
        answer_contracts,
        Shape(
            rows=("symbols",),
            stamps=((("onboardDate",), "ms"),),
            key=("symbol",),
            newest="all",
        ),
        render_error,
        "/fapi/v1/exchangeInfo",
    ),
)
