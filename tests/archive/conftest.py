"""One home with the whole archive for all archive tests of a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from archive_home import make_home
from filelock import FileLock
from nights import Home


@pytest.fixture(scope="session")
def archive_path(shared_folder: Path) -> Path:
    """The imported, built and published archive; read it, never change it."""
    target = shared_folder / "archive-home"
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            unfinished = target.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make_home(unfinished)
            unfinished.rename(target)
    return target


@pytest.fixture(scope="session")
def published(archive_path: Path) -> Home:
    return Home(archive_path)


@pytest.fixture(scope="session")
def levels_of(published: Home) -> Callable[[str, str], pd.Series]:
    """Return the published levels of an index by day, by profile and index."""

    def read(profile: str, index_id: str) -> pd.Series:
        rows = published.query(
            "select market_date, level from indices.index_level_daily "
            f"where profile = '{profile}' and index_id = '{index_id}' order by market_date"
        )
        days = pd.to_datetime([day for day, _ in rows])
        return pd.Series([level for _, level in rows], index=days, name=index_id)

    return read
