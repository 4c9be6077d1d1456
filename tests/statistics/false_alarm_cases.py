"""Every published p-value, on data in which there is nothing to find.

A case draws such data and returns the p-value as the table makes it: with the table's own
functions, windows, resamples and least counts. ``columns`` of all cases together are all
published columns of the unit probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from chance import autoregressive, clustered, volatility

from pipeline.statistics.events import merge_episodes
from pipeline.statistics.forecasts import shift_p_value
from pipeline.statistics.multiple import adjust_p_values
from pipeline.statistics.predictability import forecast_p_value, rank_so_far
from pipeline.statistics.tables import cross_market, event_studies, rank_tilt, regimes, turning
from pipeline.statistics.tables.signal_quality import signal_quality

Chance = np.random.Generator
Noise = Callable[[Chance, int], np.ndarray]

DAY = np.timedelta64(1, "D")
FIRST = np.datetime64("2021-01-01")


@dataclass(frozen=True)
class Case:
    """One p-value on one kind of noise.

    ``is_family`` marks the least of many adjusted p-values: with Benjamini-Hochberg it is at
    or below the level no more often than the level says, and less often where the tests
    agree with each other, so only too many alarms are wrong.
    """

    column: str
    noise: str
    p_value: Callable[[Chance], float] = field(compare=False)
    is_family: bool = False

    @property
    def name(self) -> str:
        return f"{self.column} | {self.noise}"


def white(chance: Chance, count: int) -> np.ndarray:
    return chance.standard_normal(count)


def fat_tailed(chance: Chance, count: int) -> np.ndarray:
    return chance.standard_t(4, count)


def persistent(chance: Chance, count: int) -> np.ndarray:
    return autoregressive(chance, count, 0.3)


NOISES: dict[str, Noise] = {
    "white noise": white,
    "Student t, 4 degrees": fat_tailed,
    "AR(1) of 0.3": persistent,
    "clustered volatility": clustered,
}


def _pair(noise: Noise, chance: Chance, count: int) -> tuple[np.ndarray, np.ndarray]:
    return noise(chance, count), noise(chance, count)


def _nervous_together(chance: Chance, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two unrelated series that are wild on the same days, as markets are."""
    wild = volatility(chance, count)
    return wild * chance.standard_normal(count), wild * chance.standard_normal(count)


PAIRS: dict[str, Callable[[Chance, int], tuple[np.ndarray, np.ndarray]]] = {
    **{name: partial(_pair, noise) for name, noise in NOISES.items()},
    "volatility of both clustered together": _nervous_together,
}


def _correlations() -> Iterator[Case]:
    table = "cross_market_correlation_daily"
    for name, pair in PAIRS.items():
        for method in ("pearson", "spearman"):
            for window in (30, 60, 90, 252):

                def p_value(
                    chance: Chance, pair: Any = pair, window: int = window, method: str = method
                ) -> float:
                    first, second = pair(chance, window)
                    found = cross_market._measures(first[None], second[None], method)
                    return float(found[5][0])

                yield Case(f"{table}.p_value", f"{method}, {window} sessions, {name}", p_value)
    for method in ("pearson", "spearman"):
        yield Case(
            f"{table}.p_value_bh",
            f"{method}, least of 3 pairs and 4 windows, white noise",
            partial(_least_adjusted, method=method),
            is_family=True,
        )


def _least_adjusted(chance: Chance, method: str) -> float:
    """Return the least of the family that the table adjusts on one session."""
    longest = max(cross_market.WINDOWS_SESSIONS)
    equity = chance.standard_normal(longest)
    p_values = [
        float(cross_market._measures(equity[None, -window:], crypto[None, -window:], method)[5][0])
        for crypto in chance.standard_normal((3, longest))
        for window in cross_market.WINDOWS_SESSIONS
    ]
    return float(adjust_p_values(p_values).min())


def _leads() -> Iterator[Case]:
    for name, pair in PAIRS.items():
        for column in ("p_value", "apart_p_value"):
            noun = f"504 sessions, {name}"
            yield Case(f"lead_lag.{column}", noun, partial(_lead, pair=pair, column=column))
    noun = "504 sessions, white noise of which three fifths are shared"
    yield Case(
        "lead_lag.apart_p_value", noun, partial(_lead, pair=_related, column="apart_p_value")
    )


def _lead(chance: Chance, pair: Any, column: str) -> float:
    return float(cross_market._lead_of(*pair(chance, cross_market.LEAD_WINDOW_SESSIONS))[column])


def _related(chance: Chance, count: int) -> tuple[np.ndarray, np.ndarray]:
    first = chance.standard_normal(count)
    return first, 0.6 * first + 0.8 * chance.standard_normal(count)


def _turning_points() -> Iterator[Case]:
    for name in ("white noise", "volatility of both clustered together"):
        for column in ("match_p_value", "concordance_p_value"):
            yield Case(
                f"turning_point_match.{column}",
                f"504 sessions of walks, {name}",
                partial(_match, pair=PAIRS[name], column=column),
            )


