"""A home on few models, for whole nights that go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from nights import Home, copy_home

from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.server import Sandbox


@pytest.fixture
def small_home(
    small_night_path: Path,
    small_sql_dir: Path,
    sandbox: Sandbox,
    faults: FaultBoard,
    tmp_path: Path,
) -> Home:
    """A home of one's own after a night on few models."""
    assert not faults
    return copy_home(small_night_path, tmp_path / "home", sandbox, sql_dir=small_sql_dir)
