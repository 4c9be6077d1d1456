"""What the venues' extractors share: numbers in text, stamps of days, asking perp by perp."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.payload import shown

if TYPE_CHECKING:
    from pipeline.sources.http import HttpResponse

logger = logging.getLogger(__name__)

DAY_SECONDS = 86_400
DAY_MILLISECONDS = 86_400_000
PROBED_SYMBOLS = 10
"""Symbols of the largest coins; where none of them has the day, nobody has."""

# What a venue answers for a symbol that it does not list, or no longer.
UNKNOWN_SYMBOL_STATUSES = frozenset({400, 404})
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_STAMP = re.compile(r"[0-9]{1,16}")
_EPOCH = date(1970, 1, 1)
_Point = TypeVar("_Point")


def decimal_or_none(value: object, where: str) -> float | None:
    """Return a number that came as JSON number or as text; null and blank as None.

    Raises:
        PayloadError: It is neither, or no double holds it.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        raise PayloadError(f"{where}: {shown(value)} is not a number")
    if not math.isfinite(number):
        raise PayloadError(f"{where}: {shown(value)} is no number that a double holds")
    return number


def amount_or_none(value: object, where: str) -> float | None:
    """Return a number that cannot be negative; null and blank as None.

    Raises:
        PayloadError: It is negative, or not a number.
    """
    number = decimal_or_none(value, where)
    if number is not None and number < 0:
        raise PayloadError(f"{where}: {shown(value)} is negative")
    return number


def ratio_or_none(value: object, where: str) -> float | None:
    """Return a positive number; null, blank and 0 as None, as 0 says that nothing is known.

    Raises:
        PayloadError: It is negative, or not a number.
    """
    return amount_or_none(value, where) or None


def field_of(row: object, field: str, where: str) -> Any:
    """Return a documented field of a JSON object.

    Raises:
        PayloadError: It is not an object, or has no such field.
    """
    if not isinstance(row, dict):
        raise PayloadError(f"{where}: {shown(row)} is not an object")
    if field not in row:
        raise PayloadError(f"{where}: there is no field {field}; the vendor's contract has changed")
    return row[field]


