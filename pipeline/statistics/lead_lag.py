"""Which of two series moves first: cross-correlations and the chance of their largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from pipeline.statistics.arrays import NAN, Floats, Ints, center
from pipeline.statistics.resampling import DRAW_COUNT, draw_block_positions, mean_block_length

MAX_LEAD = 20


@dataclass(frozen=True)
class Lead:
    """The lead of the largest correlation in absolute value, and the chance of one as large.

    ``lead`` is in observations; above 0 the first series moves first.
    """

    lead: int | None
    correlation: float
    p_value: float


def cross_correlate(first: Floats, second: Floats, max_lead: int = MAX_LEAD) -> Floats:
    """Return the correlation of ``first`` with ``second`` k observations later.

    Args:
        first: Series along the last axis, in time order, without missing values.
        second: As many of the same length.
        max_lead: Largest k.

    Returns:
        Along the last axis the correlations for k from ``-max_lead`` to ``max_lead``, with
        means and variances of the whole series and sums divided by n; NaN for a constant.
    """
    count = first.shape[-1]
    x, y = center(first), center(second)
    size = fft.next_fast_len(count + max_lead, real=True)
    product = np.conj(fft.rfft(x, size)) * fft.rfft(y, size)
    sums = fft.irfft(product, size)
    sums = np.concatenate([sums[..., -max_lead:], sums[..., : max_lead + 1]], axis=-1)
    spread = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, sums / spread, np.nan)


def draw_pairs(
    generator: np.random.Generator, observation_count: int, draw_count: int = DRAW_COUNT
) -> tuple[Ints, Ints]:
    """Draw positions for two series apart from each other, in blocks.

    Returns:
        Positions of the first and of the second series, a row per draw.
    """
    length = mean_block_length(observation_count)
    first = draw_block_positions(generator, observation_count, draw_count, length)
    return first, draw_block_positions(generator, observation_count, draw_count, length)


def find_lead(
    first: Floats, second: Floats, draws: tuple[Ints, Ints], max_lead: int = MAX_LEAD
) -> Lead:
    """Find by how many observations one series leads the other.

    Args:
        first: One series in time order, without missing values.
        second: The other, of the same length.
        draws: Positions from ``draw_pairs`` for that length.
        max_lead: Largest lead looked at, on either side.

    Returns:
        The lead with the largest absolute correlation. Its p-value is the share of drawn
        pairs whose largest is at least as large; in those each series keeps its own
        dependence and they share none (stationary bootstrap). None and NaN where a series
        is constant.
    """
    found = cross_correlate(first, second, max_lead)
    if np.isnan(found).any():
        return Lead(None, NAN, NAN)
    best = int(np.argmax(np.abs(found)))
    largest = np.abs(cross_correlate(first[draws[0]], second[draws[1]], max_lead)).max(axis=-1)
    as_large = int((largest >= abs(found[best])).sum())
    return Lead(best - max_lead, float(found[best]), (1 + as_large) / (1 + len(largest)))
