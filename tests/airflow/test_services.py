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

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(find_binaries() is None, reason="PostgreSQL is not installed"),
]

HISTORY_DAYS = 75
PAST_DAYS = 30
CHUNK_DAYS = 3
PATIENCE_SECONDS = 2400.0


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

    def has_ended(self, dag_id: str) -> bool:
        return any(state in {"success", "failed"} for _, _, state in self.runs(dag_id))


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
        airflow = Airflow(tmp_path / "airflow", postgres, home.environment(night))
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
            scene.wait("the build", lambda: scene.is_in("running", "build"))
            postgres.kill()
            time.sleep(5)
            postgres.start()
            scene.wait("the end of the night", lambda: scene.has_ended("market_nightly"))
            scene.wait("the end of the backfill", lambda: scene.has_ended("market_backfill"))
            ((_, kind, state),) = scene.runs("market_nightly")
            assert (kind, state) == ("scheduled", "success"), scene.states("market_nightly")
            ((_, _, state),) = scene.runs("market_backfill")
            assert state == "success", scene.states("market_backfill")
            assert airflow.starts["scheduler"] >= 2
            ((overlap,),) = postgres.query(
                "select min(end_date) - max(start_date) > interval '0' from dag_run"
            )
            assert overlap, "the backfill was not beside the night"
        finally:
            airflow.stop()
        # The night is published, and the failure that was injected has come by mail, once.
        assert home.last_day() == night
        (subject,) = mailbox.subjects()
        assert "sentiment_daily" in subject
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
