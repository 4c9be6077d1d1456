"""Rules of the gate that a night's rows broke: warnings, and rows in quarantine."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from pipeline.alerts.gate_record import GateRecord
from pipeline.alerts.problem import Findings, Kind, Problem
from pipeline.alerts.wording import rule_sentence
from pipeline.health import SERVED, SourceHealth
from pipeline.sources.registry import get_feed


def gate_findings(gate: GateRecord, asked: Iterable[SourceHealth]) -> Findings:
    """Return the rules that the stored frames of a run broke.

    Frames that were refused are the business of their feed: another source served it, or
    none did.

    Args:
        gate: What the gate said in the run.
        asked: How its sources did.
    """
    served = {
        (get_feed(source.feed).dataset, source.source)
        for source in asked
        if source.status in SERVED
    }
    results = [each for each in gate.results if (each["dataset"], each["source"]) in served]
    broken: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result["status"] != "passed":
            broken.setdefault(result["rule_id"], []).append(result)
    problems = [_problem(gate, rule_id, found) for rule_id, found in broken.items()]
    return Findings(tuple(problems), frozenset(f"gate/{result['rule_id']}" for result in results))


def refused_rules(gate: GateRecord, dataset: str, sources: Collection[str]) -> list[dict[str, Any]]:
    """Return the critical rules that refused a dataset's frames, each with its examples.

    Rules that only sent rows to quarantine are left out where another one refused the frame.
    """
    found = [
        result
        for result in gate.results
        if result["dataset"] == dataset
        and result["source"] in sources
        and result["severity"] == "critical"
        and result["status"] != "passed"
    ]
    held = gate.held_lines(dataset)
    whole = [result for result in found if result["rule_id"] not in held] or found
    return [result | {"examples": gate.examples(dataset, result["rule_id"])} for result in whole]


def _problem(gate: GateRecord, rule_id: str, results: list[dict[str, Any]]) -> Problem:
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
        examples=gate.examples(dataset, rule_id),
        rerun="tidemark build",
    )
