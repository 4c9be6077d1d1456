"""What several pages need: segments, marked days, and blocks that may have nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from pipeline.report.blocks import Block, Missing
from pipeline.report.reading import Reader

SEGMENTS = ("large", "mid", "small")
_REGIMES = {
    "pre_etp": "before ETPs",
    "btc_etp": "Bitcoin ETPs",
    "btc_eth_etp": "Bitcoin and Ether ETPs",
}


def events(reader: Reader) -> pd.DataFrame:
    """Return the days that charts mark: ``event_date``, ``word``."""
    return reader.rows("event")


def regimes(reader: Reader) -> pd.DataFrame:
    """Return the spans that charts shade: ``first_date``, ``last_date``, ``word``."""
    frame = reader.rows("regime")
    return frame.assign(word=frame["etp_regime"].map(_REGIMES))


def shown_or_missing(
    name: str, title: str, frame: pd.DataFrame, reason: str, draw: Callable[[pd.DataFrame], Block]
) -> Block:
    """Return what ``draw`` makes of rows, or, without any, a block that says what is missing.

    Args:
        name: The block's name.
        title: What would have been shown.
        frame: The rows.
        reason: Why there may be none, and what brings them.
        draw: Makes the block of at least one row.
    """
    if frame.empty:
        return Missing(name, title, reason)
    return draw(frame)


def last_row(frame: pd.DataFrame, **where: Any) -> dict[str, Any]:
    """Return the last row of a frame in which columns have these values, or an empty one."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return {} if frame.empty else dict(frame.iloc[-1])
