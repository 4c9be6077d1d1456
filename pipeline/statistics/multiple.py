"""Many tests at once: Benjamini-Hochberg."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.statistics.arrays import Floats, as_floats


def adjust_p_values(p_values: Any) -> Floats:
    """Return p-values adjusted for the false discovery rate, along the last axis.

    Args:
        p_values: One family of tests per row; NaN is no test and does not count.

    Returns:
        Array of the same shape: the smallest rate of false discoveries at which each test
        is one; NaN stays NaN.

    Source: Benjamini and Hochberg (1995).
    """
    p = as_floats(p_values)
    if p.size == 0:
        return p
    order = np.argsort(p, axis=-1, kind="stable")  # NaN last
    ordered = np.take_along_axis(p, order, axis=-1)
    test_count = (~np.isnan(p)).sum(axis=-1, keepdims=True)
    ranks = np.arange(1, p.shape[-1] + 1)
    scaled = np.where(np.isnan(ordered), np.inf, ordered * test_count / ranks)
    lowest = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(lowest, 1.0), axis=-1)
    return np.where(np.isnan(p), np.nan, adjusted)
