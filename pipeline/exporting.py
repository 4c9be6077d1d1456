"""The rows of a query for other programs: CSV for spreadsheets, Parquet for everything else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import ConfigurationError
from pipeline.files import replacing
from pipeline.text import csv_text


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield rows as lines of CSV (RFC 4180, without their ends), the header first.

    Texts, lists and the header are quoted and go through ``csv_text``, so that none of them is
    a formula, spans lines or hides anything; what was stored byte for byte is in Parquet.
    Numbers are never touched. A null, NaN or infinity is an empty field, and an empty text is
    ``""``. Instants are ISO 8601 in their time zone.

    Args:
        columns: Their names.
        rows: Values in the order of ``columns``.
    """
    yield ",".join(_quoted(csv_text(name)) for name in columns)
    for row in rows:
        yield ",".join(_field(value) for value in row)


def table_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query, without having all of them as objects at once."""
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return _quoted(csv_text(str(value)))


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table into a new Parquet file, whole or not at all.

    Raises:
        ConfigurationError: There is such a file already.
    """
    if path.exists():
        raise ConfigurationError(f"{path} exists already; name a new file")
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
