"""Signal quality finds a planted forecast, and calls what is too good by its name."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from harness import shipped_project

from pipeline.statistics.tables.signal_quality import COLUMNS, signal_quality

FIRST = date(2021, 1, 1)
COUNT = 1500
GRAIN = ["signal_id", "entity", "target_id", "horizon_days", "sample", "bucket"]


def outcomes_of(returns: np.ndarray, target_id: str = "small") -> pd.DataFrame:
    """Return what followed each day from the close of the day after."""
    levels = np.concatenate([[1.0], np.cumprod(1 + returns)])
    days = pd.date_range(FIRST, periods=len(levels))
    frames = []
    for horizon in (1, 7, 30, 90, 180):
        count = len(levels) - 1 - horizon
        frames.append(
            pd.DataFrame(
                {
                    "target_id": target_id,
                    "horizon_days": horizon,
                    "market_date": days[:count],
                    "outcome_fraction": levels[1 + horizon :] / levels[1 : 1 + count] - 1,
                }
            )
        )
    return pd.concat(frames)


def values_of(values: np.ndarray, signal_id: str = "S99", entity: str = "market") -> pd.DataFrame:
    ranks = pd.Series(values).expanding(365).rank(pct=True) * 100
    return pd.DataFrame(
        {
            "signal_id": signal_id,
            "entity": entity,
            "market_date": pd.date_range(FIRST, periods=len(values)),
            "value": values,
            "percentile_pct": ranks,
            "is_reconstructed": True,
        }
    )


def definition(orientation: int = 1, entity_kind: str = "market") -> pd.DataFrame:
    return pd.DataFrame(
        [{"signal_id": "S99", "entity_kind": entity_kind, "orientation": orientation}]
    )


def planted(weight: float, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a signal of which ``weight`` comes true in the week from the day after on."""
    chance = np.random.default_rng(seed)
    told = chance.standard_normal(COUNT)
    returns = 0.02 * chance.standard_normal(COUNT)
    for days_later in range(2, 9):
        returns[days_later - 1 :] += weight * told[: COUNT - days_later + 1]
    return values_of(told), outcomes_of(returns)


def row(table: pd.DataFrame, **equals: Any) -> pd.Series[Any]:
    keep = pd.Series(data=True, index=table.index)
    for name, value in ({"sample": "all", "bucket": "all"} | equals).items():
        keep &= table[name] == value
    (found,) = table[keep].iloc
    return found


def test_planted_forecast_supports_its_orientation() -> None:
    values, outcomes = planted(0.004)
    found = row(signal_quality(definition(), values, outcomes), horizon_days=7, target_id="small")
    assert (found["verdict"], found["state"]) == ("supports", "testable")
    assert found["rank_information"] > 0.2
    assert found["hac_t_value"] > 3


def test_planted_forecast_contradicts_the_other_orientation() -> None:
    values, outcomes = planted(0.004)
    table = signal_quality(definition(-1), values, outcomes)
    assert row(table, horizon_days=7, target_id="small")["verdict"] == "contradicts"


def test_buckets_rise_with_the_signal() -> None:
    table = signal_quality(definition(), *planted(0.004))
    lowest = row(table, horizon_days=7, target_id="small", bucket="1_of_5")
    highest = row(table, horizon_days=7, target_id="small", bucket="5_of_5")
    assert lowest["difference_high_fraction"] < 0 < highest["difference_low_fraction"]
    assert {lowest["verdict"], highest["verdict"]} == {"supports"}
    assert highest["mean_outcome_fraction"] - highest["baseline_outcome_fraction"] == (
        pytest.approx(highest["difference_fraction"])
    )


def test_few_windows_make_thirds() -> None:
    table = signal_quality(definition(), *planted(0.004))
    names = set(table[table["horizon_days"] == 90]["bucket"])
    assert names == {"all", "1_of_3", "2_of_3", "3_of_3"}


@pytest.mark.parametrize("seed", range(5))
def test_noise_finds_nothing(seed: int) -> None:
    table = signal_quality(definition(), *planted(0.0, seed))
    returns = table[table["target_id"] == "small"]
    assert set(returns["verdict"]) <= {"no_evidence", "insufficient"}


