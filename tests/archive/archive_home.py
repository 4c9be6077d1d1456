"""Where the real market archive lies, and a home with all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import steps
from pipeline.importing import ImportFile, ImportReport, find_files, import_file
from pipeline.settings import Settings

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ARCHIVE = SHARED_DATA / "archive"
CALIBRATION = SHARED_DATA / "calibration"
ABSENT = "needs the market archive in ../shared/data/archive beside the checkout"

needs_archive = [
    pytest.mark.archive,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason=ABSENT),
]

_REPORTS = "import-reports.json"


def settings_of(home: Path) -> Settings:
    return Settings(_env_file=None, home=home)


def bring(
    settings: Settings, is_wanted: Callable[[ImportFile], bool] = lambda _: True
) -> list[ImportReport]:
    """Import the files of the archive."""
    return [
        import_file(settings, file, "archive") for file in find_files(ARCHIVE) if is_wanted(file)
    ]


def make_home(path: Path) -> None:
    """Import the whole archive into a new home, build it, audit it and publish it."""
    settings = settings_of(path)
    reports = bring(settings)
    (path / _REPORTS).write_text(json.dumps([report.to_dict() for report in reports]))
    built = steps.build(settings, settings.default_market_date(), "archive")
    steps.publish(settings, steps.audit(settings, built))


def read_reports(home: Path) -> list[ImportReport]:
    """Return what the first import of a home that ``make_home`` made said."""
    return [ImportReport(**report) for report in json.loads((home / _REPORTS).read_text())]
