"""The shapes that vendors' bodies have in common: which bodies came, objects, lists, amounts.

Imports neither pandas nor requests, like ``payload``, which holds the single fields.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pipeline.errors import NotYetAvailableError, PayloadError, SourceError, UnobtainableError
from pipeline.sources.payload import integer_or_none, number_or_none, shown, text_or_none

_ISO_STAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|\+00:00)"
)
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def only_body(bodies: Sequence[tuple[str, bytes]], name: str) -> bytes:
    """Return the one body of a fetch that asks once.

    Raises:
        PayloadError: There is none, another one, or more than one.
    """
    if [given for given, _ in bodies] != [name]:
        raise PayloadError(f"one body named {name} is needed; fetch again")
    return bodies[0][1]


def named_bodies(bodies: Sequence[tuple[str, bytes]], names: Sequence[str]) -> dict[str, bytes]:
    """Return the bodies of a fetch that asks for a fixed set of files.

    Raises:
        PayloadError: One is missing, another one came, or one came twice.
    """
    received = dict(bodies)
    if received.keys() != set(names) or len(received) != len(bodies):
        raise PayloadError(
            f"{', '.join(sorted(names))} are needed, got "
            f"{shown(', '.join(name for name, _ in bodies))}; fetch again"
        )
    return received


def numbered_bodies(bodies: Sequence[tuple[str, bytes]], prefix: str) -> list[bytes]:
    """Return the pages ``<prefix>-1``, ``<prefix>-2``, ... of a fetch in their order.

    Raises:
        PayloadError: There is none, one is missing or comes twice, or another body is there.
    """
    expected = [f"{prefix}-{number}" for number in range(1, len(bodies) + 1)]
    received = dict(bodies)
    if not bodies or received.keys() != set(expected):
        raise PayloadError(
            f"the pages {prefix}-1 and so on are needed without a gap, got "
            f"{shown(', '.join(name for name, _ in bodies))}; fetch again"
        )
    return [received[name] for name in expected]


def as_object(value: Any, where: str) -> dict[str, Any]:
    """Return a JSON value that is documented to be an object.

    Raises:
        PayloadError: It is something else.
    """
    if not isinstance(value, dict):
        raise PayloadError(f"{where}: {shown(value)} is not an object")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    """Return a JSON value that is documented to be a list.

    Raises:
        PayloadError: It is something else.
    """
    if not isinstance(value, list):
        raise PayloadError(f"{where}: {shown(value)} is not a list")
    return value


def object_in(row: Mapping[str, Any], field: str, where: str) -> dict[str, Any]:
    """Return a documented field that holds an object.

    Raises:
        PayloadError: It is missing or something else.
    """
    return as_object(row.get(field), f"{where}, {field}")


def amount_or_none(row: Mapping[str, Any], field: str, where: str) -> float | None:
    """Return a documented number field that cannot be below zero; null as None.

    Raises:
        PayloadError: The field is missing, negative or no number.
    """
    value = number_or_none(row, field, where)
    if value is not None and value < 0:
        raise PayloadError(f"{where}: {field} is {value}, below zero")
    return value


def rank_or_none(row: Mapping[str, Any], field: str, where: str) -> int | None:
    """Return a documented rank, 1 for the largest; null and 0, which is unranked, as None.

    Raises:
        PayloadError: The field is missing, negative or no whole number.
    """
    rank = integer_or_none(row, field, where)
    if rank is not None and rank < 0:
        raise PayloadError(f"{where}: {field} is {rank}, below zero")
    return rank or None


def positive_amount(row: Mapping[str, Any], field: str, where: str) -> float:
    """Return a documented number field without which the body says nothing.

    Raises:
        PayloadError: The field is missing, null, zero, negative or no number.
    """
    value = amount_or_none(row, field, where)
    if not value:
        raise PayloadError(f"{where}: {field} is {shown(value)}; fetch again later")
    return value


def percent_as_fraction(row: Mapping[str, Any], field: str, where: str) -> float | None:
    """Return a documented percentage as a fraction from 0 to 1; null as None.

    Raises:
        PayloadError: The field is missing, no number, or outside 0 to 100.
    """
    percent = amount_or_none(row, field, where)
    if percent is not None and percent > 100:
        raise PayloadError(f"{where}: {field} is {percent}, above 100 percent")
    return None if percent is None else percent / 100


def decimal_amount(text: str, where: str) -> float:
    """Return a decimal number that is written as text and cannot be below zero.

    Raises:
        PayloadError: It is no such number, negative, or no double holds it.
    """
    value = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(value) or value < 0:
        raise PayloadError(f"{where}: {shown(text)} is not a number from zero upwards")
    return value


def slug(row: Mapping[str, Any], field: str, where: str) -> str:
    """Return a documented id as it is written.

    Raises:
        PayloadError: It is missing, empty, no text, or holds blanks or control characters.
    """
    value = row.get(field)
    if not isinstance(value, str) or not value or not value.isprintable() or " " in value:
        raise PayloadError(f"{where}: the {field} {shown(value)} is no id")
    return value


def stamp_or_none(row: Mapping[str, Any], field: str, where: str) -> datetime | None:
    """Return a documented ISO 8601 time in UTC, to the second; null as None.

    Raises:
        PayloadError: The field is missing, no text, no time, or of another time zone.
    """
    text = text_or_none(row, field, where)
    if text is None:
        return None
    match = _ISO_STAMP.fullmatch(text)
    try:
        if match is not None:
            return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError as exc:
        raise PayloadError(f"{where}: {field} {shown(text)} is no time") from exc
    raise PayloadError(f"{where}: {field} {shown(text)} is not a time in UTC")


def unix_time(seconds: object, where: str) -> datetime:
    """Return a time that is given in whole Unix seconds, as a number or as text.

    Raises:
        PayloadError: It is neither, in milliseconds, or before 1973.
    """
    text = str(seconds) if isinstance(seconds, int | str) else ""
    if isinstance(seconds, bool) or not re.fullmatch(r"[0-9]{9,10}", text) or not text.isascii():
        raise PayloadError(f"{where}: {shown(seconds)} is not a time in Unix seconds")
    return datetime.fromtimestamp(int(text), UTC)


def missing_day(market_date: date, days: Collection[date]) -> SourceError:
    """Return the error for a series that is told ahead and lacks a day.

    Args:
        market_date: The day that is not there.
        days: The days that are; those after it say that it never comes.

    Returns:
        ``UnobtainableError`` for a gap, ``NotYetAvailableError`` where the series ends before.
    """
    newest = max(days, default=None)
    if newest is not None and newest > market_date:
        return UnobtainableError(
            f"there are later days but none for {market_date}; it is a gap of the vendor, look "
            "at the next day"
        )
    return NotYetAvailableError(
        f"there is no value for {market_date} yet, the newest is {newest}; run again later"
    )


def csv_lines(body: bytes, what: str) -> list[list[str]]:
    """Return the complete lines of a CSV file, the header first.

    A last line without a line end may be cut in the middle of a number and is left out.

    Raises:
        PayloadError: Not UTF-8, not CSV, empty, or a line of another length than the header.
    """
    try:
        text = body.decode("utf-8-sig")
        complete = text[: text.rfind("\n") + 1]
        lines = [
            line for line in csv.reader(io.StringIO(complete, newline=""), strict=True) if line
        ]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise PayloadError(f"{what}: the file is not CSV in UTF-8; fetch again") from exc
    if not lines:
        raise PayloadError(f"{what}: the file has no complete line; fetch again")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise PayloadError(
                f"{what}: line {number} has {len(line)} values under {len(lines[0])} columns: "
                f"{shown(','.join(line))}"
            )
    return lines
