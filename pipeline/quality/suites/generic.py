"""Rules every dataset shares, and the suite of those without rules of their own."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from statistics import median

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import (
    Check,
    Rule,
    Subject,
    containing,
    equal_to,
    in_range,
    is_live,
    not_null,
    rows_at_least,
    unique,
)

MIN_ROW_COUNT_FRACTION = 0.5
LARGEST = sys.float_info.max

# No figure of a whole dataset moves as far in a day; a unit that slipped is a factor of 1000.
MAX_LEAP_FACTOR = 30.0
MAX_LIQUIDATION_LEAP_FACTOR = 300.0
MIN_QUIET_ROW_FRACTION = 0.5

# Hot markets pay 1 % a day; more than this is possible for a few perpetuals only.
USUAL_FUNDING_FRACTION = 0.02

_NOT_NEGATIVE = (0.0, LARGEST)

# The measures of a dataset that are levels: they do not leap from one day to the next.
_LEVELS: dict[str, tuple[str, ...]] = {
    "positioning_daily": (
        "long_short_account_ratio",
        "top_account_ratio",
        "top_position_ratio",
        "taker_buy_sell_ratio",
    ),
    "open_interest_daily": ("open_interest_units", "open_interest_usd"),
    "perp_daily": ("close_usd",),
    "perp_listing_daily": ("last_price_usd", "open_interest_usd"),
    "liquidation_daily": ("long_usd", "short_usd"),
    "exchange_balance_daily": ("balance_units", "balance_usd"),
    "exchange_flow_daily": ("balance_usd",),
    "onchain_daily": ("value",),
    "global_daily": ("total_market_cap_usd",),
    "stablecoin_daily": ("total_supply_usd",),
}

# Widest values that are still possible; far beyond them is a unit error or a parser bug.
# A dominance of 57 is a percent that was not converted, and so on.
_RANGES: dict[str, tuple[float, float]] = {
    "score": (0.0, 100.0),
    "btc_dominance_fraction": (0.0, 1.0),
    "total_market_cap_usd": (0.0, 1e14),
    "funding_rate_fraction": (-1.0, 1.0),
    "inflow_24h_usd": (-LARGEST, LARGEST),
    "inflow_7d_usd": (-LARGEST, LARGEST),
    "inflow_30d_usd": (-LARGEST, LARGEST),
    "value": (-LARGEST, LARGEST),
}


def fixed(check: Check) -> Callable[[Subject], Check]:
    """Return a check that does not depend on the subject."""
    return lambda _: check


def _missing_key_parts(subject: Subject) -> pd.Series:
    return subject.values[list(subject.dataset.key)].isna().sum(axis=1)


def _key_number(subject: Subject) -> pd.Series:
    key = list(subject.dataset.key)
    return subject.values.groupby(key, dropna=False, sort=False).ngroup()


def _expected_row_count(subject: Subject) -> Check:
    usual = median(subject.context.recent_row_counts)
    return rows_at_least(math.ceil(MIN_ROW_COUNT_FRACTION * usual))


def _has_recent_nights(subject: Subject) -> bool:
    return is_live(subject) and bool(subject.context.recent_row_counts)


def days_covered(subject: Subject) -> str:
    """Return the first and last day of the frame, for people."""
    days = subject.values[subject.dataset.date_column].dropna()
    if days.empty:
        return "no days"
    return f"days {days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}"


def _row_counts(subject: Subject) -> str:
    usual = median(subject.context.recent_row_counts)
    return f"{len(subject.frame)} rows against a median of {usual:g}"


def schema_rules(name: str) -> tuple[Rule, ...]:
    """Return the rules on columns and types; they run before all others."""
    return (
        Rule(
            f"{name}.columns_exact",
            "critical",
            "table",
            "The frame has the dataset's columns, each once, and no other.",
            "the declared columns",
            fixed(equal_to(1)),
            "is_as_declared",
            is_constraint=True,
            target="schema",
        ),
        Rule(
            f"{name}.types_exact",
            "critical",
            "table",
            "Every column holds values of its declared type.",
            "the declared types",
            fixed(equal_to(1)),
            "is_type_as_declared",
            is_constraint=True,
            target="schema",
        ),
    )


def key_rules(name: str) -> tuple[Rule, ...]:
    """Return the rules on size, key and dates that hold for every dataset."""
    return (
        Rule(
            f"{name}.not_empty",
            "critical",
            "table",
            "The frame has rows.",
            "at least one row",
            fixed(rows_at_least(1)),
            runs_on_empty=True,
        ),
        Rule(
            f"{name}.row_count_usual",
            "critical",
            "table",
            "There are at least half as many rows as on the median of the recent nights.",
            f"at least {MIN_ROW_COUNT_FRACTION:.0%} of the median of the recent nights",
            _expected_row_count,
            applies=_has_recent_nights,
            observes=_row_counts,
        ),
        Rule(
            f"{name}.key_not_null",
            "critical",
            "table",
            "No part of a key is null.",
            "a complete key",
            fixed(equal_to(0)),
            _missing_key_parts,
            is_constraint=True,
        ),
        Rule(
            f"{name}.key_unique",
            "critical",
            "table",
            "Every key occurs once.",
            "one row per key",
            fixed(unique()),
            _key_number,
            is_constraint=True,
        ),
        Rule(
            f"{name}.no_later_day",
            "critical",
            "table",
            "No row describes a day after the market date.",
            "a day that is over on the market date",
            fixed(in_range(None, 0)),
            lambda subject: subject.days_after_market_date,
            is_constraint=True,
        ),
    )


def has_market_date(name: str) -> Rule:
    """Return the rule that tonight's frame describes tonight's market date."""
    return Rule(
        f"{name}.has_market_date",
        "critical",
        "table",
        "The live frame has rows of the market date.",
        "at least one row of the market date",
        fixed(containing(0)),
        lambda subject: subject.days_after_market_date,
        applies=is_live,
        observes=days_covered,
    )


def measure_range(name: str, column: str, low: float, high: float, expected: str) -> Rule:
    """Return the row rule that a measure is null or in ``low``..``high``."""
    return Rule(
        f"{name}.{column}_in_range",
        "critical",
        "row",
        f"{column} is null or {expected}.",
        expected,
        fixed(in_range(low, high)),
        column,
    )


def not_negative(name: str, column: str) -> Rule:
    """Return the row rule that a measure is null, or finite and not negative."""
    return measure_range(name, column, *_NOT_NEGATIVE, "finite and not negative")


def _generic_range(name: str, column: str) -> Rule:
    low, high = _RANGES.get(column, _NOT_NEGATIVE)
    if (low, high) == _NOT_NEGATIVE:
        return not_negative(name, column)
    expected = "finite" if high == LARGEST else f"in {low:g}..{high:g}"
    return measure_range(name, column, low, high, expected)


def _count_of_measures(subject: Subject) -> pd.Series:
    numeric = [
        column.name
        for column in subject.dataset.columns
        if column.type == "double" and column.name not in subject.dataset.key
    ]
    count = subject.values[numeric].notna().sum(axis=1)
    return count.where(count > 0).astype("float64")


def _has_measures(name: str) -> Rule:
    return Rule(
        f"{name}.has_measure",
        "critical",
        "row",
        "At least one measure of the row is not null.",
        "at least one measure",
        fixed(not_null()),
        _count_of_measures,
        is_constraint=True,
    )


def _has_previous(subject: Subject) -> bool:
    return is_live(subject) and subject.previous is not None


def _largest_leap(subject: Subject) -> pd.Series:
    """Return the largest factor between a level of a row and the one before; null if unknown."""
    leaps = pd.DataFrame(index=subject.frame.index)
    for column in _LEVELS[subject.dataset.name]:
        now, before = subject.values[column].abs(), subject.previous_value(column).abs()
        ratio = now.where(now > 0) / before.where(before > 0)
        leaps[column] = ratio.where(ratio >= 1, 1 / ratio)
    return leaps.max(axis=1)


def _no_wide_leap(name: str) -> Rule:
    """Return the rule that a dataset's levels do not leap all at once."""
    is_liquidation = name == "liquidation_daily"
    factor = MAX_LIQUIDATION_LEAP_FACTOR if is_liquidation else MAX_LEAP_FACTOR

    def measure(subject: Subject) -> pd.Series:
        leap = _largest_leap(subject)
        return (leap > factor).astype("float64").where(leap.notna())

    return Rule(
        f"{name}.no_wide_leap",
        "critical",
        "table",
        f"At least {MIN_QUIET_ROW_FRACTION:.0%} of the rows are within a factor of {factor:g} of "
        "the last value of their series.",
        f"between 1/{factor:g} and {factor:g} times the last value",
        fixed(equal_to(0, at_least_fraction=MIN_QUIET_ROW_FRACTION)),
        measure,
        _LEVELS[name],
        applies=_has_previous,
    )


