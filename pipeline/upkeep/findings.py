"""Chores that ended in an error, as problems for the alerts."""

from __future__ import annotations

from pipeline.alerts.compose import compose_look
from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Problem
from pipeline.alerts.wording import first_sentence, other_lines
from pipeline.settings import Settings
from pipeline.upkeep.report import read_notes


def compose_upkeep(settings: Settings) -> int:
    """Put an alert into the outbox for chores that failed, and when they no longer do.

    Returns:
        How many alerts were composed.
    """
    return compose_look(settings, look(settings), settings.default_market_date())


def look(settings: Settings) -> Findings:
    """Return how the chores ended last."""
    notes = read_notes(settings)
    problems = tuple(
        Problem(
            key=f"upkeep/{chore}",
            family="step",
            subject=f"upkeep {chore}",
            severity="warning",
            kind="failed" if content["kind"] == "LedgerError" else "errored",
            sentence=first_sentence(content["error"]),
            anchor="alert-upkeep",
            examples=other_lines(content["error"])[:EXAMPLES_MAX],
            rerun=f"tidemark upkeep --only {chore}",
            task=chore,
        )
        for chore, content in notes.items()
        if content["error"] is not None
    )
    return Findings(problems, frozenset(f"upkeep/{chore}" for chore in notes))
