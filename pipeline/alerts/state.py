"""What is known of each problem from night to night, and what of it is worth a mail.

The state is one JSON file that is replaced whole. ``advance`` is a pure function: the same
findings of the same night a second time change nothing and mail nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pipeline.alerts.problem import SEVERITY_RANK, Findings, Kind, Problem, Severity
from pipeline.files import write_bytes_atomically

Transition = Literal["new", "back", "changed", "reminder", "repeated", "recovered"]

FORGOTTEN_AFTER_DAYS = 60
"""A problem that nobody looked at for so long is dropped: its feed or rule is gone."""

STANDING_FAMILIES = frozenset({"restatement"})
"""They stay true for ever once they are, so nobody is reminded of them."""

OUTAGE_KEYS = frozenset({"night/missing", "night/late"})
"""They are about one outage, however many nights it lasts, so it is not told night by night."""

MISSED_PREFIX = "night/missed/"
"""Outages that are over when they are found: told once, and not as ended."""

_DATES = ("first_seen", "last_seen", "mailed_on", "recovered_on")


@dataclass(frozen=True)
class Record:
    """What is known of one problem.

    Args:
        problem: As it was last seen.
        first_seen: The night since which it is open.
        last_seen: The last night on which it was found.
        nights: On how many nights it was found since then.
        is_open: Whether it is still there, as far as is known.
        mailed_on: The last night whose mail told of it as open; None before the first.
        mailed_severity: Its severity in that mail.
        mailed_kind: Its kind in that mail.
        mailed_band: The band of bad rows in that mail.
        is_told: Whether a mail told of it since it is open, so that its end is told too.
        recovered_on: The night on which it was found to be over.
    """

    problem: Problem
    first_seen: date
    last_seen: date
    nights: int = 1
    is_open: bool = True
    mailed_on: date | None = None
    mailed_severity: Severity | None = None
    mailed_kind: Kind | None = None
    mailed_band: int = 0
    is_told: bool = False
    recovered_on: date | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
        days = {name: getattr(self, name) for name in _DATES}
        return (
            asdict(self)
            | {name: None if day is None else day.isoformat() for name, day in days.items()}
            | {"problem": self.problem.to_dict()}
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Record:
        """Return what ``to_dict`` described."""
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        days = {
            name: date.fromisoformat(known[name]) for name in _DATES if known.get(name) is not None
        }
        return cls(**known | days | {"problem": Problem.from_dict(content["problem"])})


@dataclass(frozen=True)
class Change:
    """What a look did to one problem, and whether that is worth a mail."""

    record: Record
    transition: Transition
    is_mailed: bool
    before: Record | None = None


@dataclass(frozen=True)
class AlertState:
    """The state of all problems, and of what is told regularly.

    Args:
        records: By key, open ones and those that ended lately.
        last_night: Newest market date whose run has composed its alerts.
        last_weekly: Day of the last weekly summary; None before the first night.
        sequence: How many looks there were.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    last_night: date | None = None
    last_weekly: date | None = None
    sequence: int = 0

    @property
    def open_records(self) -> tuple[Record, ...]:
        """The open problems, worst first, then the oldest."""
        return tuple(
            sorted(
                (record for record in self.records.values() if record.is_open),
                key=lambda record: (
                    -SEVERITY_RANK[record.problem.severity],
                    record.problem.kind == "errored",
                    record.first_seen,
                    record.problem.key,
                ),
            )
        )


