"""Figures of the market as a whole: total cap, stablecoins, mood, altcoin season, VIX."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.sandbox.cast import Coin, Kind
from pipeline.sandbox.factors import Factors
from pipeline.sandbox.paths import CoinPaths
from pipeline.sandbox.randomness import Floats, Stream, draw_normal, draw_reverting

SEASON_COIN_COUNT = 50
SEASON_DAYS = 90
_VIX_MEMORY = 0.94


@dataclass(frozen=True)
class Aggregates:
    """One element per day, of its 24:00 UTC close; VIX levels of the session's close.

    ``total_market_cap_usd`` is without wrapped and staked copies. ``cmc_score`` is 0 to 100,
    known at the day's open. ``altcoin_season_score`` is 0 to 100; in the first 90 days it looks
    back as far as it can.
    """

    total_market_cap_usd: Floats
    btc_cap_usd: Floats
    eth_cap_usd: Floats
    total_volume_usd: Floats
    listed_count: Floats
    stablecoin_supply_usd: Floats
    cmc_score: Floats
    altcoin_season_score: Floats
    vix_open: Floats
    vix_high: Floats
    vix_low: Floats
    vix_close: Floats


def _altcoin_season(coins: list[Coin], paths: CoinPaths) -> Floats:
    """Return the share of the largest coins that beat Bitcoin over 90 days, in percent."""
    is_free = np.array([coin.kind is Kind.FREE for coin in coins])
    is_free[0] = False
    day_count = len(paths.price_usd)
    scores = np.full(day_count, 50.0)
    caps = np.where(paths.is_listed & is_free & ~np.isnan(paths.cap_usd), paths.cap_usd, -1.0)
    for day in range(1, day_count):
        before = max(day - SEASON_DAYS, 0)
        members = np.argsort(-caps[day], kind="stable")[:SEASON_COIN_COUNT]
        members = members[paths.is_listed[before, members]]
        growth = paths.price_usd[day] / paths.price_usd[before]
        scores[day] = round(100 * float((growth[members] > growth[0]).mean()))
    return scores


def _cmc_scores(seed: int, factors: Factors) -> Floats:
    """Return another mood index: slower and less extreme than alternative.me's."""
    noise = draw_normal(seed, Stream.CMC_SENTIMENT, [0], len(factors.sentiment))[:, 0]
    scores = np.zeros(len(noise))
    smooth = 50.0
    for day, score in enumerate(factors.sentiment):
        smooth += 0.3 * (float(score) - smooth)
        scores[day] = min(max(round(50 + 0.8 * (smooth - 50) + 2 * float(noise[day])), 0), 100)
    return scores


def _vix(seed: int, factors: Factors) -> tuple[Floats, Floats, Floats, Floats]:
    """Return open, high, low and close of each day; they change on sessions only."""
    day_count = len(factors.spx_points)
    own = 0.12 * draw_reverting(seed, Stream.VIX, [0], day_count, 0.9)[:, 0]
    close = np.zeros(day_count)
    variance, level, before = 0.0095**2, 18.0, float(factors.spx_points[0])
    for day in range(day_count):
        if factors.is_session[day]:
            points = float(factors.spx_points[day])
            move, before = math.log(points / before), points
            variance = _VIX_MEMORY * variance + (1 - _VIX_MEMORY) * move**2
            yearly = 100 * math.sqrt(252 * variance)
            level = min(max(yearly * 1.15 * math.exp(own[day]) - 120 * move, 9.0), 90.0)
        close[day] = round(level, 2)
    opening = np.append(close[:1], close[:-1])
    high = np.round(np.maximum(opening, close) * 1.03, 2)
    return opening, high, np.round(np.minimum(opening, close) * 0.97, 2), close


def simulate_aggregates(
    seed: int, coins: list[Coin], paths: CoinPaths, factors: Factors
) -> Aggregates:
    """Add the market up.

    Args:
        seed: Seed of the market.
        coins: The cast; Bitcoin is its first.
        paths: What the coins do.
        factors: What moves them all.

    Returns:
        Sums are of whole dollars, hence exact in any order.
    """
    is_copy = np.array([coin.kind is Kind.WRAPPED for coin in coins])
    is_stable = np.array([coin.kind is Kind.STABLE for coin in coins])
    caps = np.where(paths.is_listed & ~np.isnan(paths.cap_usd), np.round(paths.cap_usd), 0.0)
    volumes = np.where(paths.is_listed, np.round(paths.volume_24h_usd), 0.0)
    vix_open, vix_high, vix_low, vix_close = _vix(seed, factors)
    return Aggregates(
        total_market_cap_usd=caps[:, ~is_copy].sum(axis=1),
        btc_cap_usd=caps[:, 0],
        eth_cap_usd=caps[:, 1],
        total_volume_usd=volumes[:, ~is_copy].sum(axis=1),
        listed_count=paths.is_listed.sum(axis=1).astype(np.float64),
        stablecoin_supply_usd=caps[:, is_stable].sum(axis=1),
        cmc_score=_cmc_scores(seed, factors),
        altcoin_season_score=_altcoin_season(coins, paths),
        vix_open=vix_open,
        vix_high=vix_high,
        vix_low=vix_low,
        vix_close=vix_close,
    )
