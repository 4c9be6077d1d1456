"""The night, one function per task. Airflow and the command line call the same ones.

::

    extract -> validate_and_load     once per feed
    build -> audit -> publish        once per night
    compose_alerts -> deliver_alerts always

Each takes and returns plain dictionaries, so that they travel through Airflow as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import audit_trace, errors, health, run_log, step_log
from pipeline import failures as failures_of_runs
from pipeline.datasets import get_dataset
from pipeline.errors import (
    BlockedNightError,
    PayloadError,
    PublishError,
    QualityError,
    SourceError,
    TidemarkError,
)
from pipeline.health import SourceHealth
from pipeline.lock import run_lock
from pipeline.log_context import log_context
from pipeline.settings import Settings
from pipeline.sources.registry import FEEDS, Feed, get_feed, get_source, nightly_feeds

if TYPE_CHECKING:
    from pipeline.backfilling import Chunk
    from pipeline.fetching import Effort
    from pipeline.landing import LandedPayload
    from pipeline.replay import ReplayReport
    from pipeline.sources.base import Source
    from pipeline.step_log import StepNote

logger = logging.getLogger(__name__)

_FINAL_ERRORS = (
    errors.AuditError,
    errors.BlockedNightError,
    errors.ConfigurationError,
    errors.LedgerError,
    errors.PayloadError,
    errors.QualityError,
    errors.UnobtainableError,
)
_LOADED_FROM_NOTHING = ("feed", "dataset", "source", "passed_over")
_KINDS_OF_ABSENCE = {
    errors.NotYetAvailableError,
    errors.RateLimitedError,
    errors.UnobtainableError,
}


def is_final(error: BaseException) -> bool:
    """Return whether running the step again cannot mend an error.

    A refusal by status (a ban, a block, a wrong key, a path that has moved) is final; no
    answer, a server's own fault and "not yet" are not. Where every source of a feed failed,
    one that may answer later is enough to try again.
    """
    from pipeline.sources.refusals import FINAL_STATUSES
    from pipeline.sources.transfer import HttpStatusError

    if isinstance(error.__cause__, ExceptionGroup):
        return all(is_final(each) for each in error.__cause__.exceptions)
    if isinstance(error, HttpStatusError):
        return error.status in FINAL_STATUSES
    return isinstance(error, _FINAL_ERRORS)


@contextmanager
def _step(
    settings: Settings,
    run_id: str,
    name: str,
    market_date: date,
    wait_seconds: float | None = None,
    *,
    is_locked: bool = True,
) -> Iterator[StepNote]:
    """Time a step and remember the error that ends it; hold the writer lock if asked to."""
    is_backfill = name.startswith("backfill")
    run_log.begin(settings, run_id, "backfill" if is_backfill else "nightly", market_date)
    try:
        with (
            step_log.noted(settings, run_id, name, market_date) as note,
            _lock(settings, run_id, wait_seconds) if is_locked else nullcontext(),
        ):
            yield note
    except Exception as exc:
        failures_of_runs.record(settings, run_id, name, market_date, exc)
        raise
    failures_of_runs.forget(settings, run_id, name)


@contextmanager
def _lock(settings: Settings, run_id: str, wait_seconds: float | None) -> Iterator[None]:
    wait = settings.lock_timeout_seconds if wait_seconds is None else wait_seconds
    with run_lock(settings.home, run_id=run_id, wait_seconds=wait):
        yield


def choose_feeds(settings: Settings) -> list[str]:
    """Return the names of a night's feeds: those that are wanted and set up."""
    return [feed.name for feed in nightly_feeds(settings)]


