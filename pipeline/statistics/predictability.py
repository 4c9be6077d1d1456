"""Whether a signal tells what follows, where the signal itself is made from what went before.

A drawdown or a distance from an average moves slowly and falls when prices fall. Tested against
later returns within one sample, it seems to forecast: its own mean is only known at the end
(Stambaugh 1999). Shifting the signal in time does not mend that, since a shifted signal has
lost the returns that made it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort

import numpy as np
from scipy import signal as filters
from scipy import special

from pipeline.statistics.arrays import NAN, Floats, Ints
from pipeline.statistics.hac import long_run_variance, newey_west_lag

_ROOT_EXPONENT = 0.95
# A signal of day d may know the close of d, and outcomes begin at the close of d + 1.
_FEEDBACK_DAYS = (1, 2, 3)
MIN_COUNT = 30


def rank_so_far(values: Floats) -> Floats:
    """Return each value's place among those up to it, above 0 and below 1, ties in the middle.

    Unlike a rank within the whole sample it knows nothing of later values; unlike the value
    itself it has no outliers.
    """
    seen: list[float] = []
    places = np.empty(len(values))
    for count, value in enumerate(values, start=1):
        insort(seen, value)
        places[count - 1] = (bisect_left(seen, value) + bisect_right(seen, value)) / 2 / count
    return places


def forecast_p_value(
    days: Ints, scores: Floats, next_days: Ints, next_moves: Floats, horizon: int
) -> float:
    """Return the chance of as good a fit where a signal tells nothing of the mean that follows.

    Args:
        days: Days of the signal, rising.
        scores: The signal of each day, made of nothing later than that day.
        next_days: Days from which an outcome of one day is known, rising.
        next_moves: That outcome of each, additive over days, as a log return.
        horizon: Days over which the outcomes of interest reach.

    Returns:
        Two-sided p-value; NaN for fewer than 30 days or where either side is constant.

    Source: the IVX test of Kostakis, Magdalinos and Stamatogiannis (2015), "Robust
    econometric inference for stock return predictability", Review of Financial Studies 28:
    the signal is replaced by the sum of its changes, faded by 1 - n^-0.95 a day, which
    behaves well whether the signal is noise or a random walk. For longer horizons the
    instrument is summed over the horizon and set against outcomes of one day (Hodrick
    1992), so that no windows overlap. Variances are Newey-West. Theirs subtracts what the
    estimated mean costs by the correlation of outcomes and changes; here the variance goes
    between that of a mean that is estimated and one that is not by its square.
    """
    first, last = int(days[0]), int(days[-1]) + horizon - 1
    is_inside = (next_days >= first) & (next_days <= last)
    if len(days) < MIN_COUNT or not is_inside.any():
        return NAN
    instrument, active = np.zeros((2, last - first + 1))
    changes = np.diff(scores, prepend=scores[0])
    fading = len(days) ** -_ROOT_EXPONENT
    instrument[days - first] = filters.lfilter([1.0], [1.0, fading - 1], changes)
    active[days - first] = 1.0
    summed, covered = (_sum_back(row, horizon) for row in (instrument, active))
    inside = next_days[is_inside] - first
    used = inside[covered[inside] > 0.5]
    z, moves = summed[used], next_moves[is_inside][covered[inside] > 0.5]
    if len(used) < MIN_COUNT or np.ptp(z) == 0 or np.ptp(moves) == 0:
        return NAN
    surprises = moves - moves.mean()
    feedback = _largest_correlation(surprises, used + first, changes, days)
    lags = newey_west_lag(len(z))
    known = long_run_variance(z * surprises, lags)
    estimated = long_run_variance((z - z.mean()) * surprises, lags)
    variance = len(z) * (feedback**2 * known + (1 - feedback**2) * estimated)
    if variance <= 0:
        return NAN
    return float(2 * special.ndtr(-abs(float(z @ surprises)) / math.sqrt(variance)))


def _sum_back(values: Floats, length: int) -> Floats:
    sums = np.concatenate([np.zeros(length), values.cumsum()])
    found: Floats = sums[length:] - sums[:-length]
    return found


def _largest_correlation(
    surprises: Floats, outcome_days: Ints, changes: Floats, days: Ints
) -> float:
    """Return how much the signal's next changes are made of the outcomes."""
    largest = 0.0
    for days_later in _FEEDBACK_DAYS:
        places = np.searchsorted(days, outcome_days + days_later)
        is_known = places < len(days)
        if not is_known.any():
            continue
        later, own = changes[places[is_known]], surprises[is_known]
        later, own = later - later.mean(), own - own.mean()
        spread = math.sqrt(float(later @ later) * float(own @ own))
        if spread > 0:
            largest = max(largest, abs(float(later @ own)) / spread)
    return min(largest, 1.0)
