"""One writer at a time in one home."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import LockedError
from pipeline.files import clear_leftovers

logger = logging.getLogger(__name__)

_held = threading.local()


@contextmanager
def run_lock(home: Path, *, run_id: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the home's writer lock for the length of the block.

    The lock belongs to the process: the operating system frees it when the process dies,
    so a killed run never leaves a lock behind. What it does leave is the note of who holds the
    lock; whoever finds it clears the dead's temporary files before the block begins. A block
    inside a block of the same thread shares the lock.

    Raises:
        LockedError: Another run holds it; the message says which, since when, what to do.
    """
    homes: set[Path] = _held.__dict__.setdefault("homes", set())
    key = home.resolve()
    if key in homes:
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    holder = home / ".lock.json"
    lock = FileLock(home / ".lock", timeout=wait_seconds)
    try:
        lock.acquire()
    except Timeout as exc:
        raise LockedError(_describe(home, holder)) from exc
    homes.add(key)
    has_died = holder.exists()
    try:
        holder.write_text(
            json.dumps(
                {
                    "run_id": run_id,
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        )
        if has_died:
            # Should it be killed at this, its own note is there for the next.
            count = clear_leftovers([home])
            logger.info("the last run died; cleared %d temporary files of it", count)
        yield
    finally:
        homes.discard(key)
        holder.unlink(missing_ok=True)
        lock.release()


def _describe(home: Path, holder: Path) -> str:
    try:
        who = json.loads(holder.read_text())
        by = f"run {who['run_id']} (process {who['pid']} on {who['host']}, since {who['since']})"
    except (OSError, ValueError, KeyError):
        by = "another run"
    return (
        f"{by} is writing in {home}; wait until it has ended and start again. Readers of the "
        "published file are not affected."
    )
