"""What every step does around its work: the clock, the journal, the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import TYPE_CHECKING

from pipeline import failures as failures_of_runs
from pipeline import run_log, step_log
from pipeline.lock import run_lock
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.step_log import StepNote


@contextmanager
def running(
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
            locked(settings, run_id, wait_seconds) if is_locked else nullcontext(),
        ):
            yield note
    except Exception as exc:
        failures_of_runs.record(settings, run_id, name, market_date, exc)
        raise
    failures_of_runs.forget(settings, run_id, name)


@contextmanager
def locked(settings: Settings, run_id: str, wait_seconds: float | None) -> Iterator[None]:
    """Hold the writer lock, waiting as long as the setting says where nothing else is said."""
    wait = settings.lock_timeout_seconds if wait_seconds is None else wait_seconds
    with run_lock(settings.home, run_id=run_id, wait_seconds=wait):
        yield
