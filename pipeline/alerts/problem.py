"""What can be wrong with a night, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
Kind = Literal["failed", "errored"]
Family = Literal["night", "step", "feed", "audit", "gate", "fallback", "restatement"]

SEVERITY_RANK: dict[Severity, int] = {"critical": 3, "warning": 2, "info": 1}
KIND_WORDS: dict[Kind, str] = {"failed": "data wrong", "errored": "could not check"}
EXAMPLES_MAX = 5
_BAND_STARTS = tuple(start * 10**power for power in range(12) for start in (1, 3))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, under a key that stays the same from night to night.

    Args:
        key: Family and subject, such as ``gate/market_daily.caps_present``.
        family: What found it.
        subject: The feed, rule, audit or step, as people know it.
        severity: ``critical``: the night is not published. ``warning``: it is, and somebody
            should look. ``info``: told beside other things only.
        kind: ``failed``: the data is wrong. ``errored``: it could not be fetched or checked.
        sentence: What broke, in one sentence without a full stop.
        anchor: Where ``docs/runbook.md`` explains it.
        dataset: Raw dataset, or None where it is no single one's.
        bad_count: Rows that are wrong, or None where rows are not counted.
        total_count: Rows that were looked at, or None.
        examples: Up to five of them. May quote vendors' bytes.
        rerun: Command that tries again.
        task: Airflow task whose log has more, or None.
    """

    key: str
    family: Family
    subject: str
    severity: Severity
    kind: Kind
    sentence: str
    anchor: str
    dataset: str | None = None
    bad_count: int | None = None
    total_count: int | None = None
    examples: tuple[str, ...] = ()
    rerun: str = ""
    task: str | None = None

    @property
    def band(self) -> int:
        """How many bad rows there are, roughly: 1, 3, 10, 30, 100 and so on begin a band."""
        count = self.bad_count or 0
        return sum(1 for start in _BAND_STARTS if count >= start)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return asdict(self) | {"examples": list(self.examples)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Problem:
        """Return what ``to_dict`` described; what a later version added is left out."""
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        return cls(**known | {"examples": tuple(content.get("examples", ()))})


@dataclass(frozen=True)
class Findings:
    """What one look found.

    Args:
        problems: What is wrong, each key once.
        checked: Keys of everything that was looked at. A problem whose key is not among them
            is neither there nor over: nobody looked.
    """

    problems: tuple[Problem, ...]
    checked: frozenset[str]
