"""The shipped models against a second implementation, on random markets of eight months."""

from __future__ import annotations

import pytest
from comparison import Verdict, compare
from index_oracle import ONE, as_float, capped, number_of
from random_markets import RandomMarket

# In these everything happens that the rulebook speaks of.
SEEDS = (0, 1, 2, 3, 4, 5, 9)
RULED = {
    "class excluded",
    "collapsed",
    "collapsed and no longer priced",
    "enters by rank",
    "left: beyond the buffer",
    "migrated to a successor",
    "no circulating supply",
    "no longer priced",
    "not among the largest",
    "price collapsed",
    "priced on too few days",
    "review blocked",
    "review not held",
    "stays inside the buffer",
    "too little traded",
    "too young",
    "withdrawn: collapsed",
    "withdrawn: no longer priced",
}


def percent(*weights: float) -> dict[str, int]:
    """Return weights by name, in the order of the alphabet."""
    return {chr(ord("a") + n): number_of(weight) // 100 for n, weight in enumerate(weights)}


@pytest.mark.parametrize(
    ("weights", "first", "rest", "expected"),
    [
        (
            percent(70, 12, 6, 4, 3, 2, 1, 0.8, 0.7, 0.5),
            0.3,
            0.2,
            [30, 20, 50 / 3, 100 / 9, 25 / 3, 50 / 9, 25 / 9, 20 / 9, 35 / 18, 25 / 18],
        ),
        (percent(20, 10, *[2.5] * 28), 0.05, 0.05, [5, 5, *[90 / 28] * 28]),
        (percent(25, 20, 20, 20, 15), 0.3, 0.2, [25, 20, 20, 20, 15]),
        (percent(80, 20), 0.3, 0.2, [50, 50]),
    ],
)
def test_oracle_caps_weights(
    weights: dict[str, int], first: float, rest: float, expected: list[float]
) -> None:
    found = capped(weights, number_of(first), number_of(rest))
    assert [100 * as_float(weight) for weight in found.values()] == pytest.approx(
        expected, rel=1e-12
    )
    assert sum(found.values()) == pytest.approx(ONE)


@pytest.fixture(scope="module")
def verdicts() -> dict[int, Verdict]:
    return {seed: compare(RandomMarket(seed, coin_count=60, day_count=240)) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_models_agree_with_the_oracle(verdicts: dict[int, Verdict], seed: int) -> None:
    assert verdicts[seed].differences[:20] == []
    assert verdicts[seed].level_count > 1000


def test_everything_that_the_rulebook_speaks_of_happens_in_these_markets(
    verdicts: dict[int, Verdict],
) -> None:
    happened = frozenset.union(*(verdict.happened for verdict in verdicts.values()))
    assert happened >= RULED
