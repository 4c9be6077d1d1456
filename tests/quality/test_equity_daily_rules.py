"""Every rule of ``equity_daily``: a frame that breaks it, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quality_factories import MARKET_DATE, changed, equity_frame, failed_rules, gate

GOOD = equity_frame()


def _with_row(**values: Any) -> pd.DataFrame:
    row = {"session_date": MARKET_DATE, "source": "cboe", "ticker": "SPY", "close_points": 600.0}
    return pd.concat([GOOD, pd.DataFrame([row | values])], ignore_index=True)


def _without_newest_of(ticker: str) -> pd.DataFrame:
    is_new = GOOD["session_date"] > MARKET_DATE - timedelta(days=6)
    return GOOD[~((GOOD["ticker"] == ticker) & is_new)]


def _moved(ticker: str, factor: float) -> pd.DataFrame:
    is_moved = (GOOD["ticker"] == ticker) & (GOOD["session_date"] == MARKET_DATE)
    return GOOD.assign(
        close_points=GOOD["close_points"].mask(is_moved, GOOD["close_points"] * factor)
    )


BREAKS: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
    "columns_exact": (GOOD.drop(columns="ticker"), {}),
    "types_exact": (GOOD.assign(close_points="6000"), {}),
    "not_empty": (GOOD.head(0), {}),
    "row_count_usual": (GOOD, {"recent_row_counts": [200]}),
    "key_not_null": (changed(GOOD, "source", None), {}),
    "key_unique": (pd.concat([GOOD, GOOD.head(1)]), {}),
    "no_later_day": (_with_row(session_date=MARKET_DATE + timedelta(days=1)), {}),
    "session_recent": (GOOD, {"market_date": MARKET_DATE + timedelta(days=6)}),
    "close_present": (changed(GOOD, "close_points", np.nan), {}),
    "close_plausible": (_with_row(close_points=60_000.0), {}),
    "ticker_recent": (_without_newest_of("RUT"), {}),
    "move_plausible": (_moved("RUT", 1.3), {}),
}

# A session without a source is not the one after the session before it.
COMPANIONS = {"key_not_null": {"equity_daily.no_session_missing"}}

PASSING_WITH_FAULTS = {"close_present", "close_plausible", "ticker_recent", "move_plausible"}


@pytest.mark.parametrize("mode", ["live", "history"])
def test_good_frame_passes(mode: str) -> None:
    report = gate(GOOD, "equity_daily", mode=mode)
    assert failed_rules(report) == set()
    pd.testing.assert_frame_equal(report.accepted, GOOD)


@pytest.mark.parametrize("rule", BREAKS)
def test_only_the_rule_meant_for_it_fires(rule: str) -> None:
    frame, arguments = BREAKS[rule]
    report = gate(frame, "equity_daily", **arguments)
    assert failed_rules(report) - COMPANIONS.get(rule, set()) == {f"equity_daily.{rule}"}
    assert report.is_passed == (rule in PASSING_WITH_FAULTS)


@pytest.mark.parametrize("close", [0.0, -6000.0, np.inf, 0.6, 600_000.0])
def test_implausible_close_goes_to_quarantine(close: float) -> None:
    report = gate(_with_row(close_points=close), "equity_daily")
    assert report.quarantined["close_points"].tolist() == [close]
    assert len(report.accepted) == len(GOOD)


def test_long_weekend_is_not_stale() -> None:
    report = gate(GOOD, "equity_daily", market_date=MARKET_DATE + timedelta(days=5))
    assert failed_rules(report) == set()


def test_holiday_has_a_row_of_volatility_only() -> None:
    holiday = date(2026, 2, 16)
    row = {"session_date": holiday, "ticker": "VIX", "close_points": 20.0}
    assert failed_rules(gate(_with_row(**row), "equity_daily")) == set()
    report = gate(_with_row(**row | {"ticker": "SPX", "close_points": 6000.0}), "equity_daily")
    assert report.quarantined["rule_id"].tolist() == ["equity_daily.session_calendar"]


def test_vix_may_double() -> None:
    assert failed_rules(gate(_moved("VIX", 2.0), "equity_daily")) == set()


def test_move_is_measured_against_the_last_accepted_session() -> None:
    tonight = GOOD[GOOD["session_date"] == MARKET_DATE]
    before = GOOD[GOOD["session_date"] < MARKET_DATE]
    previous = before.assign(close_points=before["close_points"] * 2)
    report = gate(tonight, "equity_daily", previous=previous)
    assert failed_rules(report) == {"equity_daily.move_plausible", "equity_daily.quarantine_share"}


def test_first_session_of_a_full_history_has_nothing_before_it() -> None:
    previous = GOOD.assign(close_points=GOOD["close_points"] * 3)
    previous = previous[previous["session_date"] == MARKET_DATE - timedelta(days=1)]
    report = gate(GOOD, "equity_daily", previous=previous)
    assert failed_rules(report) == {"equity_daily.past_days_stand"}
