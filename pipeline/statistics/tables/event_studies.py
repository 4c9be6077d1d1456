"""What followed events, as it was known at the end of each month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import Floats, Ints, as_floats
from pipeline.statistics.events import merge_episodes, study_events
from pipeline.statistics.resampling import generator_for
from pipeline.statistics.tables.frames import as_date, as_days, as_of_days, frame_of, groups

TARGETS = ("top100", "top100_ex_btc", "small", "small_minus_large", "top100_new_record")
MIN_EVENT_COUNT = 3
WEAK_EVENT_COUNT = 10
TESTABLE_EVENT_COUNT = 30

_COLUMNS = [
    "as_of_date",
    "event_kind",
    "subject",
    "horizon_days",
    "target_id",
    "event_count",
    "mean_outcome_fraction",
    "median_outcome_fraction",
    "hit_fraction",
    "baseline_outcome_fraction",
    "difference_fraction",
    "difference_low_fraction",
    "difference_high_fraction",
    "p_value",
    "state",
]


def event_study(events: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.event_study``.

    Args:
        events: ``signals.event``: event_kind, subject, event_date.
        outcomes: ``signals.forward_outcome_daily``: target_id, horizon_days, market_date,
            exit_date, outcome_fraction.

    Returns:
        One row per month's end (and the newest day), event_kind, subject, horizon and target
        of ``TARGETS`` with at least one finished outcome. Events of one kind nearer to each
        other than the horizon count as one. Fewer than 3 give no figures and the state
        ``insufficient``.
    """
    rows: list[dict[str, Any]] = []
    newest = as_of_days(np.sort(as_days(outcomes["exit_date"])))
    days_of = {
        (str(kind), str(subject)): np.unique(as_days(found["event_date"]))
        for (kind, subject), found in events.groupby(["event_kind", "subject"], sort=True)
    }
    for target_id, target in groups(outcomes[outcomes["target_id"].isin(TARGETS)], "target_id"):
        for horizon, series in target.groupby("horizon_days", sort=True):
            days = as_days(series["market_date"])
            exits = as_days(series["exit_date"])
            values = as_floats(series["outcome_fraction"])
            for key, event_days in days_of.items():
                name = (*key, int(str(horizon)), target_id)
                rows += _studies(name, event_days, days, exits, values, newest)
    return frame_of(rows, _COLUMNS)


def _studies(
    name: tuple[str, str, int, str],
    event_days: Ints,
    days: Ints,
    exits: Ints,
    values: Floats,
    as_of: Ints,
) -> list[dict[str, Any]]:
    kind, subject, horizon, target_id = name
    merged = merge_episodes(event_days[np.isin(event_days, days)], horizon)
    positions = np.searchsorted(days, merged)
    rows = []
    for day in as_of:
        known = int(np.searchsorted(exits, day, side="right"))
        finished = positions[positions < known]
        if len(finished) == 0:
            continue
        rows.append(
            {
                "as_of_date": as_date(day),
                "event_kind": kind,
                "subject": subject,
                "horizon_days": horizon,
                "target_id": target_id,
                "event_count": len(finished),
            }
            | _figures(finished, values[:known], (*name, as_date(day)))
        )
    return rows


def _figures(positions: Ints, values: Floats, key: tuple[object, ...]) -> dict[str, Any]:
    count = len(positions)
    if count < MIN_EVENT_COUNT:
        return {"state": "insufficient"}
    study = study_events(positions, values, generator_for("event_study", *key))
    has_interval = count >= WEAK_EVENT_COUNT
    return {
        "mean_outcome_fraction": study.mean,
        "median_outcome_fraction": study.median,
        "hit_fraction": study.hit_fraction,
        "baseline_outcome_fraction": study.baseline_mean,
        "difference_fraction": study.difference,
        "difference_low_fraction": study.difference_low if has_interval else None,
        "difference_high_fraction": study.difference_high if has_interval else None,
        "p_value": study.p_value,
        "state": "anecdotal"
        if count < WEAK_EVENT_COUNT
        else "weak"
        if count < TESTABLE_EVENT_COUNT
        else "testable",
    }
