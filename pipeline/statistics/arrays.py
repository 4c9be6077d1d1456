"""Types and small moves on arrays that the other modules share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

NAN = float("nan")


def as_floats(values: Any) -> Floats:
    """Return values as an array of doubles, null as NaN."""
    return np.asarray(values, dtype=np.float64)


def drop_missing(values: Any) -> Floats:
    """Return the values that are numbers, in their order."""
    floats = as_floats(values)
    return floats[np.isfinite(floats)]


def center(values: Floats) -> Floats:
    """Return values minus their mean along the last axis; a constant row gives exact zeros."""
    centred: Floats = values - values.mean(axis=-1, keepdims=True)
    is_constant = values.max(axis=-1, keepdims=True) == values.min(axis=-1, keepdims=True)
    return np.where(is_constant, 0.0, centred)
