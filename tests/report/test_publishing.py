"""The report as a part of the night: put in place whole, and never in the way of a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Run, one_sentence
from nights import NIGHTS, Home, Mailbox, copy_home

from pipeline import failures, steps
from pipeline.errors import ConfigurationError, PublishError
from pipeline.report import publishing, site
from pipeline.settings import Settings

PAGES = {"index.html": b"<p>a</p>", "data/a.csv": b"a\n1\n", "assets/style.css": b"p {}"}


@pytest.fixture
def home(three_nights_path: Path, tmp_path: Path) -> Home:
    return copy_home(three_nights_path, tmp_path / "home", None, report_enabled=True)


@pytest.fixture
def quick_pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Three small files in the place of all pages; change them for another report."""
    pages = dict(PAGES)
    monkeypatch.setattr(site, "render_report", lambda *_: pages)
    return pages


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != publishing.MARKER
    }


def test_report_is_written_beside_the_published_file(home: Home) -> None:
    settings = home.settings(NIGHTS[2])
    page = publishing.publish_report(settings)
    assert page == settings.published_dir / "report" / "index.html"
    assert "Small caps" in page.read_text()
    marker = json.loads((page.parent / publishing.MARKER).read_bytes())
    manifest = json.loads((settings.published_dir / "manifest.json").read_bytes())
    assert marker["build_id"] == manifest["build_id"]


@pytest.mark.usefixtures("quick_pages")
def test_report_of_the_published_build_is_not_written_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home.settings(NIGHTS[2])
    page = publishing.publish_report(settings)
    monkeypatch.setattr(site, "render_report", lambda *_: pytest.fail("written again"))
    assert publishing.publish_report(settings) == page
    with pytest.raises(pytest.fail.Exception, match="written again"):
        publishing.publish_report(settings, again=True)


def test_pages_that_are_gone_from_a_report_are_taken_away(
    home: Home, quick_pages: dict[str, bytes]
) -> None:
    settings = home.settings(NIGHTS[2])
    publishing.publish_report(settings)
    del quick_pages["data/a.csv"]
    quick_pages["index.html"] = b"<p>b</p>"
    publishing.publish_report(settings, again=True)
    folder = publishing.report_dir(settings)
    assert files_of(folder) == quick_pages
    assert not (folder / "data").exists()


def test_report_that_fails_leaves_the_pages_of_before(
    home: Home, quick_pages: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home.settings(NIGHTS[2])
    publishing.publish_report(settings)

    def fail(*_: object) -> None:
        raise ConfigurationError("no such table")

    monkeypatch.setattr(site, "render_report", fail)
    with pytest.raises(ConfigurationError, match="no such table"):
        publishing.publish_report(settings, again=True)
    assert files_of(publishing.report_dir(settings)) == quick_pages


def test_nothing_published_is_nothing_to_report_on(
    make_settings: Callable[..., Settings],
) -> None:
    with pytest.raises(PublishError, match=r"nothing is published in .*tidemark import"):
        publishing.publish_report(make_settings())


def test_a_project_without_a_report_folder_has_none(home: Home, tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    settings = home.settings(NIGHTS[2], sql_dir=tmp_path / "sql")
    assert publishing.publish_report(settings) is None


@pytest.fixture
def built(home: Home) -> dict[str, Any]:
    manifest = json.loads((home.path / "published" / "manifest.json").read_bytes())
    return {"market_date": manifest["market_date"], "run_id": "refresh-1"}


@pytest.mark.usefixtures("quick_pages")
def test_step_writes_the_report_unless_it_is_switched_off(
    home: Home, built: dict[str, Any]
) -> None:
    off = home.settings(NIGHTS[2], report_enabled=False)
    assert steps.report(off, built) is None
    assert not publishing.report_dir(off).exists()
    on = home.settings(NIGHTS[2])
    assert steps.report(on, built) == str(publishing.report_dir(on) / "index.html")


def test_step_that_failed_is_remembered_until_it_ends_well(
    home: Home,
    built: dict[str, Any],
    quick_pages: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = home.settings(NIGHTS[2])

    def fail(*_: object) -> None:
        raise ConfigurationError("no such table")

    monkeypatch.setattr(site, "render_report", fail)
    with pytest.raises(ConfigurationError):
        steps.report(settings, built)
    (failure,) = failures.of_run(settings, built["run_id"])
    assert (failure["step"], failure["error"]) == ("report", "no such table")
    monkeypatch.setattr(site, "render_report", lambda *_: quick_pages)
    steps.report(settings, built)
    assert failures.of_run(settings, built["run_id"]) == []


def test_night_without_its_report_is_published_and_told_as_a_warning(
    three_nights: Home, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConfigurationError("no such table")

    monkeypatch.setattr(site, "render_report", fail)
    manifest = three_nights.refresh(NIGHTS[3], report_enabled=True, **mailbox.settings)
    assert manifest["market_date"] == str(NIGHTS[3])
    (subject,) = mailbox.subjects()
    assert "WARNING" in subject
    assert "report" in subject
    (message,) = mailbox.messages()
    part = message.get_body(("plain",))
    assert part is not None
    body = str(part.get_content())
    assert "the report is of an earlier night: no such table" in " ".join(body.split())
    assert "tidemark report" in body


@pytest.mark.usefixtures("quick_pages")
def test_command_writes_the_report_and_says_where(home: Home, run: Run) -> None:
    outcome = run("report", home=home)
    page = home.path / "published" / "report" / "index.html"
    assert (outcome.code, outcome.out.strip()) == (0, str(page))
    assert json.loads(run("report", "--json", home=home).out) == {"page": str(page)}


@pytest.mark.usefixtures("quick_pages")
def test_command_without_a_browser_says_which_file_to_open(
    home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr("typer.launch", lambda url: opened.append(url) or 1)
    outcome = run("report", "--open", home=home)
    assert outcome.code == 2
    assert "open " in " ".join(outcome.err.split())
    assert opened == [(home.path / "published" / "report" / "index.html").as_uri()]


def test_command_in_an_empty_home_says_what_to_do(run: Run, empty_home: Home) -> None:
    assert "nothing is published" in one_sentence(run("report", home=empty_home), code=1)
