"""What the runs did, kept as Parquet so that it can be published beside the figures."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from pipeline.database import quote
from pipeline.files import replacing

TABLES = ("check_result", "load_result", "quarantine_release")
"""Tables that a build fills from here; ``audit_result`` is filled by the audit."""


class Journal:
    """The journal under ``root``: one folder a table, one file a run and subject."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, table: str, run_id: str, subject: str, frame: pd.DataFrame) -> None:
        """Keep ``frame`` as what ``run_id`` says about ``subject``; a repeat replaces it."""
        if frame.empty:
            return
        label = _label(f"{run_id}-{subject}")
        digest = hashlib.sha256(f"{run_id}\0{subject}".encode()).hexdigest()[:8]
        with replacing(self._root / table / f"{label}-{digest}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)

    def of_run(self, table: str, run_id: str) -> list[dict[str, Any]]:
        """Return the rows that a run wrote into a table, without looking at other runs' files."""
        label = _label(run_id)
        return [
            row
            for path in self.files(table)
            if path.name.startswith(label)
            for row in pq.ParquetFile(path).read().to_pylist()
            if row["run_id"] == run_id
        ]

    def since(self, table: str, subject: str, first: date) -> list[dict[str, Any]]:
        """Return the rows about ``subject`` of the files written on ``first`` or later."""
        begin = datetime.combine(first, time(), UTC).timestamp()
        return [
            row
            for path in self.files(table)
            if f"-{_label(subject)}" in path.name and path.stat().st_mtime >= begin
            for row in pq.ParquetFile(path).read().to_pylist()
        ]

    def files(self, table: str) -> list[Path]:
        """Return the files of a table in a stable order."""
        return sorted((self._root / table).glob("[!.]*.parquet"))

    def select(self, table: str, columns: str = "*") -> str | None:
        """Return SQL that reads a table, or None when nothing of it was written yet."""
        files = self.files(table)
        if not files:
            return None
        listed = ", ".join(quote(str(file)) for file in files)
        return f"select {columns} from read_parquet([{listed}], union_by_name = true)"


def _label(text: str) -> str:
    """Return ``text`` as the beginning of a file name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:120]
