"""Text that strangers wrote, made safe to show: names and symbols are whatever they registered."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """Return a text as one line in which nothing moves a cursor, colours or reorders.

    Characters that could are written as their escapes, such as ``\\x1b``.
    """
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HIDDEN or character in _DIRECTIONS
        else character
        for character in text
    )


def safe_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV of which no spreadsheet runs a cell as a formula.

    A text that begins as a formula does gets an apostrophe before it, which spreadsheets take
    for the sign of a text; what is not ``printable`` is escaped; numbers stay as they are.
    Null is an empty cell.
    """
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([_csv_cell(column) for column in columns])
    writer.writerows([_csv_cell(value) for value in row] for row in rows)
    return lines.getvalue()


def _csv_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # Line breaks and the like end a cell, or the file, for some readers.
    return f"'{printable(value)}" if value.startswith(_FORMULA_STARTS) else printable(value)