def _is_unusual_rate(subject: Subject) -> pd.Series:
    """Return 1 or 0 for tonight's rates, null for those of earlier days."""
    rate = subject.values["funding_rate_fraction"]
    is_tonight = subject.days_after_market_date == 0
    is_unusual = (rate.abs() > USUAL_FUNDING_FRACTION).astype("float64")
    return is_unusual.where(is_tonight & rate.notna())


def _funding_rules() -> tuple[Rule, ...]:
    return (
        Rule(
            "funding_daily.rates_usual",
            "critical",
            "table",
            f"At least {MIN_QUIET_ROW_FRACTION:.0%} of the day's rates are within "
            f"{USUAL_FUNDING_FRACTION:.0%}; more is a percent that was not converted.",
            f"a rate within {USUAL_FUNDING_FRACTION:.0%} a day",
            fixed(equal_to(0, at_least_fraction=MIN_QUIET_ROW_FRACTION)),
            _is_unusual_rate,
            ("funding_rate_fraction",),
            applies=is_live,
        ),
    )


def _is_changed(subject: Subject) -> pd.Series:
    """Return 1 or 0 where a row of tonight has one before it: is any measure another one?"""
    measures = list(_LEVELS[subject.dataset.name])
    pairs = [(subject.values[name], subject.previous_value(name)) for name in measures]
    is_known = pd.concat([now.notna() & then.notna() for now, then in pairs], axis=1).any(axis=1)
    is_other = pd.concat([now != then for now, then in pairs], axis=1).any(axis=1)
    return is_other.astype("float64").where(is_known)


