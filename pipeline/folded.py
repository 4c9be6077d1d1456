"""A table of the journal as it lies on disk: a small file for each word, the old ones folded.

``journal/<table>/`` holds what the last weeks have said; ``journal/folded/<table>/<n>.parquet``
the rows of older files, each with the name, the time and the place of where it came from. Only
the highest number counts, and a small file that is there counts in place of the rows that were
folded from one of its name. So a fold that is killed at any moment loses and doubles nothing,
and a run that says something again replaces what it said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.database import open_scratch, quote
from pipeline.files import replacing

logger = logging.getLogger(__name__)

FOLD_AFTER_DAYS = 35
"""Age of the files that are folded: their runs are over, and no chart looks so far back."""

_FILE, _WRITTEN, _ROW = "journal_file", "journal_written_at", "journal_row"
# So that one run is found without reading the rows of all others.
_ROWS_PER_GROUP = 20_000
_FILES_AT_ONCE = 2_000


class FoldedTable:
    """The files of one table of the journal under ``root``."""

    def __init__(self, root: Path, table: str) -> None:
        self._folder = root / table
        self._folded_folder = root / "folded" / table

    def files(self) -> dict[str, Path]:
        """Return the small files by their name below the table's folder, in a stable order."""
        paths = sorted(self._folder.rglob("[!.]*.parquet"))
        return {path.relative_to(self._folder).as_posix(): path for path in paths}

    def select(self, columns: str = "*") -> str | None:
        """Return SQL that reads every row, or None when nothing was written yet."""
        files, folded = self.files(), self._folded()
        parts = []
        if files:
            parts.append(f"select {columns} from {_reading(files.values())}")
        if folded is not None:
            every = f"* exclude ({_FILE}, {_WRITTEN}, {_ROW})" if columns == "*" else columns
            parts.append(f"select {every} from {_reading([folded])} where {_not_in(files)}")
        return f"from ({' union all by name '.join(parts)})" if parts else None

    def rows(
        self,
        is_wanted: Callable[[str], bool],
        *,
        run_id: str | None = None,
        since: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Return the rows of some files, in the order in which they were written there.

        Args:
            is_wanted: Whether the file of a name is one of them.
            run_id: Only what this run has said.
            since: Only what was written at this instant or later.
        """
        import pyarrow.parquet as pq

        files = self.files()
        begin = None if since is None else since.timestamp()
        found = self._folded_rows(is_wanted, files, run_id, since)
        for name, path in files.items():
            if is_wanted(name) and (begin is None or path.stat().st_mtime >= begin):
                found += pq.ParquetFile(path).read().to_pylist()
        return [row for row in found if run_id is None or row["run_id"] == run_id]

    def _folded_rows(
        self,
        is_wanted: Callable[[str], bool],
        files: dict[str, Path],
        run_id: str | None,
        since: datetime | None,
    ) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        folded = self._folded()
        if folded is None:
            return []
        conditions: list[tuple[str, str, Any]] = []
        if run_id is not None:
            conditions.append(("run_id", "==", run_id))
        if since is not None:
            conditions.append((_WRITTEN, ">=", since))
        rows = pq.read_table(folded, filters=conditions or None).to_pylist()
        kept = [row for row in rows if is_wanted(row[_FILE]) and row[_FILE] not in files]
        kept.sort(key=lambda row: (row[_FILE], row[_ROW]))
        return [{k: v for k, v in row.items() if k not in (_FILE, _WRITTEN, _ROW)} for row in kept]

    def fold(self, before: datetime, *, at_least: int, threads: int | None = None) -> int:
        """Fold the files written before an instant when there are enough; no row changes.

        Call it under the run lock only.

        Returns:
            How many files were folded away.
        """
        written = {name: path.stat().st_mtime_ns for name, path in self.files().items()}
        limit = int(before.timestamp() * 1e9)
        old = [name for name, at in written.items() if at < limit]
        if len(old) < max(at_least, 1):
            return 0
        for first in range(0, len(old), _FILES_AT_ONCE):
            batch = old[first : first + _FILES_AT_ONCE]
            self._fold_batch({name: written[name] for name in batch}, threads)
        logger.info("folded %d files of %s", len(old), self._folder.name)
        return len(old)

    def _fold_batch(self, old: dict[str, int], threads: int | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        origins = pa.table(
            {
                "path": [str(self._folder / name) for name in old],
                _FILE: list(old),
                _WRITTEN: pa.array(
                    [at // 1000 for at in old.values()], pa.timestamp("us", tz="UTC")
                ),
            }
        )
        with open_scratch(threads) as connection:
            connection.register("origin", origins)
            table = connection.execute(self._select_folded(origins["path"].to_pylist()))
            folded = table.to_arrow_table()
        with replacing(self._folded_folder / f"{self._last_number() + 1:06d}.parquet") as temporary:
            pq.write_table(folded, temporary, compression="zstd", row_group_size=_ROWS_PER_GROUP)
        self._clear(old)

    def _select_folded(self, paths: Iterable[str]) -> str:
        reading = _reading(paths, "filename = true, file_row_number = true")
        select = f"""
            select
                origin.{_FILE},
                origin.{_WRITTEN},
                said.file_row_number as {_ROW},
                said.* exclude (filename, file_row_number)
            from {reading} as said
            inner join origin on said.filename = origin.path
        """
        folded = self._folded()
        if folded is not None:
            select += (
                f" union all by name select * from {_reading([folded])} "
                f"where {_FILE} not in (select {_FILE} from origin)"
            )
        return f"from ({select}) order by {_WRITTEN}, {_FILE}, {_ROW}"

    def _clear(self, old: dict[str, int]) -> None:
        """Delete what was folded, and all folds but the last two: somebody may read that before."""
        for name, at in old.items():
            path = self._folder / name
            if path.stat().st_mtime_ns == at:  # Else it has been said again just now.
                path.unlink()
        for folder in {(self._folder / name).parent for name in old} - {self._folder}:
            with suppress(OSError):  # Not empty: its run has said something else since.
                folder.rmdir()
        for path in self._folds()[:-2]:
            path.unlink()

    def _folds(self) -> list[Path]:
        return sorted(self._folded_folder.glob("[0-9]*.parquet"))

    def _folded(self) -> Path | None:
        return next(reversed(self._folds()), None)

    def _last_number(self) -> int:
        folded = self._folded()
        return 0 if folded is None else int(folded.stem)


def _reading(paths: Iterable[Path | str], options: str = "") -> str:
    listed = ", ".join(quote(str(path)) for path in paths)
    more = f", {options}" if options else ""
    return f"read_parquet([{listed}], union_by_name = true{more})"


def _not_in(files: Iterable[str]) -> str:
    listed = ", ".join(quote(name) for name in files)
    return f"{_FILE} not in ({listed})" if listed else "true"
