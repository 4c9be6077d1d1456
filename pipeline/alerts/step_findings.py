"""Steps of the whole night that failed, and nights that ended without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Problem
from pipeline.alerts.wording import error_anchor, first_sentence, other_lines
from pipeline.failures import WRONG_DATA
from pipeline.settings import Settings

STEPS = ("build", "audit", "publish")
REPORT_STEP = "report"
"""After publishing: without its pages the figures are out all the same."""
CONSEQUENCES = frozenset({"AuditError", "BlockedNightError"})
"""Errors of a step that only say that something else, which is told, has failed."""

MISSING_KEY = "night/missing"
LATE_KEY = "night/late"
NO_WORD_KEY = "night/no word"


def step_findings(
    settings: Settings,
    market_date: date,
    failed: Sequence[Mapping[str, Any]],
    *,
    is_published: bool,
    is_explained: bool,
) -> Findings:
    """Return the steps that failed, and the night if nothing says why it was not published.

    Args:
        settings: The clock.
        market_date: The UTC day of the run.
        failed: The run's failures.
        is_published: Whether the night is in front of readers.
        is_explained: Whether a feed or an audit already explains why it is not.
    """
    errors = {str(f["step"]): f for f in failed if str(f["step"]) in STEPS}
    problems = [
        _problem(step, market_date, failure)
        for step, failure in errors.items()
        if not (is_explained and failure["kind"] in CONSEQUENCES)
    ]
    pages = [_pages_problem(f) for f in failed if str(f["step"]) == REPORT_STEP]
    problems += pages
    reached = len(STEPS) if is_published else max((STEPS.index(s) for s in errors), default=-1)
    checked = {f"step/{step}" for step in STEPS[: reached + 1]}
    if is_published or problems or is_explained:
        checked.add(NO_WORD_KEY)
    else:
        problems.append(_no_word(market_date))
    if is_published:
        checked.add(f"step/{REPORT_STEP}")
    if is_published and market_date >= settings.default_market_date():
        checked |= {MISSING_KEY, LATE_KEY}
    return Findings(tuple(problems), frozenset(checked | {p.key for p in problems}))


def _problem(step: str, market_date: date, failure: Mapping[str, Any]) -> Problem:
    is_again_a_night = failure["kind"] == "BlockedNightError"
    return Problem(
        key=f"step/{step}",
        family="step",
        subject=step,
        severity="critical",
        kind="failed" if failure["kind"] in WRONG_DATA else "errored",
        sentence=first_sentence(failure["error"]),
        anchor=error_anchor(failure["kind"]),
        examples=other_lines(failure["error"])[:EXAMPLES_MAX],
        rerun=(
            f"tidemark refresh --market-date {market_date}"
            if is_again_a_night
            else "tidemark build"
        ),
        task=step,
    )


def _pages_problem(failure: Mapping[str, Any]) -> Problem:
    return Problem(
        key=f"step/{REPORT_STEP}",
        family="step",
        subject=REPORT_STEP,
        severity="warning",
        kind="errored",
        sentence=f"the report is of an earlier night: {first_sentence(failure['error'])}",
        anchor="the-report-is-of-an-earlier-night",
        examples=other_lines(failure["error"])[:EXAMPLES_MAX],
        rerun="tidemark report",
        task=REPORT_STEP,
    )


def _no_word(market_date: date) -> Problem:
    return Problem(
        key=NO_WORD_KEY,
        family="night",
        subject="night",
        severity="critical",
        kind="errored",
        sentence=(
            "nothing was published and no step says why: one was killed, ran out of time, or "
            "never began"
        ),
        anchor="a-task-was-killed-or-ran-out-of-time",
        rerun=f"tidemark refresh --market-date {market_date}",
    )
