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
    POSITIONING = 10
    TOP_TRADERS = 11
    TAKER = 12
    OPEN_INTEREST = 13
    FUNDING = 14
    LIQUIDATION = 15
    BASIS = 16
    BALANCE = 17
    ONCHAIN = 18
    CMC_SENTIMENT = 19
    VIX = 20


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


def draw_reverting(
    seed: int, stream: Stream, subjects: list[int], day_count: int, persistence: float
) -> Floats:
    """Return AR(1) paths of variance 1, one row per day and one column per subject.

    Args:
        seed: Seed of the market.
        stream: What they are used for.
        subjects: One column each.
        day_count: Rows; a longer path begins with the shorter one.
        persistence: Share of a day's value that the next day keeps.
    """
    paths = draw_normal(seed, stream, subjects, day_count)
    paths[1:] *= math.sqrt(1 - persistence**2)
    for day in range(1, day_count):
        paths[day] += persistence * paths[day - 1]
    return paths
