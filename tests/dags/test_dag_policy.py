"""What holds for every task of every DAG, and what reading the files may not do."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_clock import NIGHT_HOUR

from pipeline.datasets import DATASETS
from pipeline.models import load_project
from pipeline.pools import list_pools
from pipeline.settings import Settings
from pipeline.sources.registry import get_feed

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


# What is read and written


ARCHIVES = {f"{archive}/{dataset}" for archive in ("landing", "raw") for dataset in DATASETS}
SCHEMAS = {
    f"published/{name.partition('.')[0]}"
    for name, model in load_project(Settings().sql_dir).models.items()
    if model.doc.is_published
} | {"published/main"}
READERS_FILE = "published/tidemark.duckdb"
NOTHING: tuple[set[str], set[str]] = (set(), set())
READ_AND_WRITTEN = {
    "market_nightly": {
        "choose_market_date": NOTHING,
        "choose_feeds": NOTHING,
        "catch_up": (set(), {"tidemark_raw"}),
        "build": (
            {name for name in ARCHIVES if name.startswith("raw/")} | {"ledger/levels"},
            {"builds/newest"},
        ),
        "audit": ({"builds/newest"}, set()),
        "publish": ({"builds/newest"}, {READERS_FILE, "ledger/levels", *SCHEMAS}),
        "report": ({READERS_FILE, *SCHEMAS}, {"published/report"}),
        "compose_alerts": ({READERS_FILE}, set()),
        "notify": NOTHING,
    },
    "market_backfill": {
        "choose_feeds": NOTHING,
        "choose_landed_feeds": NOTHING,
        "backfill": (set(), {"tidemark_raw"}),
        "backfill_landed": (set(), {"tidemark_raw"}),
    },
    "warehouse_upkeep": {
        "watch_nights": NOTHING,
        "notify": NOTHING,
        # These change no row, and an event of an asset would start whoever waits for one.
        "compact": NOTHING,
        "prune_landing": NOTHING,
        "prune_builds": NOTHING,
        "prune_pages": NOTHING,
        "prune_logs": NOTHING,
        "check_ledger": ({"ledger/levels", READERS_FILE}, set()),
        "back_up": (ARCHIVES | {"ledger/levels"}, set()),
        "watch_upkeep": NOTHING,
        "notify_upkeep": NOTHING,
    },
}
"""Inlets and outlets by task; those of the hosts of a night are in a test of their own."""


def names(assets: Any) -> set[str]:
    """Return assets as their address without the scheme, and aliases by name."""
    return {str(getattr(each, "uri", each.name)).removeprefix("tidemark://") for each in assets}


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_every_task_says_what_it_reads_and_writes(bag: Any, dag_id: str) -> None:
    found = {
        task.task_id: (names(task.inlets), names(task.outlets))
        for task in bag.dags[dag_id].tasks
        if not task.task_id.startswith("ingest.")
    }
    assert found == READ_AND_WRITTEN[dag_id]


def test_every_host_of_a_night_says_what_it_reads_and_writes(bag: Any) -> None:
    dag = bag.dags["market_nightly"]
    for group_id, group in dag.task_group.children["ingest"].children.items():
        feeds = [get_feed(name) for name in group._expand_input.value["feed"]]
        landed = {f"landing/{feed.dataset}" for feed in feeds}
        extract, load = (dag.get_task(f"{group_id}.{n}") for n in ("extract", "validate_and_load"))
        if group_id.endswith("_landed"):
            landed = {f"landing/{feed.sources[0].payloads_of}" for feed in feeds}
            assert (names(extract.inlets), names(extract.outlets)) == (landed, set())
        else:
            assert (names(extract.inlets), names(extract.outlets)) == (set(), {"tidemark_landing"})
        assert (names(load.inlets), names(load.outlets)) == (landed, {"tidemark_raw"})


def test_every_asset_is_one_that_openlineage_can_name(bag: Any) -> None:
    from airflow.sdk import Asset

    from pipeline.airflow_provider import to_openlineage

    assets = {
        asset
        for dag in bag.dags.values()
        for task in dag.tasks
        for asset in (*task.inlets, *task.outlets)
        if isinstance(asset, Asset)
    }
    assert len(assets) > 2 * len(DATASETS)
    for asset in assets:
        assert asset.normalized_uri == asset.uri, "Airflow does not know the scheme"
        with pytest.MonkeyPatch.context() as patch:
            facet = SimpleNamespace(Dataset=SimpleNamespace)
            patch.setitem(sys.modules, "airflow.providers.common.compat.openlineage.facet", facet)
            named = to_openlineage(asset, None)
        assert f"{named.namespace}://{named.name}" == asset.uri


@pytest.mark.parametrize("wrong", ["tidemark://raw", "tidemark:///raw", "tidemark://raw/"])
def test_an_asset_that_names_no_part_of_an_archive_is_refused(wrong: str) -> None:
    from airflow.sdk import Asset

    with pytest.raises(ValueError, match="names no part of an archive"):
        Asset(name="wrong", uri=wrong)
