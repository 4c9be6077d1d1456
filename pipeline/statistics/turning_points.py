"""Peaks and troughs as they become known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.statistics.arrays import Floats

Kind = Literal["peak", "trough"]

WINDOW_SESSIONS = 10
MIN_PHASE_SESSIONS = 10
MIN_CYCLE_SESSIONS = 25


@dataclass(frozen=True)
class TurningPoint:
    """A peak or trough, when it was known, and when a later one took its place.

    ``position``, ``confirmed_at`` and ``superseded_at`` count observations from 0.
    ``amplitude_fraction`` and ``phase_length`` look back to the turning point before it and
    are None for the first.
    """

    position: int
    kind: Kind
    level: float
    confirmed_at: int
    amplitude_fraction: float | None
    phase_length: int | None
    superseded_at: int | None = None


def find_turning_points(
    levels: Floats,
    min_amplitude_fraction: float,
    *,
    window: int = WINDOW_SESSIONS,
    min_phase: int = MIN_PHASE_SESSIONS,
    min_cycle: int = MIN_CYCLE_SESSIONS,
) -> list[TurningPoint]:
    """Find peaks and troughs in the order in which they become known.

    A candidate is the first highest or lowest level within ``window`` observations on
    either side, and is known ``window`` observations later. It stands if it alternates with
    the one before, lies far enough from it in time and level, and far enough in time from
    the last of its own kind. One that is more extreme than the last of its own kind takes
    its place, together with what lies between them where that leaves too little time: a new
    high right after a dip makes the dip no trough. Nothing that is known later changes what
    was said earlier: what is replaced keeps its dates.

    Args:
        levels: One series of positive levels in time order, without missing values.
        min_amplitude_fraction: Least rise or fall between neighbours.
        window: Observations on either side.
        min_phase: Least distance of neighbours, in observations.
        min_cycle: Least distance of two peaks or two troughs, in observations.

    Returns:
        Every turning point that ever stood, by ``position``.

    Source: the rules of Bry and Boschan (1971) and Pagan and Sossounov (2003), applied as
    the data arrive and in sessions instead of months.
    """
    standing: list[TurningPoint] = []
    replaced: list[TurningPoint] = []

    def take_back(count: int, known_at: int) -> None:
        gone = [standing.pop() for _ in range(count)]
        replaced.extend(replace(point, superseded_at=known_at) for point in gone)

    for position, kind in _candidates(levels, window):
        level = float(levels[position])
        known_at = position + window
        if standing and standing[-1].kind == kind:
            if not _is_beyond(level, standing[-1]):
                continue
            take_back(1, known_at)
        elif standing:
            last = standing[-1]
            move = level / last.level - 1
            is_too_soon = position - last.position < min_phase or (
                len(standing) > 1 and position - standing[-2].position < min_cycle
            )
            if is_too_soon and len(standing) > 1 and _is_beyond(level, standing[-2]):
                take_back(2, known_at)
            elif is_too_soon or (move if kind == "peak" else -move) < min_amplitude_fraction:
                continue
        before = standing[-1] if standing else None
        standing.append(
            TurningPoint(
                position,
                kind,
                level,
                known_at,
                None if before is None else abs(level / before.level - 1),
                None if before is None else position - before.position,
            )
        )
    return sorted([*standing, *replaced], key=lambda point: point.position)


def _is_beyond(level: float, other: TurningPoint) -> bool:
    return level > other.level if other.kind == "peak" else level < other.level


def _candidates(levels: Floats, window: int) -> list[tuple[int, Kind]]:
    """Return positions that are extreme on both sides, the first of equals."""
    if len(levels) < 2 * window + 1:
        return []
    around = sliding_window_view(levels, 2 * window + 1)
    middle = around[:, window]
    before, after = around[:, :window], around[:, window + 1 :]
    is_peak = (middle > before.max(axis=1)) & (middle >= after.max(axis=1))
    is_trough = (middle < before.min(axis=1)) & (middle <= after.min(axis=1))
    peaks: list[tuple[int, Kind]] = [(int(i) + window, "peak") for i in np.flatnonzero(is_peak)]
    troughs: list[tuple[int, Kind]] = [
        (int(i) + window, "trough") for i in np.flatnonzero(is_trough)
    ]
    return sorted(peaks + troughs)
