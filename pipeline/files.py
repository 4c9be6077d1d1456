"""Writing files so that a crash leaves the old one or the new one, never half of one.

A temporary file is ``.<name>.<machine>-<process>-<random>.tmp`` beside the file that it will be,
so that everybody can tell those of the dead from those of the living.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

FOREIGN_LEFTOVER_SECONDS = 86_400.0
"""Age at which a temporary file of another machine, or of this one before a restart, is dead."""

_TEMPORARY = re.compile(r"\..+\.(?:([0-9a-f]{8})-([0-9]+)-)?[0-9a-f]{8}\.tmp")


def folder_name(text: str) -> str:
    """Return ``text`` as the name of a folder or a file, which no dots lead out of."""
    name = "".join(c if c.isalnum() or c in "-_.:+" else "-" for c in text)
    return name if name.strip(".") else f"-{name}"


def name_part(text: str, most_characters: int) -> str:
    """Return ``text`` as a part of a file name; two texts may share one, and it may be empty."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:most_characters]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that a power cut does not take it away again."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _beside(path: Path) -> Path:
    owner = f"{_machine()}-{os.getpid()}"
    return path.with_name(f".{path.name}.{owner}-{uuid.uuid4().hex[:8]}.tmp")


@cache
def _machine() -> str:
    """Return a name for what numbers the processes that this one can see: never two alike."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # Only Linux tells.
        parts += [
            Path("/proc/sys/kernel/random/boot_id").read_text(),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def _is_dead(path: Path) -> bool:
    """Return whether a file is a temporary one whose writer is gone."""
    match = _TEMPORARY.fullmatch(path.name)
    if match is None:
        return False
    machine, process = match.groups()
    if machine != _machine():
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime > FOREIGN_LEFTOVER_SECONDS
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False  # Somebody else's, and alive.
    return False


def clear_leftovers(folders: Iterable[Path], *, is_deep: bool = True) -> int:
    """Delete the temporary files of processes that died, and of no other.

    A file of a process that runs is left alone, however old it is. One of another machine is
    dead after ``FOREIGN_LEFTOVER_SECONDS``; no write takes that long.

    Args:
        folders: Where to look; one that does not exist holds none.
        is_deep: Whether to look into the folders below, too.

    Returns:
        How many files were deleted.
    """
    count = 0
    for folder in folders:
        found = folder.rglob(".*.tmp") if is_deep else folder.glob(".*.tmp")
        for path in list(found):
            if _is_dead(path):
                path.unlink(missing_ok=True)
                count += 1
    return count


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it into place on success.

    The content is fsynced before the rename and the folder after it, so once the block
    has ended the new file survives a power cut. On an error the temporary file is
    removed and ``path`` is as it was.
    """
    _make_folder(path.parent)
    temporary = _beside(path)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` by temporary file, fsync and rename."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_in_order(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write files of one folder so that a file is never there without those ahead of it.

    As ``replacing`` does for one, with one fsync of the folder for all: every content is on
    the disk before the first rename, and the renames of a folder reach it in their order.
    """
    temporaries = [(_beside(path), path, content) for path, content in files]
    try:
        for temporary, path, content in temporaries:
            _make_folder(path.parent)
            with temporary.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        for temporary, path, _ in temporaries:
            temporary.replace(path)
        for folder in {path.parent for path, _ in files}:
            _sync_folder(folder)
    finally:
        for temporary, _, _ in temporaries:
            temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
