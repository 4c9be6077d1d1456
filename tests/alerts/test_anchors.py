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


def explanations() -> dict[str, str]:
    """Return what the runbook says under each heading about an error, an alert or an audit."""
    told = RUNBOOK[RUNBOOK.index("## Errors") :]
    parts = re.split(r"^##+ ", told, flags=re.MULTILINE)
    found = dict(part.split("\n", 1) for part in parts[1:])
    recipes, rules = list(found).index("Recipes"), list(found).index("Gate rules")
    left_out = {*list(found)[recipes:rules], "Errors", "Gate rules", "Audits", "Every rule"}
    return {
        heading: text
        for heading, text in found.items()
        if heading not in left_out and not heading.startswith("Nights that fail")
    }


def test_every_explanation_says_what_it_means_where_to_look_what_to_do_and_how_to_rerun() -> None:
    told = explanations()
    assert {"PublishError", "The night is late", "weights_sum_to_one"} <= set(told)
    assert len(told) > 50
    for heading, text in told.items():
        places = [text.find(word) for word in ("**Means**", "**Look**", "**Fix**", "**Again**")]
        assert places == sorted(places), heading
        assert -1 not in places, heading
