"""Who reads what is told as it is, and a column that a reader needs is not lost unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from nights import NIGHTS, Home

from pipeline import database
from pipeline.alerts.build_findings import restatement_findings
from pipeline.alerts.chart import level_chart
from pipeline.alerts.state import AlertState
from pipeline.alerts.weekly import compose_weekly
from pipeline.claims import read_claims
from pipeline.database import open_scratch
from pipeline.errors import ConfigurationError
from pipeline.explain import explain_level
from pipeline.exposing import columns_read, derive_exposures, renewed
from pipeline.exposures import (
    EXPOSURES_FILE,
    Exposure,
    fill_exposures,
    read_exposures,
    select_missing,
)
from pipeline.models import load_project
from pipeline.quality_tables import fill_table
from pipeline.settings import Settings
from pipeline.signal_page import read_signal

SQL_DIR = Settings(_env_file=None).sql_dir
QUERIES_DIR = Path(__file__).resolve().parents[1] / "docs" / "queries"
PROJECT = load_project(SQL_DIR)
SHIPPED = {exposure.name: exposure for exposure in PROJECT.exposures}


# --- the shipped file -----------------------------------------------------------------------------


def test_the_shipped_file_is_what_the_selects_and_datasets_read() -> None:
    text = (SQL_DIR / EXPOSURES_FILE).read_text(encoding="utf-8")
    assert text == renewed(PROJECT, SQL_DIR, QUERIES_DIR), "run make dictionary"


def test_every_select_query_and_dataset_is_a_reader() -> None:
    derived = derive_exposures(PROJECT, SQL_DIR, QUERIES_DIR)
    kinds = [exposure.kind for exposure in derived]
    assert kinds.count("query") == 20
    assert kinds.count("report") == len(list((SQL_DIR / "report").glob("*.sql")))
    assert kinds.count("dashboard") == 4
    untyped = [
        (exposure.name, table, column)
        for exposure in derived
        for table, columns in exposure.reads.items()
        for column, kind in columns.items()
        if kind is None
    ]
    assert untyped == [], "a dataset of Superset names a column that no table has"


class Recorder:
    """A connection that keeps the SQL that it is given."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, heard: list[str]) -> None:
        self._connection, self._heard = connection, heard

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def execute(self, sql: str, *values: Any) -> Any:
        self._heard.append(sql)
        return self._connection.execute(sql, *values)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the published file from now on."""
    asked: list[str] = []
    open_file = database.open_read_only
    monkeypatch.setattr(database, "open_read_only", lambda path: Recorder(open_file(path), asked))
    return asked


def mail_weekly(settings: Settings, night: date) -> None:
    compose_weekly(settings, AlertState())


def mail_alert(settings: Settings, night: date) -> None:
    assert level_chart(settings, night) is not None
    restatement_findings(settings)


def command_claims(settings: Settings, night: date) -> None:
    with database.open_read_only(settings.published_file) as connection:
        assert read_claims(connection, None)


def command_explain(settings: Settings, night: date) -> None:
    with database.open_read_only(settings.published_file) as connection:
        explain_level(connection, "house", "small", night)
        with pytest.raises(ConfigurationError):
            explain_level(connection, "house", "none", night)


def command_signal(settings: Settings, night: date) -> None:
    with database.open_read_only(settings.published_file) as connection:
        for (signal_id,) in connection.execute(
            "select signal_id from reference.signal_definition"
        ).fetchall():
            read_signal(connection, PROJECT, signal_id, None)


BY_HAND = (mail_weekly, mail_alert, command_claims, command_explain, command_signal)


@pytest.mark.parametrize("read", BY_HAND, ids=lambda read: str(read.__name__))
def test_what_is_kept_by_hand_is_what_the_code_asks(
    three_nights_path: Path, heard: list[str], read: Callable[[Settings, date], None]
) -> None:
    night = NIGHTS[2]
    read(Home(three_nights_path).settings(night), night)
    asked: dict[str, set[str]] = {}
    for sql in heard:
        for table, columns in columns_read(sql, PROJECT.models, where=read.__name__).items():
            asked.setdefault(table, set()).update(columns)
    told = {table: set(columns) for table, columns in SHIPPED[read.__name__].reads.items()}
    assert told == asked


def test_nothing_else_is_kept_by_hand() -> None:
    by_hand = {name for name, exposure in SHIPPED.items() if exposure.derived_from is None}
    assert by_hand == {read.__name__ for read in BY_HAND}


# --- what a query reads ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select level from indices.index_level_daily", {"level"}),
        (
            "with a as (select * from indices.index_level_daily) "
            "select level from a where profile = 'house' order by market_date",
            {"level", "profile", "market_date"},
        ),
        (
            "select max(l.level) as m from indices.index_level_daily as l group by l.index_id",
            {"level", "index_id"},
        ),
        ("select count(*) from indices.index_level_daily", set()),
        (
            "with u as (unpivot indices.index_level_daily on level, divisor into name n value v) "
            "select v from u",
            {"level", "divisor"},
        ),
    ],
)
def test_columns_are_found_wherever_they_are_used(sql: str, expected: set[str]) -> None:
    found = columns_read(sql, PROJECT.models, where="a query")
    assert found == {"indices.index_level_daily": expected}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from indices.basket", "not published"),
        ("select * from indices.no_such_table", "not published"),
        ("select no_column from indices.index_level_daily", "cannot be resolved"),
    ],
)
def test_a_query_that_reads_what_is_not_there_is_refused(sql: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        columns_read(sql, PROJECT.models, where="a query")


# --- a user's own, and the audit ------------------------------------------------------------------

OWN = """\
exposures:
  - name: wall
    type: dashboard
    owner: research
    description: Levels on the wall.
    depends_on:
      indices.level: {day: date, level: double}
      indices.review: [additions]
      main.about: []
