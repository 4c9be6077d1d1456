"""A scheduled night and a backfill on PostgreSQL, while the scheduler and the database are killed.

The services are those of production, as processes of this machine; what it does not have it is
skipped for: ``apt-get install postgresql`` brings the server.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from nights import SEED, Home, Mailbox
from postgres import Postgres, find_binaries
from services import Airflow

from pipeline import steps
from pipeline.datasets import DATASETS
from pipeline.diff import diff_files
from pipeline.models import load_project
from pipeline.raw_store import RawStore
from pipeline.sandbox.filling import load_history
from pipeline.sandbox.server import create_server
from pipeline.sources.registry import get_feed

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(find_binaries() is None, reason="PostgreSQL is not installed"),
]

HISTORY_DAYS = 75
PAST_DAYS = 30
CHUNK_DAYS = 3
PATIENCE_SECONDS = 2400.0
KEYS = {
    "TIDEMARK_COINGECKO_DEMO_KEY": "CG-demo-key-of-this-test-only",
    "TIDEMARK_COINALYZE_KEY": "coinalyze-key-of-this-test-only",
}
# These know no market date: they begin before it is chosen, or send what any run left.
TASKS_OF_NO_DAY = {"choose_market_date", "choose_feeds", "notify"}


def night_that_was_due() -> date:
    """Return the market date of the scheduled run that Airflow makes when it is unpaused."""
    now = datetime.now(UTC)
    due = now.replace(hour=1, minute=0, second=0, microsecond=0)
    return (due if now >= due else due - timedelta(days=1)).date() - timedelta(days=1)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    # Not below pytest's own folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="tidemark-postgres-"))
    folder.chmod(0o755)
    server = Postgres(folder)
    yield server
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)


class Scene:
    """What goes on: the runs as Airflow's database has them."""

    def __init__(self, postgres: Postgres, airflow: Airflow) -> None:
        self.postgres, self.airflow = postgres, airflow

    def runs(self, dag_id: str) -> list[tuple[str, str, str]]:
        """Return run id, kind and state of the runs of a DAG."""
        return [
            (str(run), str(kind), str(state))
            for run, kind, state in self.postgres.query(
                "select run_id, run_type, state from dag_run where dag_id = %s", dag_id
            )
        ]

    def states(self, dag_id: str) -> dict[tuple[str, int], tuple[str, int]]:
        """Return state and try of each task instance."""
        return {
            (str(task), int(index)): (str(state), int(tries))
            for task, index, state, tries in self.postgres.query(
                "select task_id, map_index, state, try_number from task_instance where dag_id = %s",
                dag_id,
            )
        }

    def wait(self, what: str, is_there: object, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until ``is_there()``, starting again what has died meanwhile."""
        deadline = time.monotonic() + seconds
        while not is_there():  # type: ignore[operator]
            self.airflow.restart_the_dead()
            assert time.monotonic() < deadline, (
                f"{what} did not come: {self.runs('market_nightly')} "
                f"{self.states('market_nightly')} {self.runs('market_backfill')} "
                f"{self.states('market_backfill')}\n{self.airflow.log('scheduler')}"
            )
            time.sleep(1)

    def is_in(self, state: str, verb: str, count: int = 1) -> bool:
        """Return whether so many tasks of the night are in a state."""
        found = [
            task
            for (task, _), (has, _) in self.states("market_nightly").items()
            if has == state and task.rpartition(".")[2] == verb
        ]
        return len(found) >= count

    def clear(self, run_id: str, task_id: str) -> None:
        """Clear a task and all after it, as the button of Airflow's pages does."""
        self.airflow.ask(
            "/api/v2/dags/market_nightly/clearTaskInstances",
            dry_run=False,
            dag_run_id=run_id,
            task_ids=[task_id],
            include_downstream=True,
            only_failed=False,
            reset_dag_runs=True,
        )

    def has_ended(self, dag_id: str) -> bool:
        return any(state in {"success", "failed"} for _, _, state in self.runs(dag_id))


def assert_no_key_is_told(airflow: Airflow, postgres: Postgres, home: Home) -> None:
    """No log, no rendered field, no XCom, no file of the home holds a vendor's key."""
    files = [p for root in (airflow.folder, home.path) for p in root.rglob("*") if p.is_file()]
    assert len(files) > 100
    stored = postgres.everything()
    assert "market_daily" in stored
    for key in KEYS.values():
        assert key not in stored
        assert [str(path) for path in files if key.encode() in path.read_bytes()] == []
    password = json.loads(airflow.password_file.read_text())["admin"]
    assert len(password) >= 16
    assert password not in stored


def assert_lines_say_their_run(airflow: Airflow, night: date) -> None:
    """Each line of ours in a task's log says of which run and day it is."""
    lines = [
        (task.rpartition(".")[2], line)
        for task, line in airflow.task_log_lines("market_nightly")
        if str(line.get("logger")).startswith("pipeline.")
    ]
    assert len(lines) > 20
    for task, line in lines:
        assert line["run_id"].startswith("scheduled__"), line
        if task not in TASKS_OF_NO_DAY:
            assert line["market_date"] == str(night), line


def test_a_scheduled_night_survives_kills_beside_a_backfill(
    tmp_path: Path, postgres: Postgres, mailbox: Mailbox
) -> None:
    now = datetime.now(UTC)
    if now.hour == 0 and now.minute >= 20:
        pytest.skip("the next scheduled run would begin amid this one; start after 01:00 UTC")
    night = night_that_was_due()
    first_day = night - timedelta(days=HISTORY_DAYS)
    with create_server(SEED, first_day=first_day, coin_count=160, slow_seconds=2) as sandbox:
        home = Home(tmp_path / "home", sandbox, mailbox.settings)
        history = tmp_path / "history"
        history.mkdir()
        before = night - timedelta(days=1)
        settings = home.settings(before)
        load_history(settings, sandbox.market, first_day, before, history, lambda _: None)
        twin = Home(tmp_path / "twin", sandbox)
        shutil.copytree(home.path, twin.path)
        sandbox.faults["alternative_me"] = "status_403"
        for source in get_feed("market_daily").sources:
            sandbox.faults[source.vendor] = "truncated"
        environment = home.environment(night) | KEYS
        airflow = Airflow(tmp_path / "airflow", postgres, environment)
        scene = Scene(postgres, airflow)
        past = (before - timedelta(days=PAST_DAYS - 1), before)
        try:
            airflow.start()
            scene.wait(
                "the DAGs",
                lambda: len(postgres.query("select dag_id from dag")) == 3,
            )
            conf = {
                "from": str(past[0]),
                "to": str(past[1]),
                "feeds": ["equity_daily"],
                "chunk_days": CHUNK_DAYS,
            }
            airflow.call("dags", "unpause", "market_backfill", "--yes")
            airflow.call("dags", "unpause", "market_nightly", "--yes")
            airflow.call("dags", "trigger", "market_backfill", "--conf", json.dumps(conf))
            scene.wait("an extracted feed", lambda: scene.is_in("success", "extract"))
            airflow.kill("scheduler")
            # No vendor has the market: the night fails, and says so.
            scene.wait("the end of the night", lambda: scene.has_ended("market_nightly"))
            ((run_id, kind, state),) = scene.runs("market_nightly")
            assert (kind, state) == ("scheduled", "failed"), scene.states("market_nightly")
            ((is_beside,),) = postgres.query(
                "select min(task.start_date) < min(run.end_date) from task_instance as task, "
                "dag_run as run where task.dag_id = 'market_backfill' "
                "and task.task_id = 'backfill' and run.dag_id = 'market_nightly'"
            )
            assert is_beside, "the backfill was not beside the night"
            # Mended, it is cleared in Airflow's pages from the first task that failed.
            for source in get_feed("market_daily").sources:
                del sandbox.faults[source.vendor]
            scene.clear(run_id, "ingest.coingecko.extract")
            scene.wait("the build", lambda: scene.is_in("running", "build"))
            postgres.kill()
            time.sleep(5)
            postgres.start()
            scene.wait("the second end", lambda: scene.has_ended("market_nightly"))
            scene.wait("the end of the backfill", lambda: scene.has_ended("market_backfill"))
            ((_, _, state),) = scene.runs("market_nightly")
            assert state == "success", scene.states("market_nightly")
            ((_, _, state),) = scene.runs("market_backfill")
            assert state == "success", scene.states("market_backfill")
            assert airflow.starts["scheduler"] >= 2
            assert_no_key_is_told(airflow, postgres, home)
            assert_lines_say_their_run(airflow, night)
        finally:
            airflow.stop()
        # The night is published, and each failure that was injected has come by mail, once.
        assert home.last_day() == night
        failed, published = mailbox.subjects()
        assert failed.startswith("[Tidemark] CRITICAL")
        assert published.startswith("[Tidemark] RECOVERED market_daily")
        assert "sentiment_daily" in mailbox.messages()[0].as_string()
        # Nothing is lost and nothing is there twice: a home that nobody disturbed has the same.
        calm = twin.settings(night)
        steps.backfill(calm, "equity_daily", *past, "calm-backfill", chunk_days=CHUNK_DAYS)
        steps.refresh(calm, night, "calm-night")
        for each in (home.settings(night), calm):
            built = steps.build(each, night, "at-the-end")
            steps.publish(each, steps.audit(each, built))
        models = load_project(calm.sql_dir).models
        grains = {model.name: model.doc.grain for model in models.values()}
        found = diff_files(twin.file, home.file, grains)
        assert (found.tables, found.added_tables, found.removed_tables) == ((), (), ())
        for dataset in DATASETS.values():
            counts = [
                RawStore(each.path / "raw").row_counts(dataset, source, since=first_day)
                for each in (home, twin)
                for source in ("coingecko", "cboe", "alternative_me")
            ]
            assert counts[:3] == counts[3:], dataset.name
        assert not (home.path / ".lock.json").exists()
