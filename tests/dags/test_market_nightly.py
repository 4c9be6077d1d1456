"""The nightly DAG: what it consists of, which day it is for, and real runs through Airflow.

The other DAGs of the folder have their own files; what holds for all of them is here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from nights import NIGHTS, Home, Mailbox

from pipeline.pools import list_pools
from pipeline.sandbox.faults import FaultBoard
from pipeline.sources.registry import NIGHTLY_FEEDS, get_feed

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"
HEAVY = ("pandas", "numpy", "pyarrow", "duckdb", "great_expectations", "sqlglot", "requests")
MINUTE = timedelta(minutes=1)
HOSTS = (
    "coingecko",
    "defillama_stablecoins",
    "cboe",
    "fred",
    "alternative_me",
    "coinmarketcap",
    "binance_futures",
    "binance_vision",
    "bybit",
    "okx",
    "coinalyze",
    "gate",
    "defillama",
    "coinmetrics",
)
HOSTS_WITH_LANDED_FEEDS = ("binance_vision", "gate")


@pytest.fixture(scope="module")
def bag() -> Any:
    """The DAGs of the folder, as Airflow's own loader finds them."""
    from airflow.dag_processing.dagbag import DagBag

    loaded = DagBag(str(DAGS_FOLDER))
    assert loaded.import_errors == {}
    return loaded


@pytest.fixture(scope="module")
def nightly(bag: Any) -> Any:
    return bag.dags["market_nightly"]


def verb_of(task: Any) -> str:
    """Return what a task does, without the groups that it is in."""
    return str(task.task_id).rpartition(".")[2]


@pytest.fixture
def module() -> ModuleType:
    """The DAG file as a module, freshly executed."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "market_nightly_under_test", DAGS_FOLDER / "market_nightly.py"
    )
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# What it consists of


def test_dags_folder_holds_exactly_these_dags(bag: Any) -> None:
    assert set(bag.dags) == {"market_nightly", "market_backfill", "warehouse_upkeep"}


def test_market_nightly_has_exactly_these_tasks_in_this_order(nightly: Any) -> None:
    chosen = {"choose_feeds", "choose_market_date"}
    asked = {
        task: upstream
        for host in HOSTS
        for task, upstream in (
            (f"ingest.{host}.extract", chosen),
            (f"ingest.{host}.validate_and_load", {f"ingest.{host}.extract"}),
        )
    }
    read = {
        task: upstream
        for host in HOSTS_WITH_LANDED_FEEDS
        for task, upstream in (
            (f"ingest.{host}_landed.extract", chosen | {f"ingest.{host}.validate_and_load"}),
            (f"ingest.{host}_landed.validate_and_load", {f"ingest.{host}_landed.extract"}),
        )
    }
    loads = {task for task in asked | read if task.endswith(".validate_and_load")}
    assert {task.task_id: set(task.upstream_task_ids) for task in nightly.tasks} == {
        "choose_market_date": set(),
        "choose_feeds": set(),
        **asked,
        **read,
        "catch_up": {"choose_market_date"} | loads,
        "build": {"choose_market_date", "catch_up"} | loads,
        "audit": {"build"},
        "publish": {"audit"},
        "report": {"audit", "publish"},
        "compose_alerts": {"choose_market_date", "publish", "report"},
        "notify": {"compose_alerts"},
    }


def test_every_task_has_an_owner_a_timeout_and_its_retries(nightly: Any) -> None:
    expected = {
        "choose_market_date": (2, 1 * MINUTE),
        "choose_feeds": (2, 1 * MINUTE),
        "extract": (4, 30 * MINUTE),
        "validate_and_load": (4, 30 * MINUTE),
        "catch_up": (1, 60 * MINUTE),
        "build": (4, 60 * MINUTE),
        "audit": (1, 30 * MINUTE),
        "publish": (4, 30 * MINUTE),
        "report": (1, 10 * MINUTE),
        "compose_alerts": (4, 10 * MINUTE),
        "notify": (4, 5 * MINUTE),
    }
    for task in nightly.tasks:
        assert (task.retries, task.execution_timeout) == expected[verb_of(task)], task.task_id
        assert task.owner == "tidemark"
        assert task.retry_delay == (1 if task.task_id == "report" else 2) * MINUTE
        assert task.retry_exponential_backoff
        assert task.max_retry_delay == 30 * MINUTE


def test_each_host_is_asked_in_a_pool_of_its_own_and_nothing_else_is_in_it(nightly: Any) -> None:
    pools = {task.task_id: task.pool for task in nightly.tasks}
    asking = {host: pools.pop(f"ingest.{host}.extract") for host in HOSTS}
    assert asking == {host: f"tidemark_{host}" for host in HOSTS}
    assert set(pools.values()) == {"default_pool"}


def test_the_pools_that_are_made_are_those_that_the_dags_name(bag: Any) -> None:
    named = {task.pool for dag in bag.dags.values() for task in dag.tasks}
    assert named == {"default_pool", *list_pools()}
    assert {name: size.slots for name, size in list_pools().items() if size.slots != 1} == {
        "tidemark_binance_vision": 2,
        "tidemark_backfill": 2,
    }


def test_some_tasks_run_whatever_happened_before(nightly: Any) -> None:
    rules = {task.task_id: str(task.trigger_rule.value) for task in nightly.tasks}
    assert {name for name, rule in rules.items() if rule == "all_done"} == {
        *(f"ingest.{host}_landed.extract" for host in HOSTS_WITH_LANDED_FEEDS),
        "catch_up",
        "build",
        "compose_alerts",
        "notify",
    }
    assert set(rules.values()) == {"all_done", "all_success"}


class OutletEvents:
    """Stands in for Airflow's: which assets had an event, by which alias, and what it says."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, Any]]] = []

    def __getitem__(self, alias: Any) -> SimpleNamespace:
        def add(asset: Any, extra: dict[str, Any]) -> None:
            self.told.append((alias.name, asset.uri.removeprefix("tidemark://"), extra))

        return SimpleNamespace(add=add)


