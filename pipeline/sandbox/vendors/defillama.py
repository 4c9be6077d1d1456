"""DefiLlama: what exchanges hold, by token, and what flowed in."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.flows import OWN_TOKEN
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.messages import JSON_TYPE, Request, Response, World, answer_json, render_json

# Name, slug (none without published wallets), CoinGecko's id, size and flow beside Binance.
_EXCHANGES = (
    ("Binance", "binance-cex", "binance", 1.0, 1.0),
    ("OKX", "okx", "okex", 0.17, 0.2),
    ("Bybit", "bybit", "bybit_spot", 0.13, -0.1),
    ("Bitfinex", "bitfinex", "bitfinex", 0.12, 0.05),
    ("Robinhood", "robinhood", "robinhood", 0.11, 0.3),
    ("Bitget", "bitget", "bitget", 0.04, 0.1),
    ("Gate", "gate-io", "gate", 0.04, -0.05),
    ("HTX", "htx", "huobi", 0.03, -0.02),
    ("KuCoin", "kucoin", "kucoin", 0.02, 0.02),
    ("MEXC", "mexc", "mxc", 0.02, 0.1),
    ("Crypto.com", "crypto-com", "crypto_com", 0.02, 0.01),
    ("Coinbase", None, "gdax", None, None),
)


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    message = {404: "Not Found", 429: "Too many requests"}.get(status, "Internal Server Error")
    return JSON_TYPE, render_json({"message": message})


def _point(stamp: int, values: dict[str, float]) -> dict[str, Any]:
    return {"date": stamp, "tokens": values}


def _chain_points(
    world: World, held: list[tuple[int, int]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a chain's total, units and US dollars, the running point last.

    A day's close carries the stamp 00:00 of the next day. ``held`` are the columns of the
    tokens, and which of a token's chains this one is.
    """
    flows, last = world.market.flows, world.last_index
    units = np.column_stack([flows.chain_units(*token)[: last + 1] for token in held])
    usd = np.column_stack([flows.chain_usd(*token)[: last + 1] for token in held])
    symbols = [flows.tokens[column].symbol for column, _ in held]
    stamps = [world.midnight(index + 1) for index in range(last + 1)]
    stamps.append(max(int(world.now.timestamp()) - 600, stamps[-1] + 1))
    series: list[list[dict[str, Any]]] = []
    for values in (units, usd):
        rows = values.tolist()
        series.append(
            [
                _point(
                    stamp,
                    {s: v for s, v in zip(symbols, row, strict=True) if not math.isnan(v)},
                )
                for stamp, row in zip(stamps, [*rows, rows[-1]], strict=True)
            ]
        )
    totals = np.nansum(usd, axis=1).tolist()
    total = [
        {"date": stamp, "totalLiquidityUSD": round(value, 2)}
        for stamp, value in zip(stamps, [*totals, totals[-1]], strict=True)
    ]
    return total, series[0], series[1]


def answer_protocol(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``/protocol/binance-cex``: balances of every day, by chain and token."""
    if groups["slug"] != "binance-cex":
        return answer_json({"message": "Protocol is not in our database"}, 400)
    by_chain: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for column, token in enumerate(world.market.flows.tokens):
        for place, chain in enumerate(token.chains):
            by_chain[chain].append((column, place))
    chains: dict[str, Any] = {}
    for chain, held in sorted(by_chain.items()):
        total, units, usd = _chain_points(world, held)
        chains[chain] = {"tvl": total, "tokensInUsd": usd, "tokens": units}
    return answer_json(
        {
            "id": "2269",
            "name": "Binance CEX",
            "url": "https://sandbox.invalid",
            "category": "CEX",
            "chains": list(chains),
            "currentChainTvls": {
                chain: parts["tvl"][-1]["totalLiquidityUSD"] for chain, parts in chains.items()
            },
            "chainTvls": chains,
        }
    )


def _flow(market: SimulatedMarket, index: int, days: int) -> float:
    """Return the US dollars that came to the exchange in some days, without its own token."""
    flows = market.flows
    change = flows.balance_units[index] - flows.balance_units[max(index - days, 0)]
    is_own = np.array([token.symbol == OWN_TOKEN for token in flows.tokens])
    return float(np.nansum(np.where(is_own, 0.0, change * flows.price_usd[index])))


def list_exchanges(market: SimulatedMarket, index: int) -> list[dict[str, Any]]:
    """Return every exchange on a day; what is not known of it is not there."""
    flows = market.flows
    held = np.nan_to_num(flows.balance_usd[index])
    is_own = np.array([token.symbol == OWN_TOKEN for token in flows.tokens])
    total, clean = float(held.sum()), float(held[~is_own].sum())
    inflows = {
        name: _flow(market, index, days)
        for name, days in (("inflows_24h", 1), ("inflows_1w", 7), ("inflows_1m", 30))
    }
    volume = float(market.aggregates.total_volume_usd[index])
    exchanges = []
    for name, slug, gecko_id, size, flow in _EXCHANGES:
        entry: dict[str, Any] = {"name": name, "cgId": gecko_id, "tvl": 0}
        if slug is not None and size is not None and flow is not None:
            entry |= {
                "slug": slug,
                "currentTvl": round(total * size, 2),
                "cleanAssetsTvl": round(clean * size, 2),
                **{key: round(value * flow, 2) for key, value in inflows.items()},
                "oi": round(total * size * 0.2, 2),
                "leverage": 0.2,
            }
        entry["spotVolume"] = round(volume * 0.2 * (size or 0.1), 2)
        exchanges.append(entry)
    return exchanges


def answer_exchanges(world: World, _: Request, __: Mapping[str, str]) -> Response:
    """Answer ``/cexs``: net inflows of every exchange, those without wallets unknown."""
    return answer_json({"cexs": list_exchanges(world.market, world.last_index)})


ENDPOINTS = (
    Endpoint(
        "defillama",
        "protocol",
        r"/protocol/(?P<slug>[a-z0-9-]+)",
        answer_protocol,
        Shape(
            rows=("chainTvls", "*", "tokens"),
            figures=(("tokens", "*"),),
            stamps=((("date",), "s"),),
        ),
        render_error,
        "/protocol/binance-cex",
    ),
    Endpoint(
        "defillama",
        "cexs",
        r"/cexs",
        answer_exchanges,
        Shape(
            rows=("cexs",),
            figures=(("currentTvl",), ("inflows_24h",)),
            key=("name",),
            newest="all",
        ),
        render_error,
        "/cexs",
    ),
)