def test_slipped_day_is_implausible() -> None:
    """A signal that is tomorrow's return, as a wrong join makes it."""
    chance = np.random.default_rng(5)
    returns = 0.02 * chance.standard_normal(COUNT)
    told = 0.3 * np.roll(returns, -1) + 0.02 * chance.standard_normal(COUNT)
    table = signal_quality(definition(), values_of(told), outcomes_of(returns))
    found = row(table, horizon_days=1, target_id="small")
    assert found["rank_information"] > 0.15
    assert found["verdict"] == "implausible"


def test_slow_volatility_is_found_in_the_volatility_target_only() -> None:
    chance = np.random.default_rng(6)
    is_wild = np.repeat(chance.random(COUNT // 15) < 0.5, 15)
    volatility = np.where(is_wild, 0.05, 0.01)
    returns = volatility * chance.standard_normal(COUNT)
    told = volatility + 0.001 * chance.standard_normal(COUNT)
    table = signal_quality(definition(), values_of(told), outcomes_of(returns))
    moved = row(table, horizon_days=7, target_id="small_volatility")
    assert moved["rank_information"] > 0.3
    assert moved["verdict"] == "differs"
    of_returns = table[table["target_id"] == "small"]
    assert set(of_returns["verdict"]) <= {"no_evidence", "insufficient"}


def test_volatility_is_that_of_the_days_after_the_next_close() -> None:
    _, outcomes = planted(0.0)
    values = values_of(np.random.default_rng(1).standard_normal(COUNT))
    table = signal_quality(definition(), values, outcomes)
    daily = outcomes[outcomes["horizon_days"] == 1]["outcome_fraction"].to_numpy()
    logs = np.log1p(daily)
    ahead = [logs[n : n + 7].std(ddof=1) * np.sqrt(365) for n in range(len(logs) - 6)]
    found = row(table, horizon_days=7, target_id="small_volatility")
    assert found["mean_outcome_fraction"] == pytest.approx(np.mean(ahead))
    assert found["observation_count"] == len(ahead)


def test_samples_split_at_the_first_us_product() -> None:
    table = signal_quality(definition(), *planted(0.004))
    before = row(table, horizon_days=7, target_id="small", sample="pre_etp")
    after = row(table, horizon_days=7, target_id="small", sample="post_etp")
    assert before["last_date"] == pd.Timestamp("2024-01-10")
    assert after["first_date"] == pd.Timestamp("2024-01-11")
    whole = row(table, horizon_days=7, target_id="small")
    assert before["observation_count"] + after["observation_count"] == whole["observation_count"]
    assert whole["effective_count"] == pytest.approx(whole["observation_count"] / 7)


def test_without_direction_or_history_there_is_no_row() -> None:
    values, outcomes = planted(0.004)
    assert signal_quality(definition(0), values, outcomes).empty
    assert signal_quality(definition(), values[:364], outcomes).empty
    assert signal_quality(definition(entity_kind="coin"), values, outcomes).empty
    bitcoin = values.assign(entity="bitcoin")
    assert not signal_quality(definition(entity_kind="coin"), bitcoin, outcomes).empty
    assert list(signal_quality(definition(), values[:0], outcomes[:0]).columns) == COLUMNS


def test_table_is_as_documented_and_its_grain_a_key() -> None:
    doc = shipped_project().models["signals.signal_quality"].doc
    assert [column.name for column in doc.columns] == COLUMNS
    table = signal_quality(definition(), *planted(0.004))
    assert not table.duplicated(GRAIN).any()
    assert list(doc.grain) == GRAIN


def test_adjusted_p_values_are_never_smaller() -> None:
    table = signal_quality(definition(), *planted(0.001))
    known = table[table["p_value"].notna()]
    assert (known["p_value_adjusted"] >= known["p_value"]).all()


def test_same_rows_twice() -> None:
    values, outcomes = planted(0.004)
    once = signal_quality(definition(), values, outcomes)
    pd.testing.assert_frame_equal(once, signal_quality(definition(), values, outcomes))
