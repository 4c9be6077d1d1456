"""Superset in containers, seen through a browser: every chart of the dashboard is drawn with data,
and what is published later is what it then shows. Needs Chromium, as `make test-browser` does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from stack import PORTS, ROOT, Stack, last_due, running_stack

pytestmark = [pytest.mark.compose]

URL = f"http://localhost:{PORTS['SUPERSET_PORT']}"
ASSETS = ROOT / "pipeline" / "deployment" / "superset" / "assets"
CHARTS = {yaml.safe_load(path.read_text())["slice_name"] for path in ASSETS.glob("charts/*.yaml")}
NOW = last_due() + timedelta(minutes=30)
FEEDS = "TIDEMARK_FEEDS=market_daily,equity_daily,sentiment_daily"
PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium; looked for first, as a stack takes minutes."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def stack(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    assert browser
    with running_stack(tmp_path_factory.mktemp("stack"), more=[FEEDS]) as running:
        running.run("scheduler", "tidemark", "refresh")
        running.start_profiles("sandbox", "bi")
        yield running


@pytest.fixture(scope="module")
def page(stack: Stack, browser: Any) -> Any:
    """A page on which admin has logged in, with the password that the first start made."""
    password = stack.compose(
        "run", "--rm", "-T", "--no-deps", "prepare", "cat", "/secrets/superset/password"
    ).strip()
    page = browser.new_page(viewport={"width": 1500, "height": 1900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{URL}/login/")
    page.fill("input#username", "admin")
    page.fill("input#password", password)
    page.press("input#password", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def ask(page: Any, statement: str) -> list[dict[str, Any]]:
    """Ask the published file as the query editor does."""
    token = page.request.get(f"{URL}/api/v1/security/csrf_token/").json()["result"]
    answer = page.request.post(
        f"{URL}/api/v1/sqllab/execute/",
        headers={"X-CSRFToken": token, "Referer": URL},
        data={"database_id": 1, "sql": statement, "runAsync": False, "queryLimit": 10},
        timeout=PATIENCE_MS,
    )
    assert answer.status == 200, answer.text()
    return list(answer.json()["data"])


def test_every_chart_of_the_dashboard_is_drawn_with_data(stack: Stack, page: Any) -> None:
    answers: list[Any] = []
    page.on("response", lambda got: answers.append(got) if "chart/data" in got.url else None)
    page.goto(f"{URL}/superset/dashboard/tidemark/")
    for title in CHARTS:
        page.get_by_text(title, exact=True).first.wait_for()
    page.wait_for_function(
        "count => document.querySelectorAll('[data-test=chart-container] canvas,"
        " [data-test=chart-container] table').length >= count",
        arg=len(CHARTS),
    )
    page.wait_for_timeout(3_000)
    if "SHOTS" in os.environ:
        page.screenshot(path=str(Path(os.environ["SHOTS"]) / "superset.png"), full_page=True)
    assert {answer.status for answer in answers} == {200}
    results = [result for answer in answers for result in answer.json()["result"]]
    assert len(results) >= len(CHARTS)
    assert [result["query"] for result in results if not result["rowcount"]] == []


def test_what_is_published_later_is_shown(stack: Stack, page: Any) -> None:
    about = "select run_id from main.about"
    before = stack.manifest()["run_id"]
    assert ask(page, about) == [{"run_id": before}]
    # Half an hour later, with a further feed: a build of the same rows would not be published anew.
    stack.compose(
        "exec", "-T", "-e", f"TIDEMARK_NOW={NOW + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        "-e", f"{FEEDS},stablecoin_daily", "scheduler", "tidemark", "refresh",
    )  # fmt: skip
    after = stack.manifest()["run_id"]
    assert after != before
    assert ask(page, about) == [{"run_id": after}]
