"""What is planted in the simulated market stands in the published tables; what is not, does not.

The market goes through the importer, the gate, the build, the audits and publishing. The
control is the same market without the planted effects. One seed runs by default, and all of
them with the slow tests.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from planted_market import (
    CONTROL,
    FIRST_DAY,
    LAST_DAY,
    LAUNCH_DAY,
    Published,
    publish,
    simulate,
)

SEEDS = [7, pytest.param(42, marks=pytest.mark.long), pytest.param(2024, marks=pytest.mark.long)]
DAY = timedelta(days=1)


@pytest.fixture(params=SEEDS)
def planted(request: pytest.FixtureRequest) -> Published:
    return publish(request.param)


@pytest.fixture(params=[pytest.param(7, marks=pytest.mark.long)])
def control(request: pytest.FixtureRequest) -> Published:
    return publish(request.param, CONTROL)


def share(rows: list[Any], condition: Any) -> float:
    assert rows
    return sum(map(condition, rows)) / len(rows)


def tilts(published: Published, flat: bool) -> list[Any]:
    first, last = published.market.truths.flat_days
    word = "" if flat else "not"
    return published.rows(
        "signals.rank_tilt_daily",
        f"state <> 'insufficient' and market_date {word} between '{first}' and '{last}'",
    )


# Ratios keep 0.93 of their noise from day to day, so neighbouring days err together: 560 days
# hold about 560 * 0.07 / 1.93 = 20 independent ones, and 95 % coverage has an error of 5 points.
LEAST_COVERAGE = 0.95 - 3 * 0.05


def test_tilt_has_its_sign_and_its_interval_holds_the_slope(planted: Published) -> None:
    slope = planted.market.truths.tilt_slope
    rows = tilts(planted, flat=False)
    assert len(rows) > 500
    assert share(rows, lambda row: row["state"] == "small_long") > 0.95
    assert (
        share(rows, lambda r: r["tilt_slope_low_log"] <= slope <= r["tilt_slope_high_log"])
        > LEAST_COVERAGE
    )
    # the mean of 20 independent days, each known to about 0.02 (a quarter of its interval)
    found = np.mean([row["tilt_slope_log"] for row in rows])
    assert found == pytest.approx(slope, abs=4 * 0.02 / math.sqrt(20))
    assert share(rows, lambda row: row["rank_correlation"] < 0) == 1


def test_days_without_a_tilt_have_none(planted: Published) -> None:
    rows = tilts(planted, flat=True)
    assert len(rows) == 60
    # 60 days are 2 independent ones: one of them may err, at either end of the interval
    assert share(rows, lambda row: row["state"] == "none") > 0.5
    assert share(rows, lambda row: row["state"] == "small_long") < 0.5


def test_market_without_a_tilt_reports_none(control: Published) -> None:
    rows = control.rows("signals.rank_tilt_daily", "state <> 'insufficient'")
    assert len(rows) > 500
    assert share(rows, lambda row: row["state"] == "none") > LEAST_COVERAGE
    assert (
        share(rows, lambda r: r["tilt_slope_low_log"] <= 0 <= r["tilt_slope_high_log"])
        > LEAST_COVERAGE
    )


def last_leads(published: Published) -> list[Any]:
    return published.rows(
        "signals.lead_lag",
        "as_of_date = (select max(as_of_date) from signals.lead_lag) "
        "and pair_id in ('rut_top100', 'rut_top100_ex_btc')",
    )


def test_equities_lead_by_the_planted_sessions(planted: Published) -> None:
    rows = last_leads(planted)
    assert len(rows) == 2
    for row in rows:
        # both markets also move together on the day, more than one leads the other
        assert (row["lead_sessions"], row["state"]) == (0, "same_session")
        assert row["apart_lead_sessions"] == planted.market.truths.lead_sessions
        assert row["apart_correlation"] > 0
        assert row["apart_p_value"] < 0.05


def test_market_without_a_lead_reports_none(control: Published) -> None:
    for row in last_leads(control):
        assert row["lead_sessions"] == 0
        assert row["apart_p_value"] > 0.05


def test_streaks_are_as_long_as_planted(planted: Published) -> None:
    rows = planted.rows("signals.equity_pair_daily", "pair_id = 'rut_over_spx'")
    by_session = {row["session_date"]: row for row in rows}
    sessions = sorted(by_session)
    assert [streak.session_count for streak in planted.market.truths.streaks] == [8, 14]
    for streak in planted.market.truths.streaks:
        before = sessions[sessions.index(streak.first_session) - 1]
        after = sessions[sessions.index(streak.last_session) + 1]
        assert by_session[streak.first_session]["streak_sessions"] == 1
        assert by_session[streak.last_session]["streak_sessions"] == streak.session_count
        assert not by_session[before]["is_outperforming"]
        assert not by_session[after]["is_outperforming"]
    notable, historic = (by_session[s.last_session]["state"] for s in planted.market.truths.streaks)
    assert (notable, historic) == ("notable", "historic")


def test_market_without_a_streak_reports_no_historic_one(control: Published) -> None:
    rows = control.rows("signals.equity_pair_daily", "state = 'historic'")
    assert rows == []


def test_crash_is_found_on_its_day_with_its_loss(planted: Published) -> None:
    market, day = planted.market, planted.market.truths.crash_day
    row = planted.row("signals.crash_trigger_daily", market_date=day)
    assert row["is_triggered"]
    assert row["trigger_count"] == 4
    # noise of the days before or after may belong to the same episode, and make others
    events = planted.rows("signals.market_event", "true")
    (event,) = [e for e in events if e["start_date"] <= day <= e["last_trigger_date"]]  # type: ignore[operator]
    assert event["severity_rank"] is not None
    assert event["max_loss_1d_fraction"] == min(e["max_loss_1d_fraction"] for e in events)  # type: ignore[type-var]
    assert event["max_loss_1d_fraction"] == pytest.approx(row["return_1d_fraction"])
    # The planted loss of the market is exp(-0.145) - 1, of small coins up to exp(-0.355) - 1;
    # large coins are most of the worth, so the loss is between, and near the former.
    loss = event["max_loss_1d_fraction"]
    assert math.expm1(-0.20) < loss < math.expm1(-0.12)  # type: ignore[operator]
    indices = planted.rows(
        "indices.index_statistic_daily",
        f"market_date = '{day}' and profile = 'house' and index_id in ('large', 'small')",
    )
    returns = {row["index_id"]: row["return_1d_fraction"] for row in indices}
    assert returns["small"] < returns["large"] < -0.1  # type: ignore[operator]
    place = market.index_of(day)
    interest = np.nansum(market.derivatives.open_interest_usd[place - 1 : place + 1], axis=1)
    # of perpetuals that are in both nights' lists; a listing of the day moves it a little
    assert row["open_interest_change_1d_fraction"] == pytest.approx(
        interest[1] / interest[0] - 1, abs=0.02
    )


def test_crash_liquidates_what_was_planted(planted: Published) -> None:
    market, day = planted.market, planted.market.truths.crash_day
    row = planted.row(
        "signals.liquidation_market_daily", market_date=day, venue="all", quality="reported_floor"
    )
    place = market.index_of(day)
    longs = np.nansum(market.derivatives.long_liquidation_usd[place])
    shorts = np.nansum(market.derivatives.short_liquidation_usd[place])
    # exact, but for perpetuals that the map leads to no coin
    assert row["long_usd"] == pytest.approx(longs, rel=0.02)
    assert row["short_usd"] == pytest.approx(shorts, rel=0.02)
    assert row["percentile_pct"] == 100
    assert row["state"] == "stress"


def test_market_without_a_crash_has_no_liquidation_of_that_size(control: Published) -> None:
    day = simulate(7).until(LAST_DAY).truths.crash_day
    row = control.row("signals.crash_trigger_daily", market_date=day)
    assert row["trigger_count"] < 4  # type: ignore[operator]
    rows = control.rows("signals.crash_trigger_daily", "trigger_count = 4")
    assert rows == []


def flow_states(published: Published, coin_id: str, first: date, last: date) -> list[Any]:
    return published.rows(
        "signals.exchange_flow_asset_daily",
        f"coin_id = '{coin_id}' and market_date between '{first}' and '{last}'",
    )


@pytest.mark.parametrize("kind", ["accumulation", "distribution"])
def test_flows_have_their_state_and_size(planted: Published, kind: str) -> None:
    (spell, *_) = getattr(planted.market.truths, kind)
    # from the seventh day on, the week lies within the spell
    rows = flow_states(planted, spell.coin_id, spell.first_day + 6 * DAY, spell.last_day)
    assert len(rows) == 8
    week = (1 + spell.daily_change_fraction) ** 7 - 1
    expected = "accumulated" if week < 0 else "distributed"
    for row in rows:
        assert row["state"] == expected
        # the share is of the balance a week before; balances have 4 decimals
        assert row["flow_7d_fraction"] == pytest.approx(week, abs=1e-4)


def test_reclassified_wallet_is_no_flow(planted: Published) -> None:
    (spell, *_) = planted.market.truths.reclassification
    (row,) = flow_states(planted, spell.coin_id, spell.first_day, spell.first_day)
    assert row["state"] == "suspect"
    assert row["flow_1d_units"] is None
    # the week around it is made of the other days alone: far from 40 %
    assert abs(row["flow_7d_fraction"]) < 0.1


def test_market_without_flows_reports_none_of_that_size(control: Published) -> None:
    rows = control.rows("signals.exchange_flow_asset_daily", "state = 'suspect'")
    assert rows == []
    truths = simulate(7).until(LAST_DAY).truths
    for spell in (truths.accumulation[0], truths.distribution[0]):
        rows = flow_states(control, spell.coin_id, spell.first_day + 6 * DAY, spell.last_day)
        assert share(rows, lambda row: row["state"] in {"accumulated", "distributed"}) < 0.9
        assert all(abs(row["flow_7d_fraction"]) < 0.06 for row in rows)


def test_break_of_small_against_large_is_dated_at_the_launch(planted: Published) -> None:
    assert planted.market.truths.size_break_day == LAUNCH_DAY
    row = planted.rows("signals.regime_break", "pair_id = 'small_over_large'")[-1]
    assert row["p_value"] < 0.05  # type: ignore[operator]
    assert row["state"] == "break_near_launch"
    # a break of d deviations a day is dated to about 10 / d^2 days (Bai 1997); of the planted
    # 0.004 times the difference in smallness, against 0.012 a day of noise, to a month or two
    assert abs(row["distance_days"]) <= 60  # type: ignore[arg-type]
    statistic = planted.rows(
        "signals.regime_statistic", "pair_id = 'small_over_large' and regime = 'post_etp'"
    )[-1]
    assert statistic["state"] == "lower"
    assert statistic["difference_hac_p_value"] < 0.05  # type: ignore[operator]


def test_market_without_a_break_reports_none(control: Published) -> None:
    assert control.market.truths.size_break_day is None
    statistic = control.rows(
        "signals.regime_statistic", "pair_id = 'small_over_large' and regime = 'post_etp'"
    )[-1]
    row = control.rows("signals.regime_break", "pair_id = 'small_over_large'")[-1]
    assert row["state"] != "break_near_launch"
    assert statistic["state"] == "no_difference"


def test_collapsed_coin_is_as_far_down_as_it_fell(planted: Published) -> None:
    market = planted.market
    column = next(n for n, c in enumerate(market.coins) if c.coin_id == market.collapsing_coin_id)
    last = (market.collapse_day - FIRST_DAY).days + 4
    prices = market.paths.price_usd[: last + 1, column]
    day = market.collapse_day + 4 * DAY
    row = planted.row(
        "signals.drawdown_asset_daily", coin_id=market.collapsing_coin_id, market_date=day
    )
    assert row["drawdown_fraction"] == pytest.approx(prices[-1] / prices.max() - 1, abs=1e-6)


@pytest.mark.parametrize("coin_id", ["bitcoin", "ethereum"])
def test_market_over_realised_value_is_the_chains(planted: Published, coin_id: str) -> None:
    ratios = planted.market.flows.onchain[coin_id].mvrv
    rows = planted.rows("signals.holder_stress_daily", f"coin_id = '{coin_id}'")
    known = [row for row in rows if row["mvrv_ratio"] is not None]
    assert len(known) > 500
    for row in known:
        place = planted.market.index_of(row["market_date"])  # type: ignore[arg-type]
        assert row["mvrv_ratio"] == pytest.approx(ratios[place], rel=1e-6)
        assert (row["mvrv_ratio"] < 1) == (row["state"] in {"underwater", "deep_underwater"})  # type: ignore[operator]


def test_mood_is_the_planted_score(planted: Published) -> None:
    rows = planted.rows("signals.external_sentiment_daily", "source = 'alternative_me'")
    assert len(rows) > 600
    for row in rows:
        place = planted.market.index_of(row["market_date"])  # type: ignore[arg-type]
        assert row["score"] == planted.market.factors.sentiment[place]


def test_venue_is_pooled_in_units_of_the_coin(planted: Published) -> None:
    """Perpetuals of a thousand or a million coins bring the ratio of their coin."""
    market, day = planted.market, FIRST_DAY + 300 * DAY
    place = market.index_of(day)
    multiplied = [p for p in market.derivatives.perps if p.multiplier > 1]
    assert multiplied
    found = 0
    for perp in multiplied:
        column = market.derivatives.column(perp.symbol)
        ratio = market.derivatives.long_short_account_ratio[place, column]
        rows = planted.rows(
            "signals.positioning_asset_daily",
            f"coin_id = '{perp.coin_id}' and market_date = '{day}'",
        )
        if rows and not np.isnan(ratio):
            found += 1
            assert rows[0]["long_short_account_ratio"] == pytest.approx(ratio, rel=0.05)
    assert found > 0
