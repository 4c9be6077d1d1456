"""How fresh a source is, by the real SQL and the real calendar of the exchanges."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipeline.database import open_scratch
from pipeline.datasets import DATASETS
from pipeline.models import load_project, run_models
from pipeline.quality_tables import fill_table
from pipeline.raw_store import empty_select
from pipeline.settings import Settings

NEEDED = (
    "quality.feed",
    "quality.exchange_session",
    "reference.signal_input",
    "reference.signal_definition",
    "quality.freshness",
)
FIRST_DAY = date(2024, 1, 2)


def freshness(home: Path, last: date, newest: date) -> tuple[object, ...]:
    """Return expected day, age and state of Cboe when its newest session is ``newest``."""
    settings = Settings(_env_file=None, home=home)
    models = load_project(settings.sql_dir).models
    with open_scratch(1) as connection:
        connection.execute("attach ':memory:' as raw")
        for dataset in DATASETS.values():
            connection.execute(f"create table raw.{dataset.name} as {empty_select(dataset)}")
        for day in (FIRST_DAY, last):
            _insert(connection, "raw.market_daily", market_date=day, source="coingecko")
        _insert(connection, "raw.equity_daily", session_date=newest, source="cboe", ticker="RUT")
        connection.execute("create schema staging")
        connection.execute(
            "create table staging.market_calendar as select max(market_date) as market_date "
            "from raw.market_daily"
        )
        for name in NEEDED:
            run_models(connection, [models[name]], with_comments=False)
            fill_table(connection, settings, models[name], "a-run")
        found = connection.execute(
            "select expected_date, age_days, state from quality.freshness where source = 'cboe'"
        ).fetchall()
    (only,) = found
    return tuple(only)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    columns = ", ".join(values)
    marks = ", ".join("?" for _ in values)
    connection.execute(f"insert into {table} ({columns}) values ({marks})", list(values.values()))


@pytest.mark.parametrize(
    ("last", "newest", "expected"),
    [
        # Good Friday: Thursday's session is the last there is.
        ("2024-03-29", "2024-03-28", ("2024-03-29", "2024-03-28", 0, "fresh")),
        ("2024-03-31", "2024-03-27", ("2024-03-31", "2024-03-28", 1, "late")),
        # A weekday without a holiday has a session of its own.
        ("2024-03-28", "2024-03-27", ("2024-03-28", "2024-03-28", 1, "late")),
        ("2024-04-01", "2024-03-28", ("2024-04-01", "2024-04-01", 4, "late")),
        ("2024-04-03", "2024-03-28", ("2024-04-03", "2024-04-03", 6, "stale")),
        # A day of mourning, which no rule of the calendar knows.
        ("2025-01-09", "2025-01-08", ("2025-01-09", "2025-01-08", 0, "fresh")),
    ],
)
def test_stock_indices_are_expected_up_to_the_last_session(
    tmp_path: Path, last: str, newest: str, expected: tuple[object, ...]
) -> None:
    found = freshness(tmp_path, date.fromisoformat(last), date.fromisoformat(newest))
    assert (last, str(found[0]), *found[1:]) == expected
