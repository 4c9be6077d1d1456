"""What a home holds, read without help from the pipeline's own recovery, and what is amiss."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from nights import LAST_HISTORY_DAY, Home

from pipeline.database import open_scratch, quote
from pipeline.datasets import DATASETS
from pipeline.quality.quarantine import Quarantine
from pipeline.raw_store import RawStore
from pipeline.warehouse import Warehouse

_OWN_TO_A_RUN = ("run_id", "build_id")
_LEDGER_KEY = ("market_date", "profile", "index_id")


@dataclass(frozen=True)
class Contents:
    """The figures of the published file, and the rows of the archives, as multisets.

    ``figures`` is a digest by table, over everything but instants and ids of runs; None
    without a file. ``raw`` and ``levels`` leave instants and ids of runs out, ``raw_exact``
    has them.
    """

    figures: Mapping[str, str] | None
    raw: Counter[str]
    raw_exact: Counter[str]
    levels: Counter[str]


def read_contents(home: Home) -> Contents:
    """Read a home as it lies there."""
    return Contents(_figures(home.file), *_raw_rows(home), _levels(home))


def _figures(file: Path) -> dict[str, str] | None:
    if not file.exists():
        return None
    with duckdb.connect(str(file), read_only=True) as connection:
        columns: dict[str, list[str]] = {}
        for schema, table, column, kind in connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns() "
            "where not internal and schema_name not in ('quality', 'main') order by all"
        ).fetchall():
            names = columns.setdefault(f"{schema}.{table}", [])
            if kind != "TIMESTAMP WITH TIME ZONE" and column not in _OWN_TO_A_RUN:
                names.append(column)
        digests = {}
        for table, names in columns.items():
            row = connection.execute(
                f"select count(*), sum(hash({', '.join(names)})::hugeint) from {table}"
            ).fetchone()
            digests[table] = repr(row)
    return digests


def _raw_rows(home: Home) -> tuple[Counter[str], Counter[str]]:
    store = RawStore(home.path / "raw")
    rows: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    with open_scratch(1) as connection:
        for name, dataset in DATASETS.items():
            if store.files(dataset):
                columns = ", ".join([*dataset.column_names, "vintage"])
                for target, chosen in ((rows, columns), (exact, f"{columns}, run_id, known_at")):
                    found = connection.execute(
                        f"select {quote(name)} || hash({chosen}) from ({store.select(dataset)})"
                    ).fetchall()
                    target.update(text for (text,) in found)
    return rows, exact


def _levels(home: Home) -> Counter[str]:
    files = sorted((home.path / "ledger" / "index_level_daily").glob("[!.]*.parquet"))
    if not files:
        return Counter()
    listed = ", ".join(quote(str(file)) for file in files)
    with open_scratch(1) as connection:
        rows = connection.execute(
            f"select {', '.join(_LEDGER_KEY)}, level from read_parquet([{listed}])"
        ).fetchall()
    return Counter(repr(row) for row in rows)


def faults_after_a_kill(
    home: Home, before: Contents, after: Contents, found: Contents
) -> Iterator[str]:
    """Yield what a kill has broken.

    Args:
        home: The home, nobody running in it.
        before: What it held before the command.
        after: What a clean command leaves.
        found: What it holds now.
    """
    if found.figures != before.figures and found.figures != after.figures:
        yield "the published file has neither the old figures nor the new ones"
    for log in home.published.rglob("*.wal"):
        yield f"there is a write-ahead log: {log.name}"
    if before.raw_exact - found.raw_exact:
        yield f"{(before.raw_exact - found.raw_exact).total()} raw rows are lost"
    if found.raw - (before.raw | after.raw):
        yield f"{(found.raw - (before.raw | after.raw)).total()} raw rows are doubled or invented"
    yield from _ledger_faults(before, after, found)
    yield from _landing_faults(home.path / "landing")
    yield from _unreadable_files(home)
    yield from _rollback_faults(home)
    try:
        with FileLock(home.path / ".lock", timeout=0):
            pass
    except Timeout:
        yield "the lock is held by nobody"


def faults_after_recovery(home: Home, after: Contents, found: Contents) -> list[str]:
    """Return in what a home differs from one in which nobody was killed."""
    faults = []
    if found.figures != after.figures:
        faults.append("the next run did not publish the figures of a clean one")
    if found.raw != after.raw:
        lost, extra = (after.raw - found.raw).total(), (found.raw - after.raw).total()
        faults.append(f"raw differs from a clean run's: {lost} rows lost, {extra} too many")
    if found.levels != after.levels:
        faults.append("the ledger differs from a clean run's")
    warehouse = Warehouse(home.settings(home.last_day()))
    manifest = warehouse.published_manifest()
    if manifest is None or not warehouse.is_published_whole(manifest):
        faults.append("the published files are not what the manifest says")
    faults += _rollback_faults(home)
    faults += [f"left behind: {path.relative_to(home.path)}" for path in home.path.rglob(".*.tmp")]
    faults += list(_ledger_faults(found, after, found))
    faults += list(_landing_faults(home.path / "landing"))
    return faults + list(_unreadable_files(home))


def _rollback_faults(home: Home) -> Iterator[str]:
    warehouse = Warehouse(home.settings(LAST_HISTORY_DAY))
    manifest = warehouse.published_manifest()
    known = {build["build_id"] for build in warehouse.published_builds()}
    if manifest is not None and manifest["build_id"] not in known:
        yield f"build {manifest['build_id']} is published and cannot be rolled back to"


def _ledger_faults(before: Contents, after: Contents, found: Contents) -> Iterator[str]:
    if before.levels - found.levels:
        yield "the ledger has lost a level"
    if found.levels and found.levels.most_common(1)[0][1] > 1:
        yield "the ledger has a level twice"
    if found.levels - (before.levels | after.levels):
        yield "the ledger has a level that nobody published"


def _landing_faults(landing: Path) -> Iterator[str]:
    """Yield bodies that are not what their name says and sidecars without their body."""
    for path in landing.rglob("*.gz"):
        digest = path.name.split(".")[-3][-12:]
        try:
            body = gzip.decompress(path.read_bytes())
        except (OSError, EOFError) as exc:
            yield f"half a file in landing: {path.name} ({exc})"
            continue
        if hashlib.sha256(body).hexdigest()[:12] != digest:
            yield f"another body in landing: {path.name}"
    for path in landing.rglob("*.meta.json"):
        described = json.loads(path.read_bytes())
        if not (landing / described["path"]).exists():
            yield f"a sidecar without its body: {path.name}"


def _unreadable_files(home: Home) -> Iterator[str]:
    """Yield files under their final names that cannot be read."""
    for folder in ("quarantine", "journal", "ledger", "published/parquet"):
        for path in (home.path / folder).rglob("*.parquet"):
            if not path.name.startswith("."):
                try:
                    pq.ParquetFile(path).read()
                except (OSError, ValueError) as exc:
                    yield f"{folder} cannot be read: {path.name} ({exc})"
    for folder in ("journal", "state", "builds", "published"):
        for path in (home.path / folder).rglob("*.json"):
            try:
                json.loads(path.read_bytes())
            except ValueError as exc:
                yield f"{folder} cannot be read: {path.name} ({exc})"
    Quarantine(home.path / "quarantine").read()
