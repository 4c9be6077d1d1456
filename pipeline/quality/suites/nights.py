"""Rules that compare tonight with the nights before: leaps, repeats, what is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.quality.checks import equal_to, figure_in_range
from pipeline.quality.rules import Rule, Subject, is_live
from pipeline.quality.suites.shared import fixed, has_previous

# No figure of a whole dataset moves as far in a day; a unit that slipped is a factor of 1000.
MAX_LEAP_FACTOR = 30.0
MIN_QUIET_ROW_FRACTION = 0.5

# Fewer come back than this only where pages are missing or ids are written in another way.
MIN_RETURNING_FRACTION = 0.8
MIN_COMPARED_SERIES = 10

# What holds a twentieth of a whole does not vanish in a night.
LARGE_SHARE_FRACTION = 0.05

# Ten days are asked for again each night; vendors mend a few late values, not most of them.
MIN_STANDING_ROW_FRACTION = 0.5


def ratio_to_previous(subject: Subject, column: str) -> pd.Series:
    """Return tonight's value over the last one; null where either is not above zero."""
    now, before = subject.values[column], subject.previous_value(column)
    return now.where(subject.is_tonight & (now > 0)) / before.where(before > 0)


def volume_steady(name: str, column: str) -> Rule:
    """Return the rule that the volumes of most rows do not leap: a unit is a factor of 1000."""
    return no_wide_leap(name, (column,), rule="volume_steady")


def no_wide_leap(
    name: str,
    columns: tuple[str, ...],
    factor: float = MAX_LEAP_FACTOR,
    quiet_fraction: float = MIN_QUIET_ROW_FRACTION,
    rule: str = "no_wide_leap",
) -> Rule:
    """Return the rule that a dataset's levels do not leap all at once."""

    def measure(subject: Subject) -> pd.Series:
        leaps = pd.DataFrame(index=subject.frame.index)
        for column in columns:
            now, before = subject.values[column].abs(), subject.previous_value(column).abs()
            ratio = now.where(now > 0) / before.where(before > 0)
            leaps[column] = ratio.where(ratio >= 1, 1 / ratio)
        leap = leaps.max(axis=1)
        return (leap > factor).astype("float64").where(leap.notna())

    what = "volumes" if rule == "volume_steady" else "rows"
    return Rule(
        f"{name}.{rule}",
        "critical",
        "table",
        f"At least {quiet_fraction:.0%} of the {what} are within a factor of {factor:g} of "
        "the last value of their series.",
        f"between 1/{factor:g} and {factor:g} times the last value",
        fixed(equal_to(0, at_least_fraction=quiet_fraction)),
        measure,
        columns,
        applies=has_previous,
        family="jumps",
    )


def not_yesterday_again(
    name: str, columns: tuple[str, ...], changed_fraction: float = MIN_QUIET_ROW_FRACTION
) -> Rule:
    """Return the rule that enough rows differ from the night before in some measure."""

    def measure(subject: Subject) -> pd.Series:
        pairs = [(subject.values[column], subject.previous_value(column)) for column in columns]
        is_known = [now.notna() & then.notna() for now, then in pairs]
        is_other = [
            known & (now != then) for known, (now, then) in zip(is_known, pairs, strict=True)
        ]
        is_compared = pd.concat(is_known, axis=1).any(axis=1) & subject.is_tonight
        return pd.concat(is_other, axis=1).any(axis=1).astype("float64").where(is_compared)

    return Rule(
        f"{name}.not_yesterday_again",
        "critical",
        "table",
        f"At least {changed_fraction:.0%} of the rows say something else than on the night before.",
        f"another value for at least {changed_fraction:.0%} of the rows",
        fixed(equal_to(1, at_least_fraction=changed_fraction)),
        measure,
        columns,
        applies=has_previous,
        family="repeats",
    )


