"""Whether small coins have more long accounts than large ones, day by day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import as_floats
from pipeline.statistics.ranks import compare_groups, correlate_ranks, fit_theil_sen
from pipeline.statistics.tables.frames import frame_of

MIN_COINS = 40
MIN_CORRELATION = 0.2
SIGNIFICANCE = 0.05
MEAN_DAYS = 7
MIN_MEAN_DAYS = 6

_COLUMNS = [
    "market_date",
    "observation_count",
    "rank_correlation",
    "rank_correlation_p_value",
    "rank_correlation_7d",
    "tilt_slope_log",
    "tilt_slope_low_log",
    "tilt_slope_high_log",
    "small_minus_large_ratio",
    "small_against_large_p_value",
    "state",
]


def rank_tilt_daily(cross_sections: pd.DataFrame) -> pd.DataFrame:
    """Compute ``signals.rank_tilt_daily``.

    Args:
        cross_sections: ``signals.rank_tilt_input_daily``: market_date, coin_id, segment,
            market_cap_log and account_ratio_log.

    Returns:
        One row per day. Correlation and slope are against the cap, so that below 0 small
        coins are longer; against the rank number the sign would be the other one. A day of
        fewer than 40 coins has no figures and the state ``insufficient``.
    """
    rows = [
        {"market_date": day, **_measure(coins)}
        for day, coins in cross_sections.groupby("market_date", sort=True)
    ]
    table = frame_of(rows, _COLUMNS)
    if rows:
        by_day = table.set_index("market_date")["rank_correlation"]
        mean = by_day.rolling(f"{MEAN_DAYS}D", min_periods=MIN_MEAN_DAYS).mean()
        table["rank_correlation_7d"] = mean.to_numpy()
    return table


def _measure(coins: pd.DataFrame) -> dict[str, Any]:
    if len(coins) < MIN_COINS:
        return {"observation_count": len(coins), "state": "insufficient"}
    caps, ratios = as_floats(coins["market_cap_log"]), as_floats(coins["account_ratio_log"])
    correlation = correlate_ranks(caps, ratios)
    slope = fit_theil_sen(caps, ratios)
    segments = coins["segment"].to_numpy()
    small, large = np.exp(ratios[segments == "small"]), np.exp(ratios[segments == "large"])
    has_both = len(small) > 0 and len(large) > 0
    difference = float(np.median(small) - np.median(large)) if has_both else float("nan")
    measured = {
        "observation_count": len(coins),
        "rank_correlation": correlation.value,
        "rank_correlation_p_value": correlation.p_value,
        "tilt_slope_log": slope.value,
        "tilt_slope_low_log": slope.low,
        "tilt_slope_high_log": slope.high,
        "small_minus_large_ratio": difference,
        "small_against_large_p_value": compare_groups(small, large).p_value,
    }
    return measured | {"state": _judge(measured)}


def _judge(measured: dict[str, Any]) -> str:
    """Return who is longer, where correlation, slope and segments all say the same."""
    if measured["rank_correlation_p_value"] < SIGNIFICANCE:
        correlation, difference = measured["rank_correlation"], measured["small_minus_large_ratio"]
        low, high = measured["tilt_slope_low_log"], measured["tilt_slope_high_log"]
        if correlation <= -MIN_CORRELATION and high < 0 < difference:
            return "small_long"
        if correlation >= MIN_CORRELATION and difference < 0 < low:
            return "large_long"
    return "none"
