"""``docs/sources.md`` says what the registry does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.sources.base import Source
from pipeline.sources.feed_table import replace_feeds
from pipeline.sources.registry import FEEDS, SOURCES
from pipeline.sources.vendors import VENDORS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = ("sources.md", "sources_derivatives.md")


def test_the_tables_are_those_of_the_registry() -> None:
    page = (DOCS / "sources.md").read_text()
    assert page == replace_feeds(page), "run: make dictionary"
    for feed in FEEDS:
        assert f"| `{feed.name}` |" in page


def test_a_page_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="the page needs"):
        replace_feeds("# Sources\n")


def test_every_vendor_has_a_section() -> None:
    text = (DOCS / "sources.md").read_text() + (DOCS / "sources_derivatives.md").read_text()
    headings = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    plain = headings.lower().replace(" ", "_").replace(".", "_")
    used = {source.vendor for source in SOURCES}
    assert used == set(VENDORS)
    for vendor in used:
        assert vendor.partition("_")[0] in plain, vendor


def test_every_section_says_what_a_user_has_to_know() -> None:
    sections = (DOCS / "sources.md").read_text().partition("## Vendors\n")[2].split("### ")[1:]
    for section in sections:
        for word in ("Asked", "Fills", "Day", "Units", "Limits", "Key", "Licence", "Fails by"):
            assert f"* **{word}**" in section, (section.partition("\n")[0], word)
    tables = (DOCS / "sources_derivatives.md").read_text().split("\n## ")[2:]
    for section in tables:
        for words in (
            ("endpoint", "files"),
            ("date",),
            ("limits",),
            ("licence",),
            ("| key |",),
            ("failure",),
        ):
            assert any(word in section for word in words), (section.partition("\n")[0], words)
        assert "_daily`" in section


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.name}-{source.dataset}")
def test_every_source_has_tests_of_its_shape_of_any_body_and_an_entry(source: Source) -> None:
    named = re.compile(rf"\b{type(source).__name__}\b")
    texts = [path.read_text() for path in (ROOT / "tests" / "sources").glob("test_*_source.py")]
    tests = [text for text in texts if named.search(text)]
    assert tests, "write tests/sources/test_<vendor>_source.py on the documented shape"
    assert any("@given(" in text for text in tests), "add a property test against any body"
    pages = "".join((DOCS / name).read_text() for name in PAGES)
    assert f"`{source.dataset}`" in pages, "say in docs/sources*.md what it fills"
