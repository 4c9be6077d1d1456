"""What followed each signal, by how high it stood: whether it told anything."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from pipeline.statistics.arrays import Bools, Floats, Ints, as_floats
from pipeline.statistics.forecasts import (
    correlate_forecast,
    difference_intervals,
    difference_t_value,
    shift_p_value,
)
from pipeline.statistics.multiple import adjust_p_values
from pipeline.statistics.predictability import forecast_p_value, rank_so_far
from pipeline.statistics.resampling import generator_for, mean_block_length
from pipeline.statistics.tables.frames import as_date, as_days, frame_of, groups

HORIZON_DAYS = (1, 7, 30, 90)
TARGETS = ("top100", "top100_ex_btc", "large_ex_btc", "small", "small_minus_large")
VOLATILITY_TARGET = "small_volatility"
MIN_VALUE_COUNT = 365
MIN_LIVE_COUNT = 250
QUINTILE_EFFECTIVE_COUNT = 20
MIN_EFFECTIVE_COUNT = 3
WEAK_EFFECTIVE_COUNT = 10
TESTABLE_EFFECTIVE_COUNT = 30
FALSE_DISCOVERY_RATE = 0.1
IMPLAUSIBLE_CORRELATION = 0.15
IMPLAUSIBLE_CORRELATION_T_VALUE = 4.0
IMPLAUSIBLE_T_VALUE = 8.0
IMPLAUSIBLE_HIT_FRACTION = 0.65
IMPLAUSIBLE_MIN_COUNT = 200
ETP_LAUNCH_DAY = int(np.datetime64("2024-01-11").astype(np.int64))

COLUMNS = [
    "signal_id",
    "entity",
    "target_id",
    "horizon_days",
    "sample",
    "bucket",
    "first_date",
    "last_date",
    "observation_count",
    "effective_count",
    "mean_outcome_fraction",
    "median_outcome_fraction",
    "hit_fraction",
    "baseline_outcome_fraction",
    "difference_fraction",
    "difference_low_fraction",
    "difference_high_fraction",
    "hac_t_value",
    "rank_information",
    "p_value",
    "p_value_adjusted",
    "verdict",
    "state",
]


def signal_quality(
    definitions: pd.DataFrame, values: pd.DataFrame, outcomes: pd.DataFrame
) -> pd.DataFrame:
    """Compute ``signals.signal_quality``.

    Args:
        definitions: ``reference.signal_definition``: signal_id, entity_kind, orientation.
        values: ``signals.signal_trust_daily``: signal_id, entity, market_date, value,
            percentile_pct, is_reconstructed.
        outcomes: ``signals.forward_outcome_daily``: target_id, horizon_days, market_date,
            outcome_fraction, from the close of the day after.

    Returns:
        One row per series with a direction and 365 values or more, target, horizon, sample
        and bucket. Series of single coins are left out, but for Bitcoin. Where one row of a
        series is too good to be true, no row of the series has a verdict.
    """
    targets = _targets(outcomes)
    orientation = dict(zip(definitions["signal_id"], definitions["orientation"], strict=True))
    kinds = dict(zip(definitions["signal_id"], definitions["entity_kind"], strict=True))
    known = values[values["value"].notna()]
    rows: list[dict[str, Any]] = []
    for signal_id, of_signal in groups(known, "signal_id"):
        if orientation.get(signal_id, 0) == 0:
            continue
        for entity, series in groups(of_signal, "entity"):
            is_single = kinds[signal_id] in {"coin", "exchange and token"}
            if len(series) < MIN_VALUE_COUNT or (is_single and entity != "bitcoin"):
                continue
            series = series.assign(place=rank_so_far(as_floats(series["value"])))
            for (target_id, horizon), target in targets.items():
                key = {
                    "signal_id": signal_id,
                    "entity": entity,
                    "target_id": target_id,
                    "horizon_days": horizon,
                }
                next_day = targets.get((target_id, 1))
                rows += _samples(key, series, target, next_day, int(orientation[signal_id]))
    return _with_verdicts(rows)


def _targets(outcomes: pd.DataFrame) -> dict[tuple[str, int], tuple[Ints, Floats]]:
    """Return days and outcomes by target and horizon, and how much small coins move."""
    found: dict[tuple[str, int], tuple[Ints, Floats]] = {}
    for (target_id, horizon), rows in outcomes.groupby(["target_id", "horizon_days"], sort=True):
        if target_id in TARGETS and horizon in HORIZON_DAYS:
            days, moves = as_days(rows["market_date"]), as_floats(rows["outcome_fraction"])
            found[str(target_id), int(horizon)] = days, moves
    if ("small", 1) in found:
        days, moves = found["small", 1]
        logs = pd.Series(np.log1p(moves), index=days)
        for horizon in HORIZON_DAYS[1:]:
            ahead = logs.rolling(horizon).std().shift(1 - horizon) * math.sqrt(365)
            whole = ahead[ahead.notna()]
            found[VOLATILITY_TARGET, horizon] = whole.index.to_numpy(), whole.to_numpy()
    return found


@dataclass(frozen=True)
class _Pairs:
    """A signal with its percentile and its rank among earlier ones, and what followed."""

    days: Ints
    values: Floats
    percentiles: Floats
    places: Floats
    moves: Floats

    def of(self, is_in: Bools) -> _Pairs:
        return _Pairs(*(getattr(self, field.name)[is_in] for field in fields(self)))


def _samples(
    key: dict[str, Any],
    series: pd.DataFrame,
    target: tuple[Ints, Floats],
    next_day: tuple[Ints, Floats] | None,
    orientation: int,
) -> list[dict[str, Any]]:
    days, values = as_days(series["market_date"]), as_floats(series["value"])
    percentiles, places = as_floats(series["percentile_pct"]), as_floats(series["place"])
    both, at, of = np.intersect1d(days, target[0], assume_unique=True, return_indices=True)
    pairs = _Pairs(both, values[at], percentiles[at], places[at], target[1][of])
    is_live = ~series["is_reconstructed"].to_numpy(dtype=bool)[at]
    rows: list[dict[str, Any]] = []
    for sample, is_in, least in (
        ("all", np.ones(len(both), dtype=bool), MIN_EFFECTIVE_COUNT),
        ("pre_etp", both < ETP_LAUNCH_DAY, MIN_EFFECTIVE_COUNT),
        ("post_etp", both >= ETP_LAUNCH_DAY, MIN_EFFECTIVE_COUNT),
        ("live", is_live, MIN_LIVE_COUNT),
    ):
        if is_in.sum() >= least:
            rows += _buckets(key | {"sample": sample}, pairs.of(is_in), next_day, orientation)
    return rows


def _buckets(
    key: dict[str, Any],
    pairs: _Pairs,
    next_day: tuple[Ints, Floats] | None,
    orientation: int,
) -> list[dict[str, Any]]:
    days, moves = pairs.days, pairs.moves
    horizon = int(key["horizon_days"])
    step = float(np.median(np.diff(days)))
    overlap = max(1.0, horizon / step)
    lags = math.ceil(overlap)
    names, members = _memberships(pairs.percentiles, overlap)
    block = math.ceil(max(overlap, mean_block_length(len(days))))
    generator = generator_for("signal_quality", *key.values())
    intervals = difference_intervals(members, moves, generator, block)
    dates = {"first_date": as_date(days[0]), "last_date": as_date(days[-1])}
    rows = []
    for name, is_member, (low, high) in zip(names, members, intervals, strict=True):
        count = int(is_member.sum())
        row = key | dates | {"bucket": name, "observation_count": count}
        row |= {"effective_count": count / overlap, "sign": 0}
        if count / overlap >= MIN_EFFECTIVE_COUNT:
            row |= _outcome(moves[is_member], float(moves.mean()))
            if name == "all":
                found = correlate_forecast(pairs.values, moves, lags)
                row |= {
                    "hac_t_value": found.t_value,
                    "rank_information": found.correlation,
                    "p_value": _p_value(pairs, pairs.places, next_day, horizon),
                    "sign": _sign(found.correlation * orientation),
                }
            else:
                side = {names[1]: -1, names[-1]: 1}.get(name, 0)
                row |= {
                    "difference_low_fraction": low,
                    "difference_high_fraction": high,
                    "hac_t_value": difference_t_value(is_member, moves, lags),
                    "p_value": _p_value(pairs, is_member.astype(np.float64), next_day, horizon),
                    "sign": _sign(row["difference_fraction"] * orientation * side),
                }
        rows.append(row)
    return rows


def _p_value(
    pairs: _Pairs, scores: Floats, next_day: tuple[Ints, Floats] | None, horizon: int
) -> float:
    """Return the chance of the fit: by IVX of returns, by shifts of volatility, which persists."""
    if next_day is None:
        return shift_p_value(scores, pairs.moves)
    return forecast_p_value(pairs.days, scores, *next_day, horizon)


def _memberships(percentiles: Floats, overlap: float) -> tuple[list[str], Bools]:
    """Return the buckets by the percentile that was known on the day: fifths, or thirds."""
    known = percentiles[np.isfinite(percentiles)]
    has_fifths = len(known) / overlap / 5 >= QUINTILE_EFFECTIVE_COUNT
    parts = 5 if has_fifths else 3
    place = np.minimum(np.floor(percentiles / 100 * parts), parts - 1)
    names = [f"{n + 1}_of_{parts}" for n in range(parts)]
    members = np.vstack([np.ones(len(place), dtype=bool), *(place == n for n in range(parts))])
    return ["all", *names], members


def _outcome(moves: Floats, baseline: float) -> dict[str, float]:
    mean = float(moves.mean())
    return {
        "mean_outcome_fraction": mean,
        "median_outcome_fraction": float(np.median(moves)),
        "hit_fraction": float((moves > 0).mean()),
        "baseline_outcome_fraction": baseline,
        "difference_fraction": mean - baseline,
    }


def _sign(value: float) -> int:
    return int(np.sign(value)) if math.isfinite(value) else 0


def _with_verdicts(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Adjust all p-values together, and say what each row shows."""
    frame = frame_of(rows, [*(c for c in COLUMNS if c not in {"verdict", "state"}), "sign"])
    frame["p_value_adjusted"] = adjust_p_values(frame["p_value"])
    too_good = _too_good(frame)
    series = frame["signal_id"] + "\n" + frame["entity"]
    of_too_good = series.isin(set(series[too_good])).to_numpy()
    too_few = ~(frame["effective_count"] >= WEAK_EFFECTIVE_COUNT) | frame["p_value"].isna()
    is_found = frame["p_value_adjusted"] < FALSE_DISCOVERY_RATE
    is_return = frame["target_id"] != VOLATILITY_TARGET
    frame["verdict"] = np.select(
        [
            too_good,
            of_too_good,
            too_few,
            is_found & (frame["sign"] > 0) & is_return,
            is_found & (frame["sign"] < 0) & is_return,
            is_found,
        ],
        ["implausible", "withheld", "insufficient", "supports", "contradicts", "differs"],
        "no_evidence",
    )
    frame["state"] = np.select(
        [
            frame["effective_count"] >= TESTABLE_EFFECTIVE_COUNT,
            frame["effective_count"] >= WEAK_EFFECTIVE_COUNT,
            frame["effective_count"] >= MIN_EFFECTIVE_COUNT,
        ],
        ["testable", "weak", "anecdotal"],
        "insufficient",
    )
    return frame[COLUMNS]


def _too_good(frame: pd.DataFrame) -> Bools:
    """Return what no honest daily signal attains: a day has slipped, or the source is stale.

    A correlation has to be beyond chance as well: over 200 days one of 0.15 is noise in one
    case of thirty.
    """
    is_next_day = (frame["horizon_days"] == 1) & (frame["target_id"] != VOLATILITY_TARGET)
    has_many = frame["observation_count"] > IMPLAUSIBLE_MIN_COUNT
    size = frame["hac_t_value"].abs()
    figures = (
        (
            (frame["rank_information"].abs() > IMPLAUSIBLE_CORRELATION)
            & (size > IMPLAUSIBLE_CORRELATION_T_VALUE)
        )
        | (size > IMPLAUSIBLE_T_VALUE)
        | (frame["hit_fraction"] > IMPLAUSIBLE_HIT_FRACTION)
    )
    found: Bools = (is_next_day & has_many & figures).to_numpy(dtype=bool)
    return found
