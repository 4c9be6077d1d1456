"""What a vendor's listing of the coins says beside a day's close."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from pipeline.sandbox.cast import Coin, Kind
from pipeline.sandbox.paths import CoinPaths
from pipeline.sandbox.randomness import Floats


def add_vendor_figures(
    listed: pd.DataFrame,
    cast: list[Coin],
    paths: CoinPaths,
    rank_with_copies: Floats,
    first_day: date,
    index: int,
) -> pd.DataFrame:
    """Add to a day's coins what a vendor shows of their past, and sort them by cap.

    Args:
        listed: One row per listed coin, in the order of the cast.
        cast: Everybody.
        paths: What they do.
        rank_with_copies: Rank by cap, one row per day and one column per coin.
        first_day: The epoch.
        index: Days from the epoch to the day.

    Returns:
        The columns that ``SimulatedMarket.vendor_snapshot`` names, largest cap first.
    """
    numbers = np.nonzero(paths.is_listed[index])[0]
    past = paths.price_usd[: index + 1, numbers]
    was_listed = paths.is_listed[: index + 1, numbers]
    high_at = np.argmax(np.where(was_listed, past, -np.inf), axis=0)
    low_at = np.argmin(np.where(was_listed, past, np.inf), axis=0)
    everyone = np.arange(len(numbers))
    before = max(index - 1, 0)
    had_yesterday = paths.is_listed[before, numbers] & (index > 0)
    snapshot = listed.assign(
        coin_number=numbers,
        rank_with_copies=pd.array(rank_with_copies[index, numbers], dtype="Int64"),
        is_copy=[cast[number].kind is Kind.WRAPPED for number in numbers],
        previous_price_usd=np.where(had_yesterday, paths.price_usd[before, numbers], np.nan),
        previous_cap_usd=np.where(had_yesterday, paths.cap_usd[before, numbers], np.nan),
        max_supply=np.array([cast[n].max_supply for n in numbers], dtype=np.float64),
        high_price_usd=past[high_at, everyone],
        high_date=[first_day + timedelta(days=int(n)) for n in high_at],
        low_price_usd=past[low_at, everyone],
        low_date=[first_day + timedelta(days=int(n)) for n in low_at],
    )
    return snapshot.sort_values(
        ["market_cap_usd", "coin_id"], ascending=[False, True], ignore_index=True
    )
