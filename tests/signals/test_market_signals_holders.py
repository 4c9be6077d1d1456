"""Drawdowns by our own highs, and whether holders are under water."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from given_tables import build, days_from, raw_row
from harness import Row

START = date(2024, 1, 1)


def member(day: date, coin_id: str, price: float, cap: float = 1.0, **values: object) -> Row:
    return {
        "market_date": day,
        "index_id": "top100",
        "coin_id": coin_id,
        "price_usd": price,
        "market_cap_usd": cap,
        "is_fresh": True,
        "stale_days": 0,
    } | values


def priced(coin_id: str, prices: Sequence[float], start: date = START) -> list[Row]:
    return [
        {
            "market_date": day,
            "coin_id": coin_id,
            "price_usd": price,
            "observed_date": day,
            "stale_days": 0,
        }
        for day, price in zip(days_from(start, len(prices)), prices, strict=True)
    ]


def drawdowns(paths: dict[str, Sequence[float]], **values: object) -> list[Row]:
    """Return the last day's rows of coins that are all there from the first day."""
    last = START + timedelta(days=len(next(iter(paths.values()))) - 1)
    given = {
        "signals.member_daily": [
            member(last, coin_id, path[-1], **values) for coin_id, path in paths.items()
        ],
        "indices.constituent_price_daily": [
            row for coin_id, path in paths.items() for row in priced(coin_id, path)
        ],
    }
    with build("signals.drawdown_asset_daily", given) as built:
        return built.rows("signals.drawdown_asset_daily")


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (81, "down_0_20"),
        (80, "down_20_50"),
        (51, "down_20_50"),
        (50, "down_50_80"),
        (21, "down_50_80"),
        (20, "down_80_90"),
        (11, "down_80_90"),
        (10, "down_90_100"),
    ],
)
def test_bucket_takes_its_lower_edge(last: float, state: str) -> None:
    (row,) = drawdowns({"a": [64, 128, last * 1.28]})
    assert row["high_usd"] == 128
    assert row["high_date"] == START + timedelta(days=1)
    assert row["state"] == state


def test_high_is_of_the_closes_so_far_and_its_first_day() -> None:
    (row,) = drawdowns({"a": [10, 30, 20, 30, 15]})
    assert (row["high_date"], row["days_since_high"]) == (START + timedelta(days=1), 3)
    assert row["low_usd"] == 10
    assert row["drawdown_fraction"] == pytest.approx(-0.5)


@pytest.mark.parametrize(("last", "is_near"), [(11.0, True), (11.1, False)])
def test_near_low_is_at_most_a_tenth_above(last: float, is_near: bool) -> None:
    (row,) = drawdowns({"a": [20, 10, last]})
    assert row["is_near_low"] is is_near


def test_stale_price_has_no_drawdown() -> None:
    (row,) = drawdowns({"a": [20, 10, 10]}, is_fresh=False)
    assert (row["drawdown_fraction"], row["is_near_low"]) == (None, False)
    assert row["state"] == "insufficient"


@pytest.mark.parametrize(("age", "is_counted"), [(179, False), (180, True)])
def test_new_listing_counts_after_180_days(age: int, is_counted: bool) -> None:
    last = START + timedelta(days=400)
    given = {
        "signals.member_daily": [member(last, "new", 1.0)],
        "indices.constituent_price_daily": priced("old", [1.0])
        + priced("new", [2.0] * age + [1.0], last - timedelta(days=age)),
    }
    given["signals.member_daily"].append(member(START, "old", 1.0))
    with build("signals.drawdown_asset_daily", given) as built:
        row = built.row("signals.drawdown_asset_daily", coin_id="new")
        old = built.row("signals.drawdown_asset_daily", coin_id="old")
    assert (row["drawdown_fraction"] is not None) is is_counted
    assert old["drawdown_fraction"] == 0  # there since the first day of all history


def breadth_of_drawdowns(depths: dict[str, tuple[float | None, float]]) -> Row:
    states = [(-0.9, "down_90_100"), (-0.8, "down_80_90"), (-0.5, "down_50_80"), (9, "down_0_20")]
    given = {
        "signals.member_daily": [
            member(START, coin_id, 1.0, cap) for coin_id, (_, cap) in depths.items()
        ],
        "signals.drawdown_asset_daily": [
            {
                "market_date": START,
                "coin_id": coin_id,
                "drawdown_fraction": depth,
                "is_near_low": depth is not None and depth <= -0.95,
                "state": "insufficient"
                if depth is None
                else next(state for edge, state in states if depth <= edge),
            }
            for coin_id, (depth, _) in depths.items()
        ],
    }
    with build("signals.drawdown_market_daily", given) as built:
        return built.row("signals.drawdown_market_daily")


def test_shares_are_told_by_count_and_by_cap() -> None:
    row = breadth_of_drawdowns(
        {"a": (-0.1, 70), "b": (-0.85, 20), "c": (-0.95, 10), "d": (None, 1000)}
    )
    assert row["down_80_90_fraction"] == pytest.approx(1 / 3)
    assert row["down_80_fraction"] == pytest.approx(2 / 3)
    assert row["down_80_90_cap_fraction"] == pytest.approx(0.2)
    assert row["down_90_100_cap_fraction"] == pytest.approx(0.1)
    assert row["near_low_fraction"] == pytest.approx(1 / 3)
    assert row["median_drawdown_fraction"] == pytest.approx(-0.85)
    assert row["state"] == "capitulation"
    assert row["coverage_fraction"] == 0.75


