"""From what the steps of a run left behind to problems."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from alert_scenes import NIGHT, make_alert_settings

from pipeline import audit_trace, failures, health
from pipeline.alerts.findings import collect
from pipeline.alerts.problem import Findings, Problem
from pipeline.errors import (
    AuditError,
    BlockedNightError,
    NotYetAvailableError,
    PayloadError,
    PublishError,
    QualityError,
    SourceError,
)
from pipeline.health import SourceHealth
from pipeline.journal import Journal
from pipeline.settings import Settings
from pipeline.warehouse import AuditResult

RUN = "scheduled__2026-03-19T01:00:00+00:00"
FEEDS = "market_daily,equity_daily,sentiment_daily"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_alert_settings(tmp_path / "home", feeds=FEEDS)


def served(settings: Settings, *feeds: str) -> None:
    for feed in feeds or FEEDS.split(","):
        source = {"market_daily": "coingecko"}.get(feed, "cboe")
        health.record(settings, RUN, NIGHT, feed, [SourceHealth(feed, source, 1, "answered")])


def fail(settings: Settings, step: str, error: Exception) -> None:
    failures.record(settings, RUN, step, NIGHT, error)


def check(settings: Settings, rule_id: str, **overrides: Any) -> None:
    row = {
        "run_id": RUN,
        "checked_at": datetime(2026, 3, 19, 1, tzinfo=UTC),
        "market_date": NIGHT,
        "dataset": rule_id.partition(".")[0],
        "rule_id": rule_id,
        "severity": "warning",
        "status": "failed",
        "bad_count": 3,
        "total_count": 300,
        "sentence": "A rule holds.",
        "source": "coingecko",
    } | overrides
    Journal(settings.journal_dir).write(
        "check_result", RUN, f"{rule_id}-{row['source']}", pd.DataFrame([row])
    )


def found(settings: Settings, *, is_published: bool = True) -> Findings:
    if is_published and not settings.published_file.exists():
        restated(settings)
    return collect(settings, NIGHT, RUN, is_published=is_published)


def restated(settings: Settings, *fractions: float) -> None:
    settings.published_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("create schema indices")
        connection.execute(
            "create table indices.restatement (market_date date, profile varchar, index_id "
            "varchar, level_as_published double, level_as_restated double, "
            "difference_fraction double, cause varchar)"
        )
        for fraction in fractions:
            connection.execute(
                "insert into indices.restatement values (?, 'house', 'small', 100, ?, ?, 'late')",
                [date(2026, 3, 1), 100 * (1 + fraction), fraction],
            )


def only(findings: Findings) -> Problem:
    (problem,) = findings.problems
    return problem


def test_a_good_night_has_looked_at_everything_and_found_nothing(settings: Settings) -> None:
    served(settings)
    check(settings, "market_daily.caps_present", status="passed")
    audit_trace.record(settings, RUN, [AuditResult("a_rule", "warning", "passed", 0, None, "R.")])
    nothing = found(settings)
    assert nothing.problems == ()
    assert nothing.checked >= {
        "feed/equity_daily",
        "fallback/market_daily",
        "gate/market_daily.caps_present",
        "audit/a_rule",
        "step/build",
        "step/publish",
        "night/missing",
        "night/no word",
        "restatement/levels",
    }


def test_a_night_that_ended_early_has_not_looked_at_what_comes_later(settings: Settings) -> None:
    served(settings, "equity_daily", "sentiment_daily")
    fail(settings, "extract market_daily", NotYetAvailableError("not yet"))
    fail(settings, "build", BlockedNightError("market_daily could not be loaded"))
    early = found(settings, is_published=False)
    problem = only(early)
    assert (problem.key, problem.severity, problem.kind) == (
        "feed/market_daily",
        "critical",
        "errored",
    )
    assert problem.anchor == "notyetavailableerror"
    assert not {"step/audit", "step/publish", "audit/a_rule", "night/missing"} & early.checked
    assert not any(key.startswith("gate/") for key in early.checked)


def test_a_lesser_feed_that_failed_is_a_warning(settings: Settings) -> None:
    served(settings, "market_daily", "sentiment_daily")
    fail(settings, "load equity_daily", PayloadError("the body is not JSON"))
    problem = only(found(settings))
    assert (problem.key, problem.severity, problem.kind) == (
        "feed/equity_daily",
        "warning",
        "failed",
    )


def test_a_refused_feed_tells_the_rule_and_the_rows(settings: Settings) -> None:
    served(settings, "equity_daily", "sentiment_daily")
    refused = SourceHealth("market_daily", "coingecko", 1, "refused", "refused")
    health.record(settings, RUN, NIGHT, "market_daily", [refused])
    check(settings, "market_daily.caps_present", severity="critical", bad_count=177)
    example = {"run_id": RUN, "source": "coingecko", "rule_id": "market_daily.caps_present"}
    Journal(settings.journal_dir).write(
        "check_example", RUN, "market", pd.DataFrame([example | {"example": "bitcoin has none"}])
    )
    fail(settings, "load market_daily", QualityError("market_daily is refused"))
    problem = only(found(settings, is_published=False))
    assert (problem.bad_count, problem.total_count) == (177, 300)
    assert problem.anchor == "market_daily.caps_present"
    assert problem.examples == ("bitcoin has none",)
    assert problem.sentence.endswith("breaks the rule “A rule holds”")


def test_a_source_that_was_refused_and_replaced_is_information(settings: Settings) -> None:
    served(settings, "equity_daily", "sentiment_daily")
    asked = [
        SourceHealth("market_daily", "coingecko", 1, "refused", "half of the caps are missing"),
        SourceHealth("market_daily", "cmc_listings", 2, "fell_back"),
    ]
    health.record(settings, RUN, NIGHT, "market_daily", asked)
    check(settings, "market_daily.caps_present", severity="critical")
    problem = only(found(settings))
    assert (problem.key, problem.severity) == ("fallback/market_daily", "info")
    assert "half of the caps are missing" in problem.sentence


def test_rows_in_quarantine_are_a_warning_with_their_reasons(settings: Settings) -> None:
    served(settings)
    rule_id = "market_daily.price_usd_in_range"
    check(settings, rule_id, severity="critical", bad_count=1)
    folder = settings.quarantine_dir / "market_daily"
    folder.mkdir(parents=True)
    row = {"coin_id": "wrong", "rule_id": rule_id, "reason": "price_usd is -1", "run_id": RUN}
    name = f"{NIGHT}-scheduled__2026-03-19T01_00_00_00_00.parquet"
    pd.DataFrame([row]).to_parquet(folder / name)
    problem = only(found(settings))
    assert problem.severity == "warning"
    assert problem.sentence.startswith("1 row is in quarantine, against the rule")
    assert problem.examples == ("wrong: price_usd is -1",)


def test_a_rule_that_could_not_be_checked_is_errored(settings: Settings) -> None:
    served(settings)
    check(settings, "market_daily.caps_present", status="errored")
    assert only(found(settings)).kind == "errored"


def test_rules_of_another_run_are_not_tonights(settings: Settings) -> None:
    served(settings)
    check(settings, "market_daily.caps_present", run_id=f"{RUN}-2")
    assert found(settings).problems == ()


def test_a_critical_audit_is_told_and_its_step_is_not(settings: Settings) -> None:
    served(settings)
    examples = tuple(f"coin_id = {n}" for n in range(5))
    audit_trace.record(
        settings,
        RUN,
        [
            AuditResult("weights_sum_to_one", "critical", "failed", 9, "x", "They do.", examples),
            AuditResult("perp_symbols_are_mapped", "warning", "errored", 0, "x", "They are."),
        ],
    )
    fail(settings, "audit", AuditError("breaks 1 critical rule"))
    critical, warning = found(settings, is_published=False).problems
    assert (critical.key, critical.severity, critical.bad_count) == (
        "audit/weights_sum_to_one",
        "critical",
        9,
    )
    assert critical.examples == examples
    assert (warning.severity, warning.kind) == ("warning", "errored")


def test_a_step_that_failed_for_itself_is_told(settings: Settings) -> None:
    served(settings)
    fail(settings, "publish", PublishError("the disk is full"))
    problem = only(found(settings, is_published=False))
    assert (problem.key, problem.task) == ("step/publish", "publish")
    fail(settings, "build", KeyError("column"))
    assert {p.anchor for p in found(settings, is_published=False).problems} == {
        "publisherror",
        "alert-unexpected",
    }


def test_a_feed_without_a_word_was_killed(settings: Settings) -> None:
    served(settings, "market_daily", "sentiment_daily")
    problem = only(found(settings))
    assert (problem.key, problem.kind) == ("feed/equity_daily", "errored")
    assert "left no word" in problem.sentence


def test_a_night_without_a_word_was_killed(settings: Settings) -> None:
    served(settings)
    problem = only(found(settings, is_published=False))
    assert (problem.key, problem.severity) == ("night/no word", "critical")


def test_a_wrong_choice_of_feeds_is_told(settings: Settings) -> None:
    wrong = settings.model_copy(update={"feeds": "market_daily,nothing_daily"})
    problem = only(found(wrong, is_published=False))
    assert problem.key == "step/settings"
    assert "nothing_daily" in problem.sentence


def test_restatements_above_the_tolerance_are_told(settings: Settings) -> None:
    served(settings)
    restated(settings, 0.00005, -0.002)
    problem = only(found(settings))
    assert problem.bad_count == 1
    assert "100.00, now 99.80 (-0.20%)" in problem.examples[0]
    within = settings.model_copy(update={"alert_restatement_fraction": 0.01})
    assert found(within).problems == ()


@pytest.mark.parametrize(
    "said",
    [
        "no source has sentiment_daily of {}: alternative_me: HTTP 403",
        "alternative_me for {}: HTTP 403",
    ],
)
def test_a_feed_without_rows_is_told_without_what_the_head_of_the_mail_says(
    settings: Settings, said: str
) -> None:
    served(settings)
    fail(settings, "extract sentiment_daily", SourceError(said.format(NIGHT)))
    assert only(found(settings)).sentence == "no source has it: alternative_me: HTTP 403"
