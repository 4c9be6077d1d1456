"""The nightly refresh: when, in what order, how often it is tried. What each task does is in
``pipeline.steps``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AssetAlias,
    Param,
    TaskGroup,
    dag,
    get_current_context,
    task,
    task_group,
)
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from pipeline.airflow_assets import (
    BUILD,
    LANDED,
    LANDING,
    LEDGER,
    LOADED,
    PUBLISHED,
    RAW,
    REPORT,
    SCHEMAS,
    landing_of,
    landing_read_by,
)
from pipeline.airflow_deadline import RunQueuedDeadline
from pipeline.airflow_step import run_step
from pipeline.sources.registry import get_feed, nightly_feeds_by_vendor

NAMED_BY_FEED = "{{ feed }}"
LOCK_WAIT_SECONDS = 900.0


def _run_id() -> str:
    return str(get_current_context()["run_id"])


def _show_as(feed: str) -> None:
    """Name a mapped task by its feed in Airflow's pages, in place of a number."""
    context: Any = get_current_context()
    context["feed"] = feed


def _note(alias: AssetAlias, asset: Asset, **told: Any) -> None:
    """Say that something of an asset is new."""
    context: Any = get_current_context()
    context["outlet_events"][alias].add(asset, extra={**told, "run_id": str(context["run_id"])})


@task(retries=2, execution_timeout=timedelta(minutes=1))
def choose_market_date() -> str:
    """Return the day to refresh: the parameter, or the last UTC day complete by then.

    A scheduled or backfilled run counts from the instant it was due; runs by hand, by asset
    or from the command line have no such instant and count from now.
    """
    from pipeline.settings import load_settings

    context = get_current_context()
    asked = context["params"]["market_date"]
    if asked:
        return str(asked)
    due = context["dag_run"].logical_date
    if context["dag_run"].run_type in ("scheduled", "backfill") and due is not None:
        return str((due.astimezone(UTC) - timedelta(days=1)).date())
    return str(load_settings().default_market_date())


@task(retries=2, execution_timeout=timedelta(minutes=1))
def choose_feeds() -> list[str]:
    """Return the feeds that the settings choose and that can be asked; the others are skipped."""
    return list(run_step("choose_feeds"))


@task(
    outlets=[LANDED],
    map_index_template=NAMED_BY_FEED,
    execution_timeout=timedelta(minutes=30),
    # Airflow shows the text of a function, but not of one that is mapped.
    doc_md="Land what a feed's first usable vendor says; a ban or a block is not tried again.",
)
def extract(feed: str, market_date: str, chosen: list[str]) -> dict[str, Any]:
    """Land what a feed's first usable vendor says; a ban or a block is not tried again."""
    _show_as(feed)
    if feed not in (chosen or ()):
        raise AirflowSkipException(f"{feed} is not chosen, or needs a key that is not set")
    day = datetime.fromisoformat(market_date).date()
    extracted = dict(run_step("extract", feed, day, _run_id()))
    is_new = not extracted["health"] or extracted["health"][-1]["status"] != "replayed"
    if extracted["payloads"] and is_new and not get_feed(feed).reads_landed_files:
        _note(LANDED, LANDING[extracted["dataset"]], feed=feed, market_date=market_date)
    return extracted


@task(
    outlets=[LOADED],
    map_index_template=NAMED_BY_FEED,
    execution_timeout=timedelta(minutes=30),
    doc_md="Hold the landed rows against the gate and store those that pass.",
)
def validate_and_load(extracted: dict[str, Any]) -> dict[str, Any]:
    """Hold the landed rows against the gate and store those that pass."""
    _show_as(extracted["feed"])
    options = {"wait_seconds": LOCK_WAIT_SECONDS}
    loaded = dict(run_step("validate_and_load", extracted, _run_id(), **options))
    if rows := loaded.get("added", 0) + loaded.get("revised", 0):
        _note(LOADED, RAW[loaded["dataset"]], feed=loaded["feed"], row_count=rows)
    return loaded


@task_group
def ingest(feed: str, market_date: str, chosen: Any, pool: str, feeds: list[str]) -> Any:
    """Bring in one feed of a host; one that fails does not hold up the others."""
    extracted: Any = extract.override(pool=pool)(feed, market_date, chosen)
    return validate_and_load.override(inlets=landing_of(feeds))(extracted)


@task_group
def ingest_landed(feed: str, market_date: str, chosen: Any, feeds: list[str]) -> Any:
    """Bring in one feed that reads what the host's others landed, however those ended."""
    read = landing_read_by(feeds)
    options: Any = {"trigger_rule": "all_done", "inlets": read, "outlets": []}
    extracted: Any = extract.override(**options)(feed, market_date, chosen)
    return validate_and_load.override(inlets=read)(extracted)


