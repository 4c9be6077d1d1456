"""A browser that opens files from disk and keeps what they say and ask for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from visits import WIDTHS, Report, Visit

from pipeline.database import open_read_only
from pipeline.models import load_project
from pipeline.report.site import render_report
from pipeline.settings import Settings


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium; tests are skipped where it or playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Return visits of a width and a colour scheme, closed after the test."""
    contexts = []

    def begin(width: int = WIDTHS["desk"], scheme: str = "light") -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            timezone_id="America/New_York",
        )
        contexts.append(context)
        made = Visit(context.new_page())
        made.page.on("console", lambda message: made.said.append(message.text))
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        made.page.on("dialog", lambda dialog: (made.said.append("dialog"), dialog.dismiss()))
        made.page.on("request", lambda request: made.asked.append(request.url))
        return made

    yield begin
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def report(three_nights_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the folder of a report of the file after three nights, changed by statements."""
    sql_dir = Settings(_env_file=None).sql_dir
    project = load_project(sql_dir)
    made: dict[str, Path] = {}

    def write(name: str = "whole", statements: tuple[str, ...] = (), **parameters: Any) -> Path:
        if name in made:
            return made[name]
        folder = tmp_path_factory.mktemp(name)
        file = shutil.copyfile(
            three_nights_path / "published" / "tidemark.duckdb", folder / "file.duckdb"
        )
        with duckdb.connect(str(file)) as connection:
            for statement in statements:
                connection.execute(statement, parameters)
        with open_read_only(file) as connection:
            for path, content in render_report(connection, project, sql_dir).items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(content)
        made[name] = folder
        return folder

    return write
