"""CoinGecko: the largest coins, the whole market, Binance's perpetuals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    as_count,
    render_json,
)
from pipeline.sandbox.perps import Perp
from pipeline.sandbox.vendors.coingecko_markets import render_markets

_EXCHANGE = "binance_futures"
_MAIN_CURRENCIES = {"usd": 1.0, "eur": 0.92}
# Perpetuals of no coin, as Binance has on stocks and on baskets.
COINLESS = (("TSLA", "TSLAUSDT", 260.0), ("BTCDOM", "BTCDOMUSDT", 4100.0))
COINLESS_INTEREST_USD, COINLESS_VOLUME_USD = 2.5e6, 4.0e6
NEW_DAYS = 7
"""Days after its listing in which the vendor does not know a perpetual's coin."""


def render_text_error(message: str) -> bytes:
    """Render the error body of a bad request."""
    return render_json({"error": message})


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status; refusals at the gate are web pages."""
    if status == 403:
        return "text/html; charset=utf-8", b"<html><body>error code: 1020</body></html>"
    message = {
        404: "coin not found",
        429: (
            "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing "
            "to subscribe to our API plans for higher rate limits."
        ),
    }.get(status, "The sandbox was asked to fail.")
    body = {"status": {"error_code": status, "error_message": message}}
    return JSON_TYPE, json.dumps(body).encode()


def _bad(status: int, message: str) -> Response:
    return Response(status, JSON_TYPE, render_text_error(message))


def answer_markets(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/coins/markets`` with the close of the last complete day."""
    parameters = request.parameters
    if "vs_currency" not in parameters:
        return _bad(422, "Missing parameter vs_currency")
    if parameters["vs_currency"].lower() != "usd":
        return _bad(400, "invalid vs_currency")
    precision = parameters.get("precision")
    if precision is not None and precision != "full" and as_count(precision, 0, 18) is None:
        return _bad(400, "invalid precision")
    body = render_markets(
        world.market.vendor_snapshot(world.last_close),
        world.now,
        page=as_count(parameters.get("page"), 1) or 1,
        per_page=as_count(parameters.get("per_page"), 100) or 100,
        order=parameters.get("order", "market_cap_desc"),
        ids=frozenset(part for part in parameters.get("ids", "").split(",") if part),
        include_rehypothecated=parameters.get("include_rehypothecated") == "true",
        precision=precision,
    )
    return Response(200, JSON_TYPE, body, {"Cache-Control": "max-age=30, public"})


def answer_global(world: World, _: Request, __: Mapping[str, str]) -> Response:
    """Answer ``/global``: totals without wrapped and staked copies, shares in percent."""
    index, totals = world.last_index, world.market.aggregates
    before = max(index - 1, 0)
    cap, volume = totals.total_market_cap_usd, totals.total_volume_usd
    data = {
        "active_cryptocurrencies": int(totals.listed_count[index]),
        "upcoming_icos": 0,
        "ongoing_icos": 0,
        "ended_icos": 3376,
        "markets": 1476,
        "total_market_cap": {c: cap[index] * rate for c, rate in _MAIN_CURRENCIES.items()},
        "total_volume": {c: volume[index] * rate for c, rate in _MAIN_CURRENCIES.items()},
        "market_cap_percentage": {
            "btc": 100 * totals.btc_cap_usd[index] / cap[index],
            "eth": 100 * totals.eth_cap_usd[index] / cap[index],
        },
        "market_cap_change_percentage_24h_usd": 100 * (cap[index] / cap[before] - 1),
        "volume_change_percentage_24h_usd": 100 * (volume[index] / volume[before] - 1),
        "updated_at": int((world.now - timedelta(seconds=90)).timestamp()),
    }
    return answer_json({"data": data})


