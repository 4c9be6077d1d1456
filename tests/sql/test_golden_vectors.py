"""The worked figures of the rulebook, to a part in 10^12, through the real models.

The figures come from exact arithmetic that shares nothing with this code. January's last
day is the base of a basket of a, b and c; at the end of February c makes way for e.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from harness import Result, Row, run_market, series, small_baskets

BASE_DATE = date(2023, 1, 31)
REVIEW_DATE = date(2023, 2, 28)
MARCH = date(2023, 3, 1)
DAYS_TO_REVIEW = (REVIEW_DATE - BASE_DATE).days
RULES = small_baskets(large=3, mid=3, small=3)


def march(day: int) -> date:
    return MARCH + timedelta(days=day - 1)


def coin(
    coin_id: str, base: float, review: float, later: Sequence[float | None], *supply: float
) -> list[Row]:
    """Return a coin at ``base`` all February, at ``review`` on its last day, then ``later``."""
    prices = [base] * DAYS_TO_REVIEW + [review, *later]
    supplies = [supply[0]] * DAYS_TO_REVIEW + [supply[-1]] * (1 + len(later))
    return series(coin_id, BASE_DATE, prices, supplies)


def run_march(
    a: Sequence[float | None] = (121,),
    b: Sequence[float | None] = (9.9,),
    e: Sequence[float | None] = (3.6,),
    *,
    more: Sequence[Row] = (),
    rules: dict[tuple[str, str], str] | None = None,
    **kwargs: Any,
) -> Result:
    rows = [
        *coin("a", 100, 110, a, 1000, 1010),
        *coin("b", 10, 9, b, 5000),
        *coin("c", 1, 1.5, [1.5] * len(a), 20_000),
        *coin("e", 2, 4, e, 9000),
        *more,
    ]
    return run_market(rows, rulebook_overrides=RULES | (rules or {}), **kwargs)


def exactly(value: float) -> Any:
    return pytest.approx(value, rel=1e-12, abs=0)


def test_level_follows_the_basket_value() -> None:
    with run_march() as market:
        assert market.levels()[BASE_DATE] == exactly(1000)
        assert market.divisors()[BASE_DATE] == exactly(170)
        assert market.levels()[REVIEW_DATE] == exactly(1088.235294117647)


def test_review_changes_the_divisor_and_not_the_level() -> None:
    with run_march() as market:
        assert market.members()[date(2023, 2, 1)] == {"a": 1000, "b": 5000, "c": 20_000}
        assert market.members()[MARCH] == {"a": 1010, "b": 5000, "e": 9000}
        assert market.divisors()[MARCH] == exactly(176.5243243243243)
        assert market.levels()[MARCH] == exactly(1156.271243531249)
        (event,) = market.rows(
            "indices.divisor_ledger", index_id="top100", effective_date=MARCH, event_kind="review"
        )
        assert event["market_value_before_usd"] == exactly(185_000)
        assert event["market_value_after_usd"] == exactly(192_100)
        assert event["divisor_before"] == exactly(170)
        assert event["divisor_after"] == exactly(176.5243243243243)
        assert event["level"] == exactly(1088.235294117647)


def test_coin_removed_at_its_last_price_leaves_the_level() -> None:
    with run_march(
        [121, 121, 121, 133.1],
        [9.9] * 4,
        [3.6, 0.9, None, None],
        rules={("house", "stale_remove_days"): "0"},
    ) as market:
        levels, divisors = market.levels(), market.divisors()
        assert levels[march(2)] == exactly(1018.6131610374499)
        assert levels[march(3)] == exactly(1018.6131610374499)
        assert divisors[march(4)] == exactly(168.57233596423853)
        assert levels[march(4)] == exactly(1091.1102284245483)
        # without the divisor the removal would look like a loss
        assert levels[march(3)] != pytest.approx(972.73, abs=1)


def test_coin_removed_at_zero_costs_the_level_its_weight() -> None:
    with run_march(
        [121] * 5 + [133.1],
        [9.9] * 6,
        [3.6, 0.4, 0.05, 0.01, None, None],
        rules={("house", "stale_remove_days"): "0"},
    ) as market:
        levels, divisors = market.levels(), market.divisors()
        assert levels[march(5)] == exactly(972.7271335395168)
        assert divisors[march(6)] == exactly(176.5243243243243)
        assert levels[march(6)] == exactly(1041.9583856447316)


def test_redenomination_leaves_the_level() -> None:
    redenomination = {
        "coin_id": "b",
        "effective_date": MARCH,
        "new_units_per_old_unit": 1000,
        "note": "one old for a thousand new",
    }
    rows = series("b", MARCH, [0.0099], 5_000_000.0)
    with run_march(b=[None], more=rows, reference={"redenomination": [redenomination]}) as market:
        assert market.levels()[MARCH] == exactly(1156.271243531249)


def test_redenomination_nobody_told_us_is_held_for_a_close_and_then_believed() -> None:
    with run_march([121, 121], [0.0099, 0.0099], [3.6, 3.6]) as market:
        # held: b still counts at 9
        assert market.levels()[MARCH] == exactly((122_210 + 45_000 + 32_400) / 176.5243243243243)
        assert market.levels()[march(2)] == pytest.approx(876.1370, abs=5e-5)


def test_migration_leaves_the_level() -> None:
    link = {
        "predecessor_coin_id": "b",
        "successor_coin_id": "b-new",
        "units_per_predecessor": 24_000,
        "effective_date": MARCH,
        "kind": "migration",
    }
    rows = series("b-new", MARCH, [9.9 / 24_000], 5000 * 24_000.0)
    with run_march(b=[None], more=rows, links=[link]) as market:
        assert market.levels()[MARCH] == exactly(1156.271243531249)


def test_unpriced_day_carries_the_last_price() -> None:
    with run_march([121, 130, 130], [9.9, None, 8], [3.6, 3.6, 3.6]) as market:
        assert market.levels()[march(2)] == exactly(1207.7655632789294)
        assert market.levels()[march(3)] == exactly(1153.9486174480203)
        (night,) = market.rows("indices.index_level_daily", index_id="top100", market_date=march(2))
        assert night["stale_count"] == 1
        assert night["stale_weight_fraction"] == exactly(49_500 / (131_300 + 49_500 + 32_400))


def test_supply_between_reviews_does_not_count() -> None:
    doubled = series("e", MARCH, [3.6], 18_000.0)
    with run_march(e=[None], more=doubled) as market:
        assert market.levels()[MARCH] == exactly(1156.271243531249)


def test_caps_of_30_and_20_are_shared_out() -> None:
    caps = {
        "btc": 70,
        "eth": 12,
        "xrp": 6,
        "bnb": 4,
        "sol": 3,
        "trx": 2,
        "doge": 1,
        "ada": 0.8,
        "hype": 0.7,
        "bch": 0.5,
    }
    rows = [row for name, cap in caps.items() for row in series(name, BASE_DATE, [cap, cap])]
    with run_market(rows, rulebook_overrides=small_baskets(10, 10, 10)) as market:
        weights = _target_weights(market, "large_capped")
    assert weights == {
        "btc": exactly(0.3),
        "eth": exactly(0.2),
        "xrp": exactly(1 / 6),
        "bnb": exactly(1 / 9),
        "sol": exactly(1 / 12),
        "trx": exactly(1 / 18),
        "doge": exactly(1 / 36),
        "ada": exactly(1 / 45),
        "hype": exactly(7 / 360),
        "bch": exactly(1 / 72),
    }


def test_flat_cap_of_5_is_shared_out() -> None:
    caps = [20, 10, *[2.5] * 28]
    rows = [
        row
        for number, cap in enumerate(caps)
        for row in series(f"coin-{number:02d}", BASE_DATE, [cap, cap])
    ]
    with run_market(rows, rulebook_overrides=small_baskets(0, 0, 30)) as market:
        weights = _target_weights(market, "small_capped")
    assert weights.pop("coin-00") == exactly(0.05)
    assert weights.pop("coin-01") == exactly(0.05)
    assert list(weights.values()) == [exactly(0.9 / 28)] * 28


def _target_weights(market: Result, index_id: str) -> dict[str, float]:
    rows = market.rows("indices.constituent", index_id=index_id, effective_date=date(2023, 2, 1))
    return {row["coin_id"]: row["weight_fraction"] for row in rows}
