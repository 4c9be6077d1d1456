"""The composite's twin: weights by how far its components move together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import Bools, Floats, Ints
from pipeline.statistics.principal import MIN_SERIES_COUNT, component_weights, first_component
from pipeline.statistics.tables.frames import as_date, as_days, frame_of

WINDOW_DAYS = 1460
MIN_DAY_COUNT = 365
MIN_WEIGHT_FRACTION = 0.6

_COLUMNS = [
    "market_date",
    "twin_score",
    "component_count",
    "weight_available_fraction",
    "explained_fraction",
    "weights_date",
    "weights",
    "state",
]


def sentiment_twin_daily(components: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.sentiment_twin_daily``.

    Args:
        components: ``signals.sentiment_component_daily``: market_date, component_id,
            oriented_pct.

    Returns:
        One row per day. The weights of a month are those of the first principal component
        of the 1,460 days up to the end of the month before, so nothing later moves a score.
        No score and the state ``insufficient`` before three components have 365 days in
        common, or where less than 0.6 of the weight is there.
    """
    wide = components.pivot(index="market_date", columns="component_id", values="oriented_pct")
    wide = wide.sort_index().sort_index(axis=1)
    days = as_days(wide.index.to_series())
    values = wide.to_numpy(dtype=np.float64)
    names = [str(name) for name in wide.columns]
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    rows: list[dict[str, Any]] = []
    for month in np.unique(months):
        places = np.flatnonzero(months == month)
        fitted = _fit(values[: places[0]], days[: places[0]])
        rows += [_score(values[place], int(days[place]), fitted, names) for place in places]
    return frame_of(rows, _COLUMNS)


def _fit(values: Floats, days: Ints) -> tuple[Floats, float, int] | None:
    """Return weights per column (0 for one left out), the share explained, and the last day."""
    if len(days) == 0:
        return None
    is_recent = days > days[-1] - WINDOW_DAYS
    recent = values[is_recent]
    kept = _with_days_in_common(recent)
    if kept.sum() < MIN_SERIES_COUNT:
        return None
    whole = recent[:, kept]
    loadings, explained = first_component(whole[np.isfinite(whole).all(axis=1)])
    weights = np.zeros(values.shape[1])
    weights[kept] = component_weights(loadings)
    return weights, explained, int(days[-1])


def _with_days_in_common(values: Floats) -> Bools:
    """Return the columns that have enough days in common, the shortest left out first."""
    is_known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        lowest = np.where(is_known, values, np.inf).min(axis=0, initial=np.inf)
        highest = np.where(is_known, values, -np.inf).max(axis=0, initial=-np.inf)
    kept: Bools = highest > lowest
    while kept.any() and is_known[:, kept].all(axis=1).sum() < MIN_DAY_COUNT:
        counts = np.where(kept, is_known.sum(axis=0), np.iinfo(np.int64).max)
        kept[int(np.argmin(counts))] = False
    return kept


def _score(
    values: Floats, day: int, fitted: tuple[Floats, float, int] | None, names: list[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "market_date": as_date(day),
        "component_count": 0,
        "weight_available_fraction": 0.0,
        "state": "insufficient",
    }
    if fitted is None:
        return row
    weights, explained, fitted_on = fitted
    is_there = np.isfinite(values) & (weights > 0)
    available = float(weights[is_there].sum())
    row |= {
        "component_count": int(is_there.sum()),
        "weight_available_fraction": min(available, 1.0),
        "explained_fraction": explained,
        "weights_date": as_date(fitted_on),
        "weights": ", ".join(
            f"{name} {weight:.3f}"
            for name, weight in zip(names, weights, strict=True)
            if weight > 0
        ),
    }
    if available < MIN_WEIGHT_FRACTION or is_there.sum() < MIN_SERIES_COUNT:
        return row
    return row | {
        "twin_score": float((weights[is_there] * values[is_there]).sum() / available),
        "state": "measured",
    }
