"""The Data Docs: a page per run and frame that opens from disk, whatever stands in the data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hostile_names import HOSTILE_NAMES, STORABLE_NAMES, faults_in_html
from quality_factories import MARKET_DATE, changed, market_frame

from pipeline.alerts.findings import collect
from pipeline.alerts.page_findings import page_findings
from pipeline.datasets import DATASETS
from pipeline.errors import QualityError
from pipeline.loading import load_frame
from pipeline.quality import data_docs
from pipeline.quality.data_docs import index_page, warnings_of
from pipeline.quality.data_docs_pages import MAX_TEXT, Entry, harmless, render_run, render_runs
from pipeline.settings import Settings

NIGHT = datetime(2026, 3, 12, 1, 0, tzinfo=UTC)
RUN = "scheduled__2026-03-12T01:00:00+00:00"
MakeSettings = Callable[..., Settings]


def load(settings: Settings, frame: pd.DataFrame, run_id: str = RUN, **overrides: Any) -> None:
    arguments: dict[str, Any] = {
        "market_date": MARKET_DATE,
        "source": "coingecko",
        "known_at": settings.now(),
        "vintage": "live",
        "payload_refs": [],
    }
    load_frame(settings, frame, DATASETS["market_daily"], run_id=run_id, **(arguments | overrides))


def pages(settings: Settings) -> dict[str, str]:
    return {
        path.relative_to(settings.data_docs_dir).as_posix(): path.read_text()
        for path in sorted(settings.data_docs_dir.rglob("*.html"))
    }


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings(now_override=NIGHT.isoformat())


def test_a_night_has_a_page_for_its_run_and_one_for_each_frame(settings: Settings) -> None:
    load(settings, changed(market_frame(), "price_usd", -1.0))
    index = index_page(settings, RUN)
    assert index is not None
    (frame,) = re.findall(r'<a href="(market_daily[^"]+)"', index.read_text())
    page = (index.parent / frame).read_text()
    assert "passed, with findings" in page
    assert "market_daily.price_positive" in page
    assert "price_usd=-1; expected finite and &gt; 0" in page
    # Great Expectations' own words for the same.
    assert "values must be greater than" in page
    assert re.search(r"0\.83\d*% unexpected", page)
    runs = (settings.data_docs_dir / "index.html").read_text()
    (address,) = re.findall(r'<a href="([^"]+/index.html)"', runs)
    assert (settings.data_docs_dir / address) == index


def test_a_refused_frame_has_a_page(settings: Settings) -> None:
    with pytest.raises(QualityError):
        load(settings, changed(market_frame(), "coin_id", "coin-1"))
    index = index_page(settings, RUN)
    assert index is not None
    assert "refused" in index.read_text()


def test_pages_need_nothing_from_afar_and_lead_to_pages_that_are_there(settings: Settings) -> None:
    load(settings, changed(market_frame(), "price_usd", -1.0))
    for name, page in pages(settings).items():
        assert "<script" not in page
        assert "<link" not in page
        assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
        for address in re.findall(r'href="([^"#]+)"', page):
            assert (settings.data_docs_dir / name).parent.joinpath(address).exists(), address


def test_hostile_names_in_the_data_stay_text(settings: Settings) -> None:
    names = list(STORABLE_NAMES.values())
    frame = market_frame(len(names) * 2)
    frame["coin_id"] = [*names, *frame["coin_id"][len(names) :]]
    for source in ("coingecko", '"><script>alert(1)</script>'):
        with pytest.raises(QualityError):
            load(settings, frame.assign(source=source), source=source)
    found = pages(settings)
    assert len(found) == 4
    for page in found.values():
        assert faults_in_html(page, frozenset({"meta"})) == []


@pytest.mark.parametrize("name", STORABLE_NAMES.values(), ids=STORABLE_NAMES)
def test_harmless_texts_are_short_and_without_markup(name: str) -> None:
    shown = harmless({"a": [name]})["a"][0]
    assert not set(shown) & set("<>&\"'$`{}")
    assert len(name) <= MAX_TEXT or len(shown) < 20 * MAX_TEXT


def test_history_has_a_page_only_when_it_is_refused(settings: Settings) -> None:
    load(settings, market_frame(), run_id="import-1", vintage="reconstructed")
    assert index_page(settings, "import-1") is None
    with pytest.raises(QualityError):
        load(
            settings,
            changed(market_frame(), "coin_id", "coin-1"),
            run_id="import-1",
            vintage="reconstructed",
        )
    assert index_page(settings, "import-1") is not None


def test_old_runs_are_deleted(make_settings: MakeSettings) -> None:
    for number in range(4):
        now = NIGHT + timedelta(days=number)
        load(
            make_settings(now_override=now.isoformat(), data_docs_runs_kept=2),
            market_frame(),
            f"run-{number}",
        )
    settings = make_settings()
    kept = [number for number in range(4) if index_page(settings, f"run-{number}")]
    assert kept == [2, 3]
    assert (settings.data_docs_dir / "index.html").read_text().count("/index.html") == 2


def test_no_pages_are_made_when_none_are_kept(make_settings: MakeSettings) -> None:
    settings = make_settings(now_override=NIGHT.isoformat(), data_docs_runs_kept=0)
    load(settings, market_frame())
    assert not settings.data_docs_dir.exists()
    assert index_page(settings, RUN) is None


def test_the_chunks_of_a_range_are_one_run(settings: Settings) -> None:
    for since in ("2026-03-01", "2026-03-05"):
        load(settings, market_frame(), f"backfill-1--since-{since}")
    assert len([path for path in settings.data_docs_dir.iterdir() if path.is_dir()]) == 1
    assert index_page(settings, "backfill-1") == index_page(
        settings, "backfill-1--since-2026-03-01"
    )


def test_pages_that_cannot_be_made_fail_nothing_and_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("no template\nof that name")

    monkeypatch.setattr(data_docs, "render_frame", fail)
    load(settings, market_frame())
    load(settings, market_frame())
    (warning,) = warnings_of(settings, RUN)
    assert "Data Docs of market_daily from coingecko are missing" in warning
    assert index_page(settings, RUN) is None
    assert warnings_of(settings, "another") == []
    (problem,) = page_findings(settings, RUN).problems
    assert (problem.severity, problem.examples) == ("warning", (warning,))
    assert page_findings(settings, "another").problems == ()
    told = collect(settings, settings.default_market_date(), RUN, is_published=False)
    assert problem in told.problems


def test_runs_whose_names_differ_in_their_signs_only_have_folders_of_their_own(
    settings: Settings,
) -> None:
    names = ["a:b", "a+b", "a/b", "../a", "..", "a" * 300]
    for name in names:
        load(settings, market_frame(), name)
    found = {index_page(settings, name) for name in names}
    assert len(found) == len(names)
    root = settings.data_docs_dir.resolve()
    assert all(isinstance(page, Path) and page.resolve().parents[1] == root for page in found)


def test_a_rule_that_could_not_be_checked_is_shown_as_such(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.quality import gate as gate_module
    from pipeline.quality.suites import suite_for

    def fail(_: object) -> pd.Series:
        raise RuntimeError("out of paper")

    suite = tuple(
        replace(rule, measure=fail) if rule.name == "price_positive" else rule
        for rule in suite_for(DATASETS["market_daily"])
    )
    monkeypatch.setattr(gate_module, "suite_for", lambda _: suite)
    with pytest.raises(QualityError):
        load(settings, market_frame())
    index = index_page(settings, RUN)
    assert index is not None
    (frame,) = [page for name, page in pages(settings).items() if "market_daily" in name]
    assert "critical, errored" in frame
    assert "out of paper" in frame


def test_the_indexes_show_hostile_words_as_text() -> None:
    entries = [
        Entry(
            run_id=name,
            dataset=name,
            source=name,
            market_date="2026-03-12",
            checked_at="2026-03-12T01:00:00+00:00",
            is_passed=False,
            failed=(name,),
            rule_count=1,
            accepted_count=0,
            quarantined_count=1,
            page="page.html",
        )
        for name in HOSTILE_NAMES.values()
    ]
    pages = [render_run(entries), render_runs([("a/index.html", entries)])]
    for page in pages:
        assert faults_in_html(page, frozenset({"meta"})) == []
        assert "alert(1)" in page


@pytest.mark.parametrize("run_id", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_run_of_any_name_has_a_folder_of_its_own_inside(run_id: str, settings: Settings) -> None:
    folder = data_docs._folder(settings, run_id)
    assert folder.resolve().parent == settings.data_docs_dir.resolve()
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", folder.name)
    assert len(folder.name) < 120
