"""The DAG that looks whether the night happened, through Airflow's own loader and runner."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from nights import NIGHTS, Home, Mailbox

from pipeline.upkeep import CHORES
from pipeline.upkeep.report import read_notes

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"
RUN = """
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
assert bag.import_errors == {}, bag.import_errors
print("ended as", bag.dags["warehouse_upkeep"].test().state)
"""


@pytest.fixture(scope="module")
def upkeep() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    loaded = DagBag(str(DAGS_FOLDER))
    assert loaded.import_errors == {}
    return loaded.dags["warehouse_upkeep"]


def test_warehouse_upkeep_has_exactly_these_tasks(upkeep: Any) -> None:
    chores = [*CHORES, "watch_upkeep", "notify_upkeep"]
    assert {task.task_id: set(task.upstream_task_ids) for task in upkeep.tasks} == {
        "watch_nights": set(),
        "notify": {"watch_nights"},
        "compact": set(),
        **{task: {before} for before, task in pairwise(chores)},
    }
    for task in upkeep.tasks:
        assert (task.owner, task.retries) == ("tidemark", 4)
    # A chore that fails holds up none after it, and its mail goes out.
    rules = {task.task_id: str(task.trigger_rule.value) for task in upkeep.tasks}
    assert {name for name, rule in rules.items() if rule != "all_done"} == {
        "watch_nights",
        "compact",
    }


def test_it_comes_hours_after_the_night_and_one_at_a_time(upkeep: Any) -> None:
    assert upkeep.schedule == "30 6 * * *"
    assert upkeep.max_active_runs == 1
    assert not upkeep.catchup


@pytest.mark.airflow
def test_a_night_that_did_not_happen_is_mailed_through_airflow(
    tmp_path: Path, mailbox: Mailbox, airflow_environment: dict[str, str]
) -> None:
    home = Home(tmp_path / "home")
    home.published.mkdir(parents=True)
    with duckdb.connect(str(home.file)) as connection:
        connection.execute("create schema indices")
        connection.execute(
            "create table indices.index_level_daily "
            "(market_date date, profile text, index_id text, level double)"
        )
    manifest = {
        "market_date": str(NIGHTS[0] - timedelta(days=2)),
        "build_id": "a",
        "publication": 1,
    }
    (home.published / "manifest.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env=home.environment(NIGHTS[0], hour=6.5, **mailbox.settings) | airflow_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "ended as success" in done.stdout, done.stdout + done.stderr
    (subject,) = mailbox.subjects()
    assert subject.startswith(f"[Tidemark] CRITICAL errored night {NIGHTS[0]}")
    notes = read_notes(home.settings(NIGHTS[0]))
    assert {name: note["error"] for name, note in notes.items()} == dict.fromkeys(CHORES)
