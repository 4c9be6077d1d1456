"""Export of a simulated history as the files that ``tidemark import`` reads."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.datasets import ColumnType, Dataset, get_dataset
from pipeline.errors import ConfigurationError
from pipeline.files import replacing
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.raw_frames import FRAMES
from pipeline.sandbox.references import write_classes

FIRST_DATASETS = ("market_daily", "equity_daily", "sentiment_daily")
ALL_DATASETS = tuple(FRAMES)

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "date": pa.date32(),
    "varchar": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
}


def _dataset_of(name: str) -> Dataset:
    """Return the dataset whose name a file's name begins with."""
    return get_dataset(name.partition("_daily")[0] + "_daily")


def _write(name: str, frame: pd.DataFrame, folder: Path) -> Path:
    dataset = _dataset_of(name)
    schema = pa.schema(
        [
            pa.field(column.name, _ARROW_TYPES[column.type], column.nullable)
            for column in dataset.columns
        ]
    )
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    path = folder / f"{name}_sandbox.parquet"
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")
    return path


def export_history(
    market: SimulatedMarket,
    folder: Path,
    first: date,
    last: date,
    datasets: Collection[str] = FIRST_DATASETS,
) -> list[Path]:
    """Write the market's history as Parquet in the columns of the raw datasets.

    Args:
        market: Where the figures come from.
        folder: Gets ``<name>_sandbox.parquet`` for each name and ``asset_class.csv``; files
            of these names are replaced.
        first: First day.
        last: Last day, included.
        datasets: Names in ``ALL_DATASETS``. A suffix behind a dataset's name is another
            source or series of it.

    Returns:
        The files, without lineage columns; days are Arrow ``date32``. Sources are those that
        the live extractors name.

    Raises:
        ConfigurationError: A day is outside the market, or a name is unknown.
    """
    unknown = sorted(set(datasets) - FRAMES.keys())
    if unknown:
        raise ConfigurationError(
            f"the sandbox has no history of {unknown[0]!r}; there is: {', '.join(FRAMES)}"
        )
    histories = {
        name: make(market, first, last) for name, make in FRAMES.items() if name in datasets
    }
    written = [_write(name, frame, folder) for name, frame in histories.items()]
    return [*written, write_classes(market, first, last, folder)]
