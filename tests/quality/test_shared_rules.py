"""The rules that every dataset has, each broken in every dataset."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quality_factories import MARKET_DATE, changed, dataset_frame, failed_rules, gate

from pipeline.datasets import DATASETS, Dataset, get_dataset
from pipeline.quality.suites import all_rules, suite_for

# The rules are the same code for every dataset: two stand for all in the quick run.
QUICK = {"perp_daily", "sentiment_daily"}

Broken = tuple[pd.DataFrame, dict[str, Any]]


def _measures(dataset: Dataset) -> list[str]:
    return [column.name for column in dataset.columns if column.type == "double"]


def _moved(good: pd.DataFrame, dataset: Dataset, days: int) -> pd.DataFrame:
    day = dataset.date_column
    return good.assign(**{day: [each + timedelta(days=days) for each in good[day]]})


def _speechless(good: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    return good.assign(**{name: good[name].mask(good.index == 0) for name in _measures(dataset)})


SHARED: dict[str, Callable[[pd.DataFrame, Dataset], Broken]] = {
    "columns_exact": lambda good, _: (good.assign(extra=1), {}),
    "types_exact": lambda good, dataset: (good.assign(**{_measures(dataset)[0]: "0.5"}), {}),
    "not_empty": lambda good, _: (good.head(0), {}),
    "row_count_usual": lambda good, _: (good, {"recent_row_counts": [2 * len(good) + 1]}),
    "key_not_null": lambda good, _: (changed(good, "source", None, 0), {}),
    "key_unique": lambda good, _: (pd.concat([good, good.tail(1)]), {}),
    "key_well_formed": lambda good, dataset: (
        changed(good, dataset.key[-1], f" {good[dataset.key[-1]].iloc[0]}", 0),
        {},
    ),
    "no_later_day": lambda good, dataset: (_moved(good, dataset, 1), {}),
    "has_market_date": lambda good, _: (good, {"market_date": MARKET_DATE + timedelta(days=1)}),
    "has_measure": lambda good, dataset: (_speechless(good, dataset), {}),
}


def _cases() -> list[Any]:
    return [
        pytest.param(name, rule.name, marks=[] if name in QUICK else [pytest.mark.slow], id=rule.id)
        for name in DATASETS
        for rule in suite_for(get_dataset(name))
        if rule.name in SHARED
    ]


@pytest.mark.parametrize("name", DATASETS)
def test_good_frame_passes(name: str) -> None:
    frame = dataset_frame(get_dataset(name))
    report = gate(frame, name, recent_row_counts=[1])
    assert failed_rules(report) == set()
    pd.testing.assert_frame_equal(report.accepted, frame)


@pytest.mark.parametrize(("name", "rule"), _cases())
def test_shared_rule_finds_its_fault(name: str, rule: str) -> None:
    dataset = get_dataset(name)
    frame, arguments = SHARED[rule](dataset_frame(dataset), dataset)
    report = gate(frame, name, **arguments)
    (found,) = [result for result in report.results if result.rule_id == f"{name}.{rule}"]
    assert found.status == "failed"
    assert all(result.status != "errored" for result in report.results)
    if found.level == "table":
        assert not report.is_passed
        assert report.accepted.empty
    else:
        assert report.quarantined["rule_id"].iloc[0] == f"{name}.{rule}"


def test_bitcoin_in_percent_is_not_taken_for_a_fraction() -> None:
    frame = dataset_frame(get_dataset("global_daily")).assign(btc_dominance_fraction=57.0)
    report = gate(frame, "global_daily")
    assert "global_daily.btc_dominance_fraction_in_range" in failed_rules(report)
    assert not report.is_passed


@pytest.mark.parametrize(("factor", "is_passed"), [(1 / 29, True), (29, True), (1 / 31, False)])
def test_levels_may_move_but_not_all_at_once(factor: float, is_passed: bool) -> None:
    good = dataset_frame(get_dataset("onchain_daily"), days=1)
    good = good[good["metric"] != "SplyCur"].reset_index(drop=True)
    day_before = MARKET_DATE - timedelta(days=1)
    before = good.assign(market_date=day_before, value=good["value"] * factor)
    assert gate(good, "onchain_daily", previous=before).is_passed == is_passed
    is_few = good.index < len(good) // 2
    few = before.assign(
        value=good["value"].mask(is_few, before["value"]).where(is_few, good["value"] * 1.01)
    )
    assert gate(good, "onchain_daily", previous=few).is_passed


def test_a_leap_is_measured_against_known_values_only() -> None:
    good = dataset_frame(get_dataset("liquidation_daily"), days=1)
    before = good.assign(
        market_date=MARKET_DATE - timedelta(days=1), long_usd=0.0, short_usd=np.nan
    )
    assert gate(good, "liquidation_daily", previous=before).is_passed


def test_funding_may_be_paid_by_shorts() -> None:
    frame = dataset_frame(get_dataset("funding_daily")).assign(funding_rate_fraction=-0.01)
    assert failed_rules(gate(frame, "funding_daily")) == set()


def test_rule_ids_are_unique_and_name_their_dataset() -> None:
    rules = all_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    assert {rule.dataset for rule in rules} == DATASETS.keys()
    assert all(rule.sentence.endswith(".") for rule in rules)


def test_history_is_not_compared_with_other_nights() -> None:
    for name in DATASETS:
        dataset = get_dataset(name)
        frame = dataset_frame(dataset)
        others = frame.assign(source="another", **{_measures(dataset)[0]: 1e9})
        results = gate(frame, name, mode="history", previous=others, others=others).results
        assert {result.rule_id for result in results if not result.is_passed} == set()
