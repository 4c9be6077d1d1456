"""A published file to report on, and variations of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from pipeline.models import Project, load_project
from pipeline.settings import Settings

Change = Callable[..., Path]


@pytest.fixture(scope="session")
def sql_dir() -> Path:
    return Settings(_env_file=None).sql_dir


@pytest.fixture(scope="session")
def project(sql_dir: Path) -> Project:
    return load_project(sql_dir)


@pytest.fixture(scope="session")
def published_file(three_nights_path: Path) -> Path:
    """The file after three nights; read it, never change it."""
    return three_nights_path / "published" / "tidemark.duckdb"


@pytest.fixture
def changed_file(published_file: Path, tmp_path: Path) -> Change:
    """Copy the published file and run statements on the copy, with named parameters."""

    def change(statements: Sequence[str], **parameters: object) -> Path:
        copy = tmp_path / "changed.duckdb"
        shutil.copyfile(published_file, copy)
        with duckdb.connect(str(copy)) as connection:
            for statement in statements:
                connection.execute(statement, parameters)
        return copy

    return change
