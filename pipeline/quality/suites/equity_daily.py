"""Rules of ``equity_daily``: closes of stock indices, their funds, and the VIX."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import (
    Rule,
    Subject,
    equal_to,
    highest_at_least,
    in_range,
    is_live,
    not_null,
)
from pipeline.quality.suites.generic import days_covered, fixed, key_rules, schema_rules

# A long weekend is four days without a session; five leaves one for a late file.
MAX_SESSION_AGE_DAYS = 5

_NAME = "equity_daily"


@dataclass(frozen=True)
class Family:
    """Tickers that live in one range of points and move alike.

    The ranges are wide: from the first closes of the free files (1975) to several times
    those of 2026. They catch another series under the ticker and a slipped decimal
    point. ``max_move_fraction`` is above the largest daily move on record: 20.5 % for
    stocks (19 October 1987), 116 % for volatility (5 February 2018).
    """

    tickers: frozenset[str]
    low_points: float
    high_points: float
    max_move_fraction: float = 0.25


FAMILIES = (
    Family(frozenset({"SPX"}), 40.0, 40_000.0),
    Family(frozenset({"RUT"}), 80.0, 15_000.0),
    Family(frozenset({"SPY"}), 10.0, 4_000.0),
    Family(frozenset({"IWM"}), 10.0, 1_500.0),
    Family(frozenset({"VIX"}), 5.0, 200.0, max_move_fraction=1.5),
)
OTHER = Family(frozenset(), 1e-3, 1e6)


def _per_ticker(subject: Subject, bound: str) -> pd.Series:
    by_ticker = {ticker: getattr(family, bound) for family in FAMILIES for ticker in family.tickers}
    return subject.values["ticker"].map(by_ticker).fillna(getattr(OTHER, bound))


def _is_out_of_range(subject: Subject) -> pd.Series:
    """Return 1 or 0; null where the close is."""
    close = subject.values["close_points"]
    is_inside = (close >= _per_ticker(subject, "low_points")) & (
        close <= _per_ticker(subject, "high_points")
    )
    return (~is_inside).astype("float64").where(close.notna())


def _is_large_move(subject: Subject) -> pd.Series:
    """Return 1 or 0; null for the first close of a ticker and source."""
    values = subject.values
    series = ["source", "ticker"]
    ordered = values.sort_values([*series, "session_date"], kind="stable")
    before = ordered.groupby(series, dropna=False)["close_points"].shift().reindex(values.index)
    before = before.fillna(subject.previous_value("close_points"))
    move = (values["close_points"] / before.where(before > 0) - 1.0).abs()
    is_large = move > _per_ticker(subject, "max_move_fraction")
    return is_large.astype("float64").where(move.notna())


def _newest_of_ticker(subject: Subject) -> pd.Series:
    """Return each ticker's newest session in days after the market date, on one row of it."""
    days = subject.days_after_market_date
    ticker = subject.values["ticker"]
    newest = days.groupby(ticker).transform("max")
    return newest.where(~ticker.duplicated() & ticker.notna())


def _is_any_recent(subject: Subject) -> bool:
    is_recent = subject.days_after_market_date >= -MAX_SESSION_AGE_DAYS
    return is_live(subject) and bool(is_recent.any())


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``equity_daily``."""
    return (
        *schema_rules(dataset.name),
        *key_rules(dataset.name),
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
        ),
        Rule(
            f"{_NAME}.close_present",
            "critical",
            "row",
            "A session has a close.",
            "a close",
            fixed(not_null()),
            "close_points",
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
            f"{_NAME}.ticker_recent",
            "warning",
            "row",
            f"The newest session of every ticker is at most {MAX_SESSION_AGE_DAYS} days old.",
            f"a newest session at most {MAX_SESSION_AGE_DAYS} days before the market date",
            fixed(in_range(-MAX_SESSION_AGE_DAYS, None)),
            _newest_of_ticker,
            ("ticker", "session_date"),
            applies=_is_any_recent,
        ),
        Rule(
            f"{_NAME}.move_plausible",
            "warning",
            "row",
            "No close moves by more than 25 % in a session, or the VIX by more than 150 %.",
            "a smaller move since the session before",
            fixed(equal_to(0)),
            _is_large_move,
            ("ticker", "close_points"),
        ),
    )
