"""Rules of ``equity_daily``: closes of stock indices, their funds, and the VIX."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import equal_to, highest_at_least, in_range, not_null
from pipeline.quality.rules import Rule, Subject, is_live, owned_by
from pipeline.quality.suites.nights import not_frozen, past_days_stand
from pipeline.quality.suites.shared import (
    SLUG,
    days_covered,
    fixed,
    key_rules,
    row_rule,
    schema_rules,
)
from pipeline.quality.suites.sources import two_sources_agree
from pipeline.sessions import SPECIAL_CLOSURES, is_session

# A long weekend is four days without a session; five leaves one for a late file.
MAX_SESSION_AGE_DAYS = 5

# The longest run of one close to the last digit since 1990 is 3 sessions.
FROZEN_SESSIONS = 5

OWNER = "equity-data"
KEY_TEXTS = {"source": SLUG, "ticker": r"[A-Z0-9^.=-]+"}

_NAME = "equity_daily"
_SATURDAY = 5


@dataclass(frozen=True)
class Family:
    """Tickers that live in one range of points and move alike.

    The ranges are wide: from the first closes of the free files (1975) to several times
    those of 2026. They catch another series under the ticker and a slipped decimal
    point. ``max_move_fraction`` is above the largest daily move on record: 20.5 % for
    stocks (19 October 1987; trading now ends for the day at 20 %), 116 % for volatility
    (5 February 2018), which is also published on some holidays.
    """

    tickers: frozenset[str]
    low_points: float
    high_points: float
    max_move_fraction: float = 0.25
    is_volatility: bool = False


FAMILIES = (
    Family(frozenset({"SPX"}), 40.0, 40_000.0),
    Family(frozenset({"RUT"}), 80.0, 15_000.0),
    Family(frozenset({"SPY"}), 10.0, 4_000.0),
    Family(frozenset({"IWM"}), 10.0, 1_500.0),
    Family(frozenset({"VIX"}), 5.0, 200.0, max_move_fraction=1.5, is_volatility=True),
)
OTHER = Family(frozenset(), 1e-3, 1e6)


def _per_ticker(subject: Subject, bound: str) -> pd.Series:
    by_ticker = {ticker: getattr(family, bound) for family in FAMILIES for ticker in family.tickers}
    tickers = subject.values["ticker"].astype(object)
    return tickers.map(by_ticker).astype("float64").fillna(float(getattr(OTHER, bound)))


def _is_out_of_range(subject: Subject) -> pd.Series:
    """Return 1 or 0; null where the close is."""
    close = subject.values["close_points"]
    is_inside = (close >= _per_ticker(subject, "low_points")) & (
        close <= _per_ticker(subject, "high_points")
    )
    return (~is_inside).astype("float64").where(close.notna())


def _is_large_move(subject: Subject) -> pd.Series:
    """Return 1 or 0; null for the first close of a ticker and source.

    A close that the next session confirms is no slip but a new level, as after a split: the
    close of a slip is far from the sessions on both sides.
    """
    values = subject.values
    close = values["close_points"].where(_is_out_of_range(subject) == 0)
    ordered = values[["source", "ticker", "session_date"]].assign(close=close)
    ordered = ordered.sort_values(["source", "ticker", "session_date"], kind="stable")
    by_series = ordered.groupby(["source", "ticker"], dropna=False)["close"]
    before = by_series.shift().reindex(values.index)
    before = before.fillna(subject.previous_value("close_points"))
    after = by_series.shift(-1).reindex(values.index)
    limit = _per_ticker(subject, "max_move_fraction")
    is_far = (values["close_points"] / before.where(before > 0) - 1.0).abs() > limit
    is_confirmed = (after / close.where(close > 0) - 1.0).abs() <= limit
    return (is_far & ~is_confirmed).astype("float64").where(before.notna())


def _is_volatility(subject: Subject) -> pd.Series:
    return _per_ticker(subject, "is_volatility").astype(bool)


def _is_large_stock_move(subject: Subject) -> pd.Series:
    return _is_large_move(subject).where(~_is_volatility(subject))


def _is_large_volatility_move(subject: Subject) -> pd.Series:
    return _is_large_move(subject).where(_is_volatility(subject))


def _is_no_session(subject: Subject) -> pd.Series:
    """Return which rows are of a weekend, or of a holiday of the stock exchanges."""
    days = subject.values["session_date"]
    known = {day: is_session(day.date()) for day in days.dropna().unique()}
    is_closed = ~days.map(known).astype("boolean").fillna(True).astype(bool)
    is_weekend: pd.Series = days.dt.day_of_week >= _SATURDAY
    return is_weekend | (is_closed & ~_is_volatility(subject))


def _sessions_missing_before(subject: Subject) -> pd.Series:
    """Return how many sessions are missing between a row and the one before of its series.

    Null for the first row of a series and for days long before the night, which a shorter
    list of holidays has.
    """
    values = subject.values[["source", "ticker", "session_date"]]
    ordered = values.sort_values(["source", "ticker", "session_date"], kind="stable")
    before = ordered.groupby(["source", "ticker"], dropna=False)["session_date"].shift()
    before = before.reindex(values.index)
    gaps: dict[tuple[pd.Timestamp, pd.Timestamp], int] = {}
    missing = []
    for first, last in zip(before, values["session_date"], strict=True):
        if pd.isna(first) or pd.isna(last):
            missing.append(float("nan"))
            continue
        if (first, last) not in gaps:
            between = pd.date_range(first, last, inclusive="neither")
            gaps[first, last] = sum(
                is_session(day.date()) and day.date() not in SPECIAL_CLOSURES for day in between
            )
        missing.append(float(gaps[first, last]))
    return pd.Series(missing, index=values.index, dtype="float64")


def _newest_of_ticker(subject: Subject) -> pd.Series:
    """Return each ticker's newest session in days after the market date, on one row of it."""
    days = subject.days_after_market_date
    ticker = subject.values["ticker"]
    newest = days.groupby(ticker).transform("max")
    return newest.where(~ticker.duplicated() & ticker.notna())


