"""Small against large coins before and after the exchange-traded products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import as_floats
from pipeline.statistics.breaks import find_mean_break
from pipeline.statistics.cosines import difference_p_value, mean_p_value
from pipeline.statistics.hac import estimate_mean
from pipeline.statistics.means import compare_means, compare_means_hac
from pipeline.statistics.tables.frames import as_date, as_days, as_of_days, frame_of, groups

MIN_REGIME_DAYS = 60
MIN_BREAK_DAYS = 365
MAX_DISTANCE_DAYS = 90
MIN_T_VALUE = 2.0
SIGNIFICANCE = 0.05

BEFORE = "pre_etp"
_REGIMES = {
    BEFORE: (BEFORE,),
    "btc_etp": ("btc_etp",),
    "btc_eth_etp": ("btc_eth_etp",),
    "post_etp": ("btc_etp", "btc_eth_etp"),
}
_STATISTIC_COLUMNS = [
    "as_of_date",
    "pair_id",
    "regime",
    "observation_count",
    "mean_spread_1d_log",
    "median_spread_1d_log",
    "mean_hac_t_value",
    "mean_hac_p_value",
    "difference_from_pre_log",
    "difference_welch_t_value",
    "difference_welch_p_value",
    "difference_hac_t_value",
    "difference_hac_p_value",
    "state",
]


def regime_statistic(spreads: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.regime_statistic``.

    Args:
        spreads: ``signals.regime_spread_daily``: pair_id, market_date, etp_regime and
            spread_1d_log.

    Returns:
        One row per month's end (and the newest day), pair and regime that had begun. A
        regime with fewer than 60 days has no figures and the state ``insufficient``.
    """
    rows = []
    for pair_id, pair in groups(spreads, "pair_id"):
        days, values = as_days(pair["market_date"]), as_floats(pair["spread_1d_log"])
        names = pair["etp_regime"].to_numpy(str)
        for day in as_of_days(days):
            known = slice(0, int(np.searchsorted(days, day, side="right")))
            for regime, parts in _REGIMES.items():
                is_here = np.isin(names[known], parts)
                if is_here.any():
                    rows.append(
                        {"as_of_date": as_date(day), "pair_id": pair_id, "regime": regime}
                        | _statistic(values[known], is_here, names[known] == BEFORE)
                    )
    return frame_of(rows, _STATISTIC_COLUMNS)


def _statistic(values: Any, is_here: Any, is_before: Any) -> dict[str, Any]:
    own, before = values[is_here], values[is_before]
    row: dict[str, Any] = {"observation_count": len(own), "state": "insufficient"}
    if len(own) < MIN_REGIME_DAYS:
        return row
    mean = estimate_mean(own)
    row |= {
        "mean_spread_1d_log": mean.value,
        "median_spread_1d_log": float(np.median(own)),
        "mean_hac_t_value": mean.t_value,
        "mean_hac_p_value": mean_p_value(own),
        "state": "no_comparison",
    }
    if is_before[is_here].any() or len(before) < MIN_REGIME_DAYS:
        return row
    welch = compare_means(own, before)
    both = is_here | is_before
    robust = compare_means_hac(values[both], is_here[both])
    p_value = difference_p_value(own, before)
    is_certain = abs(robust.t_value) >= MIN_T_VALUE and p_value < SIGNIFICANCE
    direction = "lower" if robust.value < 0 else "higher"
    return row | {
        "difference_from_pre_log": robust.value,
        "difference_welch_t_value": welch.t_value,
        "difference_welch_p_value": welch.p_value,
        "difference_hac_t_value": robust.t_value,
        "difference_hac_p_value": p_value,
        "state": direction if is_certain else "no_difference",
    }


_BREAK_COLUMNS = [
    "as_of_date",
    "pair_id",
    "observation_count",
    "break_date",
    "sup_f",
    "p_value",
    "mean_before_log",
    "mean_after_log",
    "launch_date",
    "distance_days",
    "state",
]


def regime_break(spreads: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.regime_break``: where the mean spread broke, if it did.

    Args:
        spreads: As for ``regime_statistic``.

    Returns:
        One row per month's end (and the newest day) and pair; fewer than 365 days give no
        figures and the state ``insufficient``. The launch is the first day after the first
        regime, null until it has come.
    """
    rows = []
    for pair_id, pair in groups(spreads, "pair_id"):
        days, values = as_days(pair["market_date"]), as_floats(pair["spread_1d_log"])
        is_after = pair["etp_regime"].to_numpy(str) != BEFORE
        launch = int(days[is_after][0]) if is_after.any() else None
        for day in as_of_days(days):
            known = int(np.searchsorted(days, day, side="right"))
            launched = launch if launch is not None and launch <= day else None
            rows.append(
                {
                    "as_of_date": as_date(day),
                    "pair_id": pair_id,
                    "observation_count": known,
                    "launch_date": None if launched is None else as_date(launched),
                }
                | _break(days[:known], values[:known], launched)
            )
    return frame_of(rows, _BREAK_COLUMNS)


def _break(days: Any, values: Any, launch: int | None) -> dict[str, Any]:
    if len(values) < MIN_BREAK_DAYS:
        return {"state": "insufficient"}
    found = find_mean_break(values)
    if found.position is None:
        return {"state": "insufficient"}
    distance = None if launch is None else int(days[found.position]) - launch
    is_near = distance is not None and abs(distance) <= MAX_DISTANCE_DAYS
    return {
        "break_date": as_date(days[found.position]),
        "sup_f": found.sup_f,
        "p_value": found.p_value,
        "mean_before_log": found.mean_before,
        "mean_after_log": found.mean_after,
        "distance_days": distance,
        "state": "no_break"
        if not found.p_value < SIGNIFICANCE
        else "break_near_launch"
        if is_near
        else "break_elsewhere",
    }