def test_one_night_runs_at_a_time_and_missed_ones_are_not_caught_up(nightly: Any) -> None:
    assert nightly.schedule == "0 1 * * *"
    assert nightly.max_active_runs == 1
    assert not nightly.catchup
    assert nightly.dagrun_timeout == timedelta(hours=4)
    assert nightly.params.dump() == {"market_date": None}


def test_a_night_that_is_late_is_told_before_it_is_ended(nightly: Any) -> None:
    from airflow.sdk._shared.module_loading import import_string

    (deadline,) = nightly.deadline
    assert deadline.interval == timedelta(hours=3) < nightly.dagrun_timeout
    # Not Airflow's own reference to that instant, with which no task could be cleared.
    assert deadline.reference.serialize_reference() == {"reference_type": "RunQueuedDeadline"}
    assert callable(import_string(deadline.callback.path))


def test_every_nightly_feed_is_ingested_once_by_the_host_that_it_asks_first(nightly: Any) -> None:
    ingested: list[str] = []
    for group_id, group in nightly.task_group.children["ingest"].children.items():
        feeds = group._expand_input.value["feed"]
        host = group_id.removeprefix("ingest.")
        for feed in feeds:
            source = get_feed(feed).sources[0]
            assert host == source.vendor + ("_landed" if source.payloads_of else ""), feed
        ingested += feeds
    assert sorted(ingested) == sorted(NIGHTLY_FEEDS)


