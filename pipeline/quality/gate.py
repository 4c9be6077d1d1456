"""Run a dataset's rules over a frame and say which rows may pass."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.datasets import Dataset
from pipeline.errors import QualityError
from pipeline.quality.checks import Check
from pipeline.quality.engine import Verdict, ask
from pipeline.quality.rules import (
    GateContext,
    Level,
    Mode,
    Rule,
    Severity,
    Subject,
)
from pipeline.quality.shares import max_share
from pipeline.quality.suites import suite_for

__all__ = [
    "CheckResult",
    "GateContext",
    "GateReport",
    "results_frame",
    "run_gate",
]

logger = logging.getLogger(__name__)

MAX_EXAMPLES = 5

RESULT_COLUMNS = (
    "run_id",
    "checked_at",
    "market_date",
    "dataset",
    "rule_id",
    "severity",
    "status",
    "bad_count",
    "total_count",
    "sentence",
)


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one rule.

    ``bad_count`` of ``total_count`` counts rows, or columns for a schema rule; a rule on
    a figure of the whole frame counts 1 of 1. ``status`` is ``errored`` when the rule
    could not be checked, which is not a pass.
    """

    dataset: str
    rule_id: str
    severity: Severity
    level: Level
    sentence: str
    is_passed: bool
    bad_count: int
    total_count: int
    examples: tuple[str, ...]
    status: Literal["passed", "failed", "errored"]

    @property
    def is_blocking(self) -> bool:
        """Whether this outcome alone refuses the whole dataset.

        A failed critical row rule does not: its rows go to quarantine. One that could
        not be checked does.
        """
        if self.is_passed or self.severity != "critical":
            return False
        return self.level == "table" or self.status == "errored"


@dataclass(frozen=True)
class GateReport:
    """What the gate decided about one frame.

    ``accepted`` has the rows that may be stored, as they came; it is empty when the
    dataset is refused. ``quarantined`` has every row that breaks a critical rule, once and
    in full, with ``rule_id``, the first rule of the suite that it breaks, and ``reason``,
    which explains all of them. Rows of a refused dataset that break no rule themselves
    are in neither; their bytes are in landing.
    """

    dataset: str
    market_date: date
    results: tuple[CheckResult, ...]
    accepted: pd.DataFrame
    quarantined: pd.DataFrame

    @property
    def is_passed(self) -> bool:
        """Whether the dataset may be loaded, perhaps without some rows."""
        return not any(result.is_blocking for result in self.results)

    def raise_if_failed(self) -> None:
        """Raise when the dataset is refused.

        Raises:
            QualityError: The message lists each rule that refuses it with its counts
                and first example, the day, and what to do next.
        """
        blocking = [result for result in self.results if result.is_blocking]
        if not blocking:
            return
        lines = [
            f"{self.dataset} of {self.market_date} is refused, nothing of it was loaded: "
            f"{len(blocking)} of {len(self.results)} rules stop it."
        ]
        for result in blocking:
            example = f"; {result.examples[0]}" if result.examples else ""
            lines.append(
                f"  {result.rule_id} {result.status}, {result.bad_count} of "
                f"{result.total_count}: {result.sentence}{example}"
            )
        lines.append(
            f"Next: look at the day's payload in landing and at quarantine/{self.dataset}/, "
            "then fetch the day again or take it from another source."
        )
        raise QualityError("\n".join(lines))


@dataclass(frozen=True)
class _Outcome:
    """A result with the mask of the rows that offend (None: no row is to blame)."""

    rule: Rule
    result: CheckResult
    is_offending: pd.Series | None = None


