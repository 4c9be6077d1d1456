"""Long and short accounts: per coin, per market, against size, and how crowded they are."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import pytest
from given_tables import build, days_from, percentile_of_last, raw_row
from harness import Row

DAY = date(2026, 1, 15)


def symbol(coin_id: str, venue: str = "binance", perp: str | None = None, day: date = DAY) -> Row:
    return {
        "market_date": day,
        "venue": venue,
        "perp_symbol": perp or f"{coin_id}USDT",
        "coin_id": coin_id,
        "multiplier": 1.0,
    }


def ratio(
    coin_id: str,
    value: float | None,
    venue: str = "binance",
    perp: str | None = None,
    day: date = DAY,
    **values: float,
) -> Row:
    return raw_row(
        day,
        venue=venue,
        perp_symbol=perp or f"{coin_id}USDT",
        long_short_account_ratio=value,
        **values,
    )


def interest(coin_id: str, usd: float, venue: str = "binance", perp: str | None = None) -> Row:
    return raw_row(DAY, venue=venue, perp_symbol=perp or f"{coin_id}USDT", open_interest_usd=usd)


def positions(
    symbols: list[Row], ratios: list[Row], interests: Sequence[Row] = (), **given: list[Row]
) -> dict[tuple[str, str], Row]:
    tables = {
        "staging.perp_symbol_map": symbols,
        "raw.positioning_daily": ratios,
        "raw.open_interest_daily": list(interests),
        "signals.member_daily": [],
    } | given
    with build("signals.positioning_asset_daily", tables) as built:
        rows = built.rows("signals.positioning_asset_daily", market_date=DAY)
    return {(row["coin_id"], row["venue"]): row for row in rows}


def test_perpetuals_of_a_coin_count_by_what_is_open_in_them() -> None:
    found = positions(
        [symbol("pepe"), symbol("pepe", perp="1000PEPEUSDC")],
        [ratio("pepe", 4.0), ratio("pepe", 1.0, perp="1000PEPEUSDC")],
        [interest("pepe", 3e6), interest("pepe", 1e6, perp="1000PEPEUSDC")],
    )
    row = found["pepe", "binance"]
    assert row["long_short_account_ratio"] == pytest.approx(math.exp(0.75 * math.log(4)))
    assert row["open_interest_usd"] == 4e6
    assert row["perp_count"] == 2
    assert row["ratio_kind"] == "accounts"


def test_venues_are_brought_to_one_middle_before_they_are_pooled() -> None:
    coins = {"a": 0.4, "b": 0.1, "c": -0.2}
    offsets = {"binance": 0.0, "bybit": 0.3}
    found = positions(
        [symbol(coin, venue) for coin in coins for venue in offsets],
        [
            ratio(coin, math.exp(log + offset), venue)
            for coin, log in coins.items()
            for venue, offset in offsets.items()
        ],
    )
    for coin, log in coins.items():
        row = found[coin, "pooled"]
        assert math.log(row["long_short_account_ratio"]) == pytest.approx(log + 0.15)
        assert row["venue_count"] == 2
    assert math.log(found["a", "bybit"]["long_short_account_ratio"]) == pytest.approx(0.7)


def test_venue_that_lists_only_some_coins_does_not_bend_the_others() -> None:
    found = positions(
        [symbol(c) for c in ("a", "b", "c")] + [symbol("b", "bybit")],
        [ratio("a", 3.0), ratio("b", 2.0), ratio("c", 1.0), ratio("b", 5.0, "bybit")],
    )
    told = [found[c, "pooled"]["long_short_account_ratio"] for c in ("a", "b", "c")]
    assert told[0] / told[1] == pytest.approx(1.5)
    assert told[1] / told[2] == pytest.approx(2.0)


@pytest.mark.parametrize(("value", "is_kept"), [(48.9, True), (49.1, False), (0.0203, False)])
def test_ratio_with_less_than_two_per_cent_on_a_side_is_left_out(
    value: float, is_kept: bool
) -> None:
    row = positions([symbol("a")], [ratio("a", value)])["a", "binance"]
    assert (row["long_short_account_ratio"] is not None) is is_kept
    assert (row["state"] == "insufficient") is not is_kept


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (3.01, "crowded_long"),
        (1.2, "long_biased"),
        (0.9, "short_biased"),
        (0.49, "crowded_short"),
    ],
)
def test_state_of_a_coin(value: float, state: str) -> None:
    assert positions([symbol("a")], [ratio("a", value)])["a", "pooled"]["state"] == state


def test_perpetual_of_no_coin_has_no_row() -> None:
    share = symbol("tsla") | {"coin_id": None}
    found = positions([share, symbol("a")], [ratio("tsla", 3.27), ratio("a", 1.5)])
    assert set(found) == {("a", "binance"), ("a", "pooled")}


@pytest.mark.parametrize(("day_count", "is_known"), [(5, False), (6, True)])
def test_funding_needs_six_days_and_is_a_year_of_daily_sums(day_count: int, is_known: bool) -> None:
    days = days_from(DAY - timedelta(days=day_count - 1), day_count)
    row = positions(
        [symbol("a", day=day) for day in days],
        [],
        **{
            "raw.funding_daily": [
                raw_row(day, venue="binance", perp_symbol="aUSDT", funding_rate_fraction=0.0003)
                for day in days
            ]
        },
    )["a", "binance"]
    expected = pytest.approx(0.0003 * 365, abs=1e-7) if is_known else None
    assert row["funding_7d_annual_fraction"] == expected


def member(coin_id: str, cap: float, index_id: str = "top100_ex_btc", day: date = DAY) -> Row:
    return {
        "market_date": day,
        "index_id": index_id,
        "coin_id": coin_id,
        "is_fresh": True,
        "market_cap_usd": cap,
        "weight_fraction": cap,
    }


def position(coin_id: str, value: float | None, day: date = DAY, **values: object) -> Row:
    return {
        "market_date": day,
        "coin_id": coin_id,
        "venue": "pooled",
        "is_member": True,
        "long_short_account_ratio": value,
    } | values


def breadth(members: Iterable[Row], rows: Iterable[Row]) -> list[Row]:
    given = {
        "signals.member_daily": list(members),
        "signals.positioning_asset_daily": list(rows),
    }
    with build("signals.positioning_market_daily", given) as built:
        return built.rows("signals.positioning_market_daily")


def test_breadth_counts_coins_and_leaves_bitcoin_out() -> None:
    coins = {"a": 3.0, "b": 1.5, "c": 0.8, "d": None, "bitcoin": 0.5}
    (row,) = breadth(
        [member(coin, 0.2) for coin in coins],
        [position(coin, value) for coin, value in coins.items()],
    )
    assert row["above_1_fraction"] == pytest.approx(2 / 3)
    assert row["above_2_fraction"] == pytest.approx(1 / 3)
    assert row["median_ratio"] == 1.5
    assert row["altcoin_minus_bitcoin_log"] == pytest.approx(math.log(3))
    assert row["coverage_fraction"] == pytest.approx(0.75)
    assert (row["constituent_count"], row["observed_count"]) == (4, 3)
    assert row["state"] == "normal"


def test_breadth_needs_half_of_the_coins() -> None:
    coins = [member(coin, 0.2) for coin in "abc"]
    (row,) = breadth(coins, [position("a", 2.0)])
    assert (row["above_1_fraction"], row["state"]) == (None, "insufficient")


def test_widest_gap_to_bitcoin_in_a_year_warns_of_a_top() -> None:
    days = days_from(DAY - timedelta(days=364), 365)
    chance = random.Random(3)
    gaps = [chance.uniform(0.0, 0.5) for _ in days[1:]] + [0.9]
    rows = breadth(
        [member("a", 1.0, day=day) for day in days],
        [
            row
            for day, gap in zip(days, gaps, strict=True)
            for row in (position("a", math.exp(gap), day), position("bitcoin", 1.0, day))
        ],
    )
    assert rows[-1]["percentile_pct"] == percentile_of_last(gaps) == 100
    assert rows[-1]["state"] == "local_top_risk"
    assert rows[-2]["percentile_pct"] is None
    assert rows[-2]["state"] == "elevated"  # its only coin is above 1


@pytest.mark.parametrize(("bought", "state"), [(1.1, "buying"), (0.9, "selling"), (1, "balanced")])
def test_takers_are_weighed_by_value_and_are_another_thing(bought: float, state: str) -> None:
    (row,) = breadth(
        [member("a", 0.5), member("b", 0.5)],
        [
            position("a", None, taker_buy_sell_ratio=bought, volume_usd=1e9),
            position("b", None, taker_buy_sell_ratio=1.0, volume_usd=1.0),
        ],
    )
    assert row["taker_buy_sell_ratio"] == pytest.approx(bought)
    assert row["taker_state"] == state
    assert row["state"] == "insufficient"


def tilt(slope: float, count: int = 60, noise: float = 0.2, seed: int = 5) -> Row:
    """Return the tilt of coins whose log ratio falls by ``-slope`` per e-fold of cap."""
    chance = random.Random(seed)
    caps = [1e11 * 0.9**place for place in range(count)]
    segments = ["large"] * 20 + ["mid"] * 20 + ["small"] * (count - 40)
    rows = [
        position(f"c{n}", math.exp(0.4 + slope * math.log(cap / 1e9) + chance.gauss(0, noise)))
        for n, cap in enumerate(caps)
    ]
    members = [
        member(f"c{n}", cap, segment)
        for n, (cap, segment) in enumerate(zip(caps, segments, strict=False))
    ]
    given = {"signals.member_daily": members, "signals.positioning_asset_daily": rows}
    with build("signals.rank_tilt_daily", given) as built:
        return built.row("signals.rank_tilt_daily")


def test_planted_tilt_is_recovered_with_its_sign() -> None:
    row = tilt(-0.12)
    assert row["rank_correlation"] < -0.5
    assert row["tilt_slope_low_log"] < -0.12 < row["tilt_slope_high_log"] < 0
    assert row["small_minus_large_ratio"] > 0
    assert row["state"] == "small_long"


def test_tilt_the_other_way_and_none() -> None:
    row = tilt(0.12)
    assert (row["state"], row["small_minus_large_ratio"] < 0) == ("large_long", True)
    assert tilt(0.0, seed=2)["state"] == "none"


def test_tilt_needs_forty_coins() -> None:
    assert tilt(-0.12, count=40)["rank_correlation"] is not None
    row = tilt(-0.12, count=39)
    assert (row["rank_correlation"], row["state"]) == (None, "insufficient")
    assert row["observation_count"] == 39


def test_week_of_tilts_needs_six_days() -> None:
    days = days_from(DAY, 8)
    shown = [day for place, day in enumerate(days) if place != 3]
    given = {
        "signals.rank_tilt_input_daily": [
            {
                "market_date": day,
                "coin_id": f"c{n}",
                "segment": "large" if n < 20 else "small",
                "market_cap_log": float(n),
                "account_ratio_log": float((n * 7 + place) % 41),
            }
            for place, day in enumerate(shown)
            for n in range(40)
        ]
    }
    with build("signals.rank_tilt_daily", given) as built:
        rows = built.rows("signals.rank_tilt_daily")
    told = [row["rank_correlation"] for row in rows]
    assert [row["rank_correlation_7d"] for row in rows[:5]] == [None] * 5
    assert rows[5]["rank_correlation_7d"] == pytest.approx(sum(told[:6]) / 6)
    assert rows[6]["rank_correlation_7d"] == pytest.approx(sum(told[1:7]) / 6)


def crowding(funded_days: int) -> tuple[Row, Row]:
    """Return a coin's and its index's crowding; each day is above all days before."""
    days = days_from(DAY - timedelta(days=399), 400)
    rows = [
        position(
            "a",
            1 + 0.001 * place,
            day,
            open_interest_to_cap_fraction=0.001 * place,
            funding_7d_annual_fraction=-0.001 * place if place >= 400 - funded_days else None,
        )
        for place, day in enumerate(days)
    ]
    given = {
        "signals.positioning_asset_daily": rows,
        "signals.member_daily": [member("a", 1.0, "top100")],
    }
    with build("signals.crowding_market_daily", given) as built:
        coin = built.row("signals.crowding_asset_daily", market_date=DAY)
        return coin, built.row("signals.crowding_market_daily", market_date=DAY)


def test_crowding_is_the_mean_of_the_parts_that_have_a_year() -> None:
    coin, index = crowding(funded_days=364)
    assert coin["component_count"] == 2
    assert coin["crowding_score"] == index["crowding_score"] == pytest.approx(100)
    assert (coin["state"], index["state"]) == ("watch", "watch")
    coin, index = crowding(funded_days=365)
    assert coin["crowding_score"] == pytest.approx(200 / 3)
    assert index["crowding_equal_score"] == pytest.approx(200 / 3)
    assert coin["state"] == "normal"


def test_crowding_of_an_index_needs_half_of_its_coins_and_weighs_them_by_cap() -> None:
    given = {
        "signals.member_daily": [
            member("a", 0.6, "top100"),
            member("b", 0.2, "top100"),
            member("c", 0.2, "top100"),
        ],
        "signals.crowding_asset_daily": [
            {"market_date": DAY, "coin_id": "a", "crowding_score": 90.0},
            {"market_date": DAY, "coin_id": "b", "crowding_score": 10.0},
        ],
    }
    with build("signals.crowding_market_daily", given) as built:
        row = built.row("signals.crowding_market_daily")
    assert row["crowding_score"] == pytest.approx((54 + 2) / 0.8)
    assert row["crowding_equal_score"] == pytest.approx(50)
    given["signals.crowding_asset_daily"] = given["signals.crowding_asset_daily"][:1]
    with build("signals.crowding_market_daily", given) as built:
        row = built.row("signals.crowding_market_daily")
    assert (row["crowding_score"], row["state"]) == (None, "insufficient")
