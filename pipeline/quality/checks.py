"""The kinds of check a rule is made of: how measured values are judged.

Each makes one Great Expectations expectation, and says by the same bounds which values
offend, so that the rows of a failed rule are found without asking Great Expectations to
list them, which takes minutes when a million rows fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

Expectation = Any
"""A ``great_expectations`` expectation; not named here, as importing GX takes seconds."""


@dataclass(frozen=True)
class Check:
    """How measured values are judged.

    ``build`` makes the expectation for the name of the measured column and imports Great
    Expectations when called. ``offends`` marks the measured values that break it, or is
    None where no single row is to blame.
    """

    build: Callable[[str], Expectation]
    offends: Callable[[pd.Series], pd.Series] | None = None


def in_range(low: float | None, high: float | None, *, is_low_excluded: bool = False) -> Check:
    """Every value that is not null lies in ``low``..``high``; infinities never do."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnValuesToBeBetween(
            column=column, min_value=low, max_value=high, strict_min=is_low_excluded
        )

    def offends(values: pd.Series) -> pd.Series:
        is_bad = pd.Series(False, index=values.index)
        if low is not None:
            is_bad |= (values <= low) if is_low_excluded else (values < low)
        if high is not None:
            is_bad |= values > high
        return is_bad.fillna(False).astype(bool)

    return Check(build, offends)


def not_null() -> Check:
    """No value is null."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnValuesToNotBeNull(column=column)

    return Check(build, lambda values: values.isna())


def without(pattern: str) -> Check:
    """No text that is not null has ``pattern`` anywhere in it.

    Great Expectations searches a text for the pattern rather than matching all of it, by
    a regex engine that depends on the column's storage; ask for what must not be there,
    and in syntax that every engine reads alike.
    """

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnValuesToNotMatchRegex(column=column, regex=pattern)

    def offends(values: pd.Series) -> pd.Series:
        return values.str.contains(pattern, regex=True).fillna(False).astype(bool)

    return Check(build, offends)


def equal_to(expected: int, *, at_least_fraction: float = 1.0) -> Check:
    """At least that share (0-1) of the values that are not null equal ``expected``."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnValuesToBeInSet(
            column=column, value_set=[expected], mostly=at_least_fraction
        )

    return Check(build, lambda values: values.notna() & (values != expected))


def unique() -> Check:
    """No value occurs twice; every occurrence of a repeated value offends."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnValuesToBeUnique(column=column)

    return Check(build, lambda values: values.notna() & values.duplicated(keep=False))


def highest_at_least(low: float) -> Check:
    """The largest value is at least ``low``."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnMaxToBeBetween(column=column, min_value=low)

    return Check(build)


def containing(value: int) -> Check:
    """Some row has this value."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnDistinctValuesToContainSet(column=column, value_set=[value])

    return Check(build)


def distinct_at_least(count: int) -> Check:
    """There are at least ``count`` different values that are not null."""

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnUniqueValueCountToBeBetween(column=column, min_value=count)

    return Check(build)


def rows_at_least(count: int) -> Check:
    """The frame has at least ``count`` rows."""

    def build(_: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectTableRowCountToBeBetween(min_value=count)

    return Check(build)


def figure_in_range(low: float | None, high: float | None) -> Check:
    """A figure of the whole frame, the same on every row, lies in ``low``..``high``.

    No row is to blame. Infinities never pass where the bound on their side is given.
    """

    def build(column: str) -> Expectation:
        from great_expectations import expectations

        return expectations.ExpectColumnMaxToBeBetween(column=column, min_value=low, max_value=high)

    return Check(build)
