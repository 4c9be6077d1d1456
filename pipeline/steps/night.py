"""A whole night in one process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from typing import Any

from pipeline.errors import TidemarkError
from pipeline.lock import run_lock
from pipeline.log_context import log_context
from pipeline.settings import Settings
from pipeline.sources.registry import nightly_feeds

logger = logging.getLogger(__name__)


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
    # By their names in the package, where they can be stood in for.
    from pipeline import steps

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
                    extracted = steps.extract(settings, feed.name, market_date, run_id)
                    loaded.append(steps.validate_and_load(settings, extracted, run_id))
                except TidemarkError as exc:
                    logger.warning("%s of %s was not loaded: %s", feed.name, market_date, exc)
            on_step("catch up")
            steps.catch_up(settings, market_date, run_id)
            on_step("build")
            built = steps.build(settings, market_date, run_id, loaded)
            on_step("audit")
            steps.audit(settings, built)
            on_step("publish")
            manifest = steps.publish(settings, built)
            if settings.report_enabled:
                on_step("report")
            try:
                steps.report(settings, built)
            except (TidemarkError, OSError) as exc:
                logger.warning("the report of %s was not written: %s", market_date, exc)
        except Exception as exc:
            try:
                steps.notify(settings, market_date, run_id, None)
            except (OSError, TidemarkError) as mail_error:
                logger.exception("the mail about the failed night could not be sent")
                exc.add_note(f"The mail about it could not be sent: {mail_error}")
            raise
        steps.notify(settings, market_date, run_id, manifest["build_id"])
        return manifest
