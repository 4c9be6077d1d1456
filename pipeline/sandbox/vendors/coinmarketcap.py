"""CoinMarketCap's keyless API: listings, totals, fear and greed, altcoin season."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.market import classify_sentiment
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    as_count,
    iso,
    render_json,
    seconds_of,
)

_KNOWN_IDS = {"bitcoin": 1, "ethereum": 1027, "tether": 825, "usd-coin": 3408}
_MOST_LISTINGS = 5000
_MOST_SCORES = 500
_USD_ID = 2781


def _status(world: World, code: int | str = 0, message: str | None = None) -> dict[str, Any]:
    # The vendor writes the code of a success as a number here and as text there.
    return {
        "timestamp": iso(world.now),
        "error_code": code,
        "error_message": message,
        "elapsed": 12,
        "credit_count": 1,
    }


def render_error(status: int) -> tuple[str, bytes]:
    """Render the envelope of an error."""
    code = {401: 1002, 402: 1003, 403: 1006, 429: 1008}.get(status, status)
    message = {
        429: "You've exceeded your API Key's HTTP request rate limit.",
        402: "Your API Key must have an active subscription plan.",
    }.get(status, "The sandbox was asked to fail.")
    return JSON_TYPE, render_json(
        {"status": {"error_code": code, "error_message": message, "elapsed": 0, "credit_count": 0}}
    )


def _bad(world: World, message: str) -> Response:
    return answer_json({"status": _status(world, 400, message)}, 400)


def _page(request: Request, default: int, most: int) -> tuple[int, int] | None:
    """Return the first row, from 1, and how many; None where the vendor would complain."""
    start = as_count(request.parameters.get("start"), 1)
    limit = as_count(request.parameters.get("limit"), default, most)
    return None if not start or not limit else (start, limit)


def _listing(coin: Mapping[str, Any], rank: int | None, world: World) -> dict[str, Any]:
    coin_id, price, cap = coin["coin_id"], coin["price_usd"], coin["market_cap_usd"]
    supply, ceiling = coin["circulating_supply"], coin["max_supply"]
    before = coin["previous_price_usd"]
    stamp = iso(world.now - timedelta(seconds=45 + zlib.crc32(coin_id.encode()) % 60))
    quote = {
        "id": _USD_ID,
        "symbol": "USD",
        "price": price,
        "volume_24h": coin["volume_24h_usd"],
        "percent_change_24h": None if math.isnan(before) else round((price / before - 1) * 100, 8),
        "market_cap": 0 if math.isnan(cap) else cap,
        "market_cap_dominance": None,
        "fully_diluted_market_cap": None if math.isnan(ceiling) else round(price * ceiling, 2),
        "last_updated": stamp,
    }
    return {
        "id": _KNOWN_IDS.get(coin_id, 40_000 + coin["coin_number"]),
        "name": coin["name"],
        "symbol": coin["symbol"].upper(),
        "slug": coin_id,
        "num_market_pairs": 20,
        "date_added": iso(world.now - timedelta(days=900)),
        "tags": [],
        "max_supply": None if math.isnan(ceiling) else ceiling,
        "circulating_supply": 0 if math.isnan(supply) else supply,
        "total_supply": 0 if math.isnan(supply) else supply,
        "infinite_supply": math.isnan(ceiling),
        "platform": None,
        "cmc_rank": rank,
        "self_reported_circulating_supply": None,
        "self_reported_market_cap": None,
        "last_updated": stamp,
        "quote": [quote],
    }


def answer_listings(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/v3/cryptocurrency/listings/latest``, largest cap first, copies included."""
    page = _page(request, 100, _MOST_LISTINGS)
    if page is None:
        return _bad(world, '"start" and "limit" must be whole numbers, "limit" at most 5000')
    if request.parameters.get("convert", "USD") != "USD":
        return _bad(world, 'Invalid value for "convert"')
    start, limit = page
    coins = world.market.vendor_snapshot(world.last_close).iloc[start - 1 : start - 1 + limit]
    listings = [
        _listing(
            {str(key): value for key, value in coin.items()},
            None if math.isnan(coin["market_cap_usd"]) else start + place,
            world,
        )
        for place, coin in enumerate(coins.to_dict(orient="records"))
    ]
    return answer_json({"status": _status(world, "0", ""), "data": listings})


