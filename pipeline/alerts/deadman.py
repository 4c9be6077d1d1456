"""The night that did not happen: seen from outside, by the age of the manifest alone.

Opens no warehouse and asks no scheduler, so it also works while those are what is broken.
"""

from __future__ import annotations

from datetime import date, timedelta

from pipeline.alerts.compose import compose_look, published_as_of, read_state
from pipeline.alerts.problem import Findings, Problem
from pipeline.alerts.step_findings import LATE_KEY, MISSING_KEY
from pipeline.settings import Settings


def night_due(settings: Settings) -> date:
    """Return the newest UTC day whose night has to be published by now."""
    now = settings.now()
    is_due_today = now.hour >= settings.alert_night_due_hour
    return now.date() - timedelta(days=1 if is_due_today else 2)


def is_night_missing(settings: Settings) -> bool:
    """Return whether the night that is due is neither published nor told as failed."""
    due = night_due(settings)
    as_of = published_as_of(settings)
    if as_of is not None and as_of >= due:
        return False
    told = read_state(settings).last_night
    return told is None or told < due


def look(settings: Settings) -> Findings:
    """Return whether the night happened. One that failed has told so itself."""
    due = night_due(settings)
    as_of = published_as_of(settings)
    if is_night_missing(settings):
        return Findings((_missing(settings, due, as_of),), frozenset({MISSING_KEY}))
    if as_of is not None and as_of >= due:
        return Findings((), frozenset({MISSING_KEY, LATE_KEY}))
    return Findings((), frozenset())


def compose_missing_night(settings: Settings) -> int:
    """Put an alert into the outbox when the night did not happen, and when it does again.

    One outage is told once, and again after ``alert_remind_nights`` days.

    Returns:
        How many alerts were composed.
    """
    return compose_look(settings, look(settings), night_due(settings))


def compose_late_night(settings: Settings) -> int:
    """Put an alert into the outbox when a night is still running at its deadline.

    Returns:
        How many alerts were composed; none when the night is published, or has ended and told
        so, by now.
    """
    market_date = settings.default_market_date()
    ends = (published_as_of(settings), read_state(settings).last_night)
    if any(day is not None and day >= market_date for day in ends):
        return 0
    late = Problem(
        key=LATE_KEY,
        family="night",
        subject="night",
        severity="warning",
        kind="errored",
        sentence="its run began hours ago and has neither ended nor published anything",
        anchor="alert-night-late",
        rerun="tidemark doctor",
    )
    return compose_look(settings, Findings((late,), frozenset({LATE_KEY})), market_date)


def _missing(settings: Settings, due: date, as_of: date | None) -> Problem:
    hour = f"{settings.alert_night_due_hour:02d}:00 UTC"
    seen = (
        f"nothing is published in {settings.home}"
        if as_of is None
        else f"the published file still ends with {as_of}"
    )
    return Problem(
        key=MISSING_KEY,
        family="night",
        subject="night",
        severity="critical",
        kind="errored",
        sentence=f"the night did not happen: at {hour} {seen}",
        anchor="alert-night-missing",
        rerun=f"tidemark refresh --market-date {due}",
    )
