"""Backups of what cannot be made again.

::

    TARGET/<backup_id>/files/...      the archives, as they lie in the home
    TARGET/<backup_id>/backup.json    every file with its size, time and sha256

A backup is made in ``TARGET/.unfinished-...`` and renamed once it is whole, so that one is there
entirely or not at all. A file that the backup before has already is linked to it, not copied: a
second backup costs what is new. Each is a plain folder that other tools can copy.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from pipeline import __version__
from pipeline.errors import BackupError, ConfigurationError, LockedError
from pipeline.files import sha256_of, write_bytes_atomically
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

FORMAT = 1
ARCHIVES = ("ledger", "reference", "raw", "quarantine", "journal", "landing")
"""What a backup holds, in the order in which it is taken: what refers to another comes first."""
MANIFEST = "backup.json"
FILES = "files"
_SNAPSHOT = ".backup"
_SIDECAR = ".meta.json"


@dataclass(frozen=True)
class BackedUpFile:
    """One file of a backup; ``path`` is relative to the home, with slashes."""

    path: str
    bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A whole backup under ``folder``."""

    folder: Path
    backup_id: str
    made_at: str
    tidemark_version: str
    files: tuple[BackedUpFile, ...]

    @property
    def byte_count(self) -> int:
        """Size of what it holds, in bytes."""
        return sum(file.bytes for file in self.files)

    def path_of(self, file: BackedUpFile) -> Path:
        """Return where a file of it lies."""
        return self.folder / FILES / file.path


