"""Rules that compare what two sources say of the same thing."""

from __future__ import annotations

import pandas as pd

from pipeline.quality.checks import equal_to
from pipeline.quality.rules import Rule, Subject, is_live
from pipeline.quality.suites.shared import fixed

# Closes of two vendors are taken some minutes apart and of other venues.
SOURCE_TOLERANCE_FRACTION = 0.03
MIN_AGREEING_FRACTION = 0.5


def _deviation(subject: Subject, column: str) -> pd.Series:
    """Return how far each value is from the median of the other sources; null if unknown."""
    value, other = subject.values[column], subject.others_value(column)
    return (value / other.where(other > 0) - 1.0).abs()


def two_sources_agree(name: str, column: str) -> tuple[Rule, ...]:
    """Return the warning of a row that is off, and the rule that not most of them are."""

    def is_off(subject: Subject) -> pd.Series:
        deviation = _deviation(subject, column)
        is_beyond = (deviation > SOURCE_TOLERANCE_FRACTION).astype("float64")
        return is_beyond.where(deviation.notna())

    def applies(subject: Subject) -> bool:
        has_others = subject.context.others is not None and not subject.context.others.empty
        return is_live(subject) and has_others

    expected = f"within {SOURCE_TOLERANCE_FRACTION:.0%} of the other sources"
    return (
        Rule(
            f"{name}.sources_agree_widely",
            "critical",
            "table",
            f"At least {MIN_AGREEING_FRACTION:.0%} of the values that other sources have, too, are "
            f"within {SOURCE_TOLERANCE_FRACTION:.0%} of theirs.",
            expected,
            fixed(equal_to(0, at_least_fraction=MIN_AGREEING_FRACTION)),
            is_off,
            (column,),
            applies=applies,
            family="sources",
        ),
        Rule(
            f"{name}.two_sources_agree",
            "warning",
            "row",
            f"Two sources of one {column} are within {SOURCE_TOLERANCE_FRACTION:.0%} of each "
            "other.",
            expected,
            fixed(equal_to(0)),
            is_off,
            (column,),
            applies=applies,
            family="sources",
        ),
    )
