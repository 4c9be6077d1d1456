"""The twenty example queries of ``docs/bi.md``: they run, and the page shows what they give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from example_home import make_example_home
from query_pages import BEGIN, FOLDER, Query, read_queries, render_queries, text_table

from pipeline.database import open_read_only
from pipeline.models import load_project, parents_of
from pipeline.settings import Settings

QUERIES = read_queries()
PAGE = (FOLDER.parent / "bi.md").read_text(encoding="utf-8").partition(BEGIN)[2]
_SHOWN = re.compile(r"^```sql\n(.*?)\n```\n\n```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def by_name(query: Query) -> str:
    return query.path.stem


@pytest.fixture(scope="module")
def published(three_nights_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_read_only(three_nights_path / "published" / "tidemark.duckdb") as connection:
        yield connection


def test_there_are_twenty_and_the_page_shows_each_as_it_is() -> None:
    assert len(QUERIES) == 20
    shown = [sql for sql, _ in _SHOWN.findall(PAGE)]
    assert shown == [query.sql.strip() for query in QUERIES], "run make queries"


@pytest.mark.parametrize("query", QUERIES, ids=by_name)
def test_query_runs_its_grain_is_a_key_and_the_page_has_its_columns(
    published: duckdb.DuckDBPyConnection, query: Query
) -> None:
    cursor = published.execute(query.sql)
    names = [str(column[0]) for column in cursor.description or ()]
    rows = cursor.fetchall()
    places = [names.index(column) for column in query.grain]
    keys = [tuple(row[place] for place in places) for row in rows]
    assert len(keys) == len(set(keys))
    output = dict(_SHOWN.findall(PAGE))[query.sql.strip()]
    assert output.splitlines()[0].split() == names


@pytest.mark.parametrize("query", QUERIES, ids=by_name)
def test_query_reads_published_tables_only(query: Query) -> None:
    models = load_project(Settings(_env_file=None).sql_dir).models
    read = parents_of(query.sql, where=query.path.name)
    assert [name for name in read if not models[name].doc.is_published] == []
    assert query.question.endswith((".", "?"))


def test_numbers_stand_to_the_right_and_a_null_is_a_dash() -> None:
    assert text_table(["name", "value"], [("a", 1.5), ("bc", None)]) == (
        "name  value\na       1.5\nbc        -"
    )


@pytest.mark.slow
def test_page_shows_the_real_output_of_every_query(tmp_path: Path) -> None:
    with open_read_only(make_example_home(tmp_path / "example")) as connection:
        rendered = render_queries(connection)
    assert rendered.partition(BEGIN)[2] in PAGE, "run make queries"
    empty = [sql for sql, output in _SHOWN.findall(rendered) if len(output.splitlines()) < 2]
    assert empty == []
