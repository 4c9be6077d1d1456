"""What the gate does with verdicts, whatever the rule."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quality_factories import (
    MARKET_DATE,
    changed,
    dataset_frame,
    equity_frame,
    failed_rules,
    gate,
    market_frame,
)

from pipeline.datasets import DATASETS, get_dataset
from pipeline.errors import QualityError
from pipeline.quality import gate as gate_module
from pipeline.quality.checks import Check, in_range
from pipeline.quality.gate import results_frame
from pipeline.quality.rules import Mode, Rule
from pipeline.quality.shares import MAX_SHARES, max_share
from pipeline.quality.suites import suite_for

GOOD = market_frame()


def _with_bad_prices(count: int, rows: int = 120) -> pd.DataFrame:
    frame = market_frame(rows)
    return frame.assign(price_usd=frame["price_usd"].mask(frame.index < count, -1.0))


def _replace_rule(monkeypatch: pytest.MonkeyPatch, rule_id: str, **changes: Any) -> None:
    rules = suite_for(get_dataset("market_daily"))
    suite = tuple(replace(rule, **changes) if rule.id == rule_id else rule for rule in rules)
    monkeypatch.setattr(gate_module, "suite_for", lambda _: suite)


def _status(report: gate_module.GateReport, rule_id: str) -> str:
    return {result.rule_id: result.status for result in report.results}[rule_id]


def test_share_at_the_limit_passes_and_above_it_refuses() -> None:
    at_limit = gate(_with_bad_prices(6))
    assert at_limit.is_passed
    assert len(at_limit.accepted) == 114
    above = gate(_with_bad_prices(7))
    assert failed_rules(above) == {"market_daily.price_positive", "market_daily.quarantine_share"}
    assert above.accepted.empty
    assert len(above.quarantined) == 7


def test_share_of_history_is_the_one_declared_for_it() -> None:
    assert gate(_with_bad_prices(24), mode="history").is_passed
    assert not gate(_with_bad_prices(25), mode="history").is_passed


def test_share_limit_is_another_when_told_so() -> None:
    assert gate(_with_bad_prices(12), max_quarantine_fraction=0.1).is_passed
    assert not gate(_with_bad_prices(13), max_quarantine_fraction=0.1).is_passed


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_dataset_declares_its_share_and_the_reason(name: str) -> None:
    share = MAX_SHARES[name]
    assert 0 <= share.live <= share.history <= 0.2
    assert len(share.reason.split()) > 5
    assert set(MAX_SHARES) == set(DATASETS)


@pytest.mark.parametrize("mode", ["live", "history"])
@pytest.mark.parametrize("name", sorted(DATASETS))
def test_more_than_the_declared_share_refuses_every_dataset(name: str, mode: Mode) -> None:
    dataset = DATASETS[name]
    column = next(column.name for column in dataset.columns if column.type == "double")
    frame = market_frame() if name == "market_daily" else dataset_frame(dataset, days=40)
    if name == "equity_daily":
        frame = equity_frame(40)
    allowed = int(max_share(name, mode) * len(frame))
    for bad_count, is_refused in ((allowed, False), (allowed + 1, True)):
        spoiled = frame.copy()
        spoiled.loc[spoiled.index[-bad_count:] if bad_count else [], column] = math.inf
        failed = failed_rules(gate(spoiled, name, mode=mode))
        assert (f"{name}.quarantine_share" in failed) is is_refused, (bad_count, failed)


def test_row_that_breaks_two_rules_is_quarantined_once_with_both_reasons() -> None:
    frame = changed(changed(GOOD, "price_usd", -1.0), "volume_24h_usd", -2.0)
    report = gate(frame)
    assert report.quarantined["rule_id"].tolist() == ["market_daily.price_positive"]
    assert report.quarantined["reason"].tolist() == [
        "price_usd=-1, volume_24h_usd=-2; expected finite and > 0 (price_positive) and "
        "finite and not negative (volume_24h_usd_in_range)"
    ]
    assert len(report.accepted) == len(GOOD) - 1


def test_error_says_rule_counts_day_and_what_next() -> None:
    report = gate(changed(GOOD, "coin_id", "coin-1"))
    with pytest.raises(QualityError) as caught:
        report.raise_if_failed()
    message = str(caught.value)
    assert "market_daily of 2026-03-11 is refused" in message
    assert "market_daily.key_unique failed, 2 of 120: Every key occurs once." in message
    assert "coin_id=coin-1; expected one row per key" in message
    assert "Next: " in message


def test_passed_report_does_not_raise() -> None:
    gate(_with_bad_prices(1)).raise_if_failed()


def test_examples_are_at_most_five_and_readable() -> None:
    report = gate(_with_bad_prices(6))
    (result,) = [result for result in report.results if not result.is_passed]
    assert (result.bad_count, result.total_count) == (6, 120)
    assert len(result.examples) == 5
    assert result.examples[0] == (
        "market_date=2026-03-11, source=coingecko, coin_id=coin-1, price_usd=-1; "
        "expected finite and > 0"
    )


def test_schema_examples_name_the_column_and_its_types() -> None:
    frame = GOOD.drop(columns="name").assign(extra=1.5, price_usd=GOOD["price_usd"].astype(object))
    (columns, types) = gate(frame).results
    assert columns.examples == (
        "column name: found nothing; expected varchar",
        "column extra: found floating values in float64; expected nothing",
    )
    assert types.examples == ("column price_usd: found floating values in object; expected double",)


def test_examples_of_a_table_rule_say_what_was_found() -> None:
    report = gate(GOOD, recent_row_counts=[250])
    (result,) = [result for result in report.results if not result.is_passed]
    assert result.examples == (
        "found 120 rows against a median of 250; "
        "expected at least 50% of the median of the recent nights",
    )


def test_frame_and_its_index_are_left_alone() -> None:
    frame = changed(GOOD, "price_usd", -1.0).set_index(GOOD.index + 500)
    before = frame.copy()
    report = gate(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert report.accepted.index.tolist() == list(range(119))


def test_column_of_nulls_does_not_pass_as_between() -> None:
    report = gate(GOOD.assign(price_usd=np.nan))
    assert not report.is_passed
    assert "market_daily.price_present" in failed_rules(report)


def test_frame_without_columns_is_refused() -> None:
    report = gate(pd.DataFrame())
    assert failed_rules(report) == {"market_daily.columns_exact"}


def _explode(*_: object) -> Any:
    raise ZeroDivisionError("boom")


@pytest.mark.parametrize(
    "changes",
    [
        {"measure": _explode},
        {"check": _explode},
        {"check": lambda _: Check(build=_explode)},
        {"check": lambda _: Check(lambda _: in_range(0, 1).build("no_such_column"))},
        {"check": lambda _: Check(in_range(0, 1).build), "measure": "coin_id"},
        {"check": lambda _: Check(in_range(200, None).build, in_range(0, 1).offends)},
        {"check": lambda _: Check(in_range(0, None).build, in_range(0, 1).offends)},
    ],
    ids=["measure", "check", "build", "column", "type", "mask_differs", "mask_finds_more"],
)
def test_rule_that_cannot_be_checked_is_not_a_pass(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    _replace_rule(monkeypatch, "market_daily.price_positive", **changes)
    report = gate(GOOD)
    assert _status(report, "market_daily.price_positive") == "errored"
    assert failed_rules(report) == {"market_daily.price_positive"}
    assert report.accepted.empty
    with pytest.raises(QualityError, match="could not be checked"):
        report.raise_if_failed()


def test_failure_of_great_expectations_itself_refuses_the_dataset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("great_expectations.ExpectationSuite", _explode)
    report = gate(GOOD)
    assert {result.status for result in report.results} == {"errored"}
    assert not report.is_passed


def test_warning_that_cannot_be_checked_does_not_stop_the_dataset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _replace_rule(monkeypatch, "market_daily.unknown_is_null", measure=_explode)
    report = gate(GOOD)
    assert _status(report, "market_daily.unknown_is_null") == "errored"
    assert report.is_passed


def test_one_frame_leaves_no_trace_in_the_verdict_on_the_next() -> None:
    assert not gate(_with_bad_prices(60)).is_passed
    assert failed_rules(gate(GOOD)) == set()
    assert not gate(_with_bad_prices(60)).is_passed


def test_results_frame_is_the_published_check_result() -> None:
    checked_at = datetime(2026, 3, 12, 1, 0, tzinfo=UTC)
    report = gate(_with_bad_prices(1))
    results = results_frame(report, "run-1", checked_at)
    assert tuple(results.columns) == gate_module.RESULT_COLUMNS
    assert len(results) == len(report.results)
    (failed,) = results[results["status"] == "failed"].to_dict("records")
    assert failed == {
        "run_id": "run-1",
        "checked_at": pd.Timestamp(checked_at),
        "market_date": MARKET_DATE,
        "dataset": "market_daily",
        "rule_id": "market_daily.price_positive",
        "severity": "critical",
        "status": "failed",
        "bad_count": 1,
        "total_count": 120,
        "sentence": "A price is positive and finite.",
    }


def test_failure_of_many_rows_is_reported_in_full() -> None:
    rows = 50_000
    frame = market_frame(rows, price_usd=-1.0, volume_24h_usd=-1.0)
    report = gate(frame, mode="history")
    counts = {result.rule_id: result.bad_count for result in report.results}
    assert counts["market_daily.price_positive"] == rows
    assert counts["market_daily.volume_24h_usd_in_range"] == rows
    assert counts["market_daily.quarantine_share"] == rows
    assert len(report.quarantined) == rows
    assert report.accepted.empty


def test_great_expectations_is_silent(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        gate(GOOD)
    assert capfd.readouterr() == ("", "")
    assert {record.name for record in caplog.records} == {"pipeline.quality.gate"}


def test_importing_the_gate_does_not_import_great_expectations() -> None:
    code = (
        "import sys, pipeline.quality.gate, pipeline.quality.quarantine;"
        "sys.exit('great_expectations' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rule_explains_itself_with_its_measured_column() -> None:
    rule = Rule("x.y", "critical", "row", "S.", "e", lambda _: in_range(0, 1), "price_usd")
    assert rule.explained_by == ("price_usd",)
    assert replace(rule, shows=("a", "b")).explained_by == ("a", "b")
