"""The alerts' way out: what waits, and whether the mail server answers."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.alerts.compose import add
from pipeline.alerts.mail import connected
from pipeline.alerts.outbox import WEBHOOK, Outbox, alerts_lock
from pipeline.alerts.rendering import Mail
from pipeline.alerts.routes import read_routes
from pipeline.doctor.finding import Finding
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

IMPLICIT_TLS_PORT = 465


def outbox(settings: Settings) -> Iterator[Finding]:
    """Do alerts wait, or were some given up?"""
    entries = Outbox(settings).entries()
    waiting = [entry for entry in entries if entry.waiting]
    given_up = {
        name
        for entry in entries
        for name, delivery in entry.deliveries.items()
        if delivery.status == "given up"
    }
    if waiting:
        oldest = f"{waiting[0].created_at:%Y-%m-%d %H:%M} UTC"
        yield Finding(
            "alerts",
            "fail",
            f"{len(waiting)} wait since {oldest} for {', '.join(waiting[0].waiting)}",
            "mend the mail settings, then `tidemark alerts send`",
        )
    if given_up:
        yield Finding(
            "alerts",
            "warn",
            f"given up after three days: {', '.join(sorted(given_up))}",
            "correct the address in TIDEMARK_ALERT_TO",
        )
    if not waiting and not given_up:
        yield Finding("alerts", "ok", "none is waiting")


def server(settings: Settings) -> Iterator[Finding]:
    """Does the mail server answer, with TLS and login as they are set? Sends nothing."""
    recipients = read_routes(settings.alert_to)
    if settings.alert_webhook_url is not None:
        yield Finding("webhook", "ok", "TIDEMARK_ALERT_WEBHOOK_URL is set")
    if not recipients:
        yield Finding(
            "mail server",
            "warn" if settings.alert_webhook_url is None else "ok",
            "TIDEMARK_ALERT_TO is empty, so nobody gets mail",
            "set it and TIDEMARK_SMTP_HOST" if settings.alert_webhook_url is None else "",
        )
        return
    try:
        with connected(settings) as client:
            client.ehlo_or_helo_if_needed()
            said = _encryption(settings)
    except (OSError, ConfigurationError) as exc:
        yield Finding(
            "mail server",
            "fail",
            f"{settings.smtp_host}:{settings.smtp_port}: {type(exc).__name__}: {exc}",
            _what_next(settings),
        )
        return
    yield Finding(
        "mail server",
        "ok",
        f"{settings.smtp_host}:{settings.smtp_port} answers, {said}; {len(recipients)} recipients",
    )


def _encryption(settings: Settings) -> str:
    if settings.smtp_implicit_tls:
        return "with TLS"
    return "with STARTTLS" if settings.smtp_starttls else "without encryption"


def _what_next(settings: Settings) -> str:
    if settings.smtp_port == IMPLICIT_TLS_PORT and not settings.smtp_implicit_tls:
        return "port 465 speaks TLS from the first byte: set TIDEMARK_SMTP_IMPLICIT_TLS=true"
    return "see TIDEMARK_SMTP_* in .env.example"


def compose_test(settings: Settings) -> bool:
    """Put a test mail to every recipient into the outbox; return whether there is anybody."""
    recipients = tuple(dict.fromkeys(route.address for route in read_routes(settings.alert_to)))
    if settings.alert_webhook_url is not None:
        recipients = (*recipients, WEBHOOK)
    if not recipients:
        return False
    said = f"This is a test of Tidemark's alerts, made at {settings.now():%Y-%m-%d %H:%M:%S} UTC."
    mail = Mail("[Tidemark] TEST of the alerts", f"{said}\n", f"<!doctype html>\n<p>{said}</p>\n")
    with alerts_lock(settings):
        return add(settings, "test", mail, recipients, identity=(said,))
