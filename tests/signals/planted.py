"""The real signal models over index levels and closes that a test plants.

``run_signals`` fills the tables of ``indices`` that it is given and runs the shipped models
above them unmodified; a market whose indices follow a planted path to the last digit would
need hundreds of coins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from harness import Row, select_of, shipped_project

from pipeline.database import open_scratch, quote_name
from pipeline.datasets import DATASETS, LINEAGE_COLUMNS
from pipeline.models import Project, run_models


@dataclass(frozen=True)
class Tables:
    """The tables that were built."""

    connection: duckdb.DuckDBPyConnection
    project: Project

    def rows(self, table: str, **equals: Any) -> list[Row]:
        """Return a table in the order of its grain, where the named columns have these values."""
        condition = " and ".join(f"{quote_name(name)} = ?" for name in equals)
        grain = ", ".join(self.project.models[table].doc.grain)
        cursor = self.connection.execute(
            f"select * from {table}{' where ' + condition if condition else ''} order by {grain}",
            list(equals.values()),
        )
        names = [str(column[0]) for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def run_signals(
    only: Sequence[str],
    *,
    closes: Iterable[Row] = (),
    levels: Mapping[str, Mapping[date, float]] | None = None,
    ratios: Mapping[str, Mapping[date, float]] | None = None,
    reference: Mapping[str, Sequence[Row]] | None = None,
    threads: int = 1,
) -> Tables:
    """Run the shipped models of these tables.

    Args:
        only: Tables to build, with what they are made from.
        closes: Rows of ``raw.equity_daily``; see ``close`` and ``closes_of``.
        levels: Levels of the house profile by index_id and day.
        ratios: Ratios of the house profile by pair_id and day.
        reference: Rows of reference tables by name, in place of the shipped ones.
        threads: DuckDB threads.
    """
    project = shipped_project()
    given = {
        "indices.index_level_daily": [
            {"market_date": day, "profile": "house", "index_id": index_id, "level": level}
            for index_id, series in (levels or {}).items()
            for day, level in series.items()
        ],
        "indices.index_pair_daily": [
            {"market_date": day, "profile": "house", "pair_id": pair_id, "ratio": ratio}
            for pair_id, series in (ratios or {}).items()
            for day, ratio in series.items()
        ],
        "signals.market_signal_event": [],
    }
    connection = open_scratch(threads)
    connection.execute("attach ':memory:' as raw")
    connection.execute("attach ':memory:' as tidemark")
    connection.execute("use tidemark")
    _fill(
        connection,
        "raw.main.equity_daily",
        [(c.name, c.type) for c in (*DATASETS["equity_daily"].columns, *LINEAGE_COLUMNS)],
        list(closes),
    )
    connection.execute("create schema indices")
    connection.execute("create schema signals")
    for table, rows in given.items():
        documented = [(c.name, c.type) for c in project.models[table].doc.columns]
        _fill(connection, table, documented, rows)
    for model in project.ordered(_above(project, only, set(given))):
        if model.name in given or model.name not in _above(project, only, set(given)):
            continue
        rows_of = (reference or {}).get(model.name.removeprefix("reference."))
        if model.name.startswith("reference.") and rows_of is not None:
            sql = select_of(model, rows_of)
            connection.execute("create schema if not exists reference")
            connection.execute(f"create table {model.name} as {sql}")
        else:
            run_models(connection, [model], with_comments=False)
    return Tables(connection, project)


def _above(project: Project, only: Sequence[str], given: set[str]) -> set[str]:
    """Return the tables asked for and their ancestors, up to those that are given."""
    needed: set[str] = set()
    pending = list(only)
    while pending:
        name = pending.pop()
        if name not in needed and name in project.models:
            needed.add(name)
            if name not in given:
                pending += project.models[name].parents
    return needed


def _fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Row],
) -> None:
    listed = ", ".join(f"{quote_name(name)} {kind}" for name, kind in columns)
    connection.execute(f"create table {table} ({listed})")
    if rows:
        connection.register("given_rows", pd.DataFrame(rows))
        connection.execute(f"insert into {table} by name select * from given_rows")
        connection.unregister("given_rows")


def close(session_date: date, ticker: str, close_points: float | None, **overrides: Any) -> Row:
    """Return one row of ``raw.equity_daily``, seen live on the evening of the session."""
    row: Row = {
        "session_date": session_date,
        "source": "cboe",
        "ticker": ticker,
        "close_points": close_points,
        "known_at": datetime(
            session_date.year, session_date.month, session_date.day, 22, tzinfo=UTC
        ),
        "run_id": f"night-{session_date}",
        "vintage": "live",
    }
    return row | overrides


def sessions(first: date, count: int) -> list[date]:
    """Return weekdays from ``first`` on."""
    days = (first + timedelta(days=number) for number in range(count * 2))
    return [day for day in days if day.weekday() < 5][:count]


def closes_of(ticker: str, days: Sequence[date], prices: Iterable[float]) -> list[Row]:
    """Return a ticker's rows, one per day."""
    return [close(day, ticker, float(p)) for day, p in zip(days, prices, strict=True)]


def every_day(first: date, count: int) -> list[date]:
    """Return calendar days from ``first`` on."""
    return [first + timedelta(days=number) for number in range(count)]


def path(returns: np.ndarray, start: float = 100.0) -> np.ndarray:
    """Return levels, the first of which is ``start``, that have these returns."""
    return start * np.concatenate([[1.0], np.cumprod(1 + returns)])


def on_sessions(days: Sequence[date], levels: Iterable[float]) -> dict[date, float]:
    """Return levels of every calendar day: flat from a session to the day before the next."""
    series: dict[date, float] = {}
    known = dict(zip(days, map(float, levels), strict=True))
    level = known[days[0]]
    for day in every_day(days[0], (days[-1] - days[0]).days + 1):
        level = known.get(day, level)
        series[day] = level
    return series
