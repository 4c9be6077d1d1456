"""What a quality rule is, and the kinds of check a rule is made of.

A rule measures one value per row (or per declared column), and one Great Expectations
expectation judges the measured values. The same bounds also say which rows offend, so
that the offending rows of a failed rule are found without asking Great Expectations to
list them, which takes minutes when a million rows fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.columns import canonical, profile_columns

Severity = Literal["critical", "warning"]
Level = Literal["table", "row"]
Mode = Literal["live", "history"]

Expectation = Any
"""A ``great_expectations`` expectation; not named here, as importing GX takes seconds."""


@dataclass(frozen=True)
class GateContext:
    """What the gate knows of other nights.

    Args:
        recent_row_counts: Rows of this dataset and source on recent nights, newest
            first; empty when there are none.
        previous: The last accepted rows before the market date in the dataset's columns,
            or None. Only rows of a source that is in the frame are compared with.
        max_quarantine_fraction: Largest share of rows (0-1) that may go to quarantine
            before the whole dataset is refused; by default the one that
            ``pipeline.quality.shares`` declares for the dataset.
    """

    recent_row_counts: Sequence[int] = ()
    previous: pd.DataFrame | None = None
    max_quarantine_fraction: float | None = None


@dataclass(frozen=True)
class Subject:
    """One frame under test, with everything a rule may look at.

    ``frame`` has a fresh ``RangeIndex``; its values are as they came.
    """

    frame: pd.DataFrame
    dataset: Dataset
    market_date: date
    mode: Mode
    context: GateContext = field(default_factory=GateContext)

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per column declared or found: is it right, and is its type."""
        return profile_columns(self.frame, self.dataset)

    @cached_property
    def values(self) -> pd.DataFrame:
        """The frame in canonical types; use once the schema rules have passed."""
        return canonical(self.frame, self.dataset)

    @cached_property
    def previous(self) -> pd.DataFrame | None:
        """Latest previous row per series of the sources in the frame, canonical types.

        None when there is no such row. A series is the key without the day.
        """
        if self.context.previous is None or self.context.previous.empty:
            return None
        wanted = list(self.dataset.column_names)
        previous = canonical(self.context.previous[wanted], self.dataset)
        day = previous[self.dataset.date_column]
        is_comparable = previous["source"].isin(self.values["source"].unique()) & (
            day < pd.Timestamp(self.market_date)
        )
        previous = previous[is_comparable].sort_values(self.dataset.date_column, kind="stable")
        previous = previous.drop_duplicates(list(self.dataset.key[1:]), keep="last")
        return None if previous.empty else previous

    @cached_property
    def days_after_market_date(self) -> pd.Series:
        """Whole days from the market date to the row's day; null where the day is null."""
        day = self.values[self.dataset.date_column]
        return (day - pd.Timestamp(self.market_date)).dt.days

    def previous_value(self, column: str) -> pd.Series:
        """Return the previous number of each row's series; null where none is earlier."""
        day, *series_key = self.dataset.key
        if self.previous is None:
            return pd.Series(float("nan"), index=self.frame.index)
        before = self.previous[[day, *series_key, column]]
        joined = self.values[[day, *series_key]].merge(
            before, on=series_key, how="left", validate="m:1", suffixes=("", "_before")
        )
        is_earlier = joined[f"{day}_before"] < joined[day]
        return joined[column].where(is_earlier).set_axis(self.frame.index)


@dataclass(frozen=True)
class Check:
    """How measured values are judged.

    ``build`` makes the expectation for the name of the measured column and imports Great
    Expectations when called. ``offends`` marks the measured values that break it, or is
    None where no single row is to blame.
    """

    build: Callable[[str], Expectation]
    offends: Callable[[pd.Series], pd.Series] | None = None


def always(_: Subject) -> bool:
    """Return True: the rule holds for every frame."""
    return True


def is_live(subject: Subject) -> bool:
    """Return whether the frame is tonight's, not imported history."""
    return subject.mode == "live"


@dataclass(frozen=True)
class Rule:
    """One rule of a dataset's suite.

    Args:
        id: ``<dataset>.<what_must_hold>``.
        severity: A failed critical rule stops rows; a warning is only reported.
        level: A failed critical table rule refuses the dataset, a row rule its rows.
        sentence: The rule in words, for people.
        expected: What a value should have been; ends "..., expected ...".
        check: The check, given the subject (its bounds may depend on other nights).
        measure: Column to judge, or a function that computes one value per row; None
            for a check that needs no values.
        shows: Columns whose values explain a failure; the measured one by default.
        applies: Whether the rule is evaluated at all for a subject.
        observes: What was found, in words, where no single row is to blame.
        runs_on_empty: Whether the rule says something about a frame without rows.
        is_constraint: Whether the raw archive cannot do without it: the types, the key, what
            may not be null. No reviewer can let a row in that breaks such a rule.
        target: ``schema`` rules judge the column profile and run before all others.
    """

    id: str
    severity: Severity
    level: Level
    sentence: str
    expected: str
    check: Callable[[Subject], Check]
    measure: str | Callable[[Subject], pd.Series] | None = None
    shows: tuple[str, ...] = ()
    applies: Callable[[Subject], bool] = always
    observes: Callable[[Subject], str] | None = None
    runs_on_empty: bool = False
    is_constraint: bool = False
    target: Literal["schema", "rows"] = "rows"

    @property
    def name(self) -> str:
        """The id without the dataset."""
        return self.id.partition(".")[2]

    @property
    def explained_by(self) -> tuple[str, ...]:
        """Columns to show beside the key of an offending row."""
        if self.shows:
            return self.shows
        return (self.measure,) if isinstance(self.measure, str) else ()

    def measured(self, subject: Subject) -> pd.Series | None:
        """Return the values this rule judges, one per row of its target."""
        if self.measure is None:
            return None
        if callable(self.measure):
            return self.measure(subject)
        return (subject.profile if self.target == "schema" else subject.values)[self.measure]


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
