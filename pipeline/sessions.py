"""The sessions of the New York exchanges: weekdays without regular holidays, and when they end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_NEW_YORK = ZoneInfo("America/New_York")
_CLOSE = time(16, 0)
_EARLY_CLOSE = time(13, 0)

SPECIAL_CLOSURES = frozenset(
    date.fromisoformat(day)
    for day in (
        "1994-04-27",
        "2001-09-11",
        "2001-09-12",
        "2001-09-13",
        "2001-09-14",
        "2004-06-11",
        "2007-01-02",
        "2012-10-29",
        "2012-10-30",
        "2018-12-05",
        "2025-01-09",
    )
)
"""Days of mourning, storms and attacks on which the exchanges stayed closed."""

_FIRST_KING_DAY_YEAR = 1998
_FIRST_JUNETEENTH_YEAR = 2022
_FIRST_EARLY_CLOSE_YEAR = 1993
_FIRST_EARLY_INDEPENDENCE_YEAR = 1995
_FIRST_EARLY_WEDNESDAY_YEAR = 2013
_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6

SPECIAL_EARLY_CLOSES = frozenset(
    date.fromisoformat(day) for day in ("1997-12-26", "1999-12-31", "2003-12-26")
)
"""Sessions that ended at 13:00 and that no yearly rule names."""


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _observed(holiday: date) -> date:
    """Move a Saturday to the Friday before and a Sunday to the Monday after."""
    shift = {_SATURDAY: -1, _SUNDAY: 1}.get(holiday.weekday(), 0)
    return holiday + timedelta(days=shift)


def _good_friday(year: int) -> date:
    """Return the Friday before Easter (Gregorian computus, Meeus/Jones/Butcher)."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - correction + 15) % 30
    leaps, year_rest = divmod(rest, 4)
    weekday = (32 + 2 * century_rest + 2 * leaps - epact - year_rest) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1) - timedelta(days=2)


@lru_cache(maxsize=256)
def list_holidays(year: int) -> frozenset[date]:
    """Return the year's full-day closures; a New Year's Day on a Saturday is not moved."""
    new_year = date(year, 1, 1)
    may_end = date(year, 5, 31)
    holidays = {
        new_year + timedelta(days=1 if new_year.weekday() == _SUNDAY else 0),
        _nth_weekday(year, 2, _MONDAY, 3),
        _good_friday(year),
        may_end - timedelta(days=may_end.weekday()),
        _observed(date(year, 7, 4)),
        _nth_weekday(year, 9, _MONDAY, 1),
        _nth_weekday(year, 11, _THURSDAY, 4),
        _observed(date(year, 12, 25)),
    }
    if year >= _FIRST_KING_DAY_YEAR:
        holidays.add(_nth_weekday(year, 1, _MONDAY, 3))
    if year >= _FIRST_JUNETEENTH_YEAR:
        holidays.add(_observed(date(year, 6, 19)))
    return frozenset(holidays)


def is_session(day: date) -> bool:
    """Tell whether the exchange trades on that New York day, but for special closures."""
    return day.weekday() < _SATURDAY and day not in list_holidays(day.year)


def list_sessions(first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last`` on which the exchange traded, in order."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if is_session(day) and day not in SPECIAL_CLOSURES]


@lru_cache(maxsize=256)
def list_early_closes(year: int) -> frozenset[date]:
    """Return the year's sessions that end at 13:00 in New York.

    The day after Thanksgiving, Christmas Eve, and the day before Independence Day; until 2012
    the Friday after it where it was a Thursday. Storms and trading halts are not among them.
    """
    if year < _FIRST_EARLY_CLOSE_YEAR:
        return frozenset()
    found = {
        _nth_weekday(year, 11, _THURSDAY, 4) + timedelta(days=1),
        date(year, 12, 24),
        *(day for day in SPECIAL_EARLY_CLOSES if day.year == year),
    }
    independence_day = date(year, 7, 4)
    if year >= _FIRST_EARLY_INDEPENDENCE_YEAR:
        is_friday_instead = (
            independence_day.weekday() == _THURSDAY and year < _FIRST_EARLY_WEDNESDAY_YEAR
        )
        found.add(independence_day + timedelta(days=1 if is_friday_instead else -1))
    return frozenset(day for day in found if is_session(day))


def session_close(day: date) -> datetime:
    """Return the UTC instant at which a session ends: 16:00 in New York, 13:00 on early closes."""
    is_early = day in list_early_closes(day.year)
    close = _EARLY_CLOSE if is_early else _CLOSE
    return datetime.combine(day, close, _NEW_YORK).astimezone(UTC)
