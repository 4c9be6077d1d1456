"""The night, one function per task. Airflow and the command line call the same ones.

::

    extract -> validate_and_load     once per dataset
    build -> audit -> publish        once per night
    notify                           always

Each takes and returns plain dictionaries, so that they travel through Airflow as they are.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.datasets import get_dataset
from pipeline.errors import (
    BlockedNightError,
    NotYetAvailableError,
    PayloadError,
    PublishError,
    QualityError,
    SourceError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.files import write_bytes_atomically
from pipeline.lock import run_lock
from pipeline.settings import Settings
from pipeline.sources.registry import FEEDS, get_feed, get_source, sources_for

if TYPE_CHECKING:
    from pipeline.landing import LandedPayload, Landing
    from pipeline.sources.base import Source

logger = logging.getLogger(__name__)


@contextmanager
def _step(
    settings: Settings, run_id: str, name: str, market_date: date, wait_seconds: float | None
) -> Iterator[None]:
    """Run a step under the writer lock and remember the error that ends it, for ``notify``."""
    wait = settings.lock_timeout_seconds if wait_seconds is None else wait_seconds
    trace = settings.journal_dir / "failure" / _folder_name(run_id) / f"{_folder_name(name)}.json"
    try:
        with run_lock(settings.home, run_id=run_id, wait_seconds=wait):
            yield
    except Exception as exc:
        failure = {
            "step": name,
            "market_date": market_date.isoformat(),
            "kind": type(exc).__name__,
            "error": str(exc),
        }
        write_bytes_atomically(trace, json.dumps(failure).encode())
        raise
    trace.unlink(missing_ok=True)


def _folder_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_.:+" else "-" for c in text)


def extract(
    settings: Settings,
    feed: str,
    market_date: date,
    run_id: str,
    *,
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Fetch one feed for one day and land every response as it came.

    A source that only knows the present is asked on the night itself, and not again once
    the night is published or the day is past: then what was landed is used again.

    Args:
        settings: Where and with which keys.
        feed: One of the nightly feeds.
        market_date: The UTC day.
        run_id: The run.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        ``feed``, ``dataset``, ``source``, ``market_date``, the landed ``payloads``, and
        ``passed_over``: why each source before this one has nothing, by its name.

    Raises:
        SourceError: No source of the feed answered.
        LockedError: Another run is writing.
    """
    with _step(settings, run_id, f"extract {feed}", market_date, wait_seconds):
        return _extract(settings, feed, market_date, run_id, {})


def _extract(
    settings: Settings,
    name: str,
    market_date: date,
    run_id: str,
    passed_over: Mapping[str, str],
) -> dict[str, Any]:
    """Extract from the first source that is not passed over already and has the day."""
    feed = get_feed(name)
    reasons = dict(passed_over)
    errors: list[TidemarkError] = []
    for source in feed.sources:
        if source.name in reasons:
            continue
        if not source.is_usable(settings):
            reasons[source.name] = "it is not set up"
            continue
        try:
            payloads = _obtain(settings, source, market_date, run_id)
        except TidemarkError as exc:
            logger.warning("%s has no %s of %s: %s", source.name, name, market_date, exc)
            reasons[source.name] = str(exc)
            errors.append(exc)
            continue
        return {
            "feed": name,
            "dataset": feed.dataset,
            "source": source.name,
            "market_date": market_date.isoformat(),
            "payloads": [payload.to_dict() for payload in payloads],
            "passed_over": reasons,
        }
    if len(errors) == 1 and len(reasons) == 1:
        raise errors[0]
    said = "; ".join(f"{source}: {reason}" for source, reason in reasons.items())
    raise SourceError(f"no source has {name} of {market_date}: {said}")


def _obtain(
    settings: Settings, source: Source, market_date: date, run_id: str
) -> list[LandedPayload]:
    from pipeline.landing import Landing
    from pipeline.sources.http import HttpClient

    landing = Landing(settings.landing_dir)
    if source.payloads_of is not None:
        return _shared_payloads(landing, source, market_date)
    is_past = market_date < settings.default_market_date()
    if source.kind == "now_only" and (is_past or _is_published(settings, source, market_date)):
        landed = _find_landed(landing, source, market_date)
        if landed:
            return landed
        if is_past:
            raise UnobtainableError(
                f"{source.name} only knows the present and nothing was landed on "
                f"{market_date}; load that day from your own history with `tidemark import`"
            )
    fetched_at = settings.now()
    try:
        with HttpClient(settings, source.vendor) as client:
            return [
                landing.land(
                    response,
                    source=source.name,
                    dataset=source.dataset,
                    market_date=market_date,
                    name=name,
                    run_id=run_id,
                    fetched_at=fetched_at,
                )
                for name, response in source.fetch(client, settings, market_date)
            ]
    except UnobtainableError:
        # Too late to ask, but an earlier run may have asked in time and gone no further.
        landed = _find_landed(landing, source, market_date)
        if landed:
            return landed
        raise


