"""The report beside the published file, each of its files put in place whole."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.database import open_read_only
from pipeline.errors import PublishError
from pipeline.files import write_bytes_atomically
from pipeline.manifest import read_manifest
from pipeline.models import REPORT_FOLDER, load_project

if TYPE_CHECKING:
    from pipeline.settings import Settings

logger = logging.getLogger(__name__)

MARKER = "report.json"
"""Names the build that the pages are of; written last."""


def report_dir(settings: Settings) -> Path:
    """Return the folder of the published report."""
    return settings.published_dir / "report"


def publish_report(settings: Settings, *, again: bool = False) -> Path | None:
    """Write the report of the published file into ``published/report/``.

    A reader always finds whole files; for a second the pages may be of two nights.

    Args:
        settings: The home.
        again: Write it even if it is of the published build already.

    Returns:
        The first page, or None where the SQL folder has no report.

    Raises:
        PublishError: Nothing is published.
        ConfigurationError: The published file lacks a table that a page reads; the pages are
            those of before.
    """
    manifest = read_manifest(settings.published_dir)
    if manifest is None:
        raise PublishError(
            f"nothing is published in {settings.home} yet, so there is nothing to report on; run "
            "`tidemark refresh`, or `tidemark import DIR` and `tidemark build`"
        )
    folder = report_dir(settings)
    first_page = folder / "index.html"
    build_id = manifest["build_id"]
    if not (settings.sql_dir / REPORT_FOLDER).is_dir():
        logger.info("%s has no report folder; no report is written", settings.sql_dir)
        return None
    if not again and is_of(folder, build_id):
        return first_page
    files = _rendered(settings)
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            write_bytes_atomically(path, content)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    marker = {"build_id": build_id, "tidemark_version": __version__}
    write_bytes_atomically(folder / MARKER, json.dumps(marker).encode())
    logger.info("wrote the report of %s", build_id)
    return first_page


def is_of(folder: Path, build_id: str) -> bool:
    """Return whether the pages of a folder are of a build, written by this version."""
    marker = folder / MARKER
    if not marker.exists():
        return False
    known = {"build_id": build_id, "tidemark_version": __version__}
    return bool(json.loads(marker.read_bytes()) == known)


def _rendered(settings: Settings) -> dict[str, bytes]:
    from pipeline.report.site import render_report

    project = load_project(settings.sql_dir, settings.reference_dir)
    with open_read_only(settings.published_file) as connection:
        return render_report(connection, project, settings.sql_dir)
