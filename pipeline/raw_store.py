"""The raw archive: typed Parquet that only ever grows.

``raw/<dataset>/<source>/<known_at>-<run_id>-<digest>.parquet``. A row is never changed: a
later row with the same key is a revision. Small files are folded into larger ones by
``compact``, which moves rows and never alters them.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.database import open_scratch, quote, quote_name
from pipeline.datasets import LINEAGE_COLUMNS, Column, Dataset, Vintage
from pipeline.errors import ConfigurationError
from pipeline.files import name_part, replacing, write_bytes_atomically

logger = logging.getLogger(__name__)

_PARTS_KEY = b"tidemark.parts"
_JOURNAL = "compaction.json"


@dataclass(frozen=True)
class AppendReport:
    """What an append did: rows new to the archive, revisions of known keys, rows known already."""

    added: int
    revised: int
    unchanged: int

    def __add__(self, other: AppendReport) -> AppendReport:
        return AppendReport(
            self.added + other.added,
            self.revised + other.revised,
            self.unchanged + other.unchanged,
        )


def _slug(text: str) -> str:
    return name_part(text, 80) or "unnamed"


def _typed(columns: Iterable[Column], relation: str) -> str:
    """Return a select of ``columns`` cast to their types, with NaN and infinity as null."""
    parts = []
    for column in columns:
        name = quote_name(column.name)
        value = f"cast({name} as {column.type})"
        if column.type in {"double", "bigint"}:
            value = f"case when isfinite(cast({name} as double)) then {value} end"
        parts.append(f"{value} as {name}")
    return f"select {', '.join(parts)} from {relation}"


def empty_select(dataset: Dataset) -> str:
    """Return a select with the dataset's stored columns and no rows."""
    columns = ", ".join(
        f"cast(null as {column.type}) as {quote_name(column.name)}"
        for column in (*dataset.columns, *LINEAGE_COLUMNS)
    )
    return f"select {columns} limit 0"


