"""Whole nights that are killed half-way.

Those killed at a file build few models (``small_project``): they write every kind of file that
there is. Those killed by the clock build all.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nights import NIGHTS, Home, build_ids, query_file

from pipeline.warehouse import Warehouse

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        pytest.param("*/published/parquet/*", 9, id="between-two-published-twins"),
        pytest.param(
            "*/raw/market_daily/*", 1, id="before-the-prices-are-stored", marks=pytest.mark.slow
        ),
        pytest.param(
            "*/published/manifest.json", 1, id="before-the-manifest", marks=pytest.mark.slow
        ),
        pytest.param(
            "*/landing/market_daily/*-2-*.gz", 1, id="half-a-fetch", marks=pytest.mark.slow
        ),
        pytest.param("*/builds/*/build.json", 1, id="before-the-record", marks=pytest.mark.slow),
        pytest.param("*/builds/*/build.json", 2, id="before-the-verdict", marks=pytest.mark.slow),
        pytest.param("*/builds/*/build.json", 3, id="after-the-manifest", marks=pytest.mark.slow),
        pytest.param(
            "*/published/tidemark.duckdb", 1, id="before-the-file", marks=pytest.mark.slow
        ),
    ],
)
def test_a_killed_night_leaves_the_old_or_the_new_file_and_the_next_run_completes(
    pattern: str, count: int, small_home: Home, three_nights_path: Path
) -> None:
    before = small_home.published_bytes()

    done = run_and_kill_at(small_home, pattern, count)

    assert done.returncode == -signal.SIGKILL, done.stderr
    check_after_a_kill(small_home, before, three_nights_path)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2.0, 3.0, 4.0, 5.0, 6.0])
def test_a_night_killed_at_any_moment_leaves_the_old_or_the_new_file(
    seconds: float, home: Home, three_nights_path: Path
) -> None:
    before = home.published_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "refresh", "--market-date", str(NIGHTS[0])],
        env=home.environment(NIGHTS[0]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as night:
        time.sleep(seconds)
        night.kill()
    check_after_a_kill(home, before, three_nights_path)


def run_and_kill_at(home: Home, pattern: str, count: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            str(TESTS / "kill_at.py"),
            pattern,
            str(count),
            "refresh",
            "--market-date",
            str(NIGHTS[0]),
        ],
        env=home.environment(NIGHTS[0]),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def check_after_a_kill(home: Home, before: dict[str, str], three_nights_path: Path) -> None:
    undisturbed = Home(three_nights_path)
    builds = undisturbed.path / "builds"
    wanted = query_file(
        builds / build_ids(undisturbed)[1] / "tidemark.duckdb",
        "from indices.index_level_daily order by all",
    )
    found = home.query("from indices.index_level_daily order by all")
    is_old = home.published_bytes()["tidemark.duckdb"] == before["tidemark.duckdb"]
    assert is_old or found == wanted

    home.refresh(NIGHTS[0], hour=2)

    assert home.query("from indices.index_level_daily order by all") == wanted
    manifest = Warehouse(home.settings(NIGHTS[0])).published_manifest()
    assert manifest is not None
    assert Warehouse(home.settings(NIGHTS[0])).is_published_whole(manifest)
    assert not list(home.published.rglob(".*.tmp"))
