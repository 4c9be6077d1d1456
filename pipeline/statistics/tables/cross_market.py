"""Equities against crypto, session by session: rolling correlation and lead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.statistics.arrays import Floats, as_floats
from pipeline.statistics.correlation import (
    SPEARMAN_FACTOR,
    correlate,
    effective_count,
    fisher_interval,
    fisher_p_value,
)
from pipeline.statistics.lead_lag import MAX_LEAD, cross_correlate, draw_signs, find_lead
from pipeline.statistics.multiple import adjust_p_values
from pipeline.statistics.resampling import generator_for
from pipeline.statistics.tables.frames import as_date, as_days, as_of_days, frame_of, groups

WINDOWS_SESSIONS = (30, 60, 90, 252)
LEAD_WINDOW_SESSIONS = 504
MIN_PRESENT_FRACTION = 0.8
SIGNIFICANCE = 0.05
STRONG_CORRELATION = 0.5
DECOUPLED_CORRELATION = 0.1

_KEYS = ["session_date", "pair_id", "window_sessions", "method"]
_MEASURES = [
    "correlation",
    "correlation_low",
    "correlation_high",
    "observation_count",
    "effective_count",
    "p_value",
]


def cross_market_correlation_daily(returns: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.cross_market_correlation_daily``.

    Args:
        returns: ``signals.cross_market_return``: pair_id, session_date and both returns as
            fractions.

    Returns:
        One row per session, pair, window and method. A window of which less than 80 % is
        there has no figures and the state ``insufficient``. ``p_value_bh`` is adjusted
        across the pairs and windows of a session and method.
    """
    parts = [
        _rolling(pair_id, rows, window, method)
        for pair_id, rows in groups(returns, "pair_id")
        for window in WINDOWS_SESSIONS
        for method in ("pearson", "spearman")
    ]
    columns = [*_KEYS, *_MEASURES]
    table = pd.concat(parts, ignore_index=True) if parts else frame_of((), columns)
    families = table.pivot(
        index=["session_date", "method"],
        columns=["pair_id", "window_sessions"],
        values="p_value",
    )
    families[:] = adjust_p_values(families.to_numpy(float))
    places = families.index.get_indexer(pd.MultiIndex.from_frame(table[["session_date", "method"]]))
    names = families.columns.get_indexer(
        pd.MultiIndex.from_frame(table[["pair_id", "window_sessions"]])
    )
    table["p_value_bh"] = families.to_numpy(float)[places, names]
    table["is_significant"] = (table["p_value_bh"] < SIGNIFICANCE).astype(bool)
    size = table["correlation"].astype(float).abs()
    table["state"] = np.select(
        [
            size.isna(),
            size < DECOUPLED_CORRELATION,
            table["is_significant"] & (size >= STRONG_CORRELATION),
            table["is_significant"],
        ],
        ["insufficient", "decoupled", "strong", "moderate"],
        "not_significant",
    )
    return table


def _rolling(pair_id: str, rows: pd.DataFrame, window: int, method: str) -> pd.DataFrame:
    x, y = as_floats(rows["equity_return_fraction"]), as_floats(rows["crypto_return_fraction"])
    results = np.full((len(_MEASURES), len(rows)), np.nan)
    results[3] = np.minimum(np.arange(1, len(rows) + 1), window)
    for positions, first, second in _windows(x, y, window):
        results[:, positions] = _measures(first, second, method)
    part = pd.DataFrame(dict(zip(_MEASURES, results, strict=True)))
    part["session_date"] = rows["session_date"].to_numpy()
    part["pair_id"] = pair_id
    part["window_sessions"] = window
    part["method"] = method
    return part[[*_KEYS, *_MEASURES]]


def _windows(x: Floats, y: Floats, window: int) -> Iterator[tuple[Any, Floats, Floats]]:
    """Return windows that end at each position: the short ones of the start, then the full."""
    least = math.ceil(MIN_PRESENT_FRACTION * window)
    for count in range(least, min(window, len(x) + 1)):
        yield slice(count - 1, count), x[None, :count], y[None, :count]
    if len(x) >= window:
        yield (
            slice(window - 1, None),
            sliding_window_view(x, window),
            sliding_window_view(y, window),
        )


