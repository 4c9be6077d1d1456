"""Means of series whose days depend on each other: Newey-West."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy import special

from pipeline.statistics.arrays import NAN, Floats, as_floats, center, drop_missing


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error, t value and two-sided p-value.

    Units of ``value`` and ``standard_error`` are those of the data. All but the count are
    NaN where there is nothing to estimate from.
    """

    value: float
    standard_error: float
    t_value: float
    p_value: float
    observation_count: int


def newey_west_lag(observation_count: int) -> int:
    """Return the number of lags, floor(4 (n/100)^(2/9)).

    Source: Newey and West (1994), the rule of thumb for the Bartlett kernel.
    """
    return math.floor(4 * math.pow(observation_count / 100, 2 / 9))


def long_run_variance(scores: Floats, lag_count: int) -> float:
    """Return the Bartlett-weighted sum of autocovariances, in squared units of the scores.

    Args:
        scores: One series of mean zero, without NaN.
        lag_count: Lags to use; fewer where the series is shorter.

    Source: Newey and West (1987), equation 5; autocovariances divided by n, so the sum is
    never negative.
    """
    count = len(scores)
    total = float(scores @ scores)
    for lag in range(1, min(lag_count, count - 1) + 1):
        weight = 1 - lag / (lag_count + 1)
        total += 2 * weight * float(scores[lag:] @ scores[:-lag])
    return max(total, 0.0) / count


def two_sided_p(t_value: float, degrees_of_freedom: float) -> float:
    """Return the two-sided p-value of a t value; NaN gives NaN."""
    return float(2 * special.stdtr(degrees_of_freedom, -abs(t_value)))


def estimate_mean(values: Any, lag_count: int | None = None) -> Estimate:
    """Estimate a mean and test it against zero, allowing for serial dependence.

    Args:
        values: One series in time order, any unit; missing values are left out.
        lag_count: Lags of the Newey-West variance; by default ``newey_west_lag``. Overlapping
            forward windows of h days need at least h - 1.

    Returns:
        The mean in the unit of the values, with n - 1 degrees of freedom and the small-sample
        factor n / (n - 1). NaN for fewer than 2 values or a constant series.
    """
    series = drop_missing(values)
    count = len(series)
    if count < 2:
        return Estimate(NAN, NAN, NAN, NAN, count)
    mean = float(series.mean())
    lags = newey_west_lag(count) if lag_count is None else lag_count
    variance = long_run_variance(center(series), lags) / (count - 1)
    if variance == 0:
        return Estimate(mean, NAN, NAN, NAN, count)
    error = math.sqrt(variance)
    return Estimate(mean, error, mean / error, two_sided_p(mean / error, count - 1), count)


def estimate_slope(response: Any, driver: Any, lag_count: int | None = None) -> Estimate:
    """Estimate the slope of a regression with a constant, allowing for serial dependence.

    Args:
        response: One series in time order, without missing values.
        driver: The other series, of the same length.
        lag_count: Lags of the Newey-West variance; by default ``newey_west_lag``.

    Returns:
        The slope in units of the response per unit of the driver, with n - 2 degrees of
        freedom and the factor n / (n - 2). NaN where the driver is constant, the response
        is constant or fits exactly, or there are fewer than 3 pairs.
    """
    y, x = as_floats(response), as_floats(driver)
    count = len(y)
    if count < 3:
        return Estimate(NAN, NAN, NAN, NAN, count)
    x, y = center(x), center(y)
    spread = float(x @ x)
    if spread == 0:
        return Estimate(NAN, NAN, NAN, NAN, count)
    slope = float(x @ y) / spread
    lags = newey_west_lag(count) if lag_count is None else lag_count
    residuals = y - slope * x
    if math.sqrt(float(residuals @ residuals)) <= 1e-12 * math.sqrt(float(y @ y)):
        return Estimate(slope, NAN, NAN, NAN, count)
    variance = long_run_variance(x * residuals, lags) * count / spread**2 * count / (count - 2)
    if variance == 0:
        return Estimate(slope, NAN, NAN, NAN, count)
    error = math.sqrt(variance)
    return Estimate(slope, error, slope / error, two_sided_p(slope / error, count - 2), count)