@task(
    trigger_rule="all_done",
    outlets=[LOADED],
    retries=1,
    execution_timeout=timedelta(hours=1),
)
def catch_up(market_date: str) -> dict[str, Any]:
    """Fill the days whose nights did not happen, where vendors can be asked for the past."""
    day = datetime.fromisoformat(market_date).date()
    dealt_with = dict(run_step("catch_up", day, _run_id(), wait_seconds=LOCK_WAIT_SECONDS))
    for missed, feeds in dealt_with.items():
        for feed in (name for name, status in feeds.items() if status == "caught_up"):
            _note(LOADED, RAW[get_feed(feed).dataset], feed=feed, market_date=missed)
    return dealt_with


@task(
    trigger_rule="all_done",
    inlets=[*RAW.values(), LEDGER],
    outlets=[BUILD],
    execution_timeout=timedelta(hours=1),
)
def build(market_date: str, groups: list[Any]) -> dict[str, Any]:
    """Build the warehouse, unless a dataset is missing that a night cannot do without."""
    day = datetime.fromisoformat(market_date).date()
    results: list[Any] = []
    for returned in groups:
        # Of a mapped group in which one task returned, Airflow gives its value, not a list of it.
        results += [returned] if isinstance(returned, dict) else returned or []
    return dict(run_step("build", day, _run_id(), results, wait_seconds=LOCK_WAIT_SECONDS))


@task(inlets=[BUILD], retries=1, execution_timeout=timedelta(minutes=30))
def audit(built: dict[str, Any]) -> dict[str, Any]:
    """Hold the build against every audit."""
    return dict(run_step("audit", built, wait_seconds=LOCK_WAIT_SECONDS))


@task(
    inlets=[BUILD],
    outlets=[PUBLISHED, *SCHEMAS, LEDGER],
    execution_timeout=timedelta(minutes=30),
)
def publish(built: dict[str, Any]) -> str:
    """Put the build in front of readers and return its id."""
    return str(run_step("publish", built, wait_seconds=LOCK_WAIT_SECONDS)["build_id"])


@task(
    inlets=[PUBLISHED, *SCHEMAS],
    outlets=[REPORT],
    retries=1,
    retry_delay=timedelta(minutes=1),
    execution_timeout=timedelta(minutes=10),
)
def report(built: dict[str, Any], build_id: str) -> str | None:
    """Write the pages about what is published; the figures are out already."""
    page: str | None = run_step("report", built, wait_seconds=LOCK_WAIT_SECONDS)
    return page


@task(trigger_rule="all_done", inlets=[PUBLISHED], execution_timeout=timedelta(minutes=10))
def compose_alerts(market_date: str, build_id: str | None) -> bool:
    """Put what is worth telling into the outbox; return whether the night is published."""
    day = datetime.fromisoformat(market_date).date()
    log_url = get_current_context()["ti"].log_url.partition("/tasks/")[0]
    return bool(run_step("compose_alerts", day, _run_id(), build_id, log_url=log_url))


@task(trigger_rule="all_done", execution_timeout=timedelta(minutes=5))
def notify(is_published: bool | None) -> None:
    """Send what waits in the outbox, and turn the run red when nothing was published."""
    run_step("deliver_alerts")
    if not is_published:
        raise AirflowFailException("the night failed; the mail about it is sent")


@dag(
    schedule="0 1 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    deadline=DeadlineAlert(
        name="the night is late",
        reference=RunQueuedDeadline(),
        interval=timedelta(hours=3),
        callback=SyncCallback("pipeline.alerts.deadline.tell_late_night"),
    ),
    default_args={
        "owner": "tidemark",
        "retries": 4,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
    },
    params={
        "market_date": Param(
            None,
            type=["null", "string"],
            format="date",
            description="UTC day to refresh; empty for the last complete one",
        )
    },
    tags=["tidemark"],
    doc_md=__doc__,
)
def market_nightly() -> None:
    """Wire the night."""
    market_date: Any = choose_market_date()
    night = {"market_date": market_date, "chosen": choose_feeds()}
    asked: dict[Any, Any] = {}
    read: dict[Any, Any] = {}
    with TaskGroup("ingest"):
        for vendor, feeds in nightly_feeds_by_vendor(reading=False).items():
            told = {**night, "pool": vendor.pool, "feeds": feeds}
            host = ingest.override(group_id=vendor.name).partial(**told)
            asked[vendor] = host.expand(feed=feeds)
        for vendor, feeds in nightly_feeds_by_vendor(reading=True).items():
            told = {**night, "feeds": feeds}
            reader = ingest_landed.override(group_id=f"{vendor.name}_landed").partial(**told)
            read[vendor] = reader.expand(feed=feeds)
            # The groups, not their last tasks: nothing of the second begins before the first ends.
            asked[vendor].operator.task_group >> read[vendor].operator.task_group
    loaded = [*asked.values(), *read.values()]
    # After the night's own feeds, some of which know the present only, and before the build.
    caught_up: Any = catch_up(market_date)
    for host in loaded:
        host.operator.task_group >> caught_up
    built: Any = build(market_date, loaded)
    caught_up >> built
    audited: Any = audit(built)
    published: Any = publish(audited)
    reported: Any = report(audited, published)
    composed: Any = compose_alerts(market_date, published)
    reported >> composed
    notify(composed)


market_nightly()
