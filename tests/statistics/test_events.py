"""Event studies: exact, planted, and of days that mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from chance import assert_nominal

from pipeline.statistics.events import EventStudy, merge_episodes, study_events


def study(positions: list[int] | np.ndarray, outcomes: np.ndarray, seed: int = 0) -> EventStudy:
    return study_events(np.asarray(positions), outcomes, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("days", "distance", "kept"),
    [
        ([], 7, []),
        ([5], 7, [5]),
        ([5, 6, 11, 12, 20], 7, [5, 12, 20]),
        ([1, 8, 15], 7, [1, 8, 15]),
        ([1, 2, 3], 1, [1, 2, 3]),
    ],
)
def test_events_within_the_horizon_are_one(days: list[int], distance: int, kept: list[int]) -> None:
    assert list(merge_episodes(np.array(days, dtype=np.int64), distance)) == kept


def test_figures_by_hand() -> None:
    outcomes = np.array([0.1, -0.2, 0.3, 0.0, 0.5, -0.1])
    found = study([0, 2, 4], outcomes)
    assert found.event_count == 3
    assert found.mean == pytest.approx(0.3)
    assert found.median == pytest.approx(0.3)
    assert found.hit_fraction == 1
    assert found.baseline_mean == pytest.approx(0.1)
    assert found.difference == pytest.approx(0.2)
    # shifted by one, the events are the other three days, as far from the mean
    assert found.p_value == 1.0


def test_p_value_is_the_share_of_shifts_at_least_as_far() -> None:
    outcomes = np.random.default_rng(2).standard_normal(97)
    positions = np.array([3, 20, 41, 80])
    shifted = [
        abs(outcomes[(positions + shift) % 97].mean() - outcomes.mean()) for shift in range(97)
    ]
    expected = np.mean([distance >= shifted[0] - 1e-12 for distance in shifted])
    assert study(positions, outcomes).p_value == pytest.approx(expected)


def test_no_event_has_only_a_baseline() -> None:
    found = study(np.empty(0, dtype=np.int64), np.array([1.0, 3.0]))
    assert (found.event_count, found.baseline_mean) == (0, 2.0)
    assert np.isnan([found.mean, found.difference, found.p_value]).all()


def test_single_event_has_no_interval() -> None:
    found = study([1], np.array([1.0, 3.0, 2.0]))
    assert np.isnan([found.difference_low, found.difference_high]).all()
    assert found.difference == pytest.approx(1)


def test_outcomes_that_never_vary_say_nothing() -> None:
    assert study([1, 3], np.full(9, 0.1)).p_value == 1


def test_planted_effect_is_found() -> None:
    chance = np.random.default_rng(6)
    outcomes = 0.05 * chance.standard_normal(1500)
    positions = np.arange(20, 1480, 40)
    outcomes[positions] += 0.04
    found = study(positions, outcomes)
    assert found.difference_low < 0.04 < found.difference_high
    assert found.difference_low > 0
    assert found.p_value < 0.01


def test_days_that_mean_nothing_are_rejected_at_the_level() -> None:
    def p_value(chance: np.random.Generator) -> float:
        overlapping = np.convolve(chance.standard_t(4, 1006), np.ones(7), mode="valid")
        days = np.sort(chance.choice(1000, 40, replace=False))
        return study(merge_episodes(days, 7), overlapping).p_value

    assert_nominal(p_value)
