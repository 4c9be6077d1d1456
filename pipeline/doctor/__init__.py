"""``tidemark doctor``: is everything in order? Changes nothing; a part that breaks fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.doctor import clock, machine, mail, nights, places
from pipeline.doctor.finding import Finding
from pipeline.doctor.permissions import permissions
from pipeline.settings import Settings

__all__ = ["Finding", "examine", "worst"]

Check = Callable[[Settings], Iterator[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("versions", machine.versions),
    ("settings", machine.settings_in_order),
    ("keys", machine.keys),
    ("home", places.home),
    ("permissions", permissions),
    ("disk", places.disk),
    ("filesystem", places.filesystem),
    ("clock", clock.offline),
    ("lock", places.lock),
    ("night", nights.published_night),
    ("runs", nights.last_run),
    ("upkeep", nights.upkeep),
    ("problems", nights.open_problems),
    ("alerts", mail.outbox),
    ("mail server", mail.server),
)


def examine(settings: Settings, *, is_online: bool = False) -> list[Finding]:
    """Look at everything and return what was found, part by part.

    Args:
        settings: What to look at.
        is_online: Whether a vendor may be asked for the time.
    """
    checks = (*CHECKS, ("clock online", clock.online)) if is_online else CHECKS
    found: list[Finding] = []
    for part, check in checks:
        try:
            found += check(settings)
        except Exception as exc:
            found.append(
                Finding(part, "fail", f"could not be looked at: {type(exc).__name__}: {exc}")
            )
    return found


def worst(findings: list[Finding]) -> str:
    """Return the worst status of some findings: fail, warn or ok."""
    statuses = {finding.status for finding in findings}
    return next((status for status in ("fail", "warn") if status in statuses), "ok")
