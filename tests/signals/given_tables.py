"""The real signal models over whatever tables a test gives.

``build`` runs the shipped models of the tables asked for, and of what they are made from,
down to the tables that are given: a test plants its truth as near to the model as it likes::

    with build("signals.index_extreme_daily", {"indices.index_statistic_daily": rows}) as built:
        built.rows("signals.index_extreme_daily")

Raw datasets and the ledger that are not given are empty; reference tables are the shipped
ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from harness import Row, columns_of, shipped_project

from pipeline.database import open_scratch, quote_name
from pipeline.models import run_models

_ARROW = {
    "date": pa.date32(),
    "varchar": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Built:
    """The tables of one test."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, table: str, **equals: Any) -> list[Row]:
        """Return a table in the order of its grain, where the named columns have these values."""
        condition = " and ".join(f"{quote_name(name)} = ?" for name in equals)
        grain = ", ".join(shipped_project().models[table].doc.grain)
        cursor = self.connection.execute(
            f"select * from {table}{' where ' + condition if condition else ''} order by {grain}",
            list(equals.values()),
        )
        names = [str(column[0]) for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, table: str, **equals: Any) -> Row:
        """Return the only row with these values."""
        (found,) = self.rows(table, **equals)
        return found


@contextmanager
def build(
    wanted: str | Sequence[str], given: Mapping[str, Sequence[Row]], threads: int = 1
) -> Iterator[Built]:
    """Build tables from given ones.

    Args:
        wanted: One table or several, as ``schema.table``.
        given: Rows by table, as ``schema.table`` or ``raw.dataset``; a column that a row
            leaves out is null.
        threads: DuckDB threads.
    """
    project = shipped_project()
    asked = [wanted] if isinstance(wanted, str) else list(wanted)
    needed, pending = set(), list(asked)
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            if name not in given and name in project.models:
                pending += project.models[name].parents
    unused = set(given) - needed
    assert not unused, f"{sorted(unused)} are not read"
    connection = open_scratch(threads)
    try:
        for catalog in ("raw", "ledger", "tidemark"):
            connection.execute(f"attach ':memory:' as {catalog}")
        connection.execute("use tidemark")
        for name in sorted(needed - set(project.models)):
            catalog, _, table = name.partition(".")
            columns = [(c.name, c.type) for c in columns_of(catalog, table)]
            _fill(connection, f"{catalog}.main.{table}", columns, given.get(name, []))
        for model in project.ordered(needed & set(project.models)):
            if model.name in given:
                connection.execute(f"create schema if not exists {model.name.split('.')[0]}")
                columns = [(c.name, c.type) for c in model.doc.columns]
                _fill(connection, model.name, columns, given[model.name])
            elif model.name in needed:
                run_models(connection, [model], with_comments=False)
        yield Built(connection)
    finally:
        connection.close()


def _fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Row],
) -> None:
    stray = {name for row in rows for name in row} - {name for name, _ in columns}
    assert not stray, f"{table} has no column {sorted(stray)}"
    listed = ", ".join(f"{quote_name(name)} {kind}" for name, kind in columns)
    connection.execute(f"create table {table} ({listed})")
    if rows:
        content = pa.table(
            {
                name: pa.array([row.get(name) for row in rows], type=_ARROW[kind])
                for name, kind in columns
            }
        )
        connection.register("given_rows", content)
        connection.execute(f"insert into {table} select * from given_rows")
        connection.unregister("given_rows")


def days_from(first: date, count: int) -> list[date]:
    """Return consecutive days."""
    return [first + timedelta(days=number) for number in range(count)]


def raw_row(market_date: date, source: str = "vendor", **values: Any) -> Row:
    """Return a row of a raw dataset, learned live half an hour after its day."""
    midnight = datetime.combine(market_date, time(), tzinfo=UTC) + timedelta(days=1)
    row = {
        "market_date": market_date,
        "source": source,
        "known_at": midnight + timedelta(minutes=30),
        "run_id": f"night-{market_date}",
        "vintage": "live",
    }
    return row | values


def percentile_of_last(values: Sequence[float]) -> float:
    """Return the percentile of the last value in its own window, by the formula in words."""
    below = sum(value < values[-1] for value in values)
    return 100 * below / (len(values) - 1)
