"""What readers rely on stays, unless the major version of the contract moves."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pytest
from nights import LAST_HISTORY_DAY, copy_home

from pipeline import steps
from pipeline.accepting import accept
from pipeline.contract import (
    CONTRACT_FILE,
    NO_PROMISE,
    AcceptedTable,
    Contract,
    find_breaches,
    load_contract,
)
from pipeline.contract_audit import fill_columns_before, select_broken_contracts
from pipeline.database import open_scratch
from pipeline.errors import AuditError, ConfigurationError
from pipeline.models import Model, load_project
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

SQL_DIR = Settings(_env_file=None).sql_dir
TABLE = "indices.figure_daily"
COLUMNS = {"market_date": "date", "level": "double"}

WriteModel = Callable[..., Mapping[str, Model]]


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Write a folder of one model with the given columns and load it."""

    def write(
        columns: Mapping[str, str] = COLUMNS, grain: tuple[str, ...] = ("market_date",)
    ) -> Mapping[str, Model]:
        folder = tmp_path / "sql" / "indices"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "figure_daily.yml").write_text(
            json.dumps(
                {
                    "description": "A figure.",
                    "grain": list(grain),
                    "filled_by": "pipeline",
                    "columns": {
                        name: {"type": kind, "meaning": "It", "unit": "unit"}
                        for name, kind in columns.items()
                    },
                }
            )
        )
        return load_project(tmp_path / "sql").models

    return write


def accepted(version: str = "1.4.0", **columns: str) -> Contract:
    return Contract(version, {TABLE: AcceptedTable(("market_date",), columns or COLUMNS)})


def test_the_shipped_contract_is_that_of_the_shipped_models() -> None:
    project = load_project(SQL_DIR)
    assert accept(project.contract, project.models) == project.contract, "run make dictionary"
    text = (SQL_DIR / CONTRACT_FILE).read_text(encoding="utf-8")
    assert text == project.contract.to_json(), "run make dictionary"
    assert len(project.contract.tables) > 100


def test_nothing_new_keeps_the_version(write_model: WriteModel) -> None:
    assert accept(accepted(), write_model()) == accepted()


def test_what_is_added_moves_the_minor_version(write_model: WriteModel) -> None:
    models = write_model({**COLUMNS, "note": "varchar"})
    assert find_breaches(accepted(), models) == []
    found = accept(accepted(), models)
    assert (found.version, found.tables[TABLE].columns["note"]) == ("1.5.0", "varchar")


@pytest.mark.parametrize(
    ("columns", "grain", "said"),
    [
        ({"market_date": "date"}, ("market_date",), r"figure_daily\.level: the column is gone"),
        ({**COLUMNS, "level": "float"}, ("market_date",), "was double, is float"),
        (COLUMNS, ("market_date", "level"), "the key is another"),
    ],
)
def test_what_breaks_readers_is_refused_unless_the_major_version_moves(
    write_model: WriteModel, columns: dict[str, str], grain: tuple[str, ...], said: str
) -> None:
    models = write_model(columns, grain)
    with pytest.raises(ConfigurationError, match=said):
        accept(accepted(), models)
    assert accept(accepted(), models, is_major=True).version == "2.0.0"


def test_a_table_that_is_gone_breaks_readers(write_model: WriteModel) -> None:
    contract = Contract("1.0.0", {**accepted().tables, "indices.lost": AcceptedTable((), {})})
    (breach,) = find_breaches(contract, write_model())
    assert (breach.table_name, breach.column_name, breach.found) == ("indices.lost", None, None)


