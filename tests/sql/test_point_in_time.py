"""What was not known cannot count: the past stays as it was when the future arrives."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from harness import Result, Row, known_from, observed, run_market, seen_at, series, small_baskets
from hypothesis import given
from hypothesis import strategies as st
from markets import (
    DAYS,
    START,
    TABLES,
    WEIGHTING_DATES,
    Market,
    Recipe,
    batches,
    many,
    run_together,
)

REVIEW_TABLES = (*TABLES, "indices.constituent", "indices.review_calendar")
DECISION = ("profile", "effective_date", "coin_id", "candidate_rank", "rank_cap_usd")
SEAT = ("profile", "effective_date", "coin_id", "segment", "reason")
UNITS = ("profile", "effective_date", "index_id", "coin_id", "units")


def make_all(drawn: list[Recipe]) -> dict[str, Market]:
    return {f"market-{number}": recipe.make() for number, recipe in enumerate(drawn)}


def changed(
    named: dict[str, Market], change: Callable[[Market], tuple[Row, ...]]
) -> dict[str, Market]:
    return {name: replace(market, rows=change(market)) for name, market in named.items()}


def reviews(market: Result, known_by: datetime) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the reviews that were settled by some instant decided."""
    calendar = {
        (row["profile"], row["effective_date"]): row
        for row in market.rows("indices.review_calendar")
    }

    def settled(table: str, columns: tuple[str, ...], instant: str) -> list[tuple[Any, ...]]:
        return [
            tuple(row[column] for column in columns)
            for row in market.rows(table)
            if calendar[row["profile"], row["effective_date"]][instant] <= known_by
        ]

    return {
        "ranks": settled("indices.review_decision", DECISION, "cutoff_known_by"),
        "seats": settled("indices.review_decision", SEAT, "weighting_known_by"),
        "units": settled("indices.constituent", UNITS, "weighting_known_by"),
    }


def nights() -> st.SearchStrategy[date]:
    """Draw a night: any, or one at which a review is decided or takes effect."""
    near = [day + timedelta(days=shift) for day in WEIGHTING_DATES for shift in (-4, -1, 0, 1, 2)]
    anywhere = st.integers(5, DAYS - 1).map(lambda number: START + timedelta(days=number))
    return st.one_of(st.sampled_from([day for day in near if day > WEIGHTING_DATES[0]]), anywhere)


@many(8)
@given(drawn=batches(revisions=30), night=nights())
def test_deleting_the_future_leaves_every_settled_review(drawn: list[Recipe], night: date) -> None:
    named, now = make_all(drawn), seen_at(night)
    past = changed(named, lambda m: tuple(row for row in m.rows if known_from(row) <= now))
    with run_together(named, only=REVIEW_TABLES) as built:
        expected = reviews(built, now)
    with run_together(past, only=REVIEW_TABLES) as built:
        assert reviews(built, now) == expected


@many(6)
@given(
    drawn=batches(),
    stops=st.lists(nights(), min_size=2, max_size=2),
)
def test_night_after_night_gives_what_a_rebuild_gives(
    drawn: list[Recipe], stops: list[date]
) -> None:
    named = make_all(drawn)
    with run_together(named) as built:
        rebuilt = built.all_levels()
    for night in stops:
        past = changed(named, lambda m: tuple(r for r in m.rows if r["market_date"] <= night))  # noqa: B023
        with run_together(past) as built:
            then = built.all_levels()
        assert then == {key: level for key, level in rebuilt.items() if key[2] <= night}


