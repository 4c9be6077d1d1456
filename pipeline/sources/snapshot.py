"""Vendors that show the present only: which moment may stand for which day's close.

A snapshot stands for the close of a UTC day when it was taken around it, from ``EARLY_HOURS``
before to ``LATE_HOURS`` after.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.base import close_of

if TYPE_CHECKING:
    from pipeline.settings import Settings

logger = logging.getLogger(__name__)

EARLY_HOURS = 2
LATE_HOURS = 12


@dataclass(frozen=True)
class SnapshotCoin:
    """One coin of a snapshot, in the columns of ``raw.market_daily`` but for the day.

    ``updated_at`` is the vendor's stamp of it; None where it gives none.
    """

    updated_at: datetime | None
    fields: Mapping[str, object]


def check_askable(settings: Settings, market_date: date, vendor: str) -> None:
    """Check that a snapshot taken now can stand for the close of a day.

    Raises:
        NotYetAvailableError: The day is not over.
        UnobtainableError: Its close is more than ``LATE_HOURS`` ago.
    """
    now, close = settings.now(), close_of(market_date)
    if now < close:
        raise NotYetAvailableError(
            f"{market_date} ends at {close:%Y-%m-%d %H:%M} UTC; run again after that"
        )
    if now > close + timedelta(hours=LATE_HOURS):
        raise _unobtainable(now, market_date, vendor)


def check_taken(taken_at: datetime, market_date: date, vendor: str) -> None:
    """Check that a snapshot of that moment can stand for the close of a day.

    Raises:
        PayloadError: It is from before the close; the vendor stands still or sent an old copy.
        UnobtainableError: It is from more than ``LATE_HOURS`` after the close.
    """
    close = close_of(market_date)
    if taken_at > close + timedelta(hours=LATE_HOURS):
        raise _unobtainable(taken_at, market_date, vendor)
    if taken_at < close - timedelta(hours=EARLY_HOURS):
        raise PayloadError(
            f"the snapshot is of {taken_at:%Y-%m-%d %H:%M} UTC, more than {EARLY_HOURS} h before "
            f"the close of {market_date}; the day was not over, or {vendor} stands still: fetch "
            "again later"
        )


def check_snapshot(coins: Sequence[SnapshotCoin], market_date: date, vendor: str) -> None:
    """Check that a snapshot, as old as its middle coin, can stand for the close of a day.

    Raises:
        PayloadError: No coin has a stamp, or the snapshot is from before the close.
        UnobtainableError: The snapshot was taken more than ``LATE_HOURS`` after the close.
    """
    stamps = sorted(coin.updated_at for coin in coins if coin.updated_at is not None)
    if not stamps:
        raise PayloadError(f"no coin of {vendor} says when it was updated; fetch again")
    check_taken(stamps[len(stamps) // 2], market_date, vendor)


def fresh_coins(coins: Sequence[SnapshotCoin], market_date: date) -> list[SnapshotCoin]:
    """Return the coins that were updated around the close; a dead coin keeps its last stamp."""
    earliest = close_of(market_date) - timedelta(hours=EARLY_HOURS)
    latest = close_of(market_date) + timedelta(hours=LATE_HOURS)
    return [
        coin
        for coin in coins
        if coin.updated_at is not None and earliest <= coin.updated_at <= latest
    ]


def latest_states(coins: Sequence[SnapshotCoin], market_date: date) -> list[Mapping[str, object]]:
    """Return the latest state around the close of each ``coin_id``, the first of equal ones."""
    states: dict[object, tuple[datetime, Mapping[str, object]]] = {}
    for coin in fresh_coins(coins, market_date):
        known = states.get(coin.fields["coin_id"])
        if coin.updated_at is not None and (known is None or coin.updated_at > known[0]):
            states[coin.fields["coin_id"]] = (coin.updated_at, coin.fields)
    return [fields for _, fields in states.values()]


def largest_rows(
    states: Sequence[Mapping[str, object]], market_date: date, coins_kept: int
) -> list[dict[str, object]]:
    """Return the states of the largest coins by cap as rows of ``raw.market_daily``."""
    rows = [{**fields, "market_date": market_date} for fields in states]
    rows.sort(key=lambda row: (-_cap(row), str(row["coin_id"])))
    return rows[:coins_kept]


def snapshot_rows(
    coins: Sequence[SnapshotCoin], market_date: date, vendor: str, coins_kept: int
) -> list[dict[str, object]]:
    """Return the rows of the largest coins of a snapshot.

    Args:
        coins: In the columns of ``raw.market_daily`` but for ``market_date``.
        market_date: The day whose close the snapshot has to describe.
        vendor: Whose snapshot it is, for messages.
        coins_kept: How many of the largest, by cap, are kept.

    Returns:
        One row per ``coin_id``. A coin that occurs twice keeps its latest state. A coin
        whose stamp is not around the close (a dead coin keeps its last one), or that has no
        price, is left out and counted in the log.

    Raises:
        PayloadError: No coin has a stamp, or the snapshot is from before the close.
        UnobtainableError: The snapshot was taken more than ``LATE_HOURS`` after the close.
    """
    check_snapshot(coins, market_date, vendor)
    fresh_count = len(fresh_coins(coins, market_date))
    states = latest_states(coins, market_date)
    priced = [fields for fields in states if fields["price_usd"]]
    logger.info(
        "%s for %s: %d coins of %d rows; %d rows with an old stamp, %d repeated, %d without price",
        vendor,
        market_date,
        len(priced),
        len(coins),
        len(coins) - fresh_count,
        fresh_count - len(states),
        len(states) - len(priced),
    )
    return largest_rows(priced, market_date, coins_kept)


def _cap(row: Mapping[str, object]) -> float:
    cap = row["market_cap_usd"]
    return cap if isinstance(cap, float) else 0.0


def _unobtainable(taken_at: datetime, market_date: date, vendor: str) -> UnobtainableError:
    return UnobtainableError(
        f"{vendor} shows now only: a snapshot of {taken_at:%Y-%m-%d %H:%M} UTC cannot stand for "
        f"the close of {market_date}; parse what was landed that night, or import history"
    )
