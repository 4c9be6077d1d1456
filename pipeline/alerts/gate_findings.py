"""Rules of the gate that a night's rows broke: warnings, and rows in quarantine."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Kind, Problem
from pipeline.alerts.wording import example, rule_sentence
from pipeline.datasets import get_dataset
from pipeline.health import SERVED, SourceHealth
from pipeline.journal import Journal
from pipeline.settings import Settings
from pipeline.sources.registry import get_feed


def gate_findings(settings: Settings, run_id: str, asked: Iterable[SourceHealth]) -> Findings:
    """Return the rules that the stored frames of a run broke.

    Frames that were refused are the business of their feed: another source served it, or
    none did.

    Args:
        settings: Where the journal and the quarantine are.
        run_id: The run.
        asked: How its sources did.
    """
    served = {
        (get_feed(source.feed).dataset, source.source)
        for source in asked
        if source.status in SERVED
    }
    results = [
        result
        for result in Journal(settings.journal_dir).of_run("check_result", run_id)
        if (result["dataset"], result["source"]) in served
    ]
    broken: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result["status"] != "passed":
            broken.setdefault(result["rule_id"], []).append(result)
    problems = [_problem(settings, run_id, rule_id, found) for rule_id, found in broken.items()]
    return Findings(tuple(problems), frozenset(f"gate/{result['rule_id']}" for result in results))


def refused_rules(
    settings: Settings, run_id: str, dataset: str, sources: Collection[str]
) -> list[dict[str, Any]]:
    """Return the critical rules that refused a dataset's frames, each with its examples.

    Rules that only sent rows to quarantine are left out where another one refused the frame.
    """
    found = [
        result
        for result in Journal(settings.journal_dir).of_run("check_result", run_id)
        if result["dataset"] == dataset
        and result["source"] in sources
        and result["severity"] == "critical"
        and result["status"] != "passed"
    ]
    quarantined = _quarantined(settings, run_id, dataset)
    by_row = {rule_id for rule_id in quarantined if rule_id is not None}
    whole = [result for result in found if result["rule_id"] not in by_row] or found
    return [
        result | {"examples": _examples(settings, run_id, dataset, result["rule_id"])}
        for result in whole
    ]


def _problem(
    settings: Settings, run_id: str, rule_id: str, results: list[dict[str, Any]]
) -> Problem:
    first = results[0]
    dataset = str(first["dataset"])
    bad_count = sum(int(result["bad_count"]) for result in results)
    kind: Kind = "failed" if any(r["status"] == "failed" for r in results) else "errored"
    rule = rule_sentence(first["sentence"])
    if kind == "errored":
        sentence = f"the rule {rule} could not be checked"
    elif first["severity"] == "critical":
        rows = "row is" if bad_count == 1 else "rows are"
        sentence = f"{bad_count:,} {rows} in quarantine, against the rule {rule}"
    else:
        sentence = f"it breaks the rule {rule}"
    return Problem(
        key=f"gate/{rule_id}",
        family="gate",
        subject=rule_id,
        severity="warning",
        kind=kind,
        sentence=sentence,
        anchor=rule_id,
        dataset=dataset,
        bad_count=bad_count,
        total_count=sum(int(result["total_count"]) for result in results),
        examples=_examples(settings, run_id, dataset, rule_id),
        rerun="tidemark build",
    )


def _examples(settings: Settings, run_id: str, dataset: str, rule_id: str) -> tuple[str, ...]:
    """Return up to five rows that break a rule, from quarantine or as the gate told them."""
    rows = _quarantined(settings, run_id, dataset).get(rule_id, [])
    told = [
        str(row["example"])
        for row in Journal(settings.journal_dir).of_run("check_example", run_id)
        if row["rule_id"] == rule_id
    ]
    return tuple(example(text) for text in (rows or told)[:EXAMPLES_MAX])


def _quarantined(settings: Settings, run_id: str, dataset: str) -> dict[str, list[str]]:
    """Return a line for each row that a run put into quarantine, by rule."""
    import pyarrow.parquet as pq

    label = re.sub(r"[^A-Za-z0-9._-]", "_", run_id)
    keys = [key for key in get_dataset(dataset).key[1:] if key != "source"]
    lines: dict[str, list[str]] = {}
    for path in sorted((settings.quarantine_dir / dataset).glob("[!.]*.parquet")):
        if not path.stem.endswith(f"-{label}"):
            continue
        columns = [*keys, "rule_id", "reason", "run_id"]
        for row in pq.ParquetFile(path).read(columns=columns).to_pylist():
            if row["run_id"] == run_id:
                subject = " ".join(str(row[key]) for key in keys if row[key] is not None)
                line = f"{subject}: {row['reason']}" if subject else str(row["reason"])
                lines.setdefault(row["rule_id"], []).append(line)
    return lines
