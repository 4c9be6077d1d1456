"""A night on which strangers chose the names: through every step, into every output."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from cli_runner import Run
from hostile_names import (
    HOSTILE_NAMES,
    STORABLE_NAMES,
    faults_in_csv,
    faults_in_terminal_text,
)
from nights import COIN_COUNT, FIRST_DAY, NIGHTS, SEED, Home, copy_home, run_time
from small_project import KEPT, write_small_project

from pipeline import steps
from pipeline.database import open_scratch
from pipeline.datasets import DATASETS
from pipeline.errors import QualityError
from pipeline.files import folder_name
from pipeline.importing import find_files, import_file
from pipeline.loading import load_frame
from pipeline.quality.quarantine import Quarantine
from pipeline.raw_store import RawStore
from pipeline.sandbox.market import Labels, SimulatedMarket
from pipeline.sandbox.server import create_server
from pipeline.settings import Settings

NIGHT = NIGHTS[0]
MARKET = DATASETS["market_daily"]
NAMES = list(HOSTILE_NAMES.values())


def hostile_labels(market: SimulatedMarket) -> Labels:
    """Give every simulated coin two names of the corpus, each name to several coins."""
    chosen = {}
    for number, coin in enumerate(market.coins):
        name = NAMES[number % len(NAMES)]
        chosen[coin.coin_id] = (NAMES[-1 - number % len(NAMES)], name)
    return chosen


def expected_text(name: str) -> str | None:
    """Return what a name is stored as: without blanks around it, and valid Unicode."""
    valid = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in name)
    return valid.strip() or None


@pytest.fixture(scope="module")
def labels() -> Labels:
    return hostile_labels(SimulatedMarket(SEED, FIRST_DAY, NIGHT, COIN_COUNT))


@pytest.fixture(scope="module")
def hostile_home(
    labels: Labels, loaded_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    """A home after a night on which every coin had a name of the corpus."""
    folder = tmp_path_factory.mktemp("hostile")
    write_small_project(
        Settings(_env_file=None).sql_dir,
        folder / "sql",
        (*KEPT, "staging.coin", "indices.event_log", "indices.index_statistic_daily"),
    )
    with create_server(SEED, first_day=FIRST_DAY, coin_count=COIN_COUNT, labels=labels) as sandbox:
        home = copy_home(loaded_home, folder / "home", sandbox, sql_dir=folder / "sql")
        home.refresh(NIGHT)
        yield home


def test_names_change_no_figure_and_are_stored_as_they_came(
    hostile_home: Home, three_nights_path: Path, labels: Labels
) -> None:
    levels = (
        "select profile, index_id, level from indices.index_level_daily "
        f"where market_date = '{NIGHT}' order by all"
    )
    assert hostile_home.last_day() == NIGHT
    assert hostile_home.query(levels) == Home(three_nights_path).query(levels)
    stored = hostile_home.query(
        "select coin_id, symbol, name from staging.coin "
        f"where last_date = '{NIGHT}' and coin_id in (select unnest({list(labels)}))"
    )
    assert len(stored) > 100
    history = {coin_id: (symbol, name) for coin_id, symbol, name in stored}
    for coin_id, (symbol, name) in history.items():
        wanted_symbol, wanted_name = (expected_text(text) for text in labels[coin_id])
        if wanted_name is not None:
            assert name == wanted_name
        if wanted_symbol is not None:
            assert symbol == wanted_symbol.upper()


def test_a_hostile_night_leaves_only_files_of_its_own(hostile_home: Home) -> None:
    assert not Path("/tmp/tidemark-owned").exists()
    for path in hostile_home.path.rglob("*"):
        assert path.name.isascii()
        assert path.resolve().is_relative_to(hostile_home.path.resolve())
        assert not any(word in path.name for word in ("passwd", "script", "evil"))


def test_the_command_line_shows_hostile_names_and_nothing_acts(
    hostile_home: Home, run: Run
) -> None:
    sql = f"select name, symbol, coin_id from staging.coin where last_date = '{NIGHT}' order by all"
    known = hostile_home.query(sql)
    shown = run("query", sql, home=hostile_home)
    assert shown.code == 0
    assert faults_in_terminal_text(shown.out + shown.err) == []
    for word in (
        "[red]Bitcoin[/red]",
        "[link=http",
        ":skull:",
        "{{7*7}}",
        "\\x1b[2J",
    ):
        assert word in shown.out.replace("\n", "")

    asked = run("query", sql, "--json")
    assert asked.out.isascii()
    assert [(row["name"], row["symbol"], row["coin_id"]) for row in asked.parsed()] == known

    table = run("query", sql, "--csv").out
    assert faults_in_csv(table) == []
    assert faults_in_terminal_text(table) == []
    assert len(list(csv.reader(io.StringIO(table)))) == len(known) + 1

    explained = run("explain", "large", str(NIGHT))
    assert explained.code == 0
    assert faults_in_terminal_text(explained.out) == []


def test_names_as_columns_of_a_query_are_shown_and_nothing_acts(
    hostile_home: Home, run: Run
) -> None:
    sql = "pivot (select distinct name from staging.coin where name <> '') on name using count(*)"
    for option in ((), ("--json",), ("--csv",)):
        shown = run("query", sql, *option, home=hostile_home)
        assert shown.code == 0, shown.err
        assert faults_in_terminal_text(shown.out) == []
    assert "[red]Bitcoin[/red]" in run("query", sql, "--json").parsed()[0]


def hostile_rows(*, has_hostile_ids: bool = False) -> pd.DataFrame:
    """Return a market in which every symbol and name is of the corpus, and every id if wanted."""
    names = sorted(set(STORABLE_NAMES.values()))
    ids = names if has_hostile_ids else [f"coin-{number}" for number in range(len(names))]
    return pd.DataFrame(
        {
            "market_date": NIGHT,
            "source": "import",
            "coin_id": ids,
            "symbol": names[::-1],
            "name": names,
            "price_usd": 1.0,
            "market_cap_usd": 1e6,
            "circulating_supply": 1e6,
            "volume_24h_usd": 1e5,
            "provider_rank": pd.array(range(1, len(ids) + 1), dtype="Int64"),
        }
    )


def load(home: Home, frame: pd.DataFrame, run_id: str, source: str = "import") -> None:
    load_frame(
        home.settings(NIGHT),
        frame,
        MARKET,
        market_date=NIGHT,
        run_id=run_id,
        source=source,
        known_at=run_time(NIGHT),
        vintage="reconstructed",
        payload_refs=[f"import/{source}"],
    )


def test_hostile_names_pass_the_gate_and_are_kept_exactly(empty_home: Home) -> None:
    rows = hostile_rows()
    load(empty_home, rows, "run")
    store = RawStore(empty_home.path / "raw")
    with open_scratch() as connection:
        stored = connection.execute(
            f"select coin_id, symbol, name from ({store.select(MARKET)}) order by coin_id"
        ).fetchall()
    assert sorted(stored) == sorted(rows[["coin_id", "symbol", "name"]].itertuples(index=False))
    load(empty_home, rows, "again")
    assert len(store.files(MARKET)) == 1


def test_hostile_ids_are_kept_in_quarantine_exactly_and_told_safely(
    empty_home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(QualityError) as refused:
        load(empty_home, hostile_rows(has_hostile_ids=True), "../../../run\r\n[red]")
    held = Quarantine(empty_home.path / "quarantine").read()
    assert set(held["rule_id"]) == {"market_daily.key_well_formed"}
    let_through = set(STORABLE_NAMES.values()) - set(held["coin_id"])
    assert all(re.fullmatch(r"[a-z0-9_.-]*[a-z0-9][a-z0-9_.-]*", name) for name in let_through)
    for command in (("list",), ("show", "--limit", "200"), ("show", "--json"), ("show", "--csv")):
        shown = run("quarantine", *command, home=empty_home)
        assert shown.code == 0, shown.err
        assert faults_in_terminal_text(shown.out) == []
        if "--csv" in command:
            assert faults_in_csv(shown.out) == []
        if "--json" in command:
            assert {row["coin_id"] for row in shown.parsed()} == set(held["coin_id"])

    def refuse(*_: object, **__: object) -> None:
        raise refused.value

    monkeypatch.setattr(steps, "refresh", refuse)
    told = run("refresh", "--market-date", str(NIGHT), home=empty_home)
    assert told.code == 1
    assert faults_in_terminal_text(told.err) == []
    files = [path for path in empty_home.path.rglob("*") if path.is_file()]
    assert all(path.resolve().is_relative_to(empty_home.path.resolve()) for path in files)
    assert {path.name for path in empty_home.path.parent.iterdir()} == {"home"}


@pytest.mark.parametrize("run_id", ["..", ".", "../..", "a/../../b", "\x00", "x" * 20, "CON", "é"])
def test_the_id_of_a_run_names_no_other_folder(run_id: str, tmp_path: Path) -> None:
    root = tmp_path / "journal"
    assert (root / folder_name(run_id)).resolve().parent == root.resolve()


def test_an_import_keeps_hostile_names_whatever_its_file_is_called(
    empty_home: Home, tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    rows = hostile_rows()
    rows.iloc[::2].to_csv(
        folder / "market_daily_$(id);'--[red]\x1b[2J\n=1+1.csv", index=False, quoting=csv.QUOTE_ALL
    )
    rows.iloc[1::2].to_parquet(folder / "market_daily_{{7*7}}%s\u202e.parquet", index=False)
    for file in find_files(folder):
        report = import_file(empty_home.settings(NIGHT), file, "import")
        assert report.error is None
    store = RawStore(empty_home.path / "raw")
    with open_scratch() as connection:
        stored = connection.execute(
            f"select coin_id, symbol, name from ({store.select(MARKET)})"
        ).fetchall()
    assert sorted(stored) == sorted(rows[["coin_id", "symbol", "name"]].itertuples(index=False))
    shown = run("import", str(folder), home=empty_home)
    assert shown.code == 0, shown.err
    assert faults_in_terminal_text(shown.out + shown.err) == []


def test_what_travels_between_tasks_is_json_and_rendered_by_nobody(hostile_home: Home) -> None:
    extracted = steps.extract(hostile_home.settings(NIGHT, 2), "market_daily", NIGHT, "xcom")
    assert json.loads(json.dumps(extracted)) == extracted
    assert "{{" not in json.dumps(extracted)


def test_names_are_values_in_sql_and_never_its_text(hostile_home: Home) -> None:
    twin = hostile_home.published / "parquet" / "indices" / "index_level_daily.parquet"
    assert pq.read_metadata(twin).num_rows > 0
    tables = {name for (name,) in hostile_home.query("select table_name from duckdb_tables()")}
    assert "index_level_daily" in tables
    assert all(name.isidentifier() for name in tables)
