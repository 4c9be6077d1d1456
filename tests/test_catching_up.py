"""Nights that did not happen: what the next one fetches, what it marks, what it mails, and once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, timedelta
from typing import Any

import pytest
from nights import NIGHTS, Home, Mailbox

from pipeline import catching_up, run_log
from pipeline.catching_up import (
    LOOK_BACK_DAYS,
    TRY_AGAIN_DAYS,
    MissedNight,
    catch_up,
    find_missed_days,
    missed_nights,
)
from pipeline.datasets import DATASETS
from pipeline.errors import QualityError, SourceError
from pipeline.raw_store import RawStore
from pipeline.settings import Settings
from pipeline.sources.registry import Feed

MakeSettings = Callable[..., Settings]
FEEDS = "market_daily,equity_daily,sentiment_daily,equity_daily.fred"
BACK = NIGHTS[2] + timedelta(days=4)
MISSED = [NIGHTS[2] + timedelta(days=n) for n in (1, 2, 3)]


def day(number: int) -> date:
    return date(2028, 3, 1) + timedelta(days=number)


def begin_nights(settings: Settings, *numbers: int) -> None:
    for number in numbers:
        run_log.begin(settings, f"night-{day(number)}", "nightly", day(number))


# The whole way


@pytest.mark.slow
def test_three_days_away_are_filled_in_order_marked_and_mailed_once(
    three_nights: Home, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, date, date]] = []
    run_backfill = catching_up.run_backfill

    def spy(settings: Settings, feed: Feed, first: date, *rest: Any, **more: Any) -> Any:
        asked.append((feed.name, first, rest[0]))
        return run_backfill(settings, feed, first, *rest, **more)

    monkeypatch.setattr(catching_up, "run_backfill", spy)
    settings = {**mailbox.settings, "feeds": FEEDS, "alert_weekly_day": ""}
    three_nights.refresh(BACK, run_id="back", **settings)
    one = timedelta(days=1)
    assert asked == [
        ("equity_daily", MISSED[0], MISSED[-1]),
        ("equity_daily.fred", MISSED[0] - one, MISSED[-1] - one),
        ("sentiment_daily", MISSED[0], MISSED[-1]),
    ]
    told = three_nights.query(
        "select market_date, feed, status from quality.source_health_daily "
        f"where market_date between date '{MISSED[0]}' and date '{MISSED[-1]}' order by all"
    )
    assert told == [
        (missed, feed, "unobtainable" if feed == "market_daily" else "caught_up")
        for missed in MISSED
        for feed in ("equity_daily", "equity_daily.fred", "market_daily", "sentiment_daily")
    ]
    counts = RawStore(three_nights.path / "raw").row_counts(
        DATASETS["sentiment_daily"], "alternative_me", since=MISSED[0]
    )
    assert list(counts) == [*MISSED, BACK]
    assert len(mailbox.subjects()) == 1, mailbox.subjects()
    (mail,) = mailbox.messages()
    body = mail.get_body(("plain",))
    assert body is not None
    said = " ".join(body.get_content().split())
    assert f"3 nights, {MISSED[0]} to {MISSED[-1]}, did not happen" in said
    assert "3 feeds are caught up; market_daily cannot be had for these days" in said
    # Neither the nights after, nor the same night again, say or do anything of it.
    three_nights.refresh(BACK, hour=2, run_id="again", **settings)
    three_nights.refresh(BACK + one, run_id="next", **settings)
    assert len(mailbox.messages()) == 1
    assert len(asked) == 3


# Which days


def test_days_between_two_nights_are_missed(make_settings: MakeSettings) -> None:
    settings = make_settings()
    assert find_missed_days(settings, day(5)) == []
    begin_nights(settings, 0, 1, 5)
    assert find_missed_days(settings, day(5)) == [day(2), day(3), day(4)]
    begin_nights(settings, 3)
    assert find_missed_days(settings, day(5)) == [day(2), day(4)]


def test_days_before_the_first_night_and_long_ago_are_not(make_settings: MakeSettings) -> None:
    settings = make_settings()
    begin_nights(settings, 200)
    assert find_missed_days(settings, day(200)) == []
    begin_nights(settings, 0)
    found = find_missed_days(settings, day(200))
    assert (found[0], found[-1], len(found)) == (
        day(200 - LOOK_BACK_DAYS),
        day(199),
        LOOK_BACK_DAYS,
    )


def test_a_build_or_a_backfill_is_no_night(make_settings: MakeSettings) -> None:
    settings = make_settings()
    begin_nights(settings, 0)
    run_log.begin(settings, "build-1", "build", day(1))
    run_log.begin(settings, "backfill-2", "backfill", day(2))
    assert find_missed_days(settings, day(3)) == [day(1), day(2)]


def test_the_leap_day_is_a_day(make_settings: MakeSettings) -> None:
    settings = make_settings()
    run_log.begin(settings, "before", "nightly", date(2028, 2, 28))
    assert find_missed_days(settings, date(2028, 3, 1)) == [date(2028, 2, 29)]


# What becomes of a feed


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """What asking for the past comes to, for the next calls."""
    outcomes: list[Exception | None] = []

    def answer(*_: object, **__: object) -> None:
        raised = outcomes.pop(0) if outcomes else None
        if raised is not None:
            raise raised

    monkeypatch.setattr(catching_up, "run_backfill", answer)
    return outcomes


def run(settings: Settings, number: int) -> list[MissedNight]:
    begin_nights(settings, number)
    return catch_up(settings, day(number), f"night-{day(number)}", nullcontext)


def test_a_vendor_that_is_away_is_asked_again_until_it_answers(
    make_settings: MakeSettings, outcome: list[Exception | None]
) -> None:
    settings = make_settings(feeds="market_daily,equity_daily")
    begin_nights(settings, 0)
    outcome += [SourceError("away"), SourceError("still away"), None]
    states = []
    for number in (2, 3, 4, 5):
        states += [[dict(missed.feeds) for missed in run(settings, number)]]
    lost = {"market_daily": "unobtainable"}
    assert states == [
        [lost | {"equity_daily": "unavailable"}],
        [lost | {"equity_daily": "unavailable"}],
        [lost | {"equity_daily": "caught_up"}],
        [],
    ]
    # The outage stays that of the night that found it.
    assert [missed.run_id for missed in missed_nights(settings)] == [f"night-{day(2)}"]


def test_a_vendor_that_stays_away_is_given_up(
    make_settings: MakeSettings, outcome: list[Exception | None]
) -> None:
    settings = make_settings(feeds="market_daily,equity_daily")
    begin_nights(settings, 0)
    outcome += [SourceError("away")] * 40
    asked = [bool(run(settings, number)) for number in range(2, 2 + TRY_AGAIN_DAYS + 4)]
    assert asked == [True] * TRY_AGAIN_DAYS + [False] * 4


def test_rows_that_are_refused_are_not_asked_for_again(
    make_settings: MakeSettings, outcome: list[Exception | None]
) -> None:
    settings = make_settings(feeds="market_daily,equity_daily")
    begin_nights(settings, 0)
    outcome += [QualityError("they break a rule")]
    assert [m.feeds["equity_daily"] for m in run(settings, 2)] == ["refused"]
    assert run(settings, 3) == []
