"""Past days of the feeds whose vendors can be asked for them: by hand, chunk by chunk. A run that
was interrupted goes on where it ended, and the next night publishes what came in."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from pipeline.airflow_assets import LOADED, RAW
from pipeline.airflow_step import end_at_once_when_final, run_step
from pipeline.pools import BACKFILL_POOL
from pipeline.sources.registry import FEEDS, get_feed

LOCK_WAIT_SECONDS = 3600.0
PAST_FEEDS = [
    feed.name for feed in FEEDS if any(source.kind == "by_date" for source in feed.sources)
]


@task(retries=2, execution_timeout=timedelta(minutes=1))
def choose_feeds(reading: bool) -> list[str]:
    """Return the feeds to fetch: those that ask vendors, or those that read their files.

    The range has to be one.
    """
    params = get_current_context()["params"]
    if params["to"] and params["to"] < params["from"]:
        raise AirflowFailException(f"{params['from']} to {params['to']} is no range of days")
    return [name for name in params["feeds"] if get_feed(name).reads_landed_files == reading]


@task(
    pool=BACKFILL_POOL,
    outlets=[LOADED],
    map_index_template="{{ feed }}",
    execution_timeout=timedelta(hours=12),
    # Airflow shows the text of a function, but not of one that is mapped.
    doc_md="Fetch and store every chunk of a feed that is not stored yet.",
)
def backfill(feed: str) -> dict[str, Any]:
    """Fetch and store every chunk of a feed that is not stored yet."""
    from pipeline.settings import load_settings

    context: Any = get_current_context()
    context["feed"] = feed
    params = context["params"]
    with end_at_once_when_final():
        last = params["to"] or str(load_settings().default_market_date())
    loaded = dict(
        run_step(
            "backfill",
            feed,
            date.fromisoformat(params["from"]),
            date.fromisoformat(last),
            str(context["run_id"]),
            chunk_days=params["chunk_days"],
            wait_seconds=LOCK_WAIT_SECONDS,
        )
    )
    if rows := loaded["added"] + loaded["revised"]:
        told = {"feed": feed, "row_count": rows, "run_id": str(context["run_id"])}
        context["outlet_events"][LOADED].add(RAW[loaded["dataset"]], extra=told)
    return loaded


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "tidemark",
        "retries": 4,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
    },
    params={
        "from": Param(
            "2024-01-01",
            type="string",
            format="date",
            description="First UTC day",
        ),
        "to": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Last UTC day; empty for the last complete one",
        ),
        "feeds": Param(
            PAST_FEEDS,
            type="array",
            items={"type": "string", "enum": PAST_FEEDS},
            minItems=1,
            description="What to fetch",
        ),
        "chunk_days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="Days that are asked for at once; empty for what suits the vendor",
        ),
    },
    tags=["tidemark"],
    doc_md=__doc__,
)
def market_backfill() -> None:
    """Wire the feeds, each on its own, those that read what others landed after those."""
    asked = backfill.expand(feed=choose_feeds(reading=False))
    reading = choose_feeds.override(task_id="choose_landed_feeds")(reading=True)
    landed = backfill.override(task_id="backfill_landed", trigger_rule="all_done")
    asked >> landed.expand(feed=reading)


market_backfill()
