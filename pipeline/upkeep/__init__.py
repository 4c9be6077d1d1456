"""What keeps a home small and whole over years: one chore a function, each on its own.

Every chore takes the writer lock while it changes something, can be asked what it would do
(``is_dry_run``), and leaves a note of how it ended under ``state/upkeep/``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.lock import run_lock
from pipeline.settings import Settings
from pipeline.upkeep import archives, ledger_check, retention
from pipeline.upkeep.report import Report, note

__all__ = ["CHORES", "Report", "do_chore"]

logger = logging.getLogger(__name__)

Chore = Callable[[Settings, bool], Report]

CHORES: Mapping[str, Chore] = {
    "compact": archives.compact,
    "prune_landing": retention.prune_landing,
    "prune_builds": retention.prune_builds,
    "prune_pages": retention.prune_pages,
    "prune_logs": retention.prune_logs,
    "check_ledger": ledger_check.check_ledger,
    "back_up": archives.back_up,
}
"""In the order in which they are done; the last copies what the others left."""

_LOCKING_ITSELF = frozenset({"back_up"})


def do_chore(
    settings: Settings,
    name: str,
    run_id: str,
    *,
    is_dry_run: bool = False,
    wait_seconds: float | None = None,
    log_dir: Path | None = None,
) -> Report:
    """Do one chore, and note how it ended unless nothing was to be changed.

    Args:
        settings: Where, and how long things are kept.
        name: One of ``CHORES``.
        run_id: Who holds the lock.
        is_dry_run: Only count what would be done.
        wait_seconds: How long to wait for another writer; the setting by default.
        log_dir: Where logs are pruned when the settings name no place.

    Raises:
        ConfigurationError: There is no such chore.
        LockedError: Another run is writing.
        LedgerError: The ledger has lost or changed what it held.
        BackupError: The backup could not be written.
    """
    if name not in CHORES:
        raise ConfigurationError(f"there is no chore {name}; there are {', '.join(CHORES)}")
    wait = settings.lock_timeout_seconds if wait_seconds is None else wait_seconds
    changes = {"lock_timeout_seconds": wait, "log_dir": settings.log_dir or log_dir}
    chosen = settings.model_copy(update=changes)
    started = datetime.now(UTC)
    try:
        if name in _LOCKING_ITSELF:
            report = CHORES[name](chosen, is_dry_run)
        else:
            with run_lock(settings.home, run_id=run_id, wait_seconds=wait):
                report = CHORES[name](chosen, is_dry_run)
    except Exception as exc:
        if not is_dry_run:
            note(settings, name, started, error=exc)
        raise
    if not is_dry_run:
        note(settings, name, started, report=report)
    logger.info("%s: %s", name, report.sentence)
    return report
