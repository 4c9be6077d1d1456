"""Export of a simulated history as the files that ``tidemark import`` reads."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.datasets import ColumnType, Dataset, get_dataset
from pipeline.files import replacing, write_bytes_atomically
from pipeline.sandbox.market import SimulatedMarket

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "date": pa.date32(),
    "varchar": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
}


def _write(dataset: Dataset, frame: pd.DataFrame, folder: Path) -> Path:
    schema = pa.schema(
        [
            pa.field(column.name, _ARROW_TYPES[column.type], column.nullable)
            for column in dataset.columns
        ]
    )
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    path = folder / f"{dataset.name}_sandbox.parquet"
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")
    return path


def _write_classes(market: SimulatedMarket, first: date, last: date, folder: Path) -> Path:
    """Write a class for every simulated coin, as a user does for coins that we do not know."""
    coin_ids = market.market_history(first, last)["coin_id"].unique()
    rows = [
        f"{coin_id},coin,,,,simulated\n"
        for coin_id in sorted(coin_ids)
        if coin_id.startswith("sim-")
    ]
    path = folder / "asset_class.csv"
    header = "coin_id,asset_class,parent_coin_id,effective_from,effective_to,note\n"
    write_bytes_atomically(path, (header + "".join(rows)).encode())
    return path


def export_history(market: SimulatedMarket, folder: Path, first: date, last: date) -> list[Path]:
    """Write the market's history as Parquet in the columns of the raw datasets.

    Args:
        market: Where the figures come from.
        folder: Gets ``market_daily_sandbox.parquet``, ``equity_daily_sandbox.parquet``,
            ``sentiment_daily_sandbox.parquet`` and ``asset_class.csv``; files of these names
            are replaced.
        first: First day.
        last: Last day, included.

    Returns:
        The files, without lineage columns; days are Arrow ``date32``.

    Raises:
        ConfigurationError: A day is outside the market.
    """
    histories = {
        "market_daily": market.market_history(first, last),
        "equity_daily": market.equity_history(first, last),
        "sentiment_daily": market.sentiment_history(first, last),
    }
    written = [_write(get_dataset(name), frame, folder) for name, frame in histories.items()]
    return [*written, _write_classes(market, first, last, folder)]
