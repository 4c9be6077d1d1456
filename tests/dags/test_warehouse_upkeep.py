"""The DAG that looks whether the night happened, through Airflow's own loader and runner."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nights import NIGHTS, Home, Mailbox

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
    assert {task.task_id: set(task.upstream_task_ids) for task in upkeep.tasks} == {
        "watch_nights": set(),
        "notify": {"watch_nights"},
    }
    for task in upkeep.tasks:
        assert (task.owner, task.retries) == ("tidemark", 4)
        assert task.execution_timeout == timedelta(minutes=5)
    assert str(upkeep.get_task("notify").trigger_rule.value) == "all_done"


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
    manifest = {"market_date": str(NIGHTS[0] - timedelta(days=2))}
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
