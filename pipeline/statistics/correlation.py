"""Correlation of two dependent series, with the number of observations it is worth."""

from __future__ import annotations

import numpy as np
from scipy import special

from pipeline.statistics.arrays import Floats, center

MAX_LAG = 10
# Variance of Fisher's z of a rank correlation over 1 / (n - 3).
SPEARMAN_FACTOR = 1.06


def correlate(first: Floats, second: Floats) -> Floats:
    """Return Pearson correlations along the last axis; NaN where a series is constant."""
    x, y = center(first), center(second)
    spread = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(spread > 0, (x * y).sum(axis=-1) / spread, np.nan), -1, 1)


def effective_count(first: Floats, second: Floats, max_lag: int = MAX_LAG) -> Floats:
    """Return how many independent pairs two autocorrelated series are worth.

    Args:
        first: Series along the last axis, in time order, without missing values.
        second: As many of the same length.
        max_lag: Longest autocorrelation looked at.

    Returns:
        N / (1 + 2 sum over k of (1 - k/N) rho_x(k) rho_y(k)), at most N: chance
        autocorrelations of opposite sign must not add observations. Both terms of the sum's
        denominator count: the 1 is ``shared_size``, beyond 1 where both series move far on
        the same days. NaN for a constant.

    Source: Bartlett (1935, 1946); Bayley and Hammersley (1946).
    """
    count = first.shape[-1]
    x, y = center(first), center(second)
    x_spread, y_spread = (x * x).sum(axis=-1), (y * y).sum(axis=-1)
    inflation = np.maximum(shared_size(first, second), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        for lag in range(1, min(max_lag, count - 1) + 1):
            x_rho = (x[..., lag:] * x[..., :-lag]).sum(axis=-1) / x_spread
            y_rho = (y[..., lag:] * y[..., :-lag]).sum(axis=-1) / y_spread
            inflation = inflation + 2 * (1 - lag / count) * x_rho * y_rho
    result: Floats = count / np.maximum(inflation, 1.0)
    return np.where(np.isnan(inflation), np.nan, result)


def shared_size(first: Floats, second: Floats) -> Floats:
    """Return how much more a correlation varies because both series are wild on the same days.

    Args:
        first: Series along the last axis, without missing values.
        second: As many of the same length.

    Returns:
        The mean of x^2 y^2 of the standardised series over 1 + 2 r^2, which is what it is of
        normal ones: 1 without any such relation, 2 where days are of two kinds, say. It
        depends on the size of moves, not on whether they go the same way. NaN for a constant.

    Source: of elliptical distributions, the variance of Fisher's z times n (Muirhead 1982,
    "Aspects of multivariate statistical theory", section 5.1.4).
    """
    x, y = center(first), center(second)
    correlation = correlate(first, second)
    with np.errstate(invalid="ignore", divide="ignore"):
        together = (x * x * y * y).mean(axis=-1) / ((x * x).mean(axis=-1) * (y * y).mean(axis=-1))
        shared: Floats = together / (1 + 2 * correlation**2)
    return np.where(np.isnan(correlation), np.nan, shared)


def fisher_interval(
    correlation: Floats, observation_count: Floats, variance_factor: float = 1.0
) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a correlation by Fisher's z.

    Args:
        correlation: Correlations, -1 to 1.
        observation_count: Effective observations of each; 3 or fewer give NaN.
        variance_factor: 1 for Pearson, ``SPEARMAN_FACTOR`` for rank correlations (Fieller,
            Hartley and Pearson 1957).
    """
    error = _z_error(observation_count, variance_factor)
    half = special.ndtri(0.975) * error
    with np.errstate(divide="ignore"):
        z = np.arctanh(correlation)
    return np.tanh(z - half), np.tanh(z + half)


def fisher_p_value(
    correlation: Floats, observation_count: Floats, variance_factor: float = 1.0
) -> Floats:
    """Return two-sided p-values of correlations against zero; arguments as in the interval."""
    with np.errstate(divide="ignore"):
        z = np.abs(np.arctanh(correlation)) / _z_error(observation_count, variance_factor)
    result: Floats = 2 * special.ndtr(-z)
    return result


def _z_error(observation_count: Floats, variance_factor: float) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        error: Floats = np.sqrt(variance_factor / (observation_count - 3))
    return np.where(observation_count > 3, error, np.nan)
