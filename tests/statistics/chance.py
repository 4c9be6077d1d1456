"""How often a test may reject when there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal, stats

SEEDS = range(500)
LEVEL = 0.05


def assert_nominal(p_of_seed: Callable[[np.random.Generator], float], level: float = LEVEL) -> None:
    """Assert that as many of 500 seeds reject as a test of that level must."""
    low, high = stats.binom.interval(0.999, len(SEEDS), level)
    assert low <= count_rejections(p_of_seed, level) <= high


def assert_not_above(
    p_of_seed: Callable[[np.random.Generator], float], level: float = LEVEL
) -> None:
    """Assert that no more of 500 seeds reject: for p-values of few distinct values."""
    _, high = stats.binom.interval(0.999, len(SEEDS), level)
    assert count_rejections(p_of_seed, level) <= high


def count_rejections(p_of_seed: Callable[[np.random.Generator], float], level: float) -> int:
    """Return how many of 500 seeds give a p-value at or below the level."""
    p_values = [p_of_seed(np.random.default_rng(seed)) for seed in SEEDS]
    assert not np.isnan(p_values).any()
    return int(sum(p <= level for p in p_values))


def autoregressive(generator: np.random.Generator, count: int, rho: float) -> np.ndarray:
    """Return a series each of whose values keeps ``rho`` of the one before."""
    shocks = generator.standard_normal(count)
    shocks[0] /= np.sqrt(1 - rho**2)
    return np.asarray(signal.lfilter([1.0], [1.0, -rho], shocks))


def volatility(generator: np.random.Generator, count: int) -> np.ndarray:
    """Return a volatility that wanders for months, half as large again or less most of the time."""
    return np.exp(0.5 * np.sqrt(1 - 0.97**2) * autoregressive(generator, count, 0.97))


def clustered(generator: np.random.Generator, count: int) -> np.ndarray:
    """Return independent shocks whose wild days lie together."""
    return volatility(generator, count) * generator.standard_normal(count)
