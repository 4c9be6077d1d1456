"""The DAG of past days: what it consists of, its parameters, a real run through Airflow."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from nights import NIGHTS, Home

from pipeline.datasets import DATASETS
from pipeline.errors import NotYetAvailableError, QualityError, SourceError, UnobtainableError
from pipeline.raw_store import RawStore
from pipeline.sources.registry import FEEDS

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "market_backfill.py"
FIRST, LAST = NIGHTS[0] - timedelta(days=20), NIGHTS[0]
PAST_FEEDS = {feed.name for feed in FEEDS if any(s.kind == "by_date" for s in feed.sources)}


@pytest.fixture
def module() -> ModuleType:
    """The DAG file as a module, freshly executed."""
    spec = importlib.util.spec_from_file_location("market_backfill_under_test", DAG_FILE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def backfill_dag(module: ModuleType) -> Any:
    return module.market_backfill()


def test_market_backfill_has_exactly_these_tasks(backfill_dag: Any) -> None:
    assert {task.task_id: set(task.upstream_task_ids) for task in backfill_dag.tasks} == {
        "choose_feeds": set(),
        "choose_landed_feeds": set(),
        "backfill": {"choose_feeds"},
        "backfill_landed": {"choose_landed_feeds", "backfill"},
    }
    for name in ("backfill", "backfill_landed"):
        task = backfill_dag.get_task(name)
        assert (task.pool, task.retries, task.owner) == ("tidemark_backfill", 4, "tidemark")
        assert task.execution_timeout == timedelta(hours=12)
    assert backfill_dag.get_task("backfill_landed").trigger_rule == "all_done"


def test_it_runs_by_hand_and_once_at_a_time(backfill_dag: Any) -> None:
    assert backfill_dag.schedule is None
    assert backfill_dag.max_active_runs == 1
    params = backfill_dag.params.dump()
    assert set(params) == {"from", "to", "feeds", "chunk_days"}
    assert set(params["feeds"]) == PAST_FEEDS
    assert params["chunk_days"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", "2026-02-30"),
        ("to", "tomorrow"),
        ("feeds", []),
        ("feeds", ["nothing"]),
        ("chunk_days", 0),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    backfill_dag: Any, name: str, value: object
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        backfill_dag.params.get_param(name).resolve(value)


def context(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, **params: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Set what Airflow tells a task; return the list to which the task's assets are added."""
    told: list[tuple[str, dict[str, Any]]] = []
    adding = SimpleNamespace(add=lambda asset, extra: told.append((asset.uri, extra)))
    defaults = {"from": str(FIRST), "to": str(LAST), "feeds": ["equity_daily"], "chunk_days": 10}
    monkeypatch.setattr(
        module,
        "get_current_context",
        lambda: {
            "params": defaults | params,
            "run_id": "manual__1",
            "outlet_events": defaultdict(lambda: adding),
        },
    )
    return told


def test_a_range_that_ends_before_it_begins_is_refused(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    context(module, monkeypatch, to=str(FIRST - timedelta(days=1)))
    with pytest.raises(AirflowFailException, match="is no range of days"):
        module.choose_feeds.function(reading=False)


def test_feeds_that_read_the_files_of_others_come_after_those(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = ["open_interest_daily.archive", "sentiment_daily", "positioning_daily.archive"]
    context(module, monkeypatch, to=None, feeds=feeds)
    assert module.choose_feeds.function(reading=False) == feeds[1:]
    assert module.choose_feeds.function(reading=True) == feeds[:1]


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (QualityError("chunks were refused"), True),
        (UnobtainableError("the present only"), True),
        (SourceError("no answer"), False),
        (NotYetAvailableError("later"), False),
    ],
    ids=repr,
)
def test_only_what_another_try_may_mend_is_tried_again(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception, is_final: bool
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("pipeline.steps.backfill", fail)
    context(module, monkeypatch)
    with pytest.raises(AirflowFailException if is_final else type(error), match=str(error)):
        module.backfill.function("equity_daily")


def test_a_wrong_setting_ends_the_task_at_once(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    monkeypatch.setenv("TIDEMARK_BUILDS_KEPT", "one")
    context(module, monkeypatch, to=None)
    with pytest.raises(AirflowFailException, match="TIDEMARK_BUILDS_KEPT"):
        module.backfill.function("equity_daily")


def test_a_task_stores_its_range(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, empty_home: Home
) -> None:
    for name, value in empty_home.environment(LAST).items():
        if name.startswith("TIDEMARK_"):
            monkeypatch.setenv(name, value)
    told = context(module, monkeypatch)
    loaded = module.backfill.function("sentiment_daily")
    assert (loaded["chunks"], loaded["added"]) == (2, 21)
    row = {"feed": "sentiment_daily", "row_count": 21, "run_id": "manual__1"}
    assert told == [("tidemark://raw/sentiment_daily", row)]


RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
assert bag.import_errors == {}, bag.import_errors
state = bag.dags["market_backfill"].test(run_conf=json.loads(sys.argv[1])).state
print("ended as", state)
"""


@pytest.mark.airflow
def test_a_range_through_airflow_is_stored(
    empty_home: Home, airflow_environment: dict[str, str]
) -> None:
    asked = {
        "from": str(FIRST),
        "to": str(LAST),
        "feeds": ["sentiment_daily", "equity_daily"],
        "chunk_days": 7,
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(asked)],
        env=empty_home.environment(LAST) | airflow_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "ended as success" in done.stdout, done.stdout + done.stderr
    store = RawStore(empty_home.path / "raw")
    counts = store.row_counts(DATASETS["sentiment_daily"], "alternative_me", since=FIRST)
    assert len(counts) == 21
    assert store.row_counts(DATASETS["equity_daily"], "cboe", since=FIRST)
