"""Whether two series turn together, beside what chance would show.

The chance is that of the same two series moved against each other: one is held, the other
is closed to a ring and turned by every possible number of observations. Each keeps its own
rhythm, and all that goes is their timing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from pipeline.statistics.arrays import NAN, Bools, Floats, Ints
from pipeline.statistics.hac import Estimate, estimate_slope


@dataclass(frozen=True)
class Match:
    """How many turning points of two series fall together.

    ``rate_fraction`` is the share of the first series' points that have one of the second
    of the same kind nearby, ``precision_fraction`` the share the other way round.
    ``mean_lead`` is in observations; above 0 the first series turns first. ``p_value`` is
    the share of shifts that match at least as well.
    """

    rate_fraction: float
    precision_fraction: float
    f1_score: float
    mean_lead: float
    null_mean_fraction: float
    null_p95_fraction: float
    p_value: float


@dataclass(frozen=True)
class Concordance:
    """The share of time that two series spend in the same phase, and its chance level."""

    fraction: float
    expected_fraction: float
    p_value: float
    slope: Estimate


def match_turning_points(
    first: dict[str, Ints], second: dict[str, Ints], length: int, tolerance: int
) -> Match:
    """Match the turning points of two series within a window of ``length`` observations.

    Args:
        first: Positions of the first series' points by kind, 0 to ``length`` - 1.
        second: The same of the second series, with the same kinds.
        length: Observations in the window, which is closed to a ring: a point near one end
            may match one near the other, in the shifts as in the figure itself.
        tolerance: Largest distance of a match, in observations.

    Returns:
        Rates as fractions; all NaN where either series has no point.
    """
    first_count = sum(len(positions) for positions in first.values())
    second_count = sum(len(positions) for positions in second.values())
    if first_count == 0 or second_count == 0:
        return Match(*[NAN] * 7)
    matched = np.zeros(length, dtype=np.int64)
    matched_back = 0
    leads: list[int] = []
    shifts = np.arange(length)
    for kind, own in first.items():
        other = second[kind]
        near_other, near_own = _near(other, length, tolerance), _near(own, length, tolerance)
        matched += near_other[(own[:, None] - shifts[None, :]) % length].sum(axis=0)
        matched_back += int(near_own[other].sum())
        leads += _leads(own[near_other[own]], other, length)
    rates = matched / first_count
    precision = matched_back / second_count
    rate = float(rates[0])
    total = rate + precision
    return Match(
        rate,
        precision,
        2 * rate * precision / total if total > 0 else 0.0,
        float(np.mean(leads)) if leads else NAN,
        float(rates.mean()),
        float(np.quantile(rates, 0.95)),
        float((matched >= matched[0]).mean()),
    )


def _near(positions: Ints, length: int, tolerance: int) -> Bools:
    """Return which places of the ring have a position within the tolerance."""
    near = np.zeros(length, dtype=bool)
    around = positions[:, None] + np.arange(-tolerance, tolerance + 1)
    near[around % length] = True
    return near


def _leads(own: Ints, other: Ints, length: int) -> list[int]:
    """Return for each own position how far off the nearest other one is, later above 0."""
    if len(own) == 0:
        return []
    ahead = (other[None, :] - own[:, None] + length // 2) % length - length // 2
    nearest = np.argmin(np.abs(ahead), axis=1)
    return [int(lead) for lead in ahead[np.arange(len(own)), nearest]]


def phases(positions: Ints, is_peak: Bools, length: int) -> Floats:
    """Return 1 for every observation of a rise, 0 of a fall and NaN before the first point.

    Args:
        positions: Positions of alternating turning points, rising; may be below 0.
        is_peak: Whether each is a peak, after which the series falls.
        length: Observations, from position 0 on.
    """
    if len(positions) == 0:
        return np.full(length, np.nan)
    last = np.searchsorted(positions, np.arange(length), side="left") - 1
    return np.where(last < 0, np.nan, np.where(is_peak[last], 0.0, 1.0))


def measure_concordance(first: Floats, second: Floats, lag_count: int) -> Concordance:
    """Measure how much of the time two series rise and fall together.

    Args:
        first: Phases of one series, 0 or 1, in time order, without missing values.
        second: Phases of the other, of the same length.
        lag_count: Lags of the Newey-West variance of the slope; phases last long, so the
            rule of thumb for returns is far too short.

    Returns:
        The share of observations in the same phase; what independent phases would share;
        the p-value over all shifts; the slope of the standardised phases, which is their
        correlation. NaN where a phase never changes.

    Source: Harding and Pagan (2002, 2006); the p-value is ours, since their t value rejects
    far too often with few phases.
    """
    x_mean, y_mean = float(first.mean()), float(second.mean())
    if x_mean in {0.0, 1.0} or y_mean in {0.0, 1.0}:
        return Concordance(NAN, NAN, NAN, Estimate(NAN, NAN, NAN, NAN, len(first)))
    spectra = fft.rfft(2 * first - 1), fft.rfft(2 * second - 1)
    agreements = np.rint(fft.irfft(np.conj(spectra[0]) * spectra[1], len(first)))
    scale = np.sqrt(x_mean * (1 - x_mean)), np.sqrt(y_mean * (1 - y_mean))
    slope = estimate_slope(second / scale[1], first / scale[0], lag_count)
    return Concordance(
        float((1 + agreements[0] / len(first)) / 2),
        x_mean * y_mean + (1 - x_mean) * (1 - y_mean),
        float((agreements >= agreements[0]).mean()),
        slope,
    )
