"""Turning together: by brute force, planted, and for unrelated series."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from chance import SEEDS, assert_not_above

from pipeline.statistics.concordance import (
    Concordance,
    Match,
    match_turning_points,
    measure_concordance,
    phases,
)
from pipeline.statistics.turning_points import find_turning_points

Kinds = dict[str, np.ndarray]


def kinds(peaks: list[int], troughs: list[int]) -> Kinds:
    return {
        "peak": np.array(peaks, dtype=np.int64),
        "trough": np.array(troughs, dtype=np.int64),
    }


def turned(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = [p for p in find_turning_points(levels, 0.05) if p.superseded_at is None]
    positions = np.array([p.position for p in points], dtype=np.int64)
    return positions, np.array([p.kind == "peak" for p in points], dtype=bool)


def compare(first: np.ndarray, second: np.ndarray, length: int = 494) -> tuple[Match, Concordance]:
    (own, own_peaks), (other, other_peaks) = turned(first), turned(second)
    match = match_turning_points(
        {"peak": own[own_peaks], "trough": own[~own_peaks]},
        {"peak": other[other_peaks], "trough": other[~other_peaks]},
        length,
        10,
    )
    states = phases(own, own_peaks, length), phases(other, other_peaks, length)
    first_known = int(np.isnan(states).any(axis=0).sum())
    return match, measure_concordance(states[0][first_known:], states[1][first_known:], 50)


def walk(chance: np.random.Generator) -> np.ndarray:
    return np.exp(0.02 * chance.standard_t(4, 504).cumsum())


@functools.cache
def unrelated() -> list[tuple[Match, Concordance]]:
    found = []
    for seed in SEEDS:
        chance = np.random.default_rng(seed)
        found.append(compare(walk(chance), walk(chance)))
    return found


def test_rates_and_chance_are_those_of_every_shift() -> None:
    own, other = kinds([10, 50, 90], [30, 70]), kinds([13, 58], [31, 75, 99])
    length, tolerance = 100, 4

    def rate(shift: int) -> float:
        near = 0
        for kind in own:
            for position in own[kind]:
                gaps = [(position - p - shift) % length for p in other[kind]]
                near += any(min(gap, length - gap) <= tolerance for gap in gaps)
        return near / 5

    rates = [rate(shift) for shift in range(length)]
    found = match_turning_points(own, other, length, tolerance)
    assert found.rate_fraction == rates[0] == 2 / 5
    assert found.precision_fraction == 2 / 5
    assert found.f1_score == pytest.approx(2 / 5)
    assert found.mean_lead == pytest.approx((3 + 1) / 2)
    assert found.null_mean_fraction == pytest.approx(np.mean(rates))
    assert found.null_p95_fraction == pytest.approx(np.quantile(rates, 0.95))
    assert found.p_value == pytest.approx(np.mean([r >= rates[0] for r in rates]))


def test_no_point_on_either_side_matches_nothing() -> None:
    assert np.isnan(match_turning_points(kinds([], []), kinds([3], [9]), 50, 5).p_value)
    none = match_turning_points(kinds([3], []), kinds([25], [9]), 50, 5)
    assert (none.rate_fraction, none.f1_score) == (0, 0)
    assert np.isnan(none.mean_lead)


def test_phases_change_the_session_after_a_turning_point() -> None:
    found = phases(np.array([1, 4]), np.array([True, False]), 7)
    assert np.isnan(found[:2]).all()
    assert list(found[2:]) == [0, 0, 0, 1, 1]


def test_point_before_the_window_says_how_it_begins() -> None:
    assert list(phases(np.array([-5, 1]), np.array([False, True]), 4)) == [1, 1, 0, 0]
    assert np.isnan(phases(np.array([], dtype=np.int64), np.array([], dtype=bool), 3)).all()


def test_concordance_is_the_share_of_agreement_over_every_shift() -> None:
    chance = np.random.default_rng(4)
    x, y = np.repeat(chance.integers(0, 2, (2, 12)), 9, axis=1).astype(float)
    found = measure_concordance(x, y, 10)
    shares = [np.mean(np.roll(x, shift) == y) for shift in range(len(x))]
    assert found.fraction == pytest.approx(shares[0])
    assert found.expected_fraction == pytest.approx(
        x.mean() * y.mean() + (1 - x.mean()) * (1 - y.mean())
    )
    assert found.p_value == pytest.approx(np.mean([s >= shares[0] - 1e-12 for s in shares]))
    assert found.slope.value == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_phase_that_never_changes_agrees_with_nothing() -> None:
    found = measure_concordance(np.ones(50), np.repeat([0.0, 1.0], 25), 10)
    assert np.isnan([found.fraction, found.p_value, found.slope.t_value]).all()


@pytest.mark.parametrize("lead", [0, 4, 8])
def test_series_that_turns_some_sessions_later_is_matched_with_that_lead(lead: int) -> None:
    chance = np.random.default_rng(3)
    levels = walk(chance)
    later = np.concatenate([np.full(lead, levels[0]), levels])[:504]
    match, together = compare(levels, later)
    assert match.rate_fraction >= 0.9
    assert match.mean_lead == pytest.approx(lead, abs=1)
    # the shifts within the tolerance match as well, so no match is rarer than 21 in 494
    assert match.p_value < 0.05
    assert together.p_value < 0.05
    assert match.rate_fraction > match.null_p95_fraction


def test_points_of_unrelated_series_match_no_more_often_than_the_level() -> None:
    results = unrelated()
    assert_not_above(lambda chance: results[_seed_of(chance)][0].p_value)


def test_phases_of_unrelated_series_agree_no_more_often_than_the_level() -> None:
    results = unrelated()
    assert_not_above(lambda chance: results[_seed_of(chance)][1].p_value)


def test_p_values_of_unrelated_series_are_spread_evenly() -> None:
    for p_values in ([m.p_value for m, _ in unrelated()], [c.p_value for _, c in unrelated()]):
        assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)
        assert np.mean(np.array(p_values) < 0.05) > 0.01


def test_newey_west_t_value_of_phases_would_reject_too_often() -> None:
    assert np.mean([abs(together.slope.t_value) > 2 for _, together in unrelated()]) > 0.1


def _seed_of(chance: np.random.Generator) -> int:
    seed = chance.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]
    return int(seed)
