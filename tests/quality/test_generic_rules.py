"""Every rule of the datasets without a suite of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quality_factories import MARKET_DATE, changed, dataset_frame, failed_rules, gate

from pipeline.datasets import DATASETS, Dataset, get_dataset
from pipeline.quality.suites import all_rules, suite_for

GENERIC = [name for name in DATASETS if name not in {"market_daily", "equity_daily"}]

# The table rules are the same code for every dataset: two datasets stand for all in the
# quick run.
QUICK = {"perp_daily", "sentiment_daily"}


def _rules(level: str) -> list[Any]:
    return [
        pytest.param(
            rule.id,
            marks=[pytest.mark.slow] if level == "table" and name not in QUICK else [],
        )
        for name in GENERIC
        for rule in suite_for(get_dataset(name))
        if rule.level == level
    ]


def _broken(dataset: Dataset, rule: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a frame, and gate arguments, that break one rule of a dataset."""
    good = dataset_frame(dataset)
    day = dataset.date_column
    numeric = [column.name for column in dataset.columns if column.type == "double"]
    if rule.endswith("_in_range"):
        return changed(good, rule.removesuffix("_in_range"), -np.inf), {}
    frames: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
        "columns_exact": (good.assign(extra=1), {}),
        "types_exact": (good.assign(**{numeric[0]: "0.5"}), {}),
        "not_empty": (good.head(0), {}),
        "row_count_usual": (good, {"recent_row_counts": [81]}),
        "key_not_null": (changed(good, "source", None), {}),
        "key_unique": (pd.concat([good, good.tail(1)]), {}),
        "no_later_day": (changed(good, day, MARKET_DATE + timedelta(days=1)), {}),
        "has_market_date": (good, {"market_date": MARKET_DATE + timedelta(days=1)}),
        "has_measure": (changed(good, numeric[0], np.nan).assign(**_blank(good, numeric[1:])), {}),
    }
    before = good.assign(**{day: MARKET_DATE - timedelta(days=1)}).head(
        1 if dataset.key == (day, "source") else None
    )
    frames["no_wide_leap"] = (
        good,
        {"previous": before.assign(**dict.fromkeys(numeric, 0.5 / 1e3))},
    )
    frames["not_yesterday_again"] = (good, {"previous": before})
    if dataset.name == "funding_daily":
        frames["rates_usual"] = (good.assign(funding_rate_fraction=-0.1), {})
    if dataset.name == "perp_daily":
        frames["close_within_day"] = (changed(good, "close_usd", 0.6), {})
    return frames[rule]


def _blank(frame: pd.DataFrame, columns: list[str]) -> dict[str, pd.Series]:
    return {column: frame[column].mask(frame.index == 7) for column in columns}


@pytest.mark.parametrize("name", GENERIC)
def test_good_frame_passes(name: str) -> None:
    frame = dataset_frame(get_dataset(name))
    report = gate(frame, name, recent_row_counts=[1])
    assert failed_rules(report) == set()
    pd.testing.assert_frame_equal(report.accepted, frame)


@pytest.mark.parametrize("rule_id", _rules("table"))
def test_table_rule_refuses_the_dataset(rule_id: str) -> None:
    name, rule = rule_id.split(".")
    frame, arguments = _broken(get_dataset(name), rule)
    report = gate(frame, name, **arguments)
    assert failed_rules(report) == {rule_id}
    assert not report.is_passed
    assert report.accepted.empty


@pytest.mark.parametrize("rule_id", _rules("row"))
def test_row_rule_quarantines_the_row_only(rule_id: str) -> None:
    name, rule = rule_id.split(".")
    frame, arguments = _broken(get_dataset(name), rule)
    report = gate(frame, name, **arguments)
    assert failed_rules(report) == {rule_id}
    assert report.is_passed
    assert report.quarantined["rule_id"].tolist() == [rule_id]
    assert len(report.accepted) == len(frame) - 1


def test_percent_is_not_taken_for_a_fraction() -> None:
    frame = dataset_frame(get_dataset("global_daily")).assign(btc_dominance_fraction=57.0)
    report = gate(frame, "global_daily")
    assert "global_daily.btc_dominance_fraction_in_range" in failed_rules(report)
    assert not report.is_passed


@pytest.mark.parametrize(("factor", "is_passed"), [(1 / 29, True), (29, True), (1 / 31, False)])
def test_levels_may_move_but_not_all_at_once(factor: float, is_passed: bool) -> None:
    good = dataset_frame(get_dataset("open_interest_daily"))
    before = good.assign(
        market_date=MARKET_DATE - timedelta(days=1), open_interest_usd=0.5 * factor
    )
    report = gate(good, "open_interest_daily", previous=before)
    assert report.is_passed == is_passed
    few = before.assign(open_interest_usd=np.where(before.index < 20, 0.5 * factor, 0.5))
    assert gate(good, "open_interest_daily", previous=few).is_passed


def test_a_leap_is_measured_against_known_values_only() -> None:
    good = dataset_frame(get_dataset("liquidation_daily"))
    before = good.assign(
        market_date=MARKET_DATE - timedelta(days=1), long_usd=0.0, short_usd=np.nan
    )
    assert gate(good, "liquidation_daily", previous=before).is_passed


def test_negative_values_pass_where_they_make_sense() -> None:
    frame = dataset_frame(get_dataset("onchain_daily")).assign(value=-5.0)
    assert failed_rules(gate(frame, "onchain_daily")) == set()
    frame = dataset_frame(get_dataset("funding_daily")).assign(funding_rate_fraction=-0.01)
    assert failed_rules(gate(frame, "funding_daily")) == set()


def test_rule_ids_are_unique_and_name_their_dataset() -> None:
    rules = all_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    assert {rule.id.split(".")[0] for rule in rules} == DATASETS.keys()
    assert all(rule.sentence.endswith(".") for rule in rules)
