"""CoinGecko's ``/coins/markets``, as the vendor writes it."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

MOST_PER_PAGE = 250

_FEWEST_WHOLE_PRICE = 10_000
_SHOWN_DIGITS = 6

_ORDERS: dict[str, tuple[str, bool]] = {
    "market_cap_desc": ("market_cap_usd", False),
    "market_cap_asc": ("market_cap_usd", True),
    "volume_desc": ("volume_24h_usd", False),
    "volume_asc": ("volume_24h_usd", True),
    "id_asc": ("coin_id", True),
    "id_desc": ("coin_id", False),
}


def _number(value: float, digits: int | None = None) -> int | float | None:
    """Return a JSON number as the vendor mixes them: whole values as ints, NaN as null."""
    if math.isnan(value):
        return None
    if digits is not None and value != 0:
        value = round(value, digits - 1 - math.floor(math.log10(abs(value))))
    return int(value) if value == int(value) else value


def format_price(value: float, precision: str | None) -> int | float | None:
    """Return a price as CoinGecko shows it.

    Args:
        value: US dollars; NaN becomes null.
        precision: None for the vendor's default (6 digits, whole dollars from 10,000 on),
            ``full``, or a number of decimals.
    """
    if math.isnan(value) or precision == "full":
        return _number(value)
    if precision is not None:
        return _number(round(value, int(precision)))
    return round(value) if value >= _FEWEST_WHOLE_PRICE else _number(value, _SHOWN_DIGITS)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _noon(day: date, coin_id: str) -> str:
    seconds = zlib.crc32(f"{coin_id} {day}".encode()) % 86_400
    return _stamp(datetime.combine(day, time(), UTC) + timedelta(seconds=seconds))


def _change(now: float, before: float) -> tuple[int | float | None, int | float | None]:
    """Return the change and the percentage change, null without a day before."""
    if math.isnan(now) or math.isnan(before) or before == 0:
        return None, None
    return _number(now - before, 8), round((now / before - 1) * 100, 5)


def _market_row(
    coin: Mapping[str, Any], now: datetime, precision: str | None, with_copies: bool
) -> dict[str, Any]:
    def shown(value: float) -> int | float | None:
        return format_price(value, precision)

    coin_id, price, cap = coin["coin_id"], coin["price_usd"], coin["market_cap_usd"]
    supply, max_supply = coin["circulating_supply"], coin["max_supply"]
    before = price if math.isnan(coin["previous_price_usd"]) else coin["previous_price_usd"]
    swing = 0.2 * abs(price / before - 1) + 0.0005
    high, low = max(price, before) * (1 + swing), min(price, before) * (1 - swing)
    all_time_high = max(coin["high_price_usd"], high)
    all_time_low = min(coin["low_price_usd"], low)
    change, change_pct = _change(price, coin["previous_price_usd"])
    cap_change, cap_change_pct = _change(cap, coin["previous_cap_usd"])
    fully_diluted = price * (supply if math.isnan(max_supply) else max_supply)
    age = timedelta(
        seconds=60 + zlib.crc32(f"{coin_id} {now:%j%H%M}".encode()) % 240, milliseconds=7
    )
    rank = None if pd.isna(coin["provider_rank"]) else int(coin["provider_rank"])
    row: dict[str, Any] = {
        "id": coin_id,
        "symbol": coin["symbol"],
        "name": coin["name"],
        "image": f"https://sandbox.invalid/coins/images/{coin_id}.png",
        "current_price": shown(price),
        "market_cap": 0 if math.isnan(cap) else _number(cap),
        "market_cap_rank": rank,
        "fully_diluted_valuation": None if math.isnan(fully_diluted) else round(fully_diluted),
        "total_volume": _number(coin["volume_24h_usd"]),
        "high_24h": shown(high),
        "low_24h": shown(low),
        "price_change_24h": change,
        "price_change_percentage_24h": change_pct,
        "market_cap_change_24h": cap_change,
        "market_cap_change_percentage_24h": cap_change_pct,
        "circulating_supply": 0.0 if math.isnan(supply) else float(supply),
        "total_supply": None if math.isnan(supply) else float(supply),
        "max_supply": None if math.isnan(max_supply) else float(max_supply),
        "ath": shown(all_time_high),
        "ath_change_percentage": round((price / all_time_high - 1) * 100, 5),
        "ath_date": _noon(coin["high_date"], coin_id),
        "atl": shown(all_time_low),
        "atl_change_percentage": round((price / all_time_low - 1) * 100, 5),
        "atl_date": _noon(coin["low_date"], coin_id),
        "roi": None,
        "last_updated": _stamp(now - age),
    }
    if coin_id == "ethereum":
        times = round(price / 0.75 - 1, 6)
        row["roi"] = {"times": times, "currency": "usd", "percentage": round(times * 100, 4)}
    if with_copies:
        with_rank = coin["rank_with_copies"]
        row["market_cap_rank_with_rehypothecated"] = None if pd.isna(with_rank) else int(with_rank)
    return row


def render_markets(
    snapshot: pd.DataFrame,
    now: datetime,
    *,
    page: int = 1,
    per_page: int = 100,
    order: str = "market_cap_desc",
    ids: frozenset[str] = frozenset(),
    include_rehypothecated: bool = False,
    precision: str | None = None,
) -> bytes:
    """Render one page of CoinGecko ``/api/v3/coins/markets``.

    Args:
        snapshot: One row per coin, as ``SimulatedMarket.vendor_snapshot`` gives.
        now: When it is asked for; ``last_updated`` lies one to five minutes before.
        page: From 1.
        per_page: 1 to 250; more is cut to 250, as the vendor does.
        order: One of the vendor's orders; an unknown one means ``market_cap_desc``.
        ids: Only these coins; all when empty.
        include_rehypothecated: Show wrapped and staked copies too (they have no rank), and
            add ``market_cap_rank_with_rehypothecated``.
        precision: Decimals of prices, or ``full``.

    Returns:
        A JSON array, empty past the last page. An unknown supply shows as a cap and a
        supply of 0. Caps, volumes and prices are ints where they are whole.
    """
    column, is_ascending = _ORDERS.get(order, _ORDERS["market_cap_desc"])
    coins = snapshot.sort_values([column, "coin_id"], ascending=[is_ascending, True])
    if not include_rehypothecated:
        coins = coins[~coins["is_copy"]]
    if ids:
        coins = coins[coins["coin_id"].isin(ids)]
    size = min(max(per_page, 1), MOST_PER_PAGE)
    start = (max(page, 1) - 1) * size
    rows = [
        _market_row(
            {str(key): value for key, value in coin.items()}, now, precision, include_rehypothecated
        )
        for coin in coins.iloc[start : start + size].to_dict(orient="records")
    ]
    return json.dumps(rows, separators=(",", ":"), allow_nan=False).encode()
