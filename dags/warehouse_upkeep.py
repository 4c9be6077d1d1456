"""Once a day, hours after the night. **watch_nights**: did it happen at all? Looks at the
published manifest's age and mails when it did not; `tidemark doctor --mail` does the same from a
crontab, for the day on which Airflow itself is what has stopped. The other tasks keep the home
small and whole, one after the other, as `tidemark upkeep` does; one that fails holds up none of
the others and is mailed.

With the parameter **dry_run** they only log what they would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, chain, dag, get_current_context, task

from pipeline.airflow_assets import ARCHIVES, LEDGER, PUBLISHED
from pipeline.airflow_step import run_step

LOCK_WAIT_SECONDS = 900.0


def _do(chore: str, **options: Any) -> dict[str, Any]:
    context = get_current_context()
    return dict(
        run_step(
            "do_chore",
            chore,
            str(context["run_id"]),
            is_dry_run=bool(context["params"]["dry_run"]),
            wait_seconds=LOCK_WAIT_SECONDS,
            **options,
        )
    )


@task(execution_timeout=timedelta(minutes=5))
def watch_nights() -> int:
    """Put an alert into the outbox when last night did not happen, or when it does again."""
    return int(run_step("watch_nights"))


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=5))
def notify() -> None:
    """Send what waits in the outbox, whichever run left it there."""
    run_step("deliver_alerts")


@task(execution_timeout=timedelta(minutes=45))
def compact() -> dict[str, Any]:
    """Fold the small raw files of many nights into few; no row changes."""
    return _do("compact")


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=30))
def prune_landing() -> dict[str, Any]:
    """Delete landed bodies that are old enough and whose rows are all stored; off by default."""
    return _do("prune_landing")


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=30))
def prune_builds() -> dict[str, Any]:
    """Delete unpublished builds beyond the newest few, and what killed runs left."""
    return _do("prune_builds")


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=30))
def prune_pages() -> dict[str, Any]:
    """Delete Data Docs of runs beyond those that are kept."""
    return _do("prune_pages")


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=30))
def prune_logs() -> dict[str, Any]:
    """Delete Airflow's own logs that are older than the setting says."""
    from airflow.sdk.configuration import conf

    return _do("prune_logs", log_dir=conf.get("logging", "base_log_folder"))


@task(
    trigger_rule="all_done",
    inlets=[LEDGER, PUBLISHED],
    execution_timeout=timedelta(minutes=30),
)
def check_ledger() -> dict[str, Any]:
    """Hold the ledger against what it was at the last check, and against what readers see."""
    return _do("check_ledger")


@task(trigger_rule="all_done", inlets=ARCHIVES, execution_timeout=timedelta(hours=3))
def back_up() -> dict[str, Any]:
    """Copy what cannot be made again, where `TIDEMARK_BACKUP_DIR` names a place for it."""
    return _do("back_up")


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=5))
def watch_upkeep() -> int:
    """Put an alert into the outbox when one of the tasks before failed, or no longer does."""
    return int(run_step("watch_upkeep"))


@dag(
    schedule="30 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=8),
    default_args={
        "owner": "tidemark",
        "retries": 4,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
    },
    params={
        "dry_run": Param(False, type="boolean", description="Only log what would be done"),
    },
    tags=["tidemark"],
    doc_md=__doc__,
)
def warehouse_upkeep() -> None:
    """Wire the check of the nights, which waits for nothing, and the chores."""
    watch_nights() >> notify()
    chain(
        compact(),
        prune_landing(),
        prune_builds(),
        prune_pages(),
        prune_logs(),
        check_ledger(),
        back_up(),
        watch_upkeep(),
        notify.override(task_id="notify_upkeep")(),
    )


warehouse_upkeep()
