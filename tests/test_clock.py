"""Time: daylight saving, month ends, leap days, New York's holidays, and when a night may begin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.backfilling import plan_chunks
from pipeline.sessions import (
    SPECIAL_CLOSURES,
    list_early_closes,
    list_sessions,
    session_close,
)
from pipeline.settings import Settings
from pipeline.sources.base import TRAILING_DAYS, close_of, first_day
from pipeline.sources.registry import FEEDS

MakeSettings = Callable[..., Settings]
NEW_YORK = ZoneInfo("America/New_York")
NIGHT_HOUR = 1
"""UTC hour at which the DAG is scheduled; ``tests/dags`` holds it against the DAG."""


def due(market_date: date) -> datetime:
    return close_of(market_date) + timedelta(hours=NIGHT_HOUR)


# The night's own clock


@pytest.mark.parametrize(
    ("now", "market_date"),
    [
        ("2028-03-01T01:00:00Z", date(2028, 2, 29)),
        ("2028-02-29T01:00:00Z", date(2028, 2, 28)),
        ("2027-03-01T01:00:00Z", date(2027, 2, 28)),
        ("2100-03-01T01:00:00Z", date(2100, 2, 28)),
        ("2026-01-01T00:00:00Z", date(2025, 12, 31)),
        ("2026-12-31T23:59:59Z", date(2026, 12, 30)),
        # Clocks change in New York on these days, and nowhere in UTC.
        ("2026-03-08T01:00:00Z", date(2026, 3, 7)),
        ("2026-03-09T01:00:00Z", date(2026, 3, 8)),
        ("2026-11-01T01:00:00Z", date(2026, 10, 31)),
        ("2026-11-02T01:00:00Z", date(2026, 11, 1)),
        # The same instant, told by another clock.
        ("2026-11-01T21:00:00-04:00", date(2026, 11, 1)),
    ],
)
def test_the_last_complete_day_is_that_of_utc(
    make_settings: MakeSettings, now: str, market_date: date
) -> None:
    settings = make_settings(now_override=datetime.fromisoformat(now))
    assert settings.default_market_date() == market_date


def test_each_day_has_one_night_of_24_hours_whatever_the_clocks_of_new_york_do() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(3 * 366)]
    lengths = {due(day + timedelta(days=1)) - due(day) for day in days}
    assert lengths == {timedelta(days=1)}
    assert date(2028, 2, 29) in days


# What is there when it begins


def test_every_session_of_new_york_is_over_when_its_night_begins() -> None:
    """Also on both changes of the clock, when the close moves by an hour."""
    hours = set()
    for session in list_sessions(date(2020, 1, 1), date(2030, 12, 31)):
        close = session_close(session)
        assert close.astimezone(NEW_YORK).time() in {time(13), time(16)}
        # The session belongs to the UTC day of the same date, and is over before that is.
        assert datetime.combine(session, time(), UTC) < close < close_of(session) < due(session)
        hours.add(close.hour)
    assert hours == {17, 18, 20, 21}


@pytest.mark.parametrize(
    ("session", "hour"),
    [
        (date(2026, 3, 6), 21),
        (date(2026, 3, 9), 20),
        (date(2026, 10, 30), 20),
        (date(2026, 11, 2), 21),
    ],
)
def test_the_close_moves_with_the_clock_of_new_york(session: date, hour: int) -> None:
    assert session_close(session).hour == hour


def test_a_night_asks_each_feed_for_a_day_that_it_has_or_asks_again_for_it() -> None:
    """A source that has a day later than the night begins is asked for ten days each night."""
    late = []
    for feed in FEEDS:
        if not feed.is_nightly:
            continue
        for source in feed.sources:
            hours = NIGHT_HOUR + 24 * feed.lag_days
            if source.available_hours > hours:
                late.append(source.name)
                assert source.kind == "by_date", source.name
                assert source.available_hours < hours + 24 * TRAILING_DAYS
    # docs/sources.md says of these when they come.
    assert set(late) <= {source.name for feed in FEEDS for source in feed.sources}


def test_the_window_of_a_night_reaches_over_a_leap_day() -> None:
    assert first_day(date(2028, 3, 5), None) == date(2028, 2, 24)
    assert first_day(date(2027, 3, 5), None) == date(2027, 2, 23)


@pytest.mark.parametrize("days", [1, 7, 30, 31])
def test_chunks_cover_a_leap_year_without_gap_or_overlap(days: int) -> None:
    first, last = date(2027, 12, 30), date(2029, 1, 2)
    covered = [
        begin + timedelta(days=n)
        for begin, end in plan_chunks(first, last, days)
        for n in range((end - begin).days + 1)
    ]
    assert covered == [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert date(2028, 2, 29) in covered


# New York's calendar


@pytest.mark.parametrize(
    ("year", "count"),
    [
        (2019, 252),
        (2020, 253),
        (2021, 252),
        (2022, 251),
        (2023, 250),
        (2024, 252),
        (2025, 250),
        (2026, 251),
    ],
)
def test_a_year_has_as_many_sessions_as_the_exchange_published(year: int, count: int) -> None:
    assert len(list_sessions(date(year, 1, 1), date(year, 12, 31))) == count


@pytest.mark.parametrize(
    "friday",
    [
        "2020-04-10",
        "2021-04-02",
        "2022-04-15",
        "2023-04-07",
        "2024-03-29",
        "2025-04-18",
        "2026-04-03",
        "2027-03-26",
        "2028-04-14",
        "2029-03-30",
        "2030-04-19",
    ],
)
def test_good_friday_has_no_session_and_the_days_about_it_have(friday: str) -> None:
    day = date.fromisoformat(friday)
    about = list_sessions(day - timedelta(days=1), day + timedelta(days=3))
    assert about == [day - timedelta(days=1), day + timedelta(days=3)]


def test_juneteenth_is_kept_from_2022_on() -> None:
    assert date(2021, 6, 18) in list_sessions(date(2021, 6, 17), date(2021, 6, 21))
    assert list_sessions(date(2022, 6, 17), date(2022, 6, 21)) == [
        date(2022, 6, 17),
        date(2022, 6, 21),
    ]
    assert date(2023, 6, 19) not in list_sessions(date(2023, 6, 15), date(2023, 6, 21))


def test_the_day_of_mourning_for_carter_has_no_session() -> None:
    assert date(2025, 1, 9) in SPECIAL_CLOSURES
    assert date(2025, 1, 9) not in list_sessions(date(2025, 1, 6), date(2025, 1, 10))


EARLY_CLOSES = {
    1996: ["07-05", "11-29", "12-24"],
    1997: ["07-03", "11-28", "12-24", "12-26"],
    1999: ["11-26", "12-31"],
    2002: ["07-05", "11-29", "12-24"],
    2003: ["07-03", "11-28", "12-24", "12-26"],
    2010: ["11-26"],
    2013: ["07-03", "11-29", "12-24"],
    2015: ["11-27", "12-24"],
    2016: ["11-25"],
    2017: ["07-03", "11-24"],
    2018: ["07-03", "11-23", "12-24"],
    2019: ["07-03", "11-29", "12-24"],
    2020: ["11-27", "12-24"],
    2021: ["11-26"],
    2022: ["11-25"],
    2023: ["07-03", "11-24"],
    2024: ["07-03", "11-29", "12-24"],
    2025: ["07-03", "11-28", "12-24"],
    2026: ["11-27", "12-24"],
    2027: ["11-26"],
    2028: ["07-03", "11-24"],
}
"""The exchange's own announcements; in the other years of the rules it is one of these cases."""


