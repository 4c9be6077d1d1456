"""Every kind of mail, word for word.

``UPDATE_GOLDEN_MAILS=1 pytest tests/alerts/test_golden_mails.py`` writes the files anew; look
at the difference, and at the pages in a browser, before you commit them.
"""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from alert_scenes import SCENES, last_entry, make_alert_settings
from smtp_server import Inbox, serving

from pipeline import __version__
from pipeline.alerts.delivery import deliver
from pipeline.alerts.outbox import Entry

GOLDEN = Path(__file__).parent / "golden"
UPDATES = os.environ.get("UPDATE_GOLDEN_MAILS") == "1"


@pytest.fixture(params=SCENES)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Entry]:
    settings = make_alert_settings(tmp_path / "home")
    SCENES[request.param](settings)
    return request.param, last_entry(settings)


def figures(text: str) -> set[str]:
    """Return every figure and date of a text."""
    return {found.rstrip(".,:-") for found in re.findall(r"\d[\d,.:-]*", text)}


def words_of(html: str) -> list[str]:
    """Return the words that a reader of the page sees."""

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.words: list[str] = []
            self.hidden = 0

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.hidden += tag in {"style", "title"} or ("class", "preview") in attributes

        def handle_endtag(self, tag: str) -> None:
            self.hidden -= self.hidden > 0 and tag in {"style", "title", "div"}

        def handle_data(self, data: str) -> None:
            if not self.hidden:
                self.words += data.split()

    reader = Reader()
    reader.feed(html)
    return reader.words


def test_mail_is_word_for_word_what_it_was(told: tuple[str, Entry], tmp_path: Path) -> None:
    name, entry = told
    for suffix, found in (
        ("subject", f"{entry.subject}\n"),
        ("txt", entry.text),
        ("html", entry.html),
    ):
        plain = found.replace(f"Tidemark {__version__}", "Tidemark VERSION")
        plain = plain.replace(str(tmp_path), "HOME")
        path = GOLDEN / f"{name}.{suffix}"
        if UPDATES:
            path.parent.mkdir(exist_ok=True)
            path.write_text(plain)
        assert plain == path.read_text(), f"see the head of {Path(__file__).name}"


def test_text_tells_every_fact_of_the_page(told: tuple[str, Entry]) -> None:
    _, entry = told
    assert figures(" ".join(words_of(entry.html))) <= figures(entry.text)


def test_golden_folder_holds_nothing_else() -> None:
    expected = {f"{name}.{suffix}" for name in SCENES for suffix in ("subject", "txt", "html")}
    assert {path.name for path in GOLDEN.iterdir()} == expected


def test_mail_arrives_through_a_server_as_it_was_composed(
    told: tuple[str, Entry], tmp_path: Path
) -> None:
    _, entry = told
    inbox = Inbox()
    with serving(inbox) as port:
        settings = make_alert_settings(tmp_path / "home", smtp_host="127.0.0.1", smtp_port=port)
        assert deliver(settings) >= 1
    (message,) = [m for m in inbox.messages() if m["Message-ID"] == entry.message_id]
    assert message["Subject"] == entry.subject
    for kind, composed in (("plain", entry.text), ("html", entry.html)):
        part = message.get_body((kind,))
        assert part is not None
        assert part.get_content().splitlines() == composed.splitlines()
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert len(pictures) == (entry.chart_png is not None)