class RawStore:
    """The raw archive under ``root``."""

    def __init__(self, root: Path, threads: int | None = None) -> None:
        self._root = root
        self._threads = threads

    def files(self, dataset: Dataset) -> list[Path]:
        """Return the dataset's files in a stable order, each row in one of them."""
        return [
            file for folder in _folders(self._root / dataset.name) for file in _files_in(folder)
        ]

    def select(self, dataset: Dataset, known_by: datetime | None = None) -> str:
        """Return SQL that reads every stored row of the dataset.

        Args:
            dataset: Which dataset.
            known_by: Leave out rows learned after this instant.
        """
        files = self.files(dataset)
        if not files:
            return empty_select(dataset)
        listed = ", ".join(quote(str(file)) for file in files)
        columns = ", ".join(quote_name(c.name) for c in (*dataset.columns, *LINEAGE_COLUMNS))
        condition = ""
        if known_by is not None:
            condition = f" where known_at <= timestamptz {quote(known_by.isoformat())}"
        return f"select {columns} from read_parquet([{listed}]){condition}"

    def row_counts(
        self,
        dataset: Dataset,
        source: str,
        *,
        since: date,
        vintage: Vintage | None = None,
    ) -> dict[date, int]:
        """Return how many keys of a source are stored for each day from ``since`` on."""
        condition = "" if vintage is None else f" and vintage = {quote(vintage)}"
        day = quote_name(dataset.date_column)
        keys = ", ".join(quote_name(name) for name in dataset.key)
        with open_scratch(self._threads) as connection:
            rows = connection.execute(
                f"select {day}, count(*) from (select distinct {keys} from "
                f"({self.select(dataset)}) where source = $source and {day} >= $since{condition}) "
                f"group by {day} order by {day}",
                {"source": source, "since": since},
            ).fetchall()
        return {day: int(count) for day, count in rows}

    def read(self, dataset: Dataset, source: str, *, since: date, before: date) -> pd.DataFrame:
        """Return the latest word on every key of a source between two days.

        Args:
            dataset: Which dataset.
            source: Which source.
            since: First day.
            before: The day after the last.

        Returns:
            One row per key in the dataset's columns.
        """
        return self._read(dataset, "source = $source", source, since=since, before=before)

    def read_others(
        self, dataset: Dataset, source: str, *, since: date, before: date
    ) -> pd.DataFrame:
        """Return what ``read`` does, of every source but one."""
        return self._read(dataset, "source <> $source", source, since=since, before=before)

    def _read(
        self, dataset: Dataset, which: str, source: str, *, since: date, before: date
    ) -> pd.DataFrame:
        day = quote_name(dataset.date_column)
        keys = ", ".join(quote_name(name) for name in dataset.key)
        columns = ", ".join(quote_name(name) for name in dataset.column_names)
        measures = ", ".join(quote_name(name) for name in dataset.measures)
        with open_scratch(self._threads) as connection:
            frame = connection.execute(
                f"select {columns} from ({self.select(dataset)}) "
                f"where {which} and {day} >= $since and {day} < $before "
                f"qualify row_number() over (partition by {keys} "
                f"order by vintage = 'live' desc, known_at desc, run_id desc, {measures}) = 1 "
                f"order by {keys}",
                {"source": source, "since": since, "before": before},
            ).df()
        frame[dataset.date_column] = pd.to_datetime(frame[dataset.date_column]).dt.date
        return frame

    def append(
        self,
        dataset: Dataset,
        frame: pd.DataFrame,
        *,
        run_id: str,
        known_at: datetime,
        vintage: Vintage,
    ) -> AppendReport:
        """Store the rows of ``frame`` that say something the archive does not know yet.

        A row equal to the latest row of its key and vintage that was stored as known by
        ``known_at`` is left out, so that storing the same frame twice adds nothing, even
        when a later revision lies in between.

        Args:
            dataset: Which dataset; ``frame`` has its columns, ``source`` among them.
            frame: One row per key; NaN counts as null.
            run_id: The run that brought the rows.
            known_at: When we learned them, with a time zone.
            vintage: ``live`` as a night's own fetch, ``reconstructed`` for history.

        Returns:
            How many rows were new, revised and known already.

        Raises:
            ConfigurationError: A column is missing, or ``known_at`` has no time zone.
        """
        missing = [name for name in dataset.column_names if name not in frame.columns]
        if missing:
            raise ConfigurationError(
                f"{dataset.name}: columns {', '.join(missing)} are missing; "
                f"a frame needs {', '.join(dataset.column_names)}"
            )
        if known_at.tzinfo is None:
            raise ConfigurationError("known_at needs a time zone; pass an aware datetime in UTC")
        total = AppendReport(0, 0, 0)
        if frame.empty:
            return total
        with open_scratch(self._threads) as connection:
            connection.register("incoming_frame", frame)
            connection.execute(
                f"create table incoming as {_typed(dataset.columns, 'incoming_frame')}"
            )
            connection.unregister("incoming_frame")
            sources = connection.execute(
                "select distinct source from incoming order by source"
            ).fetchall()
            for (source,) in sources:
                total += self._append_source(
                    connection, dataset, source, run_id=run_id, known_at=known_at, vintage=vintage
                )
        return total

    def _append_source(
        self,
        connection: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        source: str,
        *,
        run_id: str,
        known_at: datetime,
        vintage: Vintage,
    ) -> AppendReport:
        folder = self._root / dataset.name / _slug(source)
        stored = _files_in(folder)
        listed = ", ".join(quote(str(file)) for file in stored)
        history = f"read_parquet([{listed}])" if stored else f"({empty_select(dataset)})"
        keys = ", ".join(quote_name(name) for name in dataset.key)
        date = quote_name(dataset.date_column)
        same_key = " and ".join(f"i.{quote_name(n)} = l.{quote_name(n)}" for n in dataset.key)
        same_measures = " and ".join(
            f"i.{quote_name(n)} is not distinct from l.{quote_name(n)}" for n in dataset.measures
        )
        columns = ", ".join(f"i.{quote_name(name)}" for name in dataset.column_names)
        connection.execute(
            f"""
            create or replace temp table fresh as
            with latest as (
                select * from {history}
                where vintage = $vintage
                    and known_at <= $known_at
                    and {date} between (select min({date}) from incoming)
                    and (select max({date}) from incoming)
                qualify rank() over (partition by {keys} order by known_at desc) = 1
            )
            select
                {columns},
                $known_at::timestamptz as known_at,
                $run_id as run_id,
                $vintage as vintage,
                exists (select 1 from latest as l where {same_key}) as is_revision,
                not exists (
                    select 1 from latest as l where {same_key} and {same_measures}
                ) as is_news,
            from incoming as i
            where i.source = $source
            """,
            {"vintage": vintage, "known_at": known_at, "run_id": run_id, "source": source},
        )
        counts = connection.execute(
            """
            select
                count(*) filter (is_news and not is_revision),
                count(*) filter (is_news and is_revision),
                count(*) filter (not is_news)
            from fresh
            """
        ).fetchone()
        report = AppendReport(*(counts or (0, 0, 0)))
        if report.added + report.revised:
            table = connection.execute(
                f"select * exclude (is_revision, is_news) from fresh where is_news order by {keys}"
            ).to_arrow_table()
            self._write(folder, table, run_id=run_id, known_at=known_at)
        return report

    def _write(self, folder: Path, table: pa.Table, *, run_id: str, known_at: datetime) -> Path:
        digest = hashlib.sha256()
        for batch in table.to_batches():
            digest.update(batch.serialize())
        stamp = known_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{stamp}-{_slug(run_id)}-{digest.hexdigest()[:12]}.parquet"
        return _write_parquet(folder / name, table, parts=[name])

    def parts(self, dataset: Dataset) -> list[str]:
        """Return the names under which the dataset's rows were first written, sorted.

        The list is the same before and after a compaction, so it identifies the rows.
        """
        names: list[str] = []
        for file in self.files(dataset):
            metadata = pq.read_metadata(file).metadata or {}
            names += [f"{file.parent.name}/{part}" for part in json.loads(metadata[_PARTS_KEY])]
        return sorted(names)

    def foldable_count(self, dataset: Dataset, *, at_least: int = 8) -> int:
        """Return how many files ``compact`` would fold."""
        counts = [len(_files_in(folder)) for folder in _folders(self._root / dataset.name)]
        return sum(count for count in counts if count >= max(at_least, 2))

    def compact(self, dataset: Dataset, *, at_least: int = 8) -> int:
        """Fold a source's files into one when there are at least ``at_least`` of them.

        A journal written before the swap makes a crash at any point harmless: ``recover``
        finishes or undoes it. Call it under the run lock only.

        Returns:
            How many files were folded away.
        """
        folded = 0
        for folder in _folders(self._root / dataset.name):
            if (folder / _JOURNAL).exists():
                self._finish(folder)
            files = _files_in(folder)
            if len(files) >= max(at_least, 2):
                self._compact_folder(dataset, folder, files)
                folded += len(files)
        return folded

    def _compact_folder(self, dataset: Dataset, folder: Path, files: list[Path]) -> None:
        parts: list[str] = []
        for file in files:
            parts += json.loads((pq.read_metadata(file).metadata or {})[_PARTS_KEY])
        listed = ", ".join(quote(str(file)) for file in files)
        order = ", ".join(quote_name(name) for name in dataset.key)
        with open_scratch(self._threads) as connection:
            table = connection.execute(
                f"select * from read_parquet([{listed}]) order by {order}, known_at, run_id"
            ).to_arrow_table()
        digest = hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]
        target = folder / f"compacted-{digest}.parquet"
        journal = {"new": target.name, "old": [file.name for file in files]}
        write_bytes_atomically(folder / _JOURNAL, json.dumps(journal).encode())
        _write_parquet(target, table, parts=sorted(parts))
        self._finish(folder)
        logger.info("compacted %d files of %s into %s", len(files), dataset.name, target.name)

    def recover(self) -> None:
        """Finish or undo a compaction that a crash cut short; call it under the run lock."""
        for journal in sorted(self._root.glob(f"*/*/{_JOURNAL}")):
            self._finish(journal.parent)
        for leftover in self._root.glob("*/*/.*.tmp"):
            leftover.unlink(missing_ok=True)

    @staticmethod
    def _finish(folder: Path) -> None:
        journal = json.loads((folder / _JOURNAL).read_bytes())
        if (folder / journal["new"]).exists():
            for name in journal["old"]:
                if name != journal["new"]:
                    (folder / name).unlink(missing_ok=True)
        (folder / _JOURNAL).unlink()


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*") if path.is_dir())


def _files_in(folder: Path) -> list[Path]:
    """Return the files of a source; in the middle of a compaction, the old ones or the new one.

    A crash may leave both until ``recover`` is called, and readers of the archive hold no lock.
    """
    files = sorted(folder.glob("[!.]*.parquet"))
    try:
        journal = json.loads((folder / _JOURNAL).read_bytes())
    except FileNotFoundError:
        return files
    if folder / journal["new"] not in files:
        return files
    folded = {*journal["old"]} - {journal["new"]}
    return [file for file in files if file.name not in folded]


def _write_parquet(path: Path, table: pa.Table, *, parts: list[str]) -> Path:
    metadata = {**(table.schema.metadata or {}), _PARTS_KEY: json.dumps(parts).encode()}
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")
    return path
