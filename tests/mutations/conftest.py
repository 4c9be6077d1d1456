"""A home on few models, for whole nights that go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from nights import NIGHTS, Home, copy_home
from small_project import KEPT, write_small_project

from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.server import Sandbox
from pipeline.settings import Settings

SHOWN = (
    "signals.external_sentiment_daily",
    "staging.coin_price_daily",
    "indices.restatement",
)


@pytest.fixture(scope="session")
def small_base(
    loaded_home: Path, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Home:
    """A home with a history and one night on few models; copy it, never change it."""
    folder = tmp_path_factory.mktemp("spoiled")
    write_small_project(Settings(_env_file=None).sql_dir, folder / "sql", (*KEPT, *SHOWN))
    home = copy_home(loaded_home, folder / "base", sandbox, sql_dir=folder / "sql")
    home.refresh(NIGHTS[0])
    return home


@pytest.fixture
def small_home(small_base: Home, faults: FaultBoard, tmp_path: Path) -> Home:
    """A home of one's own after a night on few models."""
    assert not faults
    return copy_home(small_base.path, tmp_path / "home", small_base.sandbox, **small_base.overrides)
