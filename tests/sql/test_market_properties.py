"""What must be true of every market: the real models on some hundreds of random ones."""

from __future__ import annotations

import random

import pytest
from harness import Result, Row, series
from hypothesis import given
from hypothesis import strategies as st
from markets import (
    CHANGES,
    DAYS,
    START,
    Market,
    Recipe,
    assert_invariants,
    batches,
    many,
    recipes,
    run_together,
)

CLOSE = 1e-9


def tidal(recipe: Recipe) -> Market:
    """Return a market in which every price moves by one factor and no supply changes."""
    chance = random.Random(recipe.seed)
    height = [1.0]
    for _ in range(DAYS - 1):
        height.append(height[-1] * chance.lognormvariate(0, 0.05))
    rows: list[Row] = []
    coin_ids = tuple(f"coin-{number:02d}" for number in range(recipe.coin_count))
    for coin_id in coin_ids:
        price, supply = 10 ** chance.uniform(-3, 3), 10 ** chance.uniform(3, 9)
        rows += series(coin_id, START, [price * part for part in height], supply)
    return Market(tuple(rows), recipe.rules, coin_ids)


def assert_same_levels(market: Result, base: str, other: str) -> None:
    """Assert that two profiles of one build have the same levels on the same days."""
    found: dict[str, dict[tuple[str, object], float]] = {base: {}, other: {}}
    for (profile, index_id, day), level in market.all_levels().items():
        if profile in found:
            found[profile][index_id, day] = level
    assert found[base].keys() == found[other].keys(), other
    for key, level in found[base].items():
        assert found[other][key] == pytest.approx(level, rel=CLOSE, abs=0), (other, key)


def check_sameness(recipe: Recipe, seed: int) -> None:
    """Build a market beside what must not move its levels, and compare."""
    market, chance = recipe.make(), random.Random(seed)
    changed = {name: change(market, chance) for name, change in CHANGES.items()}
    with run_together({"base": market, **changed}) as built:
        assert_invariants(built)
        for name in changed:
            assert_same_levels(built, "base", name)


@many(15)
@given(recipe=recipes(), seed=st.integers(0, 1000))
def test_levels_do_not_depend_on_units_names_forms_or_worthless_coins(
    recipe: Recipe, seed: int
) -> None:
    check_sameness(recipe, seed)


@pytest.mark.slow
@many(60)
@given(recipe=recipes(), seed=st.integers(0, 1000))
def test_levels_of_many_markets_do_not_depend_on_them_either(recipe: Recipe, seed: int) -> None:
    check_sameness(recipe, seed)


@many(10)
@given(drawn=batches(revisions=20))
def test_revised_markets_keep_the_invariants(drawn: list[Recipe]) -> None:
    named = {f"market-{number}": recipe.make() for number, recipe in enumerate(drawn)}
    with run_together(named) as built:
        assert_invariants(built)
        assert {row["profile"] for row in built.rows("indices.divisor_ledger")} == set(named)


@many(10)
@given(drawn=batches(deaths=0, births=0, gaps=0))
def test_review_that_finds_nothing_new_changes_nothing(drawn: list[Recipe]) -> None:
    named = {f"tide-{number}": tidal(recipe) for number, recipe in enumerate(drawn)}
    with run_together(named) as built:
        assert_invariants(built)
        for name, market in named.items():
            one_coin = {
                row["market_date"]: row["price_usd"]
                for row in market.rows
                if row["coin_id"] == market.coin_ids[0]
            }
            levels = {key[1:]: v for key, v in built.all_levels().items() if key[0] == name}
            base_date = min(day for _, day in levels)
            for (index_id, day), level in levels.items():
                tide = one_coin[day] / one_coin[base_date]
                assert level == pytest.approx(1000 * tide, rel=CLOSE), (index_id, day)
            reviews: dict[object, set[tuple[str, str]]] = {}
            for row in built.rows("indices.review_decision", profile=name):
                if row["segment"] is not None:
                    members = reviews.setdefault(row["effective_date"], set())
                    members.add((row["coin_id"], row["segment"]))
            assert len(reviews) >= 2
            assert len({frozenset(members) for members in reviews.values()}) == 1


@many(5)
@given(drawn=batches(3))
def test_profiles_do_not_touch_each_other(drawn: list[Recipe]) -> None:
    named = {f"market-{number}": recipe.make() for number, recipe in enumerate(drawn)}
    with run_together(named) as built:
        together = built.all_levels()
    with run_together({"market-0": named["market-0"]}) as built:
        alone = built.all_levels()
    assert {key: v for key, v in together.items() if key[0] == "market-0"} == alone