def _describe(rows: pd.DataFrame, columns: Iterable[str], expected: str) -> pd.Series:
    """Return ``column=value, ...; expected ...`` for every row; fast for a million."""
    pieces: list[object] = []
    for column in columns:
        values = pa.array(rows[column], from_pandas=True).cast(pa.large_string())
        pieces += [f", {column}=" if pieces else f"{column}=", pc.fill_null(values, "null")]
    texts = pc.binary_join_element_wise(
        *(
            pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece
            for piece in pieces
        ),
        pa.scalar(f"; expected {expected}", pa.large_string()),
        pa.scalar("", pa.large_string()),
    )
    return pd.Series(texts.to_pandas()).set_axis(rows.index)


def _examples(
    rule: Rule, subject: Subject, is_offending: pd.Series | None, observed: str | None
) -> tuple[str, ...]:
    if is_offending is None:
        seen = rule.observes(subject) if rule.observes else observed
        return (f"found {seen}; expected {rule.expected}",)
    if rule.target == "schema":
        bad = subject.profile[is_offending].head(MAX_EXAMPLES)
        return tuple(
            f"column {row.column_name}: found {row.found}; expected {row.declared}"
            for row in bad.itertuples()
        )
    bad = subject.frame[is_offending].head(MAX_EXAMPLES)
    columns = [*subject.dataset.key, *rule.explained_by]
    return tuple(_describe(bad, dict.fromkeys(columns), rule.expected))


def _result(
    rule: Rule,
    subject: Subject,
    status: Literal["passed", "failed", "errored"],
    counts: tuple[int, int],
    examples: tuple[str, ...] = (),
) -> CheckResult:
    return CheckResult(
        dataset=subject.dataset.name,
        rule_id=rule.id,
        severity=rule.severity,
        level=rule.level,
        sentence=rule.sentence,
        is_passed=status == "passed",
        bad_count=counts[0],
        total_count=counts[1],
        examples=examples,
        status=status,
    )


def _errored(rule: Rule, subject: Subject, error: str) -> _Outcome:
    """Return the outcome of a rule that could not be checked: every row is in doubt."""
    logger.error("%s could not be checked: %s", rule.id, error)
    total = len(subject.profile if rule.target == "schema" else subject.frame)
    example = f"could not be checked: {error}"
    return _Outcome(rule, _result(rule, subject, "errored", (total, total), (example,)))


def _outcome(
    rule: Rule, subject: Subject, check: Check, measured: pd.Series | None, verdict: Verdict
) -> _Outcome:
    if verdict.error is not None:
        return _errored(rule, subject, verdict.error)
    if verdict.bad_count is None or verdict.total_count is None:
        counts = (int(not verdict.is_passed), 1)
    else:
        counts = (verdict.bad_count, verdict.total_count)
    is_offending = None
    if check.offends is not None and measured is not None:
        is_offending = check.offends(measured)
        found = int(is_offending.sum())
        if found != counts[0]:
            return _errored(
                rule, subject, f"the expectation counts {counts[0]} bad rows, the mask {found}"
            )
    if verdict.is_passed:
        return _Outcome(rule, _result(rule, subject, "passed", counts))
    examples = _examples(rule, subject, is_offending, verdict.observed)
    return _Outcome(rule, _result(rule, subject, "failed", counts, examples), is_offending)


def _evaluate(rules: Sequence[Rule], subject: Subject) -> list[_Outcome]:
    """Measure, ask Great Expectations once, and turn its verdicts into outcomes."""
    checks: dict[str, Check] = {}
    measured: dict[str, pd.Series | None] = {}
    outcomes: dict[str, _Outcome] = {}
    for rule in rules:
        try:
            checks[rule.id] = rule.check(subject)
            measured[rule.id] = rule.measured(subject)
        except Exception as exc:
            logger.exception("%s could not be measured", rule.id)
            outcomes[rule.id] = _errored(rule, subject, f"{type(exc).__name__}: {exc}")
    judged = [rule for rule in rules if rule.id not in outcomes]
    columns = {rule.name: measured[rule.id] for rule in judged if measured[rule.id] is not None}
    columns = columns or {"row": pd.Series(range(len(subject.frame)))}
    verdicts = ask(
        pd.DataFrame(columns),
        {rule.id: partial(checks[rule.id].build, rule.name) for rule in judged},
    )
    for rule in judged:
        outcomes[rule.id] = _outcome(
            rule, subject, checks[rule.id], measured[rule.id], verdicts[rule.id]
        )
    return [outcomes[rule.id] for rule in rules]


