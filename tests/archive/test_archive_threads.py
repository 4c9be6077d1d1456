"""Six years of real prices give the same bits on any number of threads."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_home import needs_archive, settings_of
from attribution import open_archive

from pipeline.models import load_project, run_models

pytestmark = [*needs_archive, pytest.mark.slow]

TABLES = (
    "indices.index_level_daily",
    "indices.constituent_daily",
    "indices.constituent",
    "indices.divisor_ledger",
    "indices.review_decision",
)


def fingerprints(home: Path, threads: int) -> dict[str, tuple[int, int]]:
    """Build the indices and return the count of rows and a digest of every bit of them."""
    settings = settings_of(home)
    project = load_project(settings.sql_dir)
    with open_archive(settings, threads=threads) as connection:
        run_models(connection, project.ordered(TABLES), with_comments=False)
        found = {}
        for table in TABLES:
            names = ", ".join(f'"{column.name}"' for column in project.models[table].doc.columns)
            ((count, digest),) = connection.execute(
                f"select count(*), bit_xor(hash({names})) from {table}"
            ).fetchall()
            found[table] = (count, digest)
    return found


@pytest.fixture(scope="module")
def on_one_thread(archive_path: Path) -> dict[str, tuple[int, int]]:
    return fingerprints(archive_path, 1)


@pytest.mark.parametrize("threads", [2, 8])
def test_archive_figures_are_the_same_on_any_number_of_threads(
    archive_path: Path, on_one_thread: dict[str, tuple[int, int]], threads: int
) -> None:
    assert min(count for count, _ in on_one_thread.values()) > 100
    assert fingerprints(archive_path, threads) == on_one_thread
