"""Moves on frames that the tables share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import Ints


def as_days(dates: pd.Series[Any]) -> Ints:
    """Return dates as days since 1970-01-01."""
    return dates.to_numpy("datetime64[D]").astype(np.int64)


def as_date(day: int | np.int64) -> pd.Timestamp:
    """Return a day since 1970-01-01 as a date."""
    return pd.Timestamp(int(day), unit="D")


def as_of_days(days: Ints) -> Ints:
    """Return the days on which a slow statistic is stated, from rising days with data.

    The last day of every month that is over, and the newest day. A row of a month's end
    stays; the newest gives way to the next night's.
    """
    if len(days) == 0:
        return days
    unique = np.unique(days)
    months = unique.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    is_last = np.append(months[1:] != months[:-1], True)
    kept: Ints = unique[is_last]
    return kept


def groups(frame: pd.DataFrame, key: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the rows of each value of a column, by value."""
    for name, rows in frame.groupby(key, sort=True, observed=True):
        yield str(name), rows


def frame_of(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """Return rows as a frame with these columns, which an empty table has too."""
    return pd.DataFrame(list(rows), columns=list(columns))