def _shared_payloads(landing: Landing, source: Source, market_date: date) -> list[LandedPayload]:
    """Return the newest fetch that the same source landed for the dataset it shares files with."""
    shared = str(source.payloads_of)
    for payloads in landing.find(shared, source.name, market_date):
        if _is_whole(landing, source, payloads, market_date):
            return payloads
    raise NotYetAvailableError(
        f"{source.dataset} of {market_date} is read from the files that {source.name} sends for "
        f"{shared}, and none was landed; run that feed first"
    )


def _find_landed(landing: Landing, source: Source, market_date: date) -> list[LandedPayload]:
    """Return the newest landed fetch of a day that can be read, or nothing."""
    for payloads in landing.find(source.dataset, source.name, market_date):
        if _is_whole(landing, source, payloads, market_date):
            logger.info("using what %s sent for %s before", source.name, market_date)
            return payloads
    return []


def _is_whole(
    landing: Landing, source: Source, payloads: list[LandedPayload], market_date: date
) -> bool:
    """Return whether a landed fetch can be read; one that a crash cut short cannot."""
    try:
        source.parse([(p.name, landing.read(p)) for p in payloads], market_date)
    except TidemarkError as exc:
        logger.warning(
            "a landed fetch of %s for %s is of no use: %s", source.name, market_date, exc
        )
        return False
    return True


def _is_published(settings: Settings, source: Source, market_date: date) -> bool:
    """Return whether a source's rows of a day are in a published build.

    Rows that are stored only may be why the night was not published.
    """
    from pipeline.raw_store import RawStore
    from pipeline.warehouse import Warehouse

    manifest = Warehouse(settings).published_manifest()
    if manifest is None or date.fromisoformat(manifest["market_date"]) < market_date:
        return False
    store = RawStore(settings.raw_dir, settings.threads)
    counts = store.row_counts(
        get_dataset(source.dataset), source.name, since=market_date, vintage="live"
    )
    return market_date in counts


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
        ``revised``, ``unchanged`` and ``quarantined``.

    Raises:
        PayloadError: A payload is not in the documented shape.
        QualityError: A critical rule failed; nothing of the dataset was stored.
    """
    market_date = date.fromisoformat(extracted["market_date"])
    feed = get_feed(extracted["feed"])
    with _step(settings, run_id, f"load {feed.name}", market_date, wait_seconds):
        while True:
            source = get_source(extracted["source"], feed.dataset)
            reasons = dict(extracted["passed_over"])
            try:
                loaded = _load(settings, source, extracted["payloads"], market_date, run_id)
            except (PayloadError, QualityError, SourceError) as exc:
                logger.warning("%s of %s is refused: %s", source.name, market_date, exc)
                reasons[source.name] = str(exc)
                try:
                    extracted = _extract(settings, feed.name, market_date, run_id, reasons)
                except SourceError:
                    # The first refusal says most; those after it are in the log.
                    raise exc from None
                continue
            return {**loaded, "feed": feed.name, "passed_over": reasons}


def _load(
    settings: Settings,
    source: Source,
    described: Iterable[Mapping[str, Any]],
    market_date: date,
    run_id: str,
) -> dict[str, Any]:
    from pipeline.landing import LandedPayload, Landing
    from pipeline.loading import load_frame

    landing = Landing(settings.landing_dir)
    payloads = [LandedPayload.from_dict(payload) for payload in described]
    frame = source.parse([(p.name, landing.read(p)) for p in payloads], market_date)
    known_at = min((p.fetched_at for p in payloads), default=settings.now())
    return load_frame(
        settings,
        frame,
        get_dataset(source.dataset),
        market_date=market_date,
        run_id=run_id,
        source=source.name,
        known_at=known_at,
        vintage="live",
        payload_refs=[p.path for p in payloads],
    ).to_dict()


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
    from pipeline.models import load_project
    from pipeline.raw_store import RawStore
    from pipeline.warehouse import Build, Warehouse

    with _step(settings, run_id, "build", market_date, wait_seconds):
        if loaded is not None:
            _require_blocking({str(result["feed"]) for result in loaded}, market_date)
        RawStore(settings.raw_dir).recover()
        warehouse = Warehouse(settings)
        manifest = warehouse.published_manifest()
        only = tuple(only)
        if manifest is not None and not only:
            digest = warehouse.input_digest(load_project(settings.sql_dir, settings.reference_dir))
            if digest == manifest["input_digest"] and warehouse.is_published_whole(manifest):
                logger.info("nothing new since build %s", manifest["build_id"])
                return {**Build.from_dict(manifest).to_dict(), "is_unchanged": True}
        made = warehouse.build(run_id, only=only, on_model=on_model)
        return {**made.to_dict(), "is_unchanged": False}


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
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Hold a build against every audit.

    Returns:
        ``built`` again.

    Raises:
        AuditError: A critical audit failed; the published file is as it was.
    """
    from pipeline.warehouse import Build, Warehouse, raise_if_critical

    made = Build.from_dict(dict(built))
    market_date = date.fromisoformat(made.market_date)
    with _step(settings, made.run_id, "audit", market_date, wait_seconds):
        if not built["is_unchanged"]:
            results = Warehouse(settings).audit(made)
            for result in results:
                if result.status != "passed":
                    logger.warning("audit %s %s: %s", result.audit, result.status, result.sentence)
            raise_if_critical(made, results)
    return dict(built)


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
    with _step(settings, made.run_id, "publish", market_date, wait_seconds):
        warehouse = Warehouse(settings)
        if not built["is_unchanged"]:
            return warehouse.publish(made)
        manifest = warehouse.published_manifest()
        if manifest is None:
            raise PublishError("the published manifest is gone; run `tidemark build` again")
        return manifest


