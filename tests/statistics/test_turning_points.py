"""Peaks and troughs: planted, by the rules, and never known before their time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.turning_points import TurningPoint, find_turning_points


def zigzag(*corners: tuple[int, float]) -> np.ndarray:
    """Return levels that go straight from corner to corner."""
    positions, levels = zip(*corners, strict=True)
    return np.interp(np.arange(positions[-1] + 1), positions, levels)


def standing(points: list[TurningPoint]) -> list[tuple[int, str]]:
    return [(point.position, point.kind) for point in points if point.superseded_at is None]


def random_walk(seed: int, count: int = 600, volatility: float = 0.02) -> np.ndarray:
    return 100 * np.exp(volatility * np.random.default_rng(seed).standard_normal(count).cumsum())


def test_planted_corners_are_found_and_known_ten_sessions_later() -> None:
    levels = zigzag((0, 100), (30, 150), (60, 110), (95, 160), (130, 120))
    found = find_turning_points(levels, 0.10)
    assert standing(found) == [(30, "peak"), (60, "trough"), (95, "peak")]
    assert [point.confirmed_at for point in found] == [40, 70, 105]
    assert found[1].amplitude_fraction == pytest.approx(40 / 150)
    assert found[1].phase_length == 30
    assert found[0].amplitude_fraction is None


def test_move_below_the_amplitude_turns_nothing() -> None:
    levels = zigzag((0, 100), (30, 150), (60, 140), (95, 160), (130, 120))
    found = find_turning_points(levels, 0.10)
    assert standing(found) == [(95, "peak")]
    assert found[0] == replace(found[0], position=30, superseded_at=105)


def test_flat_top_turns_at_its_first_session() -> None:
    levels = zigzag((0, 100), (20, 150), (26, 150), (60, 100))
    assert standing(find_turning_points(levels, 0.10)) == [(20, "peak")]


def test_new_high_right_after_a_dip_makes_the_dip_no_trough() -> None:
    levels = zigzag((0, 100), (30, 150), (42, 120), (50, 170), (90, 100))
    found = find_turning_points(levels, 0.10)
    assert standing(found) == [(50, "peak")]
    assert [(p.position, p.superseded_at) for p in found] == [(30, 60), (42, 60), (50, None)]


def test_short_cycle_that_makes_no_new_high_is_passed_over() -> None:
    levels = zigzag((0, 100), (30, 150), (41, 120), (52, 145), (90, 100))
    assert standing(find_turning_points(levels, 0.10)) == [(30, "peak"), (41, "trough")]


@pytest.mark.parametrize("count", [0, 1, 20, 21])
def test_few_or_constant_levels_have_no_turning_point(count: int) -> None:
    assert find_turning_points(np.full(count, 100.0), 0.10) == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), known=st.integers(0, 400))
def test_what_is_known_on_a_day_does_not_depend_on_later_days(seed: int, known: int) -> None:
    levels = random_walk(seed, 400)
    later = [point for point in find_turning_points(levels, 0.08) if point.confirmed_at < known]
    as_seen_then = [
        replace(point, superseded_at=None)
        if point.superseded_at is not None and point.superseded_at >= known
        else point
        for point in later
    ]
    assert find_turning_points(levels[:known], 0.08) == as_seen_then


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_standing_points_keep_the_rules(seed: int) -> None:
    levels = random_walk(seed)
    points = [p for p in find_turning_points(levels, 0.08) if p.superseded_at is None]
    for before, after in pairwise(points):
        assert before.kind != after.kind
        rise = after.level / before.level - 1
        assert (rise if after.kind == "peak" else -rise) >= 0.08
        assert after.position - before.position >= 10
    for first, third in zip(points, points[2:], strict=False):
        assert third.position - first.position >= 25
    for point in points:
        around = levels[point.position - 10 : point.position + 11]
        assert point.level == (around.max() if point.kind == "peak" else around.min())


def test_scale_of_the_levels_does_not_matter() -> None:
    levels = random_walk(5)
    positions = [p.position for p in find_turning_points(levels, 0.08)]
    assert len(positions) > 5
    assert positions == [p.position for p in find_turning_points(levels * 37.5, 0.08)]
