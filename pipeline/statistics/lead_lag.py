"""Which of two series moves first: cross-correlations and the chance of their largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from pipeline.statistics.arrays import NAN, Floats, center
from pipeline.statistics.resampling import DRAW_COUNT, draw_block_signs, mean_block_length

MAX_LEAD = 20


@dataclass(frozen=True)
class Lead:
    """The lead of the largest correlation in absolute value, and the chance of one as large.

    ``lead`` is in observations; above 0 the first series moves first. ``apart_lead`` and what
    follows are the same of all leads but 0: series that move together on the day may lead
    each other beside that.
    """

    lead: int | None
    correlation: float
    p_value: float
    apart_lead: int | None
    apart_correlation: float
    apart_p_value: float


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


def draw_signs(
    generator: np.random.Generator, observation_count: int, draw_count: int = DRAW_COUNT
) -> Floats:
    """Draw the signs of ``find_lead`` for series of that length, a row per draw."""
    length = mean_block_length(observation_count)
    return draw_block_signs(generator, observation_count, draw_count, length)


def find_lead(first: Floats, second: Floats, signs: Floats, max_lead: int = MAX_LEAD) -> Lead:
    """Find by how many observations one series leads the other.

    Args:
        first: One series in time order, without missing values.
        second: The other, of the same length.
        signs: From ``draw_signs`` for that length.
        max_lead: Largest lead looked at, on either side.

    Returns:
        The lead with the largest absolute correlation. Its p-value is the share of draws
        whose largest is at least as large; in those the first series has the drawn signs, so
        that each series keeps its own dependence and its wild days, and neither tells where
        the other goes. Drawing the two apart would part their wild days too, and find leads
        in two series that are merely nervous at the same times. None and NaN where a series
        is constant.
    """
    found = cross_correlate(first, second, max_lead)
    if np.isnan(found).any():
        return Lead(None, NAN, NAN, None, NAN, NAN)
    signed = cross_correlate(signs * center(first), center(second)[None, :], max_lead)
    is_apart = np.arange(-max_lead, max_lead + 1) != 0
    return Lead(
        *_largest(found, np.abs(signed), max_lead),
        *_largest(np.where(is_apart, found, 0.0), np.abs(signed[:, is_apart]), max_lead),
    )


def _largest(found: Floats, drawn: Floats, max_lead: int) -> tuple[int, float, float]:
    """Return the lead of the largest correlation, that, and the share of draws as large."""
    best = int(np.argmax(np.abs(found)))
    as_large = int((drawn.max(axis=-1) >= abs(found[best])).sum())
    return best - max_lead, float(found[best]), (1 + as_large) / (1 + len(drawn))