@many(6)
@given(drawn=batches(reconstructed_days=0), seed=st.integers())
def test_rows_told_after_a_cut_off_do_not_change_its_review(drawn: list[Recipe], seed: int) -> None:
    named, chance = make_all(drawn), random.Random(seed)
    weighting = WEIGHTING_DATES[1]
    too_late = seen_at(weighting, days=2, minutes=1)

    def with_late_rows(market: Market) -> tuple[Row, ...]:
        late = [
            row
            | {
                "price_usd": row["price_usd"] * chance.uniform(0.2, 5),
                "circulating_supply": row["circulating_supply"] * chance.uniform(0.2, 5),
                "known_at": too_late,
            }
            for row in market.rows
            if row["market_date"] <= weighting
        ]
        return (*market.rows, *late)

    settled_by = seen_at(weighting, days=2)
    with run_together(named, only=REVIEW_TABLES) as built:
        expected = reviews(built, settled_by)
    assert expected["units"]
    with run_together(changed(named, with_late_rows), only=REVIEW_TABLES) as built:
        assert reviews(built, settled_by) == expected


@many(5)
@given(drawn=batches(reconstructed_days=0), seed=st.integers())
def test_history_loaded_later_never_replaces_a_live_row(drawn: list[Recipe], seed: int) -> None:
    named, chance = make_all(drawn), random.Random(seed)

    def with_history(market: Market) -> tuple[Row, ...]:
        history = [
            row
            | {
                "price_usd": row["price_usd"] * chance.uniform(0.2, 5),
                "vintage": "reconstructed",
                "known_at": seen_at(row["market_date"], days=400),
            }
            for row in market.rows
        ]
        return (*market.rows, *history)

    with run_together(named) as built:
        expected = built.all_levels()
    with run_together(changed(named, with_history)) as built:
        assert built.all_levels() == expected


# Single cases that the random markets leave out.

RULES = small_baskets(2, 3, 4)
LAST_DAY = date(2024, 4, 2)


def steady(coin_id: str, cap: float, **overrides: Any) -> list[Row]:
    days = (LAST_DAY - START).days + 1
    return series(coin_id, START, [1.0] * days, cap, **overrides)


def segments(market: Result, effective_date: date) -> dict[str, str | None]:
    return {
        row["coin_id"]: row["segment"]
        for row in market.rows("indices.review_decision", effective_date=effective_date)
    }


def test_revision_before_the_cut_off_counts_and_after_it_does_not() -> None:
    rows = [row for n, cap in enumerate([5e6, 4e6, 3e6, 2e6]) for row in steady(f"c{n}", cap)]
    cut_off = date(2024, 2, 29)
    for is_late, expected in ((False, "large"), (True, "small")):
        known_at = datetime.combine(cut_off + timedelta(days=2), time(), tzinfo=UTC)
        known_at += timedelta(minutes=1) if is_late else -timedelta(minutes=1)
        revision = observed(cut_off, "c3", 10.0, 2e6, known_at=known_at, source="vendor")
        with run_market([*rows, revision], rulebook_overrides=RULES) as market:
            assert segments(market, date(2024, 3, 1))["c3"] == expected


def test_reconstructed_history_counts_as_known_on_its_own_day() -> None:
    live = [row for n, cap in enumerate([5e6, 4e6, 3e6, 2e6]) for row in steady(f"c{n}", cap)]
    loaded = [
        row | {"vintage": "reconstructed", "known_at": seen_at(LAST_DAY, days=300)} for row in live
    ]
    with run_market(live, rulebook_overrides=RULES) as market:
        expected = market.all_levels()
    with run_market(loaded, rulebook_overrides=RULES) as market:
        assert market.all_levels() == expected
        assert all(r["is_reconstructed"] for r in market.rows("indices.index_level_daily"))


def test_one_live_row_in_loaded_history_shuts_nobody_out() -> None:
    rows = [
        row | {"vintage": "reconstructed", "known_at": seen_at(LAST_DAY, days=300)}
        for n, cap in enumerate([5e6, 4e6, 3e6, 2e6])
        for row in steady(f"c{n}", cap)
    ]
    one_live = observed(date(2024, 2, 20), "c0", 1.0, 5e6)
    rules = RULES | {("house", "min_observed_fraction"): "0.9"}
    with run_market([*rows, one_live], rulebook_overrides=rules) as market:
        assert set(segments(market, date(2024, 3, 1)).values()) == {"large", "mid", "small"}
