"""Loading a user's own history: files in the columns of the raw datasets.

A folder may also bring rows for the reference tables, such as the classes of coins that we
do not know, in CSV files that are called as the table is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.io.parsers import TextFileReader

from pipeline import run_log
from pipeline.datasets import DATASETS, Dataset
from pipeline.errors import ConfigurationError, PayloadError, QualityError
from pipeline.files import sha256_of, write_bytes_atomically
from pipeline.loading import LoadResult, load_frame
from pipeline.lock import run_lock
from pipeline.models import check_reference
from pipeline.repeated_keys import find_repeated_keys, rows_of_repeated_keys
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

CHUNK_ROWS = 250_000
_NULLS = ["", "NULL", "null", "None", "NaN", "nan", "NA", "N/A", "<NA>"]


@dataclass(frozen=True)
class ImportFile:
    """One file of a user's history and the raw dataset or reference table it is for."""

    path: Path
    target: Dataset | str
    row_count: int

    @property
    def target_name(self) -> str:
        """Name of the dataset or of the reference table."""
        return self.target if isinstance(self.target, str) else self.target.name


@dataclass(frozen=True)
class ImportReport:
    """What importing one file did, in rows; ``error`` is None when it went well."""

    file: str
    dataset: str
    added: int
    revised: int
    unchanged: int
    quarantined: int
    is_known: bool
    error: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the report in JSON types."""
        return dict(self.__dict__)


def find_files(folder: Path, sql_dir: Path | None = None) -> list[ImportFile]:
    """Return the files of ``folder`` that an import reads, reference tables first.

    Args:
        folder: The user's folder.
        sql_dir: The SQL, for the names of the reference tables; the shipped one by default.

    Raises:
        ConfigurationError: The folder is not there, or holds no file whose name begins
            with that of a raw dataset.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; name one with your history")
    found: list[ImportFile] = []
    names = sorted(DATASETS, key=len, reverse=True)
    tables = {path.stem for path in ((sql_dir or Settings().sql_dir) / "reference").glob("*.csv")}
    for path in sorted((*folder.glob("*.parquet"), *folder.glob("*.csv"))):
        if path.suffix == ".csv" and path.stem in tables:
            found.insert(0, ImportFile(path, path.stem, _count_rows(path)))
            continue
        dataset = next((DATASETS[name] for name in names if path.name.startswith(name)), None)
        if dataset is None:
            logger.warning("%s is left out: its name begins with no raw dataset's", path.name)
            continue
        found.append(ImportFile(path, dataset, _count_rows(path)))
    if not found:
        raise ConfigurationError(
            f"nothing in {folder} to import; files are called <dataset>*.parquet or .csv, and "
            f"the datasets are {', '.join(DATASETS)}"
        )
    return found


