"""What flows to an exchange and from it, and what only looks like a flow."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from given_tables import build, days_from, raw_row
from harness import Row

START = date(2025, 1, 1)
QUIET_DAYS = 200


def balances(
    units: Sequence[float], symbol: str = "LINK", prices: Sequence[float] | float = 10.0
) -> list[Row]:
    if isinstance(prices, int | float):
        prices = [prices] * len(units)
    return [
        raw_row(
            day,
            exchange="binance",
            token_symbol=symbol,
            balance_units=held,
            balance_usd=held * price,
        )
        for day, held, price in zip(days_from(START, len(units)), units, prices, strict=True)
    ]


def quiet(seed: int = 1, count: int = QUIET_DAYS) -> list[float]:
    """Return balances around a million that come and go by a tenth of a per cent."""
    chance = random.Random(seed)
    held = [1e6]
    for _ in range(count - 1):
        held.append(held[-1] * (1 + chance.gauss(0, 0.001)))
    return held


def then(held: list[float], *daily_changes: float) -> list[float]:
    path = list(held)
    for change in daily_changes:
        path.append(path[-1] * (1 + change))
    return path


def flows(rows: list[Row], members: Sequence[Row] = ()) -> list[Row]:
    given = {
        "raw.exchange_balance_daily": rows,
        "signals.member_daily": list(members),
        "staging.coin": [{"coin_id": "chainlink", "symbol": "link"}],
    }
    with build("signals.exchange_flow_asset_daily", given) as built:
        return built.rows("signals.exchange_flow_asset_daily")


@pytest.mark.parametrize(
    ("change", "state"),
    [(-0.01, "accumulated"), (0.01, "distributed"), (0.0, "neutral"), (-0.002, "neutral")],
)
def test_state_is_that_of_the_week(change: float, state: str) -> None:
    last = flows(balances(then(quiet(), *[change] * 7)))[-1]
    assert last["flow_7d_fraction"] == pytest.approx((1 + change) ** 7 - 1, abs=1e-9)
    assert last["state"] == state


def test_flow_of_a_price_is_none() -> None:
    prices = [10.0 + 0.05 * place for place in range(20)]
    last = flows(balances([1e6] * 20, prices=prices))[-1]
    assert (last["flow_7d_units"], last["flow_7d_usd"]) == (0, 0)


def test_dollars_are_units_at_todays_price() -> None:
    last = flows(balances([1000.0] * 9 + [1010.0], prices=[1.0] * 9 + [3.0]))[-1]
    assert last["flow_1d_usd"] == pytest.approx(30)


def test_jump_without_an_answer_of_the_price_is_suspect_and_in_no_sum() -> None:
    rows = flows(balances(then(quiet(), 0.0, 0.16, 0.0)))
    assert rows[-2]["state"] == "suspect"
    assert rows[-2]["flow_1d_units"] is None
    assert rows[-1]["state"] == "neutral"
    assert rows[-1]["suspect_days"] == 1
    assert abs(rows[-1]["flow_7d_fraction"]) < 0.01


@pytest.mark.parametrize(("change", "price"), [(0.16, 11.1), (0.14, 10.0)])
def test_jump_with_an_answer_or_below_the_limit_is_a_flow(change: float, price: float) -> None:
    prices = [10.0] * QUIET_DAYS + [price]
    last = flows(balances(then(quiet(), change), prices=prices))[-1]
    assert last["suspect_days"] == 0
    assert last["state"] == "distributed"


def test_new_token_has_no_flow_on_its_first_two_days() -> None:
    rows = flows(balances([1.0, 5e5, 5.1e5, 5.2e5]))
    assert [row["flow_1d_units"] for row in rows] == [None, None, pytest.approx(1e4), 1e4]


def test_week_needs_six_flows_and_the_state_180_weeks() -> None:
    rows = flows(balances(quiet()))
    assert [row["flow_7d_units"] for row in rows[:7]] == [None] * 7
    assert rows[7]["flow_7d_units"] is not None
    assert {row["state"] for row in rows[: 7 + 179]} == {"insufficient"}
    assert rows[7 + 179]["flow_7d_robust_z"] is not None
    assert rows[7 + 179]["observation_count"] == 180


def test_day_that_was_not_seen_has_no_flow() -> None:
    rows = balances([1e6, 1e6, 1e6, 2e6, 2e6])
    del rows[3]
    assert flows(rows)[-1]["flow_1d_units"] is None


def test_symbol_is_a_member_only_with_its_price() -> None:
    day = START
    member = {
        "market_date": day,
        "index_id": "top100",
        "coin_id": "chainlink",
        "cap_rank": 9,
        "is_fresh": True,
        "price_usd": 10.4,
    }
    assert flows(balances([1.0]), [member])[0]["coin_id"] == "chainlink"
    assert flows(balances([1.0], prices=20.0), [member])[0]["coin_id"] is None


def market(rows: list[Row], members: Sequence[Row] = ()) -> Row:
    given = {
        "raw.exchange_balance_daily": rows,
        "signals.member_daily": list(members),
        "staging.coin": [
            {"coin_id": "tether", "symbol": "usdt"},
            {"coin_id": "chainlink", "symbol": "link"},
        ],
        "reference.asset_class": [{"coin_id": "tether", "asset_class": "fiat_stablecoin"}],
    }
    with build("signals.exchange_flow_market_daily", given) as built:
        return built.rows("signals.exchange_flow_market_daily")[-1]


def test_market_leaves_out_the_own_token_and_tells_stablecoins_apart() -> None:
    path = [1e6] * 10 + [1.01e6]
    row = market(
        balances(path, "LINK", 10.0)
        + balances([1e6] * 10 + [0.9e6], "BNB", 600.0)
        + balances([1e6] * 10 + [1.2e6 / 1.1], "USDT", 1.0)
    )
    assert row["net_flow_1d_usd"] == pytest.approx(1e5)
    assert row["net_flow_7d_usd"] == pytest.approx(1e5)
    assert row["net_flow_7d_fraction"] == pytest.approx(0.01)
    assert row["stablecoin_flow_7d_usd"] == pytest.approx(1e6 * (1.2 / 1.1 - 1))
    assert row["token_count"] == 1


@pytest.mark.parametrize(
    ("change", "state"), [(-0.02, "normal"), (-0.03, "outflow"), (-0.06, "extreme_outflow")]
)
def test_market_state_is_by_the_share_that_left(change: float, state: str) -> None:
    assert market(balances([1e6] * 10 + [1e6 * (1 + change)]))["state"] == state


def test_coverage_is_the_weight_of_the_members_that_are_held() -> None:
    last = START + timedelta(days=9)
    members = [
        {
            "market_date": last,
            "index_id": "top100",
            "coin_id": coin_id,
            "cap_rank": 1,
            "is_fresh": True,
            "price_usd": 10.0,
            "weight_fraction": weight,
        }
        for coin_id, weight in (("chainlink", 0.3), ("other", 0.7))
    ]
    assert market(balances([1e6] * 10), members)["coverage_fraction"] == pytest.approx(0.3)


def onchain(net: Sequence[float]) -> list[Row]:
    rows = []
    for day, flow in zip(days_from(START, len(net)), net, strict=True):
        for metric, value in (
            ("FlowInExUSD", 1e8 + flow),
            ("FlowOutExUSD", 1e8),
            ("SplyExNtv", 2e6),
            ("SplyExUSD", 1e9),
        ):
            rows.append(raw_row(day, coin_id="bitcoin", metric=metric, value=value))
    with build("signals.onchain_flow_daily", {"raw.onchain_daily": rows}) as built:
        return built.rows("signals.onchain_flow_daily")


@pytest.mark.parametrize(("daily", "state"), [(-4e6, "accumulated"), (4e6, "distributed")])
def test_chain_tells_the_same_states(daily: float, state: str) -> None:
    chance = random.Random(2)
    rows = onchain([chance.gauss(0, 1e5) for _ in range(QUIET_DAYS)] + [daily] * 7)
    assert rows[-1]["net_flow_7d_usd"] == pytest.approx(7 * daily)
    assert rows[-1]["net_flow_7d_fraction"] == pytest.approx(7 * daily / 1e9)
    assert rows[-1]["state"] == state
    assert rows[100]["state"] == "insufficient"
    assert rows[4]["net_flow_7d_usd"] is None
