"""Putting a build, and the pages about it, in front of readers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pipeline import run_log
from pipeline.errors import PublishError
from pipeline.settings import Settings
from pipeline.steps.running import running


def publish(
    settings: Settings,
    built: Mapping[str, Any],
    *,
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Put an audited build in front of readers.

    Returns:
        The manifest of what is published now.

    Raises:
        PublishError: The build cannot be published; the published file is as it was.
    """
    from pipeline.warehouse import Build, Warehouse

    made = Build.from_dict(dict(built))
    market_date = date.fromisoformat(made.market_date)
    with running(settings, made.run_id, "publish", market_date, wait_seconds) as note:
        warehouse = Warehouse(settings)
        if not built["is_unchanged"]:
            manifest = warehouse.publish(made)
            note.rows_out = sum(manifest["row_counts"].values())
            run_log.close(settings, made.run_id, "published", build_id=made.build_id)
            return manifest
        known = warehouse.published_manifest()
        if known is None:
            raise PublishError("the published manifest is gone; run `tidemark build` again")
        return known


def report(
    settings: Settings,
    built: Mapping[str, Any],
    *,
    wait_seconds: float | None = None,
) -> str | None:
    """Write the pages about what is published; no figure waits for them.

    Returns:
        The path of the first page, or None where there is to be no report.

    Raises:
        ConfigurationError: The published file lacks a table that a page reads.
    """
    from pipeline.report.publishing import publish_report

    if not settings.report_enabled:
        return None
    market_date = date.fromisoformat(str(built["market_date"]))
    with running(settings, str(built["run_id"]), "report", market_date, wait_seconds):
        page = publish_report(settings)
    return None if page is None else str(page)