def test_shares_need_half_of_the_coins() -> None:
    row = breadth_of_drawdowns({"a": (-0.9, 1), "b": (None, 1), "c": (None, 1)})
    assert row["down_80_fraction"] is None
    assert row["down_80_90_cap_fraction"] is None
    assert row["state"] == "insufficient"


def test_many_near_their_lows_is_extreme() -> None:
    depths = {"a": (-0.96, 1), "b": (-0.1, 1)}
    assert breadth_of_drawdowns({**depths, "c": (-0.6, 1)})["state"] == "normal"
    given = {**depths, "c": (-0.96, 1), "d": (-0.1, 1), "e": (-0.1, 1)}
    assert breadth_of_drawdowns(given)["state"] == "near_low_extreme"


def turnovers(
    prices: Sequence[float], shares: Sequence[float | None], coin_id: str = "a"
) -> list[Row]:
    return [
        {
            "market_date": day,
            "coin_id": coin_id,
            "price_usd": price,
            "turnover_fraction": share,
            "volume_24h_usd": None if share is None else 1e6 * share,
        }
        for day, price, share in zip(days_from(START, len(prices)), prices, shares, strict=True)
    ]


def reference_prices(rows: list[Row]) -> list[float | None]:
    with build("signals.reference_price_daily", {"signals.coin_turnover_daily": rows}) as built:
        return [r["reference_price_usd"] for r in built.rows("signals.reference_price_daily")]


def by_hand(prices: Sequence[float], shares: Sequence[float | None]) -> list[float]:
    """Return the recursion of Grinblatt and Han, a day at a time."""
    price = prices[0]
    found = []
    for today, share in zip(prices, shares, strict=True):
        part = share or 0.0
        price = part * today + (1 - part) * price
        found.append(price)
    return found


@pytest.mark.parametrize("most", [0.01, 0.2])
def test_reference_price_is_the_recursion(most: float) -> None:
    chance = random.Random(9)
    # At a fifth a day, 3,000 days are 670 logarithms: past what one double can scale.
    count = 3000 if most == 0.2 else 500
    prices = [100 * math.exp(0.5 * chance.gauss(0, 1)) for _ in range(count)]
    shares: list[float | None] = [
        most if most == 0.2 else chance.uniform(0, most) for _ in range(count)
    ]
    shares[400] = None
    found = reference_prices(turnovers(prices, shares))
    expected = by_hand(prices, shares)
    assert found[:291] == [None] * 291
    assert found[291:] == [pytest.approx(price, rel=1e-9) for price in expected[291:]]


def test_estimate_needs_292_days_of_volume_in_a_year() -> None:
    shares: list[float | None] = [0.01] * 400
    for place in range(10, 84):
        shares[place] = None
    found = reference_prices(turnovers([1.0] * 400, shares))
    assert found[364] is None  # 291 of 365
    assert found[365] is None  # 291: a day with a volume left as another came
    assert found[375] is not None


def test_no_reported_volume_is_no_turnover() -> None:
    given = {
        "signals.coin_return_daily": [
            {"market_date": START, "coin_id": name, "price_usd": 1.0}
            for name in ("silent", "wash", "plain")
        ],
        "raw.market_daily": [
            raw_row(START, coin_id=name, price_usd=1.0, market_cap_usd=100.0, volume_24h_usd=volume)
            for name, volume in (("silent", None), ("wash", 90.0), ("plain", 3.0))
        ],
    }
    with build("signals.coin_turnover_daily", given) as built:
        told = {
            r["coin_id"]: r["turnover_fraction"] for r in built.rows("signals.coin_turnover_daily")
        }
    assert told == {"silent": None, "wash": 0.2, "plain": pytest.approx(0.03)}


def stress(prices: Sequence[float], onchain: float | None = None) -> Row:
    last = START + timedelta(days=len(prices) - 1)
    given = {
        "signals.member_daily": [member(last, "a", prices[-1])],
        "signals.coin_turnover_daily": turnovers(prices, [0.05] * len(prices)),
        "raw.onchain_daily": []
        if onchain is None
        else [raw_row(last, coin_id="a", metric="CapMVRVCur", value=onchain)],
    }
    with build("signals.holder_stress_daily", given) as built:
        return built.row("signals.holder_stress_daily")


@pytest.mark.parametrize(
    ("last", "state"), [(200.0, "above_water"), (90.0, "underwater"), (40.0, "deep_underwater")]
)
def test_holders_are_under_water_by_estimate(last: float, state: str) -> None:
    row = stress([100.0] * 299 + [last])
    cost = 0.05 * last + 0.95 * 100
    assert row["estimated_cost_usd"] == pytest.approx(cost)
    assert row["estimated_gain_fraction"] == pytest.approx(1 - cost / last)
    assert row["estimated_volume_above_fraction"] == pytest.approx(0 if last > 100 else 299 / 300)
    assert row["method"] == "estimated_from_volume"
    assert row["state"] == state


def test_chain_speaks_before_the_estimate() -> None:
    row = stress([100.0] * 299 + [200.0], onchain=0.9)
    assert row["method"] == "onchain"
    assert row["state"] == "underwater"
    assert row["estimated_gain_fraction"] > 0


def test_coin_without_a_year_of_volume_says_nothing() -> None:
    row = stress([100.0] * 100)
    assert (row["method"], row["state"]) == ("none", "insufficient")
    assert row["estimated_volume_above_fraction"] is None
