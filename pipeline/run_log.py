"""One record per run: what it was for, when it began, and how it ended.

``begin`` and ``close`` write ``journal/run/<run>.json``; ``records`` joins it with the errors
that ended steps. A run that was killed has begun and not ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pipeline import failures as failures_of_runs
from pipeline.failures import MISSING_DATA, WRONG_DATA
from pipeline.files import folder_name, write_bytes_atomically
from pipeline.settings import Settings
from pipeline.sources.registry import is_blocking

Kind = Literal["nightly", "backfill", "import", "build", "replay", "release"]
Ending = Literal["published", "kept", "loaded", "failed"]


def base_run_id(run_id: str) -> str:
    """Return the run that a run of one chunk belongs to."""
    return run_id.partition("--since-")[0]


def _path(settings: Settings, run_id: str) -> Path:
    return settings.journal_dir / "run" / f"{folder_name(base_run_id(run_id))[:200]}.json"


def begin(settings: Settings, run_id: str, kind: Kind, market_date: date) -> None:
    """Note that a run has begun; what it said first stays."""
    path = _path(settings, run_id)
    if not path.exists():
        record = {
            "run_id": base_run_id(run_id),
            "kind": kind,
            "market_date": market_date.isoformat(),
            "started_at": settings.now().isoformat(),
        }
        write_bytes_atomically(path, json.dumps(record).encode())


def close(settings: Settings, run_id: str, ending: Ending, *, build_id: str | None = None) -> None:
    """Note how a run has ended; a run that failed in part stays failed until it is begun anew."""
    path = _path(settings, run_id)
    record = json.loads(path.read_bytes())
    if record.get("ending") == "failed" and ending == "loaded":
        ending = "failed"
    record |= {"ending": ending, "ended_at": settings.now().isoformat(), "build_id": build_id}
    write_bytes_atomically(path, json.dumps(record).encode())


def nightly_dates(settings: Settings) -> set[date]:
    """Return the market dates for which a night was ever begun, however it ended."""
    return {
        date.fromisoformat(record["market_date"])
        for path in (settings.journal_dir / "run").glob("[!.]*.json")
        for record in [json.loads(path.read_bytes())]
        if record["kind"] == "nightly"
    }


def records(settings: Settings, current_run_id: str) -> Iterator[dict[str, Any]]:
    """Return every run, in the order of their names.

    Args:
        settings: Where.
        current_run_id: The run that is building: it has not ended.

    Returns:
        ``run_id``, ``kind``, ``market_date``, ``started_at``, ``ended_at``, ``status``,
        ``failed_steps`` and ``build_id``; see ``quality.run``.
    """
    for path in sorted((settings.journal_dir / "run").glob("*.json")):
        record = json.loads(path.read_bytes())
        failures = failures_of_runs.of_run(settings, record["run_id"])
        status, ended_at = record.get("ending"), record.get("ended_at")
        fatal = [failure for failure in failures if _is_fatal(failure)]
        if record["run_id"] == base_run_id(current_run_id) and not fatal:
            status, ended_at = "building", None
        elif fatal and status is None:
            is_data = all(failure["kind"] in WRONG_DATA | MISSING_DATA for failure in fatal)
            status = "failed" if is_data else "errored"
            ended_at = max((str(f.get("failed_at") or "") for f in fatal), default="") or None
        yield {
            "run_id": record["run_id"],
            "kind": record["kind"],
            "market_date": record["market_date"],
            "started_at": record["started_at"],
            "ended_at": ended_at,
            "status": status or "unfinished",
            "failed_steps": ", ".join(str(failure["step"]) for failure in failures) or None,
            "build_id": record.get("build_id"),
        }


def _is_fatal(failure: dict[str, Any]) -> bool:
    """Return whether a failed step keeps its run from ending well."""
    verb, _, name = str(failure["step"]).partition(" ")
    if verb in {"extract", "load"}:
        return is_blocking(name)
    return verb in {"build", "audit", "publish", "backfill"}