def past_days_stand(
    name: str,
    columns: tuple[str, ...],
    tolerance: float = 0.01,
    standing_fraction: float = MIN_STANDING_ROW_FRACTION,
) -> Rule:
    """Return the rule that the days before tonight are as they were told before.

    A unit, a sign or two columns that changed in the vendor's body change all its days.
    """

    def measure(subject: Subject) -> pd.Series:
        is_past = subject.days_after_market_date < 0
        differs = pd.Series(False, index=subject.frame.index)
        is_known = differs.copy()
        for column in columns:
            now, then = subject.values[column], subject.stored_value(column)
            gap = (now - then).abs() - tolerance * then.abs()
            is_known |= now.notna() & then.notna()
            differs |= (gap > 1e-12).fillna(False)
        return differs.astype("float64").where(is_known & is_past)

    def applies(subject: Subject) -> bool:
        is_compared = has_previous(subject) and not subject.context.is_revision
        return is_compared and bool((subject.days_after_market_date < 0).any())

    return Rule(
        f"{name}.past_days_stand",
        "critical",
        "table",
        f"At least {standing_fraction:.0%} of the rows of days before tonight are within "
        f"{tolerance:.0%} of what is stored of them.",
        f"within {tolerance:.0%} of what the source said before",
        fixed(equal_to(0, at_least_fraction=standing_fraction)),
        measure,
        columns,
        applies=applies,
        family="history",
    )


def _returning(subject: Subject) -> tuple[pd.DataFrame, pd.Series]:
    """Return last night's rows, and whether their series is there tonight."""
    before_tonight = subject.last_night
    if before_tonight is None:
        empty = subject.values.head(0)
        return empty, pd.Series(dtype="bool")
    series = list(subject.dataset.key[1:])
    tonight = pd.MultiIndex.from_frame(subject.values.loc[subject.is_tonight, series])
    before = pd.MultiIndex.from_frame(before_tonight[series])
    return before_tonight, pd.Series(before.isin(tonight), index=before_tonight.index)


def _broadcast(subject: Subject, figure: float) -> pd.Series:
    return pd.Series(figure, index=subject.frame.index, dtype="float64")


def _describes_tonight(subject: Subject) -> bool:
    return has_previous(subject) and bool(subject.is_tonight.any())


def series_return(name: str) -> Rule:
    """Return the rule that most series of the night before are there again."""

    def applies(subject: Subject) -> bool:
        return _describes_tonight(subject) and len(_returning(subject)[0]) >= MIN_COMPARED_SERIES

    def observes(subject: Subject) -> str:
        before, is_back = _returning(subject)
        gone = before.loc[~is_back, list(subject.dataset.key[2:])].head(3)
        named = ", ".join("/".join(map(str, row)) for row in gone.itertuples(index=False))
        return f"{is_back.sum()} of {len(before)} series again, without {named}"

    return Rule(
        f"{name}.series_return",
        "critical",
        "table",
        f"At least {MIN_RETURNING_FRACTION:.0%} of the series of the night before are there again.",
        f"at least {MIN_RETURNING_FRACTION:.0%} of last night's series",
        fixed(figure_in_range(MIN_RETURNING_FRACTION, None)),
        lambda subject: _broadcast(subject, float(_returning(subject)[1].mean())),
        applies=applies,
        observes=observes,
        family="size",
    )


def _large_missing(subject: Subject, column: str) -> pd.DataFrame:
    before, is_back = _returning(subject)
    size = before[column].fillna(0.0)
    return before[~is_back & (size >= LARGE_SHARE_FRACTION * size.sum()) & (size > 0)]


def large_ones_present(name: str, column: str) -> Rule:
    """Return the rule that nothing large of the night before is missing tonight."""

    def observes(subject: Subject) -> str:
        rows = _large_missing(subject, column)[list(subject.dataset.key[2:])]
        named = ", ".join("/".join(map(str, row)) for row in rows.itertuples(index=False))
        return f"nothing of {named}"

    return Rule(
        f"{name}.large_ones_present",
        "critical",
        "table",
        f"What held {LARGE_SHARE_FRACTION:.0%} or more of all {column} the night before is there "
        "again.",
        "every large one of the night before",
        fixed(figure_in_range(None, 0)),
        lambda subject: _broadcast(subject, float(len(_large_missing(subject, column)))),
        applies=_describes_tonight,
        observes=observes,
        family="size",
    )


def total_steady(name: str, column: str, factor: float) -> Rule:
    """Return the rule that a total, of the series of both nights, moves by less than a factor."""

    def ratio(subject: Subject) -> float:
        now, before = subject.values[column], subject.previous_value(column)
        is_both = subject.is_tonight & now.notna() & before.notna()
        return float(now[is_both].sum() / before[is_both].sum())

    def measure(subject: Subject) -> pd.Series:
        found = ratio(subject)
        return _broadcast(subject, max(found, 1 / found) if found > 0 else np.inf)

    def applies(subject: Subject) -> bool:
        if not _describes_tonight(subject):
            return False
        now, before = subject.values[column], subject.previous_value(column)
        return bool(before[subject.is_tonight & now.notna()].sum() > 0)

    return Rule(
        f"{name}.total_steady",
        "critical",
        "table",
        f"All {column} together is within a factor of {factor:g} of the night before.",
        f"between 1/{factor:g} and {factor:g} times the last total",
        fixed(figure_in_range(None, factor)),
        measure,
        applies=applies,
        observes=lambda subject: f"{ratio(subject):.3g} times the last total",
        family="jumps",
    )


