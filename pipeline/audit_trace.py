"""What the audits of a run found, kept where it can be read without opening a build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import folder_name, write_bytes_atomically
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.warehouse import AuditResult


def _trace(settings: Settings, run_id: str) -> Path:
    return settings.journal_dir / "audit" / f"{folder_name(run_id)}.json"


def record(settings: Settings, run_id: str, results: Sequence[AuditResult]) -> None:
    """Keep the results of a run's audits; a retry replaces them."""
    content = json.dumps([asdict(result) for result in results]).encode()
    write_bytes_atomically(_trace(settings, run_id), content)


def of_run(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """Return one dictionary per audit, in the fields of ``AuditResult``; none ran: nothing."""
    path = _trace(settings, run_id)
    found: list[dict[str, Any]] = json.loads(path.read_bytes()) if path.exists() else []
    return found
