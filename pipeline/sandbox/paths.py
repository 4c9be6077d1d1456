"""What every coin does: price, supply and volume paths."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pipeline.sandbox.cast import Coin, Kind
from pipeline.sandbox.factors import Factors
from pipeline.sandbox.randomness import (
    Flags,
    Floats,
    Stream,
    draw_fat_tailed,
    draw_normal,
    open_stream,
)

_LOG_LARGE_CAP = math.log(20e9)
_LOG_SMALL_CAP = math.log(300e6)
_POWERS_OF_TEN = np.array([float(f"1e{power}") for power in range(31)])
_IDIOSYNCRATIC_VOL = {"bitcoin": 0.004, "ethereum": 0.010}


@dataclass(frozen=True)
class CoinPaths:
    """Paths of the whole cast: one row per day since the epoch, one column per coin.

    Off its listing days a coin's figures mean nothing; ``is_listed`` tells. A cap and a
    supply are NaN where the supply is unknown.
    """

    is_listed: Flags
    price_usd: Floats
    supply: Floats
    cap_usd: Floats
    volume_24h_usd: Floats


def round_significant(values: Floats, digits: int) -> Floats:
    """Round positive values to that many significant digits, with at least whole units."""
    magnitude = np.floor(np.log10(np.maximum(values, 1e-20))).astype(np.int64)
    scale = _POWERS_OF_TEN[np.clip(digits - 1 - magnitude, 0, 30)]
    rounded: Floats = np.round(values * scale) / scale
    return rounded


def _log_supplies(seed: int, coins: list[Coin], numbers: list[int], day_count: int) -> Floats:
    """Return log supply: slow growth, and for some coins an unlock of 3 to 15 % now and then."""
    growth = np.array([coin.supply_growth for coin in coins]) / 365
    steps = np.repeat(growth[np.newaxis, :], day_count, axis=0)
    steps[0] = [math.log(coin.initial_supply) for coin in coins]
    for column, (coin, number) in enumerate(zip(coins, numbers, strict=True)):
        if coin.is_jumpy_supply:
            random = open_stream(seed, Stream.SUPPLY, number)
            day = coin.listing_index
            while (day := day + 30 + int(random.exponential(700))) < day_count:
                steps[day, column] += random.uniform(0.03, 0.15)
    return np.cumsum(steps, axis=0)


def _free_log_prices(
    seed: int, coins: list[Coin], numbers: list[int], factors: Factors, crash_index: int
) -> tuple[Floats, Floats]:
    """Return log price and log supply of the coins that have a market of their own.

    The log return of a day is beta x market + smallness x size factor + own noise. Both
    the loading on the size factor and the own noise grow as the coin's cap, measured
    against the market's level, falls from 20 billion to 300 million dollars. Own noise
    reverts slowly to the coin's anchor, so that no seed runs away.
    """
    day_count = len(factors.market_return)
    noise = draw_fat_tailed(seed, Stream.RETURNS, numbers, day_count)
    np.clip(noise, -6.0, 6.0, out=noise)
    log_supply = _log_supplies(seed, coins, numbers, day_count)
    beta = np.array([coin.beta for coin in coins])
    anchor = np.array([coin.anchor for coin in coins])
    listing = np.array([coin.listing_index for coin in coins])
    start = np.array([math.log(coin.initial_price_usd) for coin in coins])
    own_vol = np.array([_IDIOSYNCRATIC_VOL.get(coin.coin_id, math.nan) for coin in coins])
    is_leader = ~np.isnan(own_vol)
    pull = np.where(listing > 0, 1 / 150, 1 / 250)
    forced: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for column, coin in enumerate(coins):
        for offset, log_return in enumerate(coin.death_steps):
            forced[coin.death_index + offset].append((column, log_return))

    prices = np.empty((day_count, len(coins)))
    price, own = start.copy(), np.zeros(len(coins))
    prices[0] = price
    for day in range(1, day_count):
        level = float(factors.market_level[day - 1])
        smallness = (_LOG_LARGE_CAP + level - price - log_supply[day - 1]) / (
            _LOG_LARGE_CAP - _LOG_SMALL_CAP
        )
        smallness = np.where(is_leader, 0.0, np.clip(smallness, 0.0, 1.0))
        vol = np.where(is_leader, own_vol, 0.009 + 0.032 * smallness)
        own_step = vol * noise[day] + pull * (anchor - own)
        step = beta * factors.market_return[day] + smallness * factors.size_return[day] + own_step
        if day == crash_index:
            surprise = np.clip(noise[day], -1.2, 1.2)
            step = -(0.145 + 0.21 * smallness) + (0.01 + 0.03 * smallness) * surprise
        else:
            for column, log_return in forced.get(day, ()):
                step[column] = log_return
        is_trading = listing < day
        own = np.where(is_trading, own + own_step, 0.0)
        price = np.where(is_trading, price + step, start + level)
        prices[day] = price
    return prices, log_supply


def _walk(seed: int, number: int, day_count: int, step_vol: float) -> Floats:
    return np.cumsum(
        draw_normal(seed, Stream.RETURNS, [number], day_count)[:, 0] * step_vol, dtype=np.float64
    )


def _pegged_path(
    seed: int, coin: Coin, number: int, day_count: int, parent_price: Floats | None
) -> tuple[Floats, Floats]:
    """Return price and supply of a coin that follows something else."""
    noise = draw_normal(seed, Stream.VOLUME, [10_000 + number], day_count)[:, 0]
    days = np.arange(day_count, dtype=np.float64)
    wobble = np.exp(_walk(seed, number, day_count, 0.0015))
    if parent_price is not None:
        accrual = coin.initial_price_usd / float(parent_price[0])
        if coin.coin_id == "wrapped-steth":
            accrual_path = accrual * np.exp(days * (0.033 / 365))
        else:
            accrual_path = np.full(day_count, accrual)
        growth = 0.0 if coin.coin_id == "wrapped-bitcoin" else 5.0
        supply = coin.initial_supply * (1 + growth * days / (days + 1100)) * wobble
        return parent_price * accrual_path * (1 + 0.0004 * np.clip(noise, -3, 3)), supply
    if coin.kind is Kind.GOLD:
        metal = np.exp(days * 0.0003 + _walk(seed, number, day_count, 0.008))
        return coin.initial_price_usd * metal, coin.initial_supply * (1 + days / 2000)
    tightness = 0.002 if coin.kind is Kind.CREDIT else 0.0004
    growth_path = 1 + 2.0 * days / (days + 1800)
    return 1.0 + tightness * np.clip(noise, -4, 4), coin.initial_supply * growth_path * wobble


def _volumes(
    seed: int, coins: list[Coin], price: Floats, cap: Floats, log_return: Floats
) -> Floats:
    noise = draw_normal(seed, Stream.VOLUME, list(range(len(coins))), len(cap))
    turnover = np.array([coin.turnover_fraction for coin in coins])
    volume = cap * turnover * np.exp(0.3 * noise) * (1 + 6 * np.minimum(np.abs(log_return), 1.0))
    rounded: Floats = np.where(price > 1, np.round(volume), np.round(volume, 2))
    return rounded


def simulate_coins(seed: int, coins: list[Coin], factors: Factors, crash_index: int) -> CoinPaths:
    """Simulate every coin of the cast.

    Args:
        seed: Seed of the market.
        coins: The cast; a coin's place in it numbers its random streams.
        factors: Common factor paths.
        crash_index: Day of the market-wide crash, in days since the epoch.

    Returns:
        Prices with 8 significant digits, supplies in whole coins, caps in whole
        dollars, volumes in dollars or cents.
    """
    day_count = len(factors.market_return)
    free = [number for number, coin in enumerate(coins) if coin.kind is Kind.FREE]
    log_price, log_supply = _free_log_prices(
        seed, [coins[number] for number in free], free, factors, crash_index
    )
    price, supply = np.empty((day_count, len(coins))), np.empty((day_count, len(coins)))
    price[:, free], supply[:, free] = np.exp(log_price), np.exp(log_supply)
    place = {coin.coin_id: number for number, coin in enumerate(coins)}
    for number, coin in enumerate(coins):
        if coin.kind is not Kind.FREE:
            parent = None if coin.parent_id is None else price[:, place[coin.parent_id]]
            price[:, number], supply[:, number] = _pegged_path(
                seed, coin, number, day_count, parent
            )
    ceiling = np.array([math.inf if c.max_supply is None else c.max_supply for c in coins])
    price = round_significant(price, 8)
    supply = np.minimum(np.round(supply), ceiling)
    cap = np.round(price * supply)
    log_return = np.zeros_like(price)
    log_return[1:] = np.diff(np.log(price), axis=0)
    volume = _volumes(seed, coins, price, cap, log_return)
    is_known = np.array([coin.is_supply_known for coin in coins])
    days = np.arange(day_count)[:, np.newaxis]
    return CoinPaths(
        is_listed=(days >= np.array([coin.listing_index for coin in coins]))
        & (days < np.array([coin.delisting_index for coin in coins])),
        price_usd=price,
        supply=np.where(is_known, supply, np.nan),
        cap_usd=np.where(is_known, cap, np.nan),
        volume_24h_usd=volume,
    )
