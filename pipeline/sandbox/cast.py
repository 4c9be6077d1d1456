"""Who is in the market: every coin's identity, size at listing, and dates of birth and death."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from pipeline.errors import ConfigurationError
from pipeline.sandbox.names import NameMint
from pipeline.sandbox.randomness import Stream, open_stream

NEVER = 10**9
MEAN_LIFE_DAYS = 2600.0
YOUNGEST_DEATH_DAYS = 45
DEATH_STEPS = (-0.6, -1.3, -1.9, -1.4)
DAYS_FROM_DEATH_TO_DELISTING = 7
SAFE_RANK = 20
MINIMUM_COIN_COUNT = 40

_COLLAPSE_STEPS = (-0.45, -0.9, -2.6, -3.7, -2.4)
_DAYS_FROM_COLLAPSE_TO_DELISTING = 16


class Kind(Enum):
    """How a coin's price comes about."""

    FREE = "its own market"
    STABLE = "one dollar"
    WRAPPED = "follows a parent"
    GOLD = "an ounce of gold"
    CREDIT = "a tokenised loan book"


@dataclass(frozen=True)
class Scenario:
    """The planted events, in days since the epoch.

    With the epoch 2022-01-01 the collapse of ``sim-tidefall`` begins on 2022-05-09, the
    market-wide crash falls on 2025-10-10 and the longer streak of small over large
    equities begins on 2026-01-02.

    Args:
        collapse_index: First of the days in which a top-10 coin collapses.
        crash_index: The market-wide crash.
        streaks: Day from which, and for how many sessions, RUT beats SPX.
        flat_positioning: First and last day without a tilt of long/short ratios by size.
        flow_index: First day of the first planted exchange flows; they come again each year.
        lead_coefficient: Share of the crypto market's log return in RUT's earlier one.
        size_break: Day from which, and log return a day by which, small coins fall behind
            large ones; no such day by default.
    """

    collapse_index: int = 128
    crash_index: int = 1378
    streaks: tuple[tuple[int, int], ...] = ((60, 8), (1462, 14))
    flat_positioning: tuple[int, int] = (400, 459)
    flow_index: int = 40
    lead_coefficient: float = 0.12
    size_break: tuple[int, float] = (NEVER, 0.0)


@dataclass(frozen=True)
class Coin:
    """One coin of the cast; days count from the epoch.

    Prices and caps are in US dollars at the market level of the epoch. ``delisting_index``
    is the first day on which the coin is no longer listed; ``death_index`` is the first of
    ``death_steps``, the log returns of its collapse.
    """

    coin_id: str
    symbol: str
    name: str
    kind: Kind
    initial_price_usd: float
    initial_supply: float
    beta: float = 1.0
    anchor: float = 0.0
    turnover_fraction: float = 0.06
    supply_growth: float = 0.0
    max_supply: float | None = None
    listing_index: int = 0
    death_index: int = NEVER
    death_steps: tuple[float, ...] = ()
    delisting_index: int = NEVER
    parent_id: str | None = None
    is_supply_known: bool = True
    is_jumpy_supply: bool = False


def _peg(
    coin_id: str, symbol: str, name: str, supply: float, turnover: float, listing_index: int = 0
) -> Coin:
    return Coin(
        coin_id,
        symbol,
        name,
        Kind.STABLE,
        1.0,
        supply,
        turnover_fraction=turnover,
        listing_index=listing_index,
    )


def _copy(coin_id: str, symbol: str, name: str, price: float, supply: float, parent: str) -> Coin:
    return Coin(
        coin_id,
        symbol,
        name,
        Kind.WRAPPED,
        price,
        supply,
        turnover_fraction=0.02,
        parent_id=parent,
    )


# Real ids, so that sql/reference/asset_class.csv classifies them; simulated prices.
CLASSIFIED_COINS = (
    Coin(
        "bitcoin",
        "btc",
        "Bitcoin",
        Kind.FREE,
        46200.0,
        18.9e6,
        beta=0.97,
        turnover_fraction=0.03,
        supply_growth=0.011,
        max_supply=21e6,
    ),
    Coin(
        "ethereum",
        "eth",
        "Ethereum",
        Kind.FREE,
        1830.0,
        119.5e6,
        beta=1.03,
        turnover_fraction=0.06,
        supply_growth=0.002,
    ),
    _peg("tether", "usdt", "Tether", 78e9, 0.55),
    _peg("usd-coin", "usdc", "USDC", 42e9, 0.12),
    _peg("dai", "dai", "Dai", 6.4e9, 0.03),
    _peg("ethena-usde", "usde", "Ethena USDe", 2.4e9, 0.04, listing_index=60),
    _peg("first-digital-usd", "fdusd", "First Digital USD", 1.1e9, 0.9, listing_index=90),
    _copy("wrapped-bitcoin", "wbtc", "Wrapped Bitcoin", 46200.0, 2.6e5, "bitcoin"),
    _copy("staked-ether", "steth", "Lido Staked Ether", 1830.0, 1.6e6, "ethereum"),
    _copy("wrapped-steth", "wsteth", "Wrapped stETH", 1960.0, 0.5e6, "ethereum"),
    Coin("pax-gold", "paxg", "PAX Gold", Kind.GOLD, 1820.0, 3.3e5, turnover_fraction=0.02),
    Coin(
        "figure-heloc",
        "figr_heloc",
        "Figure Heloc",
        Kind.CREDIT,
        1.0,
        7.5e9,
        turnover_fraction=0.001,
        listing_index=120,
    ),
)

