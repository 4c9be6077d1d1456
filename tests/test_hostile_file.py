"""A published file in which every text is a stranger's, through every command that reads one."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import duckdb
import pytest
from cli_runner import Run
from hostile_names import STORABLE_NAMES, faults_in_csv, faults_in_terminal_text
from nights import LAST_HISTORY_DAY, Home

from pipeline.database import quote_name

NAMES = sorted(set(STORABLE_NAMES.values()), key=len)
# What a command is asked for, or chooses its own words by.
KEPT_COLUMNS = {
    *("profile", "index_id", "signal_id", "slug", "table_name", "value_column", "claim_id"),
    *("verdict", "sample", "bucket", "event_kind", "build_id"),
}
SCHEMAS = ("indices", "signals", "staging", "reference")


def make_hostile(file: Path) -> None:
    """Put a name of the corpus before every text; texts that were alike still are."""
    with duckdb.connect(str(file)) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and data_type = 'VARCHAR' order by all"
        ).fetchall()
        connection.execute(
            "create table main.hostile as select ?::varchar[] as names",
            [[name[:400] for name in NAMES]],
        )
        for schema, table, column in columns:
            if schema in SCHEMAS and column not in KEPT_COLUMNS:
                name = quote_name(column)
                connection.execute(
                    f"update {schema}.{table} set {name} = (select names from main.hostile)"
                    f"[1 + (hash({name}) % {len(NAMES)})::int] || ' ' || {name}"
                )
        connection.execute("drop table main.hostile")


@pytest.fixture(scope="module")
def hostile_home(loaded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with nothing but such a file."""
    home = Home(tmp_path_factory.mktemp("hostile-file") / "home")
    home.published.mkdir(parents=True)
    home.file.write_bytes((loaded_home / "published" / "tidemark.duckdb").read_bytes())
    make_hostile(home.file)
    return home


def test_explain_shows_hostile_texts_and_nothing_acts(hostile_home: Home, run: Run) -> None:
    day = str(LAST_HISTORY_DAY)
    shown = run("explain", "large", day, "--top", "200", home=hostile_home)
    assert shown.code == 0, shown.err
    assert faults_in_terminal_text(shown.out) == []
    found = run("explain", "large", day, "--json")
    assert found.out.isascii()
    coins = {row["coin_id"] for row in found.parsed()["constituents"]}
    assert len(coins) > 10
    assert any(coin.startswith(tuple(NAMES)) for coin in coins)


@pytest.mark.parametrize("columns", ["80", pytest.param("200", marks=pytest.mark.slow)])
def test_claims_and_signals_show_hostile_texts_and_nothing_acts(
    columns: str, hostile_home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ids = [
        signal_id
        for (signal_id,) in hostile_home.query(
            "select signal_id from reference.signal_definition order by all"
        )
    ]
    commands = [("claims",), ("claims", "--json")]
    commands += [("signal", signal_id, "--top", "50") for signal_id in ids]
    commands += [("signal", ids[0], "--json")]
    for command in commands:
        shown = run(*command, home=hostile_home)
        assert shown.code == 0, shown.err
        assert faults_in_terminal_text(shown.out) == [], command
        if "--json" in command:
            assert shown.out.isascii()
            assert shown.parsed()


def test_diff_shows_hostile_texts_and_nothing_acts(
    hostile_home: Home, loaded_home: Path, run: Run
) -> None:
    old = str(loaded_home / "published" / "tidemark.duckdb")
    for option in ((), ("--json",)):
        shown = run("diff", old, str(hostile_home.file), *option, home=hostile_home)
        assert shown.code == 0, shown.err
        assert faults_in_terminal_text(shown.out) == []
    assert shown.out.isascii()
    assert shown.parsed()


@pytest.mark.parametrize("table", ["staging.coin", "reference.signal_definition"])
def test_csv_of_a_query_holds_no_formula_wherever_a_spreadsheet_cuts_it(
    table: str, hostile_home: Home, run: Run
) -> None:
    shown = run("query", f"from {table} order by all", "--csv", home=hostile_home)
    assert shown.code == 0, shown.err
    assert faults_in_terminal_text(shown.out) == []
    rows = list(csv.reader(io.StringIO(shown.out)))
    assert len({len(row) for row in rows}) == 1
    for delimiter in ",;|\t":
        assert faults_in_csv(shown.out, delimiter) == []