def test_the_audit_names_what_was_accepted_and_is_gone(write_model: WriteModel) -> None:
    models = write_model({"market_date": "date"})
    with open_scratch() as connection:
        connection.execute(f"create schema indices; create table {TABLE} (market_date date)")
        rows = connection.execute(select_broken_contracts(models, accepted())).fetchall()
    assert rows == [
        (TABLE, "level", "double", None, "the column is gone, and version 1.4.0 has it")
    ]


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema_version": "one", "tables": {}}', "{"])
def test_a_damaged_contract_is_told_as_such(tmp_path: Path, content: str) -> None:
    (tmp_path / CONTRACT_FILE).write_text(content)
    with pytest.raises(ConfigurationError, match=r"contract\.json is no contract"):
        load_contract(tmp_path)


def test_a_folder_without_a_contract_promises_nothing(tmp_path: Path) -> None:
    assert load_contract(tmp_path) == Contract(NO_PROMISE, {})


def run_command() -> None:
    sys.modules.pop("pipeline.accepting", None)
    runpy.run_module("pipeline.accepting", run_name="__main__")


def test_the_command_accepts_additions_and_refuses_losses(
    write_model: WriteModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sql_dir = tmp_path / "sql"
    write_model()
    (sql_dir / CONTRACT_FILE).write_text(accepted(level="float").to_json())
    monkeypatch.setattr("sys.argv", ["contract", str(sql_dir)])
    with pytest.raises(SystemExit, match="1"):
        run_command()
    assert "make contract MAJOR=1" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["contract", str(sql_dir), "--major"])
    run_command()
    assert load_contract(sql_dir) == Contract("2.0.0", accepted().tables)
    run_command()
    assert load_contract(sql_dir).version == "2.0.0"


# --- against the file that readers have ---------------------------------------------------------


@pytest.fixture
def published(tmp_path: Path) -> Path:
    file = tmp_path / "published.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create schema indices; create table indices.level (day date, known_at timestamptz)"
        )
    return file


def columns_before(
    published: Path, contract: Contract, manifest: dict[str, str] | None
) -> list[tuple[str, ...]]:
    with open_scratch() as connection:
        connection.execute(
            "create schema quality; create table quality.published_column "
            "(table_name varchar, column_name varchar, column_type varchar, version varchar)"
        )
        fill_columns_before(connection, published, manifest, contract)
        assert connection.execute("select count(*) from duckdb_databases()").fetchone() == (3,)
        found: list[tuple[str, ...]] = connection.execute(
            "from quality.published_column order by all"
        ).fetchall()
    return found


def test_what_readers_have_is_read_from_their_file(published: Path) -> None:
    expected = [
        ("indices.level", "day", "date", "1.2.0"),
        ("indices.level", "known_at", "timestamptz", "1.2.0"),
    ]
    for version in ("1.2.0", "1.9.0", "1.0.0"):
        manifest = {"schema_version": "1.2.0"}
        assert columns_before(published, Contract(version, {}), manifest) == expected


def test_readers_keep_nothing_over_a_major_version_or_without_a_promise(published: Path) -> None:
    manifest = {"schema_version": "1.2.0"}
    assert columns_before(published, Contract("2.0.0", {}), manifest) == []
    assert columns_before(published, Contract(NO_PROMISE, {}), manifest) == []
    assert columns_before(published, Contract("1.2.0", {}), None) == []


def test_a_damaged_published_file_does_not_stop_what_takes_its_place(
    published: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published.write_bytes(b"no database")
    assert columns_before(published, Contract("1.2.0", {}), {"schema_version": "1.2.0"}) == []
    assert "cannot be compared" in caplog.text


def test_a_build_without_a_table_of_readers_is_published_with_another_major_version_only(
    loaded_home: Path, small_sql_dir: Path, tmp_path: Path
) -> None:
    sql_dir = tmp_path / "sql"
    shutil.copytree(small_sql_dir, sql_dir)
    models = load_project(sql_dir).models
    version = load_contract(SQL_DIR).version
    contract = accept(Contract(version, {}), models)
    (sql_dir / CONTRACT_FILE).write_text(contract.to_json())
    home = copy_home(loaded_home, tmp_path / "home", None, sql_dir=sql_dir)
    before = home.published_bytes()
    settings = home.settings(LAST_HISTORY_DAY, hour=2)
    built = steps.build(settings, LAST_HISTORY_DAY, "fewer-tables")

    with pytest.raises(AuditError, match=r"class_suspicion, .* = a table, found"):
        steps.audit(settings, built)
    assert home.published_bytes() == before

    (sql_dir / CONTRACT_FILE).write_text(
        accept(load_contract(SQL_DIR), models, is_major=True).to_json()
    )
    manifest = steps.publish(settings, steps.audit(settings, built))
    assert manifest["schema_version"] == "2.0.0"
    gone = "from duckdb_tables() where table_name = 'class_suspicion'"
    assert home.query(gone) == []

    rolled_back = Warehouse(settings).rollback()
    assert rolled_back["schema_version"] == version
