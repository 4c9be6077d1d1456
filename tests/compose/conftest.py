"""These tests need a Docker engine with Compose: `make test-compose`."""

from __future__ import annotations

import pytest
from images import NoImagesError, has_engine, list_image_lines


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    if not has_engine():
        pytest.skip("no Docker engine with Compose answers")
    try:
        list_image_lines()
    except NoImagesError as exc:
        pytest.skip(str(exc))
