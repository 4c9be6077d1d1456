"""Small against large, lowest since, and Bitcoin's year, on figures that a test plants."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from given_tables import build, days_from, percentile_of_last
from harness import Row

START = date(2022, 1, 1)


def index_tables(
    days: Sequence[date], spreads: Sequence[float | None], ratios: Sequence[float]
) -> dict[str, list[Row]]:
    """Return the house's small and large indices; small returned ``spreads`` more."""
    statistics, levels, pairs = [], [], []
    for day, spread, ratio in zip(days, spreads, ratios, strict=True):
        for index_id, level in (("small", 1000 * ratio), ("large", 1000.0)):
            key = {"market_date": day, "profile": "house", "index_id": index_id}
            is_small = index_id == "small"
            returned = None if spread is None else (spread if is_small else 0.0)
            statistics.append({**key, "level": level, "return_30d_fraction": returned})
            levels.append(
                {**key, "level": level, "is_reconstructed": False, "coverage_fraction": 1.0}
            )
        pairs.append(
            {
                "market_date": day,
                "profile": "house",
                "pair_id": "small_over_large",
                "numerator_index_id": "small",
                "denominator_index_id": "large",
                "ratio": ratio,
            }
        )
    return {
        "indices.index_statistic_daily": statistics,
        "indices.index_level_daily": levels,
        "indices.index_pair_daily": pairs,
    }


def spread_rows(spreads: Sequence[float | None], ratios: Sequence[float] = ()) -> list[Row]:
    days = days_from(START, len(spreads))
    given = index_tables(days, spreads, ratios or [1.0] * len(spreads))
    with build("signals.index_spread_daily", given) as built:
        return built.rows("signals.index_spread_daily")


def test_percentile_needs_365_observations_and_is_the_share_below() -> None:
    chance = random.Random(4)
    spreads = [chance.uniform(-1, 1) for _ in range(400)]
    rows = spread_rows(spreads)
    assert [row["spread_30d_percentile_pct"] for row in rows[:364]] == [None] * 364
    assert {row["state"] for row in rows[:364]} == {"insufficient"}
    for place in (364, 380, 399):
        expected = percentile_of_last(spreads[: place + 1])
        assert rows[place]["spread_30d_percentile_pct"] == pytest.approx(expected)
        assert rows[place]["observation_count"] == place + 1


def test_percentile_forgets_after_1460_days() -> None:
    spreads = [9.0] + [0.1 * math.sin(place) for place in range(1460)]
    rows = spread_rows(spreads)
    for place in (1459, 1460):
        window = spreads[max(0, place - 1459) : place + 1]
        assert rows[place]["observation_count"] == 1460
        assert rows[place]["spread_30d_percentile_pct"] == pytest.approx(percentile_of_last(window))


def test_missing_spread_is_no_observation() -> None:
    spreads: list[float | None] = [None] * 30 + [0.001 * place for place in range(370)]
    rows = spread_rows(spreads)
    assert rows[10]["observation_count"] == 0
    assert rows[393]["spread_30d_percentile_pct"] is None
    assert rows[394]["spread_30d_percentile_pct"] == 100


@pytest.mark.parametrize(
    ("last", "state"),
    [(0.9, "risk_on"), (-0.9, "risk_off"), (0.001, "neutral"), (-0.001, "neutral")],
)
def test_state_needs_sign_and_percentile(last: float, state: str) -> None:
    spreads = [0.5 * (-1) ** place for place in range(400)]
    assert spread_rows([*spreads, last])[-1]["state"] == state


def test_ratio_falls_from_its_own_highest_so_far() -> None:
    rows = spread_rows([0.0] * 4, [1.0, 2.0, 0.5, 3.0])
    assert [row["ratio_drawdown_fraction"] for row in rows] == [0, 0, -0.75, 0]


def test_spread_since_the_products_begins_with_their_first_close() -> None:
    launch = date(2024, 1, 11)
    days = days_from(launch - timedelta(days=1), 3)
    with build("signals.index_spread_daily", index_tables(days, [0.0] * 3, [1, 2, 3])) as built:
        rows = built.rows("signals.index_spread_daily")
    assert [row["spread_since_etp_fraction"] for row in rows] == [None, 0, 0.5]


def extremes(lows: Sequence[date | None], days: Sequence[date]) -> list[Row]:
    given = [
        {
            "market_date": day,
            "profile": "house",
            "index_id": "small",
            "level": 1.0,
            "low_since_date": low,
            "high_since_date": START,
        }
        for day, low in zip(days, lows, strict=True)
    ]
    with build("signals.index_extreme_daily", {"indices.index_statistic_daily": given}) as built:
        return built.rows("signals.index_extreme_daily")


