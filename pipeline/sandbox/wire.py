"""The vendors' response bodies, byte for byte in their documented shape. Pure functions."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

MOST_PER_PAGE = 250
FNG_NAME = "Fear and Greed Index"

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


def render_text_error(message: str) -> bytes:
    """Render CoinGecko's error body of a bad request."""
    return json.dumps({"error": message}, separators=(",", ":")).encode()


def render_coingecko_error(message: str, code: int) -> bytes:
    """Render CoinGecko's error body of a rate limit or an outage."""
    return json.dumps({"status": {"error_code": code, "error_message": message}}).encode()


def render_index_history(equity: pd.DataFrame, ticker: str) -> bytes:
    """Render Cboe's ``<ticker>_History.csv``.

    Args:
        equity: One row per session and ticker: session_date, ticker, close_points.
        ticker: ``RUT`` or ``SPX``.

    Returns:
        CSV with the header ``DATE,<ticker>``, oldest session first, days as MM/DD/YYYY and
        six decimals.
    """
    sessions = equity[equity["ticker"] == ticker].sort_values("session_date")
    lines = [
        f"{day:%m/%d/%Y},{points:.6f}"
        for day, points in zip(sessions["session_date"], sessions["close_points"], strict=True)
    ]
    return "\n".join([f"DATE,{ticker}", *lines, ""]).encode()


def render_fng(
    sentiment: pd.DataFrame, now: datetime, *, limit: int = 1, error: str | None = None
) -> bytes:
    """Render alternative.me ``/fng/``.

    Args:
        sentiment: One row per day: market_date, score, label; days after ``now`` are left out.
        now: When it is asked for.
        limit: Newest days to show; 0 for all.
        error: Goes into ``metadata.error``, with no data.

    Returns:
        JSON whose values are all strings, newest day first; ``timestamp`` is 00:00 UTC of
        the day in seconds, ``time_until_update`` is on the first row only.
    """
    rows: list[dict[str, str]] = []
    if error is None:
        known = sentiment[[day <= now.date() for day in sentiment["market_date"]]]
        newest = known.sort_values("market_date", ascending=False)
        newest = newest.head(limit) if limit > 0 else newest
        columns = (newest["market_date"], newest["score"], newest["label"])
        rows = [
            {
                "value": str(int(score)),
                "value_classification": label,
                "timestamp": str(int(datetime.combine(day, time(), UTC).timestamp())),
            }
            for day, score, label in zip(*columns, strict=True)
        ]
    if rows:
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        rows[0]["time_until_update"] = str(int((tomorrow - now).total_seconds()))
    body = {"name": FNG_NAME, "data": rows, "metadata": {"error": error}}
    return json.dumps(body, indent="\t").encode()
