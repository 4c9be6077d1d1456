"""Blocks, generators and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from chance import SEEDS, autoregressive
from scipy import stats

from pipeline.statistics.resampling import (
    bootstrap_mean_interval,
    draw_block_positions,
    draw_block_signs,
    generator_for,
    mean_block_length,
)


def test_generator_depends_on_its_key_alone() -> None:
    first = generator_for("lead_lag", "rut_small", 504).random(4)
    assert list(first) == list(generator_for("lead_lag", "rut_small", 504).random(4))
    assert list(first) != list(generator_for("lead_lag", "rut_small", 503).random(4))


def test_block_length_is_the_cube_root() -> None:
    assert mean_block_length(1000) == pytest.approx(10)
    assert mean_block_length(0) == 1


def test_positions_are_blocks_of_a_ring_of_the_given_mean_length() -> None:
    positions = draw_block_positions(np.random.default_rng(1), 200, 400, 8.0)
    assert positions.shape == (400, 200)
    assert (positions.min(), positions.max()) == (0, 199)
    goes_on = (positions[:, 1:] - positions[:, :-1]) % 200 == 1
    # a new block follows on by chance once in 200
    assert 1 - goes_on.mean() == pytest.approx(1 / 8 * (1 - 1 / 200), abs=0.003)
    counts = np.bincount(positions.ravel(), minlength=200)
    assert counts.min() > 0.7 * counts.mean()


def test_blocks_of_one_are_independent_draws() -> None:
    positions = draw_block_positions(np.random.default_rng(1), 50, 400, 1.0)
    assert stats.chisquare(np.bincount(positions.ravel(), minlength=50)).pvalue > 0.001
    follows_on = (positions[:, 1:] - positions[:, :-1]) % 50 == 1
    assert follows_on.mean() == pytest.approx(1 / 50, abs=0.005)


def test_signs_stay_the_same_through_blocks_of_the_given_mean_length() -> None:
    signs = draw_block_signs(np.random.default_rng(1), 200, 400, 8.0)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert signs.mean() == pytest.approx(0, abs=0.02)
    # a new block begins in 1 of 8 places and has the other sign in half of those
    assert (signs[:, 1:] != signs[:, :-1]).mean() == pytest.approx(1 / 16, abs=0.003)


def test_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(3).standard_normal(80)
    oracle = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=5000, rng=np.random.default_rng(2)
    ).confidence_interval
    found = bootstrap_mean_interval(values, np.random.default_rng(1), draw_count=5000)
    assert found == pytest.approx((oracle.low, oracle.high), abs=0.02)


def test_single_value_has_no_interval() -> None:
    assert np.isnan(bootstrap_mean_interval([1.0], np.random.default_rng(1))).all()


def coverage(rho: float, mean_length: float) -> float:
    covered = 0
    for seed in SEEDS:
        chance = np.random.default_rng(seed)
        values = autoregressive(chance, 300, rho)
        low, high = bootstrap_mean_interval(values, chance, mean_length=mean_length, draw_count=300)
        covered += low <= 0 <= high
    return covered / len(SEEDS)


def test_interval_covers_the_mean_of_noise_as_often_as_it_says() -> None:
    assert coverage(0.0, 1.0) == pytest.approx(0.95, abs=0.033)


def test_dependent_values_need_blocks() -> None:
    assert coverage(0.6, 1.0) < 0.80
    assert coverage(0.6, 20.0) > 0.88
