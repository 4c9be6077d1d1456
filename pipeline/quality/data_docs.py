"""Great Expectations' Data Docs of the last runs, as pages that open from disk.

::

    data_docs/index.html                    the runs, newest first
    data_docs/<run>/index.html              one run: each dataset and source, and how it did
    data_docs/<run>/<dataset>-<source>-<day>.html
                                            one frame: every expectation, rendered by GX

A page is rendered where the gate has just run, so Great Expectations is not imported for it.
Nothing here ever fails a night: what goes wrong is logged and kept as a warning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files import write_bytes_atomically
from pipeline.quality.data_docs_pages import Entry, render_frame, render_run, render_runs
from pipeline.quality.gate import GateReport
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

_WARNINGS = "warnings.txt"


@dataclass(frozen=True)
class _Run:
    """One run's folder: when it began to be written, and what is in it."""

    folder: Path
    run_id: str
    entries: tuple[Entry, ...]

    @property
    def written_at(self) -> str:
        return max((entry.checked_at for entry in self.entries), default="")


def index_page(settings: Settings, run_id: str) -> Path | None:
    """Return the page about a run, or None when there is none (any more)."""
    page = _folder(settings, run_id) / "index.html"
    return page if page.exists() else None


def warnings_of(settings: Settings, run_id: str) -> list[str]:
    """Return what went wrong while a run's pages were made, in sentences."""
    file = _folder(settings, run_id) / _WARNINGS
    return sorted(set(file.read_text().splitlines())) if file.exists() else []


def write_page(
    settings: Settings, run_id: str, source: str, report: GateReport, results: Sequence[Any]
) -> Path | None:
    """Write the page of a frame that the gate has judged; call it under the run lock.

    Args:
        settings: Where, how many runs are kept, and the clock.
        run_id: The run.
        source: Who served the frame.
        report: What the gate decided.
        results: What Great Expectations answered, as ``engine.collecting_results`` keeps it.

    Returns:
        The page; None when no pages are kept, or it could not be written.
    """
    if not settings.data_docs_runs_kept:
        return None
    folder = _folder(settings, run_id)
    name = _file_name(f"{report.dataset}-{source}-{report.market_date}")
    try:
        entry = Entry(
            run_id=run_id,
            dataset=report.dataset,
            source=source,
            market_date=report.market_date.isoformat(),
            checked_at=settings.now().isoformat(timespec="seconds"),
            is_passed=report.is_passed,
            failed=tuple(r.rule_id for r in report.results if not r.is_passed),
            rule_count=len(report.results),
            accepted_count=len(report.accepted),
            quarantined_count=len(report.quarantined),
            page=f"{name}.html",
        )
        page = folder / entry.page
        write_bytes_atomically(page, render_frame(entry, report, results).encode())
        write_bytes_atomically(folder / f"{name}.json", json.dumps(entry.to_dict()).encode())
        _write_indexes(settings, folder)
    except Exception as exc:
        logger.exception("no Data Docs of %s from %s", report.dataset, source)
        _warn(folder, f"Data Docs of {report.dataset} from {source} are missing: {exc!r}")
        return None
    return page


def _folder(settings: Settings, run_id: str) -> Path:
    # The chunks of a range are one run.
    return settings.data_docs_dir / _file_name(run_id.partition("--since-")[0])


def _file_name(text: str) -> str:
    """Return a text as a name that is safe in a file system and in an address."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:100].lstrip(".")
    if safe and safe == text:
        return safe
    return f"{safe}-{hashlib.sha256(text.encode(errors='backslashreplace')).hexdigest()[:8]}"


def _warn(folder: Path, sentence: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _WARNINGS).open("a") as file:
            file.write(" ".join(sentence.split()) + "\n")
    except OSError:
        logger.exception("the warning could not be kept: %s", sentence)


def _write_indexes(settings: Settings, folder: Path) -> None:
    """Write the pages of the run and of all runs, and delete the runs that are too old."""
    prune_runs(settings)
    kept = _runs(settings)
    for run in kept:
        if run.folder == folder:
            write_bytes_atomically(folder / "index.html", render_run(run.entries).encode())
    listed = [(f"{run.folder.name}/index.html", run.entries) for run in kept if run.entries]
    write_bytes_atomically(settings.data_docs_dir / "index.html", render_runs(listed).encode())


def prune_runs(settings: Settings, *, is_dry_run: bool = False) -> list[Path]:
    """Delete the pages of runs that are too old, and return their folders."""
    doomed = [run.folder for run in _runs(settings)[settings.data_docs_runs_kept :]]
    if not is_dry_run:
        for folder in doomed:
            shutil.rmtree(folder, ignore_errors=True)
    return doomed


def _runs(settings: Settings) -> list[_Run]:
    """Return the runs that have pages, newest first."""
    return sorted(
        (_read_run(path) for path in settings.data_docs_dir.glob("*") if path.is_dir()),
        key=lambda run: (run.written_at, run.run_id),
        reverse=True,
    )


def _read_run(folder: Path) -> _Run:
    entries = tuple(
        Entry.from_dict(json.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))
    )
    return _Run(folder, entries[0].run_id if entries else folder.name, entries)
