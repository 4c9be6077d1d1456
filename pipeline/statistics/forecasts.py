"""What followed a signal: bucket means, block intervals, and chance by shifting the signal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, stats

from pipeline.statistics.arrays import NAN, Bools, Floats, Ints
from pipeline.statistics.hac import long_run_variance

DRAW_COUNT = 300


@dataclass(frozen=True)
class RankForecast:
    """Rank correlation of a signal and what followed, with its t value."""

    correlation: float
    t_value: float


def shift_p_value(scores: Floats, outcomes: Floats) -> float:
    """Return the share of all shifts round the ring that fit the outcomes at least as well.

    Args:
        scores: A mark or a score for each outcome, in time order.
        outcomes: What followed, in time order; both without missing values.

    Returns:
        A p-value that keeps the dependence of neighbours within either series, be it from
        windows that overlap or from a signal that moves slowly: only their alignment is
        chance. It is no test of a signal that is made of the earlier outcomes themselves
        (see ``pipeline.statistics.predictability``). NaN where one of them is constant.
    """
    if np.ptp(scores) == 0 or np.ptp(outcomes) == 0:
        return NAN
    signal, response = scores - scores.mean(), outcomes - outcomes.mean()
    spectrum = np.conj(fft.rfft(signal)) * fft.rfft(response)
    fits = np.abs(fft.irfft(spectrum, len(outcomes)))
    rounding = 1e-9 * float(fits.max())  # ties, as the shift of 0 with itself
    return float((fits >= fits[0] - rounding).mean())


def correlate_forecast(values: Floats, outcomes: Floats, lag_count: int) -> RankForecast:
    """Return Spearman's correlation of a signal and what followed.

    Args:
        values: The signal, in time order.
        outcomes: What followed each, of the same length; both without missing values.
        lag_count: Lags of the Newey-West variance of the t value.

    Returns:
        The correlation and the t value of the slope of ranks on ranks; NaN for fewer than 3
        values or where one side is constant. How likely it is by chance, ``forecast_p_value``
        says, since a signal made of earlier returns does not correlate with later ones around 0.
    """
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(outcomes) == 0:
        return RankForecast(NAN, NAN)
    x, y = stats.rankdata(values), stats.rankdata(outcomes)
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    correlation = float(np.clip(x @ y / len(x), -1, 1))
    variance = long_run_variance(x * (y - correlation * x), lag_count) / len(x)
    t_value = correlation / math.sqrt(variance) if variance > 1e-18 else NAN
    return RankForecast(correlation, t_value)


def difference_t_value(is_member: Bools, outcomes: Floats, lag_count: int) -> float:
    """Return the Newey-West t of the mean of marked outcomes less the mean of all.

    Args:
        is_member: For each outcome, whether it is marked.
        outcomes: What followed, in time order, without missing values.
        lag_count: Lags; windows that overlap for h days need at least h - 1.

    Returns:
        NaN where none or all are marked, or nothing varies. It is the t value of a dummy in
        a regression, as ``statsmodels`` with ``cov_type="HAC"`` has it.
    """
    share = float(is_member.mean())
    if share in {0.0, 1.0}:
        return NAN
    means = np.where(is_member, outcomes[is_member].mean(), outcomes[~is_member].mean())
    residuals = outcomes - means
    scores = np.where(is_member, residuals * (1 - share) / share, -residuals)
    variance = long_run_variance(scores, lag_count) / len(outcomes)
    difference = float(outcomes[is_member].mean() - outcomes.mean())
    return difference / math.sqrt(variance) if variance > 1e-18 else NAN


def difference_intervals(
    members: Bools,
    outcomes: Floats,
    generator: np.random.Generator,
    block_length: int,
    draw_count: int = DRAW_COUNT,
) -> Floats:
    """Return the 95 % interval of each group's mean less the mean of all.

    Args:
        members: One row per group: for each outcome, whether it is of the group.
        outcomes: What followed, in time order, without missing values.
        generator: Source of chance.
        block_length: Neighbours drawn together, at least the days for which windows overlap.
        draw_count: Series to draw.

    Returns:
        One row per group with the lower and the upper end; NaN where a group is empty.

    Source: the circular block bootstrap of Politis and Romano (1992).
    """
    count = len(outcomes)
    length = min(block_length, count)
    starts: Ints = generator.integers(count, size=(draw_count, math.ceil(count / length)))
    columns = np.vstack([np.ones(count), outcomes, members, members * outcomes])
    ring = np.concatenate([columns, columns[:, :length]], axis=1)
    sums = np.concatenate([np.zeros((len(ring), 1)), ring.cumsum(axis=1)], axis=1)
    blocks = sums[:, length:] - sums[:, :-length]
    drawn = blocks[:, :count][:, starts].sum(axis=2)
    baseline = drawn[1] / drawn[0]
    sizes, totals = drawn[2 : 2 + len(members)], drawn[2 + len(members) :]
    found = np.full((len(members), 2), NAN)
    for place, (size, total) in enumerate(zip(sizes, totals, strict=True)):
        drawn_members = size > 0.5
        if members[place].any() and drawn_members.mean() > 0.9:
            differences = total[drawn_members] / size[drawn_members] - baseline[drawn_members]
            found[place] = np.quantile(differences, [0.025, 0.975])
    return found
