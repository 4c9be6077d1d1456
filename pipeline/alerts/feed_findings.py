"""Feeds without rows, and feeds that came from another source than usual."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from pipeline import health
from pipeline.alerts.gate_findings import refused_rules
from pipeline.alerts.gate_record import GateRecord
from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Kind, Problem
from pipeline.alerts.wording import (
    error_anchor,
    example,
    first_sentence,
    other_lines,
    rule_sentence,
)
from pipeline.errors import ConfigurationError
from pipeline.failures import WRONG_DATA
from pipeline.health import FAILED, SERVED, SourceHealth
from pipeline.settings import Settings
from pipeline.sources.registry import is_blocking, nightly_feeds

# What the head of the mail says already: the feed, and the day.
_NAMED_AGAIN = re.compile(r"\A(?:no source has \S+ of|(\S+) for) \d{4}-\d\d-\d\d: ")
SETTINGS_KEY = "step/settings"
NO_WORD = "it left no word: its tasks were killed, ran out of time, or never began"


def feed_findings(
    settings: Settings,
    market_date: date,
    failed: Sequence[Mapping[str, Any]],
    asked: Sequence[SourceHealth],
    gate: GateRecord,
) -> Findings:
    """Return the feeds that a run has nothing of, and those that it has from elsewhere.

    Args:
        settings: Which feeds a night has.
        market_date: The UTC day of the run.
        failed: The run's failures.
        asked: How its sources did.
        gate: What the gate said in the run.
    """
    by_feed = {
        name: [source for source in asked if source.feed == name]
        for name in dict.fromkeys(source.feed for source in asked)
    }
    failures = {
        name: failure
        for failure in failed
        for verb, _, name in [str(failure["step"]).partition(" ")]
        if verb in {"extract", "load"}
    }
    expected, problems = _expected(settings, market_date)
    problems += [
        _without_rows(market_date, name, failure, by_feed.get(name, []), gate)
        for name, failure in failures.items()
    ]
    problems += [
        _problem(name, market_date, "errored", NO_WORD, "a-task-was-killed-or-ran-out-of-time")
        for name in sorted(expected - set(failures) - set(by_feed))
    ]
    problems += _fallbacks(by_feed)
    looked_at = expected | set(failures) | set(by_feed)
    keys = {f"{family}/{name}" for family in ("feed", "fallback") for name in looked_at}
    return Findings(tuple(problems), frozenset(keys | {SETTINGS_KEY}))


def _expected(settings: Settings, market_date: date) -> tuple[set[str], list[Problem]]:
    """Return the feeds of a night, and what is wrong with the setting that chooses them."""
    try:
        return {feed.name for feed in nightly_feeds(settings)}, []
    except ConfigurationError as exc:
        wrong = Problem(
            key=SETTINGS_KEY,
            family="step",
            subject="settings",
            severity="critical",
            kind="errored",
            sentence=first_sentence(str(exc)),
            anchor=error_anchor("ConfigurationError"),
            rerun=f"tidemark refresh --market-date {market_date}",
        )
        return set(), [wrong]


def dataset_of(feed: str) -> str:
    """Return the raw dataset of a feed."""
    return feed.partition(".")[0]


def _problem(
    feed: str, market_date: date, kind: Kind, sentence: str, anchor: str, **details: Any
) -> Problem:
    return Problem(
        key=f"feed/{feed}",
        family="feed",
        subject=feed,
        severity="critical" if is_blocking(feed) else "warning",
        kind=kind,
        sentence=sentence,
        anchor=anchor,
        dataset=dataset_of(feed),
        rerun=f"tidemark refresh --market-date {market_date}",
        **details,
    )


def _without_head(head: re.Match[str]) -> str:
    source = head[1]
    return f"no source has it: {source}: " if source else "no source has it: "


def _without_rows(
    market_date: date,
    feed: str,
    failure: Mapping[str, Any],
    asked: Iterable[SourceHealth],
    gate: GateRecord,
) -> Problem:
    kind: Kind = "failed" if failure["kind"] in WRONG_DATA else "errored"
    refused = [source.source for source in asked if source.status == "refused"]
    rules = refused_rules(gate, dataset_of(feed), refused)
    if failure["kind"] == "QualityError" and rules:
        first = rules[0]
        others = tuple(
            example(f"{r['rule_id']} {r['status']}, {r['bad_count']} of {r['total_count']} rows")
            for r in rules[1:]
        )
        return _problem(
            feed,
            market_date,
            "errored" if first["status"] == "errored" else "failed",
            f"it is refused, as it breaks the rule {rule_sentence(first['sentence'])}",
            str(first["rule_id"]),
            bad_count=int(first["bad_count"]),
            total_count=int(first["total_count"]),
            examples=(*first["examples"], *others)[:EXAMPLES_MAX],
        )
    sources = tuple(
        example(f"{source.source} is {source.status}: {first_sentence(source.reason or '')}")
        for source in asked
        if source.status in FAILED
    )
    lines = other_lines(failure["error"]) or (sources if len(sources) > 1 else ())
    return _problem(
        feed,
        market_date,
        kind,
        first_sentence(_NAMED_AGAIN.sub(_without_head, failure["error"])),
        error_anchor(failure["kind"]),
        examples=lines[:EXAMPLES_MAX],
    )


def _fallbacks(by_feed: Mapping[str, Sequence[SourceHealth]]) -> list[Problem]:
    problems = []
    for feed, asked in by_feed.items():
        failed = [source for source in asked if source.status in FAILED]
        serving = [source.source for source in asked if source.status in SERVED]
        if not (failed and serving):
            continue
        is_refused = any(source.status == "refused" for source in failed)
        (told,) = health.explain_fallbacks(asked)
        problems.append(
            Problem(
                key=f"fallback/{feed}",
                family="fallback",
                subject=feed,
                severity="info",
                kind="failed" if is_refused else "errored",
                sentence=first_sentence(told),
                anchor="alert-fallback",
                dataset=dataset_of(feed),
                rerun="tidemark probe",
            )
        )
    return problems
