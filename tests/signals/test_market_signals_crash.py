"""Total cap, liquidations, what looks like a crash, and what a crash cost."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from given_tables import build, days_from, raw_row
from harness import Row

START = date(2024, 6, 1)
CRASH = date(2025, 10, 10)


def level_rows(levels: Sequence[float], start: date = START, value: float = 1e9) -> list[Row]:
    """Return the house top 100; its worth is the level times ``value``."""
    return [
        {
            "market_date": day,
            "profile": "house",
            "index_id": "top100",
            "level": level,
            "market_value_usd": level * value,
            "coverage_fraction": 1.0,
            "is_reconstructed": False,
        }
        for day, level in zip(days_from(start, len(levels)), levels, strict=True)
    ]


def market_tables(levels: Sequence[float], **changes: list[Row]) -> dict[str, list[Row]]:
    return {
        "indices.index_level_daily": level_rows(levels),
        "signals.member_daily": [],
    } | changes


def calm(count: int, seed: int = 5) -> list[float]:
    """Return levels that move by 1 % a day around 1000."""
    chance = random.Random(seed)
    return [1000 * math.exp(0.01 * chance.gauss(0, 1)) for _ in range(count)]


def events(levels: Sequence[float], **changes: list[Row]) -> list[Row]:
    with build("signals.market_event", market_tables(levels, **changes)) as built:
        return built.rows("signals.market_event")


def test_crash_is_found_with_its_date_loss_trough_and_recovery() -> None:
    place = (CRASH - START).days
    levels = [1000.0] * place + [900.0, 850.0, 870.0, 1000.0, 1001.0]
    (event,) = events(levels)
    assert event["event_id"] == "crash_2025_10_10"
    assert event["start_date"] == CRASH
    assert event["trough_date"] == CRASH + timedelta(days=1)
    assert event["recovered_date"] == CRASH + timedelta(days=3)
    assert event["days_to_recover"] == 3
    assert event["max_loss_1d_fraction"] == pytest.approx(-0.1)
    assert event["max_loss_1d_usd"] == pytest.approx(100e9)
    assert event["max_loss_2d_usd"] == pytest.approx(150e9)  # it straddles midnight
    assert event["trough_loss_usd"] == pytest.approx(150e9)
    assert event["severity_rank"] == 3  # 8 and 12 %, not 20 %
    assert event["state"] == "recovered"


def test_crash_without_recovery_stays_open_and_its_trough_is_of_its_month() -> None:
    (event,) = events([1000.0] * 10 + [900.0 - 5 * day for day in range(60)])
    assert event["recovered_date"] is None
    assert event["days_to_recover"] is None
    assert event["state"] == "open"
    assert event["trough_date"] == event["start_date"] + timedelta(days=30)
    assert event["trough_fraction"] == pytest.approx(-0.25)


@pytest.mark.parametrize(("gap", "count"), [(7, 1), (8, 2)])
def test_triggers_a_week_apart_are_one_event(gap: int, count: int) -> None:
    levels = [1000.0] * 10 + [900.0] * gap + [800.0] * 5
    found = events(levels)
    assert len(found) == count
    assert sum(event["triggered_day_count"] for event in found) == 2


def triggers(given: dict[str, list[Row]]) -> list[Row]:
    with build("signals.crash_trigger_daily", given) as built:
        return built.rows("signals.crash_trigger_daily")


def test_unusual_fall_is_measured_against_the_year_and_needs_180_days() -> None:
    levels = calm(185)
    rows = triggers(market_tables([*levels, levels[-1] * 0.93]))
    assert rows[-1]["is_unusual_return"]
    assert not rows[-1]["is_deep_return"]
    assert rows[-1]["return_1d_robust_z"] < -4
    assert [row["return_1d_robust_z"] for row in rows[:180]] == [None] * 180
    assert rows[180]["return_1d_robust_z"] is not None
    young = calm(100)
    last = triggers(market_tables([*young, young[-1] * 0.93]))[-1]
    assert (last["return_1d_robust_z"], last["is_triggered"]) == (None, False)


def test_change_of_worth_is_that_of_one_basket() -> None:
    rows = level_rows([1000.0, 1010.0])
    rows[1]["market_value_usd"] = 5e12  # a review that took in new coins
    given = market_tables([]) | {"indices.index_level_daily": rows}
    with build("signals.market_cap_daily", given) as built:
        last = built.rows("signals.market_cap_daily")[-1]
    assert last["return_1d_fraction"] == pytest.approx(0.01)
    assert last["change_1d_usd"] == pytest.approx(1e10)


def test_drawdown_needs_292_days_of_a_year_and_forgets_after_it() -> None:
    levels = [1000.0] * 100 + [4000.0] + [2000.0] * 400
    with build("signals.market_cap_daily", market_tables(levels)) as built:
        rows = built.rows("signals.market_cap_daily")
    assert [row["peak_365d_usd"] for row in rows[:291]] == [None] * 291
    assert rows[290]["state"] == "insufficient"
    assert rows[291]["drawdown_usd"] == pytest.approx(2e12)
    assert rows[291]["drawdown_fraction"] == pytest.approx(-0.5)
    assert rows[291]["state"] == "trillion_lost"
    assert rows[100 + 364]["drawdown_usd"] == pytest.approx(2e12)
    assert rows[100 + 365]["drawdown_usd"] == 0


def test_providers_total_is_a_series_of_its_own() -> None:
    days = days_from(START, 2)
    given = market_tables(
        [1000.0, 1000.0],
        **{
            "raw.global_daily": [
                raw_row(day, total_market_cap_usd=4e12, btc_dominance_fraction=0.6) for day in days
            ],
            "raw.stablecoin_daily": [raw_row(day, total_supply_usd=1e11) for day in days],
        },
    )
    given["signals.member_daily"] = [
        {
            "market_date": day,
            "index_id": "top100",
            "coin_id": coin_id,
            "market_cap_usd": cap,
        }
        for day in days
        for coin_id, cap in (("bitcoin", 6e11), ("ethereum", 1e11))
    ]
    with build("signals.market_cap_daily", given) as built:
        own = built.row("signals.market_cap_daily", source="own_top100", market_date=days[1])
        theirs = built.row("signals.market_cap_daily", source="vendor", market_date=days[1])
    assert own["bitcoin_dominance_fraction"] == pytest.approx(0.6)
    assert own["smaller_altcoin_cap_usd"] == pytest.approx(3e11)
    assert own["stablecoin_share_fraction"] == pytest.approx(1e11 / 1.1e12)
    assert theirs["altcoin_cap_usd"] == pytest.approx(1.6e12)
    assert theirs["smaller_altcoin_cap_usd"] is None
    assert theirs["stablecoin_share_fraction"] == pytest.approx(0.025)


def perp(day: date, symbol: str = "BTCUSDT", venue: str = "binance", **values: object) -> Row:
    return raw_row(day, venue=venue, perp_symbol=symbol, **values)


def liquidated(amounts: Sequence[float]) -> list[Row]:
    return [
        perp(day, long_usd=0.8 * amount, short_usd=0.2 * amount)
        for day, amount in zip(days_from(START, len(amounts)), amounts, strict=True)
    ]


def test_record_liquidations_trigger_once_there_are_365_days() -> None:
    amounts = [1e6 * (1 + 0.001 * place) for place in range(366)]
    rows = triggers(market_tables([1000.0] * 366, **{"raw.liquidation_daily": liquidated(amounts)}))
    assert not rows[363]["is_liquidation"]
    assert rows[365]["is_liquidation"]
    assert rows[365]["trigger_count"] == 1


def test_liquidations_of_all_venues_are_the_sum_and_called_a_floor() -> None:
    rows = [
        perp(START, long_usd=7.0, short_usd=1.0),
        perp(START, venue="gate", long_usd=2.0, short_usd=None),
    ]
    with build("signals.liquidation_market_daily", {"raw.liquidation_daily": rows}) as built:
        found = {row["venue"]: row for row in built.rows("signals.liquidation_market_daily")}
    assert found["all"]["total_usd"] == 10
    assert found["all"]["long_share_fraction"] == pytest.approx(0.9)
    assert found["gate"]["total_usd"] == 2
    assert {row["quality"] for row in found.values()} == {"reported_floor"}
    assert {row["state"] for row in found.values()} == {"insufficient"}


def open_interest(day: date, symbol: str, units: float, price: float = 10.0) -> Row:
    return perp(
        day,
        symbol,
        open_interest_units=units,
        open_interest_usd=units * price,
    )


def test_fall_of_open_interest_is_over_the_perpetuals_of_both_days() -> None:
    first, second = days_from(START, 2)
    rows = [
        open_interest(first, "AUSDT", 100),
        open_interest(first, "BUSDT", 10),
        open_interest(second, "AUSDT", 80),
        open_interest(second, "NEWUSDT", 1000),
    ]
    given = {"raw.open_interest_daily": rows}
    with build("signals.open_interest_market_daily", given) as built:
        row = built.row("signals.open_interest_market_daily", venue="all", market_date=second)
        before = built.row("signals.open_interest_market_daily", venue="all", market_date=first)
    assert row["change_1d_fraction"] == pytest.approx(-0.2)
    assert before["change_1d_fraction"] is None
    last = triggers(market_tables([1000.0] * 2, **given))[-1]
    assert last["is_open_interest"]


def test_open_interest_says_nothing_when_a_fifth_of_it_went_unseen() -> None:
    first, second = days_from(START, 2)
    rows = [
        open_interest(first, "AUSDT", 70),
        open_interest(first, "BUSDT", 30),
        open_interest(second, "AUSDT", 10),
    ]
    with build("signals.open_interest_market_daily", {"raw.open_interest_daily": rows}) as built:
        row = built.row("signals.open_interest_market_daily", venue="all", market_date=second)
    assert row["change_1d_fraction"] is None


def test_proxy_is_the_units_that_went_at_todays_price() -> None:
    first, second = days_from(START, 2)
    rows = [
        open_interest(first, "AUSDT", 100, price=10),
        open_interest(second, "AUSDT", 70, price=8),
    ]
    with build("signals.liquidation_market_daily", {"raw.open_interest_daily": rows}) as built:
        row = built.row("signals.liquidation_market_daily", venue="all")
    assert row["quality"] == "open_interest_proxy"
    assert row["total_usd"] == pytest.approx(240)
    # The formula of the specification: the fall of open interest that its price does not explain.
    change, before, move = 70 * 8 - 1000, 1000, 8 / 10 - 1
    assert row["total_usd"] == pytest.approx(-min(0, change - before * move))
    assert row["long_usd"] is None
