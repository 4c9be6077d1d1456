"""One line of the doctor's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What was found about one part.

    Args:
        part: What was looked at.
        status: ``ok``; ``warn``: it works, and should not stay so; ``fail``: it does not work.
        detail: What was found.
        next_step: What to do about it; empty where nothing is to be done.
    """

    part: str
    status: Status
    detail: str
    next_step: str = ""
