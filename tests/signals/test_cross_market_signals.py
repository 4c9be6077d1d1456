"""Equities against crypto: aligned returns, correlation, lead."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from planted import Tables, closes_of, every_day, on_sessions, path, run_signals, sessions
from scipy import stats

RETURNS = "signals.cross_market_return"
CORRELATIONS = "signals.cross_market_correlation_daily"
LEADS = "signals.lead_lag"
FIRST = date(2022, 1, 3)


def market(
    equity: np.ndarray, crypto: np.ndarray, only: str, tickers: tuple[str, ...] = ("RUT",)
) -> Tables:
    """Return the tables of a market with these returns from session to session."""
    days = sessions(FIRST, len(equity) + 1)
    rows = [row for ticker in tickers for row in closes_of(ticker, days, path(equity))]
    return run_signals([only], closes=rows, levels={"top100": on_sessions(days, path(crypto))})


def test_weekend_belongs_to_the_session_after_it() -> None:
    friday, monday = date(2024, 1, 5), date(2024, 1, 8)
    levels = dict(zip(every_day(friday, 4), [100.0, 110.0, 121.0, 133.1], strict=True))
    tables = run_signals(
        [RETURNS], closes=closes_of("RUT", [friday, monday], [50, 51]), levels={"top100": levels}
    )
    (row,) = tables.rows(RETURNS)
    assert (row["previous_session_date"], row["session_date"]) == (friday, monday)
    assert row["crypto_return_fraction"] == pytest.approx(0.331)
    assert row["equity_return_fraction"] == pytest.approx(0.02)
    assert (row["pair_id"], row["is_proxy"]) == ("rut_top100", False)


def test_session_that_only_one_side_has_makes_no_return() -> None:
    days = sessions(FIRST, 4)
    levels = {days[0]: 100.0, days[1]: 50.0, days[3]: 110.0}
    rows = closes_of("RUT", [days[0], days[2], days[3]], [100, 90, 105])
    tables = run_signals([RETURNS], closes=rows, levels={"top100": levels})
    (row,) = tables.rows(RETURNS)
    assert row["previous_session_date"] == days[0]
    assert row["equity_return_fraction"] == pytest.approx(0.05)
    assert row["crypto_return_fraction"] == pytest.approx(0.10)


def test_fund_is_never_mixed_into_the_index() -> None:
    days = sessions(FIRST, 6)
    rows = closes_of("RUT", days[:3], [10, 11, 12]) + closes_of("IWM", days, range(50, 56))
    tables = run_signals(
        [RETURNS], closes=rows, levels={"top100": on_sessions(days, range(100, 106))}
    )
    assert len(tables.rows(RETURNS, pair_id="rut_top100")) == 2
    proxies = tables.rows(RETURNS, pair_id="iwm_top100")
    assert len(proxies) == 5
    assert all(row["is_proxy"] for row in proxies)


@pytest.fixture(scope="module")
def correlated() -> tuple[np.ndarray, np.ndarray, Tables]:
    chance = np.random.default_rng(1)
    equity = 0.01 * chance.standard_normal(320)
    crypto = 2 * equity + 0.02 * chance.standard_normal(320)
    return equity, crypto, market(equity, crypto, CORRELATIONS, ("RUT", "SPX"))


@pytest.mark.parametrize("window", [30, 60, 90, 252])
@pytest.mark.parametrize(
    ("method", "oracle"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)]
)
def test_rolling_correlation_is_that_of_each_window(
    correlated: tuple[np.ndarray, np.ndarray, Tables], window: int, method: str, oracle: object
) -> None:
    equity, crypto, tables = correlated
    rows = tables.rows(CORRELATIONS, pair_id="rut_top100", window_sessions=window, method=method)
    assert len(rows) == 320
    least = -(-window * 8 // 10)
    for place in (least - 2, least - 1, window - 2, window - 1, 280, 319):
        row, start = rows[place], max(0, place + 1 - window)
        count = place + 1 - start
        assert row["observation_count"] == count
        if count < least:
            assert row["state"] == "insufficient"
            assert {row["correlation"], row["p_value"], row["effective_count"]} == {None}
            continue
        expected = oracle(equity[start : place + 1], crypto[start : place + 1]).statistic  # type: ignore[operator]
        assert row["correlation"] == pytest.approx(expected, abs=1e-9)
        assert row["correlation_low"] < expected < row["correlation_high"]
        assert 0 < row["effective_count"] <= count


def test_planted_correlation_is_strong_and_significant(
    correlated: tuple[np.ndarray, np.ndarray, Tables],
) -> None:
    last = correlated[2].rows(CORRELATIONS, window_sessions=252)[-1]
    assert last["correlation"] == pytest.approx(0.7, abs=0.1)
    assert last["is_significant"] is True
    assert last["state"] == "strong"


def test_adjusted_p_values_are_those_of_the_family_of_the_session(
    correlated: tuple[np.ndarray, np.ndarray, Tables],
) -> None:
    rows = correlated[2].rows(CORRELATIONS, method="pearson")
    last = [row for row in rows if row["session_date"] == rows[-1]["session_date"]]
    assert len(last) == 8
    p_values = [row["p_value"] for row in last]
    assert [row["p_value_bh"] for row in last] == pytest.approx(
        stats.false_discovery_control(p_values)
    )


def test_constant_series_has_no_correlation_and_no_nan() -> None:
    tables = market(np.zeros(60), 0.01 * np.random.default_rng(1).standard_normal(60), CORRELATIONS)
    rows = tables.rows(CORRELATIONS)
    assert {row["correlation"] for row in rows} == {None}
    assert {row["state"] for row in rows} == {"insufficient"}


def test_correlation_of_a_session_does_not_depend_on_later_ones(
    correlated: tuple[np.ndarray, np.ndarray, Tables],
) -> None:
    equity, crypto, tables = correlated
    past = market(equity[:200], crypto[:200], CORRELATIONS, ("RUT", "SPX")).rows(CORRELATIONS)
    kept = [
        row for row in tables.rows(CORRELATIONS) if row["session_date"] <= past[-1]["session_date"]
    ]
    assert [list(row) for row in past] == [list(row) for row in kept]
    for one, other in zip(past, kept, strict=True):
        assert {k: v for k, v in one.items() if not isinstance(v, float)} == {
            k: v for k, v in other.items() if not isinstance(v, float)
        }
        floats = [k for k, v in one.items() if isinstance(v, float)]
        assert [one[k] for k in floats] == pytest.approx([other[k] for k in floats], abs=1e-12)


@pytest.mark.parametrize(
    ("lead", "state"), [(3, "equities_lead"), (-2, "crypto_leads"), (0, "same_session")]
)
def test_planted_lead_is_found_with_its_sign(lead: int, state: str) -> None:
    chance = np.random.default_rng(20 + lead)
    equity = 0.01 * chance.standard_normal(520)
    crypto = 1.5 * np.roll(equity, lead) + 0.015 * chance.standard_normal(520)
    rows = market(equity, crypto, LEADS).rows(LEADS)
    last = rows[-1]
    assert (last["lead_sessions"], last["state"]) == (lead, state)
    assert last["is_stable_in_halves"] is True
    assert last["p_value"] < 0.01
    assert last["observation_count"] == 504
    assert abs(last["correlation_at_lead"]) >= abs(last["correlation_same_session"])


def test_lead_of_half_the_window_is_not_stable() -> None:
    chance = np.random.default_rng(3)
    equity, crypto = 0.01 * chance.standard_normal((2, 504))
    crypto[256:] = 1.5 * np.roll(equity, 4)[256:] + 0.002 * crypto[256:] / 0.01
    (*_, last) = market(equity, crypto, LEADS).rows(LEADS)
    assert last["lead_sessions"] == 4
    assert last["is_stable_in_halves"] is False
    assert last["state"] == "not_stable"


def test_unrelated_series_have_no_lead() -> None:
    equity, crypto = 0.01 * np.random.default_rng(6).standard_normal((2, 504))
    (*_, last) = market(equity, crypto, LEADS).rows(LEADS)
    assert last["p_value"] > 0.05
    assert last["state"] == "not_significant"


def test_leads_are_stated_at_each_months_end_and_on_the_newest_session() -> None:
    equity, crypto = 0.01 * np.random.default_rng(2).standard_normal((2, 430))
    rows = market(equity, crypto, LEADS).rows(LEADS)
    days = sessions(FIRST, 431)[1:]
    ends = [d for d, after in pairwise(days) if d.month != after.month]
    assert [row["as_of_date"] for row in rows] == [*ends, days[-1]]
    enough = [row["observation_count"] >= 404 for row in rows]
    assert [row["state"] != "insufficient" for row in rows] == enough
    assert any(enough)
    assert not all(enough)
    assert all(row["p_value"] is None for row in rows if row["state"] == "insufficient")


def test_lead_of_a_month_stays_when_later_sessions_arrive() -> None:
    equity, crypto = 0.01 * np.random.default_rng(2).standard_normal((2, 460))
    longer = {row["as_of_date"]: row for row in market(equity, crypto, LEADS).rows(LEADS)}
    shorter = market(equity[:430], crypto[:430], LEADS).rows(LEADS)[:-1]
    assert shorter == [longer[row["as_of_date"]] for row in shorter]
    assert shorter[-1]["as_of_date"] + timedelta(days=31) < max(longer)