"""


@pytest.fixture
def built() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scratch() as connection:
        for statement in (
            "create schema indices",
            "create schema quality",
            "create table indices.level (day date, level double)",
            "create table indices.review (additions varchar)",
            "create table main.about (day date)",
            "create table quality.exposure (exposure varchar, kind varchar, owner varchar, "
            "description varchar, table_name varchar, column_name varchar, column_type varchar)",
        ):
            connection.execute(statement)
        yield connection


def missing(built: duckdb.DuckDBPyConnection, *changes: str) -> list[tuple[Any, ...]]:
    for change in changes:
        built.execute(change)
    found: list[tuple[Any, ...]] = built.execute(
        select_missing(["indices.level", "indices.review", "main.about"])
    ).fetchall()
    return found


def own(tmp_path: Path, text: str = OWN) -> tuple[Exposure, ...]:
    path = tmp_path / "own.yml"
    path.write_text(text)
    return read_exposures(path)


def test_a_reader_that_finds_everything_is_no_problem(
    built: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fill_exposures(built, own(tmp_path))
    assert missing(built) == []
    assert missing(built, "alter table indices.level add column more double") == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "alter table indices.level drop column level",
            ("wall", "research", "indices.level", "level", "double", None),
        ),
        (
            "alter table indices.level alter column level type float",
            ("wall", "research", "indices.level", "level", "double", "float"),
        ),
        (
            "alter table indices.review rename column additions to added",
            ("wall", "research", "indices.review", "additions", None, None),
        ),
        ("drop table main.about", ("wall", "research", "main.about", "*", None, None)),
    ],
)
def test_what_a_reader_misses_is_named_with_its_owner(
    built: duckdb.DuckDBPyConnection, tmp_path: Path, change: str, expected: tuple[Any, ...]
) -> None:
    fill_exposures(built, own(tmp_path))
    assert missing(built, change) == [expected]


def test_a_column_without_a_type_may_change_its_type(
    built: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fill_exposures(built, own(tmp_path))
    assert missing(built, "alter table indices.review alter additions type integer") == []


def test_a_file_of_a_users_own_is_added_to_the_shipped_ones(
    built: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "own.yml").write_text(OWN)
    settings = Settings(_env_file=None, exposures_file=tmp_path / "own.yml")
    fill_table(built, settings, PROJECT.models["quality.exposure"], "a-run")
    names = {name for (name,) in built.execute("select exposure from quality.exposure").fetchall()}
    assert names == {"wall", *SHIPPED}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exposures: 3", "no list of exposures"),
        ("- a\n", "no list of exposures"),
        (OWN.replace("    owner: research\n", ""), "owner"),
        (OWN.replace("[additions]", "additions"), "neither a list of columns"),
        (OWN + OWN.partition("\n")[2], "wall twice"),
        ("\tx", "no list of exposures"),
    ],
)
def test_a_file_in_another_form_is_told_as_such(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        own(tmp_path, text)


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yml"):
        read_exposures(tmp_path / "none.yml")