def load_state(path: Path) -> AlertState:
    """Return the state in a file, or an empty one where there is none yet."""
    if not path.exists():
        return AlertState()
    content = json.loads(path.read_bytes())
    return AlertState(
        {key: Record.from_dict(record) for key, record in content["records"].items()},
        last_night=_day(content["last_night"]),
        last_weekly=_day(content["last_weekly"]),
        sequence=content["sequence"],
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def save_state(path: Path, state: AlertState) -> None:
    """Replace the file; a crash leaves the old state or the new one."""
    content = {
        "records": {key: record.to_dict() for key, record in sorted(state.records.items())},
        "last_night": state.last_night and state.last_night.isoformat(),
        "last_weekly": state.last_weekly and state.last_weekly.isoformat(),
        "sequence": state.sequence,
    }
    write_bytes_atomically(path, json.dumps(content, indent=1).encode() + b"\n")


def advance(
    records: Mapping[str, Record], findings: Findings, night: date, *, remind_nights: int
) -> tuple[dict[str, Record], list[Change]]:
    """Return the records after a look, and what it changed.

    Mailed are: what is new, unless it is only information; what is worse than the last mail
    said (severity, kind, or a higher band of bad rows) or has another severity; what is
    critical, once a night; what is unchanged for ``remind_nights``; and the end of what was
    mailed. A problem that comes back within ``remind_nights`` and is not worse is not mailed,
    and neither is its end, unless it is critical: what comes and goes does not cry each night.

    Args:
        records: What was known, by key.
        findings: What the look found.
        night: The UTC day that was looked at. An older one than a problem's last cannot end it.
        remind_nights: Nights after which an unchanged problem is mailed again.
    """
    after = {
        key: record
        for key, record in records.items()
        if (night - record.last_seen).days <= FORGOTTEN_AFTER_DAYS
    }
    changes: list[Change] = []
    found = {problem.key: problem for problem in findings.problems}
    for key, problem in found.items():
        change = _seen(after.get(key), problem, night, remind_nights)
        after[key] = change.record
        changes.append(change)
    for key, record in list(after.items()):
        is_over = record.is_open and key in findings.checked and key not in found
        if is_over and night >= record.last_seen:
            after[key] = replace(record, is_open=False, is_told=False, recovered_on=night)
            is_told = record.is_told and not key.startswith(MISSED_PREFIX)
            changes.append(Change(after[key], "recovered", is_told, record))
    return after, changes


def _seen(before: Record | None, problem: Problem, night: date, remind_nights: int) -> Change:
    if before is None:
        return _mailed(Record(problem, night, night), "new", night, problem.severity != "info")
    is_due = _is_due(before, night, remind_nights)
    if not before.is_open:
        record = replace(
            before,
            problem=problem,
            first_seen=night,
            last_seen=night,
            nights=1,
            is_open=True,
            recovered_on=None,
        )
        is_mailed = problem.severity == "critical" or (
            problem.severity != "info" and (is_due or _is_worse(before, problem))
        )
        return _mailed(record, "back", night, is_mailed)
    record = replace(
        before,
        problem=problem,
        last_seen=max(night, before.last_seen),
        nights=before.nights + (night > before.last_seen),
    )
    if before.is_told and (
        _is_worse(before, problem) or problem.severity != before.mailed_severity
    ):
        return _mailed(record, "changed", night, True, before)
    if not before.is_told and problem.severity != "info" and _is_worse(before, problem):
        return _mailed(record, "changed", night, True, before)
    is_next_critical = (
        problem.severity == "critical"
        and problem.key not in OUTAGE_KEYS
        and (before.mailed_on is None or night > before.mailed_on)
    )
    if is_next_critical or (is_due and problem.family not in STANDING_FAMILIES):
        return _mailed(record, "reminder", night, True, before)
    return Change(record, "repeated", False, before)


def _is_due(record: Record, night: date, remind_nights: int) -> bool:
    return (night - (record.mailed_on or record.first_seen)).days >= remind_nights


def _is_worse(record: Record, problem: Problem) -> bool:
    """Return whether a problem is worse than the last mail said, or than nothing said."""
    if record.mailed_severity is None:
        return True
    return (
        SEVERITY_RANK[problem.severity] > SEVERITY_RANK[record.mailed_severity]
        or problem.kind != record.mailed_kind
        or problem.band > record.mailed_band
    )


def _mailed(
    record: Record,
    transition: Transition,
    night: date,
    is_mailed: bool,
    before: Record | None = None,
) -> Change:
    if is_mailed:
        record = replace(
            record,
            mailed_on=night,
            mailed_severity=record.problem.severity,
            mailed_kind=record.problem.kind,
            mailed_band=record.problem.band,
            is_told=True,
        )
    return Change(record, transition, is_mailed, before)


def mailed(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that are worth a mail, ends last, the worst first."""
    return sorted(
        (change for change in changes if change.is_mailed),
        key=lambda change: (
            change.transition == "recovered",
            -SEVERITY_RANK[change.record.problem.severity],
            change.record.problem.kind == "errored",
            change.record.problem.family,
            change.record.problem.key,
        ),
    )
