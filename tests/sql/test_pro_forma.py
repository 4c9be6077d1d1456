"""What a review will do, from its cut-off to the day on which it takes effect."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from harness import Result, Row, run_market, series, small_baskets

START = date(2024, 1, 26)
CUTOFF = date(2024, 2, 25)
WEIGHTING = date(2024, 2, 29)
MARCH = date(2024, 3, 1)
RULES = small_baskets(2, 3, 4, cutoff_days_before_month_end=4)
DAYS = (MARCH - START).days + 1


def market(last: date, *, late_price: float = 1.0) -> list[Row]:
    """Return five coins up to a day: ``rising`` passes ``falling`` in the middle of February.

    Args:
        last: The last day.
        late_price: Price of the first coin from two days before the weighting date on.
    """
    late = (WEIGHTING - START).days - 2
    turn = (date(2024, 2, 15) - START).days
    rows = [
        *series("first", START, [1.0] * late + [late_price] * (DAYS - late), 9e6),
        *series("second", START, [1.0] * DAYS, 6e6),
        *series("third", START, [1.0] * DAYS, 5e6),
        *series("falling", START, [1.0] * turn + [0.5] * (DAYS - turn), 4e6),
        *series("rising", START, [1.0] * turn + [4.0] * (DAYS - turn), 1e6),
    ]
    return [row for row in rows if row["market_date"] <= last]


def told(built: Result, index_id: str = "small") -> dict[str, str]:
    rows = built.rows("indices.pro_forma_constituent", index_id=index_id)
    return {row["coin_id"]: row["change"] for row in rows}


def test_before_the_cut_off_nothing_is_told() -> None:
    with run_market(market(CUTOFF - timedelta(days=1)), rulebook_overrides=RULES) as built:
        assert built.rows("indices.pro_forma_constituent") == []
        assert {row["effective_date"] for row in built.rows("indices.review")} == {date(2024, 2, 1)}


@pytest.mark.parametrize("days_left", [4, 1])
def test_from_the_cut_off_on_it_is_told_who_joins_and_who_leaves(days_left: int) -> None:
    last = WEIGHTING - timedelta(days=days_left)
    with run_market(market(last), rulebook_overrides=RULES) as built:
        assert told(built) == {"falling": "leaves", "rising": "joins"}
        assert told(built, "large") == {"first": "stays", "second": "stays"}
        (row,) = built.rows("indices.pro_forma_constituent", coin_id="rising", index_id="small")
        assert (row["reason"], row["valuation_date"], row["weighting_date"]) == (
            "enters by rank",
            last,
            WEIGHTING,
        )
        (review,) = built.rows("indices.review", effective_date=MARCH, index_id="small")
        assert (review["status"], review["additions"], review["removals"]) == (
            "pro forma",
            "rising",
            "falling",
        )
        assert review["turnover_fraction"] == pytest.approx(1)
        # Nothing of it is in force yet.
        assert {row["effective_date"] for row in built.rows("indices.constituent")} == {
            date(2024, 2, 1)
        }
        assert built.rows("indices.event_log", event_kind="supply held back") == []


def test_weights_to_come_are_those_of_the_last_close_in_both_baskets() -> None:
    with run_market(
        market(WEIGHTING - timedelta(days=1), late_price=2.0), rulebook_overrides=RULES
    ) as built:
        rows = {
            row["coin_id"]: row
            for row in built.rows("indices.pro_forma_constituent", index_id="top100")
        }
        # 18 + 6 + 5 + 2 million now, and 4 for 2 of them from March on.
        assert rows["first"]["weight_in_force_fraction"] == pytest.approx(18 / 31)
        assert rows["first"]["weight_fraction"] == pytest.approx(18 / 33)
        assert rows["rising"]["weight_fraction"] == pytest.approx(4 / 33)
        assert rows["falling"]["weight_in_force_fraction"] == pytest.approx(2 / 31)
        for side in ("weight_fraction", "weight_in_force_fraction"):
            assert sum(row[side] for row in rows.values()) == pytest.approx(1)
        (review,) = built.rows("indices.review", effective_date=MARCH, index_id="top100")
        assert review["turnover_fraction"] == pytest.approx(
            sum(abs(row["weight_change_fraction"]) for row in rows.values()) / 2
        )


def test_what_was_told_takes_effect() -> None:
    with run_market(market(WEIGHTING - timedelta(days=1)), rulebook_overrides=RULES) as built:
        coming = {
            (row["index_id"], row["coin_id"]): (row["units"], row["weight_fraction"])
            for row in built.rows("indices.pro_forma_constituent")
            if row["change"] != "leaves"
        }
    with run_market(market(MARCH), rulebook_overrides=RULES) as built:
        assert built.rows("indices.pro_forma_constituent") == []
        assert coming == {
            (row["index_id"], row["coin_id"]): (row["units"], row["weight_fraction"])
            for row in built.rows("indices.constituent", effective_date=MARCH)
        }


def test_successor_that_takes_its_old_coins_seat_says_so() -> None:
    day = date(2024, 2, 20)
    old = [
        row for row in market(WEIGHTING) if row["coin_id"] == "third" and row["market_date"] < day
    ]
    others = [row for row in market(WEIGHTING) if row["coin_id"] not in {"third", "rising"}]
    days = (WEIGHTING - day).days
    new = series("fourth", day, [1.0] * days, 5e6)
    link = {
        "predecessor_coin_id": "third",
        "successor_coin_id": "fourth",
        "units_per_predecessor": 1.0,
        "effective_date": day,
        "kind": "migration",
    }
    rows = [row for row in [*others, *old, *new] if row["market_date"] < WEIGHTING]
    with run_market(rows, rulebook_overrides=RULES, links=[link]) as built:
        coming = {
            row["coin_id"]: (row["change"], row["reason"])
            for row in built.rows("indices.pro_forma_constituent", index_id="mid")
        }
        assert coming == {
            "third": ("leaves", "migrated to a successor"),
            "fourth": ("joins", "takes the seat of the coin that it replaces"),
        }


def test_review_that_cannot_be_held_tells_of_nobody() -> None:
    rules = RULES | {("house", "min_candidate_count"): "6"}
    with run_market(market(WEIGHTING - timedelta(days=1)), rulebook_overrides=rules) as built:
        assert built.rows("indices.pro_forma_constituent") == []
        assert {row["status"] for row in built.rows("indices.review")} == {"not held"}
