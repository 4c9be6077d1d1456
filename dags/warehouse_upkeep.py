"""Once a day, hours after the night: did it happen at all? Looks at the published manifest's age
and mails when it did not. `tidemark doctor --mail` does the same from a crontab, for the day on
which Airflow itself is what has stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

from pipeline.airflow_step import run_step


@task(execution_timeout=timedelta(minutes=5))
def watch_nights() -> int:
    """Put an alert into the outbox when last night did not happen, or when it does again."""
    return int(run_step("watch_nights"))


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=5))
def notify() -> None:
    """Send what waits in the outbox, whichever run left it there."""
    run_step("deliver_alerts")


@dag(
    schedule="30 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "tidemark",
        "retries": 4,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
    },
    tags=["tidemark"],
    doc_md=__doc__,
)
def warehouse_upkeep() -> None:
    """Wire the check and the mail."""
    watch_nights() >> notify()


warehouse_upkeep()
