"""Crashes of the scheduler, of a worker and of PostgreSQL in the middle of a night: the run is
completed, and nothing is lost. Once with the LocalExecutor, once with two Celery workers."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from stack import Stack, market_date, running_stack, wait_for

pytestmark = [pytest.mark.compose]


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


def live_rows(stack: Stack) -> dict[str, int]:
    """Count the night's rows by dataset and source, as they are stored."""
    code = (
        "import duckdb, json, pathlib; print(json.dumps({f'{f.name}/{s}': n"
        " for f in sorted(pathlib.Path('/data/raw').iterdir()) if f.is_dir() for s, n in"
        " duckdb.sql(f\"select source, count(*) from read_parquet('{f}/**/*.parquet',"
        " union_by_name = true) where run_id like 'scheduled%' group by source\").fetchall()}))"
    )
    return dict(json.loads(stack.run("scheduler", "python3", "-c", code)))


def check_nothing_is_lost(stack: Stack, run_id: str) -> None:
    """The night is published whole, and running it again finds nothing to add."""
    assert stack.state(run_id) == "success"
    tasks = stack.tasks(run_id)
    assert Counter(task["state"] for task in tasks).keys() <= {"success", "skipped"}
    manifest = stack.manifest()
    assert manifest["market_date"] == str(market_date())
    before = live_rows(stack)
    assert len(before) >= 15
    again = stack.trigger("market_nightly", {"market_date": str(market_date())})
    assert stack.wait_for_end(again) == "success", stack.tasks(again)
    added = stack.query(
        "select value from xcom where key = 'added' and task_id like '%.validate_and_load'"
        f" and run_id = '{again}'"
    )
    assert len(added) >= 15
    assert {value for (value,) in added} == {"0"}
    assert live_rows(stack) == before


def test_a_night_outlives_its_scheduler_and_its_database(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        stack.unpause("market_nightly")
        run_id = stack.nightly_run()
        wait_for_loaded(stack, run_id, 2)
        stack.crash("scheduler")
        wait_for_loaded(stack, run_id, 6)
        stack.crash("postgres", user="postgres")
        assert stack.wait_for_end(run_id) == "success", stack.tasks(run_id)
        check_nothing_is_lost(stack, run_id)
        restarts = stack.compose("ps", "--format", "{{.Service}} {{.RunningFor}} {{.Status}}")
        assert "scheduler" in restarts


def test_two_workers_share_a_night_and_outlive_crashes(tmp_path: Path) -> None:
    with running_stack(
        tmp_path, ("sandbox", "scale"), ("AIRFLOW_EXECUTOR=CeleryExecutor",)
    ) as stack:
        stack.unpause("market_nightly")
        run_id = stack.nightly_run()
        wait_for_loaded(stack, run_id, 2)
        stack.crash("worker", index=2)
        wait_for_loaded(stack, run_id, 6)
        stack.crash("scheduler")
        time.sleep(20)
        stack.crash("postgres", user="postgres")
        assert stack.wait_for_end(run_id) == "success", stack.tasks(run_id)
        extracts = stack.tasks(run_id, "%.extract")
        shared = Counter(task["hostname"] for task in extracts)
        assert len(shared) == 2, shared
        assert min(shared.values()) >= 3, shared
        (build,) = stack.tasks(run_id, "build")
        assert build["try_number"] == "1"
        builds = stack.run("scheduler", "ls", "/data/builds").split()
        assert len(builds) == 1, builds
        check_nothing_is_lost(stack, run_id)
