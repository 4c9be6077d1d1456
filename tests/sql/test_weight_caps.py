"""Capped weights, against capping again and again in exact arithmetic."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from harness import Row, observed, run_market, small_baskets
from hypothesis import given
from hypothesis import strategies as st
from markets import Market, many, run_together

BASE_DATE = date(2024, 1, 31)
THIRTY, TWENTY, FIVE = Fraction(3, 10), Fraction(1, 5), Fraction(1, 20)


def cap_again_and_again(sizes: list[int], first: Fraction, rest: Fraction) -> list[Fraction]:
    """Return weights of sizes, largest first: what a cap cuts off goes to the uncapped."""
    limits = [first] + [rest] * (len(sizes) - 1)
    capped: set[int] = set()
    while True:
        free = 1 - sum((limits[n] for n in capped), Fraction(0))
        total = sum(size for n, size in enumerate(sizes) if n not in capped)
        weights = [
            limits[n] if n in capped else free * Fraction(size, total)
            for n, size in enumerate(sizes)
        ]
        over = {n for n, weight in enumerate(weights) if weight > limits[n]}
        if not over:
            return weights
        capped |= over


def one_day(sizes: list[int], large_count: int) -> Market:
    """Return a market of one day whose first coins are ``large`` and the others ``small``."""
    rows: list[Row] = [
        observed(BASE_DATE, f"coin-{number:02d}", 1.0, float(size))
        for number, size in enumerate(sizes)
    ]
    rules = small_baskets(large_count, large_count, len(sizes))
    coin_ids = tuple(row["coin_id"] for row in rows)
    return Market(tuple(rows), tuple((rule, v) for (_, rule), v in rules.items()), coin_ids)


def sizes(least: int, most: int) -> st.SearchStrategy[list[int]]:
    """Draw different sizes, largest first, over six orders of magnitude."""
    one = st.integers(0, 1000).map(lambda step: int(1000 * 10 ** (step * 6 / 1000)))
    return st.lists(one, min_size=least, max_size=most, unique=True).map(
        lambda drawn: sorted(drawn, reverse=True)
    )


@many(10)
@given(
    drawn=st.lists(st.tuples(sizes(6, 12), sizes(21, 26)), min_size=4, max_size=4),
)
def test_capped_weights_are_those_of_capping_again_and_again(
    drawn: list[tuple[list[int], list[int]]],
) -> None:
    named, expected = {}, {}
    for number, (large, small) in enumerate(drawn):
        # the small ones are smaller than every large one
        parts = [size * 10**9 for size in large], small
        name = f"market-{number}"
        named[name] = one_day(parts[0] + parts[1], len(large))
        expected[name, "large_capped"] = cap_again_and_again(parts[0], THIRTY, TWENTY)
        expected[name, "small_capped"] = cap_again_and_again(parts[1], FIVE, FIVE)
    with run_together(named, only=["indices.constituent"]) as built:
        for (name, index_id), weights in expected.items():
            rows = built.rows("indices.constituent", profile=name, index_id=index_id)
            assert [row["weight_fraction"] for row in rows] == [
                pytest.approx(float(weight), rel=1e-11) for weight in weights
            ]
            assert not any(row["is_cap_infeasible"] for row in rows)


def test_caps_that_too_few_names_cannot_meet_are_marked() -> None:
    rows = [observed(BASE_DATE, f"coin-{number}", 1.0, 5.0 - number) for number in range(4)]
    with run_market(rows, rulebook_overrides=small_baskets(4, 4, 4)) as market:
        marked = {
            row["index_id"]
            for row in market.rows("indices.constituent")
            if row["is_cap_infeasible"]
        }
        assert marked == {"large_capped"}
        assert market.run_audit("weight_caps_are_feasible") != []


def test_caps_that_the_names_meet_exactly_are_met() -> None:
    rows = [observed(BASE_DATE, f"coin-{number:02d}", 1.0, 30.0 - number) for number in range(20)]
    with run_market(rows, rulebook_overrides=small_baskets(0, 0, 20)) as market:
        capped = market.rows("indices.constituent", index_id="small_capped")
        assert [row["weight_fraction"] for row in capped] == [pytest.approx(0.05)] * 20
        assert not any(row["is_cap_infeasible"] for row in capped)
