"""What a chore did, and the note of it that the alerts and ``tidemark doctor`` read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.files import write_bytes_atomically
from pipeline.settings import Settings


@dataclass(frozen=True)
class Report:
    """What a chore did, or would do.

    Args:
        chore: Its name.
        file_count: Files or folders that it dealt with.
        byte_count: Bytes that it freed, or copied.
        sentence: The same in words, without a full stop.
    """

    chore: str
    file_count: int
    byte_count: int
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return asdict(self)


def note(
    settings: Settings,
    chore: str,
    started_at: datetime,
    *,
    report: Report | None = None,
    error: BaseException | None = None,
) -> None:
    """Keep how a chore ended, in place of what was kept before."""
    content = {
        "chore": chore,
        "ended_at": settings.now().isoformat(),
        "seconds": round((datetime.now(UTC) - started_at).total_seconds(), 3),
        "report": report.to_dict() if report else None,
        "kind": type(error).__name__ if error else None,
        "error": str(error) if error else None,
    }
    path = settings.state_dir / "upkeep" / f"{chore}.json"
    write_bytes_atomically(path, json.dumps(content).encode())


def read_notes(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return how each chore ended last, by its name."""
    notes = {}
    for path in sorted((settings.state_dir / "upkeep").glob("[!.]*.json")):
        content = json.loads(path.read_bytes())
        notes[str(content["chore"])] = content
    return notes