COLLAPSING_COIN_ID = "sim-tidefall"
# This coin's own ticker begins with 1000, as if its perpetual had a multiplier.
FALSE_FRIEND_OFFSET = 9


def _draw_attributes(coin: Coin, cap_usd: float, random: np.random.Generator) -> Coin:
    """Return ``coin`` with a price, supply, character and lifetime from its own stream."""
    price = math.exp(min(max(2.5 * random.standard_normal(), -11.0), 5.5))
    life_days = int(YOUNGEST_DEATH_DAYS + random.exponential(MEAN_LIFE_DAYS))
    return replace(
        coin,
        initial_price_usd=price,
        initial_supply=float(round(cap_usd / price)),
        beta=float(np.clip(1.1 + 0.12 * random.standard_normal(), 0.8, 1.4)),
        turnover_fraction=math.exp(math.log(0.07) + 0.6 * random.standard_normal()),
        supply_growth=float(random.choice([0.0, 0.02, 0.05, 0.09])),
        is_jumpy_supply=bool(random.random() < 0.4),
        death_index=coin.listing_index + life_days,
        death_steps=DEATH_STEPS,
        delisting_index=coin.listing_index + life_days + DAYS_FROM_DEATH_TO_DELISTING,
    )


def _steady(coin: Coin) -> Coin:
    """Return a large coin: it does not die, and stays near its place behind the leaders."""
    return replace(
        coin,
        beta=min(max(coin.beta, 0.95), 1.2),
        supply_growth=min(coin.supply_growth, 0.02),
        death_index=NEVER,
        death_steps=(),
        delisting_index=NEVER,
    )


def _collapsing(coin: Coin, scenario: Scenario) -> Coin:
    return replace(
        coin,
        coin_id=COLLAPSING_COIN_ID,
        symbol="tfl",
        name="Tidefall",
        initial_price_usd=86.0,
        initial_supply=4.6e8,
        beta=1.0,
        anchor=0.0,
        is_jumpy_supply=False,
        death_index=scenario.collapse_index,
        death_steps=_COLLAPSE_STEPS,
        delisting_index=scenario.collapse_index + _DAYS_FROM_COLLAPSE_TO_DELISTING,
    )


def cast_coins(seed: int, coin_count: int, day_count: int, scenario: Scenario) -> list[Coin]:
    """Return everybody who is listed at the epoch or within ``day_count`` days of it.

    Caps at the epoch fall with rank by a power law (exponent 1.7 below the first two).
    Later listings come at exponential gaps that balance the deaths on average; most are
    small, some grow. A longer ``day_count`` only appends coins.

    Args:
        seed: Seed of the market.
        coin_count: How many coins are listed at the epoch, classified ones included.
        day_count: Days to simulate.
        scenario: Planted events.

    Returns:
        The cast in a fixed order; ids are unique, tickers are not (two coins share one).

    Raises:
        ConfigurationError: ``coin_count`` is too small for a market.
    """
    if coin_count < MINIMUM_COIN_COUNT:
        raise ConfigurationError(
            f"a simulated market needs at least {MINIMUM_COIN_COUNT} coins, not {coin_count}"
        )
    cast = list(CLASSIFIED_COINS)
    mint = NameMint({coin.symbol for coin in CLASSIFIED_COINS} | {"tfl"})
    first_count = coin_count - sum(coin.listing_index == 0 for coin in CLASSIFIED_COINS)
    for position in range(first_count):
        rank = position + 3
        random = open_stream(seed, Stream.ATTRIBUTES, len(cast))
        cap_usd = 72e9 * (rank / 3) ** -1.7 * math.exp(0.1 * random.standard_normal())
        name = mint.mint(random)
        coin = Coin(name.coin_id, name.symbol, name.name, Kind.FREE, 0.0, 0.0)
        coin = _draw_attributes(coin, cap_usd, random)
        if rank == 4:
            coin = _collapsing(coin, scenario)
        elif rank <= SAFE_RANK:
            coin = _steady(coin)
        cast.append(coin)
    # Tickers are not unique in the wild, and some coins have no known supply.
    shared, unknown = len(cast) - first_count // 2, (len(cast) - 1, len(cast) - 2)
    cast[shared] = replace(cast[shared], symbol=cast[shared - 1].symbol)
    false_friend = len(CLASSIFIED_COINS) + FALSE_FRIEND_OFFSET
    cast[false_friend] = replace(cast[false_friend], symbol=f"1000{cast[false_friend].symbol}")
    for position in unknown:
        cast[position] = replace(cast[position], is_supply_known=False)
    return cast + _cast_newcomers(seed, coin_count, day_count, len(cast), mint)


def _cast_newcomers(
    seed: int, coin_count: int, day_count: int, first_number: int, mint: NameMint
) -> list[Coin]:
    gaps = open_stream(seed, Stream.LISTINGS)
    newcomers: list[Coin] = []
    day = 0.0
    while True:
        day += gaps.exponential(MEAN_LIFE_DAYS / coin_count)
        if day >= day_count - 1:
            return newcomers
        random = open_stream(seed, Stream.ATTRIBUTES, first_number + len(newcomers))
        cap_usd = 45e6 * math.exp(min(0.9 * random.standard_normal(), 2.0))
        anchor = min(0.1 + 1.3 * random.standard_normal(), 3.2)
        name = mint.mint(random)
        coin = Coin(
            name.coin_id,
            name.symbol,
            name.name,
            Kind.FREE,
            0.0,
            0.0,
            anchor=anchor,
            listing_index=int(day) + 1,
        )
        newcomers.append(_draw_attributes(coin, cap_usd, random))
