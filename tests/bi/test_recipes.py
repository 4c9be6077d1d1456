"""The connection recipes of ``docs/bi.md`` that can run here, and how each sees a publish."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import sqlalchemy
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bi.md").read_text(encoding="utf-8")
CLI = Path(sys.executable).with_name("duckdb")
HOW_MANY = "select count(*) from indices.index_level_daily"


def section(heading: str) -> str:
    found = re.search(rf"^### {heading}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def block(heading: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)
    assert found is not None, (heading, language)
    return found[1]


@pytest.fixture
def data(loaded_home: Path, tmp_path: Path) -> Path:
    """A folder in which ``data/published`` is what a reader has."""
    (tmp_path / "data").symlink_to(loaded_home)
    return tmp_path


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A small file that ``publish`` may take the place of."""
    return publish(tmp_path / "tidemark.duckdb", 1)


def publish(file: Path, row_count: int) -> Path:
    """Put a new file in place as a publication does: written aside and renamed."""
    aside = file.with_name(".new.tmp")
    with duckdb.connect(str(aside)) as connection:
        connection.execute("create schema indices")
        connection.execute(
            f"create table indices.index_level_daily as select * from range({row_count})"
        )
    aside.replace(file)
    return file


# --- the command line and Python ----------------------------------------------------------------


@pytest.mark.skipif(not CLI.exists(), reason="the duckdb command is not installed")
def test_the_duckdb_command_reads_and_cannot_write(data: Path) -> None:
    done = subprocess.run(
        ["bash", "-euc", block("DuckDB command line", "bash")],
        cwd=data,
        env={"PATH": f"{CLI.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "small" in done.stdout
    file = data / "data" / "published" / "tidemark.duckdb"
    refused = subprocess.run(
        [CLI, "-readonly", file, "-c", "delete from main.about"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "read-only" in refused.stderr


def test_the_python_recipe_runs_and_knows_its_file_is_new(data: Path) -> None:
    program = block("Python", "python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=data, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "small" in done.stdout


def test_the_parquet_recipe_runs(data: Path) -> None:
    with duckdb.connect() as connection:
        sql = block("Parquet, for everything else", "sql").replace("'data/", f"'{data}/data/")
        assert connection.execute(sql).fetchall()


def test_an_open_connection_keeps_the_old_file_for_its_whole_process(published: Path) -> None:
    held = duckdb.connect(str(published), read_only=True)
    publish(published, 2)
    beside = duckdb.connect(str(published), read_only=True)
    assert held.execute(HOW_MANY).fetchone() == (1,)
    assert beside.execute(HOW_MANY).fetchone() == (1,)
    held.close()
    beside.close()
    with duckdb.connect(str(published), read_only=True) as anew:
        assert anew.execute(HOW_MANY).fetchone() == (2,)


@pytest.mark.skipif(not CLI.exists(), reason="the duckdb command is not installed")
def test_another_process_sees_the_new_file_at_once(published: Path) -> None:
    with duckdb.connect(str(published), read_only=True):
        publish(published, 2)
        done = subprocess.run(
            [CLI, "-readonly", "-csv", "-noheader", published, "-c", HOW_MANY],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == "2"


# --- SQLAlchemy, as Superset uses it ------------------------------------------------------------


def ask(engine: sqlalchemy.Engine, sql: str) -> object:
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(sql)).scalar()


def test_superset_reconnects_for_each_query_and_cannot_write(published: Path) -> None:
    uri = re.search(r"`(duckdb:////data/published/tidemark\.duckdb)`", section("Superset"))
    assert uri is not None
    engine = sqlalchemy.create_engine(
        uri[1].replace("/data/published/tidemark.duckdb", str(published)),
        connect_args={"read_only": True},
        poolclass=NullPool,
    )
    assert ask(engine, HOW_MANY) == 1
    publish(published, 2)
    assert ask(engine, HOW_MANY) == 2
    with pytest.raises(ProgrammingError, match="read-only"):
        ask(engine, "delete from indices.index_level_daily")


def test_a_pool_keeps_the_old_file_until_it_is_disposed_of(published: Path) -> None:
    engine = sqlalchemy.create_engine(f"duckdb:///{published}", connect_args={"read_only": True})
    assert ask(engine, HOW_MANY) == 1
    publish(published, 2)
    assert ask(engine, HOW_MANY) == 1
    engine.dispose()
    assert ask(engine, HOW_MANY) == 2
    engine.dispose()


def test_the_tables_and_their_comments_are_found_by_reflection(loaded_home: Path) -> None:
    file = loaded_home / "published" / "tidemark.duckdb"
    engine = sqlalchemy.create_engine(
        f"duckdb:///{file}", connect_args={"read_only": True}, poolclass=NullPool
    )
    with engine.connect() as connection:
        rows = connection.execute(
            sqlalchemy.text(
                "select comment from duckdb_columns() where schema_name = 'indices' "
                "and table_name = 'index_level_daily' and column_name = 'level'"
            )
        ).fetchall()
        names = sqlalchemy.inspect(engine).get_table_names(schema="indices")
    assert rows[0][0].endswith("[index points]")
    assert any(str(name).endswith("index_level_daily") for name in names)