def extract(settings: Settings, feed: str, market_date: date, run_id: str) -> dict[str, Any]:
    """Fetch one feed for one day and land every response as it came.

    Asking takes minutes where a vendor is paced, and landing only ever adds files, so this
    does not hold the writer lock. A source that only knows the present is asked on the night
    itself, and not again once the night is published or the day is past: then what was landed
    is used again.

    Args:
        settings: Where and with which keys.
        feed: One of the nightly feeds.
        market_date: The UTC day.
        run_id: The run.

    Returns:
        ``feed``, ``dataset``, ``source``, ``night``, ``market_date`` (the day asked for, which
        is ``lag_days`` of the feed before the night), the landed ``payloads``, ``passed_over``
        (why each source before this one has nothing, by its name), and ``health``: the same
        and more as ``SourceHealth.to_dict`` gives it. ``source`` is None where none of the
        feed's sources is set up, which is no failure.

    Raises:
        SourceError: No source of the feed answered.
    """
    with _step(settings, run_id, f"extract {feed}", market_date, is_locked=False):
        asked: list[SourceHealth] = []
        try:
            return _extract(settings, feed, market_date, run_id, asked)
        except TidemarkError:
            health.record(settings, run_id, market_date, feed, asked)
            raise


def _extract(
    settings: Settings, name: str, night: date, run_id: str, asked: list[SourceHealth]
) -> dict[str, Any]:
    """Extract from the first source that was not asked yet and has the day; adds to ``asked``."""
    from pipeline.fetching import Effort, obtain

    feed = get_feed(name)
    market_date = night - timedelta(days=feed.lag_days)
    known = {source.source for source in asked}
    failures: list[TidemarkError] = []
    for rank, source in enumerate(feed.sources, start=1):
        if source.name in known:
            continue
        if not source.is_usable(settings):
            asked.append(SourceHealth(name, source.name, rank, "not_set_up", "it is not set up"))
            continue
        effort = Effort()
        try:
            payloads = obtain(settings, source, market_date, run_id, effort)
        except TidemarkError as exc:
            logger.warning("%s has no %s of %s: %s", source.name, name, market_date, exc)
            asked.append(_health_of(name, source, rank, "unavailable", effort, str(exc)))
            failures.append(exc)
            continue
        has_failed = any(before.status in health.FAILED for before in asked)
        status: health.Status = "fell_back" if has_failed else "answered"
        if effort.is_replayed:
            status = "replayed"
        asked.append(_health_of(name, source, rank, status, effort))
        return _described(feed, source.name, night, payloads, asked)
    if len(failures) == 1 and len(asked) == 1:
        (source,) = (each for each in feed.sources if each.name == asked[0].source)
        raise source.explain(failures[0], market_date) from failures[0]
    said = "; ".join(f"{source}: {reason}" for source, reason in _passed_over(asked).items())
    if not failures and all(each.status == "not_set_up" for each in asked):
        logger.info("no source of %s is set up", name)
        return _described(feed, None, night, [], asked)
    kinds = {type(failure) for failure in failures}
    kind = kinds.pop() if len(kinds) == 1 and kinds <= _KINDS_OF_ABSENCE else SourceError
    error = kind(f"no source has {name} of {market_date}: {said}")
    if failures:
        raise error from ExceptionGroup(f"the sources of {name}", failures)
    raise error


def _described(
    feed: Feed,
    source: str | None,
    night: date,
    payloads: Iterable[LandedPayload],
    asked: Iterable[SourceHealth],
) -> dict[str, Any]:
    return {
        "feed": feed.name,
        "dataset": feed.dataset,
        "source": source,
        "night": night.isoformat(),
        "market_date": (night - timedelta(days=feed.lag_days)).isoformat(),
        "payloads": [payload.to_dict() for payload in payloads],
        "passed_over": _passed_over(asked),
        "health": [each.to_dict() for each in asked],
    }


def _health_of(
    feed: str,
    source: Source,
    rank: int,
    status: health.Status,
    effort: Effort,
    reason: str | None = None,
) -> SourceHealth:
    return SourceHealth(
        feed,
        source.name,
        rank,
        status,
        reason,
        call_count=effort.call_count,
        byte_count=effort.byte_count,
        seconds=round(effort.seconds, 3),
    )