def test_low_of_a_year_is_lower_than_all_365_days_before() -> None:
    days = [START, START + timedelta(days=800), START + timedelta(days=801)]
    rows = extremes([None, days[1] - timedelta(days=365), days[2] - timedelta(days=366)], days)
    assert [row["is_new_low_365d"] for row in rows] == [False, False, True]
    assert [row["days_since_lower"] for row in rows] == [None, 365, 366]
    assert [row["state"] for row in rows][2] == "low_365d"


def test_no_lower_close_in_all_history_says_so_only_after_a_first_day() -> None:
    rows = extremes([None, None], [START, START + timedelta(days=365)])
    assert [row["is_all_time_low"] for row in rows] == [False, True]
    assert [row["state"] for row in rows] == ["insufficient", "all_time_low"]


def bitcoin(prices: dict[date, float]) -> dict[date, Row]:
    given = [
        {
            "market_date": day,
            "coin_id": "bitcoin",
            "price_usd": price,
            "is_held": False,
            "is_reconstructed": False,
        }
        for day, price in prices.items()
    ]
    with build("signals.bitcoin_daily", {"staging.coin_price_daily": given}) as built:
        return {row["market_date"]: row for row in built.rows("signals.bitcoin_daily")}


def test_three_readings_of_thirty_per_cent_have_three_prices() -> None:
    base, high, last = date(2024, 12, 31), date(2025, 10, 6), date(2025, 11, 16)
    row = bitcoin({base: 93714, high: 126251, last: 93000})[last]
    assert row["gain_part_lost_price_usd"] == pytest.approx(116489.9)
    assert row["part_below_high_price_usd"] == pytest.approx(88375.7)
    assert row["giveback_fraction"] == pytest.approx((126251 - 93000) / (126251 - 93714))
    readings = (row["is_gain_erased"], row["is_gain_part_lost"], row["is_part_below_high"])
    assert readings == (True, True, False)
    assert row["days_since_high"] == 41
    assert row["return_ytd_fraction"] == pytest.approx(93000 / 93714 - 1)
    assert row["state"] == "ytd_erased"


def test_giveback_is_null_when_the_year_never_was_above_its_base() -> None:
    row = bitcoin({date(2021, 12, 31): 100, date(2022, 1, 5): 99})[date(2022, 1, 5)]
    assert row["giveback_fraction"] is None
    assert row["gain_part_lost_price_usd"] is None
    assert row["is_gain_erased"] is False
    assert row["state"] == "no_gain"


def test_giveback_goes_beyond_one_below_the_base() -> None:
    rows = bitcoin({date(2021, 12, 31): 100, date(2022, 1, 5): 110, date(2022, 1, 6): 90})
    assert rows[date(2022, 1, 6)]["giveback_fraction"] == 2


def test_first_of_january_counts_from_the_day_before_in_a_leap_year_too() -> None:
    rows = bitcoin({date(2024, 2, 29): 50, date(2024, 12, 31): 80, date(2025, 1, 1): 88})
    assert rows[date(2025, 1, 1)]["return_ytd_fraction"] == pytest.approx(0.1)
    assert rows[date(2024, 12, 31)]["return_ytd_fraction"] is None
    assert rows[date(2024, 12, 31)]["state"] == "insufficient"


def test_year_without_a_close_in_its_last_days_gives_no_base() -> None:
    rows = bitcoin({date(2024, 12, 27): 80, date(2025, 1, 1): 88})
    assert rows[date(2025, 1, 1)]["base_price_usd"] is None


def test_volatility_needs_24_returns_of_30_days_and_a_gap_is_no_return() -> None:
    chance = random.Random(1)
    days = days_from(START, 60)
    prices = {day: 100 * math.exp(chance.gauss(0, 0.03)) for day in days}
    rows = bitcoin(prices)
    assert rows[days[23]]["volatility_30d_fraction"] is None
    moves = [math.log(prices[days[n]] / prices[days[n - 1]]) for n in range(1, 25)]
    mean = sum(moves) / 24
    deviation = math.sqrt(sum((move - mean) ** 2 for move in moves) / 23)
    expected = pytest.approx(deviation * math.sqrt(365))
    assert rows[days[24]]["volatility_30d_fraction"] == expected
    gappy = {day: price for day, price in prices.items() if day.toordinal() % 4}
    assert {row["volatility_30d_fraction"] for row in bitcoin(gappy).values()} == {None}
