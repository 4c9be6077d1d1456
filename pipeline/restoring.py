"""Putting a backup into an empty home.

Every file is copied to ``.restoring`` in the home and checked; then the archives are renamed into
place, ``raw`` last, so that nothing is built from half of a backup. The same command goes on
where an interrupted one ended.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.backup import ARCHIVES, MANIFEST, Backup, copy_with_digest, is_whole
from pipeline.errors import BackupError, ConfigurationError
from pipeline.files import sha256_of, write_bytes_atomically
from pipeline.lock import run_lock
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

STAGING = ".restoring"
_WHOLE = "whole"
_OURS = frozenset({STAGING, ".lock", ".lock.json", ".backup.lock"})
_ORDER = (*(name for name in ARCHIVES if name != "raw"), "raw")


def restore_backup(
    settings: Settings,
    backup: Backup,
    run_id: str,
    *,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Put a backup into the home, which has to be empty.

    Args:
        settings: Whose home.
        backup: What to put there.
        run_id: Who holds the lock.
        on_file: Called after each file with how many of how many are checked.

    Returns:
        How many files were restored.

    Raises:
        ConfigurationError: The home holds something; it is left as it is.
        BackupError: A file of the backup is missing or damaged; nothing is restored.
        LockedError: Another run is writing in the home.
    """
    home, staging = settings.home, settings.home / STAGING
    _require_empty(home, backup)
    with run_lock(home, run_id=run_id, wait_seconds=settings.lock_timeout_seconds):
        if not _is_staged(staging, backup):
            _stage(staging, backup, on_file)
        for name in _ORDER:
            if (staging / name).is_dir():
                if (home / name).is_dir():
                    _remove_empty(home / name)
                (staging / name).rename(home / name)
        os.sync()
        shutil.rmtree(staging)
    logger.info("restored %d files of backup %s", len(backup.files), backup.backup_id)
    return len(backup.files)


def _require_empty(home: Path, backup: Backup) -> None:
    if not home.exists():
        return
    placed = set(ARCHIVES) if _is_staged(home / STAGING, backup) else set()
    for entry in sorted(home.iterdir()):
        if entry.name in _OURS | placed:
            continue
        found = next((path for path in entry.rglob("*") if not path.is_dir()), None)
        if found is not None or not entry.is_dir():
            raise ConfigurationError(
                f"{home} is not empty: it holds {found or entry}. A backup is restored into an "
                "empty home; set TIDEMARK_HOME to another folder, or move this one away"
            )


def _is_staged(staging: Path, backup: Backup) -> bool:
    """Return whether all of this backup was copied and checked, if perhaps not all put in place."""
    try:
        return (staging / _WHOLE).read_text() == sha256_of(backup.folder / MANIFEST)
    except FileNotFoundError:
        return False


def _stage(staging: Path, backup: Backup, on_file: Callable[[int, int], None]) -> None:
    for count, file in enumerate(backup.files, start=1):
        target = staging / file.path
        if not is_whole(target, file):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                sha256 = copy_with_digest(backup.path_of(file), target)
            except FileNotFoundError as exc:
                raise _damaged(backup, file.path, "is missing") from exc
            if sha256 != file.sha256:
                target.unlink()
                raise _damaged(backup, file.path, "is not what was backed up (sha256 differs)")
            os.utime(target, ns=(file.modified_ns, file.modified_ns))
        on_file(count, len(backup.files))
    known = {file.path for file in backup.files}
    for stray in [path for path in staging.rglob("*") if path.is_file()]:
        if stray.relative_to(staging).as_posix() not in known:
            stray.unlink()  # Of another backup, whose restoring was interrupted.
    os.sync()
    write_bytes_atomically(staging / _WHOLE, sha256_of(backup.folder / MANIFEST).encode())


def _remove_empty(folder: Path) -> None:
    for inner in sorted(folder.rglob("*"), reverse=True):
        inner.rmdir()
    folder.rmdir()


def _damaged(backup: Backup, path: str, why: str) -> BackupError:
    return BackupError(
        f"{path} of backup {backup.folder} {why}, so nothing was restored; name an earlier backup"
    )
