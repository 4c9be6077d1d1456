"""Comparing two groups: Welch for independent values, a dummy regression for dependent ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipeline.statistics.arrays import NAN, drop_missing
from pipeline.statistics.hac import Estimate, newey_west_lag, two_sided_p


def compare_means(first: Any, second: Any) -> Estimate:
    """Test whether two groups of independent values have one mean (Welch).

    Args:
        first: Values of one group, any unit; missing ones are left out.
        second: Values of the other group.

    Returns:
        Mean of ``first`` minus mean of ``second``; NaN where a group has fewer than 2 values
        or both are constant.

    Source: Welch (1947), degrees of freedom by Satterthwaite; daily values that depend on
    the day before make it too sure, so ``compare_means_hac`` stands beside it.
    """
    a, b = drop_missing(first), drop_missing(second)
    count = len(a) + len(b)
    if min(len(a), len(b)) < 2:
        return Estimate(NAN, NAN, NAN, NAN, count)
    difference = float(a.mean() - b.mean())
    shares = (float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b))
    if sum(shares) == 0:
        return Estimate(difference, NAN, NAN, NAN, count)
    error = math.sqrt(sum(shares))
    freedom = sum(shares) ** 2 / (shares[0] ** 2 / (len(a) - 1) + shares[1] ** 2 / (len(b) - 1))
    t_value = difference / error
    return Estimate(difference, error, t_value, two_sided_p(t_value, freedom), count)


def compare_means_hac(values: Any, is_first: Any) -> Estimate:
    """Test whether a series has another mean on marked days, allowing for serial dependence.

    Args:
        values: One series in time order, any unit, without missing values.
        is_first: For each value, whether it is of the first group.

    Returns:
        Mean of the marked days minus mean of the others; NaN where a group is empty or the
        values do not vary within the groups.

    Source: least squares on a constant and a dummy, Newey-West errors with
    ``newey_west_lag`` lags (statsmodels ``OLS.fit(cov_type="HAC")``).
    """
    from statsmodels.regression.linear_model import OLS

    series = np.asarray(values, dtype=np.float64)
    marked = np.asarray(is_first, dtype=bool)
    count = len(series)
    if not marked.any() or marked.all() or count < 4:
        return Estimate(NAN, NAN, NAN, NAN, count)
    if np.ptp(series[marked]) == 0 and np.ptp(series[~marked]) == 0:
        difference = float(series[marked].mean() - series[~marked].mean())
        return Estimate(difference, NAN, NAN, NAN, count)
    design = np.column_stack([np.ones(count), marked.astype(np.float64)])
    fitted = OLS(series, design).fit(
        cov_type="HAC",
        cov_kwds={"maxlags": newey_west_lag(count), "use_correction": True},
        use_t=True,
    )
    return Estimate(
        float(fitted.params[1]),
        float(fitted.bse[1]),
        float(fitted.tvalues[1]),
        float(fitted.pvalues[1]),
        count,
    )
