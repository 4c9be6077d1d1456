"""Where rows that failed a rule are kept, in full, with the reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.datasets import Dataset, Vintage, get_dataset
from pipeline.files import replacing
from pipeline.quality.gate import GateReport

_ARROW_TYPES = {
    "date": pa.date32(),
    "varchar": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}

_ADDED = pa.schema(
    [
        ("dataset", pa.string()),
        ("gate_market_date", pa.date32()),
        ("rule_id", pa.string()),
        ("reason", pa.string()),
        ("run_id", pa.string()),
        ("served_by", pa.string()),
        ("payload_refs", pa.list_(pa.string())),
        ("quarantined_at", pa.timestamp("us", tz="UTC")),
        ("batch_digest", pa.string()),
        ("vintage", pa.string()),
        ("known_at", pa.timestamp("us", tz="UTC")),
    ]
)


def _schema(dataset: Dataset) -> pa.Schema:
    own = [(column.name, _ARROW_TYPES[column.type]) for column in dataset.columns]
    return pa.schema([*own, *_ADDED])


def _label(run_id: str) -> str:
    """Return how the names of a run's files end; several runs may share it."""
    return "-" + re.sub(r"[^A-Za-z0-9._-]", "_", run_id)


def _digest(rows: pd.DataFrame, *parts: str) -> str:
    """Return a hex digest of the rows and of what they were fetched from."""
    content = hashlib.sha256("\x1f".join(parts).encode())
    content.update(rows.to_csv(index=False, date_format="%Y-%m-%d").encode())
    return content.hexdigest()[:16]


class Quarantine:
    """The quarantine folder: one Parquet file per dataset, market date and run.

    Grain: one row per offending row. Columns: the dataset's own (``source`` is
    the row's), then ``dataset``, ``gate_market_date`` (UTC day of the run), ``rule_id``,
    ``reason``, ``run_id``, ``served_by`` (the source asked), ``payload_refs`` (where the
    bytes are in landing), ``quarantined_at`` (UTC), ``batch_digest`` (of one ``store``),
    ``vintage`` and ``known_at`` (UTC), as the row would have been stored with.
    """

    def __init__(self, root: Path) -> None:
        """Use ``root`` (``Settings.quarantine_dir``); it need not exist yet."""
        self._root = root

    def store(
        self,
        report: GateReport,
        run_id: str,
        source: str,
        payload_refs: Sequence[str],
        quarantined_at: datetime,
        *,
        vintage: Vintage = "live",
        known_at: datetime | None = None,
    ) -> Path | None:
        """Append a report's offending rows to the run's file, atomically.

        Storing the same rows of the same payloads again in a run changes nothing, not
        even ``quarantined_at``, so a retried task leaves one copy. Other rows of the
        run, of another source or payload, are kept beside them.

        Args:
            report: What the gate decided.
            run_id: The run; characters that do not suit a file name become ``_`` there.
            source: The source that was asked.
            payload_refs: Landing references of the payloads the frame came from.
            quarantined_at: When, in UTC.
            vintage: As what the rows would have been stored.
            known_at: When we learned them; ``quarantined_at`` by default.

        Returns:
            The file, or None when no row offends.
        """
        if report.quarantined.empty:
            return None
        path = self._root / report.dataset / f"{report.market_date}{_label(run_id)}.parquet"
        dataset = get_dataset(report.dataset)
        rows = report.quarantined[[*dataset.column_names, "rule_id", "reason"]]
        digest = _digest(rows, run_id, source, *payload_refs)
        stored = self._rows_in(path)
        if stored is not None and digest in set(stored["batch_digest"].to_pylist()):
            return path
        marked = rows.assign(
            dataset=report.dataset,
            gate_market_date=report.market_date,
            run_id=run_id,
            served_by=source,
            payload_refs=pd.Series([list(payload_refs)] * len(rows), index=rows.index),
            quarantined_at=quarantined_at,
            batch_digest=digest,
            vintage=vintage,
            known_at=known_at or quarantined_at,
        )
        for column in dataset.columns:
            if column.type == "date":
                marked[column.name] = pd.to_datetime(marked[column.name]).dt.date
        schema = _schema(dataset)
        table = pa.Table.from_pandas(marked, schema=schema, preserve_index=False)
        if stored is not None:
            table = pa.concat_tables([stored, table], promote_options="default")
        with replacing(path) as temporary:
            pq.write_table(table.replace_schema_metadata(None), temporary)
        return path

    def files(self, dataset: str) -> list[Path]:
        """Return a dataset's files, oldest market date first."""
        return sorted((self._root / dataset).glob("[!.]*.parquet"))

    def of_run(self, dataset: str, run_id: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return what a run put into quarantine, without looking at other runs' files.

        Args:
            dataset: The dataset.
            run_id: The run.
            columns: Which columns of the rows; ``run_id`` is there in any case.

        Returns:
            One row per offending row, oldest market date first, in the order of the gate.
        """
        return [
            row
            for path in self.files(dataset)
            if path.stem.endswith(_label(run_id))
            for row in pq.ParquetFile(path).read(columns=[*columns, "run_id"]).to_pylist()
            if row["run_id"] == run_id
        ]

    def read(self, dataset: str | None = None) -> pd.DataFrame:
        """Return everything in quarantine, oldest file first.

        Args:
            dataset: One dataset only; all by default, in the union of their columns.

        Returns:
            One row per offending row; only the added columns, and no rows, when
            nothing is in quarantine.
        """
        paths = sorted(self._root.glob(f"{dataset or '*'}/*.parquet"))
        tables = [pq.ParquetFile(path).read() for path in paths]
        table = pa.concat_tables(tables or [_ADDED.empty_table()], promote_options="default")
        return pd.DataFrame(table.to_pandas())

    @staticmethod
    def _rows_in(path: Path) -> pa.Table | None:
        return pq.ParquetFile(path).read() if path.exists() else None