def implied_price_steady(name: str, value: str, units: str, factor: float) -> Rule:
    """Return the rule that dollars over units, a price, does not leap for most rows."""

    def implied(values: pd.Series, count: pd.Series) -> pd.Series:
        return values.where(values > 0) / count.where(count > 0)

    def measure(subject: Subject) -> pd.Series:
        now = implied(subject.values[value], subject.values[units])
        before = implied(subject.previous_value(value), subject.previous_value(units))
        ratio = (now / before).where(subject.is_tonight)
        is_leap = (ratio > factor) | (ratio < 1 / factor)
        return is_leap.astype("float64").where(ratio.notna())

    return Rule(
        f"{name}.implied_price_steady",
        "critical",
        "table",
        f"For at least 80% of the rows {value} over {units}, a price, is within a factor of "
        f"{factor:g} of the last one.",
        f"a price between 1/{factor:g} and {factor:g} times the last one",
        fixed(equal_to(0, at_least_fraction=0.8)),
        measure,
        (value, units),
        applies=has_previous,
        family="agreement",
    )


def columns_not_swapped(name: str, first: str, second: str) -> Rule:
    """Return the rule that two columns are nearer to their own past than to each other's.

    Only rows whose two figures were a third apart can tell, and only where crossing them halves
    the distance: a night may move one of the two by as much as they are apart.
    """

    def log(values: pd.Series) -> pd.Series:
        return pd.Series(np.log(values.where(values > 0)), index=values.index)

    def measure(subject: Subject) -> pd.Series:
        a, b = log(subject.values[first]), log(subject.values[second])
        a_before = log(subject.previous_value(first))
        b_before = log(subject.previous_value(second))
        straight = (a - a_before).abs() + (b - b_before).abs()
        crossed = (a - b_before).abs() + (b - a_before).abs()
        can_tell = subject.is_tonight & ((a_before - b_before).abs() > np.log(1.3))
        return (crossed < 0.5 * straight).astype("float64").where(can_tell & straight.notna())

    return Rule(
        f"{name}.columns_not_swapped",
        "critical",
        "table",
        f"{first} and {second} are nearer to their own last values than to each other's, for at "
        f"least {MIN_QUIET_ROW_FRACTION:.0%} of the rows.",
        "each column near its own last value",
        fixed(equal_to(0, at_least_fraction=MIN_QUIET_ROW_FRACTION)),
        measure,
        (first, second),
        applies=has_previous,
        family="agreement",
    )


def not_frozen(name: str, column: str, days: int, *, of: str = "row") -> Rule:
    """Return the warning that a series says the same for ``days`` days and more in a row."""

    def measure(subject: Subject) -> pd.Series:
        day, *series = subject.dataset.key
        known = subject.values[[day, *series, column]]
        if subject.stored is not None:
            known = pd.concat([known, subject.stored[[day, *series, column]]])
        known = known.dropna(subset=[column]).drop_duplicates([day, *series], keep="first")
        known = known.sort_values(day, ascending=False, kind="stable")
        last = known.groupby(series, sort=False).head(days)
        found = last.groupby(series, sort=False)[column].agg(["size", "nunique"])
        is_frozen = (found["size"] >= days) & (found["nunique"] == 1)
        frozen = pd.MultiIndex.from_tuples(
            [each if isinstance(each, tuple) else (each,) for each in found.index[is_frozen]],
            names=series,
        )
        rows = pd.MultiIndex.from_frame(subject.values[series])
        newest = subject.values.groupby(series, sort=False)[day].transform("max")
        is_newest = subject.values[day] == newest
        return pd.Series(rows.isin(frozen), index=subject.frame.index).astype("int64") * is_newest

    return Rule(
        f"{name}.not_frozen",
        "warning",
        "row",
        f"No {of} says the same {column} {days} times in a row.",
        "a value that moves",
        fixed(equal_to(0)),
        measure,
        (column,),
        applies=is_live,
        family="repeats",
    )
