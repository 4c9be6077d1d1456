"""The tables of ``quality.*`` that the pipeline fills from what the runs have noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import duckdb
import pandas as pd

from pipeline import health, run_log, step_log
from pipeline.database import quote_name
from pipeline.exposures import fill_exposures, read_exposures, shipped_exposures
from pipeline.journal import TABLES, Journal
from pipeline.models import Model
from pipeline.quality.held import fill_held
from pipeline.sessions import list_sessions
from pipeline.settings import Settings
from pipeline.sources.registry import FEEDS, nightly_feeds

# Longer than the exchanges have ever been closed.
_DAYS_BEFORE_FIRST_SESSION = 10

# Which of two words about the same thing is the later one.
_SAID_AT = {
    "check_result": "checked_at",
    "load_result": "loaded_at",
    "quarantine_release": "released_at",
    "audit_result": "audited_at",
}


def fill_table(
    connection: duckdb.DuckDBPyConnection, settings: Settings, model: Model, run_id: str
) -> None:
    """Fill a table about the runs, once the runner has made it empty; leave others alone.

    Args:
        connection: Its current catalog is the warehouse that is built.
        settings: Where the journal and the quarantine are.
        model: The table.
        run_id: The run that builds.
    """
    schema, _, table = model.name.partition(".")
    if schema != "quality":
        return
    if table in TABLES:
        fill_from_journal(connection, settings, model)
    elif table in _FILLERS:
        _FILLERS[table](connection, settings, run_id)


def fill_from_journal(
    connection: duckdb.DuckDBPyConnection, settings: Settings, model: Model
) -> None:
    """Insert what the journal has of a table; of several words on one key the last."""
    table = model.name.partition(".")[2]
    select = Journal(settings.journal_dir).select(table)
    if select is not None:
        grain = ", ".join(quote_name(name) for name in model.doc.grain)
        connection.execute(
            f"insert into {model.name} by name from ({select}) qualify row_number() over "
            f"(partition by {grain} order by {_SAID_AT[table]} desc) = 1"
        )


def _fill_nights(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str) -> None:
    relation = health.recorded(settings.journal_dir)
    if relation is not None:
        connection.execute(
            f"insert into quality.{health.TABLE} by name {health.select_nights(relation)}"
        )


def _fill_health_of_runs(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str
) -> None:
    relation = health.recorded(settings.journal_dir)
    if relation is not None:
        connection.execute(
            "insert into quality.source_health_run "
            f"select run_id, market_date, feed, source, status from {relation} "
            "qualify row_number() over (partition by run_id, feed, source "
            "order by checked_at desc) = 1"
        )


def _fill_steps(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str) -> None:
    relation = step_log.recorded(settings.journal_dir)
    if relation is not None:
        connection.execute(f"insert into quality.{step_log.TABLE} by name from {relation}")


def _fill_runs(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str) -> None:
    _insert_rows(
        connection,
        "quality.run_record",
        pd.DataFrame(list(run_log.records(settings, run_id)), dtype="string"),
    )


def _fill_quarantine(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str
) -> None:
    fill_held(connection, settings, "quality.quarantine_row")


def _fill_feeds(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str) -> None:
    nightly = {feed.name for feed in nightly_feeds(settings)}
    rows = [
        {
            "dataset": feed.dataset,
            "source": source.name,
            "feed": feed.name,
            "preference_rank": rank,
            "lag_days": feed.lag_days,
            "is_blocking": feed.is_blocking,
            "is_nightly": feed.name in nightly,
            "is_set_up": source.is_usable(settings),
        }
        for feed in FEEDS
        for rank, source in enumerate(feed.sources, start=1)
    ]
    _insert_rows(connection, "quality.feed", pd.DataFrame(rows))


def _fill_sessions(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str) -> None:
    stored = connection.execute(
        "select min(market_date), max(market_date) from raw.market_daily"
    ).fetchone()
    if stored is not None and stored[0] is not None:
        first, last = stored
        days = list_sessions(first - timedelta(days=_DAYS_BEFORE_FIRST_SESSION), last)
        _insert_rows(connection, "quality.exchange_session", pd.DataFrame({"session_date": days}))


def _fill_exposures(connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str) -> None:
    own = () if settings.exposures_file is None else read_exposures(settings.exposures_file)
    fill_exposures(connection, (*shipped_exposures(settings.sql_dir), *own))


def _insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame) -> None:
    if not rows.empty:
        connection.register("noted_rows", rows)
        connection.execute(f"insert into {table} by name select * from noted_rows")
        connection.unregister("noted_rows")


_FILLERS: Mapping[str, Callable[[duckdb.DuckDBPyConnection, Settings, str], None]] = {
    health.TABLE: _fill_nights,
    "source_health_run": _fill_health_of_runs,
    "run_record": _fill_runs,
    step_log.TABLE: _fill_steps,
    "quarantine_row": _fill_quarantine,
    "exposure": _fill_exposures,
    "feed": _fill_feeds,
    "exchange_session": _fill_sessions,
}