def _match(chance: Chance, pair: Any, column: str) -> float:
    count = turning.MATCH_WINDOW_SESSIONS
    days = pd.date_range("2022-01-03", periods=count, freq="B")
    levels = pd.concat(
        pd.DataFrame(
            {
                "series_id": name,
                "session_date": days,
                "series_kind": kind,
                "level": 100 * np.exp(0.02 * steps.cumsum()),
            }
        )
        for name, kind, steps in zip(
            ("A", "B"), ("equity", "crypto"), pair(chance, count), strict=True
        )
    )
    points = turning.turning_point(levels)
    own, other = (
        turning._Points(points[points["series_id"] == name], _days_of(days)) for name in "AB"
    )
    found = turning._match_of(own, other, count - 1, int(_days_of(days)[-1]))
    return float(found.get(column) if found.get(column) is not None else np.nan)


def _days_of(days: pd.DatetimeIndex) -> np.ndarray:
    return days.to_numpy("datetime64[D]").astype(np.int64)


def _regimes() -> Iterator[Case]:
    table = "regime_statistic"
    for name, noise in NOISES.items():
        for count in (60, 180, 700):

            def mean(chance: Chance, noise: Noise = noise, count: int = count) -> float:
                is_here = np.ones(count, dtype=bool)
                found = regimes._statistic(noise(chance, count), is_here, ~is_here)
                return float(found["mean_hac_p_value"])

            yield Case(f"{table}.mean_hac_p_value", f"{count} days, {name}", mean)
        for before, after in ((60, 60), (1400, 60), (1400, 700)):
            for column in ("difference_hac_p_value", "difference_welch_p_value"):
                # Welch takes days for independent and says so.
                if column.endswith("welch_p_value") and name.startswith("AR"):
                    continue

                def difference(
                    chance: Chance,
                    noise: Noise = noise,
                    counts: tuple[int, int] = (before, after),
                    column: str = column,
                ) -> float:
                    is_here = np.arange(sum(counts)) >= counts[0]
                    found = regimes._statistic(noise(chance, sum(counts)), is_here, ~is_here)
                    return float(found[column])

                noun = f"{before} days before and {after} after, {name}"
                yield Case(f"{table}.{column}", noun, difference)
        for count in (365, 1500):

            def broken(chance: Chance, noise: Noise = noise, count: int = count) -> float:
                return float(
                    regimes._break(np.arange(count), noise(chance, count), None)["p_value"]
                )

            yield Case("regime_break.p_value", f"{count} days, {name}", broken)


def _tilts() -> Iterator[Case]:
    for count in (40, 90):
        for column in ("rank_correlation_p_value", "small_against_large_p_value"):

            def p_value(chance: Chance, count: int = count, column: str = column) -> float:
                segments = np.repeat(["large", "mid", "small"], [15, 5, count - 20])
                coins = pd.DataFrame(
                    {
                        "market_cap_log": -np.sort(-chance.standard_normal(count)),
                        "account_ratio_log": 0.2 * chance.standard_t(4, count),
                        "segment": segments,
                    }
                )
                return float(rank_tilt._measure(coins)[column])

            yield Case(f"rank_tilt_daily.{column}", f"{count} coins", p_value)


@dataclass(frozen=True)
class Market:
    """A market of noise and what followed each of its days, from the close of the day after."""

    levels: np.ndarray
    days: np.ndarray
    next_moves: np.ndarray

    def moves(self, horizon: int) -> np.ndarray:
        return np.exp(self.levels[1 + horizon :] - self.levels[1:-horizon]) - 1


WARM_UP = 366


def _market(chance: Chance, count: int, noise: Noise = fat_tailed) -> Market:
    """Return a market whose first days only feed the windows of its signals."""
    levels = (0.025 * noise(chance, count + WARM_UP + 100)).cumsum()
    return Market(levels, np.arange(len(levels)), np.exp(np.diff(levels[1:])) - 1)


def _drawdown(market: Market, _: Chance) -> np.ndarray:
    series = pd.Series(market.levels)
    return (series - series.rolling(365, min_periods=1).max()).to_numpy()


def _distance(market: Market, _: Chance) -> np.ndarray:
    series = pd.Series(market.levels)
    return (series - series.rolling(200, min_periods=1).mean()).to_numpy()


def _momentum(market: Market, _: Chance) -> np.ndarray:
    return pd.Series(market.levels).diff(30).to_numpy()


def _slow(market: Market, chance: Chance) -> np.ndarray:
    return autoregressive(chance, len(market.levels), 0.98)


def _spiky(market: Market, chance: Chance) -> np.ndarray:
    return np.exp(2 * chance.standard_normal(len(market.levels)))