def stamp_of(value: object, where: str) -> int:
    """Return a time stamp as the whole number that it is, from a number or text.

    Raises:
        PayloadError: It is not a whole number of a plausible length.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**16:
        return value
    if isinstance(value, str) and _STAMP.fullmatch(value):
        return int(value)
    raise PayloadError(f"{where}: {shown(value)} is not a time stamp")


def day_of_stamp(stamp: int, units_per_day: int, where: str) -> date:
    """Return the UTC day in which a stamp lies.

    Raises:
        PayloadError: The stamp is in another unit, or of another century.
    """
    day_number = stamp // units_per_day
    if not 14_000 <= day_number <= 60_000:
        raise PayloadError(f"{where}: the stamp {stamp} is not of this century; is its unit right?")
    return _EPOCH + timedelta(days=day_number)


def daily_points(
    rows: Iterable[tuple[int, Any]], units_per_day: int, where: str
) -> dict[date, Any]:
    """Return a daily series by the UTC day that each stamp begins.

    Args:
        rows: Stamp and value; a value is compared for equality only.
        units_per_day: How many units of the stamp a day has.
        where: What to call the series in a message.

    Returns:
        Values by day. A stamp that is not midnight belongs to the running day and is dropped.

    Raises:
        PayloadError: No stamp of a series is midnight, or a day has two different values.
    """
    points: dict[date, Any] = {}
    is_empty = True
    for stamp, value in rows:
        is_empty = False
        day = day_of_stamp(stamp, units_per_day, where)
        if stamp % units_per_day:
            continue
        if points.setdefault(day, value) != value:
            raise PayloadError(f"{where}: {day} has two different values; fetch again")
    if not is_empty and not points:
        raise PayloadError(f"{where}: no stamp is a midnight of UTC; the days have moved")
    return points


def finished_days(series: Mapping[date, _Point]) -> dict[date, _Point]:
    """Return a series without its newest day.

    A vendor that serves the running day too, and stands still, gives the running value under
    the stamp of the day. That another day follows proves that a day was over.
    """
    newest = max(series, default=None)
    return {day: point for day, point in series.items() if day != newest}


def midnight(day: date, units_per_day: int = DAY_MILLISECONDS) -> int:
    """Return the stamp at which a UTC day begins."""
    return (day - _EPOCH).days * units_per_day


def rounded_day(stamp_milliseconds: int, where: str) -> date:
    """Return the UTC day of a stamp rounded to the minute, as settlements jitter by some ms."""
    minute = (stamp_milliseconds + 30_000) // 60_000
    return day_of_stamp(minute * 60_000, DAY_MILLISECONDS, where)


def sum_by_day(settlements: Iterable[tuple[int, float]], where: str) -> dict[date, float]:
    """Return the sum of the funding rates settled in each UTC day, as fractions.

    Args:
        settlements: Stamp in milliseconds and rate; a settlement may occur twice.
        where: What to call the series in a message.

    Raises:
        PayloadError: Two rates at one minute differ.
    """
    by_minute: dict[int, float] = {}
    for stamp, rate in settlements:
        if by_minute.setdefault((stamp + 30_000) // 60_000, rate) != rate:
            raise PayloadError(f"{where}: two rates at {stamp}; fetch again")
    rates: dict[date, list[float]] = {}
    for minute, rate in by_minute.items():
        rates.setdefault(rounded_day(minute * 60_000, where), []).append(rate)
    return {day: math.fsum(rates[day]) for day in sorted(rates)}


def named_bodies(
    bodies: Sequence[tuple[str, bytes]], endpoints: Iterable[str]
) -> Iterator[tuple[str, str, bytes]]:
    """Split names of the form ``<endpoint>-<symbol>`` and give endpoint, symbol and body.

    Raises:
        PayloadError: There is no body, or a name is of another fetch or comes twice.
    """
    if not bodies:
        raise PayloadError("nothing was landed; fetch again")
    known = set(endpoints)
    seen = set()
    for name, body in bodies:
        endpoint, _, symbol = name.partition("-")
        if endpoint not in known or not symbol or name in seen:
            raise PayloadError(f"{shown(name)} is not of this fetch, or comes twice")
        seen.add(name)
        yield endpoint, symbol, body


def ask_for_each(
    symbols: Sequence[str],
    ask: Callable[[str], Iterator[tuple[str, HttpResponse]]],
    *,
    who: str,
    unknown_statuses: frozenset[int] = UNKNOWN_SYMBOL_STATUSES,
) -> Iterator[tuple[str, HttpResponse]]:
    """Ask symbol by symbol and leave out those that the venue does not list.

    Args:
        symbols: Those of the largest coins first.
        ask: Gives the named responses of one symbol.
        who: What to call the vendor in a message.
        unknown_statuses: Statuses that say that there is no such symbol.

    Raises:
        SourceError: It lists none of the first ``PROBED_SYMBOLS``; or what ``ask`` raises for
            another status.
    """
    from pipeline.sources.transfer import HttpStatusError

    unknown: list[str] = []
    for number, symbol in enumerate(symbols, start=1):
        try:
            yield from ask(symbol)
        except HttpStatusError as exc:
            if exc.status not in unknown_statuses:
                raise
            unknown.append(symbol)
            if len(unknown) == number >= min(PROBED_SYMBOLS, len(symbols)):
                raise SourceError(f"{who} answers for no symbol: {exc}") from exc
    if unknown:
        logger.warning(
            "%s does not know %d of %d: %s", who, len(unknown), len(symbols), ", ".join(unknown)
        )


def require_day(
    rows: Sequence[Mapping[str, object]], market_date: date, later: Iterable[date], what: str
) -> None:
    """Check that there is a row of the day.

    Args:
        rows: With a ``market_date`` each.
        market_date: The UTC day wanted.
        later: Days that were in the bodies, beyond the day or before it.
        what: What to call the series in a message.

    Raises:
        UnobtainableError: There are complete later days, but none of the day.
        NotYetAvailableError: The series ends before the day.
    """
    if any(row["market_date"] == market_date for row in rows):
        return
    newest = max(later, default=None)
    # The day after may be there already as the running one.
    if newest is not None and newest > market_date + timedelta(days=1):
        raise UnobtainableError(f"{what} has no {market_date}, though it goes on to {newest}")
    raise NotYetAvailableError(
        f"{what} does not have {market_date} yet, it ends with {newest}; run again later"
    )
