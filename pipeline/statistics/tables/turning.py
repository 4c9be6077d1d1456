"""Peaks and troughs of equities and crypto, and how they fall together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import Bools, Ints, as_floats
from pipeline.statistics.concordance import match_turning_points, measure_concordance, phases
from pipeline.statistics.tables.frames import as_date, as_days, frame_of, groups
from pipeline.statistics.turning_points import (
    MIN_CYCLE_SESSIONS,
    WINDOW_SESSIONS,
    find_turning_points,
)

MIN_AMPLITUDE_FRACTION = {"equity": 0.05, "crypto": 0.10}
MATCH_WINDOW_SESSIONS = 504
MIN_PRESENT_FRACTION = 0.8
TOLERANCE_SESSIONS = 10
MIN_POINT_COUNT = 6
# Two full cycles: phases last about one.
CONCORDANCE_LAG_SESSIONS = 2 * MIN_CYCLE_SESSIONS
SIGNIFICANCE = 0.05

_POINT_COLUMNS = [
    "series_id",
    "pivot_date",
    "pivot_kind",
    "confirmed_date",
    "superseded_date",
    "level",
    "amplitude_fraction",
    "phase_sessions",
]


def turning_point(levels: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.turning_point``.

    Args:
        levels: ``signals.session_level_daily``: series_id, session_date, series_kind, level.

    Returns:
        One row per series, pivot_date and pivot_kind that ever stood.
    """
    rows = []
    for series_id, series in groups(levels, "series_id"):
        days = as_days(series["session_date"])
        least = MIN_AMPLITUDE_FRACTION[str(series["series_kind"].iloc[0])]
        for point in find_turning_points(as_floats(series["level"]), least):
            gone = point.superseded_at
            rows.append(
                {
                    "series_id": series_id,
                    "pivot_date": as_date(days[point.position]),
                    "pivot_kind": point.kind,
                    "confirmed_date": as_date(days[point.confirmed_at]),
                    "superseded_date": None if gone is None else as_date(days[gone]),
                    "level": point.level,
                    "amplitude_fraction": point.amplitude_fraction,
                    "phase_sessions": point.phase_length,
                }
            )
    return frame_of(rows, _POINT_COLUMNS)


class _Points:
    """The turning points of one series on the sessions that a pair shares."""

    def __init__(self, points: pd.DataFrame, sessions: Ints) -> None:
        days = as_days(points["pivot_date"])
        # A pivot from before the pair's first session only says in which phase it begins.
        self.positions = np.where(
            days < sessions[0], days - sessions[0], np.searchsorted(sessions, days)
        )
        self._is_peak: Bools = (points["pivot_kind"] == "peak").to_numpy(bool)
        self._known = as_days(points["confirmed_date"])
        gone = points["superseded_date"].to_numpy("datetime64[D]")
        self._gone = np.where(np.isnat(gone), np.iinfo(np.int64).max, gone.astype(np.int64))

    def standing(self, day: int) -> tuple[Ints, Bools]:
        """Return positions and kinds of what stood on a day."""
        stands = (self._known <= day) & (self._gone > day)
        return self.positions[stands], self._is_peak[stands]


_MATCH_COLUMNS = [
    "session_date",
    "pair_id",
    "window_sessions",
    "tolerance_sessions",
    "equity_pivot_count",
    "crypto_pivot_count",
    "match_rate_fraction",
    "match_precision_fraction",
    "match_f1_score",
    "mean_lead_sessions",
    "null_mean_fraction",
    "null_p95_fraction",
    "match_p_value",
    "concordance_fraction",
    "expected_concordance_fraction",
    "concordance_p_value",
    "phase_correlation",
    "phase_correlation_t_value",
    "state",
]


