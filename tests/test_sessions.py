"""The simulated exchange keeps the calendar of the real one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.sandbox.vendors.equities import last_closed_session
from pipeline.sessions import is_session, list_holidays, list_sessions, session_close


@pytest.mark.parametrize(
    "holiday",
    [
        date(2023, 1, 2),  # New Year's Day, a Sunday, observed
        date(2026, 1, 19),  # Martin Luther King Jr. Day
        date(2026, 2, 16),  # Presidents' Day
        date(2024, 3, 29),  # Good Friday
        date(2025, 4, 18),
        date(2026, 4, 3),
        date(2026, 5, 25),  # Memorial Day
        date(2022, 6, 20),  # Juneteenth, a Sunday, observed
        date(2026, 7, 3),  # Independence Day, a Saturday, observed
        date(2026, 9, 7),  # Labor Day
        date(2026, 11, 26),  # Thanksgiving
        date(2022, 12, 26),  # Christmas, a Sunday, observed
    ],
)
def test_sessions_leave_holidays_out(holiday: date) -> None:
    assert not is_session(holiday)
    assert holiday in list_holidays(holiday.year)


def test_sessions_do_not_move_a_new_year_that_falls_on_a_saturday() -> None:
    assert is_session(date(2021, 12, 31))
    assert is_session(date(2022, 1, 3))


def test_sessions_of_a_year_are_as_many_as_the_exchange_had() -> None:
    days = [date(2023, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sum(is_session(day) for day in days) == 250


def test_session_close_follows_daylight_saving() -> None:
    assert session_close(date(2026, 7, 1)) == datetime(2026, 7, 1, 20, tzinfo=UTC)
    assert session_close(date(2026, 12, 1)) == datetime(2026, 12, 1, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (datetime(2026, 11, 19, 1, 10, tzinfo=UTC), date(2026, 11, 18)),
        (datetime(2026, 11, 18, 20, 59, tzinfo=UTC), date(2026, 11, 17)),
        (datetime(2026, 11, 18, 21, 0, tzinfo=UTC), date(2026, 11, 18)),
        (datetime(2026, 11, 23, 1, 10, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 11, 27, 1, 10, tzinfo=UTC), date(2026, 11, 25)),
        # The day after Thanksgiving ends at 13:00 in New York.
        (datetime(2026, 11, 27, 17, 59, tzinfo=UTC), date(2026, 11, 25)),
        (datetime(2026, 11, 27, 18, 0, tzinfo=UTC), date(2026, 11, 27)),
    ],
)
def test_last_closed_session_waits_for_the_close(now: datetime, session: date) -> None:
    assert last_closed_session(now) == session


def test_sessions_of_a_span_leave_out_special_closures_too() -> None:
    assert list_sessions(date(2025, 1, 7), date(2025, 1, 13)) == [
        date(2025, 1, 7),
        date(2025, 1, 8),
        date(2025, 1, 10),
        date(2025, 1, 13),
    ]
    assert list_sessions(date(2025, 1, 4), date(2025, 1, 5)) == []
