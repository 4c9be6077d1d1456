"""The errors that ended steps of a run, kept until a retry mends them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from pipeline import errors
from pipeline.files import folder_name, write_bytes_atomically
from pipeline.settings import Settings

WRONG_DATA = frozenset({"AuditError", "PayloadError", "QualityError"})
"""Kinds of error that say that what came is wrong."""

MISSING_DATA = frozenset(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SourceError)
) | {"HttpStatusError"}
"""Kinds of error that say that nothing of use came.

An alert takes them for "could not be fetched or checked", as nobody can say what the data would
have been; the record of a run takes them for a night that failed, as any other error is a fault
of ours.
"""


def _trace(settings: Settings, run_id: str, step: str) -> Path:
    folder = settings.journal_dir / "failure" / folder_name(run_id)
    return folder / f"{folder_name(step)}.json"


def record(
    settings: Settings, run_id: str, step: str, market_date: date, error: BaseException
) -> None:
    """Keep the error that ended a step."""
    failure = {
        "step": step,
        "market_date": market_date.isoformat(),
        "kind": type(error).__name__,
        "error": str(error),
        "failed_at": settings.now().isoformat(),
    }
    write_bytes_atomically(_trace(settings, run_id, step), json.dumps(failure).encode())


def forget(settings: Settings, run_id: str, step: str) -> None:
    """Forget the error of a step that has ended well since."""
    _trace(settings, run_id, step).unlink(missing_ok=True)


def of_run(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """Return ``step``, ``market_date``, ``kind``, ``error`` and ``failed_at`` of each failure."""
    folder = settings.journal_dir / "failure" / folder_name(run_id)
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
