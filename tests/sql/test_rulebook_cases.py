"""Edge cases of the rulebook that random markets seldom meet, one market each."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from harness import Result, Row, observed, run_market, seen_at, series, small_baskets

START = date(2024, 1, 29)
LAST_DAY = date(2024, 4, 2)
MARCH = date(2024, 3, 1)
DAYS = (LAST_DAY - START).days + 1
DAYS_WITH_LEVELS = DAYS - 2
RULES = small_baskets(2, 3, 4)


def steady(coin_id: str, cap: float, days: int = DAYS, **overrides: Any) -> list[Row]:
    """Return a coin at one dollar, from the first day on for so many days."""
    return series(coin_id, START, [1.0] * days, cap, **overrides)


def family(*caps: float) -> list[Row]:
    """Return steady coins c0, c1, ... of these caps."""
    return [row for number, cap in enumerate(caps) for row in steady(f"c{number}", cap)]


def segments(market: Result, effective_date: date = MARCH) -> dict[str, str | None]:
    return {
        row["coin_id"]: row["segment"]
        for row in market.rows("indices.review_decision", effective_date=effective_date)
    }


def migration(day: date, ratio: float = 10.0, **overrides: Any) -> tuple[list[Row], Row]:
    """Return a coin that is renamed on ``day``: old until then, new from then on."""
    before = (day - START).days
    rows = [
        *steady("old", 3.5e6, before),
        *series("new", day, [1 / ratio] * (DAYS - before), 3.5e6 * ratio, **overrides),
    ]
    link = {
        "predecessor_coin_id": "old",
        "successor_coin_id": "new",
        "units_per_predecessor": ratio,
        "effective_date": day,
        "kind": "migration",
    }
    return rows, link


@pytest.mark.parametrize("day", [date(2024, 2, 20), date(2024, 2, 24), date(2024, 2, 27)])
def test_successor_stays_though_it_was_seen_on_few_days(day: date) -> None:
    rows, link = migration(day)
    screens = {"min_observed_fraction": "0.9", "min_age_days": "20", "rank_window_days": "30"}
    rules = RULES | {("house", rule): value for rule, value in screens.items()}
    others = family(5e6, 4e6, 3e6, 2e6)
    with run_market([*others, *rows], rulebook_overrides=rules, links=[link]) as market:
        assert segments(market)["new"] == "mid"
        assert list(market.levels().values()) == [pytest.approx(1000)] * DAYS_WITH_LEVELS


def test_successor_ranks_by_its_predecessors_days_too() -> None:
    """A spike in the last days before the cut-off buys no rank, migration or not."""
    day = date(2024, 2, 20)
    rows, link = migration(day)
    spiked = [
        row | {"price_usd": row["price_usd"] * 3, "market_cap_usd": row["market_cap_usd"] * 3}
        if row["market_date"] >= day
        else row
        for row in rows
    ]
    rules = RULES | {("house", "rank_window_days"): "30"}
    others = family(5e6, 4e6, 3e6, 2e6)
    with run_market([*others, *spiked], rulebook_overrides=rules, links=[link]) as market:
        assert segments(market)["new"] == "mid"


def test_collapse_in_one_night_costs_the_whole_weight_though_no_price_follows() -> None:
    """A coin at 80 is at 0.0002 the next day, and then its one source stops."""
    day = date(2024, 2, 10)
    before = (day - START).days
    luna = series("luna", START, [80.0] * before + [0.0002], 1e6)
    others = family(5e7, 3e7, 1e7)
    with run_market([*others, *luna], rulebook_overrides=RULES) as market:
        levels = market.levels("large")
    # luna weighs 80 of 130 in large
    assert levels[day - timedelta(days=1)] == pytest.approx(1000)
    assert levels[date(2024, 2, 28)] == pytest.approx(1000 * 50 / 130, rel=1e-3)


def test_collapse_is_followed_down_and_never_comes_back() -> None:
    day = date(2024, 2, 10)
    before = (day - START).days
    path = [20.0, 2.5, 0.3, 0.04, 0.005, 0.0006, 0.0002, 0.0002]
    luna = series("luna", START, [80.0] * before + path + [0.0002] * (DAYS - before - 8), 1e6)
    with run_market([*family(5e7, 3e7, 1e7), *luna], rulebook_overrides=RULES) as market:
        levels = market.levels("large")
        (removal,) = market.rows("indices.deletion", effective_date=date(2024, 2, 1))
    assert removal["reason"] == "collapsed"
    assert levels[date(2024, 2, 28)] == pytest.approx(1000 * 50 / 130, rel=1e-3)
    assert levels[LAST_DAY] == pytest.approx(1000 * 50 / 130, rel=1e-3)


@pytest.mark.parametrize("rank_window_days", ["1", "30"])
def test_dead_coin_does_not_come_back_at_the_next_review(rank_window_days: str) -> None:
    dead = steady("dead", 3.5e6, days=18)  # last priced on 15 February
    rules = RULES | {("house", "rank_window_days"): rank_window_days}
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=rules) as market:
        assert [row["coin_id"] for row in market.rows("indices.deletion")] == ["dead"]
        assert segments(market)["dead"] is None


def test_last_member_that_goes_does_not_break_its_index() -> None:
    """``mid`` is one coin, which stops being priced; the next review fills the seat."""
    dead = steady("dead", 3.5e6, days=18)
    rules = RULES | {("house", "min_observed_fraction"): "0.9"}
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=rules) as market:
        levels = market.levels("mid")
    assert levels[LAST_DAY] == pytest.approx(1000)


def test_last_member_that_goes_at_zero_does_not_stop_the_build() -> None:
    path = [1.0] * 12 + [0.2, 0.03, 0.005]
    dead = series("dead", START, path, 3.5e6)
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=RULES) as market:
        assert market.levels("large")[LAST_DAY] == pytest.approx(1000)


def test_segment_that_loses_its_members_at_a_review_does_not_go_on_with_the_old_ones() -> None:
    """Nobody trades the only small coin any more, so that ``small`` is left empty."""
    days = [1e9] * 20 + [0.0] * (DAYS - 20)
    idle = [
        row | {"volume_24h_usd": volume}
        for row, volume in zip(steady("idle", 1e6), days, strict=True)
    ]
    rules = RULES | {("house", "min_median_volume_usd"): "1000"}
    with run_market([*family(5e6, 4e6, 3e6), *idle], rulebook_overrides=rules) as market:
        assert segments(market, date(2024, 4, 1))["idle"] is None
        assert market.run_audit("segments_add_up_to_the_top100") == []


def test_unclassified_coin_near_the_top_blocks_the_review_and_not_the_levels() -> None:
    classes = [{"coin_id": f"c{n}", "asset_class": "coin"} for n in range(4)]
    newcomer = series("new", date(2024, 2, 10), [1.0] * 53, 9e6)
    rules = RULES | {("house", "unclassified_block_rank"): "4"}
    rows = [*family(5e6, 4e6, 3e6, 2e6), *newcomer]
    with run_market(rows, rulebook_overrides=rules, asset_classes=classes) as market:
        statuses = {
            row["effective_date"]: row["status"] for row in market.rows("indices.review_status")
        }
        assert statuses[date(2024, 2, 1)] == "effective"
        assert statuses[MARCH] == "blocked"
        assert set(market.levels()) == {
            date(2024, 1, 31) + timedelta(days=n) for n in range((LAST_DAY - START).days - 1)
        }
        assert set(market.members()) == {date(2024, 2, 1)}


def test_history_that_came_later_makes_no_coin_older_in_a_past_review() -> None:
    young = series("young", date(2024, 2, 15), [1.0] * 48, 9e6)
    late = observed(date(2024, 1, 30), "young", 1.0, 9e6, known_at=seen_at(date(2024, 3, 20)))
    rules = RULES | {("house", "min_age_days"): "20"}
    for more in ([], [late]):
        rows = [*family(5e6, 4e6, 3e6, 2e6), *young, *more]
        with run_market(rows, rulebook_overrides=rules) as market:
            assert segments(market)["young"] is None
            assert segments(market, date(2024, 4, 1))["young"] == "large"


def test_two_sources_of_one_coin_that_part_keep_the_nearer_to_yesterday() -> None:
    day = date(2024, 2, 10)
    rows = family(5e6, 4e6, 3e6, 2e6)
    other = observed(day, "c0", 5.0, 5e6, source="another")
    with run_market([*rows, other], rulebook_overrides=RULES) as market:
        assert market.levels()[day] == pytest.approx(1000)


def test_night_without_a_source_counts_against_no_coin() -> None:
    hole = [date(2024, 2, 10) + timedelta(days=n) for n in range(9)]
    rows = [row for row in family(5e6, 4e6, 3e6, 2e6) if row["market_date"] not in hole]
    with run_market(rows, rulebook_overrides=RULES) as market:
        assert market.rows("indices.deletion") == []
        assert list(market.levels().values()) == [pytest.approx(1000)] * DAYS_WITH_LEVELS
        assert market.run_audit("index_days_have_no_gap") == []


def test_supply_jump_waits_for_the_next_review_to_see_it_again() -> None:
    supplies = [1e6 if START + timedelta(days=n) < MARCH else 2e6 for n in range(DAYS)]
    supplies[(date(2024, 2, 29) - START).days] = 2e6
    jumpy = series("jumpy", START, [1.0] * DAYS, supplies)
    rows = [*family(5e6, 4e6, 3e6), *jumpy]
    with run_market(rows, rulebook_overrides=RULES) as market:
        units = {day: basket["jumpy"] for day, basket in market.members().items()}
    assert units == {date(2024, 2, 1): 1e6, MARCH: 1e6, date(2024, 4, 1): 2e6}


def test_published_level_stays_beside_the_restated_one() -> None:
    day = date(2024, 2, 10)
    said = {
        "market_date": day,
        "profile": "house",
        "index_id": "top100",
        "level": 990.0,
        "is_reconstructed": False,
        "rulebook_version": "1.0.0",
        "published_at": seen_at(day, hours=2),
        "build_id": "b",
        "tidemark_version": "0",
    }
    with run_market(
        family(5e6, 4e6, 3e6, 2e6),
        rulebook_overrides=RULES,
        ledger={"index_level_daily": [said]},
    ) as market:
        (row,) = market.rows("indices.index_level_daily", market_date=day, index_id="top100")
        assert (row["level"], row["level_as_published"]) == (1000.0, 990.0)
        (restated,) = market.rows("indices.restatement")
        assert restated["difference_fraction"] == pytest.approx(10 / 990)
