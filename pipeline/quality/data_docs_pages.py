"""How the pages of the Data Docs look: Great Expectations' own, without what it loads from afar."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, DictLoader, Environment

from pipeline.quality.data_docs_style import FRAME_PAGE, RUN_PAGE, RUNS_PAGE, STYLE
from pipeline.quality.engine import quiet
from pipeline.quality.gate import GateReport
from pipeline.text import visible

MAX_TEXT = 120

# GX's templates do not escape, and a dollar sign is an operator of its string templates.
_HARMLESS = str.maketrans(
    {
        "<": "\u2039",
        ">": "\u203a",
        "&": "\uff06",
        '"': "\u2033",
        "'": "\u2032",
        "$": "\uff04",
        "{": "\uff5b",
        "}": "\uff5d",
        "`": "\u2018",
        "[": "\uff3b",
        "]": "\uff3d",
    }
)


@dataclass(frozen=True)
class Entry:
    """What the indexes say of one frame; ``page`` is the name of its own page."""

    run_id: str
    dataset: str
    source: str
    market_date: str
    checked_at: str
    is_passed: bool
    failed: tuple[str, ...]
    rule_count: int
    accepted_count: int
    quarantined_count: int
    page: str

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Entry:
        """Return what ``to_dict`` described."""
        return cls(**{**described, "failed": tuple(described["failed"])})


def harmless(value: Any) -> Any:
    """Return a value with its texts short, in one line, and without a sign that HTML reads.

    For what comes from vendors and goes through GX's templates: ``<`` becomes ``‹``, and so on.
    """
    if isinstance(value, str):
        return visible(value[:MAX_TEXT]).translate(_HARMLESS)
    if isinstance(value, Mapping):
        return {harmless(key): harmless(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(item) for item in value]
    return value


def render_frame(entry: Entry, report: GateReport, results: Sequence[Any]) -> str:
    """Return the page of one frame: GX's rendering of its results, with our words.

    Args:
        entry: What the frame is.
        report: What the gate decided; its sentences and examples are shown.
        results: GX's validation results, one per expectation that was evaluated.
    """
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
    )
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    with quiet():
        shown = [_shown(result) for result in results]
        passed = sum(bool(result.success) for result in shown)
        document = ValidationResultsPageRenderer().render(
            ExpectationSuiteValidationResult(
                success=entry.is_passed,
                results=shown,
                suite_name=harmless(f"{entry.dataset} from {entry.source}"),
                suite_parameters={},
                statistics={
                    "evaluated_expectations": len(shown),
                    "successful_expectations": passed,
                    "unsuccessful_expectations": len(shown) - passed,
                    "success_percent": 100.0 * passed / len(shown) if shown else None,
                },
                meta={"run_id": {"run_name": harmless(entry.run_id), "run_time": entry.checked_at}},
            )
        )
        view = _view()
        page = view.render(document)
    rendered: str = (
        _environment()
        .from_string(FRAME_PAGE)
        .render(style=STYLE, entry=entry, report=report, body=page)
    )
    return rendered


def render_run(entries: Sequence[Entry]) -> str:
    """Return the page of one run, the frames that failed first."""
    ordered = sorted(entries, key=lambda e: (e.is_passed, not e.failed, e.dataset, e.source))
    return _environment().from_string(RUN_PAGE).render(style=STYLE, entries=ordered)


def render_runs(runs: Sequence[tuple[str, Sequence[Entry]]]) -> str:
    """Return the page of all runs, in the order given: the address of each and its frames."""
    return _environment().from_string(RUNS_PAGE).render(style=STYLE, runs=runs)


def _shown(result: Any) -> Any:
    """Return a validation result with harmless texts in it, and without its exception's trace."""
    shown = copy.copy(result)
    shown.result = harmless(dict(result.result or {}))
    shown.exception_info = harmless(_without_traces(result.exception_info or {}))
    return shown


def _without_traces(info: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_traces(value) if isinstance(value, Mapping) else value
        for key, value in info.items()
        if key != "exception_traceback"
    }


def _visible_text(value: Any) -> Any:
    """Return a value of a template with nothing in it that acts; our own markup as it is."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _environment() -> Environment:
    # Every text of ours goes through it, whatever the template is called.
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_visible_text
    )
    environment.filters["shown"] = visible
    return environment


@cache
def _view() -> Any:
    """Return GX's page view with its frame replaced: no scripts, fonts or pictures from afar."""
    from great_expectations.render.view import DefaultJinjaPageView

    view = DefaultJinjaPageView()
    ours = {
        "page.j2": (
            # The first section is GX's overview; the top of our page says more.
            "{% for section in sections[1:] %}{% set section_loop = loop -%}"
            "{% include 'section.j2' %}{% endfor %}"
        )
    }
    view.env.loader = ChoiceLoader([DictLoader(ours), view.env.loader])
    return view
