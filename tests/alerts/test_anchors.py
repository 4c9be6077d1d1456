"""Every place of the runbook that an alert sends its reader to is there."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline import errors
from pipeline.alerts.wording import error_anchor
from pipeline.models import load_project
from pipeline.quality.suites import all_rules
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ANCHORS = set(re.findall(r'<a id="([^"]+)">', RUNBOOK)) | {
    re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    for heading in re.findall(r"^#{1,6} +(.+)$", RUNBOOK, re.MULTILINE)
}


def test_every_anchor_that_the_code_names_is_in_the_runbook() -> None:
    named = set()
    for path in (ROOT / "pipeline" / "alerts").glob("*.py"):
        named |= set(re.findall(r'"(alert-[a-z-]+|a-task-was-[a-z-]+)"', path.read_text()))
    assert named >= {"alert-night-missing", "alert-night-late", "alert-fallback"}
    assert named <= ANCHORS


def test_every_rule_audit_and_error_has_its_anchor() -> None:
    rules = {rule.id for rule in all_rules()}
    audits = {audit.name.partition(".")[2] for audit in load_project(Settings().sql_dir).audits}
    kinds = {name for name in vars(errors) if name.endswith("Error")} | {"HttpStatusError"}
    assert rules | audits | {error_anchor(kind) for kind in kinds} <= ANCHORS


def test_an_error_of_python_is_explained_as_unexpected() -> None:
    assert error_anchor("KeyError") == "alert-unexpected"
