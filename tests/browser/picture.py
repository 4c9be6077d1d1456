"""Take the README's picture of the report: ``make picture``, after ``make demo``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1200, 1000


def main() -> None:
    """Write a PNG of the first page as it looks when it is opened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(given.page.resolve().as_uri())
        page.wait_for_selector("html[data-drawn=yes]")
        given.picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=given.picture)
        browser.close()


if __name__ == "__main__":
    main()
