"""Building the warehouse and holding it against every audit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from pipeline import audit_trace, health, run_log
from pipeline.errors import BlockedNightError
from pipeline.health import SourceHealth
from pipeline.settings import Settings
from pipeline.sources.registry import FEEDS, nightly_feeds
from pipeline.steps.running import running

logger = logging.getLogger(__name__)


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
    with running(settings, run_id, "build", market_date, wait_seconds):
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
    with running(settings, made.run_id, "audit", market_date, wait_seconds):
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
