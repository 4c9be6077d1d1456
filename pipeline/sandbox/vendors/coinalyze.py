"""Coinalyze: its map of markets, and liquidations a day; nothing without a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

SANDBOX_KEY = "any-key-will-do"
_MOST_SYMBOLS = 20
_SUFFIX = "_PERP.A"


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    message = {401: "Invalid/Missing API key", 429: "Too Many Requests"}.get(
        status, "The sandbox was asked to fail."
    )
    return JSON_TYPE, render_json({"message": message})


def _refuse(request: Request) -> Response | None:
    if request.headers.get("api_key") or request.parameters.get("api_key"):
        return None
    return Response(401, *render_error(401))


def answer_markets(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/future-markets``."""
    refusal = _refuse(request)
    if refusal is not None:
        return refusal
    return answer_json(
        [
            {
                "symbol": f"{perp.symbol}{_SUFFIX}",
                "exchange": "A",
                "symbol_on_exchange": perp.symbol,
                "base_asset": perp.base_asset,
                "quote_asset": perp.quote_asset,
                "is_perpetual": True,
                "margined": "STABLE",
                "expire_at": None,
                "has_long_short_ratio_data": True,
                "has_ohlcv_data": True,
                "has_buy_sell_data": True,
            }
            for perp in world.market.derivatives.perps
            if perp.onboard_index <= world.last_index
        ]
    )


def _history(
    world: World, column: int, start: float, end: float, to_usd: bool
) -> list[dict[str, Any]]:
    """Return a perpetual's days; the running one has little yet."""
    figures = world.market.derivatives
    perp = figures.perps[column]
    days = []
    for index in range(perp.onboard_index, min(world.last_index + 2, perp.delisting_index)):
        if start <= world.midnight(index) <= end:
            known, share = min(index, world.last_index), 1.0 if index <= world.last_index else 0.01
            price = 1.0 if to_usd else float(figures.close_usd[known, column])
            long_usd = float(figures.long_liquidation_usd[known, column]) * share
            short_usd = float(figures.short_liquidation_usd[known, column]) * share
            days.append(
                {
                    "t": world.midnight(index),
                    "l": round(long_usd / price, 4),
                    "s": round(short_usd / price, 4),
                }
            )
    return days


def answer_liquidations(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/liquidation-history`` of interval daily; unknown symbols are left out."""
    refusal = _refuse(request)
    if refusal is not None:
        return refusal
    symbols = [text for text in request.parameters.get("symbols", "").split(",") if text]
    start = as_seconds(request.parameters.get("from"), -1.0)
    end = as_seconds(request.parameters.get("to"), -1.0)
    if not symbols or len(symbols) > _MOST_SYMBOLS:
        return answer_json({"message": "'symbols' must hold 1 to 20 symbols"}, 400)
    if request.parameters.get("interval") != "daily":
        return answer_json({"message": "'interval' is invalid"}, 400)
    if start is None or end is None or start < 0 or end < 0:
        return answer_json({"message": "'from' and 'to' are required"}, 400)
    to_usd = request.parameters.get("convert_to_usd") == "true"
    entries = []
    for symbol in dict.fromkeys(symbols):
        column = world.market.derivatives.column(symbol.removesuffix(_SUFFIX))
        if column is not None and symbol.endswith(_SUFFIX):
            history = _history(world, column, start, end, to_usd)
            if history:
                entries.append({"symbol": symbol, "history": history})
    return answer_json(entries)


ENDPOINTS = (
    Endpoint(
        "coinalyze",
        "future-markets",
        r"/v1/future-markets",
        answer_markets,
        Shape(key=("symbol",), newest="all"),
        render_error,
        "/v1/future-markets",
        example_headers={"api_key": SANDBOX_KEY},
    ),
    Endpoint(
        "coinalyze",
        "liquidation-history",
        r"/v1/liquidation-history",
        answer_liquidations,
        Shape(
            rows=("*", "history"),
            figures=(("l",), ("s",)),
            stamps=((("t",), "s"),),
        ),
        render_error,
        "/v1/liquidation-history?symbols=BTCUSDT_PERP.A,ETHUSDT_PERP.A&interval=daily"
        "&from={days_ago_seconds}&to={now_seconds}&convert_to_usd=true",
        example_headers={"api_key": SANDBOX_KEY},
    ),
)
