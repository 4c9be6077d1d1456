"""What the gate said about a run's frames: the results of its rules, and the rows they broke."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pipeline.alerts.problem import EXAMPLES_MAX
from pipeline.alerts.wording import example
from pipeline.datasets import get_dataset
from pipeline.journal import Journal
from pipeline.quality.quarantine import Quarantine
from pipeline.settings import Settings


class GateRecord:
    """What the journal and the quarantine have of one run; each file is read once."""

    def __init__(self, settings: Settings, run_id: str) -> None:
        """Use the record of ``run_id``, which has ended its loading."""
        self._journal = Journal(settings.journal_dir)
        self._quarantine = Quarantine(settings.quarantine_dir)
        self._run_id = run_id
        self._held: dict[str, dict[str, list[str]]] = {}

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """The rows of ``quality.check_result`` that the run wrote."""
        return self._journal.of_run("check_result", self._run_id)

    def held_lines(self, dataset: str) -> dict[str, list[str]]:
        """Return a line for each row that the run put into quarantine, by rule."""
        if dataset not in self._held:
            self._held[dataset] = self._read_held(dataset)
        return self._held[dataset]

    def examples(self, dataset: str, rule_id: str) -> tuple[str, ...]:
        """Return up to five rows that break a rule, from quarantine or as the gate told them."""
        lines = self.held_lines(dataset).get(rule_id) or self._told.get(rule_id, [])
        return tuple(example(line) for line in lines[:EXAMPLES_MAX])

    @cached_property
    def _told(self) -> dict[str, list[str]]:
        told: dict[str, list[str]] = {}
        for row in self._journal.of_run("check_example", self._run_id):
            told.setdefault(row["rule_id"], []).append(str(row["example"]))
        return told

    def _read_held(self, dataset: str) -> dict[str, list[str]]:
        keys = [key for key in get_dataset(dataset).key[1:] if key != "source"]
        lines: dict[str, list[str]] = {}
        for row in self._quarantine.of_run(dataset, self._run_id, [*keys, "rule_id", "reason"]):
            subject = " ".join(str(row[key]) for key in keys if row[key] is not None)
            line = f"{subject}: {row['reason']}" if subject else str(row["reason"])
            lines.setdefault(row["rule_id"], []).append(line)
        return lines