def test_a_feed_that_is_not_chosen_is_skipped(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    shown: dict[str, Any] = {"run_id": "manual__1"}
    monkeypatch.setattr(module, "get_current_context", lambda: shown)
    monkeypatch.setattr(
        "pipeline.steps.extract",
        lambda *arguments: {"feed": arguments[1], "payloads": [], "health": []},
    )
    chosen = ["market_daily", "equity_daily"]
    assert module.extract.function("equity_daily", "2024-04-30", chosen)["feed"] == "equity_daily"
    assert shown["feed"] == "equity_daily"
    for without in (chosen, None):
        with pytest.raises(AirflowSkipException, match="liquidation_daily is not chosen"):
            module.extract.function("liquidation_daily", "2024-04-30", without)


@pytest.mark.parametrize(
    ("feed", "payloads", "status", "told"),
    [
        ("market_daily", [{}], "answered", ["landing/market_daily"]),
        ("equity_daily.fred", [{}], "fell_back", ["landing/equity_daily"]),
        ("market_daily", [{}], "replayed", []),
        ("market_daily", [], "not_set_up", []),
        ("open_interest_daily.archive", [{}], "answered", []),
    ],
)
def test_an_asset_of_landing_is_new_when_something_was_landed(
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    feed: str,
    payloads: list[Any],
    status: str,
    told: list[str],
) -> None:
    events = OutletEvents()
    context = {"run_id": "manual__1", "outlet_events": events}
    monkeypatch.setattr(module, "get_current_context", lambda: context)
    extracted = {
        "dataset": get_feed(feed).dataset,
        "payloads": payloads,
        "health": [{"status": status}],
    }
    monkeypatch.setattr("pipeline.steps.extract", lambda *_: extracted)
    module.extract.function(feed, "2024-04-30", [feed])
    assert [asset for _, asset, _ in events.told] == told
    for alias, _, extra in events.told:
        assert alias == "tidemark_landing"
        assert extra == {"feed": feed, "market_date": "2024-04-30", "run_id": "manual__1"}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"added": 3, "revised": 1, "unchanged": 9}, [("tidemark_raw", "raw/equity_daily", 4)]),
        ({"added": 0, "revised": 0, "unchanged": 9}, []),
        ({}, []),
    ],
)
def test_an_asset_of_raw_is_new_when_rows_are(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, counts: Any, told: list[Any]
) -> None:
    events = OutletEvents()
    context = {"run_id": "manual__1", "outlet_events": events}
    monkeypatch.setattr(module, "get_current_context", lambda: context)
    loaded = {"feed": "equity_daily.fred", "dataset": "equity_daily", **counts}
    monkeypatch.setattr("pipeline.steps.validate_and_load", lambda *_, **__: loaded)
    module.validate_and_load.function({"feed": "equity_daily.fred"})
    assert [(alias, asset, extra["row_count"]) for alias, asset, extra in events.told] == told


