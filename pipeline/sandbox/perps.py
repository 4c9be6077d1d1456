"""Which perpetual futures the simulated Binance lists, and under what names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sandbox.cast import CLASSIFIED_COINS, FALSE_FRIEND_OFFSET, NEVER, Coin, Kind
from pipeline.sandbox.paths import CoinPaths

FIRST_PERP_COUNT = 120
LATER_RANK = 80
DELISTED_PLACE = 30
DELISTED_INDEX = 45
INTERVAL_CHANGE_PLACE = 5
INTERVAL_CHANGE_INDEX = 60

_CHEAP_USD = 0.005
_USDC_SUBJECT = 100_000


@dataclass(frozen=True)
class Perp:
    """One perpetual of the simulated Binance; days count from the epoch.

    Args:
        symbol: What the exchange calls it: base asset and quote.
        base_asset: The coin's ticker in capitals, behind the multiplier if there is one.
        quote_asset: ``USDT`` or ``USDC``.
        coin_id: The coin behind it.
        coin_number: The coin's column in the market's paths.
        coin_symbol: The coin's ticker in capitals.
        multiplier: Coins in one contract unit.
        onboard_index: First day of trading.
        delisting_index: First day on which it is gone.
        funding_hours: Hours between two fundings.
        changed_hours: The same from ``INTERVAL_CHANGE_INDEX`` on.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    coin_id: str
    coin_number: int
    coin_symbol: str
    multiplier: int
    onboard_index: int
    delisting_index: int
    funding_hours: int
    changed_hours: int

    @property
    def subject(self) -> int:
        """Number of its random streams."""
        return self.coin_number + (_USDC_SUBJECT if self.quote_asset == "USDC" else 0)

    def is_listed(self, index: int) -> bool:
        """Tell whether it trades on a day."""
        return self.onboard_index <= index < self.delisting_index


def _onboarding(coins: list[Coin], paths: CoinPaths) -> list[tuple[int, int]]:
    """Return (first day, coin number) of each coin that gets a perpetual, in listing order."""
    has_market = np.array([coin.kind is Kind.FREE and coin.is_supply_known for coin in coins])
    caps = np.where(paths.is_listed & has_market, paths.cap_usd, -1.0)
    order = np.argsort(-caps, axis=1, kind="stable")
    is_ranked = np.zeros(caps.shape, dtype=np.bool_)
    np.put_along_axis(is_ranked, order[:, :LATER_RANK], True, axis=1)
    is_ranked[0, order[0, :FIRST_PERP_COUNT]] = True
    is_ranked &= caps > 0
    numbers = np.nonzero(is_ranked.any(axis=0))[0]
    first_days = is_ranked[:, numbers].argmax(axis=0)
    return sorted((int(day), int(number)) for day, number in zip(first_days, numbers, strict=True))


def _multipliers(onboarding: list[tuple[int, int]], paths: CoinPaths) -> dict[int, int]:
    """Return the multiplier by coin: a million for the cheapest, a thousand for cheap ones."""
    price = {number: float(paths.price_usd[day, number]) for day, number in onboarding}
    by_price = sorted((n for day, n in onboarding if day == 0), key=lambda n: (price[n], n))
    cheapest = dict.fromkeys(by_price[1:4], 1000) | dict.fromkeys(by_price[:1], 1_000_000)
    return {
        number: cheapest.get(number, 1000 if price[number] < _CHEAP_USD else 1)
        for _, number in onboarding
    }


def cast_perps(coins: list[Coin], paths: CoinPaths) -> tuple[Perp, ...]:
    """Return every perpetual that is listed at some time, in the order of listing.

    The ``FIRST_PERP_COUNT`` largest coins have one from the first day, later ones from the
    day on which they are among the ``LATER_RANK`` largest; it goes with its coin. One is
    delisted although its coin lives. Bitcoin has a second one against USDC.

    Args:
        coins: The cast.
        paths: What the coins do.

    Returns:
        Perpetuals with unique symbols; a longer market only appends some.
    """
    onboarding = _onboarding(coins, paths)
    multipliers = _multipliers(onboarding, paths)
    first_caps = sorted(
        (number for day, number in onboarding if day == 0),
        key=lambda number: (-paths.cap_usd[0, number], number),
    )
    place = {number: position for position, number in enumerate(first_caps)}
    delisted = min(DELISTED_PLACE, len(first_caps) - 2)
    protected = {0, 1, len(CLASSIFIED_COINS) + FALSE_FRIEND_OFFSET}
    perps: dict[str, Perp] = {}
    for day, number in onboarding:
        coin, multiplier = coins[number], multipliers[number]
        if number in protected:
            multiplier = 1
        ticker = coin.symbol.upper()
        base = ticker if multiplier == 1 else f"{multiplier}{ticker}"
        hours = 4 if number % 3 == 2 and number > 1 else 8
        is_delisted = place.get(number) == delisted
        gone = min(coin.delisting_index, DELISTED_INDEX if is_delisted else NEVER)
        changed = 4 if place.get(number) == INTERVAL_CHANGE_PLACE else hours
        for quote in ("USDT", "USDC") if number == 0 else ("USDT",):
            perp = Perp(
                symbol=base + quote,
                base_asset=base,
                quote_asset=quote,
                coin_id=coin.coin_id,
                coin_number=number,
                coin_symbol=ticker,
                multiplier=multiplier,
                onboard_index=day,
                delisting_index=gone,
                funding_hours=hours,
                changed_hours=changed,
            )
            # Two coins may share a ticker; the exchange lists the first.
            perps.setdefault(perp.symbol, perp)
    return tuple(perps.values())