def import_file(
    settings: Settings,
    file: ImportFile,
    run_id: str,
    *,
    on_rows: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Take one file through the gate into the raw archive, a chunk at a time.

    What is stored already is not stored again, so an import that was cut short is simply
    started anew; a file that went in whole is recognised by its sha256 and skipped.

    Args:
        settings: Where.
        file: Which file.
        run_id: The run.
        on_rows: Called with the number of rows after each chunk.

    Returns:
        Counts of rows; ``error`` says why the gate or the shape of the file stopped it.
    """
    with run_lock(settings.home, run_id=run_id, wait_seconds=settings.lock_timeout_seconds):
        run_log.begin(settings, run_id, "import", settings.default_market_date())
        if isinstance(file.target, str):
            report = _import_reference(settings, file, file.target, on_rows)
            run_log.close(settings, run_id, "failed" if report.error else "loaded")
            return report
        digest = sha256_of(file.path)
        receipt = settings.journal_dir / "import" / f"{file.target_name}-{digest}.json"
        if receipt.exists():
            on_rows(file.row_count)
            run_log.close(settings, run_id, "loaded")
            known = json.loads(receipt.read_bytes())
            rows = known["added"] + known["revised"] + known["unchanged"]
            return _report(file, 0, 0, rows, known["quarantined"], is_known=True)
        loads: list[LoadResult] = []
        error = None
        try:
            for number, frame in enumerate(_chunks_of_unique_keys(file, file.target)):
                loads.append(
                    _load_chunk(settings, file, file.target, frame, run_id, number, digest)
                )
                on_rows(len(frame))
        except (PayloadError, QualityError) as exc:
            error = str(exc)
        report = _report(
            file,
            sum(load.added for load in loads),
            sum(load.revised for load in loads),
            sum(load.unchanged for load in loads),
            sum(load.quarantined for load in loads),
            error=error,
        )
        run_log.close(settings, run_id, "failed" if error else "loaded")
        if error is None:
            write_bytes_atomically(receipt, json.dumps(report.to_dict()).encode())
        return report


def _import_reference(
    settings: Settings, file: ImportFile, table: str, on_rows: Callable[[int], None]
) -> ImportReport:
    """Put a user's reference rows in place; they add to the shipped ones or replace them."""
    target = settings.reference_dir / file.path.name
    on_rows(file.row_count)
    if target.exists() and sha256_of(target) == sha256_of(file.path):
        return _report(file, 0, 0, file.row_count, 0, is_known=True)
    try:
        check_reference(settings.sql_dir, table, file.path)
    except ConfigurationError as exc:
        return _report(file, 0, 0, 0, 0, error=str(exc))
    is_revision = target.exists()
    write_bytes_atomically(target, file.path.read_bytes())
    rows = file.row_count
    return _report(file, 0 if is_revision else rows, rows if is_revision else 0, 0, 0)


def _report(
    file: ImportFile,
    added: int,
    revised: int,
    unchanged: int,
    quarantined: int,
    *,
    is_known: bool = False,
    error: str | None = None,
) -> ImportReport:
    return ImportReport(
        file.path.name,
        file.target_name,
        added,
        revised,
        unchanged,
        quarantined,
        is_known,
        error,
    )


def _load_chunk(
    settings: Settings,
    file: ImportFile,
    dataset: Dataset,
    frame: pd.DataFrame,
    run_id: str,
    number: int,
    digest: str,
) -> LoadResult:
    return load_frame(
        settings,
        frame,
        dataset,
        market_date=settings.default_market_date(),
        run_id=run_id,
        source=file.path.name,
        known_at=settings.now(),
        vintage="reconstructed",
        payload_refs=[f"import/{file.path.name}#sha256={digest}"],
        subject=f"{file.path.name}-{number}",
    )


def _chunks_of_unique_keys(file: ImportFile, dataset: Dataset) -> Iterator[pd.DataFrame]:
    """Read a file in chunks; of one with repeated keys, their rows alone, for the gate to refuse.

    The gate sees a chunk at a time, and the store would take a key that comes again in a later
    chunk for a revision.
    """
    if file.row_count > CHUNK_ROWS:
        repeated = find_repeated_keys(_read_chunks(file, dataset), dataset)
        if not repeated.empty:
            chunks = _read_chunks(file, dataset)
            yield rows_of_repeated_keys(chunks, dataset, repeated).head(CHUNK_ROWS)
            raise QualityError(f"{file.path.name} has several rows of one key; export it again")
    yield from _read_chunks(file, dataset)


def _count_rows(path: Path) -> int:
    if path.suffix == ".parquet":
        try:
            return int(pq.read_metadata(path).num_rows)
        except pa.ArrowException as exc:
            raise ConfigurationError(
                f"{path} is not Parquet: {exc}; export it again or take it out of the folder"
            ) from exc
    with path.open("rb") as handle:
        return max(sum(1 for _ in handle) - 1, 0)


def _read_chunks(file: ImportFile, dataset: Dataset) -> Iterator[pd.DataFrame]:
    try:
        if file.path.suffix == ".parquet":
            with pq.ParquetFile(file.path) as parquet:
                for batch in parquet.iter_batches(batch_size=CHUNK_ROWS):
                    yield shape_frame(batch.to_pandas(date_as_object=True), dataset, file.path.name)
        else:
            with _open_csv(file, dataset) as reader:
                for chunk in reader:
                    yield shape_frame(chunk, dataset, file.path.name)
    except (OSError, ValueError, UnicodeDecodeError) as exc:
        raise PayloadError(f"{file.path} cannot be read: {exc}; export it again") from exc


def _open_csv(file: ImportFile, dataset: Dataset) -> TextFileReader:
    """Open a CSV so that texts stay as written: a coin may be called NULL, an id be 007."""
    texts = [column.name for column in dataset.columns if column.type in {"date", "varchar"}]
    header = pd.read_csv(file.path, nrows=0).columns
    return pd.read_csv(
        file.path,
        chunksize=CHUNK_ROWS,
        dtype=dict.fromkeys(texts, "string"),
        keep_default_na=False,
        na_values={name: [""] if name in texts else _NULLS for name in header},
    )


def shape_frame(frame: pd.DataFrame, dataset: Dataset, file_name: str) -> pd.DataFrame:
    """Return a user's rows in the dataset's columns and types.

    Columns that the dataset does not have are left out; ``source`` becomes ``import``
    where it is missing; columns of ``Dataset.renamed`` are converted.

    Raises:
        PayloadError: A column is missing or holds what its type cannot.
    """
    shaped = frame.copy()
    for theirs, ours, factor in dataset.renamed:
        if theirs in shaped.columns and ours not in shaped.columns:
            shaped[ours] = _typed(shaped[theirs], "double", file_name) * factor
    if "source" not in shaped.columns:
        shaped["source"] = "import"
    missing = [name for name in dataset.key if name not in shaped.columns]
    if not missing and not any(name in shaped.columns for name in dataset.measures):
        missing = list(dataset.measures)
    if missing:
        raise PayloadError(
            f"{file_name} has no column {', '.join(missing)}; {dataset.name} needs "
            f"{', '.join(dataset.column_names)}"
        )
    for column in dataset.columns:
        if column.name not in shaped.columns:
            shaped[column.name] = None
        shaped[column.name] = _typed(shaped[column.name], column.type, file_name)
    return shaped[list(dataset.column_names)]


def _typed(values: pd.Series[Any], kind: str, file_name: str) -> pd.Series[Any]:
    try:
        return _converted(values, kind)
    except (ValueError, TypeError, OverflowError) as exc:
        raise PayloadError(f"{file_name}: column {values.name} is not all {kind}: {exc}") from exc


def _converted(values: pd.Series[Any], kind: str) -> pd.Series[Any]:
    if kind == "date":
        return values.map(_as_date)
    if kind == "double":
        return pd.to_numeric(values).astype("float64")
    if kind == "bigint":
        return pd.to_numeric(values).astype("Int64")
    return values.astype("string").astype(object).where(values.notna(), None)


def _as_date(value: Any) -> date | None:
    """Return the UTC day of an ISO date or instant; 01/02/2024 may be two days, so it is none."""
    if pd.isna(value):
        return None
    if type(value) is date:
        return value
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise TypeError(f"{value!r} is no ISO date")
    return (instant if instant.tzinfo is None else instant.astimezone(UTC)).date()
