"""What a reader of the report sees, says and asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WIDTHS = {"phone": 360, "tablet": 820, "desk": 1440}
Report = Callable[..., Path]


@dataclass
class Visit:
    """A page of the report, as a reader has it open."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, file: Path) -> None:
        """Open a page and wait until its charts are drawn."""
        self.said.clear()
        self.asked.clear()
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-drawn=yes]")
