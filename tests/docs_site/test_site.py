"""The docs site: built strictly, whole, and asking nobody for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[2]
FETCHING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("use", "href")}


class Links(HTMLParser):
    """The addresses that a page fetches or leads to, and the places in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: list[str] = []
        self.places: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            if (tag, name) in FETCHING and value and dict(attrs).get("rel") != "canonical":
                self.fetched.append(value)
            if (tag, name) == ("a", "href") and value:
                self.linked.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    program = str(Path(sys.executable).with_name("mkdocs"))
    done = subprocess.run(
        [program, "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {path: Links(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_there(site: Path, pages: dict[Path, Links]) -> None:
    for page in (
        "index",
        "tutorial",
        "howto/query",
        "cli",
        "settings",
        "limits",
        "data_dictionary",
    ):
        assert site / f"{page}.html" in pages
    made = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert made <= {path.stem for path in pages}
    assert len(list((site / "signals").glob("s*.html"))) > 30


def test_nothing_is_fetched_from_outside(site: Path, pages: dict[Path, Links]) -> None:
    for path, page in pages.items():
        outside = [each for each in page.fetched if urlsplit(each).netloc]
        assert outside == [], path
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text()), sheet


def test_every_link_leads_to_a_page_and_a_place(site: Path, pages: dict[Path, Links]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.linked:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            if not target.exists() or (
                place and target in pages and place not in pages[target].places
            ):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    """The check above would be worth nothing if the build or the check let one pass."""
    page = Links('<a href="nowhere.html#at">x</a><script src="https://example.org/a.js"></script>')
    assert page.linked == ["nowhere.html#at"]
    assert page.fetched == ["https://example.org/a.js"]


def test_the_dictionary_draws_the_lineage_of_every_table(site: Path) -> None:
    text = (site / "data_dictionary.html").read_text()
    tables = re.findall(r"^### <a id", (ROOT / "docs" / "data_dictionary.md").read_text(), re.M)
    assert text.count('<svg class="lineage"') == len(tables) > 90
