"""Regimes of the size spread: planted shifts, breaks and boundaries."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from planted import Tables, every_day, run_signals

SPREADS = "signals.regime_spread_daily"
STATISTICS = "signals.regime_statistic"
BREAKS = "signals.regime_break"
LAUNCH, ETHER = date(2024, 1, 11), date(2024, 7, 23)
PAIR = "small_over_large"


def spread_market(
    only: list[str], shift: float, shift_date: date = LAUNCH, seed: int = 0, count: int = 1200
) -> Tables:
    """Return a spread with 1 % of noise a day whose mean moves by ``shift`` on a date."""
    days = every_day(date(2022, 1, 1), count)
    spreads = 0.01 * np.random.default_rng(seed).standard_normal(count)
    spreads += np.array([shift if day >= shift_date else 0.0 for day in days])
    ratios = dict(zip(days, np.exp(spreads.cumsum()), strict=True))
    return run_signals(only, ratios={PAIR: ratios})


def test_regimes_begin_on_the_days_of_the_calendar() -> None:
    rows = spread_market([SPREADS], 0.0).rows(SPREADS)
    first = {}
    for row in rows:
        first.setdefault(row["etp_regime"], row["market_date"])
    assert first == {"pre_etp": date(2022, 1, 2), "btc_etp": LAUNCH, "btc_eth_etp": ETHER}


def test_spread_is_the_change_of_the_ratio_and_a_gap_has_none() -> None:
    days = every_day(date(2024, 1, 1), 5)
    ratios = dict(zip(days, [1.0, 1.1, 1.0, 0.5, 0.6], strict=True))
    del ratios[days[2]]
    rows = run_signals([SPREADS], ratios={PAIR: ratios}).rows(SPREADS)
    assert [row["market_date"] for row in rows] == [days[1], days[4]]
    assert rows[0]["spread_1d_log"] == pytest.approx(np.log(1.1))


def test_calendar_without_launches_has_one_regime() -> None:
    ratios = dict(zip(every_day(date(2024, 1, 1), 400), np.linspace(1, 2, 400), strict=True))
    rows = run_signals([SPREADS], ratios={PAIR: ratios}, reference={"event_calendar": []}).rows(
        SPREADS
    )
    assert {row["etp_regime"] for row in rows} == {"pre_etp"}


def test_planted_fall_is_found_with_its_size_and_its_day() -> None:
    tables = spread_market([STATISTICS, BREAKS], -0.004)
    last = tables.rows(STATISTICS, regime="post_etp")[-1]
    assert last["state"] == "lower"
    assert last["difference_from_pre_log"] == pytest.approx(-0.004, abs=0.0015)
    assert last["difference_hac_t_value"] < -4
    assert last["difference_welch_t_value"] < -4
    broken = tables.rows(BREAKS)[-1]
    assert broken["state"] == "break_near_launch"
    assert broken["p_value"] < 0.001
    assert broken["launch_date"] == LAUNCH
    assert broken["distance_days"] == (broken["break_date"] - LAUNCH).days
    assert abs(broken["distance_days"]) < 60


def test_break_far_from_the_launch_is_said_to_be_elsewhere() -> None:
    broken = spread_market([BREAKS], -0.006, date(2022, 12, 1)).rows(BREAKS)[-1]
    assert broken["state"] == "break_elsewhere"
    assert abs((broken["break_date"] - date(2022, 12, 1)).days) < 45


def test_spread_that_never_changes_its_mean_has_no_break() -> None:
    tables = spread_market([STATISTICS, BREAKS], 0.0, seed=2)
    assert tables.rows(BREAKS)[-1]["state"] == "no_break"
    assert tables.rows(STATISTICS, regime="post_etp")[-1]["state"] == "no_difference"


def test_means_are_those_of_the_regime() -> None:
    tables = spread_market([STATISTICS, SPREADS], -0.002)
    spreads = tables.rows(SPREADS, etp_regime="btc_etp")
    found = tables.rows(STATISTICS, regime="btc_etp")[-1]
    values = [row["spread_1d_log"] for row in spreads]
    assert found["observation_count"] == len(values)
    assert found["mean_spread_1d_log"] == pytest.approx(np.mean(values))
    assert found["median_spread_1d_log"] == pytest.approx(np.median(values))


def test_regime_counts_only_from_60_days_on_and_a_break_from_365() -> None:
    tables = spread_market([STATISTICS, BREAKS], -0.002)
    for row in tables.rows(STATISTICS):
        is_short = row["observation_count"] < 60
        assert (row["state"] == "insufficient") == is_short
        assert (row["mean_spread_1d_log"] is None) == is_short
        if row["regime"] == "pre_etp" and not is_short:
            assert row["state"] == "no_comparison"
    for row in tables.rows(BREAKS):
        assert (row["state"] == "insufficient") == (row["observation_count"] < 365)
        assert (row["launch_date"] is None) == (row["as_of_date"] < LAUNCH)


def test_regime_has_no_row_before_it_begins() -> None:
    rows = spread_market([STATISTICS], 0.0).rows(STATISTICS)
    assert min(r["as_of_date"] for r in rows if r["regime"] == "btc_etp") >= LAUNCH
    assert min(r["as_of_date"] for r in rows if r["regime"] == "btc_eth_etp") >= ETHER


def test_statement_of_a_month_stays_when_later_days_arrive() -> None:
    longer = spread_market([STATISTICS, BREAKS], -0.003, count=1100)
    shorter = spread_market([STATISTICS, BREAKS], -0.003, count=1000)
    newest = date(2022, 1, 1) + timedelta(days=999)
    for table in (STATISTICS, BREAKS):
        kept = [row for row in shorter.rows(table) if row["as_of_date"] < newest]
        assert kept
        # noise is drawn in one piece, so the first thousand days are the same
        assert (
            kept == [row for row in longer.rows(table) if row["as_of_date"] < newest][: len(kept)]
        )


def test_ratio_that_never_moves_gives_null_and_no_nan() -> None:
    days = every_day(date(2022, 1, 1), 900)
    tables = run_signals([STATISTICS, BREAKS], ratios={PAIR: dict.fromkeys(days, 2.0)})
    assert {row["mean_hac_t_value"] for row in tables.rows(STATISTICS)} == {None}
    assert {row["state"] for row in tables.rows(BREAKS)} == {"insufficient"}
