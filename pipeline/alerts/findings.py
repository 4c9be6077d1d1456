"""What a run found: everything that is wrong, and everything that was looked at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pipeline import failures, health
from pipeline.alerts.build_findings import audit_findings, restatement_findings
from pipeline.alerts.feed_findings import feed_findings
from pipeline.alerts.gate_findings import gate_findings
from pipeline.alerts.gate_record import GateRecord
from pipeline.alerts.missed_findings import missed_findings
from pipeline.alerts.page_findings import page_findings
from pipeline.alerts.problem import Findings, Problem
from pipeline.alerts.step_findings import step_findings
from pipeline.settings import Settings


def collect(settings: Settings, market_date: date, run_id: str, *, is_published: bool) -> Findings:
    """Return what a run found, from what its steps left behind.

    Args:
        settings: Where, and which feeds a night has.
        market_date: The UTC day of the run.
        run_id: The run; it has ended.
        is_published: Whether its night is in front of readers now.

    Returns:
        Each problem once; consequences of another one are left out.
    """
    failed = failures.of_run(settings, run_id)
    asked = health.of_run(settings, run_id)
    gate = GateRecord(settings, run_id)
    feeds = feed_findings(settings, market_date, failed, asked, gate)
    audits = audit_findings(settings, run_id)
    is_stopped = any(p.severity == "critical" for p in (*feeds.problems, *audits.problems))
    steps = step_findings(
        settings, market_date, failed, is_published=is_published, is_explained=is_stopped
    )
    rules = gate_findings(gate, asked)
    found = [feeds, audits, steps, rules, page_findings(settings, run_id)]
    found.append(missed_findings(settings, run_id))
    if is_published:
        found.append(restatement_findings(settings))
    return merge(found)


def merge(parts: Iterable[Findings]) -> Findings:
    """Return the findings of several looks as one; of two with the same key the first counts."""
    problems: dict[str, Problem] = {}
    checked: set[str] = set()
    for part in parts:
        checked |= part.checked
        for problem in part.problems:
            problems.setdefault(problem.key, problem)
    return Findings(tuple(problems.values()), frozenset(checked))
