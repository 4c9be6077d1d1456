"""What holds for every task of every DAG, and what reading the files may not do."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_clock import NIGHT_HOUR

from pipeline.pools import list_pools

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"
DAG_IDS = ("market_nightly", "market_backfill", "warehouse_upkeep")
LONGEST = timedelta(hours=12)

SPY = """
import json, sys
import airflow.sdk, airflow.sdk.exceptions, airflow.sdk.definitions.deadline
import airflow.sdk.definitions.callback, croniter, pydantic
seen = []
def look(event, arguments):
    if event == "open":
        path = str(arguments[0])
        # Modules are read, and what Python and the packages keep beside them.
        is_code = path.endswith((".py", ".pyc", ".so", ".pth")) or "/lib/python" in path
        if not is_code and not path.startswith("/proc/") and not path.isdigit():
            seen.append(f"open {path}")
    elif event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "sqlite3.")):
        seen.append(f"{event} {arguments!r:.80}")
sys.addaudithook(look)
import runpy
runpy.run_path(sys.argv[1])
print(json.dumps([seen, [m for m in sys.modules if m.partition(".")[0] == "duckdb"]]))
"""


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    loaded = DagBag(str(DAGS_FOLDER))
    assert loaded.import_errors == {}
    return loaded


def test_the_folder_holds_these_dags_a_file_each(bag: Any) -> None:
    assert set(bag.dags) == set(DAG_IDS)
    assert {path.stem for path in DAGS_FOLDER.glob("*.py")} == set(DAG_IDS)


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_every_task_has_all_that_a_task_needs(bag: Any, dag_id: str) -> None:
    pools = {"default_pool", *list_pools()}
    assert len(bag.dags[dag_id].tasks) > 2
    for task in bag.dags[dag_id].tasks:
        assert task.owner == "tidemark", task.task_id
        assert task.retries >= 1, f"{task.task_id}: a killed worker ends the run"
        assert task.retry_exponential_backoff, task.task_id
        assert task.retry_delay <= task.max_retry_delay <= timedelta(hours=1), task.task_id
        assert timedelta() < task.execution_timeout <= LONGEST, task.task_id
        assert task.pool in pools, task.task_id
        assert task.doc_md, f"{task.task_id}: Airflow's page shows no text"
        assert not task.depends_on_past, task.task_id


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_every_dag_runs_one_at_a_time_and_explains_itself(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert len(dag.doc_md.split()) > 12
    assert dag.tags == {"tidemark"}
    for name, param in dag.params.items():
        assert param.description, name
        assert param.schema["type"], name


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_reading_a_dag_opens_no_file_no_socket_and_no_database(dag_id: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPY, str(DAGS_FOLDER / f"{dag_id}.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen, duckdb = json.loads(done.stdout.splitlines()[-1])
    assert seen == []
    assert duckdb == []


def test_the_spy_sees_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    dag = tmp_path / "bad.py"
    dag.write_text(
        f"import socket\nopen({str(tmp_path / 'notes.txt')!r}).close()\n"
        "socket.socket().close()\nimport duckdb\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPY, str(dag)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen, duckdb = json.loads(done.stdout.splitlines()[-1])
    assert any("notes.txt" in each for each in seen)
    assert any(each.startswith("socket.") for each in seen)
    assert "duckdb" in duckdb


def test_the_schedules_are_utc_and_in_an_order_that_makes_sense(bag: Any) -> None:
    schedules = {dag_id: bag.dags[dag_id].schedule for dag_id in DAG_IDS}
    assert schedules == {
        "market_nightly": f"0 {NIGHT_HOUR} * * *",
        "market_backfill": None,
        # After the night's own end: one and a half hours behind TIDEMARK_ALERT_NIGHT_DUE_HOUR.
        "warehouse_upkeep": "30 6 * * *",
    }
    for dag_id in DAG_IDS:
        assert str(bag.dags[dag_id].timezone) == "UTC"


@pytest.mark.parametrize(
    ("dag_id", "name", "good", "bad"),
    [
        ("market_nightly", "market_date", [None, "2028-02-29"], ["2027-02-29", "today", 5]),
        ("market_backfill", "from", ["2024-01-01"], [None, "2024-13-01", ""]),
        ("market_backfill", "to", [None, "2024-01-01"], ["2024-1-1", 20240101]),
        ("market_backfill", "feeds", [["equity_daily"]], [[], ["no_such_feed"], "equity_daily"]),
        ("market_backfill", "chunk_days", [None, 1], [0, -1, 1.5, "7"]),
        ("warehouse_upkeep", "dry_run", [True, False], [None, "yes", 1]),
    ],
)
def test_a_parameter_takes_what_it_should_and_nothing_else(
    bag: Any, dag_id: str, name: str, good: list[object], bad: list[object]
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = bag.dags[dag_id].params.get_param(name)
    for value in good:
        assert param.resolve(value) == value
    for value in bad:
        with pytest.raises(ParamValidationError):
            param.resolve(value)
