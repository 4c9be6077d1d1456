"""The nights: what readers see, how the last run ended, what is still wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipeline.alerts.compose import published_as_of, read_state
from pipeline.alerts.deadman import is_night_missing, night_due
from pipeline.doctor.finding import Finding
from pipeline.errors import PublishError
from pipeline.manifest import read_manifest
from pipeline.settings import Settings
from pipeline.upkeep.report import read_notes


def published_night(settings: Settings) -> Iterator[Finding]:
    """Is the night that is due published? Reads the manifest alone."""
    try:
        manifest = read_manifest(settings.published_dir)
    except PublishError as exc:
        yield Finding("night", "fail", str(exc), "`tidemark build`")
        return
    due = night_due(settings)
    as_of = published_as_of(settings)
    refresh = f"tidemark refresh --market-date {due}"
    if manifest is None or as_of is None:
        yield Finding("night", "fail", f"nothing is published in {settings.home}", f"`{refresh}`")
        return
    age = ""
    if "published_at" in manifest:
        published_at = datetime.fromisoformat(manifest["published_at"])
        age = f", published {(settings.now() - published_at).total_seconds() / 3600:,.0f} hours ago"
    detail = f"readers see {as_of}{age}; due is {due}"
    if as_of >= due:
        yield Finding("night", "ok", detail)
    elif is_night_missing(settings):
        yield Finding(
            "night",
            "fail",
            f"the night did not happen: {detail}",
            f"see docs/runbook.md#alert-night-missing, then `{refresh}`",
        )
    else:
        yield Finding("night", "fail", f"the night failed: {detail}", "`tidemark alerts show`")


def last_run(settings: Settings) -> Iterator[Finding]:
    """Which night composed its alerts last, which every run does at its end?"""
    night = read_state(settings).last_night
    if night is None:
        yield Finding("runs", "warn", "no night has ended here yet", "`tidemark refresh`")
    elif night < night_due(settings):
        yield Finding(
            "runs", "warn", f"the last night that ended is {night}", "see the line about the night"
        )
    else:
        yield Finding("runs", "ok", f"the last night that ended is {night}")


def upkeep(settings: Settings) -> Iterator[Finding]:
    """How did each chore of the upkeep end last, and when?"""
    notes = read_notes(settings)
    failed = {chore: note for chore, note in notes.items() if note["error"] is not None}
    for chore, note in failed.items():
        yield Finding(
            f"upkeep {chore}",
            "warn",
            f"{note['kind']}: {note['error']}",
            f"`tidemark upkeep --only {chore}`",
        )
    if not notes:
        yield Finding("upkeep", "ok", "no chore was done here yet")
    elif not failed:
        oldest = min(datetime.fromisoformat(note["ended_at"]) for note in notes.values())
        yield Finding("upkeep", "ok", f"every chore since {oldest:%Y-%m-%d %H:%M} UTC ended well")


def open_problems(settings: Settings) -> Iterator[Finding]:
    """What is known to be wrong?"""
    records = read_state(settings).open_records
    critical = [r for r in records if r.problem.severity == "critical"]
    warnings = [r for r in records if r.problem.severity == "warning"]
    if not critical and not warnings:
        yield Finding("problems", "ok", "none is open")
        return
    named = ", ".join(r.problem.subject for r in (*critical, *warnings)[:5])
    yield Finding(
        "problems",
        "fail" if critical else "warn",
        f"{len(critical)} critical and {len(warnings)} warnings are open: {named}",
        "`tidemark alerts list`",
    )
