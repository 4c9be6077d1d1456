"""From what a run found to alerts in the outbox: the one place that changes the state."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from pipeline import __version__
from pipeline.alerts.chart import draw_for
from pipeline.alerts.digest import Night, compose_digest
from pipeline.alerts.findings import collect
from pipeline.alerts.links import Links
from pipeline.alerts.mail import Chart, domain_of
from pipeline.alerts.outbox import WEBHOOK, Delivery, Entry, Outbox, alerts_lock, entry_id
from pipeline.alerts.problem import Findings
from pipeline.alerts.rendering import Mail, render
from pipeline.alerts.routes import Route, addressees, read_routes
from pipeline.alerts.state import (
    AlertState,
    Change,
    Record,
    advance,
    load_state,
    mailed,
    save_state,
)
from pipeline.errors import PublishError
from pipeline.manifest import read_manifest
from pipeline.settings import Settings

logger = logging.getLogger(__name__)


def published_as_of(settings: Settings) -> date | None:
    """Return the newest day that readers see, from the manifest alone.

    None before the first, and while the manifest is damaged, as a mail has to go out all the same.
    """
    try:
        manifest = read_manifest(settings.published_dir)
    except PublishError:
        logger.exception("the published manifest cannot be read")
        return None
    return None if manifest is None else date.fromisoformat(manifest["market_date"])


def compose_night(
    settings: Settings,
    market_date: date,
    run_id: str,
    *,
    is_published: bool,
    log_url: str = "",
) -> int:
    """Put what a run found, and is worth telling, into the outbox.

    Doing so again for the same run, as a retry does, tells nothing twice.

    Args:
        settings: Where, to whom, and what is worth it.
        market_date: The UTC day of the run.
        run_id: The run; it has ended.
        is_published: Whether its night is in front of readers now.
        log_url: Address of the run in Airflow, or empty.

    Returns:
        How many alerts were composed.

    Raises:
        ConfigurationError: A recipient of the settings is none.
    """
    from pipeline.alerts.weekly import compose_weekly, is_due

    read_routes(settings.alert_to)
    findings = collect(settings, market_date, run_id, is_published=is_published)
    night = Night(market_date, run_id, is_published, published_as_of(settings))
    with alerts_lock(settings):
        state = load_state(_state_path(settings))
        state, count = _tell(settings, state, findings, night, log_url)
        state = replace(state, last_night=max(market_date, state.last_night or market_date))
        save_state(_state_path(settings), state)
        if state.last_weekly is None or is_due(settings, state):
            if state.last_weekly is not None:
                weekly = compose_weekly(settings, state)
                count += add(settings, "weekly", weekly, _summaries(settings))
            save_state(_state_path(settings), replace(state, last_weekly=settings.now().date()))
    return count


def compose_look(settings: Settings, findings: Findings, market_date: date) -> int:
    """Put what was found from outside of a run, and is worth telling, into the outbox.

    Args:
        settings: Where, to whom, and what is worth it.
        findings: What was found.
        market_date: The UTC day that it is about.

    Returns:
        How many alerts were composed.
    """
    as_of = published_as_of(settings)
    night = Night(market_date, None, as_of is not None and as_of >= market_date, as_of)
    with alerts_lock(settings):
        state = load_state(_state_path(settings))
        state, count = _tell(settings, state, findings, night, "")
        save_state(_state_path(settings), state)
    return count


def read_state(settings: Settings) -> AlertState:
    """Return what is known of every problem."""
    return load_state(_state_path(settings))


def _state_path(settings: Settings) -> Path:
    return settings.alerts_dir / "state.json"


def _tell(
    settings: Settings, state: AlertState, findings: Findings, night: Night, log_url: str
) -> tuple[AlertState, int]:
    """Return the state after a look; what is worth telling is in the outbox by then.

    The outbox comes first and the state is saved last: a crash in between composes the same
    alerts again, under the same ids, and the outbox keeps the first.
    """
    records, changes = advance(
        state.records,
        findings,
        night.market_date,
        remind_nights=settings.alert_remind_nights,
    )
    after = replace(state, records=records, sequence=state.sequence + 1)
    told = mailed(changes)
    for change in changes:
        problem = change.record.problem
        logger.info("%s %s: %s", change.transition, problem.key, problem.sentence)
    if not told:
        return after, 0
    links = Links(settings, night.run_id, log_url)
    chart = draw_for(settings, told, night.market_date)
    routes = read_routes(settings.alert_to)
    count = 0
    for recipients, theirs in _by_recipient(settings, routes, told):
        digest = compose_digest(
            night,
            theirs,
            _concerning(after.open_records, routes, recipients),
            links,
            is_without=[r.problem.subject for r in after.open_records if _is_absent(r)],
            roll_up_above=settings.alert_roll_up_above,
        )
        mail = render(
            "digest",
            digest.subject,
            chart.alt if chart else None,
            digest=digest,
            foot=foot(settings, night.run_id),
        )
        identity = (str(state.sequence), str(night.market_date), *(_identity(c) for c in theirs))
        count += add(settings, "digest", mail, recipients, chart, identity)
    return after, count


def _is_absent(record: Record) -> bool:
    return record.problem.family == "feed"


def _identity(change: Change) -> str:
    problem = change.record.problem
    return f"{problem.key} {change.transition} {problem.severity} {problem.kind} {problem.band}"


def _by_recipient(
    settings: Settings, routes: Sequence[Route], told: Sequence[Change]
) -> list[tuple[tuple[str, ...], list[Change]]]:
    """Return who is told what: recipients of the very same changes share one mail."""
    theirs: dict[str, list[Change]] = {}
    for change in told:
        for address in _addressees(routes, change):
            theirs.setdefault(address, []).append(change)
    if settings.alert_webhook_url is not None:
        theirs[WEBHOOK] = list(told)
    groups: dict[tuple[int, ...], list[str]] = {}
    for address, changes in theirs.items():
        groups.setdefault(tuple(id(change) for change in changes), []).append(address)
    if not groups:
        return [((), list(told))]
    return [(tuple(group), theirs[group[0]]) for group in groups.values()]


def _addressees(routes: Sequence[Route], change: Change) -> tuple[str, ...]:
    """Return who is told of a change: whom it concerns now, and whom it concerned before."""
    problem = change.record.problem
    found = dict.fromkeys(addressees(routes, problem))
    if change.before is not None and change.before.mailed_severity is not None:
        before = replace(problem, severity=change.before.mailed_severity)
        found |= dict.fromkeys(addressees(routes, before))
    return tuple(found)


def _concerning(
    records: Sequence[Record], routes: Sequence[Route], recipients: Sequence[str]
) -> list[Record]:
    if not recipients or WEBHOOK in recipients:
        return list(records)
    return [r for r in records if set(addressees(routes, r.problem)) & set(recipients)]


def _summaries(settings: Settings) -> tuple[str, ...]:
    routes = read_routes(settings.alert_to)
    found = dict.fromkeys(route.address for route in routes if route.takes_summaries)
    if settings.alert_webhook_url is not None:
        found[WEBHOOK] = None
    return tuple(found)


def add(
    settings: Settings,
    kind: str,
    mail: Mail,
    recipients: Sequence[str],
    chart: Chart | None = None,
    identity: Sequence[str] = (),
) -> bool:
    """Put one alert into the outbox; return whether it was not there yet.

    Args:
        settings: Where, and as whom it will be sent.
        kind: digest, weekly or test.
        mail: Its words.
        recipients: To whom; nobody is kept as well, to be shown.
        chart: Its picture.
        identity: What makes it the same alert when it is composed again; its subject, by default.
    """
    now: datetime = settings.now()
    alert_id = entry_id(kind, *(identity or (mail.subject,)), *recipients)
    if not recipients:
        logger.warning("TIDEMARK_ALERT_TO is empty, so nobody is told: %s", mail.subject)
    return Outbox(settings).add(
        Entry(
            entry_id=alert_id,
            created_at=now,
            kind=kind,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            message_id=f"<{alert_id}@{domain_of(settings.alert_from)}>",
            deliveries={name: Delivery() for name in recipients},
            chart_png=base64.b64encode(chart.png).decode() if chart else None,
            chart_alt=chart.alt if chart else "",
        )
    )


def foot(settings: Settings, run_id: str | None) -> tuple[str, ...]:
    """Return the small print of a mail."""
    run = f"Run {run_id} · " if run_id else ""
    nights = settings.alert_remind_nights
    again = "tomorrow" if nights == 1 else f"after {nights} nights"
    return (
        f"{run}Tidemark {__version__}",
        f"A warning that stays as it is comes again {again}, its end at once.",
        "A day is a UTC day. TIDEMARK_ALERT_TO sets who gets which mail.",
    )
