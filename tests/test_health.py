"""Falling back, and what is remembered and told of it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from canned import DATASET, Canned, days_from, scores_of, use_feeds
from nights import NIGHTS, Home, Mailbox

from pipeline import health, steps
from pipeline.database import open_scratch
from pipeline.errors import (
    BlockedNightError,
    NotYetAvailableError,
    PayloadError,
    QualityError,
    RateLimitedError,
    SourceError,
    UnobtainableError,
)
from pipeline.health import SourceHealth
from pipeline.sandbox.faults import FaultBoard
from pipeline.sources.http import HttpStatusError
from pipeline.sources.registry import Feed

NIGHT = NIGHTS[0]
SCORES = scores_of(days_from(NIGHT - timedelta(days=20), 30))
SILENT = SourceError("nobody is there\nnot even now")


def good(name: str = "good", **set_up: Any) -> Canned:
    return Canned(name, SCORES, **set_up)


def load(home: Home, run_id: str = "a-run", hour: float = 1) -> dict[str, Any]:
    settings = home.settings(NIGHT, hour)
    extracted = steps.extract(settings, DATASET, NIGHT, run_id)
    # As through Airflow, which keeps JSON.
    return steps.validate_and_load(settings, json.loads(json.dumps(extracted)), run_id)


def statuses(home: Home, run_id: str = "a-run") -> dict[str, str]:
    return {row.source: row.status for row in health.of_run(home.settings(NIGHT), run_id)}


# What is remembered


def test_the_first_source_answers(empty_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    use_feeds(monkeypatch, Feed(DATASET, (good("first"), good("second"))))
    assert load(empty_home)["source"] == "first"
    (row,) = health.of_run(empty_home.settings(NIGHT), "a-run")
    assert (row.status, row.reason, row.preference_rank) == ("answered", None, 1)
    assert (row.row_count, row.call_count) == (11, 1)
    assert row.byte_count > 100
    assert (row.first_date, row.last_date) == (NIGHT - timedelta(days=10), NIGHT)


def test_a_silent_source_is_passed_over(empty_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = good("silent", fetch_error=SILENT)
    use_feeds(monkeypatch, Feed(DATASET, (silent, good(), good("third"))))
    loaded = load(empty_home)
    assert (loaded["source"], loaded["passed_over"]) == ("good", {"silent": str(SILENT)})
    first, second = health.of_run(empty_home.settings(NIGHT), "a-run")
    assert (first.status, first.reason, first.call_count) == ("unavailable", str(SILENT), 1)
    assert (second.status, second.preference_rank) == ("fell_back", 2)


@pytest.mark.parametrize(
    "refused",
    [
        {"parse_error": PayloadError("the shape has changed")},
        {"added": 1000.0},
        {"fetch_error": PayloadError("the body is empty")},
    ],
    ids=["parser", "gate", "client"],
)
def test_a_source_whose_rows_do_not_pass_is_passed_over(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch, refused: dict[str, Any]
) -> None:
    use_feeds(monkeypatch, Feed(DATASET, (good("bad", **refused), good())))
    assert load(empty_home)["source"] == "good"
    assert statuses(empty_home)["bad"] in {"refused", "unavailable"}
    assert statuses(empty_home)["good"] == "fell_back"


def test_a_source_that_is_not_set_up_is_no_failure(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_feeds(monkeypatch, Feed(DATASET, (good("keyless", usable=False), good())))
    load(empty_home)
    assert statuses(empty_home) == {"keyless": "not_set_up", "good": "answered"}
    assert steps.fallbacks(empty_home.settings(NIGHT), "a-run") == []


def test_a_feed_of_which_nothing_is_set_up_is_left_out_without_a_failure(
    home: Home, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox
) -> None:
    feed = Feed(DATASET, (good("keyless", usable=False), good("off", usable=False)))
    use_feeds(monkeypatch, feed)
    loaded = load(home)
    assert (loaded["source"], set(loaded["passed_over"])) == (None, {"keyless", "off"})
    assert statuses(home) == {"keyless": "not_set_up", "off": "not_set_up"}
    settings = home.settings(NIGHT, feeds="", **mailbox.settings)
    assert steps.notify(settings, NIGHT, "a-run", "a-build") is True
    assert mailbox.subjects() == []

    use_feeds(monkeypatch, Feed(DATASET, feed.sources, is_blocking=True))
    with pytest.raises(BlockedNightError, match=DATASET):
        steps.build(settings, NIGHT, "a-run", [loaded])


def test_a_feed_that_nobody_serves_is_remembered_with_every_reason(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(
        DATASET,
        (good("silent", fetch_error=SILENT), good("bad", parse_error=PayloadError("garbled"))),
    )
    use_feeds(monkeypatch, feed)
    with pytest.raises(PayloadError, match="garbled"):
        load(empty_home)
    assert statuses(empty_home) == {"silent": "unavailable", "bad": "refused"}

    use_feeds(monkeypatch, Feed(DATASET, (good("silent", fetch_error=SILENT),)))
    with pytest.raises(SourceError, match="nobody is there"):
        load(empty_home, "another")
    assert statuses(empty_home, "another") == {"silent": "unavailable"}


def test_a_retry_of_a_run_replaces_what_it_said(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = good("moody", fetch_error=SILENT)
    use_feeds(monkeypatch, Feed(DATASET, (source,)))
    with pytest.raises(SourceError):
        load(empty_home)
    source.fetch_error = None
    load(empty_home)
    assert statuses(empty_home) == {"moody": "answered"}


def test_landed_payloads_of_a_published_night_are_told_from_an_answer(
    three_nights: Home,
) -> None:
    settings = three_nights.settings(NIGHTS[2], hour=2)
    extracted = steps.extract(settings, "market_daily", NIGHTS[2], "again")
    steps.validate_and_load(settings, extracted, "again")
    (row,) = health.of_run(settings, "again")
    assert (row.source, row.status, row.call_count) == ("coingecko", "replayed", 0)


# What is published and told


def test_a_night_publishes_how_its_sources_did(
    small_home: Home, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox
) -> None:
    feed = Feed(DATASET, (good("silent", fetch_error=SILENT), good()))
    use_feeds(monkeypatch, feed, keep=["market_daily", "equity_daily"])
    manifest = small_home.refresh(NIGHT, run_id="the-night", **mailbox.settings)
    rows = small_home.query(
        "select feed, source, status, row_count > 0 from quality.source_health_daily "
        "where market_date = (select market_date from main.about) order by feed, preference_rank"
    )
    assert [row for row in rows if row[0] == DATASET] == [
        (DATASET, "silent", "unavailable", False),
        (DATASET, "good", "fell_back", True),
    ]
    assert {row[0] for row in rows} == {"market_daily", "equity_daily", DATASET}
    assert manifest["degraded_feeds"] == [DATASET]
    assert mailbox.subjects() == []
    assert steps.fallbacks(small_home.settings(NIGHT), "the-night") == [
        f"{DATASET} came from good, as silent is unavailable: nobody is there"
    ]


def test_a_mail_about_something_else_names_the_fallbacks(
    small_home: Home, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox, faults: FaultBoard
) -> None:
    feed = Feed(DATASET, (good("silent", fetch_error=SILENT), good()))
    use_feeds(monkeypatch, feed, keep=["market_daily", "equity_daily"])
    settings = small_home.settings(NIGHT, **mailbox.settings)
    small_home.refresh(NIGHT, run_id="a-run", **mailbox.settings)
    assert mailbox.subjects() == []

    faults["cboe"] = "status_404"
    with pytest.raises(SourceError, match="404"):
        steps.extract(settings, "equity_daily", NIGHT, "a-run")
    assert steps.notify(settings, NIGHT, "a-run", "a-build") is True
    (message,) = mailbox.messages()
    text = message.get_body(("plain",))
    assert text is not None
    told, _, beside = text.get_content().partition("Still open")
    assert "1. equity_daily" in told
    assert f"{DATASET} came from good" in beside
    assert "equity_daily came from" not in text.get_content()


def test_a_later_run_of_a_night_counts_unless_it_only_read_again(empty_home: Home) -> None:
    def say(run_id: str, hour: float, status: health.Status, reason: str | None = None) -> None:
        row = SourceHealth(DATASET, "good", 1, status, reason)
        health.record(empty_home.settings(NIGHT, hour), run_id, NIGHT, DATASET, [row])

    def nights() -> list[tuple[Any, ...]]:
        relation = health.recorded(empty_home.path / "journal")
        assert relation is not None
        with open_scratch() as connection:
            sql = health.select_nights(relation)
            return connection.execute(f"select status, run_id from ({sql})").fetchall()

    say("one", 1, "unavailable", "no answer")
    say("two", 2, "answered")
    say("three", 3, "replayed")
    assert nights() == [("answered", "two")]
    say("four", 4, "refused", "a new shape")
    assert nights() == [("refused", "four")]


def test_days_and_reasons_survive_the_way_through_airflow() -> None:
    row = SourceHealth(
        "f", "s", 2, "answered", None, 3, 4, 5, 0.5, date(2026, 1, 1), date(2026, 1, 2)
    )
    assert SourceHealth.from_dict(json.loads(json.dumps(row.to_dict()))) == row


# What is worth another try


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([HttpStatusError("banned", 418)], True),
        ([HttpStatusError("blocked", 451)], True),
        ([HttpStatusError("refused", 403)], True),
        ([HttpStatusError("moved", 301)], True),
        ([HttpStatusError("not there", 404)], False),
        ([HttpStatusError("down", 503)], False),
        ([RateLimitedError("later")], False),
        ([NotYetAvailableError("later")], False),
        ([SourceError("no answer")], False),
        ([UnobtainableError("never")], True),
        ([PayloadError("garbled")], True),
        ([HttpStatusError("blocked", 451), SourceError("no answer")], False),
        ([HttpStatusError("blocked", 451), UnobtainableError("never")], True),
    ],
    ids=lambda value: "+".join(map(str, value)) if isinstance(value, list) else str(value),
)
def test_an_error_is_final_when_no_source_can_do_better(
    empty_home: Home,
    monkeypatch: pytest.MonkeyPatch,
    errors: list[Exception],
    expected: bool,
) -> None:
    sources = [good(f"s{n}", fetch_error=error) for n, error in enumerate(errors)]
    use_feeds(monkeypatch, Feed(DATASET, tuple(sources)))
    with pytest.raises(type(errors[0]) if len(errors) == 1 else SourceError) as caught:
        steps.extract(empty_home.settings(NIGHT), DATASET, NIGHT, "a-run")
    assert steps.is_final(caught.value) is expected
    assert all(str(error) in str(caught.value) for error in errors)


def test_a_refusal_by_the_gate_is_final() -> None:
    assert steps.is_final(QualityError("no"))
    assert not steps.is_final(OSError("the disk"))