SIGNALS = {
    "a signal of white noise with spikes": _spiky,
    "a slow signal of its own": _slow,
    "the market's own momentum": _momentum,
    "the market's own distance from its average": _distance,
    "the market's own drawdown": _drawdown,
}


FORECASTS = (
    ("all", 365, 1),
    ("all", 400, 90),
    ("all", 1100, 30),
    ("top fifth", 365, 1),
    ("top fifth", 1100, 90),
)


def _forecasts() -> Iterator[Case]:
    for name, make in SIGNALS.items():
        for bucket, count, horizon in FORECASTS:
            noun = f"{bucket}, {count} days, horizon {horizon}, {name}"
            made = partial(_forecast, make=make, count=count, horizon=horizon, bucket=bucket)
            yield Case("signal_quality.p_value", noun, made)
    for name in ("white noise", "AR(1) of 0.3", "clustered volatility"):
        noun = f"all, 1100 days, horizon 7, the market's own drawdown, {name}"
        made = partial(
            _forecast, make=_drawdown, count=1100, horizon=7, bucket="all", noise=NOISES[name]
        )
        yield Case("signal_quality.p_value", noun, made)
    for name in ("a slow signal of its own", "the market's own drawdown"):
        noun = f"volatility, 1100 days, horizon 30, {name}"
        made = partial(_volatility_forecast, make=SIGNALS[name], count=1100, horizon=30)
        yield Case("signal_quality.p_value", noun, made)
    yield Case(
        "signal_quality.p_value_adjusted",
        "least of the whole table, 800 days, the market's own drawdown",
        _least_of_the_table,
        is_family=True,
    )


def _forecast(
    chance: Chance, make: Any, count: int, horizon: int, bucket: str, noise: Noise = fat_tailed
) -> float:
    market = _market(chance, count, noise)
    days = market.days[WARM_UP : WARM_UP + count]
    values = make(market, chance)[days]
    scores = rank_so_far(values)
    if bucket != "all":
        scores = (scores >= 0.8).astype(float)
    known = np.arange(len(market.next_moves))
    return forecast_p_value(days, scores, known, market.next_moves, horizon)


def _volatility_forecast(chance: Chance, make: Any, count: int, horizon: int) -> float:
    market = _market(chance, count)
    days = market.days[WARM_UP : WARM_UP + count]
    later = pd.Series(market.next_moves).rolling(horizon).std().shift(1 - horizon).to_numpy()
    return shift_p_value(rank_so_far(make(market, chance)[days]), later[days])


def _least_of_the_table(chance: Chance) -> float:
    market = _market(chance, 800)
    days = market.days[WARM_UP : WARM_UP + 800]
    dates = FIRST + market.days * DAY
    values = pd.Series(_drawdown(market, chance)[days])
    table = signal_quality(
        pd.DataFrame([{"signal_id": "S99", "entity_kind": "market", "orientation": 1}]),
        pd.DataFrame(
            {
                "signal_id": "S99",
                "entity": "market",
                "market_date": dates[days],
                "value": values,
                "is_reconstructed": True,
                "percentile_pct": 100 * values.expanding(60).rank(pct=True),
            }
        ),
        pd.concat(
            pd.DataFrame(
                {
                    "target_id": "small",
                    "horizon_days": horizon,
                    "market_date": dates[: len(market.moves(horizon))],
                    "outcome_fraction": market.moves(horizon),
                }
            )
            for horizon in (1, 7, 30, 90)
        ),
    )
    return float(table["p_value_adjusted"].min())


def _crashes(market: Market, _: Chance) -> np.ndarray:
    return np.diff(market.levels, prepend=0.0) < -0.07


def _new_lows(market: Market, _: Chance) -> np.ndarray:
    series = pd.Series(market.levels)
    is_low = (series <= series.rolling(90, min_periods=1).min()).to_numpy()
    return is_low & ~np.roll(is_low, 1)


def _some_days(market: Market, chance: Chance) -> np.ndarray:
    return chance.random(len(market.levels)) < 0.012


EVENTS = {
    "days by lot": _some_days,
    "days of a fall by a few deviations": _crashes,
    "first days of a new low": _new_lows,
}


def _event_studies() -> Iterator[Case]:
    for name, find in EVENTS.items():
        for horizon in (1, 7, 30, 90):

            def p_value(chance: Chance, find: Any = find, horizon: int = horizon) -> float:
                market = _market(chance, 1100)
                outcomes = market.moves(horizon)[WARM_UP:][:1100]
                is_event = find(market, chance)[WARM_UP:][:1100]
                days = merge_episodes(np.flatnonzero(is_event), horizon)
                found = event_studies._figures(days, outcomes, ("S20", 1))
                return float(found.get("p_value", np.nan))

            yield Case("event_study.p_value", f"horizon {horizon}, {name}", p_value)


def cases() -> list[Case]:
    """Return every case, by column."""
    made = (_correlations, _leads, _turning_points, _regimes, _tilts, _forecasts, _event_studies)
    return [case for make in made for case in make()]
