"""Pages of the Data Docs that could not be made."""

from __future__ import annotations

from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Problem
from pipeline.alerts.wording import example
from pipeline.quality.data_docs import warnings_of
from pipeline.settings import Settings

PAGES_KEY = "step/data docs"


def page_findings(settings: Settings, run_id: str) -> Findings:
    """Return the pages about a run that are missing, as one problem.

    Args:
        settings: Where the pages are.
        run_id: The run.
    """
    checked = frozenset({PAGES_KEY})
    warnings = warnings_of(settings, run_id)
    if not warnings:
        return Findings((), checked)
    pages = "page" if len(warnings) == 1 else "pages"
    problem = Problem(
        key=PAGES_KEY,
        family="step",
        subject="data docs",
        severity="warning",
        kind="errored",
        sentence=f"{len(warnings)} {pages} of the Data Docs could not be made",
        anchor="alert-data-docs",
        bad_count=len(warnings),
        examples=tuple(example(text) for text in warnings[:EXAMPLES_MAX]),
    )
    return Findings((problem,), checked)
