"""What may go after a while: landed bodies, builds, pages, logs. Never what an archive needs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from pipeline.database import open_scratch
from pipeline.files import clear_leftovers, write_bytes_atomically
from pipeline.journal import Journal
from pipeline.landing import PRUNED
from pipeline.quality.data_docs import prune_runs
from pipeline.settings import Settings
from pipeline.sources.registry import FEEDS
from pipeline.upkeep.report import Report
from pipeline.warehouse import Warehouse

_DAY_SECONDS = 86_400.0


def prune_landing(settings: Settings, is_dry_run: bool) -> Report:
    """Delete landed bodies older than ``TIDEMARK_LANDING_KEPT_DAYS`` whose rows are all stored.

    The sidecars stay, with the sha256 of what came. A body stays, however old it is, when one of
    its fetches was not loaded, had rows kept out, or is read by a feed that did not load it.
    """
    days = settings.landing_kept_days
    if not days:
        return Report("prune_landing", 0, 0, "every landed body is kept")
    before = settings.now().date() - timedelta(days=days)
    loaded = _whole_loads(settings)
    count, size, kept = 0, 0, 0
    for folder in sorted(settings.landing_dir.glob("*/*/*")):
        try:
            if date.fromisoformat(folder.name) >= before:
                continue
        except ValueError:
            continue
        free, needed = _bodies(folder, loaded)
        kept += len(needed)
        for path in sorted(free - needed):
            size += path.stat().st_size
            count += 1
            if not is_dry_run:
                marker = path.with_name(path.name + PRUNED)
                write_bytes_atomically(marker, settings.now().isoformat().encode())
                path.unlink()
    said = f"{count:,} landed bodies from before {before} pruned, {kept:,} kept as they are needed"
    return Report("prune_landing", count, size, said)


def _whole_loads(settings: Settings) -> set[tuple[str, str, str]]:
    """Return run, dataset and source of the loads that kept no row out."""
    select = Journal(settings.journal_dir).select("load_result")
    if select is None:
        return set()
    with open_scratch(settings.threads) as connection:
        rows = connection.execute(
            f"select run_id, dataset, source from ({select}) group by all "
            "having bool_and(status = 'loaded' and quarantined_count = 0)"
        ).fetchall()
    return {(str(run), str(dataset), str(source)) for run, dataset, source in rows}


def _readers() -> dict[tuple[str, str], set[str]]:
    """Return the datasets that are read from what a source lands for a dataset."""
    readers: dict[tuple[str, str], set[str]] = {}
    for feed in FEEDS:
        for source in feed.sources:
            landed_for = source.payloads_of or source.dataset
            readers.setdefault((landed_for, source.name), set()).add(source.dataset)
    return readers


def _bodies(folder: Path, loaded: set[tuple[str, str, str]]) -> tuple[set[Path], set[Path]]:
    """Return the bodies of a day whose every fetch is stored whole, and those that are needed."""
    readers = _readers()
    free: set[Path] = set()
    needed: set[Path] = set()
    for sidecar in folder.glob("*.meta.json"):
        described = json.loads(sidecar.read_bytes())
        path = folder / Path(str(described["path"])).name
        if not path.exists():
            continue
        run_id, dataset, source = (str(described[n]) for n in ("run_id", "dataset", "source"))
        read_as = readers.get((dataset, source), {dataset})
        is_stored = all((run_id, each, source) in loaded for each in read_as)
        (free if is_stored else needed).add(path)
    return free, needed


def prune_builds(settings: Settings, is_dry_run: bool) -> Report:
    """Delete unpublished builds beyond the newest few, and what killed runs left half-written.

    Published builds go when a later one is published; see ``Warehouse``.
    """
    warehouse = Warehouse(settings)
    published = {str(record["build_id"]) for record in warehouse.published_builds()}
    others = [
        folder
        for folder in sorted(settings.builds_dir.glob("*"))
        if folder.is_dir() and folder.name not in published
    ]
    doomed = others[: -settings.unpublished_builds_kept]
    size = sum(_size_of(folder) for folder in doomed)
    if not is_dry_run:
        for folder in doomed:
            shutil.rmtree(folder)
        clear_leftovers([settings.home])
    return Report("prune_builds", len(doomed), size, f"{len(doomed):,} unpublished builds deleted")


def prune_pages(settings: Settings, is_dry_run: bool) -> Report:
    """Delete Data Docs of runs beyond ``TIDEMARK_DATA_DOCS_RUNS_KEPT``."""
    doomed = prune_runs(settings, is_dry_run=True)
    size = sum(_size_of(folder) for folder in doomed)
    if not is_dry_run:
        prune_runs(settings)
    return Report("prune_pages", len(doomed), size, f"Data Docs of {len(doomed):,} runs deleted")


def prune_logs(settings: Settings, is_dry_run: bool) -> Report:
    """Delete files below ``TIDEMARK_LOG_DIR`` older than ``TIDEMARK_LOGS_KEPT_DAYS``."""
    root, days = settings.log_dir, settings.logs_kept_days
    if root is None or not days:
        return Report("prune_logs", 0, 0, "every log is kept")
    before = time.time() - days * _DAY_SECONDS
    count, size = 0, 0
    for path in _logs(root):
        facts = path.lstat()
        if facts.st_mtime < before:
            count, size = count + 1, size + facts.st_size
            if not is_dry_run:
                path.unlink(missing_ok=True)
    if not is_dry_run:
        _remove_empty_folders(root)
    said = f"{count:,} logs older than {days} days deleted from {root}"
    return Report("prune_logs", count, size, said)


def _logs(root: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(root):
        for name in files:
            if name.endswith((".log", ".jsonl")) or ".log." in name:
                yield Path(parent, name)


def _remove_empty_folders(root: Path) -> None:
    for parent, _, _ in os.walk(root, topdown=False):
        folder = Path(parent)
        if folder != root and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
