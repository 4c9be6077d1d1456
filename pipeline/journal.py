"""What the runs did, kept as Parquet so that it can be published beside the figures."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.files import name_part, replacing
from pipeline.folded import FOLD_AFTER_DAYS, FoldedTable
from pipeline.health import TABLE as HEALTH_TABLE
from pipeline.settings import Settings
from pipeline.step_log import TABLE as STEP_TABLE

TABLES = ("check_result", "load_result", "quarantine_release")
"""Tables that a build fills from here; ``audit_result`` is filled by the audit."""

_FOLDED = (
    "audit_result",
    "check_example",
    "check_result",
    "load_result",
    HEALTH_TABLE,
    STEP_TABLE,
)

_LABEL_CHARACTERS = 120

AT_LEAST = 256
"""Old files of a table that a night folds: those of about two weeks."""


class Journal:
    """The journal under ``root``: one folder a table, one file a run and subject."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, table: str, run_id: str, subject: str, frame: pd.DataFrame) -> None:
        """Keep ``frame`` as what ``run_id`` says about ``subject``; a repeat replaces it."""
        if frame.empty:
            return
        label = name_part(f"{run_id}-{subject}", _LABEL_CHARACTERS)
        digest = hashlib.sha256(f"{run_id}\0{subject}".encode()).hexdigest()[:8]
        with replacing(self._root / table / f"{label}-{digest}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)

    def of_run(self, table: str, run_id: str) -> list[dict[str, Any]]:
        """Return the rows that a run wrote into a table, without looking at other runs' files."""
        label = name_part(run_id, _LABEL_CHARACTERS)
        return FoldedTable(self._root, table).rows(
            lambda name: name.startswith(label), run_id=run_id
        )

    def since(self, table: str, subject: str, first: date) -> list[dict[str, Any]]:
        """Return the rows about ``subject`` of the files written on ``first`` or later."""
        label = f"-{name_part(subject, _LABEL_CHARACTERS)}"
        begin = datetime.combine(first, time(), UTC)
        return FoldedTable(self._root, table).rows(lambda name: label in name, since=begin)

    def files(self, table: str) -> list[Path]:
        """Return the files of a table that are not folded, in a stable order."""
        return list(FoldedTable(self._root, table).files().values())

    def select(self, table: str, columns: str = "*") -> str | None:
        """Return SQL that reads a table, or None when nothing of it was written yet."""
        return FoldedTable(self._root, table).select(columns)


def fold_journal(settings: Settings, *, at_least: int = AT_LEAST) -> int:
    """Fold the old files of each table into one, so that reading years is as quick as weeks.

    No row changes. Call it under the run lock only.

    Args:
        settings: Where, and the clock.
        at_least: How many old files of a table are worth it.

    Returns:
        How many files were folded away.
    """
    before = settings.now() - timedelta(days=FOLD_AFTER_DAYS)
    return sum(
        FoldedTable(settings.journal_dir, table).fold(
            before, at_least=at_least, threads=settings.threads
        )
        for table in _FOLDED
    )
