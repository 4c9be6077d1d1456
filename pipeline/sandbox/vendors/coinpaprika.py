"""CoinPaprika: every coin in one list."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    iso,
    render_json,
)

_NO_LETTERS = re.compile(r"[^a-z0-9]+")


def paprika_id(symbol: str, name: str) -> str:
    """Return the vendor's id of a coin: ticker and name."""
    return f"{symbol.lower()}-{_NO_LETTERS.sub('-', name.lower()).strip('-')}"


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    message = {
        402: "payment required: monthly quota exceeded",
        403: "invalid api key",
        404: "id not found",
        429: "too many requests",
    }.get(status, "the sandbox was asked to fail")
    return JSON_TYPE, render_json({"error": message})


def _ticker(coin: Mapping[str, Any], world: World) -> dict[str, Any]:
    price, cap, before = coin["price_usd"], coin["market_cap_usd"], coin["previous_price_usd"]
    age = 120 + zlib.crc32(coin["coin_id"].encode()) % 300
    ceiling, supply = coin["max_supply"], coin["circulating_supply"]
    rank = coin["rank_with_copies"]
    return {
        "id": paprika_id(coin["symbol"], coin["name"]),
        "name": coin["name"],
        "symbol": coin["symbol"].upper(),
        "rank": 0 if pd.isna(rank) else int(rank),
        "total_supply": 0 if math.isnan(supply) else int(supply),
        "max_supply": 0 if math.isnan(ceiling) else int(ceiling),
        "beta_value": 1.0,
        "first_data_at": "2010-07-17T00:00:00Z",
        "last_updated": iso(world.now - timedelta(seconds=age), "seconds"),
        "quotes": {
            "USD": {
                "price": price,
                "volume_24h": coin["volume_24h_usd"],
                "volume_24h_change_24h": 0,
                "market_cap": 0 if math.isnan(cap) else int(cap),
                "market_cap_change_24h": 0,
                "percent_change_24h": 0
                if math.isnan(before)
                else round((price / before - 1) * 100, 2),
                "ath_price": coin["high_price_usd"],
                "ath_date": f"{coin['high_date']}T12:00:00Z",
                "percent_from_price_ath": round((price / coin["high_price_usd"] - 1) * 100, 2),
            }
        },
    }


def answer_tickers(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/tickers``, by rank; the unranked, with rank 0, at the end."""
    if request.parameters.get("quotes", "USD") != "USD":
        return answer_json({"error": "invalid quotes"}, 400)
    coins = world.market.vendor_snapshot(world.last_close).to_dict(orient="records")
    return answer_json(
        [_ticker({str(key): value for key, value in coin.items()}, world) for coin in coins]
    )


ENDPOINTS = (
    Endpoint(
        "coinpaprika",
        "tickers",
        r"/v1/tickers",
        answer_tickers,
        Shape(
            figures=(("quotes", "USD", "market_cap"), ("quotes", "USD", "price")),
            stamps=((("last_updated",), "iso"),),
            key=("id",),
            newest="all",
        ),
        render_error,
        "/v1/tickers?quotes=USD",
    ),
)
