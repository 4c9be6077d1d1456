"""Text that strangers wrote, made fit to be shown: on a terminal, in a log, in a CSV.

Names and symbols of coins are whatever somebody registered. They are stored as they came;
what could act on the reader's side is spelt out where they are shown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from difflib import get_close_matches

MOST_MARKS = 4
"""Combining marks that one letter may carry; Vietnamese needs two, Hebrew and Thai three."""

# Controls, surrogates, line separators, direction overrides, and characters that show nothing
# but those that join letters and emoji.
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f"
    f"\ufe20-\ufe2f]{{{MOST_MARKS}}})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+"
)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_INNER_FORMULA = re.compile(r"([;|]\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def visible(text: str, most_characters: int | None = None) -> str:
    """Return a text on one line in which nothing acts, hides or reorders.

    Args:
        text: Any text, lone surrogates included.
        most_characters: Cut a longer text here and say how long it is.

    Returns:
        The text with such characters spelt out as Python would (``\\x1b``, ``\\n``,
        ``\\u202e``) and at most ``MOST_MARKS`` combining marks in a row.
    """
    if most_characters is not None and len(text) > most_characters:
        text = f"{text[:most_characters]}… ({len(text):,} characters)"
    return _MARKS.sub(r"\1", _ACTING.sub(_spell, text))


def visible_lines(text: str) -> str:
    """Return a text of several lines in which nothing acts, hides or reorders."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _spell(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return " (did you mean X?)" where a name that there is not is close to one, or nothing."""
    close = get_close_matches(given.lower(), list(known), n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def csv_text(text: str) -> str:
    """Return a text as a CSV may hold it, so that no spreadsheet takes it for a formula.

    A text that begins with ``=``, ``+``, ``-`` or ``@``, in full width too, blanks before it or
    not, gets an apostrophe in front, which spreadsheets take for "this is text"; a number does
    not need it. So does what follows a ``;`` or a ``|``, at which a spreadsheet of another
    country may cut the line. What acts or hides is spelt out as in ``visible``.
    """
    shown = _INNER_FORMULA.sub(r"\1'", visible(text))
    is_formula = _FORMULA.match(text) or _FORMULA.match(shown)
    return f"'{shown}" if is_formula and not _NUMBER.fullmatch(text) else shown


class OneLineFormatter(logging.Formatter):
    """Format a record so that no text in it can pass for another record.

    The message is one line. A traceback follows on lines of its own, each indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        whole = super().format(record)
        message, *following = self._split(whole, record)
        return "\n".join([visible(message), *(f"    {visible(line)}" for line in following)])

    @staticmethod
    def _split(whole: str, record: logging.LogRecord) -> list[str]:
        """Return the message, however many lines it has, and the lines of the traceback."""
        trace = record.exc_text or ""
        if record.stack_info:
            trace = f"{trace}\n{record.stack_info}".strip("\n")
        if not trace:
            return [whole]
        start = whole.rfind("\n" + trace.split("\n", 1)[0])
        return [whole[:start], *whole[start + 1 :].split("\n")]
