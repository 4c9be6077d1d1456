"""Tests of means that keep their level in short regimes: equally weighted cosines."""

from __future__ import annotations

import math
from typing import Any

from scipy import fft

from pipeline.statistics.arrays import NAN, center, drop_missing
from pipeline.statistics.hac import two_sided_p

MIN_COUNT = 10


def cosine_count(observation_count: int) -> int:
    """Return how many cosines estimate a variance, floor(0.41 n^(2/3)).

    Source: Lazarus, Lewis, Stock and Watson (2018), "HAR inference: recommendations for
    practice", Journal of Business and Economic Statistics 36, equation 4.
    """
    return math.floor(0.41 * math.pow(observation_count, 2 / 3))


def mean_p_value(values: Any) -> float:
    """Return the two-sided p-value of a mean of zero, allowing for serial dependence.

    Args:
        values: One series in time order, any unit; missing values are left out.

    Returns:
        NaN for fewer than 10 values or a constant series. The mean over its error is
        compared with Student's t of as many degrees of freedom as there are cosines: few
        for a short series, whose error is itself badly known. A Newey-West t compared with
        a normal rejects twice too often there.

    Source: as ``cosine_count``.
    """
    series = drop_missing(values)
    if len(series) < MIN_COUNT:
        return NAN
    variance, freedom = _variance_of_mean(series)
    return _p_value(float(series.mean()), variance, freedom)


def difference_p_value(first: Any, second: Any) -> float:
    """Return the two-sided p-value of equal means of two stretches of time.

    Args:
        first: Values of one stretch in time order, any unit; missing ones are left out.
        second: Values of the other.

    Returns:
        NaN where one has fewer than 10 values or both are constant. Each stretch brings its
        own variance, so that a short one beside a long one does not borrow its certainty;
        degrees of freedom by Satterthwaite (1946).
    """
    a, b = drop_missing(first), drop_missing(second)
    if min(len(a), len(b)) < MIN_COUNT:
        return NAN
    (own, own_freedom), (other, other_freedom) = _variance_of_mean(a), _variance_of_mean(b)
    variance = own + other
    if variance == 0:
        return NAN
    freedom = variance**2 / (own**2 / own_freedom + other**2 / other_freedom)
    return _p_value(float(a.mean() - b.mean()), variance, freedom)


def _variance_of_mean(series: Any) -> tuple[float, int]:
    count = len(series)
    cosines = cosine_count(count)
    projections = fft.dct(center(series), type=2, norm="ortho")[1 : cosines + 1]
    return float((projections**2).mean()) / count, cosines


def _p_value(value: float, variance: float, freedom: float) -> float:
    return NAN if variance == 0 else two_sided_p(value / math.sqrt(variance), freedom)