def _measures(first: Floats, second: Floats, method: str) -> Floats:
    factor = 1.0
    if method == "spearman":
        from scipy.stats import rankdata

        first, second = rankdata(first, axis=-1), rankdata(second, axis=-1)
        factor = SPEARMAN_FACTOR
    correlation = correlate(first, second)
    effective = effective_count(first, second)
    low, high = fisher_interval(correlation, effective, factor)
    p_value = fisher_p_value(correlation, effective, factor)
    counts = np.full_like(correlation, first.shape[-1])
    return np.stack([correlation, low, high, counts, effective, p_value])


_LEAD_COLUMNS = [
    "as_of_date",
    "pair_id",
    "window_sessions",
    "observation_count",
    "lead_sessions",
    "correlation_at_lead",
    "correlation_same_session",
    "p_value",
    "apart_lead_sessions",
    "apart_correlation",
    "apart_p_value",
    "is_stable_in_halves",
    "state",
]


def lead_lag(returns: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.lead_lag``: by how many sessions equities lead crypto.

    Args:
        returns: ``signals.cross_market_return``: pair_id, session_date and both returns as
            fractions.

    Returns:
        One row per month's end (and the newest session) and pair, of the last 504 sessions;
        no figures and the state ``insufficient`` where fewer than 80 % are there.
    """
    rows = []
    for pair_id, pair in groups(returns, "pair_id"):
        days = as_days(pair["session_date"])
        x, y = as_floats(pair["equity_return_fraction"]), as_floats(pair["crypto_return_fraction"])
        for day in as_of_days(days):
            end = int(np.searchsorted(days, day, side="right"))
            start = max(0, end - LEAD_WINDOW_SESSIONS)
            rows.append(
                {"as_of_date": as_date(day), "pair_id": pair_id}
                | _lead_of(x[start:end], y[start:end])
            )
    return frame_of(rows, _LEAD_COLUMNS)


@lru_cache(maxsize=4)
def _signs(count: int) -> Floats:
    """Return the same draws for every pair and day: a p-value changes only with the data."""
    return draw_signs(generator_for("lead_lag", count), count)


def _lead_of(x: Floats, y: Floats) -> dict[str, Any]:
    count = len(x)
    row = {
        "window_sessions": LEAD_WINDOW_SESSIONS,
        "observation_count": count,
        "is_stable_in_halves": False,
        "state": "insufficient",
    }
    if count < MIN_PRESENT_FRACTION * LEAD_WINDOW_SESSIONS:
        return row
    found = find_lead(x, y, _signs(count))
    if found.lead is None:
        return row
    halves = (slice(None, count // 2), slice(count // 2, None))
    is_stable = all(
        _is_same_lead(cross_correlate(x[half], y[half]), found.lead, found.correlation)
        for half in halves
    )
    return row | {
        "lead_sessions": found.lead,
        "correlation_at_lead": found.correlation,
        "correlation_same_session": float(cross_correlate(x, y)[MAX_LEAD]),
        "p_value": found.p_value,
        "apart_lead_sessions": found.apart_lead,
        "apart_correlation": found.apart_correlation,
        "apart_p_value": found.apart_p_value,
        "is_stable_in_halves": is_stable,
        "state": _lead_state(found.lead, found.p_value, is_stable),
    }


def _is_same_lead(correlations: Floats, lead: int, correlation: float) -> bool:
    """Return whether a half of the window has its largest correlation at the same lead."""
    best = int(np.argmax(np.abs(correlations)))
    return best - MAX_LEAD == lead and bool(correlations[best] * correlation > 0)


def _lead_state(lead: int, p_value: float, is_stable: bool) -> str:
    if p_value >= SIGNIFICANCE:
        return "not_significant"
    if lead == 0:
        return "same_session"
    if not is_stable:
        return "not_stable"
    return "equities_lead" if lead > 0 else "crypto_leads"
