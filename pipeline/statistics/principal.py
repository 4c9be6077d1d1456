"""Weights by how far series move together: the first principal component."""

from __future__ import annotations

import numpy as np

from pipeline.statistics.arrays import Floats

MIN_SERIES_COUNT = 3


def first_component(values: Floats) -> tuple[Floats, float]:
    """Return the loadings of the first principal component of the correlation matrix.

    Args:
        values: One row per day and one column per series, without missing values, each
            column of which varies.

    Returns:
        One loading per column, of length 1 together, with the sign that makes their sum
        positive (of a sum of 0, that makes the first one positive); and the share of the
        total variance that the component explains.

    Source: Pearson (1901); of correlations, as the columns have units of their own.
    """
    deviations = values - values.mean(axis=0)
    scaled = deviations / deviations.std(axis=0)
    # Not a matrix product: the sums of one depend on the number of threads.
    correlations = np.einsum("ij,ik->jk", scaled, scaled, optimize=False) / len(values)
    variances, vectors = np.linalg.eigh(correlations)
    loadings: Floats = vectors[:, -1]
    total = loadings.sum()
    is_tie = abs(total) < 1e-9
    if (loadings[0] if is_tie else total) < 0:
        loadings = -loadings
    return loadings, float(variances[-1] / variances.sum())


def component_weights(loadings: Floats) -> Floats:
    """Return loadings as weights that add up to 1.

    A series with a loading below 0 moves against the others: it has no part in what they
    have in common, and a weight of 0.
    """
    positive = np.maximum(loadings, 0)
    weights: Floats = positive / positive.sum()
    return weights