def turning_point_match(
    points: pd.DataFrame, levels: pd.DataFrame, pairs: pd.DataFrame
) -> pd.DataFrame:
    """Compute ``signals.turning_point_match``.

    Args:
        points: ``signals.turning_point``: series_id, pivot_date, pivot_kind, confirmed_date,
            superseded_date.
        levels: ``signals.session_level_daily``: series_id, session_date.
        pairs: ``reference.cross_market_pair``: pair_id, equity_series_id, crypto_series_id.

    Returns:
        One row per session and pair from the first full window on, of what was known on
        that session about the 504 sessions up to it.
    """
    sessions = {name: as_days(rows["session_date"]) for name, rows in groups(levels, "series_id")}
    none = np.empty(0, dtype=np.int64)
    rows = []
    for pair in pairs.to_dict("records"):
        names = str(pair["equity_series_id"]), str(pair["crypto_series_id"])
        shared = np.intersect1d(sessions.get(names[0], none), sessions.get(names[1], none))
        if len(shared) < MIN_PRESENT_FRACTION * MATCH_WINDOW_SESSIONS:
            continue
        equity, crypto = (_Points(points[points["series_id"] == name], shared) for name in names)
        first = int(np.ceil(MIN_PRESENT_FRACTION * MATCH_WINDOW_SESSIONS)) - 1
        rows += [
            {"session_date": as_date(shared[end]), "pair_id": str(pair["pair_id"])}
            | _match_of(equity, crypto, end, int(shared[end]))
            for end in range(first, len(shared))
        ]
    return frame_of(rows, _MATCH_COLUMNS)


def _match_of(equity: _Points, crypto: _Points, end: int, day: int) -> dict[str, Any]:
    start = max(0, end + 1 - MATCH_WINDOW_SESSIONS)
    # The newest sessions cannot hold a confirmed point; they would thin out the chance level.
    length = end + 1 - WINDOW_SESSIONS - start
    own, other = equity.standing(day), crypto.standing(day)
    inside = [_inside(*points, start, length) for points in (own, other)]
    counts = [sum(len(positions) for positions in kinds.values()) for kinds in inside]
    row: dict[str, Any] = {
        "window_sessions": MATCH_WINDOW_SESSIONS,
        "tolerance_sessions": TOLERANCE_SESSIONS,
        "equity_pivot_count": counts[0],
        "crypto_pivot_count": counts[1],
        "state": "insufficient",
    }
    if min(counts) < MIN_POINT_COUNT:
        return row
    match = match_turning_points(inside[0], inside[1], length, TOLERANCE_SESSIONS)
    states = np.stack([phases(points - start, peaks, length) for points, peaks in (own, other)])
    states = states[:, ~np.isnan(states).any(axis=0)]
    row |= {
        "match_rate_fraction": match.rate_fraction,
        "match_precision_fraction": match.precision_fraction,
        "match_f1_score": match.f1_score,
        "mean_lead_sessions": match.mean_lead,
        "null_mean_fraction": match.null_mean_fraction,
        "null_p95_fraction": match.null_p95_fraction,
        "match_p_value": match.p_value,
    }
    is_synchronised = False
    if states.shape[1] >= MIN_PRESENT_FRACTION * MATCH_WINDOW_SESSIONS:
        together = measure_concordance(states[0], states[1], CONCORDANCE_LAG_SESSIONS)
        row |= {
            "concordance_fraction": together.fraction,
            "expected_concordance_fraction": together.expected_fraction,
            "concordance_p_value": together.p_value,
            "phase_correlation": together.slope.value,
            "phase_correlation_t_value": together.slope.t_value,
        }
        is_synchronised = together.p_value < SIGNIFICANCE
    is_matched = match.p_value < SIGNIFICANCE
    row["state"] = (
        "synchronised"
        if is_matched and is_synchronised
        else "points_match"
        if is_matched
        else "phases_agree"
        if is_synchronised
        else "as_by_chance"
    )
    return row


def _inside(positions: Ints, is_peak: Bools, start: int, length: int) -> dict[str, Ints]:
    within = (positions >= start) & (positions < start + length)
    return {
        "peak": positions[within & is_peak] - start,
        "trough": positions[within & ~is_peak] - start,
    }
