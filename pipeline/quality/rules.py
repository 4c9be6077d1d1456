"""What a quality rule is, and what it may look at.

A rule measures one value per row (or per declared column), and one Great Expectations
expectation judges the measured values; see ``pipeline.quality.checks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Literal

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import Check
from pipeline.quality.columns import canonical, profile_columns

Severity = Literal["critical", "warning"]
Level = Literal["table", "row"]
Mode = Literal["live", "history"]
Family = Literal[
    "shape",
    "size",
    "keys",
    "dates",
    "presence",
    "ranges",
    "agreement",
    "sources",
    "repeats",
    "history",
    "jumps",
    "share",
]
"""What kind of fault a rule finds: the section of the runbook that explains it."""

RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True)
class GateContext:
    """What the gate knows of other nights.

    Args:
        recent_row_counts: Rows of this dataset and source on recent nights, newest
            first; empty when there are none.
        previous: The last accepted rows before the market date in the dataset's columns,
            or None. Only rows of a source that is in the frame are compared with.
        others: What other sources said of the days of the frame, in the dataset's columns,
            or None.
        is_revision: Whether the frame is meant to tell past days otherwise, as landed bytes
            that a mended parser reads again are.
        max_quarantine_fraction: Largest share of rows (0-1) that may go to quarantine
            before the whole dataset is refused; by default the one that
            ``pipeline.quality.shares`` declares for the dataset.
    """

    recent_row_counts: Sequence[int] = ()
    previous: pd.DataFrame | None = None
    others: pd.DataFrame | None = None
    is_revision: bool = False
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
    def stored(self) -> pd.DataFrame | None:
        """Every previous row of the sources in the frame by day, canonical types, or None."""
        if self.context.previous is None or self.context.previous.empty:
            return None
        wanted = list(self.dataset.column_names)
        stored = canonical(self.context.previous[wanted], self.dataset)
        day = stored[self.dataset.date_column]
        is_comparable = stored["source"].isin(self.values["source"].unique()) & (
            day < pd.Timestamp(self.market_date)
        )
        stored = stored[is_comparable].sort_values(self.dataset.date_column, kind="stable")
        return None if stored.empty else stored

    @cached_property
    def previous(self) -> pd.DataFrame | None:
        """Latest previous row per series of the sources in the frame, canonical types.

        None when there is no such row. A series is the key without the day.
        """
        if self.stored is None:
            return None
        return self.stored.drop_duplicates(list(self.dataset.key[1:]), keep="last")

    @cached_property
    def last_night(self) -> pd.DataFrame | None:
        """The previous rows of the newest day there is one of, or None."""
        if self.stored is None:
            return None
        day = self.stored[self.dataset.date_column]
        newest: pd.DataFrame = self.stored[day == day.max()]
        return newest

    @cached_property
    def is_tonight(self) -> pd.Series:
        """Whether the row describes the market date."""
        return self.days_after_market_date == 0

    @cached_property
    def days_after_market_date(self) -> pd.Series:
        """Whole days from the market date to the row's day; null where the day is null."""
        day = self.values[self.dataset.date_column]
        return (day - pd.Timestamp(self.market_date)).dt.days

    @cached_property
    def _before(self) -> pd.DataFrame:
        """The previous row of each row's series, all null where none is earlier."""
        day, *series = self.dataset.key
        found = self._matched(self.previous, series)
        is_earlier = found[day] < self.values[day]
        return found.where(is_earlier)

    @cached_property
    def _twins(self) -> pd.DataFrame:
        """The stored row of each row's own key, all null where none is stored."""
        return self._matched(self.stored, list(self.dataset.key))

    @cached_property
    def _other_rows(self) -> pd.DataFrame:
        """The medians of what other sources say of each row, null where none does."""
        key = [name for name in self.dataset.key if name != "source"]
        if self.context.others is None or self.context.others.empty:
            return self._matched(None, key)
        others = canonical(self.context.others[list(self.dataset.column_names)], self.dataset)
        others = others[~others["source"].isin(self.values["source"].unique())]
        return self._matched(
            others.groupby(key, as_index=False, sort=False).median(numeric_only=True), key
        )

    def _matched(self, known: pd.DataFrame | None, key: list[str]) -> pd.DataFrame:
        """Return the known row of each row's key, by the frame's index."""
        if known is None:
            return self.values.head(0).reindex(self.frame.index)
        positions = self.values[key].merge(
            known[key].assign(position=range(len(known))), on=key, how="left", validate="m:1"
        )["position"]
        rows = known.reset_index(drop=True).reindex(positions.fillna(-1).astype("int64"))
        return rows.set_axis(self.frame.index)

    def previous_value(self, column: str) -> pd.Series:
        """Return the previous value of each row's series; null where none is earlier."""
        return self._before[column]

    def stored_value(self, column: str) -> pd.Series:
        """Return the stored value of each row's own key; null where none is stored."""
        return self._twins[column]

    def others_value(self, column: str) -> pd.Series:
        """Return the median of what other sources say of each row; null where none does."""
        return self._other_rows[column]


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
        family: What kind of fault it finds.
        owner: Who looks after it: the team of the dataset; set by ``owned_by``.
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
    family: Family = "ranges"
    owner: str = ""

    @property
    def dataset(self) -> str:
        """The dataset it is about."""
        return self.id.partition(".")[0]

    @property
    def runbook_anchor(self) -> str:
        """Where the runbook says what a failure means and what to do."""
        return f"{RUNBOOK}#{self.id}"

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


def owned_by(owner: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules with their owner: a team, never a person."""
    return tuple(replace(rule, owner=owner) for rule in rules)