def make_backup(
    settings: Settings,
    target: Path,
    run_id: str,
    *,
    keep: int | None = None,
    wait_seconds: float | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> Backup:
    """Copy the archives of the home into a new folder below ``target``.

    The writer lock is held for as long as it takes to hard-link the files, which no write
    changes afterwards; copying them needs no lock, so a night may run meanwhile.

    Args:
        settings: Whose home.
        target: Holds backups; made when it is not there. Best on another disk.
        run_id: Who holds the lock.
        keep: Delete the oldest backups beyond so many, once the new one is whole; None keeps all.
        wait_seconds: How long to wait for another writer; the setting by default.
        on_file: Called after each file with how many of how many are done.

    Raises:
        ConfigurationError: There is nothing to back up, or ``target`` is inside the home.
        LockedError: Another run is writing, or another backup of the home is being made.
        BackupError: ``target`` cannot be written.
    """
    home = settings.home.resolve()
    if target.resolve().is_relative_to(home):
        raise ConfigurationError(
            f"{target} is inside the home {home}, and would be lost with it; name a folder on "
            "another disk"
        )
    if not any((home / name).is_dir() for name in ARCHIVES):
        raise ConfigurationError(f"there is nothing in {home} to back up; see TIDEMARK_HOME")
    wait = settings.lock_timeout_seconds if wait_seconds is None else wait_seconds
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _alone(target), _snapshot(settings, run_id, wait) as snapshot:
            folder = _write(snapshot, target, settings.now(), on_file)
            if keep is not None:
                _prune(target, max(keep, 1))
    except OSError as exc:
        raise BackupError(
            f"{target} cannot be written ({exc}); the backups before are as they were. Make "
            "room or name another folder, then run the same command again"
        ) from exc
    made = read_backup(folder)
    logger.info("backed up %d files, %d bytes, to %s", len(made.files), made.byte_count, folder)
    return made


def backups_in(target: Path) -> list[Path]:
    """Return the folders of the whole backups below ``target``, oldest first."""
    return sorted(path.parent for path in target.glob(f"[!.]*/{MANIFEST}"))


def newest_backup(target: Path) -> Backup | None:
    """Return the newest backup below ``target``, or None where there is none.

    Raises:
        BackupError: Its manifest is damaged.
    """
    folders = backups_in(target)
    return read_backup(folders[-1]) if folders else None


def find_backup(source: Path) -> Backup:
    """Return the backup that ``source`` is, or the newest of those that it holds.

    Raises:
        ConfigurationError: There is none, or a newer Tidemark has made it.
        BackupError: Its manifest is damaged.
    """
    found = read_backup(source) if (source / MANIFEST).exists() else newest_backup(source)
    if found is None:
        raise ConfigurationError(
            f"there is no whole backup in {source}; name the folder that `tidemark backup` was "
            "given, or one of those in it"
        )
    return found


def read_backup(folder: Path) -> Backup:
    """Return the backup in ``folder`` by its manifest, without looking at its files.

    Raises:
        ConfigurationError: A newer Tidemark has made it.
        BackupError: The manifest is not what was written.
    """
    path = folder / MANIFEST
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        is_newer = int(content["format"]) > FORMAT
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise _damaged(path, "it cannot be read") from exc
    if is_newer:
        raise ConfigurationError(
            f"{path} is of format {content['format']}, made by Tidemark "
            f"{content.get('tidemark_version')}; this one reads formats up to {FORMAT}. Install "
            "that version, or a later one, and run the same command again"
        )
    said = content.pop("sha256", None)
    if said != _digest(content):
        raise _damaged(path, "its sha256 differs")
    files = tuple(BackedUpFile(**each) for each in content["files"])
    outside = [file.path for file in files if not _is_inside(file.path)]
    if outside:
        raise _damaged(path, f"{outside[0]!r} is no file of an archive")
    return Backup(
        folder, content["backup_id"], content["made_at"], content["tidemark_version"], files
    )


def check_backup(
    backup: Backup, on_file: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Read every file of a backup and hold it against the manifest.

    Raises:
        BackupError: Files are missing or damaged; the message names the first.
    """
    wrong = []
    for count, file in enumerate(backup.files, start=1):
        if not is_whole(backup.path_of(file), file):
            wrong.append(file.path)
        on_file(count, len(backup.files))
    if wrong:
        raise BackupError(
            f"{len(wrong)} of {len(backup.files)} files of backup {backup.folder} are missing or "
            f"not what was backed up, such as {wrong[0]}; use an earlier backup, and make a new "
            "one in another folder"
        )


def is_whole(path: Path, file: BackedUpFile) -> bool:
    """Return whether ``path`` holds what the manifest says of ``file``."""
    try:
        return path.stat().st_size == file.bytes and sha256_of(path) == file.sha256
    except OSError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make one backup at a time of a home, and one into a target."""
    lock = FileLock(folder / f"{_SNAPSHOT}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as exc:
        raise LockedError(
            f"another backup is being made of or into {folder}; wait until it has ended"
        ) from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _snapshot(settings: Settings, run_id: str, wait_seconds: float) -> Iterator[Path]:
    """Yield a folder in the home with hard links to the archives as they are at one instant."""
    folder = settings.home / _SNAPSHOT
    with _alone(settings.home):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with run_lock(settings.home, run_id=run_id, wait_seconds=wait_seconds):
                RawStore(settings.raw_dir).recover()
                for name in ARCHIVES:
                    _link_all(settings.home, name, folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write(
    snapshot: Path, target: Path, made_at: datetime, on_file: Callable[[int, int], None]
) -> Path:
    """Copy a snapshot into a new backup below ``target`` and return its folder."""
    for leftover in target.glob(".unfinished-*"):
        shutil.rmtree(leftover)
    folder = _next_name(target / made_at.strftime("%Y%m%dT%H%M%SZ"))
    unfinished = target / f".unfinished-{folder.name}"
    try:
        before = newest_backup(target)
    except BackupError as exc:
        logger.warning("everything is copied anew, as the last backup cannot be used: %s", exc)
        before = None
    files = _copy_all(snapshot, unfinished / FILES, before, on_file)
    content = {
        "format": FORMAT,
        "backup_id": folder.name,
        "made_at": made_at.isoformat(),
        "tidemark_version": __version__,
        "files": [asdict(file) for file in files],
    }
    content["sha256"] = _digest(content)
    write_bytes_atomically(unfinished / MANIFEST, json.dumps(content, indent=1).encode())
    # One call for all that was copied; a call per file takes minutes.
    os.sync()
    unfinished.rename(folder)
    os.sync()
    return folder


def _link_all(home: Path, archive: str, folder: Path) -> None:
    paths = list(_files_below(home / archive))
    # A sidecar says that its body is there. Vendors are asked without the lock, so the bodies are
    # looked for once the sidecars are known.
    sidecars = [path for path in paths if path.name.endswith(_SIDECAR)]
    rest = _files_below(home / archive) if sidecars else iter(paths)
    for path in (*sidecars, *(path for path in rest if not path.name.endswith(_SIDECAR))):
        link = folder / path.relative_to(home)
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            _link(path, link)
        except FileNotFoundError:
            # The note of a failure that a retry has mended meanwhile; nothing else goes away.
            if archive != "journal":
                raise


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, names, files in os.walk(folder):
        names.sort()
        yield from (Path(parent, file) for file in sorted(files) if not file.startswith("."))


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it where the file system has no links or no more of them."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)


def _copy_all(
    snapshot: Path, target: Path, before: Backup | None, on_file: Callable[[int, int], None]
) -> list[BackedUpFile]:
    known = {file.path: file for file in before.files} if before else {}
    paths = list(_files_below(snapshot))
    files = []
    for count, path in enumerate(paths, start=1):
        name = path.relative_to(snapshot).as_posix()
        facts = path.stat()
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        same = known.get(name)
        is_same = same and (same.bytes, same.modified_ns) == (facts.st_size, facts.st_mtime_ns)
        if before and same and is_same and before.path_of(same).is_file():
            _link(before.path_of(same), copy)
            files.append(same)
        else:
            sha256 = copy_with_digest(path, copy)
            files.append(BackedUpFile(name, facts.st_size, facts.st_mtime_ns, sha256))
        on_file(count, len(paths))
    return files


def copy_with_digest(source: Path, target: Path) -> str:
    """Copy a file with its time, and return the sha256 of what was read."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(1 << 20):
            digest.update(block)
            written.write(block)
    shutil.copystat(source, target)
    return digest.hexdigest()


def _next_name(folder: Path) -> Path:
    """Return a name behind all those of the same second, also when the first of them is gone."""
    names = [path.name for path in folder.parent.glob(f"{folder.name}*")]
    if not names:
        return folder
    last = max(names).removeprefix(folder.name).removeprefix("-")
    return folder.with_name(f"{folder.name}-{int(last or 1) + 1:03d}")


def _prune(target: Path, keep: int) -> None:
    for folder in backups_in(target)[:-keep]:
        # Renamed first: half of a backup must not look like one.
        doomed = folder.rename(folder.with_name(f".unfinished-{folder.name}"))
        shutil.rmtree(doomed)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return len(parts) > 1 and parts[0] in ARCHIVES and ".." not in parts and "\\" not in path


def _damaged(path: Path, why: str) -> BackupError:
    return BackupError(f"{path} is damaged ({why}); use another backup")
