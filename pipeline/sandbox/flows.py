"""Where the coins lie: an exchange's balances, and the chains of Bitcoin and Ethereum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sandbox.cast import CLASSIFIED_COINS, Coin, Kind, Scenario
from pipeline.sandbox.paths import CoinPaths, round_significant
from pipeline.sandbox.randomness import Floats, Stream, draw_normal, draw_reverting

OWN_TOKEN = "BNB"  # noqa: S105 - a coin
ONCHAIN_COIN_IDS = ("bitcoin", "ethereum")
SPELL_DAYS = 14
SPELL_DAILY_FRACTION = 0.01
RECLASSIFIED_FRACTION = 0.40
_SPELL_GAP_DAYS = 365
_DISTRIBUTION_DELAY_DAYS = 5
_RECLASSIFICATION_DELAY_DAYS = 9

# Offsets among the unclassified coins of the first day; these do not die.
_ACCUMULATED, _DISTRIBUTED, _RECLASSIFIED = 4, 6, 7

_TOKEN_COUNT = 60
_BALANCE_FRACTION = 0.06
_CHAINS = {"btc": ("Bitcoin",), "eth": ("Ethereum", "Arbitrum"), "usdt": ("Tron", "Ethereum")}
_OTHER_CHAINS = (("Ethereum",), ("BSC",), ("Ethereum", "BSC"))
_OWN_TOKEN_SUBJECT = 200_000
_CHAIN_SHARES = (0.75, 0.25)


@dataclass(frozen=True)
class Spell:
    """Days on which an exchange's balance of a token changes by a planted share a day."""

    coin_id: str
    token_symbol: str
    first_index: int
    last_index: int
    daily_change_fraction: float


@dataclass(frozen=True)
class Token:
    """A token that the exchange holds: its ticker, its coin (None for its own), its chains."""

    symbol: str
    coin_id: str | None
    coin_number: int | None
    chains: tuple[str, ...]


@dataclass(frozen=True)
class OnChain:
    """One coin's chain, one element per day; flows are to and from exchanges."""

    coin_number: int
    exchange_supply_units: Floats
    inflow_units: Floats
    outflow_units: Floats
    mvrv: Floats


@dataclass(frozen=True)
class Flows:
    """Balances of the exchange: one row per day, one column per token; NaN when unlisted.

    Values of a day are those of its 24:00 UTC close.
    """

    tokens: tuple[Token, ...]
    balance_units: Floats
    price_usd: Floats
    spells: tuple[Spell, ...]
    onchain: dict[str, OnChain]

    def chain_units(self, column: int, place: int) -> Floats:
        """Return a token's units on one of its chains; of two, the first holds 3 in 4."""
        share = 1.0 if len(self.tokens[column].chains) == 1 else _CHAIN_SHARES[place]
        return np.round(self.balance_units[:, column] * share, 6)

    def chain_usd(self, column: int, place: int) -> Floats:
        """Return a token's US dollars on one of its chains."""
        return np.round(self.chain_units(column, place) * self.price_usd[:, column], 4)

    @property
    def balance_usd(self) -> Floats:
        """Units times price."""
        return np.round(self.balance_units * self.price_usd, 2)


def _cast_tokens(coins: list[Coin], paths: CoinPaths) -> tuple[Token, ...]:
    stables = [n for n, coin in enumerate(coins) if coin.coin_id in ("tether", "usd-coin")]
    free = [
        n
        for n, coin in enumerate(coins)
        if coin.kind is Kind.FREE and coin.is_supply_known and coin.listing_index == 0
    ]
    largest = sorted(free, key=lambda n: (-paths.cap_usd[0, n], n))[:_TOKEN_COUNT]
    tokens: dict[str, Token] = {}
    for number in [*largest, *stables]:
        coin = coins[number]
        chains = _CHAINS.get(coin.symbol, _OTHER_CHAINS[number % len(_OTHER_CHAINS)])
        token = Token(coin.symbol.upper(), coin.coin_id, number, chains)
        tokens.setdefault(token.symbol, token)
    tokens[OWN_TOKEN] = Token(OWN_TOKEN, None, None, ("BSC",))
    return tuple(tokens.values())


