"""Keys that a file holds more than once, whatever lies between the rows."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from pipeline.database import open_scratch, quote_name
from pipeline.datasets import Dataset


def find_repeated_keys(frames: Iterable[pd.DataFrame], dataset: Dataset) -> pd.DataFrame:
    """Return the keys that several rows have.

    Args:
        frames: The rows, in parts; only the columns of the key are looked at.
        dataset: Whose key.

    Returns:
        One row per such key, in the columns of the key; a key with a null is none.
    """
    names = ", ".join(quote_name(name) for name in dataset.key)
    whole = " and ".join(f"{quote_name(name)} is not null" for name in dataset.key)
    kinds = {column.name: column.type for column in dataset.columns}
    declared = ", ".join(f"{quote_name(name)} {kinds[name]}" for name in dataset.key)
    with open_scratch() as connection:
        connection.execute(f"create table keys ({declared})")
        for frame in frames:
            connection.register("part", frame[list(dataset.key)])
            connection.execute(f"insert into keys by name select * from part where {whole}")
            connection.unregister("part")
        repeated = connection.execute(
            f"select {names} from keys group by all having count(*) > 1 order by all"
        ).df()
    day = dataset.date_column
    repeated[day] = pd.to_datetime(repeated[day]).dt.date
    return repeated


def rows_of_repeated_keys(
    frames: Iterable[pd.DataFrame], dataset: Dataset, repeated: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of ``frames`` whose key is one of ``repeated``, ordered by key."""
    key = list(dataset.key)
    known = pd.MultiIndex.from_frame(repeated[key])
    found = [frame[pd.MultiIndex.from_frame(frame[key]).isin(known)] for frame in frames]
    return pd.concat(found, ignore_index=True).sort_values(key, ignore_index=True)
