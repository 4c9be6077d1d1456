"""What is planted in the market can be found again in its history."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.stats import spearmanr, theilslopes

from pipeline.datasets import get_dataset
from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.raw_frames import FRAMES

FIRST_DAY, LAST_DAY = date(2022, 1, 1), date(2026, 3, 31)
ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module", params=[7, 42])
def market(request: pytest.FixtureRequest) -> SimulatedMarket:
    return SimulatedMarket(request.param, FIRST_DAY, LAST_DAY)


def history(market: SimulatedMarket, name: str) -> pd.DataFrame:
    return FRAMES[name](market, FIRST_DAY, LAST_DAY)


@pytest.fixture(scope="module")
def ratios(market: SimulatedMarket) -> pd.DataFrame:
    """Log long/short ratio and log cap, a row per day and perpetual in USDT."""
    perps = {perp.symbol: perp.coin_id for perp in market.derivatives.perps}
    positioning = history(market, "positioning_daily")
    positioning = positioning[positioning["perp_symbol"].str.endswith("USDT")]
    coins = history(market, "market_daily")[["market_date", "coin_id", "market_cap_usd"]]
    both = positioning.assign(coin_id=positioning["perp_symbol"].map(perps)).merge(coins)
    return both.assign(
        log_ratio=np.log(both["long_short_account_ratio"]), log_cap=np.log(both["market_cap_usd"])
    )


@pytest.fixture(scope="module")
def equity_returns(market: SimulatedMarket) -> pd.DataFrame:
    equity = market.equity_history(FIRST_DAY, LAST_DAY)
    levels = equity.pivot(index="session_date", columns="ticker", values="close_points")
    return np.log(levels).diff().dropna()


def test_truth_tilt_smaller_coins_are_held_longer(
    market: SimulatedMarket, ratios: pd.DataFrame
) -> None:
    flat_from, flat_until = market.truths.flat_days
    days = ratios.groupby("market_date")
    tilts = pd.Series({day: spearmanr(rows["log_cap"], rows["log_ratio"])[0] for day, rows in days})
    is_flat = np.array([flat_from <= day <= flat_until for day in tilts.index])
    assert (tilts[~is_flat] < -0.2).mean() > 0.97
    assert abs(tilts[is_flat].mean()) < 0.12


def test_truth_tilt_has_the_planted_slope(market: SimulatedMarket, ratios: pd.DataFrame) -> None:
    day = date(2025, 6, 1)
    slopes = [
        theilslopes(rows["log_ratio"], rows["log_cap"])[0]
        for back in range(0, 600, 40)
        if len(rows := ratios[ratios["market_date"] == day - timedelta(days=back)])
    ]
    assert np.mean(slopes) == pytest.approx(market.truths.tilt_slope, rel=0.25)


def test_truth_most_altcoins_are_held_long(ratios: pd.DataFrame) -> None:
    assert 0.5 < (ratios["log_ratio"] > 0).mean() < 0.95


def test_truth_lead_small_caps_move_ahead_of_the_crypto_total(
    market: SimulatedMarket, equity_returns: pd.DataFrame
) -> None:
    totals = history(market, "global_daily").set_index("market_date")["total_market_cap_usd"]
    crypto = np.log(totals.reindex(equity_returns.index)).diff().dropna()
    rut = equity_returns["RUT"].reindex(crypto.index)
    correlation = {lead: rut.shift(lead).corr(crypto) for lead in range(-10, 11) if lead != 0}
    lead = market.truths.lead_sessions
    assert max(correlation, key=lambda k: abs(correlation[k])) == lead
    assert correlation[lead] > 0.12
    later = crypto.shift(-lead).dropna()
    slope = np.polyfit(later, rut.reindex(later.index), 1)[0]
    assert slope == pytest.approx(market.truths.lead_coefficient, rel=0.35)


def test_truth_streaks_are_exactly_as_long_as_planted(
    market: SimulatedMarket, equity_returns: pd.DataFrame
) -> None:
    wins = equity_returns["RUT"] > equity_returns["SPX"]
    sessions = list(wins.index)
    assert [streak.session_count for streak in market.truths.streaks] == [8, 14]
    for streak in market.truths.streaks:
        first, last = sessions.index(streak.first_session), sessions.index(streak.last_session)
        assert last - first + 1 == streak.session_count
        assert wins.iloc[first : last + 1].all()
        assert not wins.iloc[first - 1]
        assert not wins.iloc[last + 1]
    longest = wins.astype(int).groupby((~wins).cumsum()).sum().max()
    assert longest == 14
    assert market.truths.streaks[1].last_session == date(2026, 1, 22)


def flows(market: SimulatedMarket) -> pd.DataFrame:
    balances = history(market, "exchange_balance_daily")
    return balances.pivot(index="market_date", columns="token_symbol", values="balance_units")


def test_truth_flow_spells_stand_out_from_the_noise(market: SimulatedMarket) -> None:
    units = flows(market)
    weekly = units.pct_change(7, fill_method=None)
    truths = market.truths
    assert len(truths.accumulation) == len(truths.distribution) == 5
    for spell in (*truths.accumulation, *truths.distribution):
        assert (spell.last_day - spell.first_day).days == 13
        change = weekly.loc[spell.last_day, spell.token_symbol]
        assert change == pytest.approx((1 + spell.daily_change_fraction) ** 7 - 1, abs=1e-5)
        before = weekly.loc[: spell.first_day - ONE_DAY, spell.token_symbol].dropna()
        assert abs(change) > 2 * before[before.abs() < 0.06].std()


def test_truth_reclassified_wallets_are_steps_of_one_day(market: SimulatedMarket) -> None:
    daily = flows(market).pct_change(1, fill_method=None)
    for spell in market.truths.reclassification:
        assert spell.first_day == spell.last_day
        step = daily.loc[spell.first_day, spell.token_symbol]
        assert step == pytest.approx(spell.daily_change_fraction, abs=1e-6)
        assert abs(step) > 0.15
    planted = {spell.token_symbol for spell in market.truths.reclassification}
    assert daily.drop(columns=list(planted)).abs().max().max() < 0.15


def test_truth_crash_liquidates_longs_and_takes_open_interest(market: SimulatedMarket) -> None:
    day = market.truths.crash_day
    assert day == date(2025, 10, 10)
    sums = history(market, "liquidation_daily").groupby("market_date")[["long_usd", "short_usd"]]
    liquidated = sums.sum()
    before = liquidated["long_usd"].loc[day - 90 * ONE_DAY : day - ONE_DAY]
    assert liquidated["long_usd"].idxmax() == day
    assert liquidated.loc[day, "long_usd"] > 10 * before.median()
    assert liquidated.loc[day, "short_usd"] < 3 * before.median()
    interest = history(market, "open_interest_daily").groupby("market_date")["open_interest_usd"]
    total = interest.sum()
    assert total[day] < 0.7 * total[day - ONE_DAY]


def test_truth_multipliers_are_the_ratio_of_perp_to_spot(market: SimulatedMarket) -> None:
    perps = FRAMES["perp_daily"](market, FIRST_DAY, FIRST_DAY)
    closes = perps.set_index("perp_symbol")["close_usd"]
    prices = market.coins_on(FIRST_DAY).set_index("coin_id")["price_usd"]
    coin_of = {perp.symbol: perp.coin_id for perp in market.derivatives.perps}
    multipliers = market.truths.multipliers
    assert {multipliers.get(symbol, 1) for symbol in closes.index} == {1, 1000, 1_000_000}
    for symbol, close in closes.items():
        ratio = close / prices[coin_of[symbol]]
        assert ratio == pytest.approx(multipliers.get(symbol, 1), rel=0.01)
    (false_friend,) = market.truths.false_friends
    assert false_friend.startswith("1000")
    assert false_friend not in multipliers


def test_truth_delisted_perps_are_gone_while_their_coins_live(market: SimulatedMarket) -> None:
    assert market.truths.delisted_perps
    days = history(market, "perp_daily").groupby("perp_symbol")["market_date"].max()
    coin_of = {perp.symbol: perp.coin_id for perp in market.derivatives.perps}
    for symbol, gone in market.truths.delisted_perps.items():
        assert days[symbol] == gone - ONE_DAY
        assert coin_of[symbol] in set(market.coins_on(gone)["coin_id"])


def test_truth_funding_comes_every_four_or_eight_hours_and_may_change(
    market: SimulatedMarket,
) -> None:
    counts = market.derivatives.funding_event_count
    first, later = counts[0], counts[200]
    assert set(first[~np.isnan(first)]) == set(later[~np.isnan(later)]) == {3.0, 6.0}
    is_changed = ~np.isnan(first) & ~np.isnan(later) & (first != later)
    assert is_changed.sum() == 1


@pytest.mark.parametrize("name", [name for name in FRAMES if name != "market_daily"])
def test_history_has_the_columns_and_keys_of_its_dataset(
    market: SimulatedMarket, name: str
) -> None:
    frame = FRAMES[name](market, LAST_DAY - 60 * ONE_DAY, LAST_DAY)
    dataset = get_dataset(name.partition("_daily")[0] + "_daily")
    assert tuple(frame.columns) == dataset.column_names
    assert len(frame) > 0
    assert not frame.duplicated(list(dataset.key)).any()
    assert frame[list(dataset.key)].notna().all().all()


@pytest.mark.parametrize("later_days", [30, 300])
def test_history_of_derivatives_and_flows_does_not_change_when_the_market_grows(
    later_days: int,
) -> None:
    last = FIRST_DAY + 254 * ONE_DAY
    short = SimulatedMarket(7, FIRST_DAY, last, 90)
    long = SimulatedMarket(7, FIRST_DAY, last + later_days * ONE_DAY, 90)
    for name, make in FRAMES.items():
        once, extended = (make(m, FIRST_DAY, last) for m in (short, long))
        assert_frame_equal(once, extended, check_exact=True, obj=name)


def test_scenario_moves_the_planted_truths() -> None:
    scenario = Scenario(collapse_index=10, crash_index=40, streaks=((20, 5),), flow_index=15)
    market = SimulatedMarket(7, FIRST_DAY, FIRST_DAY + 99 * ONE_DAY, 60, scenario)
    truths = market.truths
    assert truths.crash_day == FIRST_DAY + 40 * ONE_DAY
    assert [streak.session_count for streak in truths.streaks] == [5]
    assert truths.streaks[0].first_session == date(2022, 1, 21)
    assert truths.accumulation[0].first_day == FIRST_DAY + 15 * ONE_DAY
    returns = np.log(
        market.equity_history(FIRST_DAY, market.last_day)
        .pivot(index="session_date", columns="ticker", values="close_points")
        .loc[: truths.streaks[0].last_session]
    ).diff()
    wins = (returns["RUT"] > returns["SPX"]).to_numpy()
    assert wins[-5:].all()
    assert not wins[-6]
