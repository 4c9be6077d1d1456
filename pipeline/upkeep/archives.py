"""The archives: many small files into few, and a copy on another disk."""

from __future__ import annotations

from pipeline.backup import make_backup
from pipeline.datasets import DATASETS
from pipeline.journal import fold_journal
from pipeline.raw_store import RawStore
from pipeline.settings import Settings
from pipeline.upkeep.report import Report

JOURNAL_FILES_WORTH_IT = 8


def compact(settings: Settings, is_dry_run: bool) -> Report:
    """Fold the small files of many nights, raw and journal, into few; no row changes.

    A dry run counts the raw ones.
    """
    store = RawStore(settings.raw_dir, settings.threads)
    if is_dry_run:
        folded = sum(store.foldable_count(dataset) for dataset in DATASETS.values())
    else:
        store.recover()
        folded = sum(store.compact(dataset) for dataset in DATASETS.values())
        folded += fold_journal(settings, at_least=JOURNAL_FILES_WORTH_IT)
    return Report("compact", folded, 0, f"{folded:,} files folded into few")


def back_up(settings: Settings, is_dry_run: bool) -> Report:
    """Copy the archives to ``TIDEMARK_BACKUP_DIR``, where it is set."""
    target = settings.backup_dir
    if target is None:
        return Report("back_up", 0, 0, "no backup, as TIDEMARK_BACKUP_DIR is not set")
    if is_dry_run:
        return Report("back_up", 0, 0, f"a backup to {target}")
    made = make_backup(settings, target, "upkeep-backup", keep=settings.backups_kept)
    said = f"{len(made.files):,} files backed up to {made.folder}"
    return Report("back_up", len(made.files), made.byte_count, said)
