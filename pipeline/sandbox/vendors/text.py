"""Figures as the vendors write them in text."""

from __future__ import annotations

import numpy as np


def plain(value: float) -> str:
    """Return the shortest decimal text of a number, never with an exponent."""
    return np.format_float_positional(value, trim="-")


def fixed(value: float, decimals: int) -> str:
    """Return a number with that many decimals."""
    return f"{value:.{decimals}f}"
