"""Crashes of the scheduler, of a worker and of PostgreSQL in the middle of a night: the run is
completed, and nothing is lost. Once with the LocalExecutor, once with two Celery workers."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from stack import FIRST_DAY, Stack, market_date, running_stack, wait_for

pytestmark = [pytest.mark.compose]

# Fewer than a night has, as each crash costs minutes: nine feeds of six hosts.
NIGHT_FEEDS = [
    "market_daily",
    "global_daily",
    "stablecoin_daily",
    "equity_daily",
    "equity_daily.fred",
    "sentiment_daily",
    "sentiment_daily.cmc_fear_greed",
    "exchange_balance_daily",
    "funding_daily.bybit",
]
CALM = "/tmp/calm"
FEW = f"TIDEMARK_FEEDS={','.join(NIGHT_FEEDS)}"


def wait_for_loaded(stack: Stack, run_id: str, count: int) -> None:
    """Wait until so many feeds are stored, and the night is still at it."""

    def loaded() -> str:
        try:
            tasks = stack.tasks(run_id, "%.validate_and_load")
        except AssertionError:  # the database may be starting again
            return ""
        return "yes" if sum(task["state"] == "success" for task in tasks) >= count else ""

    wait_for(loaded, 900, f"{count} feeds were not stored")
    assert stack.state(run_id) == "running"


def restarts(stack: Stack, service: str) -> int:
    """Return how often Docker has started a service's containers again."""
    ids = stack.compose("ps", "--quiet", service).split()
    told = subprocess.run(
        ["docker", "inspect", "--format", "{{.RestartCount}}", *ids],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sum(map(int, told.split()))


def stored_rows(stack: Stack, home: str) -> dict[str, int]:
    """Count the rows that a home has stored, by dataset and source."""
    code = (
        "import duckdb, json, pathlib; print(json.dumps({f'{f.name}/{s}': n"
        f" for f in sorted(pathlib.Path('{home}/raw').iterdir()) if f.is_dir() for s, n in"
        " duckdb.sql(f\"select source, count(*) from read_parquet('{f}/**/*.parquet',"
        ' union_by_name = true) group by source").fetchall()}))'
    )
    return dict(json.loads(stack.run("scheduler", "python3", "-c", code)))


def run_undisturbed(stack: Stack) -> dict[str, Any]:
    """Run the same night by the command line in a home of its own, and tell what differs."""
    told = stack.run(
        "scheduler", "sh", "-ec",
        f"export TIDEMARK_HOME={CALM}; tidemark sandbox fill --first-day={FIRST_DAY} >&2;"
        " tidemark refresh >&2;"
        f" tidemark diff --json {CALM}/published/tidemark.duckdb /data/published/tidemark.duckdb",
    )  # fmt: skip
    return dict(json.loads(told))


def check_nothing_is_lost(stack: Stack, run_id: str) -> None:
    """The night is published whole, with the rows and figures of one that nobody disturbed."""
    assert stack.state(run_id) == "success"
    tasks = stack.tasks(run_id)
    assert Counter(task["state"] for task in tasks).keys() <= {"success", "skipped"}
    loaded = stack.tasks(run_id, "%.validate_and_load")
    assert sum(task["state"] == "success" for task in loaded) == len(NIGHT_FEEDS)
    assert stack.manifest()["market_date"] == str(market_date())
    found = run_undisturbed(stack)
    assert (found["tables"], found["added_tables"], found["removed_tables"]) == ([], [], [])
    assert len(found["same_tables"]) > 50
    stored = stored_rows(stack, "/data")
    assert len(stored) >= len(NIGHT_FEEDS)
    assert stored == stored_rows(stack, CALM)


def test_a_night_outlives_its_scheduler_and_its_database(tmp_path: Path) -> None:
    with running_stack(tmp_path, more=[FEW]) as stack:
        stack.unpause("market_nightly")
        run_id = stack.nightly_run()
        wait_for_loaded(stack, run_id, 2)
        stack.crash("scheduler")
        wait_for_loaded(stack, run_id, 5)
        stack.crash("postgres", user="postgres")
        assert stack.wait_for_end(run_id) == "success", stack.tasks(run_id)
        check_nothing_is_lost(stack, run_id)
        assert restarts(stack, "scheduler") >= 1
        assert restarts(stack, "postgres") >= 1


def test_two_workers_share_a_night_and_outlive_crashes(tmp_path: Path) -> None:
    with running_stack(
        tmp_path, ("sandbox", "scale"), ["AIRFLOW_EXECUTOR=CeleryExecutor", FEW]
    ) as stack:
        stack.unpause("market_nightly")
        run_id = stack.nightly_run()
        wait_for_loaded(stack, run_id, 2)
        stack.crash("worker", index=2)
        wait_for_loaded(stack, run_id, 5)
        stack.crash("scheduler")
        time.sleep(20)
        stack.crash("postgres", user="postgres")
        assert stack.wait_for_end(run_id) == "success", stack.tasks(run_id)
        assert restarts(stack, "worker") == 1
        extracts = stack.tasks(run_id, "%.extract")
        shared = Counter(task["hostname"] for task in extracts)
        assert len(shared) == 2, shared
        assert min(shared.values()) >= 3, shared
        (build,) = stack.tasks(run_id, "build")
        assert build["try_number"] == "1"
        builds = stack.run("scheduler", "ls", "/data/builds").split()
        assert len(builds) == 1, builds
        check_nothing_is_lost(stack, run_id)