def _applies(rule: Rule, subject: Subject) -> bool:
    """Return whether to evaluate a rule; when in doubt, so that the doubt is reported."""
    if subject.frame.empty and not rule.runs_on_empty:
        return False
    try:
        return rule.applies(subject)
    except Exception:
        logger.exception("could not tell whether %s applies", rule.id)
        return True


def _run_suite(subject: Subject) -> list[_Outcome]:
    """Run the schema rules, and when they pass, the others that apply."""
    suite = suite_for(subject.dataset)
    outcomes = _evaluate([rule for rule in suite if rule.target == "schema"], subject)
    if not all(outcome.result.is_passed for outcome in outcomes):
        return outcomes
    applying = [rule for rule in suite if rule.target == "rows" and _applies(rule, subject)]
    return outcomes + _evaluate(applying, subject)


def _breaks_row_rule(outcomes: Sequence[_Outcome], subject: Subject) -> pd.Series:
    """Return which rows break a critical row rule."""
    is_bad = pd.Series(False, index=subject.frame.index)
    for outcome in outcomes:
        is_row_rule = outcome.rule.level == "row" and outcome.rule.severity == "critical"
        if is_row_rule and outcome.is_offending is not None:
            is_bad |= outcome.is_offending
    return is_bad


def _reasons(rows: pd.DataFrame, rules: Sequence[Rule], key: Sequence[str]) -> pd.Series:
    """Explain for every row the rules it breaks, all of ``rules``."""
    shown = [column for rule in rules for column in (rule.explained_by or key)]
    expected = [rule.expected for rule in rules]
    if len(rules) > 1:
        expected = [f"{rule.expected} ({rule.name})" for rule in rules]
    return _describe(rows, list(dict.fromkeys(shown)), " and ".join(expected))


def _quarantine(outcomes: Sequence[_Outcome], subject: Subject) -> pd.DataFrame:
    """Return the rows that break a critical rule, in full, with the rule and the reason."""
    blaming = [
        outcome
        for outcome in outcomes
        if outcome.rule.severity == "critical"
        and outcome.rule.target == "rows"
        and outcome.is_offending is not None
    ]
    parts = []
    if blaming:
        masks = pd.DataFrame({outcome.rule.id: outcome.is_offending for outcome in blaming})
        offending = masks[masks.any(axis=1)]
        broken_sets = offending.groupby(list(masks.columns), sort=False).indices
        for flags, positions in broken_sets.items():
            is_broken = flags if isinstance(flags, tuple) else (flags,)
            rules = [
                outcome.rule for outcome, broken in zip(blaming, is_broken, strict=True) if broken
            ]
            rows = subject.frame.loc[offending.index[positions]]
            reasons = _reasons(rows, rules, subject.dataset.key)
            parts.append(rows.assign(rule_id=rules[0].id, reason=reasons))
    if not parts:
        return subject.frame.head(0).assign(
            rule_id=pd.Series(dtype="str"), reason=pd.Series(dtype="str")
        )
    return pd.concat(parts).sort_index().reset_index(drop=True)


def _share_result(subject: Subject, bad_count: int) -> CheckResult:
    """Judge whether so many rows are bad that the good ones cannot be trusted either."""
    limit = subject.context.max_quarantine_fraction
    if limit is None:
        limit = max_share(subject.dataset.name, subject.mode)
    total = len(subject.frame)
    is_passed = bad_count <= limit * total
    example = f"found {bad_count / total:.1%} of the rows; expected at most {limit:.0%}"
    return CheckResult(
        dataset=subject.dataset.name,
        rule_id=f"{subject.dataset.name}.quarantine_share",
        severity="critical",
        level="table",
        sentence=f"At most {limit:.0%} of the rows go to quarantine.",
        is_passed=is_passed,
        bad_count=bad_count,
        total_count=total,
        examples=() if is_passed else (example,),
        status="passed" if is_passed else "failed",
    )


