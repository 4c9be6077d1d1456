"""Telling of a run, of nights that did not happen, and of chores."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pipeline import failures as failures_of_runs
from pipeline import health
from pipeline.log_context import log_context
from pipeline.settings import Settings


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
    # By their names in the package, where they can be stood in for.
    from pipeline import steps

    is_published = steps.compose_alerts(settings, market_date, run_id, build_id)
    steps.deliver_alerts(settings)
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