def _flow_rules() -> tuple[Rule, ...]:
    """Return the rule of a body that does not say when it was made."""
    return (
        Rule(
            "exchange_flow_daily.not_yesterday_again",
            "critical",
            "table",
            f"At least {MIN_QUIET_ROW_FRACTION:.0%} of the exchanges have another balance than on "
            "the day before.",
            f"another balance for at least {MIN_QUIET_ROW_FRACTION:.0%} of the exchanges",
            fixed(equal_to(1, at_least_fraction=MIN_QUIET_ROW_FRACTION)),
            _is_changed,
            ("balance_usd",),
            applies=_has_previous,
        ),
    )


def _close_outside_day(subject: Subject) -> pd.Series:
    """Return 1 where the close is not between low and high, as far as they are known."""
    day = subject.values.replace([math.inf, -math.inf], math.nan)
    is_outside = (
        (day["close_usd"] > day["high_usd"])
        | (day["close_usd"] < day["low_usd"])
        | (day["low_usd"] > day["high_usd"])
    )
    return is_outside.astype("int64")


def _perp_rules() -> tuple[Rule, ...]:
    return (
        Rule(
            "perp_daily.close_within_day",
            "critical",
            "row",
            "The close lies between the day's low and high.",
            "low_usd <= close_usd <= high_usd",
            fixed(equal_to(0)),
            _close_outside_day,
            ("low_usd", "close_usd", "high_usd"),
        ),
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of a dataset without a suite of its own."""
    numeric = [
        column.name
        for column in dataset.columns
        if column.type == "double" and column.name not in dataset.key
    ]
    return (
        *schema_rules(dataset.name),
        *key_rules(dataset.name),
        has_market_date(dataset.name),
        _has_measures(dataset.name),
        *(_generic_range(dataset.name, column) for column in numeric),
        *(_perp_rules() if dataset.name == "perp_daily" else ()),
        *(_funding_rules() if dataset.name == "funding_daily" else ()),
        *(_flow_rules() if dataset.name == "exchange_flow_daily" else ()),
        *((_no_wide_leap(dataset.name),) if dataset.name in _LEVELS else ()),
    )
