"""Rules that every dataset has: shape, size, keys, days, presence, ranges."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from statistics import median

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import (
    Check,
    containing,
    equal_to,
    in_range,
    not_null,
    rows_at_least,
    unique,
)
from pipeline.quality.rules import Rule, Subject, is_live

MIN_ROW_COUNT_FRACTION = 0.5
LARGEST = sys.float_info.max

# How the parts of a key are written. A perpetual may be named in any script, but every venue
# writes capitals; ids and venues are slugs of ours.
SLUG = r"[a-z0-9._-]*[a-z0-9][a-z0-9._-]*"
CAPITALS = r"[^a-z\s](?:[^a-z\t\r\n]*[^a-z\s])?"
WORD = r"[A-Za-z0-9]+"
PERP_KEY_TEXTS = {"source": SLUG, "venue": SLUG, "perp_symbol": CAPITALS}


def fixed(check: Check) -> Callable[[Subject], Check]:
    """Return a check that does not depend on the subject."""
    return lambda _: check


def has_previous(subject: Subject) -> bool:
    """Return whether a live frame can be compared with nights before."""
    return is_live(subject) and subject.previous is not None


def days_covered(subject: Subject) -> str:
    """Return the first and last day of the frame, for people."""
    days = subject.values[subject.dataset.date_column].dropna()
    if days.empty:
        return "no days"
    return f"days {days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}"


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
            target="schema",
            is_constraint=True,
            family="shape",
        ),
        Rule(
            f"{name}.types_exact",
            "critical",
            "table",
            "Every column holds values of its declared type.",
            "the declared types",
            fixed(equal_to(1)),
            "is_type_as_declared",
            target="schema",
            is_constraint=True,
            family="shape",
        ),
    )


def _size_rules(name: str) -> tuple[Rule, ...]:
    return (
        Rule(
            f"{name}.not_empty",
            "critical",
            "table",
            "The frame has rows.",
            "at least one row",
            fixed(rows_at_least(1)),
            runs_on_empty=True,
            family="size",
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
            family="size",
        ),
    )


def key_rules(name: str, written: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return the rules on size, key and dates that hold for every dataset.

    Args:
        name: The dataset.
        written: For key columns that are texts, the pattern that the whole text matches.
    """
    return (
        *_size_rules(name),
        Rule(
            f"{name}.key_not_null",
            "critical",
            "table",
            "No part of a key is null.",
            "a complete key",
            fixed(equal_to(0)),
            _missing_key_parts,
            is_constraint=True,
            family="keys",
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
            family="keys",
        ),
        key_well_formed(name, written),
        Rule(
            f"{name}.no_later_day",
            "critical",
            "table",
            "No row describes a day after the market date.",
            "a day that is over on the market date",
            fixed(in_range(None, 0)),
            lambda subject: subject.days_after_market_date,
            is_constraint=True,
            family="dates",
        ),
    )


def key_well_formed(name: str, written: Mapping[str, str]) -> Rule:
    """Return the row rule that the texts of a key are written as the dataset writes them."""

    def measure(subject: Subject) -> pd.Series:
        is_odd = pd.Series(False, index=subject.frame.index)
        for column, pattern in written.items():
            texts = subject.values[column]
            kinds = pd.Series(texts.dropna().unique(), dtype="string")
            odd = kinds[~kinds.str.fullmatch(pattern)]
            is_odd |= texts.isin(odd)
        return is_odd.astype("int64")

    return Rule(
        f"{name}.key_well_formed",
        "critical",
        "row",
        "The texts of a key are slugs, or capitals where the venue names things: no spaces "
        "around them, no other case.",
        "ids as they are always written",
        fixed(equal_to(0)),
        measure,
        tuple(written),
        is_constraint=True,
        family="keys",
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
        family="dates",
    )


def _measures(dataset: Dataset) -> list[str]:
    return [
        column.name
        for column in dataset.columns
        if column.type == "double" and column.name not in dataset.key
    ]


def has_measure(name: str) -> Rule:
    """Return the row rule that a row says anything at all."""

    def count(subject: Subject) -> pd.Series:
        counts = subject.values[_measures(subject.dataset)].notna().sum(axis=1)
        return counts.where(counts > 0).astype("float64")

    return Rule(
        f"{name}.has_measure",
        "critical",
        "row",
        "At least one measure of the row is not null.",
        "at least one measure",
        fixed(not_null()),
        count,
        is_constraint=True,
        family="presence",
    )


def common_rules(name: str, written: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return the rules that come first in the suite of a dataset of UTC days with measures.

    Args:
        name: The dataset.
        written: As ``key_rules`` takes it.
    """
    return (
        *schema_rules(name),
        *key_rules(name, written),
        has_market_date(name),
        has_measure(name),
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


def within(name: str, column: str, low: float, high: float) -> Rule:
    """Return the row rule that a measure is null or in ``low``..``high``, in those words."""
    return measure_range(name, column, low, high, f"in {low:g}..{high:g}")


def not_negative(name: str, column: str) -> Rule:
    """Return the row rule that a measure is null, or finite and not negative."""
    return measure_range(name, column, 0.0, LARGEST, "finite and not negative")


def finite(name: str, column: str) -> Rule:
    """Return the row rule that a measure is null or finite."""
    return measure_range(name, column, -LARGEST, LARGEST, "finite")


def positive(name: str, column: str) -> Rule:
    """Return the row rule that a measure is null, or finite and above zero."""
    return Rule(
        f"{name}.{column}_in_range",
        "critical",
        "row",
        f"{column} is null, or finite and > 0.",
        "finite and > 0",
        fixed(in_range(0.0, LARGEST, is_low_excluded=True)),
        column,
    )


def row_rule(
    name: str,
    rule: str,
    sentence: str,
    expected: str,
    is_broken: Callable[[Subject], pd.Series],
    shows: tuple[str, ...],
    **more: object,
) -> Rule:
    """Return a critical row rule from a function that says which rows break it."""
    settings: dict[str, object] = {"severity": "critical", "family": "agreement"} | more
    return Rule(
        id=f"{name}.{rule}",
        level="row",
        sentence=sentence,
        expected=expected,
        check=fixed(equal_to(0)),
        measure=lambda subject: is_broken(subject).astype("int64"),
        shows=shows,
        **settings,  # type: ignore[arg-type]
    )
