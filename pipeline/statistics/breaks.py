"""A break of the mean at an unknown date: sup-F."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.statistics.arrays import NAN, as_floats, center
from pipeline.statistics.hac import long_run_variance, newey_west_lag

TRIM_FRACTION = 0.15


@dataclass(frozen=True)
class Break:
    """The likeliest break: the first position after it, sup-F and its p-value."""

    position: int | None
    sup_f: float
    p_value: float
    mean_before: float
    mean_after: float


def find_mean_break(values: Any, trim_fraction: float = TRIM_FRACTION) -> Break:
    """Find where a series' mean most likely changed once, and how sure that is.

    Args:
        values: One series in time order, any unit, without missing values.
        trim_fraction: Share of the series at either end in which no break is looked for.

    Returns:
        The first position of the new mean and sup-F. Each F is the squared difference of
        the two means over its Newey-West variance under one mean. Position None and NaN
        where the series is constant or too short to split.

    Source: Andrews (1993), "Tests for parameter instability and structural change with
    unknown change point"; p-value of ``sup_f_p_value``.
    """
    series = as_floats(values)
    count = len(series)
    first, last = math.ceil(count * trim_fraction), math.floor(count * (1 - trim_fraction))
    deviations = center(series) if count else series
    variance = long_run_variance(deviations, newey_west_lag(count)) if count else 0.0
    if first < 2 or last <= first or variance == 0:
        return Break(None, NAN, NAN, NAN, NAN)
    splits = np.arange(first, last + 1)
    sums = np.cumsum(deviations)[splits - 1]
    shares = splits / count
    f_values = sums**2 / (count * variance * shares * (1 - shares))
    best = int(np.argmax(f_values))
    position = int(splits[best])
    sup_f = float(f_values[best])
    return Break(
        position,
        sup_f,
        sup_f_p_value(sup_f, trim_fraction),
        float(series[:position].mean()),
        float(series[position:].mean()),
    )


def sup_f_p_value(sup_f: float, trim_fraction: float = TRIM_FRACTION) -> float:
    """Return the chance of a sup-F at least as large where the mean never changed.

    Source: Miller and Siegmund (1982), "Maximally selected chi square statistics",
    Biometrics 38, equation 4, for the supremum of a standardised Brownian bridge over the
    middle of the unit interval. At 15 % trimming it gives 0.050 at 8.85, the critical value
    of Andrews (1993), table 1; it is cut at 1 for small values, where it is no
    approximation any more.
    """
    b = math.sqrt(sup_f) if sup_f > 0 else 0.0
    if not b > 1:
        return NAN if math.isnan(sup_f) else 1.0
    density = math.exp(-sup_f / 2) / math.sqrt(2 * math.pi)
    odds = ((1 - trim_fraction) / trim_fraction) ** 2
    p_value = 4 * density / b + density * (b - 1 / b) * math.log(odds)
    return min(p_value, 1.0)
