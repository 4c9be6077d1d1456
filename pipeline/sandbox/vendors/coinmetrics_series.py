"""Coin Metrics' series, for its API and its archive alike."""

from __future__ import annotations

import numpy as np

from pipeline.sandbox.flows import ONCHAIN_COIN_IDS
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.randomness import Floats

PRICE_METRICS = ("CapMrktEstUSD", "ReferenceRateUSD", "volume_reported_spot_usd_1d")
CHAIN_METRICS = ("AdrActCnt", "CapMrktCurUSD", "PriceUSD", "SplyCur")
EXCHANGE_METRICS = (
    "CapMVRVCur",
    "FlowInExNtv",
    "FlowInExUSD",
    "FlowOutExNtv",
    "FlowOutExUSD",
    "SplyExNtv",
    "SplyExUSD",
)
COMMUNITY_METRICS = frozenset({*PRICE_METRICS, *CHAIN_METRICS, *EXCHANGE_METRICS})
PAID_METRICS = frozenset({"NVTAdj", "SplyFF", "CapMrktFFUSD", "SOPR"})
# Stamped with the start of the day, so that there is one of the running day.
RATE_METRICS = frozenset({"ReferenceRateUSD"})

_COVERED_CHAINS = 60


def asset_numbers(market: SimulatedMarket) -> dict[str, int]:
    """Return the coin's column by the vendor's name of it: ticker, with the id if not unique."""
    numbers: dict[str, int] = {}
    for number, coin in enumerate(market.coins):
        word = coin.coin_id.removeprefix("sim-")
        name = coin.symbol if coin.symbol not in numbers else f"{coin.symbol}_{word}"
        numbers[name] = number
    return numbers


def metrics_of(market: SimulatedMarket, number: int) -> tuple[str, ...]:
    """Return the metrics that the vendor has of a coin."""
    names = list(PRICE_METRICS)
    if number < _COVERED_CHAINS and market.coins[number].is_supply_known:
        names += CHAIN_METRICS
    if market.coins[number].coin_id in ONCHAIN_COIN_IDS:
        names += EXCHANGE_METRICS
    return tuple(sorted(names))


def series(market: SimulatedMarket, number: int, metric: str) -> Floats:
    """Return a metric by day since the market's first; NaN where there is none."""
    paths, coin = market.paths, market.coins[number]
    price = np.where(paths.is_listed[:, number], paths.price_usd[:, number], np.nan)
    if metric == "PriceUSD":
        return price
    if metric == "ReferenceRateUSD":
        return np.concatenate([[np.nan], price[:-1]])
    if metric in ("CapMrktCurUSD", "CapMrktEstUSD"):
        return np.where(np.isnan(price), np.nan, paths.cap_usd[:, number])
    if metric == "SplyCur":
        return np.where(np.isnan(price), np.nan, paths.supply[:, number])
    if metric == "volume_reported_spot_usd_1d":
        return np.where(np.isnan(price), np.nan, paths.volume_24h_usd[:, number])
    if metric == "AdrActCnt":
        # Busier when more is traded.
        return np.where(np.isnan(price), np.nan, np.round(paths.volume_24h_usd[:, number] / 40_000))
    chain = market.flows.onchain[coin.coin_id]
    units = {
        "FlowInEx": chain.inflow_units,
        "FlowOutEx": chain.outflow_units,
        "SplyEx": chain.exchange_supply_units,
    }
    for prefix, values in units.items():
        if metric == f"{prefix}Ntv":
            return values
        if metric == f"{prefix}USD":
            return np.round(values * price, 2)
    return chain.mvrv
