"""One independent random stream per subject, so that no draw disturbs another."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Stream(IntEnum):
    """What a stream of random numbers is used for."""

    ATTRIBUTES = 1
    RETURNS = 2
    VOLUME = 3
    MARKET = 4
    SIZE = 5
    EQUITY = 6
    SENTIMENT = 7
    LISTINGS = 8
    SUPPLY = 9


def open_stream(seed: int, stream: Stream, subject: int = 0) -> np.random.Generator:
    """Return the generator of one subject's stream; equal arguments give equal draws."""
    return np.random.default_rng([seed, int(stream), subject])


def draw_normal(seed: int, stream: Stream, subjects: list[int], day_count: int) -> Floats:
    """Return standard normal draws, one row per day and one column per subject.

    A longer draw begins with the shorter one, so a later last day changes no earlier day.
    """
    columns = [open_stream(seed, stream, s).standard_normal(day_count) for s in subjects]
    return np.column_stack(columns)


def draw_fat_tailed(seed: int, stream: Stream, subjects: list[int], day_count: int) -> Floats:
    """Return Student t draws (4 degrees of freedom) scaled to variance 1; shape as above."""
    columns = [open_stream(seed, stream, s).standard_t(4, day_count) for s in subjects]
    scaled: Floats = np.column_stack(columns) / math.sqrt(2.0)
    return scaled