def _recent_rules() -> tuple[Rule, ...]:
    return (
        Rule(
            f"{_NAME}.session_recent",
            "critical",
            "table",
            f"The newest session is at most {MAX_SESSION_AGE_DAYS} days old.",
            f"a newest session at most {MAX_SESSION_AGE_DAYS} days before the market date",
            fixed(highest_at_least(-MAX_SESSION_AGE_DAYS)),
            lambda subject: subject.days_after_market_date,
            applies=is_live,
            observes=days_covered,
            family="dates",
        ),
        Rule(
            f"{_NAME}.ticker_recent",
            "warning",
            "row",
            f"The newest session of every ticker is at most {MAX_SESSION_AGE_DAYS} days old.",
            f"a newest session at most {MAX_SESSION_AGE_DAYS} days before the market date",
            fixed(in_range(-MAX_SESSION_AGE_DAYS, None)),
            _newest_of_ticker,
            ("ticker", "session_date"),
            applies=_is_any_recent,
            family="dates",
        ),
        row_rule(
            _NAME,
            "session_calendar",
            "Every row is of a session of the New York exchanges; volatility, which is published "
            "on some holidays, of a weekday.",
            "a day on which the exchanges trade",
            _is_no_session,
            ("ticker", "session_date"),
            family="dates",
        ),
        Rule(
            f"{_NAME}.no_session_missing",
            "warning",
            "row",
            "Between two sessions of a series no other is missing.",
            "every session in between",
            fixed(in_range(None, 0)),
            _sessions_missing_before,
            ("ticker", "session_date"),
            applies=is_live,
            family="dates",
        ),
    )


def _close_rules() -> tuple[Rule, ...]:
    return (
        Rule(
            f"{_NAME}.close_present",
            "critical",
            "row",
            "A session has a close.",
            "a close",
            fixed(not_null()),
            "close_points",
            family="presence",
        ),
        Rule(
            f"{_NAME}.close_plausible",
            "critical",
            "row",
            "A close lies in the range its ticker can have.",
            "a close in the range of its ticker",
            fixed(equal_to(0)),
            _is_out_of_range,
            ("ticker", "close_points"),
        ),
        Rule(
            f"{_NAME}.move_plausible",
            "critical",
            "row",
            "No close of stocks moves by more than 25 % in a session; trading ends before that.",
            "a smaller move since the session before",
            fixed(equal_to(0)),
            _is_large_stock_move,
            ("ticker", "close_points"),
            family="jumps",
        ),
        Rule(
            f"{_NAME}.volatility_move_plausible",
            "warning",
            "row",
            "Volatility does not move by more than 150 % in a session.",
            "a smaller move since the session before",
            fixed(equal_to(0)),
            _is_large_volatility_move,
            ("ticker", "close_points"),
            family="jumps",
        ),
    )


def _is_any_recent(subject: Subject) -> bool:
    is_recent = subject.days_after_market_date >= -MAX_SESSION_AGE_DAYS
    return is_live(subject) and bool(is_recent.any())


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``equity_daily``."""
    return owned_by(
        OWNER,
        (
            *schema_rules(dataset.name),
            *key_rules(dataset.name, KEY_TEXTS),
            *_recent_rules(),
            *_close_rules(),
            not_frozen(dataset.name, "close_points", FROZEN_SESSIONS, of="ticker"),
            past_days_stand(dataset.name, ("close_points",)),
            *two_sources_agree(dataset.name, "close_points"),
        ),
    )
