"""Audits that a build did not pass, and levels that would be said differently today."""

from __future__ import annotations

from typing import Any

from pipeline import audit_trace
from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Problem
from pipeline.alerts.wording import example, rule_sentence
from pipeline.settings import Settings

RESTATEMENT_KEY = "restatement/levels"


def audit_findings(settings: Settings, run_id: str) -> Findings:
    """Return the audits that a run's build did not pass; none ran: nothing was checked."""
    results = audit_trace.of_run(settings, run_id)
    return Findings(
        tuple(_problem(result) for result in results if result["status"] != "passed"),
        frozenset(f"audit/{result['audit']}" for result in results),
    )


def _problem(result: dict[str, Any]) -> Problem:
    is_errored = result["status"] == "errored"
    rule = rule_sentence(result["sentence"])
    return Problem(
        key=f"audit/{result['audit']}",
        family="audit",
        subject=f"audit {result['audit']}",
        severity="critical" if result["severity"] == "critical" else "warning",
        kind="errored" if is_errored else "failed",
        sentence=(
            f"the rule {rule} could not be checked"
            if is_errored
            else f"the build breaks the rule {rule}"
        ),
        anchor=result["audit"],
        bad_count=None if is_errored else int(result["bad_count"]),
        examples=tuple(example(text) for text in result["examples"][:EXAMPLES_MAX]),
        rerun="tidemark build",
        task="audit",
    )


def restatement_findings(settings: Settings) -> Findings:
    """Return the published levels that today's build would say differently.

    Reads the published file. Only differences above the tolerance of the settings count.
    """
    from pipeline.database import open_read_only

    checked = frozenset({RESTATEMENT_KEY})
    tolerance = settings.alert_restatement_fraction
    with open_read_only(settings.published_file) as connection:
        rows = connection.execute(
            """
            select market_date, profile, index_id, level_as_published, level_as_restated,
                difference_fraction, cause
            from indices.restatement
            where abs(difference_fraction) > ?
            order by abs(difference_fraction) desc, market_date, profile, index_id
            """,
            [tolerance],
        ).fetchall()
    if not rows:
        return Findings((), checked)
    level = "level" if len(rows) == 1 else "levels"
    problem = Problem(
        key=RESTATEMENT_KEY,
        family="restatement",
        subject="restated levels",
        severity="warning",
        kind="failed",
        sentence=(
            f"{len(rows):,} published {level} would be said differently today, by more than "
            f"{tolerance:.2%}"
        ),
        anchor="alert-restatement",
        bad_count=len(rows),
        examples=tuple(
            example(f"{day} {profile} {index_id}: {said:,.2f}, now {now:,.2f} ({move:+.2%}), {why}")
            for day, profile, index_id, said, now, move, why in rows[:EXAMPLES_MAX]
        ),
        rerun='tidemark query "from indices.restatement"',
    )
    return Findings((problem,), checked)