def _plan_spells(
    tokens: tuple[Token, ...], coins: list[Coin], day_count: int, scenario: Scenario
) -> tuple[Spell, ...]:
    held = {token.coin_id: token for token in tokens}
    first_sim = len(CLASSIFIED_COINS)
    plans = (
        (_ACCUMULATED, 0, SPELL_DAYS, (-SPELL_DAILY_FRACTION,)),
        (_DISTRIBUTED, _DISTRIBUTION_DELAY_DAYS, SPELL_DAYS, (SPELL_DAILY_FRACTION,)),
        (
            _RECLASSIFIED,
            _RECLASSIFICATION_DELAY_DAYS,
            1,
            (RECLASSIFIED_FRACTION, 1 / (1 + RECLASSIFIED_FRACTION) - 1),
        ),
    )
    spells: list[Spell] = []
    for offset, delay, length, changes in plans:
        token = held.get(coins[first_sim + offset].coin_id)
        if token is None or token.coin_id is None:
            continue
        starts = range(scenario.flow_index + delay, day_count, _SPELL_GAP_DAYS)
        spells += [
            Spell(
                token.coin_id,
                token.symbol,
                start,
                start + length - 1,
                changes[repeat % len(changes)],
            )
            for repeat, start in enumerate(starts)
        ]
    return tuple(spells)


def _simulate_chain(seed: int, number: int, paths: CoinPaths) -> OnChain:
    price, supply = paths.price_usd[:, number], paths.supply[:, number]
    day_count = len(price)
    drift = draw_reverting(seed, Stream.ONCHAIN, [number], day_count, 0.995)[:, 0]
    held = np.round(supply * 0.13 * np.exp(0.06 * drift), 4)
    change = np.diff(held, prepend=held[0])
    noise = draw_normal(seed, Stream.ONCHAIN, [50_000 + number], day_count)[:, 0]
    gross = held * 0.008 * np.exp(0.25 * noise)
    inflow = np.round(gross + np.maximum(change, 0.0), 4)
    realised = np.empty(day_count)
    realised[0] = 0.8 * price[0]
    for day in range(1, day_count):
        realised[day] = realised[day - 1] + (price[day] - realised[day - 1]) / 180
    return OnChain(
        coin_number=number,
        exchange_supply_units=held,
        inflow_units=inflow,
        outflow_units=np.round(inflow - change, 4),
        mvrv=round_significant(price / realised, 8),
    )


def simulate_flows(seed: int, coins: list[Coin], paths: CoinPaths, scenario: Scenario) -> Flows:
    """Simulate the exchange's balances and the two chains.

    Args:
        seed: Seed of the market.
        coins: The cast.
        paths: What the coins do.
        scenario: When the planted spells begin.

    Returns:
        Balances that wander by less than 1 % a day, except in the planted spells: coins
        leave the exchange (accumulation), come to it (distribution), and one wallet is
        counted in or out (a step that is no flow).
    """
    tokens = _cast_tokens(coins, paths)
    day_count = len(paths.price_usd)
    numbers = [t.coin_number for t in tokens if t.coin_number is not None]
    walk = 0.03 * draw_reverting(
        seed, Stream.BALANCE, [*numbers, _OWN_TOKEN_SUBJECT], day_count, 0.99
    )
    spells = _plan_spells(tokens, coins, day_count, scenario)
    column = {token.coin_id: n for n, token in enumerate(tokens)}
    planted = np.zeros_like(walk)
    for spell in spells:
        days = slice(spell.first_index, spell.last_index + 1)
        planted[days, column[spell.coin_id]] = np.log1p(spell.daily_change_fraction)
    # A planted day is pure, so that its change is known to the last digit.
    steps = np.diff(walk, axis=0, prepend=walk[:1])
    steps[planted != 0] = 0.0
    log_held = np.cumsum(steps + planted, axis=0)
    own = draw_reverting(seed, Stream.BALANCE, [_OWN_TOKEN_SUBJECT + 1], day_count, 0.99)
    own_price = round_significant(300 * np.exp(0.2 * own), 6)
    price = np.hstack([paths.price_usd[:, numbers], own_price])
    start = np.append(_BALANCE_FRACTION * paths.supply[0, numbers], 3.5e7)
    units = np.round(start * np.exp(log_held), 4)
    is_listed = np.hstack([paths.is_listed[:, numbers], np.ones((day_count, 1), dtype=np.bool_)])
    return Flows(
        tokens=tokens,
        balance_units=np.where(is_listed, units, np.nan),
        price_usd=price,
        spells=spells,
        onchain={
            coin.coin_id: _simulate_chain(seed, number, paths)
            for number, coin in enumerate(coins)
            if coin.coin_id in ONCHAIN_COIN_IDS
        },
    )
