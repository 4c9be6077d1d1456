"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


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
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


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
