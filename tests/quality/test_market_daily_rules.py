"""Every rule of ``market_daily``: a frame that breaks it, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from quality_factories import (
    DAY_BEFORE,
    MARKET_DATE,
    changed,
    failed_rules,
    gate,
    market_frame,
    previous_market_frame,
)

from pipeline.datasets import get_dataset
from pipeline.quality.gate import GateReport
from pipeline.quality.suites import suite_for

GOOD = market_frame()
MAJORITY = GOOD.index < len(GOOD) * 0.6


def _without_supply(frame: pd.DataFrame) -> pd.DataFrame:
    return changed(frame, "circulating_supply", np.nan)


TABLE_BREAKS: dict[str, list[tuple[pd.DataFrame, dict[str, Any]]]] = {
    "columns_exact": [
        (GOOD.drop(columns="name"), {}),
        (GOOD.assign(extra=1), {}),
        (GOOD.rename(columns={"price_usd": "price"}), {}),
        (pd.concat([GOOD, GOOD[["name"]]], axis=1), {}),
    ],
    "types_exact": [
        (GOOD.assign(price_usd=GOOD["price_usd"].astype(str)), {}),
        (GOOD.assign(market_date=MARKET_DATE.isoformat()), {}),
        (GOOD.assign(market_date=pd.Timestamp("2026-03-11 12:00")), {}),
        (GOOD.assign(provider_rank=1.5), {}),
        (GOOD.assign(coin_id=GOOD["provider_rank"]), {}),
        (GOOD.assign(price_usd=True), {}),
    ],
    "not_empty": [(GOOD.head(0), {"recent_row_counts": [120]})],
    "row_count_usual": [(GOOD, {"recent_row_counts": [250, 241, 250]})],
    "key_not_null": [
        (changed(GOOD, "coin_id", None), {}),
        (changed(GOOD, "source", None), {}),
        (changed(GOOD, "market_date", None), {}),
    ],
    "key_unique": [(changed(GOOD, "coin_id", "coin-1"), {})],
    "no_later_day": [
        (changed(GOOD, "market_date", MARKET_DATE + timedelta(days=1)), {}),
        (changed(GOOD, "market_date", MARKET_DATE + timedelta(days=1)), {"mode": "history"}),
    ],
    "has_market_date": [
        (GOOD.assign(market_date=DAY_BEFORE), {"previous": previous_market_frame()})
    ],
    "enough_coins": [
        (market_frame(99), {}),
        (GOOD.assign(market_date=np.where(MAJORITY, MARKET_DATE, DAY_BEFORE)), {}),
    ],
    "caps_present": [
        (GOOD.assign(market_cap_usd=np.nan), {}),
        (GOOD.assign(market_cap_usd=GOOD["market_cap_usd"].mask(MAJORITY)), {}),
    ],
    "not_yesterday_again": [
        (GOOD, {"previous": GOOD.assign(market_date=DAY_BEFORE)}),
        (
            GOOD.assign(
                price_usd=GOOD["price_usd"].mask(MAJORITY, previous_market_frame()["price_usd"])
            ),
            {"previous": previous_market_frame()},
        ),
        (GOOD, {"previous": previous_market_frame(coin_id=GOOD["coin_id"] + "-renamed")}),
    ],
    "no_market_wide_jump": [
        (GOOD, {"previous": previous_market_frame(price_usd=GOOD["price_usd"] * factor)})
        for factor in (0.25, 4.0)
    ],
    "total_cap_plausible": [(GOOD.assign(price_usd=1e6, market_cap_usd=1e12), {})],
}

ROW_BREAKS: dict[str, list[pd.DataFrame]] = {
    "key_well_formed": [
        changed(GOOD, "coin_id", text) for text in ("", "Bitcoin", "bit coin", "-", "b\n", " b")
    ],
    "price_present": [changed(GOOD, "price_usd", np.nan)],
    "price_positive": [changed(GOOD, "price_usd", price) for price in (0.0, -1.0, np.inf, -np.inf)],
    "market_cap_usd_in_range": [
        changed(GOOD, "market_cap_usd", -5.0),
        changed(_without_supply(GOOD), "market_cap_usd", 2e14),
        changed(GOOD, "market_cap_usd", np.inf),
    ],
    "circulating_supply_in_range": [
        changed(GOOD, "circulating_supply", supply) for supply in (-1.0, np.inf)
    ],
    "volume_24h_usd_in_range": [
        changed(GOOD, "volume_24h_usd", volume) for volume in (-1.0, np.inf)
    ],
    "cap_is_price_times_supply": [
        changed(GOOD, "circulating_supply", 1.06e6),
        changed(GOOD, "circulating_supply", 1e9),
        changed(GOOD, "price_usd", 1e-3),
    ],
}

WARNING_BREAKS: dict[str, list[tuple[pd.DataFrame, pd.DataFrame | None]]] = {
    "unknown_is_null": [
        (changed(GOOD, "market_cap_usd", 0.0), None),
        (changed(GOOD, "circulating_supply", 0.0), None),
    ],
    "price_jump": [
        (GOOD, changed(previous_market_frame(), "price_usd", GOOD["price_usd"][7] * factor))
        for factor in (0.05, 20.0)
    ],
    "cap_moves_with_price": [
        (GOOD, changed(previous_market_frame(), "market_cap_usd", GOOD["market_cap_usd"][7] / 3))
    ],
}


# What the same rows break, too.
COMPANIONS = {
    "not_yesterday_again": {"market_daily.series_return", "market_daily.large_ones_present"},
    "market_cap_usd_in_range": {"market_daily.cap_fits_rank"},
    "price_jump": {"market_daily.moves_with_market"},
}


def _only(rule: str, report: GateReport) -> bool:
    """Return whether a rule failed, and nothing but what fails with it."""
    return failed_rules(report) - COMPANIONS.get(rule, set()) == {f"market_daily.{rule}"}


def _cases(breaks: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(rule, case, id=f"{rule}-{number}")
        for rule, cases in breaks.items()
        for number, case in enumerate(cases)
    ]


def test_good_live_frame_passes_every_rule() -> None:
    report = gate(
        GOOD,
        recent_row_counts=[120, 118],
        previous=previous_market_frame(),
        others=GOOD.assign(source="another"),
    )
    assert failed_rules(report) == set()
    pd.testing.assert_frame_equal(report.accepted, GOOD)
    assert report.quarantined.empty
    rules = {rule.id for rule in suite_for(get_dataset("market_daily"))}
    assert {result.rule_id for result in report.results} == {
        *rules,
        "market_daily.quarantine_share",
    }


@pytest.mark.parametrize(("rule", "case"), _cases(TABLE_BREAKS))
def test_table_rule_refuses_the_dataset(
    rule: str, case: tuple[pd.DataFrame, dict[str, Any]]
) -> None:
    frame, arguments = case
    report = gate(frame, **arguments)
    assert _only(rule, report)
    assert not report.is_passed
    assert report.accepted.empty
    (result,) = [each for each in report.results if each.rule_id == f"market_daily.{rule}"]
    assert result.status == "failed"
    assert 1 <= result.bad_count <= result.total_count
    assert 1 <= len(result.examples) <= 5


@pytest.mark.parametrize(("rule", "frame"), _cases(ROW_BREAKS))
def test_row_rule_quarantines_the_row_only(rule: str, frame: pd.DataFrame) -> None:
    report = gate(frame)
    assert _only(rule, report)
    assert report.is_passed
    pd.testing.assert_frame_equal(
        report.accepted, frame.drop(index=7).reset_index(drop=True), check_dtype=False
    )
    assert report.quarantined["rule_id"].tolist() == [f"market_daily.{rule}"]
    own_columns = list(frame.columns)
    pd.testing.assert_frame_equal(
        report.quarantined[own_columns], frame.iloc[[7]].reset_index(drop=True), check_dtype=False
    )
    assert "expected" in report.quarantined["reason"][0]


@pytest.mark.parametrize(("rule", "case"), _cases(WARNING_BREAKS))
def test_warning_lets_the_row_pass(
    rule: str, case: tuple[pd.DataFrame, pd.DataFrame | None]
) -> None:
    frame, previous = case
    report = gate(frame, previous=previous)
    assert _only(rule, report)
    assert report.is_passed
    assert len(report.accepted) == len(frame)
    assert report.quarantined.empty


def test_history_of_closes_has_no_caps_and_passes() -> None:
    nothing = np.nan
    frame = market_frame(
        5,
        source="yahoo",
        market_cap_usd=nothing,
        circulating_supply=None,
        volume_24h_usd=nothing,
        provider_rank=nothing,
    )
    assert failed_rules(gate(frame, mode="history")) == set()


def test_history_is_not_compared_with_other_nights() -> None:
    frame = market_frame(5, market_date=MARKET_DATE - timedelta(days=400))
    report = gate(frame, mode="history", recent_row_counts=[500], previous=frame)
    assert failed_rules(report) == set()


@pytest.mark.parametrize("price", [1.2e-7, 2e-8])
def test_rounding_of_a_tiny_price_is_not_a_wrong_cap(price: float) -> None:
    supply = 2.1e15
    frame = market_frame(1)
    frame[["price_usd", "circulating_supply"]] = [price, supply]
    frame["market_cap_usd"] = (price + 0.49e-8) * supply
    assert failed_rules(gate(frame, mode="history")) == set()


def test_price_below_the_rounding_unit_gets_no_allowance() -> None:
    frame = market_frame(40)
    frame.loc[7, ["price_usd", "circulating_supply", "market_cap_usd"]] = [1e-9, 1e17, 3e8]
    report = gate(frame, mode="history")
    assert failed_rules(report) == {"market_daily.cap_is_price_times_supply"}


def test_previous_of_another_source_is_not_compared() -> None:
    previous = GOOD.assign(market_date=DAY_BEFORE, source="cmc")
    report = gate(GOOD, previous=previous)
    assert failed_rules(report) == set()
    assert "market_daily.not_yesterday_again" not in {r.rule_id for r in report.results}


def test_other_sources_may_have_few_coins() -> None:
    assert failed_rules(gate(market_frame(5, source="binance_spot"))) == set()


@pytest.mark.parametrize(
    "days",
    [
        pd.Series(pd.to_datetime([MARKET_DATE] * 120)),
        pd.Series([MARKET_DATE] * 120, dtype="date32[pyarrow]"),
    ],
    ids=["datetime64", "arrow"],
)
def test_days_may_be_of_any_day_type(days: pd.Series) -> None:
    assert failed_rules(gate(GOOD.assign(market_date=days))) == set()


def test_frame_of_arrow_types_passes_and_is_judged() -> None:
    frame = pa.Table.from_pandas(GOOD).to_pandas(types_mapper=pd.ArrowDtype)
    assert failed_rules(gate(frame)) == set()
    report = gate(changed(frame, "price_usd", -1.0))
    assert failed_rules(report) == {"market_daily.price_positive"}


def test_frame_without_a_single_day_is_refused() -> None:
    report = gate(GOOD.assign(market_date=None))
    assert "market_daily.key_not_null" in failed_rules(report)
    assert not report.is_passed


def test_previous_rows_in_the_wrong_shape_are_not_a_pass() -> None:
    report = gate(GOOD, previous=previous_market_frame().drop(columns="price_usd"))
    assert "market_daily.not_yesterday_again" in failed_rules(report)
    assert not report.is_passed


def test_unit_slip_of_the_whole_market_refuses_the_dataset() -> None:
    slipped = GOOD.assign(
        price_usd=GOOD["price_usd"] * 1000, market_cap_usd=GOOD["market_cap_usd"] * 1000
    )
    report = gate(slipped, previous=previous_market_frame())
    assert "market_daily.no_market_wide_jump" in failed_rules(report)
    assert not report.is_passed
    assert report.accepted.empty
