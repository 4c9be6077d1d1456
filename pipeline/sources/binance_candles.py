"""Binance's daily candles, which its API and its archive send in one order of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.errors import PayloadError
from pipeline.sources.payload import shown
from pipeline.sources.venues import amount_or_none, ratio_or_none, stamp_of

CANDLE_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
"""The columns by the header of a file that has one, and the order of the cells elsewhere."""
PRICE_RTOL = 0.01
"""How far a day's average price, quote volume over volume, may be outside of its prices."""


def candle_cell(row: object, index: int, where: str) -> Any:
    """Return one cell of a candle.

    Raises:
        PayloadError: The row is not a list, or has fewer cells than ``CANDLE_COLUMNS``. More
            are a vendor's own business: had one come in between, the close time would be out of
            its place, or the volumes would contradict the prices.
    """
    if not isinstance(row, list) or len(row) < len(CANDLE_COLUMNS):
        raise PayloadError(f"{where}: {shown(row)} is not a candle")
    return row[index]


def read_candle(
    row: Sequence[Any], units_per_day: int, where: str
) -> dict[str, float | None] | None:
    """Read one daily candle of Binance, from the API or a file of the archive.

    Args:
        row: Open time, open, high, low, close, volume, close time, quote volume, ...
        units_per_day: Units of the two times a day, milliseconds or microseconds.
        where: What to call the candle in a message.

    Returns:
        ``close_usd``, ``high_usd``, ``low_usd`` in the quote currency and ``volume_usd``, the
        quote volume; None for a day without trade, whose prices are those of an earlier one.

    Raises:
        PayloadError: It does not last a day, its prices are not positive or contradict each
            other, or its two volumes.
    """
    opened, closed = (
        stamp_of(candle_cell(row, 0, where), where),
        stamp_of(candle_cell(row, 6, where), where),
    )
    if closed != opened + units_per_day - 1:
        raise PayloadError(f"{where}: the candle ends at {closed}, not with its day")
    high, low, close = (
        ratio_or_none(candle_cell(row, index, where), f"{where} candle") for index in (2, 3, 4)
    )
    units = amount_or_none(candle_cell(row, 5, where), f"{where} volume")
    volume = amount_or_none(candle_cell(row, 7, where), f"{where} quote volume")
    if not volume and not units:
        return None
    if high is None or low is None or close is None or not low <= close <= high:
        raise PayloadError(f"{where}: the close {close} is not between {low} and {high}")
    if (
        not units
        or not volume
        or not (low * (1 - PRICE_RTOL) <= volume / units <= high * (1 + PRICE_RTOL))
    ):
        raise PayloadError(
            f"{where}: a quote volume of {volume} over a volume of {units} is not a price between "
            f"{low} and {high}"
        )
    return {"close_usd": close, "high_usd": high, "low_usd": low, "volume_usd": volume}
