"""What the runs did, kept as Parquet so that it can be published beside the figures."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd

from pipeline.database import quote
from pipeline.files import replacing

TABLES = ("check_result", "load_result", "quarantine_release")


class Journal:
    """The journal under ``root``: one folder a table, one file a run and subject."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, table: str, run_id: str, subject: str, frame: pd.DataFrame) -> None:
        """Keep ``frame`` as what ``run_id`` says about ``subject``; a repeat replaces it."""
        if frame.empty:
            return
        label = re.sub(r"[^A-Za-z0-9_.]+", "-", f"{run_id}-{subject}").strip("-.")[:120]
        digest = hashlib.sha256(f"{run_id}\0{subject}".encode()).hexdigest()[:8]
        with replacing(self._root / table / f"{label}-{digest}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)

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