def _passed_over(asked: Iterable[SourceHealth]) -> dict[str, str]:
    return {each.source: each.reason for each in asked if each.reason is not None}


def validate_and_load(
    settings: Settings,
    extracted: Mapping[str, Any],
    run_id: str,
    *,
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Parse landed payloads, hold them against the gate, and store what passes.

    When they do not pass, the feed's next source is asked, and the next, before giving up.

    Args:
        settings: Where.
        extracted: What ``extract`` returned.
        run_id: The run.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        ``feed``, ``dataset``, ``source``, ``passed_over`` and how many rows were ``added``,
        ``revised``, ``unchanged`` and ``quarantined``. Without a source nothing is counted.

    Raises:
        PayloadError: A payload is not in the documented shape.
        QualityError: A critical rule failed; nothing of the dataset was stored.
        LockedError: Another run is writing.
    """
    night = date.fromisoformat(extracted["night"])
    market_date = date.fromisoformat(extracted["market_date"])
    feed = get_feed(extracted["feed"])
    asked = [SourceHealth.from_dict(each) for each in extracted["health"]]
    refusals: list[TidemarkError] = []
    with _step(settings, run_id, f"load {feed.name}", night, is_locked=False) as note:
        try:
            while True:
                if extracted["source"] is None:
                    return {name: extracted[name] for name in _LOADED_FROM_NOTHING}
                source = get_source(extracted["source"], feed.dataset)
                try:
                    with _lock(settings, run_id, wait_seconds):
                        loaded, asked[-1] = _load(
                            settings, source, extracted["payloads"], market_date, run_id, asked[-1]
                        )
                except (PayloadError, QualityError, SourceError) as exc:
                    logger.warning("%s of %s is refused: %s", source.name, market_date, exc)
                    asked[-1] = replace(asked[-1], status="refused", reason=str(exc))
                    refusals.append(exc)
                    try:
                        extracted = _extract(settings, feed.name, night, run_id, asked)
                    except SourceError:
                        # The first refusal says most; those after it are in the log.
                        raise refusals[0] from None
                    continue
                _count_rows(note, loaded)
                return {**loaded, "feed": feed.name, "passed_over": _passed_over(asked)}
        finally:
            health.record(settings, run_id, night, feed.name, asked)


def _count_rows(note: StepNote, loaded: Mapping[str, Any]) -> None:
    """Note how many rows were read, and how many of them were stored."""
    note.rows_out = loaded["added"] + loaded["revised"]
    note.rows_in = note.rows_out + loaded["unchanged"] + loaded["quarantined"]


def _load(
    settings: Settings,
    source: Source,
    described: Iterable[Mapping[str, Any]],
    market_date: date,
    run_id: str,
    asked: SourceHealth,
) -> tuple[dict[str, Any], SourceHealth]:
    from pipeline.fetching import read_frame
    from pipeline.landing import LandedPayload
    from pipeline.loading import load_frame

    dataset = get_dataset(source.dataset)
    payloads = [LandedPayload.from_dict(payload) for payload in described]
    frame = read_frame(settings, source, payloads, market_date)
    known_at = min((p.fetched_at for p in payloads), default=settings.now())
    result = load_frame(
        settings,
        frame,
        dataset,
        market_date=market_date,
        run_id=run_id,
        source=source.name,
        known_at=known_at,
        vintage="live",
        payload_refs=[p.path for p in payloads],
    )
    days = frame[dataset.date_column]
    return result.to_dict(), replace(
        asked,
        row_count=result.added + result.revised + result.unchanged,
        first_date=None if frame.empty else days.min(),
        last_date=None if frame.empty else days.max(),
    )


def catch_up(
    settings: Settings,
    market_date: date,
    run_id: str,
    *,
    wait_seconds: float | None = None,
) -> dict[str, dict[str, str]]:
    """Fill the days whose nights did not happen, where vendors can be asked for the past.

    The night's own feeds come first, as some vendors know the present only. A night that is
    run again for an earlier day catches up nothing.

    Args:
        settings: Where.
        market_date: The UTC day of the night that is running.
        run_id: That night.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        What became of each feed, by day; empty when no night was missed.

    Raises:
        LockedError: Another run is writing.
    """
    from pipeline import catching_up

    if market_date < settings.default_market_date():
        return {}
    with step_log.noted(settings, run_id, "catch up", market_date):
        dealt_with = catching_up.catch_up(
            settings, market_date, run_id, lambda: _lock(settings, run_id, wait_seconds)
        )
    return {missed.market_date.isoformat(): dict(missed.feeds) for missed in dealt_with}


def build(
    settings: Settings,
    market_date: date,
    run_id: str,
    loaded: Iterable[Mapping[str, Any]] | None = None,
    *,
    only: Iterable[str] = (),
    on_model: Callable[[str], None] | None = None,
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Build the warehouse from everything that is stored.

    Args:
        settings: Where.
        market_date: The UTC day of the run.
        run_id: The run.
        loaded: What the loads of this night returned; a blocking dataset must be among
            them. None leaves that check out, as for a build by hand.
        only: Build these models and their parents only.
        on_model: Called with each model's name before it runs.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        The build as a dictionary; ``is_unchanged`` is true when the published file was
        made from the very same inputs, and then nothing was built.

    Raises:
        BlockedNightError: A blocking dataset was not loaded tonight.
        ConfigurationError: There is nothing to build from, or a model is wrong.
    """
    from pipeline.journal import fold_journal
    from pipeline.models import load_project
    from pipeline.raw_store import RawStore
    from pipeline.warehouse import Build, Warehouse

    if loaded is None:
        run_log.begin(settings, run_id, "build", market_date)
    with _step(settings, run_id, "build", market_date, wait_seconds):
        if loaded is not None:
            served = {str(each["feed"]) for each in loaded if each.get("source", True)}
            _require_blocking(served, market_date)
            _note_silent_feeds(settings, run_id, market_date, served)
        RawStore(settings.raw_dir).recover()
        warehouse = Warehouse(settings)
        manifest = warehouse.published_manifest()
        only = tuple(only)
        if manifest is not None and not only:
            digest = warehouse.input_digest(load_project(settings.sql_dir, settings.reference_dir))
            if digest == manifest["input_digest"] and warehouse.is_published_whole(manifest):
                logger.info("nothing new since build %s", manifest["build_id"])
                run_log.close(settings, run_id, "kept")
                return {**Build.from_dict(manifest).to_dict(), "is_unchanged": True}
        fold_journal(settings)
        made = warehouse.build(run_id, only=only, on_model=on_model)
        return {**made.to_dict(), "is_unchanged": False}


def _note_silent_feeds(
    settings: Settings, run_id: str, market_date: date, served: set[str]
) -> None:
    """Say that a feed has nothing where its tasks ended without a word, as when killed."""
    heard = {each.feed for each in health.of_run(settings, run_id)}
    for feed in nightly_feeds(settings):
        if feed.name not in served | heard:
            why = "its tasks ended without saying why; their log may"
            silent = SourceHealth(feed.name, feed.sources[0].name, 1, "unavailable", why)
            health.record(settings, run_id, market_date, feed.name, [silent])


def _require_blocking(loaded: set[str], market_date: date) -> None:
    missing = [feed.name for feed in FEEDS if feed.is_blocking and feed.name not in loaded]
    if missing:
        raise BlockedNightError(
            f"{', '.join(missing)} of {market_date} could not be loaded, and there is no night "
            "without it; the published file stays as it was. See the failed task, then run "
            f"`tidemark refresh --market-date {market_date}`"
        )


def audit(
    settings: Settings,
    built: Mapping[str, Any],
    *,
    accept_shrink: Iterable[str] = (),
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Hold a build against every audit.

    Args:
        settings: Where.
        built: What ``build`` returned.
        accept_shrink: Published tables that may have fewer rows than before, this once.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        ``built`` again; ``warnings`` has a sentence for each audit of lesser weight that did not
        pass.

    Raises:
        AuditError: A critical audit failed; the published file is as it was.
        ConfigurationError: What may shrink is no published table.
    """
    from pipeline.warehouse import Build, Warehouse, raise_if_critical

    made = Build.from_dict(dict(built))
    market_date = date.fromisoformat(made.market_date)
    warnings: list[str] = []
    with _step(settings, made.run_id, "audit", market_date, wait_seconds):
        if not built["is_unchanged"]:
            results = Warehouse(settings).audit(made, accept_shrink=tuple(accept_shrink))
            audit_trace.record(settings, made.run_id, results)
            for result in results:
                if result.status != "passed":
                    said = f"audit {result.audit} {result.status}: {result.sentence}"
                    logger.warning("%s", said)
                    warnings.append(f"{said} Such as: {result.example}")
            raise_if_critical(made, results)
    return {**built, "warnings": warnings}


def publish(
    settings: Settings,
    built: Mapping[str, Any],
    *,
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Put an audited build in front of readers.

    Returns:
        The manifest of what is published now.

    Raises:
        PublishError: The build cannot be published; the published file is as it was.
    """
    from pipeline.warehouse import Build, Warehouse

    made = Build.from_dict(dict(built))
    market_date = date.fromisoformat(made.market_date)
    with _step(settings, made.run_id, "publish", market_date, wait_seconds) as note:
        warehouse = Warehouse(settings)
        if not built["is_unchanged"]:
            manifest = warehouse.publish(made)
            note.rows_out = sum(manifest["row_counts"].values())
            run_log.close(settings, made.run_id, "published", build_id=made.build_id)
            return manifest
        known = warehouse.published_manifest()
        if known is None:
            raise PublishError("the published manifest is gone; run `tidemark build` again")
        return known


def report(
    settings: Settings,
    built: Mapping[str, Any],
    *,
    wait_seconds: float | None = None,
) -> str | None:
    """Write the pages about what is published; no figure waits for them.

    Returns:
        The path of the first page, or None where there is to be no report.

    Raises:
        ConfigurationError: The published file lacks a table that a page reads.
    """
    from pipeline.report.publishing import publish_report

    if not settings.report_enabled:
        return None
    market_date = date.fromisoformat(str(built["market_date"]))
    with _step(settings, str(built["run_id"]), "report", market_date, wait_seconds):
        page = publish_report(settings)
    return None if page is None else str(page)


def failures(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """Return the errors that ended steps of a run and were not mended by a retry."""
    return failures_of_runs.of_run(settings, run_id)


def fallbacks(settings: Settings, run_id: str) -> list[str]:
    """Return a sentence for each feed of a run that came from another source than usual."""
    return health.explain_fallbacks(health.of_run(settings, run_id))


def compose_alerts(
    settings: Settings,
    market_date: date,
    run_id: str,
    build_id: str | None,
    *,
    log_url: str = "",
) -> bool:
    """Put what is worth telling of a run into the outbox; ``deliver_alerts`` sends it.

    Args:
        settings: Where, to whom, and what is worth it.
        market_date: The UTC day of the run.
        run_id: The run; its other steps have ended, one way or another.
        build_id: What its ``publish`` returned, or None when it published nothing.
        log_url: Address of the run in Airflow, or empty.

    Returns:
        Whether the night is in front of readers.

    Raises:
        ConfigurationError: A recipient of the settings is none.
    """
    from pipeline.alerts.compose import compose_night

    is_published = build_id is not None
    with log_context(run_id, market_date, "compose alerts"):
        compose_night(settings, market_date, run_id, is_published=is_published, log_url=log_url)
    return is_published


def deliver_alerts(settings: Settings) -> int:
    """Send every alert that waits in the outbox, of this run or of an earlier one.

    Returns:
        How many deliveries were accepted.

    Raises:
        AlertError: Somebody has not got an alert yet; it stays in the outbox.
        ConfigurationError: Recipients are set but no server is, or the like.
    """
    from pipeline.alerts.delivery import deliver

    return deliver(settings)


def notify(settings: Settings, market_date: date, run_id: str, build_id: str | None) -> bool:
    """Compose what is worth telling of a run, and send it.

    Returns:
        Whether the night is in front of readers.

    Raises:
        AlertError: Somebody has not got an alert yet; it stays in the outbox.
        ConfigurationError: A recipient is none, or there is no server for them.
    """
    is_published = compose_alerts(settings, market_date, run_id, build_id)
    deliver_alerts(settings)
    return is_published


def watch_nights(settings: Settings) -> int:
    """Put an alert into the outbox when the night did not happen at all, or does again.

    Looks at the manifest alone, never at the warehouse.

    Returns:
        How many alerts were composed.
    """
    from pipeline.alerts.deadman import compose_missing_night

    return compose_missing_night(settings)


def do_chore(
    settings: Settings,
    name: str,
    run_id: str,
    *,
    is_dry_run: bool = False,
    wait_seconds: float | None = None,
    log_dir: str | None = None,
) -> dict[str, Any]:
    """Do one chore of the upkeep; see ``pipeline.upkeep``.

    Returns:
        ``chore``, ``file_count``, ``byte_count`` and ``sentence``.

    Raises:
        TidemarkError: It could not be done; ``watch_upkeep`` tells of it.
    """
    from pipeline import upkeep

    return upkeep.do_chore(
        settings,
        name,
        run_id,
        is_dry_run=is_dry_run,
        wait_seconds=wait_seconds,
        log_dir=Path(log_dir) if log_dir else None,
    ).to_dict()


def watch_upkeep(settings: Settings) -> int:
    """Put an alert into the outbox when a chore failed, or no longer does.

    Returns:
        How many alerts were composed.
    """
    from pipeline.upkeep.findings import compose_upkeep

    return compose_upkeep(settings)


def refresh(
    settings: Settings,
    market_date: date,
    run_id: str,
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a whole night in this process, as the DAG does through Airflow.

    Args:
        settings: Where.
        market_date: The UTC day.
        run_id: The run.
        on_step: Called with each step's name before it begins.

    Returns:
        The manifest of what is published now.

    Raises:
        TidemarkError: The night failed; the alert mail is sent first.
        AlertError: The night is published, but the mail about it could not be sent.
    """
    wait_seconds = settings.lock_timeout_seconds
    with (
        log_context(run_id, market_date),
        run_lock(settings.home, run_id=run_id, wait_seconds=wait_seconds),
    ):
        try:
            loaded = []
            for feed in nightly_feeds(settings):
                on_step(f"extract and load {feed.name}")
                try:
                    extracted = extract(settings, feed.name, market_date, run_id)
                    loaded.append(validate_and_load(settings, extracted, run_id))
                except TidemarkError as exc:
                    logger.warning("%s of %s was not loaded: %s", feed.name, market_date, exc)
            on_step("catch up")
            catch_up(settings, market_date, run_id)
            on_step("build")
            built = build(settings, market_date, run_id, loaded)
            on_step("audit")
            audit(settings, built)
            on_step("publish")
            manifest = publish(settings, built)
            if settings.report_enabled:
                on_step("report")
            try:
                report(settings, built)
            except (TidemarkError, OSError) as exc:
                logger.warning("the report of %s was not written: %s", market_date, exc)
        except Exception as exc:
            try:
                notify(settings, market_date, run_id, None)
            except (OSError, TidemarkError) as mail_error:
                logger.exception("the mail about the failed night could not be sent")
                exc.add_note(f"The mail about it could not be sent: {mail_error}")
            raise
        notify(settings, market_date, run_id, manifest["build_id"])
        return manifest


def backfill(
    settings: Settings,
    feed: str,
    first: date,
    last: date,
    run_id: str,
    *,
    source: str | None = None,
    chunk_days: int | None = None,
    wait_seconds: float | None = None,
    on_chunk: Callable[[Chunk, int, int], None] = lambda chunk, done, total: None,
    on_plan: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Fetch a range of days from a source that can be asked for the past.

    Days are asked for in chunks, oldest first; a chunk that is stored is remembered, so that
    the same call goes on where an interrupted one ended. The writer lock is held only while a
    chunk is stored, so a night may run beside it.

    Args:
        settings: Where.
        feed: One of the feeds, nightly or not.
        first: First UTC day.
        last: Last UTC day.
        run_id: The run.
        source: Which source; the feed's first that can be asked for the past by default.
        chunk_days: Days that are asked for, or read, at once; by default 30, or 365 of a source
            that sends all its days in one answer, which is asked once for the whole range.
        wait_seconds: How long to wait for another writer; the setting by default.
        on_chunk: Called after each chunk with how many of how many are done.
        on_plan: Called before the first, with how many of how many were done by earlier tries.

    Returns:
        ``feed``, ``dataset``, ``source``, how many ``chunks`` were done, and how many rows were
        ``added``, ``revised``, ``unchanged`` and ``quarantined``, earlier tries included.

    Raises:
        UnobtainableError: The source only knows the present.
        SourceError: It did not answer; run the same again to go on.
        QualityError: Chunks were refused; all others are stored.
    """
    from pipeline.backfilling import run_backfill

    with _step(settings, run_id, f"backfill {feed}", last, is_locked=False) as note:
        loaded = run_backfill(
            settings,
            get_feed(feed),
            first,
            last,
            run_id,
            source_name=source,
            chunk_days=chunk_days,
            lock=lambda: _lock(settings, run_id, wait_seconds),
            on_chunk=on_chunk,
            on_plan=on_plan,
        )
        _count_rows(note, loaded)
        return loaded


def replay(
    settings: Settings,
    sources: Iterable[Source],
    first: date,
    last: date,
    run_id: str,
    *,
    is_applied: bool = False,
    wait_seconds: float | None = None,
    on_fetch: Callable[[str], None] = lambda _: None,
) -> list[ReplayReport]:
    """Read landed bytes again with today's parsers; see ``pipeline.replay``.

    Args:
        settings: Where.
        sources: Whose bytes.
        first: First day of the rows.
        last: Last day of the rows.
        run_id: The run; it begins with ``replay-``.
        is_applied: Whether to store what differs.
        wait_seconds: How long to wait for another writer; the setting by default.
        on_fetch: Called with a text that names each fetch before it is read.

    Returns:
        One report per source that has landed anything.

    Raises:
        LockedError: Another run is writing, and the differences are to be stored.
    """
    from pipeline.raw_store import RawStore
    from pipeline.replay import landed_nights, replay_source

    if is_applied:
        run_log.begin(settings, run_id, "replay", last)
    with _lock(settings, run_id, wait_seconds) if is_applied else nullcontext():
        if is_applied:
            RawStore(settings.raw_dir).recover()
        reports = [
            replay_source(
                settings,
                source,
                first,
                last,
                run_id,
                is_applied=is_applied,
                on_fetch=lambda fetch: on_fetch(
                    f"{fetch.source.dataset} of {fetch.market_date} from {fetch.source.name}"
                ),
            )
            for source in sources
            if landed_nights(settings, source)
        ]
    if is_applied:
        run_log.close(settings, run_id, "loaded")
    return reports