def answer_global(world: World, _: Request, __: Mapping[str, str]) -> Response:
    """Answer ``/v1/global-metrics/quotes/latest``; shares in percent."""
    index, totals = world.last_index, world.market.aggregates
    cap = float(totals.total_market_cap_usd[index])
    btc, eth = float(totals.btc_cap_usd[index]), float(totals.eth_cap_usd[index])
    stamp = iso(world.now - timedelta(seconds=70))
    data = {
        "active_cryptocurrencies": int(totals.listed_count[index]),
        "total_cryptocurrencies": 37_000,
        "active_market_pairs": 110_000,
        "active_exchanges": 900,
        "eth_dominance": 100 * eth / cap,
        "btc_dominance": 100 * btc / cap,
        "stablecoin_market_cap": float(totals.stablecoin_supply_usd[index]),
        "quote": {
            "USD": {
                "total_market_cap": cap,
                "total_volume_24h": float(totals.total_volume_usd[index]),
                "altcoin_market_cap": cap - btc,
                "last_updated": stamp,
            }
        },
        "last_updated": stamp,
    }
    return answer_json({"status": _status(world), "data": data})


def answer_scores(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/v3/fear-and-greed/historical``, newest day first, today included."""
    page = _page(request, 50, _MOST_SCORES)
    if page is None:
        return _bad(world, '"limit" must be less than or equal to 500')
    start, limit = page
    scores, newest = world.market_today.aggregates.cmc_score, (world.today - world.first_day).days
    rows = [
        {
            "timestamp": str(seconds_of(world.day(index))),
            "value": int(scores[index]),
            "value_classification": classify_sentiment(float(scores[index])),
        }
        for index in range(newest - start + 1, max(newest - start + 1 - limit, -1), -1)
    ]
    return answer_json({"status": _status(world, "0", ""), "data": rows})


def answer_season(world: World, _: Request, __: Mapping[str, str]) -> Response:
    """Answer ``/v1/altcoin-season-index/latest``."""
    index, totals = world.last_index, world.market.aggregates
    data = {
        "altcoin_index": int(totals.altcoin_season_score[index]),
        "altcoin_marketcap": float(totals.total_market_cap_usd[index] - totals.btc_cap_usd[index]),
        "snapshot_time": iso(world.now - timedelta(seconds=100)),
    }
    return answer_json({"status": _status(world, "0", ""), "data": data})


ENDPOINTS = (
    Endpoint(
        "coinmarketcap",
        "listings/latest",
        r"/public-api/v3/cryptocurrency/listings/latest",
        answer_listings,
        Shape(
            rows=("data",),
            figures=(("quote", 0, "market_cap"), ("quote", 0, "price")),
            stamps=((("last_updated",), "iso"), (("quote", 0, "last_updated"), "iso")),
            key=("slug",),
            newest="all",
        ),
        render_error,
        "/public-api/v3/cryptocurrency/listings/latest?start=1&limit=300&convert=USD",
        page_parameter=("start", "1"),
    ),
    Endpoint(
        "coinmarketcap",
        "global-metrics",
        r"/public-api/v1/global-metrics/quotes/latest",
        answer_global,
        Shape(
            rows=("data",),
            is_object=True,
            figures=(("quote", "USD", "total_market_cap"), ("quote", "USD", "total_volume_24h")),
            stamps=((("last_updated",), "iso"),),
        ),
        render_error,
        "/public-api/v1/global-metrics/quotes/latest?convert=USD",
    ),
    Endpoint(
        "coinmarketcap",
        "fear-and-greed",
        r"/public-api/v3/fear-and-greed/historical",
        answer_scores,
        Shape(
            rows=("data",),
            figures=(("value",),),
            stamps=((("timestamp",), "s"),),
            newest="first",
        ),
        render_error,
        "/public-api/v3/fear-and-greed/historical?start=1&limit=50",
        page_parameter=("start", "1"),
    ),
    Endpoint(
        "coinmarketcap",
        "altcoin-season-index",
        r"/public-api/v1/altcoin-season-index/latest",
        answer_season,
        Shape(
            rows=("data",),
            is_object=True,
            figures=(("altcoin_index",),),
            stamps=((("snapshot_time",), "iso"),),
        ),
        render_error,
        "/public-api/v1/altcoin-season-index/latest",
    ),
)
