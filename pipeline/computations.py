"""Models that SQL cannot say: a ``.yml`` that names a pure function of frames.

::

    computed_by: pipeline.statistics.tables.regimes.regime_break
    reads:
      signals.regime_spread_daily: [pair_id, market_date, spread_1d_log]

The function gets one frame per table read, in that order, with those columns and the rows
ordered by them; it returns the frame that is stored. Modules of statistics are imported
when their table is made, not before: scipy alone takes a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.database import quote_name
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from pipeline.models import ColumnDoc

STATISTICS_PACKAGE = "pipeline.statistics"
STATISTICS_DIR = Path(__file__).parent / "statistics"


@dataclass(frozen=True)
class Computation:
    """A function that makes a table, and the columns it is given of each table it reads."""

    function: str
    reads: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """The tables it reads, by name."""
        return tuple(sorted({table for table, _ in self.reads}))


def read_computation(content: Mapping[str, Any], path: Path) -> Computation:
    """Return what the ``.yml`` at ``path`` says of its function.

    Raises:
        ConfigurationError: The function is not one of ``pipeline.statistics``, or ``reads``
            does not list columns per table.
    """
    function = str(content["computed_by"])
    if not function.startswith(f"{STATISTICS_PACKAGE}."):
        raise ConfigurationError(
            f"{path}: computed_by is {function}; it must be a function of {STATISTICS_PACKAGE}"
        )
    reads = content.get("reads")
    if (
        not isinstance(reads, dict)
        or not reads
        or not all(isinstance(columns, list) and columns for columns in reads.values())
    ):
        raise ConfigurationError(f"{path}: reads must list, per schema.table, the columns it needs")
    return Computation(
        function,
        tuple((str(table), tuple(map(str, columns))) for table, columns in reads.items()),
    )


def find_function(name: str) -> Callable[..., pd.DataFrame]:
    """Return the function of that dotted name.

    Raises:
        ConfigurationError: There is no such function.
    """
    module, _, attribute = name.rpartition(".")
    try:
        function: Callable[..., pd.DataFrame] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as exc:
        raise ConfigurationError(f"there is no function {name}: {exc}") from exc
    return function


def compute_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    computation: Computation,
    columns: Sequence[ColumnDoc],
) -> pa.Table:
    """Run a computation on the tables that it reads.

    Args:
        connection: Holds the tables read.
        table: Name of the table that is made, for messages.
        computation: What to run.
        columns: The documented columns.

    Returns:
        The rows in the documented columns and types; NaN is null.

    Raises:
        ConfigurationError: The function fails, or its frame is not as documented.
    """
    frames = []
    for parent, names in computation.reads:
        listed = ", ".join(quote_name(name) for name in names)
        frames.append(connection.execute(f"select {listed} from {parent} order by {listed}").df())
    function = find_function(computation.function)
    try:
        rows = function(*frames)
    except Exception as exc:
        raise ConfigurationError(f"{table} failed in {computation.function}: {exc}") from exc
    return typed_rows(table, columns, rows)


def typed_rows(table: str, columns: Sequence[ColumnDoc], rows: pd.DataFrame) -> pa.Table:
    """Return a frame in the documented types, with NaN as null.

    Raises:
        ConfigurationError: Another set or order of columns, a value that is not of its
            column's type (a fraction of a count, a day with hours), or an infinity.
    """
    import pyarrow as pa

    documented = [column.name for column in columns]
    if list(rows.columns) != documented:
        differences = sorted(set(rows.columns) ^ set(documented))
        raise ConfigurationError(
            f"{table} has not the columns that its .yml documents; they differ in "
            f"{differences or 'their order'}"
        )
    arrays = []
    for column in columns:
        try:
            arrays.append(_as_array(rows[column.name], column.type))
        except (pa.ArrowException, KeyError, TypeError, ValueError) as exc:
            raise ConfigurationError(f"{table}: {column.name} is no {column.type}: {exc}") from exc
    return pa.Table.from_arrays(arrays, names=documented)


def _as_array(values: pd.Series[Any], type_name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    types = {
        "date": pa.timestamp("us"),
        "varchar": pa.string(),
        "double": pa.float64(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "timestamptz": pa.timestamp("us", tz="UTC"),
    }
    if values.isna().all():  # pandas has no type for a column of nulls
        return pa.nulls(len(values), pa.date32() if type_name == "date" else types[type_name])
    array = pa.Array.from_pandas(values, type=types[type_name])
    if type_name == "double" and pc.any(pc.is_inf(array)).as_py():
        raise ValueError("it holds an infinity")
    if type_name == "date":
        days = array.cast(pa.date32())
        if pc.any(pc.not_equal(days.cast(types["date"]), array)).as_py():
            raise ValueError("it holds a time of day")
        return days
    return array