@pytest.mark.parametrize("year", sorted(EARLY_CLOSES))
def test_the_sessions_that_end_at_13_00_are_those_that_the_exchange_announced(year: int) -> None:
    sessions = list_sessions(date(year, 1, 1), date(year, 12, 31))
    early = [day for day in sessions if session_close(day).astimezone(NEW_YORK).time() == time(13)]
    assert early == [date.fromisoformat(f"{year}-{day}") for day in EARLY_CLOSES[year]]
    assert set(early) == list_early_closes(year)
    for day in set(sessions) - set(early):
        assert session_close(day).astimezone(NEW_YORK).time() == time(16)


def test_an_early_close_is_told_in_utc_by_the_season() -> None:
    assert session_close(date(2024, 7, 3)) == datetime(2024, 7, 3, 17, tzinfo=UTC)
    assert session_close(date(2024, 11, 29)) == datetime(2024, 11, 29, 18, tzinfo=UTC)


def test_no_session_ended_early_by_a_rule_before_there_was_one() -> None:
    assert list_early_closes(1992) == frozenset()
    assert session_close(date(1994, 7, 1)).astimezone(NEW_YORK).time() == time(16)
    # Saturdays and holidays are no early closes: Christmas Eve 2022, and the 3rd of July 2020.
    assert not {date(2022, 12, 24), date(2020, 7, 3)} & (
        list_early_closes(2022) | list_early_closes(2020)
    )
