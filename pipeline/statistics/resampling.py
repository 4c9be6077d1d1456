"""Resampling that is the same every night: generators seeded by what is resampled."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from pipeline.statistics.arrays import NAN, Floats, Ints, as_floats

DRAW_COUNT = 1000


def generator_for(*key: object) -> np.random.Generator:
    """Return a generator that depends on a key alone, as a day and a pair, never on a clock."""
    digest = hashlib.sha256("|".join(str(part) for part in key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def mean_block_length(observation_count: int) -> float:
    """Return the mean length of blocks for a series of that length, n^(1/3).

    Source: the rate of Politis and Romano (1994) for the variance of a mean.
    """
    return max(1.0, math.cbrt(observation_count))


def draw_block_positions(
    generator: np.random.Generator, observation_count: int, draw_count: int, mean_length: float
) -> Ints:
    """Draw positions of the stationary block bootstrap.

    Args:
        generator: Source of chance.
        observation_count: Length of the series, which is closed to a ring.
        draw_count: Series to draw.
        mean_length: Mean length of the blocks, in observations, at least 1.

    Returns:
        One row per draw with as many positions as observations.

    Source: Politis and Romano (1994): blocks start anywhere and have geometric lengths.
    """
    shape = (draw_count, observation_count)
    if mean_length <= 1:
        return generator.integers(observation_count, size=shape)
    is_start = generator.random(shape) < 1 / mean_length
    is_start[:, 0] = True
    places = np.arange(observation_count)
    begun = np.maximum.accumulate(np.where(is_start, places, 0), axis=1)
    starts = np.take_along_axis(generator.integers(observation_count, size=shape), begun, axis=1)
    return (starts + places - begun) % observation_count


def draw_block_signs(
    generator: np.random.Generator, observation_count: int, draw_count: int, mean_length: float
) -> Floats:
    """Draw signs, 1 or -1, that stay the same through blocks of random length.

    A series times such signs keeps the size of every move and its day, and within the blocks
    its dependence; what it had to do with another series is gone.

    Args:
        generator: Source of chance.
        observation_count: Length of the series.
        draw_count: Rows to draw.
        mean_length: Mean length of the blocks, in observations, at least 1.

    Source: the dependent wild bootstrap of Shao (2010), Journal of the American Statistical
    Association 105, with blocks as in ``draw_block_positions``.
    """
    shape = (draw_count, observation_count)
    is_start = generator.random(shape) < 1 / mean_length
    is_start[:, 0] = True
    begun = np.maximum.accumulate(np.where(is_start, np.arange(observation_count), 0), axis=1)
    signs: Floats = np.take_along_axis(generator.choice([-1.0, 1.0], size=shape), begun, axis=1)
    return signs


def bootstrap_mean_interval(
    values: Any,
    generator: np.random.Generator,
    *,
    mean_length: float = 1.0,
    draw_count: int = DRAW_COUNT,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of a mean, in the unit of the values.

    Args:
        values: One series in time order, without missing values.
        generator: Source of chance.
        mean_length: Mean length of the blocks; 1 for independent values, at least h for
            forward windows that overlap for h days.
        draw_count: Series to draw.
        level: Share of the draws inside the interval.
    """
    series: Floats = as_floats(values)
    if len(series) < 2:
        return NAN, NAN
    positions = draw_block_positions(generator, len(series), draw_count, mean_length)
    low, high = np.quantile(series[positions].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
