"""What every check is: its owner, its severity, its sentence, its place in the runbook.

Published as ``quality.check_definition``, so that whoever reads a result finds out whom to
ask and what to do, and written into the runbook.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from pipeline.datasets import DATASETS
from pipeline.quality.rules import RUNBOOK
from pipeline.quality.shares import MAX_SHARES
from pipeline.quality.suites import suite_for

if TYPE_CHECKING:
    from pipeline.models import Audit

TABLE = "check_definition"
AUDIT_OWNER = "index-models"

SHARE_RULE = "quarantine_share"


@dataclass(frozen=True)
class Definition:
    """One rule of the gate or one audit.

    ``dataset`` is None for an audit, which looks at the built file. ``scope`` is ``row``,
    ``table`` or ``build``: what a critical failure keeps out.
    """

    check_id: str
    kind: str
    dataset: str | None
    severity: str
    scope: str
    family: str
    owner: str
    sentence: str
    runbook_anchor: str


def rule_definitions() -> tuple[Definition, ...]:
    """Return the rules of every dataset in the order of their suites."""
    found = []
    for dataset in DATASETS.values():
        suite = suite_for(dataset)
        found += [
            Definition(
                rule.id,
                "rule",
                rule.dataset,
                rule.severity,
                rule.level,
                rule.family,
                rule.owner,
                rule.sentence,
                rule.runbook_anchor,
            )
            for rule in suite
        ]
        share, limit = f"{dataset.name}.{SHARE_RULE}", MAX_SHARES[dataset.name]
        found.append(
            Definition(
                share,
                "rule",
                dataset.name,
                "critical",
                "table",
                "share",
                suite[0].owner,
                f"At most {100 * limit.live:g} % of a night's rows, or "
                f"{100 * limit.history:g} % of an import's, go to quarantine.",
                f"{RUNBOOK}#{share}",
            )
        )
    return tuple(found)


def definition_rows(audits: Iterable[Audit]) -> list[tuple[str | None, ...]]:
    """Return the rows of ``quality.check_definition``: every rule, every audit."""
    names = [(audit, audit.name.partition(".")[2]) for audit in audits]
    held = [
        Definition(
            name,
            "audit",
            None,
            audit.severity,
            "build",
            "audit",
            AUDIT_OWNER,
            audit.sentence,
            f"{RUNBOOK}#{name}",
        )
        for audit, name in names
    ]
    return [astuple(each) for each in (*rule_definitions(), *held)]
