"""Cross-sections by rank: robust slope, rank correlation, two groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.statistics.arrays import NAN, Floats, as_floats


@dataclass(frozen=True)
class Slope:
    """A robust slope with its 95 % interval, in units of y per unit of x."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RankTest:
    """A rank statistic, its two-sided p-value and the observations behind it."""

    value: float
    p_value: float
    observation_count: int


def _pairs(first: Any, second: Any) -> tuple[Floats, Floats]:
    x, y = as_floats(first), as_floats(second)
    known = np.isfinite(x) & np.isfinite(y)
    return x[known], y[known]


def fit_theil_sen(x: Any, y: Any) -> Slope:
    """Return the median of all pairwise slopes, with its 95 % interval.

    Args:
        x: Positions of a cross-section, any unit; pairs with a missing value are left out.
        y: Values at those positions.

    Returns:
        NaN for fewer than 3 pairs or a constant x.

    Source: Sen (1968), as ``scipy.stats.theilslopes``.
    """
    from scipy import stats

    a, b = _pairs(x, y)
    if len(a) < 3 or np.ptp(a) == 0:
        return Slope(NAN, NAN, NAN)
    fitted = stats.theilslopes(b, a, alpha=0.95)
    return Slope(float(fitted[0]), float(fitted[2]), float(fitted[3]))


def correlate_ranks(first: Any, second: Any) -> RankTest:
    """Return Spearman's rank correlation of a cross-section of independent pairs.

    Returns:
        -1 to 1 with the p-value of ``scipy.stats.spearmanr``; NaN for fewer than 3 pairs or
        a constant side.
    """
    from scipy import stats

    a, b = _pairs(first, second)
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return RankTest(NAN, NAN, len(a))
    found = stats.spearmanr(a, b)
    return RankTest(float(found.statistic), float(found.pvalue), len(a))


def compare_groups(first: Any, second: Any) -> RankTest:
    """Test whether one group of independent values tends to be above another (Mann-Whitney).

    Returns:
        U of the first group over the number of pairs: the share of pairs in which the first
        is above, ties counted half; NaN where a group is empty or all values are the same.

    Source: Mann and Whitney (1947), as ``scipy.stats.mannwhitneyu``.
    """
    from scipy import stats

    a = as_floats(first)[np.isfinite(as_floats(first))]
    b = as_floats(second)[np.isfinite(as_floats(second))]
    count = len(a) + len(b)
    if min(len(a), len(b)) == 0 or np.ptp(np.concatenate([a, b])) == 0:
        return RankTest(NAN, NAN, count)
    found = stats.mannwhitneyu(a, b, alternative="two-sided")
    return RankTest(float(found.statistic) / (len(a) * len(b)), float(found.pvalue), count)