def failures(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """Return the errors that ended steps of a run and were not mended by a retry."""
    folder = settings.journal_dir / "failure" / _folder_name(run_id)
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def notify(settings: Settings, market_date: date, run_id: str) -> bool:
    """Mail what went wrong in a run, if anything did.

    Returns:
        Whether the night failed as a whole, that is, nothing of it was published.

    Raises:
        OSError: The mail server did not take the mail.
    """
    from pipeline.alerts.failure import compose_failure
    from pipeline.alerts.mail import send_failure_mail
    from pipeline.warehouse import Warehouse

    found = failures(settings, run_id)
    if not found:
        return False
    fatal = [f for f in found if is_fatal(f)]
    manifest = Warehouse(settings).published_manifest()
    first = (fatal or found)[0]
    others = [f"{f['step']}: {f['error']}" for f in found if f is not first]
    mail = compose_failure(
        run_id=run_id,
        market_date=market_date,
        step=first["step"],
        error="\n".join([first["error"], *others]),
        published_as_of=date.fromisoformat(manifest["market_date"]) if manifest else None,
        is_published=not fatal,
        what_next=(
            f"Mend the cause, then run `tidemark refresh --market-date {market_date}`; running "
            "a night twice changes nothing that was right. docs/runbook.md has the details."
        ),
    )
    send_failure_mail(settings, subject=mail.subject, text=mail.text, html=mail.html)
    return bool(fatal)


def is_fatal(failure: Mapping[str, Any]) -> bool:
    """Return whether a failed step keeps the night from being published."""
    verb, _, name = str(failure["step"]).partition(" ")
    if verb in {"extract", "load"}:
        return any(feed.is_blocking for feed in FEEDS if feed.name == name)
    return True


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
    """
    with run_lock(settings.home, run_id=run_id, wait_seconds=settings.lock_timeout_seconds):
        try:
            loaded = []
            for feed in FEEDS:
                on_step(f"extract and load {feed.name}")
                try:
                    extracted = extract(settings, feed.name, market_date, run_id)
                    loaded.append(validate_and_load(settings, extracted, run_id))
                except TidemarkError as exc:
                    logger.warning("%s of %s was not loaded: %s", feed.name, market_date, exc)
            on_step("build")
            built = build(settings, market_date, run_id, loaded)
            on_step("audit")
            audit(settings, built)
            on_step("publish")
            manifest = publish(settings, built)
        except TidemarkError as exc:
            try:
                notify(settings, market_date, run_id)
            except (OSError, TidemarkError) as mail_error:
                logger.exception("the mail about the failed night could not be sent")
                exc.add_note(f"The mail about it could not be sent: {mail_error}")
            raise
        notify(settings, market_date, run_id)
        return manifest


def backfill(
    settings: Settings, dataset: str, first: date, last: date, run_id: str
) -> dict[str, Any]:
    """Fetch a range of days from a source that can be asked for the past.

    Returns:
        What the load did, as ``validate_and_load`` returns it.

    Raises:
        UnobtainableError: The dataset's source only knows the present.
        SourceError: The source did not answer.
        QualityError: A critical rule failed; nothing was stored.
    """
    from pipeline.landing import Landing
    from pipeline.loading import load_frame
    from pipeline.sources.http import HttpClient

    by_date = [source for source in sources_for(dataset) if source.kind == "by_date"]
    if not by_date:
        raise UnobtainableError(
            f"no source of {dataset} can be asked for past days; load them from your own "
            "history with `tidemark import DIR`"
        )
    source = by_date[0]
    with _step(settings, run_id, f"load {dataset}", last, None):
        landing = Landing(settings.landing_dir)
        fetched_at = settings.now()
        with HttpClient(settings, source.vendor) as client:
            payloads = [
                landing.land(
                    response,
                    source=source.name,
                    dataset=dataset,
                    market_date=last,
                    name=name,
                    run_id=run_id,
                    fetched_at=fetched_at,
                )
                for name, response in source.fetch(client, settings, last, since=first)
            ]
        bodies = [(payload.name, landing.read(payload)) for payload in payloads]
        return load_frame(
            settings,
            source.parse(bodies, last, since=first),
            get_dataset(dataset),
            market_date=last,
            run_id=run_id,
            source=source.name,
            known_at=fetched_at,
            vintage="reconstructed" if first < last - timedelta(days=14) else "live",
            payload_refs=[payload.path for payload in payloads],
        ).to_dict()
