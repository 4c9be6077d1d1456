"""A small JSON object that processes share: read, changed and written back under a lock."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.errors import LockedError

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_SECONDS = 30.0


@contextmanager
def locked_state(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the object at ``path`` while nobody else has it, and keep what the block changes.

    Args:
        path: A ``.json`` file, which need not exist; its lock lies beside it.

    Raises:
        LockedError: Another process has held it for ``LOCK_TIMEOUT_SECONDS``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_SECONDS):
            before = read_state(path)
            state = dict(before)
            yield state
            if state != before:
                # Whole or not at all, but not flushed: it is written with every call, and what
                # a power cut takes of it is a pause or a count.
                temporary = path.with_suffix(".tmp")
                temporary.write_text(json.dumps(state, sort_keys=True))
                temporary.replace(path)
    except Timeout as exc:
        raise LockedError(
            f"{path} has been in use for {LOCK_TIMEOUT_SECONDS:.0f} s; end the process that hangs"
        ) from exc


def read_state(path: Path) -> dict[str, Any]:
    """Return the object at ``path``; an empty one where there is none or it is damaged."""
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        state = None
    if not isinstance(state, dict):
        logger.warning("%s is damaged and begins anew", path)
        return {}
    return state


def number_of(state: dict[str, Any], name: str) -> float:
    """Return a number of the object; 0 where it is missing or something else."""
    value = state.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value is not None else 0.0