def _ticker(world: World, column: int, perp: Perp, index: int) -> dict[str, Any]:
    market = world.market
    figures = market.derivatives
    spot = float(market.paths.price_usd[index, perp.coin_number]) * perp.multiplier
    last = float(figures.close_usd[index, column])
    volume = float(figures.volume_usd[index, column])
    is_new = index - perp.onboard_index < NEW_DAYS and perp.onboard_index > 0
    return {
        "symbol": perp.symbol,
        "base": perp.base_asset,
        "target": perp.quote_asset,
        "coin_id": None if is_new else perp.coin_id,
        "target_coin_id": "tether" if perp.quote_asset == "USDT" else "usd-coin",
        "trade_url": f"https://sandbox.invalid/futures/{perp.symbol}",
        "contract_type": "perpetual",
        "last": last,
        "h24_percentage_change": 0.0,
        "index": spot,
        "index_basis_percentage": round((last / spot - 1) * 100, 3),
        "bid_ask_spread": 0.0001,
        "funding_rate": round(float(figures.funding_event_fraction[index, column]) * 100, 6),
        "open_interest_usd": float(figures.open_interest_usd[index, column]),
        "h24_volume": round(volume / last, 3),
        "converted_volume": {"btc": "0.0", "eth": "0.0", "usd": f"{volume:.2f}"},
        "converted_last": {"btc": "0.0", "eth": "0.0", "usd": repr(last)},
        "last_traded": int((world.now - timedelta(seconds=30 + column % 200)).timestamp()),
        "expired_at": None,
    }


def _other_tickers(world: World, tickers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the quarterly future of Bitcoin and the perpetuals of no coin."""
    stamp = int(world.now.timestamp())
    bitcoin = next(ticker for ticker in tickers if ticker["base"] == "BTC")
    quarterly = bitcoin | {
        "symbol": f"BTCUSDT_{world.today + timedelta(days=60):%y%m%d}",
        "contract_type": "futures",
        "funding_rate": 0.0,
        "expired_at": stamp + 60 * 86_400,
    }
    coinless = [
        bitcoin
        | {
            "symbol": symbol,
            "base": base,
            "coin_id": None,
            "last": price,
            "index": price,
            "index_basis_percentage": 0.0,
            "open_interest_usd": COINLESS_INTEREST_USD,
            "h24_volume": round(COINLESS_VOLUME_USD / price, 3),
            "converted_volume": {"btc": "0.0", "eth": "0.0", "usd": f"{COINLESS_VOLUME_USD:.2f}"},
        }
        for base, symbol, price in COINLESS
    ]
    return [quarterly, *coinless]


def answer_derivatives(world: World, request: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``/derivatives/exchanges/binance_futures``; tickers only when asked for."""
    if groups["exchange"] != _EXCHANGE:
        return answer_json({"error": "exchange not found"}, 404)
    index, figures = world.last_index, world.market.derivatives
    listed = [n for n, perp in enumerate(figures.perps) if perp.is_listed(index)]
    interest = math.fsum(float(figures.open_interest_usd[index, n]) for n in listed)
    volume = math.fsum(float(figures.volume_usd[index, n]) for n in listed)
    price = float(world.market.paths.price_usd[index, 0])
    body: dict[str, Any] = {
        "name": "Binance (Futures)",
        "open_interest_btc": round(interest / price, 2),
        "trade_volume_24h_btc": f"{volume / price:.2f}",
        "number_of_perpetual_pairs": len(listed) + len(COINLESS),
        "number_of_futures_pairs": 1,
        "year_established": 2019,
        "country": None,
        "description": "",
    }
    if request.parameters.get("include_tickers") in ("unexpired", "all"):
        tickers = [_ticker(world, n, figures.perps[n], index) for n in listed]
        body["tickers"] = [*tickers, *_other_tickers(world, tickers)]
    return answer_json(body)


ENDPOINTS = (
    Endpoint(
        "coingecko",
        "coins/markets",
        r"/api/v3/coins/markets",
        answer_markets,
        Shape(
            figures=(("market_cap",), ("current_price",)),
            stamps=((("last_updated",), "iso"),),
            key=("id",),
            newest="all",
        ),
        render_error,
        "/api/v3/coins/markets?vs_currency=usd&per_page=250&page=1",
        page_parameter=("page", "1"),
    ),
    Endpoint(
        "coingecko",
        "global",
        r"/api/v3/global",
        answer_global,
        Shape(
            rows=("data",),
            is_object=True,
            figures=(("total_market_cap", "usd"), ("total_volume", "usd")),
            stamps=((("updated_at",), "s"),),
        ),
        render_error,
        "/api/v3/global",
    ),
    Endpoint(
        "coingecko",
        "derivatives/exchanges",
        r"/api/v3/derivatives/exchanges/(?P<exchange>[a-z_]+)",
        answer_derivatives,
        Shape(
            rows=("tickers",),
            figures=(("open_interest_usd",), ("last",)),
            stamps=((("last_traded",), "s"),),
            key=("symbol",),
            newest="all",
        ),
        render_error,
        "/api/v3/derivatives/exchanges/binance_futures?include_tickers=unexpired",
    ),
)