def run_gate(
    frame: pd.DataFrame,
    dataset: Dataset,
    *,
    market_date: date,
    mode: Mode,
    context: GateContext | None = None,
) -> GateReport:
    """Judge one parsed frame by its dataset's suite.

    The schema rules run first; the others only when they pass, as no rule can be
    trusted on a frame of the wrong shape. Rules that do not apply leave no result.

    Args:
        frame: Rows in the dataset's own columns, without lineage; it is not changed.
        dataset: The raw dataset the rows are for.
        market_date: UTC day of the run. A live frame must describe it (equities: be
            recent on it); no row of any frame may be later.
        mode: ``live`` for tonight's fetch, ``history`` for an import, which is not
            compared with other nights.
        context: What is known of other nights; nothing by default.

    Returns:
        Results, the rows that may be stored, and the rows for quarantine. It does not
        raise for bad data; call ``raise_if_failed``.
    """
    subject = Subject(
        frame.reset_index(drop=True), dataset, market_date, mode, context or GateContext()
    )
    outcomes = _run_suite(subject)
    results = [outcome.result for outcome in outcomes]
    is_bad = _breaks_row_rule(outcomes, subject)
    if not subject.frame.empty and any(outcome.rule.level == "row" for outcome in outcomes):
        results.append(_share_result(subject, int(is_bad.sum())))

    is_refused = any(result.is_blocking for result in results)
    accepted = subject.frame.head(0) if is_refused else subject.frame[~is_bad]
    report = GateReport(
        dataset=dataset.name,
        market_date=market_date,
        results=tuple(results),
        accepted=accepted.reset_index(drop=True),
        quarantined=_quarantine(outcomes, subject),
    )
    logger.info(
        "%s %s: %d rows accepted, %d quarantined, %s",
        dataset.name,
        market_date,
        len(report.accepted),
        int(is_bad.sum()),
        "refused" if is_refused else "passed",
    )
    return report


def check_constraints(
    frame: pd.DataFrame, dataset: Dataset, *, market_date: date
) -> list[CheckResult]:
    """Hold rows against the rules alone that the raw archive cannot do without.

    Args:
        frame: Rows in the dataset's own columns.
        dataset: The raw dataset.
        market_date: The last UTC day that is over; no row may be later.

    Returns:
        The results of the rules that failed or could not be checked; empty for rows that
        may be stored whatever the other rules say of them.
    """
    subject = Subject(frame.reset_index(drop=True), dataset, market_date, "history")
    rules = [rule for rule in suite_for(dataset) if rule.is_constraint]
    outcomes = _evaluate([rule for rule in rules if rule.target == "schema"], subject)
    if all(outcome.result.is_passed for outcome in outcomes):
        outcomes += _evaluate([rule for rule in rules if rule.target == "rows"], subject)
    return [outcome.result for outcome in outcomes if not outcome.result.is_passed]


def results_frame(report: GateReport, run_id: str, checked_at: datetime) -> pd.DataFrame:
    """Return a report's results as rows of ``quality.check_result``.

    Args:
        report: What ``run_gate`` returned.
        run_id: The run that checked.
        checked_at: When, in UTC.

    Returns:
        One row per rule in the columns ``RESULT_COLUMNS``; empty counts do not occur.
    """
    rows = [
        {
            "run_id": run_id,
            "checked_at": checked_at,
            "market_date": report.market_date,
            "dataset": report.dataset,
            "rule_id": result.rule_id,
            "severity": result.severity,
            "status": result.status,
            "bad_count": result.bad_count,
            "total_count": result.total_count,
            "sentence": result.sentence,
        }
        for result in report.results
    ]
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
