"""The way to a first query: ``make try``, whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import Run
from nights import query_file

pytestmark = pytest.mark.slow


def test_a_history_without_nights_is_published_with_its_report(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run("demo", "--nights", "0", "--folder", str(folder))
    assert done.code == 0, done.err
    published = folder / "home" / "published"
    assert str(published / "tidemark.duckdb") in done.out
    levels = query_file(
        published / "tidemark.duckdb",
        "select distinct index_id from indices.index_level_daily where profile = 'house'",
    )
    assert {row[0] for row in levels} >= {"large", "mid", "small", "top100"}
    assert (published / "parquet" / "datapackage.json").is_file()
    # It has no night of its own, so nothing asked Airflow for one.
    assert not (folder / "airflow").exists()
