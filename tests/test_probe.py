"""What works from here: the probe against vendors that answer, refuse, change and fall silent."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from canned import DATASET, Canned, days_from, scores_of
from nights import NIGHTS, Home

from pipeline.errors import (
    ConfigurationError,
    NotYetAvailableError,
    PayloadError,
    RateLimitedError,
    SourceError,
    UnobtainableError,
)
from pipeline.probe import (
    CALLS_ASKED,
    RESPONSES_ASKED,
    ProbeResult,
    failed_primaries,
    newest_day,
    probed_sources,
    run_probe,
)
from pipeline.sandbox.faults import FaultBoard
from pipeline.settings import Settings
from pipeline.sources.base import vendor_url
from pipeline.sources.http import HttpStatusError
from pipeline.sources.registry import FEEDS, SOURCES, Feed

NIGHT = NIGHTS[0]
SCORES = scores_of(days_from(NIGHT - timedelta(days=20), 22))


def probe_one(home: Home, source: Any, hour: float = 1, **feed: Any) -> ProbeResult:
    (result,) = run_probe(home.settings(NIGHT, hour), [(Feed(DATASET, (source,), **feed), source)])
    return result


def probe_vendor(home: Home, vendor: str, hour: float = 1) -> ProbeResult:
    return run_probe(home.settings(NIGHT, hour), probed_sources(vendor))[0]


def kept_shapes(home: Home) -> dict[str, Any]:
    folder = home.path / "state" / "probe"
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_bytes())
        for path in sorted(folder.rglob("*.json"))
    }


@pytest.mark.parametrize("vendor", ["coingecko", "cboe", "alternative_me"])
def test_a_vendor_that_answers_is_ok(empty_home: Home, vendor: str) -> None:
    result = probe_vendor(empty_home, vendor)
    assert result.outcome == "ok", result.detail
    assert f"up to {NIGHT}" in result.detail
    assert 1 <= result.call_count <= RESPONSES_ASKED
    assert result.is_needed == (vendor == "coingecko")


def test_a_probe_keeps_shapes_and_no_figure_and_lands_nothing(empty_home: Home) -> None:
    for vendor in ("coingecko", "cboe", "alternative_me"):
        probe_vendor(empty_home, vendor)
    shapes = kept_shapes(empty_home)
    today = (NIGHT + timedelta(days=1)).isoformat()
    markets = shapes[f"{today}/market_daily-coingecko-markets-page-1.json"]
    assert markets[0]["id"] == "text"
    assert markets[0]["current_price"] == "number"
    rut = shapes[f"{today}/equity_daily-cboe-RUT_History.json"]
    assert rut == {"header": ["DATE", "RUT"], "types": ["date", "number"]}
    fng = shapes[f"{today}/sentiment_daily-alternative_me-fng.json"]
    assert fng["data"][0]["value"] == "text"
    text = json.dumps(shapes)
    assert "bitcoin" not in text
    assert re.findall(r"[0-9]+\.[0-9]+", text) == []
    assert {path.name for path in empty_home.path.iterdir()} == {"state"}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("status_403", "blocked"),
        ("status_429", "blocked"),
        ("status_404", "changed"),
        ("status_503", "unreachable"),
        ("cut_connection", "unreachable"),
        ("html_200", "blocked"),
        ("truncated", "changed"),
        ("nan", "changed"),
        ("empty_list", "changed"),
        ("stale_stamp", "changed"),
    ],
)
def test_a_fault_of_the_vendor_has_its_name(
    empty_home: Home, faults: FaultBoard, fault: str, outcome: str
) -> None:
    faults["coingecko"] = fault
    result = probe_vendor(empty_home, "coingecko")
    assert result.outcome == outcome, result.detail
    assert failed_primaries([result]) == [result]


@pytest.mark.parametrize(
    ("set_up", "outcome"),
    [
        ({}, "ok"),
        ({"usable": False}, "off"),
        ({"usable": False, "vendor": "coinalyze"}, "needs key"),
        ({"fetch_error": HttpStatusError("who are you", 401)}, "needs key"),
        ({"fetch_error": HttpStatusError("not here", 451)}, "blocked"),
        ({"fetch_error": HttpStatusError("pay", 402)}, "blocked"),
        ({"fetch_error": HttpStatusError("moved", 301)}, "changed"),
        ({"fetch_error": HttpStatusError("down", 502)}, "unreachable"),
        ({"fetch_error": RateLimitedError("the budget is used up")}, "blocked"),
        ({"fetch_error": SourceError("the connection failed")}, "unreachable"),
        ({"fetch_error": PayloadError("the body is empty")}, "changed"),
        ({"fetch_error": NotYetAvailableError("tomorrow")}, "late"),
        ({"parse_error": PayloadError("no field score")}, "changed"),
        ({"parse_error": SourceError("the vendor says no")}, "blocked"),
        ({"parse_error": NotYetAvailableError("tomorrow")}, "late"),
        ({"parse_error": UnobtainableError("a gap")}, "late"),
        ({"parse_error": UnobtainableError("too late now"), "kind": "now_only"}, "ok"),
        ({"added": 5000.0}, "changed"),
    ],
    ids=str,
)
def test_every_outcome(empty_home: Home, set_up: dict[str, Any], outcome: str) -> None:
    result = probe_one(empty_home, Canned("canned", SCORES, **set_up))
    assert result.outcome == outcome
    for error in (set_up.get("fetch_error"), set_up.get("parse_error")):
        if error is not None:
            assert str(error) in result.detail


def test_now_only_vendors_are_looked_at_whatever_the_hour(empty_home: Home) -> None:
    result = probe_vendor(empty_home, "coingecko", hour=15)
    assert (result.outcome, result.call_count) == ("ok", 3)
    assert "cannot stand for the close" in result.detail


def test_a_source_of_many_parts_is_asked_for_a_few(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Canned("canned", SCORES)
    fetch_one = source.fetch

    def fetch(client: Any, *arguments: Any, **options: Any) -> Any:
        for number in range(100):
            for _, response in fetch_one(client, *arguments, **options):
                yield f"part-{number}", response

    monkeypatch.setattr(source, "fetch", fetch)
    source.parse_error = PayloadError("96 parts are missing")
    result = probe_one(empty_home, source)
    assert (result.outcome, result.call_count) == ("ok", RESPONSES_ASKED)
    assert "too few to read rows from" in result.detail


def test_a_source_with_few_answers_is_not_asked_for_ever(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch, faults: FaultBoard
) -> None:
    source = Canned("canned", SCORES, parse_error=PayloadError("no body"))

    def fetch(client: Any, settings: Settings, *_: Any, **__: Any) -> Any:
        while True:
            with suppress(HttpStatusError):
                yield "one", client.get(vendor_url(settings, source.vendor, "fng/"))

    faults["alternative_me"] = "status_404"
    monkeypatch.setattr(source, "fetch", fetch)
    result = probe_one(empty_home, source)
    assert (result.outcome, result.call_count) == ("changed", CALLS_ASKED)


def test_a_shape_that_is_other_than_last_time_is_told(empty_home: Home) -> None:
    source = Canned("canned", SCORES)
    probe_one(empty_home, source)
    assert "new" not in probe_one(empty_home, source).detail
    for path in (empty_home.path / "state" / "probe").rglob("*.json"):
        path.parent.rename(path.parent.with_name("2024-01-01"))
        break
    before = empty_home.path / "state" / "probe" / "2024-01-01"
    (file,) = before.iterdir()
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"volume": "number"}))
    assert "gone volume" in probe_one(empty_home, source).detail


def test_the_day_looked_at_is_one_that_the_vendor_should_have(empty_home: Home) -> None:
    settings = empty_home.settings(NIGHT)
    source = Canned("canned")
    days = []
    for hours in (0, 1, 24, 30):
        source.available_hours = hours
        days.append(newest_day(settings, Feed(DATASET, (source,)), source))
    one = timedelta(days=1)
    assert days == [NIGHT, NIGHT - one, NIGHT - one, NIGHT - 2 * one]
    source.available_hours = 0
    assert newest_day(settings, Feed(DATASET, (source,), lag_days=3), source) == NIGHT - 3 * one


def test_every_source_is_looked_at_once() -> None:
    probed = [(source.dataset, source.name) for _, source in probed_sources()]
    assert len(probed) == len(set(probed))
    assert set(probed) == {(s.dataset, s.name) for s in SOURCES if s.payloads_of is None}
    assert {s.vendor for _, s in probed_sources("cboe")} == {"cboe"}
    with pytest.raises(ConfigurationError, match="there is no vendor 'nobody'"):
        probed_sources("nobody")


def test_only_the_first_source_of_a_blocking_feed_is_needed(empty_home: Home) -> None:
    silent = {"fetch_error": SourceError("no answer")}
    first, second = Canned("first", SCORES, **silent), Canned("second", SCORES, **silent)
    results = [
        result
        for is_blocking in (True, False)
        for result in run_probe(
            empty_home.settings(NIGHT),
            [(Feed(DATASET, (first, second), is_blocking), each) for each in (first, second)],
        )
    ]
    assert failed_primaries(results) == results[:1]


def test_some_feed_is_needed() -> None:
    assert any(feed.is_blocking for feed in FEEDS)


def test_a_vendor_that_is_left_alone_is_not_asked_by_a_probe_either(
    empty_home: Home, faults: FaultBoard
) -> None:
    def look(**overrides: Any) -> ProbeResult:
        settings = empty_home.settings(NIGHT, **overrides)
        return run_probe(settings, probed_sources("coingecko"))[0]

    faults["coingecko"] = "status_403"
    assert look(vendor_pace=1000).outcome == "blocked"
    faults.clear()
    again = look(vendor_pace=1000)
    assert (again.outcome, again.call_count) == ("blocked", 0)
    assert "left alone until" in again.detail
    assert look().outcome == "ok"


def test_shape_files_lie_under_state(empty_home: Home) -> None:
    probe_one(empty_home, Canned("../canned", SCORES))
    folder = empty_home.path / "state" / "probe"
    files = [path for path in empty_home.path.rglob("*.json") if isinstance(path, Path)]
    assert files
    assert all(path.is_relative_to(folder) for path in files)