def test_days_that_were_caught_up_are_news_of_their_assets(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = OutletEvents()
    context = {"run_id": "manual__1", "outlet_events": events}
    monkeypatch.setattr(module, "get_current_context", lambda: context)
    became = {"equity_daily.fred": "caught_up", "market_daily": "unobtainable"}
    monkeypatch.setattr("pipeline.steps.catch_up", lambda *_, **__: {"2024-04-29": became})
    module.catch_up.function("2024-04-30")
    ((alias, asset, extra),) = events.told
    assert (alias, asset) == ("tidemark_raw", "raw/equity_daily")
    assert extra["market_date"] == "2024-04-29"


def test_a_build_is_told_of_every_load_however_many_returned(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(module, "get_current_context", lambda: {"run_id": "manual__1"})
    monkeypatch.setattr(
        "pipeline.steps.build", lambda *arguments, **_options: told.append(arguments[3]) or {}
    )
    one, two, three = ({"feed": name} for name in ("one", "two", "three"))
    module.build.function("2024-04-30", [[one, two], three, None, []])
    assert told == [[one, two, three]]


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "20260228", 20260228])
def test_a_market_date_that_is_no_day_is_refused(nightly: Any, day: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    nightly.params.get_param("market_date").resolve("2026-02-28")
    with pytest.raises(ParamValidationError):
        nightly.params.get_param("market_date").resolve(day)


@pytest.mark.parametrize("dag", ["market_nightly", "market_backfill", "warehouse_upkeep"])
def test_parsing_is_quick_and_imports_nothing_heavy(dag: str) -> None:
    script = f"""
import json, sys, time
import airflow.sdk, airflow.sdk.exceptions, pydantic
before = set(sys.modules)
started = time.process_time()
import runpy
runpy.run_path({str(DAGS_FOLDER / f"{dag}.py")!r})
seconds = time.process_time() - started
new = set(sys.modules) - before
print(json.dumps([seconds, sorted(new & set({HEAVY!r}))]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert seconds < 1


def test_airflow_can_call_what_tells_of_a_late_night(
    home: Home, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, nightly: Any
) -> None:
    import structlog
    from airflow.sdk.execution_time.callback_supervisor import execute_callback

    environment = home.environment(NIGHTS[0], hour=4, **mailbox.settings)
    for name, value in environment.items():
        if name.startswith("TIDEMARK_"):
            monkeypatch.setenv(name, value)
    ended = execute_callback(
        callback_path=nightly.deadline[0].callback.path,
        callback_kwargs={"context": {"dag_run": {}}},
        dag_rel_path="market_nightly.py",
        bundle_path=None,
        log=structlog.get_logger(),
    )
    assert ended == (True, None)
    (subject,) = mailbox.subjects()
    assert subject.startswith(f"[Tidemark] WARNING errored night {NIGHTS[0]}")


# Which day it is for


def choose(
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    *,
    run_type: str,
    logical_date: datetime | None = None,
    market_date: str | None = None,
) -> str:
    """Return the market date that a run of that kind at 05:30 UTC on 21 March 2026 chooses."""
    monkeypatch.setenv("TIDEMARK_NOW", "2026-03-21T05:30:00+00:00")
    context = {
        "params": {"market_date": market_date},
        "dag_run": SimpleNamespace(run_type=run_type, logical_date=logical_date),
    }
    monkeypatch.setattr(module, "get_current_context", lambda: context)
    return str(module.choose_market_date.function())


def test_a_scheduled_run_is_for_the_day_that_ended_before_it_was_due(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = datetime(2026, 3, 20, 1, tzinfo=UTC)
    chosen = choose(module, monkeypatch, run_type="scheduled", logical_date=due)
    assert chosen == "2026-03-19"


def test_a_backfilled_run_is_for_its_own_day(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = datetime(2026, 1, 5, 1, tzinfo=UTC)
    assert choose(module, monkeypatch, run_type="backfill", logical_date=due) == "2026-01-04"


def test_run_types_of_airflow_are_the_ones_that_the_dag_knows(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.api.datamodels._generated import DagRunType

    due = datetime(2026, 1, 5, 1, tzinfo=UTC)
    chosen = {
        kind.value: choose(
            module,
            monkeypatch,
            run_type=kind,
            logical_date=due if kind.value in {"scheduled", "backfill"} else None,
        )
        for kind in DagRunType
    }
    assert chosen.pop("scheduled") == chosen.pop("backfill") == "2026-01-04"
    assert set(chosen.values()) == {"2026-03-20"}


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "operator_triggered"])
def test_a_run_without_a_logical_date_is_for_the_last_complete_day(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, run_type: str
) -> None:
    assert choose(module, monkeypatch, run_type=run_type) == "2026-03-20"


def test_a_manual_run_ignores_the_instant_at_which_it_was_started(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 3, 21, 5, 30, tzinfo=UTC)
    chosen = choose(module, monkeypatch, run_type="manual", logical_date=now)
    assert chosen == "2026-03-20"


@pytest.mark.parametrize("run_type", ["manual", "scheduled", "asset_triggered"])
def test_a_market_date_that_is_asked_for_goes_before_all(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, run_type: str
) -> None:
    due = datetime(2026, 3, 20, 1, tzinfo=UTC) if run_type == "scheduled" else None
    chosen = choose(
        module, monkeypatch, run_type=run_type, logical_date=due, market_date="2025-12-31"
    )
    assert chosen == "2025-12-31"


# Through Airflow itself


def run_through_airflow(
    home: Home, variables: dict[str, str], **overrides: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.airflow_run", "market_nightly", str(NIGHTS[0])],
        env=home.environment(NIGHTS[0], **overrides) | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.mark.airflow
def test_a_night_through_airflow_fails_on_a_broken_payload_and_then_publishes(
    home: Home, faults: FaultBoard, mailbox: Mailbox, airflow_environment: dict[str, str]
) -> None:
    before = home.published_bytes()
    for source in get_feed("market_daily").sources:
        faults[source.vendor] = "truncated"

    bad = run_through_airflow(home, airflow_environment, **mailbox.settings)

    assert bad.returncode == 1
    assert "ended as failed" in bad.stderr
    assert home.published_bytes() == before
    (message,) = mailbox.messages()
    assert str(message["Subject"]).startswith("[Tidemark] CRITICAL")
    text = message.get_body(("plain",))
    assert text is not None
    assert "the body is not JSON" in text.get_content()

    faults.clear()
    good = run_through_airflow(home, airflow_environment, **mailbox.settings)

    assert good.returncode == 0, good.stderr
    assert home.last_day() == NIGHTS[0]
    assert mailbox.subjects()[1:] == [mailbox.subjects()[-1]]
    assert mailbox.subjects()[-1].startswith("[Tidemark] RECOVERED market_daily")
