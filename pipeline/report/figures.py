"""Figures as people read them: with a sign, a unit, and a dash where nothing is known."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pandas as pd

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"
_THIN = "\N{NO-BREAK SPACE}"
_SCALES = ((1e12, "tn"), (1e9, "bn"), (1e6, "m"), (1e3, "k"))


def is_known(value: Any) -> bool:
    """Return whether a cell holds something: not null, NaN, infinite or an empty text."""
    if value is None or value is pd.NaT or value is pd.NA:
        return False
    if isinstance(value, float):
        return math.isfinite(value)
    return not (isinstance(value, str) and not value)


def number(value: Any, digits: int = 2) -> str:
    """Return a number with thousands separated, such as ``1,234.50``."""
    if not is_known(value):
        return UNKNOWN
    text = f"{abs(float(value)):,.{digits}f}"
    return f"{MINUS}{text}" if float(value) < 0 and float(text.replace(",", "")) else text


def whole(value: Any) -> str:
    """Return a whole number, such as ``1,234``."""
    return number(value, 0)


def percent(fraction: Any, digits: int = 1) -> str:
    """Return a fraction as percent, such as ``-2.1 %``."""
    if not is_known(fraction):
        return UNKNOWN
    return f"{number(float(fraction) * 100, digits)}{_THIN}%"


def change(fraction: Any, digits: int = 1) -> str:
    """Return a change as percent with its sign, such as ``+2.1 %``."""
    text = percent(fraction, digits)
    if not is_known(fraction) or text.startswith(MINUS) or not float(fraction):
        return text
    return f"+{text}" if float(fraction) > 0 and text.strip("0.\xa0%") else text


def direction(fraction: Any, digits: int = 1) -> str:
    """Return ``up``, ``down``, or ``flat`` for a change that is written as 0."""
    if not is_known(fraction) or round(float(fraction) * 100, digits) == 0:
        return "flat"
    return "up" if float(fraction) > 0 else "down"


def price(value: Any) -> str:
    """Return a price with four significant digits or two decimals, whichever is more."""
    if not is_known(value):
        return UNKNOWN
    amount = float(value)
    if amount == 0 or abs(amount) >= 10:
        return number(amount)
    return number(amount, max(2, 3 - math.floor(math.log10(abs(amount)))))


def dollars(value: Any, digits: int = 1) -> str:
    """Return an amount of US dollars in words, such as ``$1.2 bn``."""
    if not is_known(value):
        return UNKNOWN
    amount = float(value)
    size = abs(amount)
    sign = MINUS if amount < 0 else ""
    for scale, word in _SCALES:
        if size >= scale:
            return f"{sign}${size / scale:,.{digits}f}{_THIN}{word}"
    return f"{sign}${size:,.0f}"


def p_value(value: Any) -> str:
    """Return a p-value with three decimals, or that it is below them."""
    if not is_known(value):
        return UNKNOWN
    return "<0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def day(value: Any) -> str:
    """Return a day as ``2026-03-29``."""
    if not is_known(value):
        return UNKNOWN
    if isinstance(value, date | pd.Timestamp):
        return value.strftime("%Y-%m-%d")
    return str(value)[:10]


def instant(value: Any) -> str:
    """Return an instant as ``2026-03-29 01:02 UTC``."""
    if not is_known(value):
        return UNKNOWN
    stamp = pd.Timestamp(value)
    stamp = stamp.tz_convert("UTC") if stamp.tzinfo else stamp
    return stamp.strftime("%Y-%m-%d %H:%M UTC")


def words(value: Any) -> str:
    """Return a state or another name of ours in words: ``risk_off`` as ``risk off``."""
    return str(value).replace("_", " ") if is_known(value) else UNKNOWN


def rank_in_words(percentile: float) -> str:
    """Return where a value stands in its past: ``lower than on 97 % of days``.

    Args:
        percentile: Share of its days, today among them, on which it was not higher, in percent.
    """
    below, above = math.floor(percentile), math.floor(100 - percentile)
    if above >= 99 and percentile < 1:
        return "the lowest, or nearly, of all days"
    if below >= 100:
        return "the highest of all days"
    if percentile < 50:
        return f"lower than on {above} % of days"
    return f"higher than on {below} % of days"


def plural(count: int, noun: str, more: str | None = None) -> str:
    """Return a count with its noun: ``1 coin``, ``2 coins``."""
    return f"{count:,} {noun if count == 1 else more or noun + 's'}"
