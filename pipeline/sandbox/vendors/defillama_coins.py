"""DefiLlama's price history of coins, by CoinGecko's ids."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import Request, Response, World, answer_json, as_count, as_seconds
from pipeline.sandbox.vendors.binance_series import DAY_SECONDS
from pipeline.sandbox.vendors.defillama import render_error

_MOST_POINTS = 500
_PREFIX = "coingecko:"
_JITTER_SECONDS = 900


def _points(world: World, number: int, start: int, span: int) -> list[dict[str, Any]]:
    """Return a price near each instant asked for: the close of the day that ends there."""
    coin, prices = world.market.coins[number], world.market.paths.price_usd[:, number]
    points = []
    for instant in range(start, start + span * DAY_SECONDS, DAY_SECONDS):
        jitter = zlib.crc32(f"{coin.coin_id} {instant}".encode()) % _JITTER_SECONDS
        index = (instant + jitter) // DAY_SECONDS * DAY_SECONDS
        day = (index - world.midnight(0)) // DAY_SECONDS - 1
        is_known = coin.listing_index <= day < coin.delisting_index and day <= world.last_index
        if is_known and instant + jitter <= world.now.timestamp():
            points.append({"timestamp": instant + jitter, "price": float(prices[day])})
    return points


def answer_chart(world: World, request: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``/chart/<coins>`` of period 1d; an unknown coin is silently absent."""
    asked = [text for text in groups["coins"].split(",") if text]
    span = as_count(request.parameters.get("span"), 1)
    start = as_seconds(request.parameters.get("start"), -1.0)
    if request.parameters.get("period", "24h") not in ("1d", "24h"):
        return answer_json({"message": "Invalid period"}, 400)
    if not span or start is None:
        return answer_json({"message": "Invalid start or span"}, 400)
    if span * len(asked) > _MOST_POINTS:
        return answer_json({"message": "You can only request 500 data points at most"}, 400)
    if start < 0:
        start = (world.now - timedelta(days=span - 1)).timestamp() // DAY_SECONDS * DAY_SECONDS
    numbers = {coin.coin_id: number for number, coin in enumerate(world.market.coins)}
    coins = {}
    for name in asked:
        number = numbers.get(name.removeprefix(_PREFIX))
        points = [] if number is None else _points(world, number, int(start), span)
        if number is not None and points and name.startswith(_PREFIX):
            symbol = world.market.coins[number].symbol.upper()
            coins[name] = {"symbol": symbol, "confidence": 0.99, "prices": points}
    return answer_json({"coins": coins})


ENDPOINTS = (
    Endpoint(
        "defillama_coins",
        "chart",
        r"/chart/(?P<coins>.+)",
        answer_chart,
        Shape(
            rows=("coins", "*", "prices"),
            figures=(("price",),),
            stamps=((("timestamp",), "s"),),
        ),
        render_error,
        "/chart/coingecko:bitcoin,coingecko:ethereum?start={days_ago_seconds}&span=9&period=1d",
    ),
)
