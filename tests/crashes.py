"""A crash at a chosen change of the disk, in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class CrashError(BaseException):
    """Stands for a power cut: nothing catches it."""


def crash_at(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Crash instead of doing the ``number``-th rename or removal; returns what was done.

    Removals of temporary files are not counted.
    """
    done: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if str(arguments[0]).endswith(".tmp") and name == "unlink":
                return real(*arguments, **options)
            if len(done) == number:
                raise CrashError
            done.append(f"{name} {Path(os.fspath(arguments[-1])).name}")
            return real(*arguments, **options)

        return call

    for name in ("replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, counted(name))
    return done
