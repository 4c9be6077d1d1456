"""A mail and the connection it goes out by: the standard library's, so that a failure is seen."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from ipaddress import ip_address

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from pipeline.text import visible, visible_lines

SUBJECT_MAX_CHARACTERS = 200


@dataclass(frozen=True)
class Chart:
    """A picture inside a mail: its bytes, and what it shows in words."""

    png: bytes
    alt: str


CHART_ID = "chart@tidemark"


def compose_message(
    *,
    sender: str,
    recipients: Sequence[str],
    subject: str,
    text: str,
    html: str,
    message_id: str | None = None,
    sent_at: datetime | None = None,
    chart: Chart | None = None,
) -> EmailMessage:
    """Build a multipart message (plain first, HTML second) whose headers hold no line break.

    Args:
        sender: Who sends, as in the header.
        recipients: Who is named as receiving it.
        subject: One line; line breaks in it become spaces.
        text: The plain twin, with the same facts as ``html``.
        html: A whole HTML document in which foreign text is already escaped.
        message_id: The same for every try to send the mail; made up where there is none.
        sent_at: Date of the mail; now by default.
        chart: A picture that ``html`` shows as ``cid:`` and ``CHART_ID``.
    """
    message = EmailMessage()
    message["Subject"] = one_line(subject, SUBJECT_MAX_CHARACTERS)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime((sent_at or datetime.now(UTC)).astimezone(UTC), usegmt=True)
    message["Message-ID"] = message_id or make_msgid(domain=domain_of(sender))
    message["Auto-Submitted"] = "auto-generated"
    # In seven bits, so that every server on the way takes it.
    message.set_content(visible_lines(text), cte="quoted-printable")
    message.add_alternative(visible_lines(html), subtype="html", cte="quoted-printable")
    if chart is not None:
        page = list(message.iter_parts())[-1]
        page.add_related(chart.png, "image", "png", cid=f"<{CHART_ID}>", filename="chart.png")
    return message


@contextmanager
def connected(settings: Settings) -> Iterator[smtplib.SMTP]:
    """Yield a connection to the mail server, encrypted and logged in as the settings say.

    Raises:
        ConfigurationError: No server is set, both kinds of TLS are, or a password would cross
            the network in clear.
        OSError: The server could not be reached, did not answer in time, or refused the
            login (``smtplib.SMTPException`` is an ``OSError``).
    """
    if not settings.smtp_host:
        raise ConfigurationError(
            "TIDEMARK_ALERT_TO is set but TIDEMARK_SMTP_HOST is not; set both or neither"
        )
    if settings.smtp_starttls and settings.smtp_implicit_tls:
        raise ConfigurationError(
            "TIDEMARK_SMTP_STARTTLS and TIDEMARK_SMTP_IMPLICIT_TLS are both true; a server speaks "
            "TLS from the first byte (port 465) or begins it later (25, 587): keep one of them"
        )
    client = _connect(settings, settings.smtp_host)
    try:
        if settings.smtp_starttls:
            client.starttls(context=ssl.create_default_context())
        if settings.smtp_user:
            _login(client, settings.smtp_host, settings.smtp_user, settings)
        yield client
    finally:
        _quit(client)


def _connect(settings: Settings, host: str) -> smtplib.SMTP:
    port, timeout = settings.smtp_port, settings.smtp_timeout_seconds
    if settings.smtp_implicit_tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    return smtplib.SMTP(host, port, timeout=timeout)


def _quit(client: smtplib.SMTP) -> None:
    """End a connection; what was accepted stays so, however the server says goodbye."""
    try:
        client.quit()
    except (OSError, smtplib.SMTPException):
        client.close()


def domain_of(address: str) -> str:
    """Return what stands behind the @ of an address."""
    return parseaddr(address)[1].rpartition("@")[2]


def one_line(text: str, max_characters: int | None = None) -> str:
    """Return ``text`` on one line as ``visible`` shows it, cut with an ellipsis when too long."""
    line = visible(" ".join(text.split()))
    if max_characters is not None and len(line) > max_characters:
        line = line[: max_characters - 1].rstrip() + "…"
    return line


def mail_address(value: str, variable: str) -> str:
    """Return a mail address that is safe in a header, as it was given.

    Raises:
        ConfigurationError: It is none; the message names the variable it came from.
    """
    local, at, domain = parseaddr(value)[1].rpartition("@")
    if not (local and at and domain) or value != one_line(value):
        raise ConfigurationError(f"{variable} holds {value!r}, which is not a mail address")
    return value


def _login(client: smtplib.SMTP, host: str, user: str, settings: Settings) -> None:
    is_encrypted = settings.smtp_starttls or settings.smtp_implicit_tls
    if not is_encrypted and not is_loopback(host):
        raise ConfigurationError(
            f"TIDEMARK_SMTP_USER is set for {host} without TIDEMARK_SMTP_STARTTLS=true or "
            "TIDEMARK_SMTP_IMPLICIT_TLS=true: the password would cross the network in clear"
        )
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    client.login(user, password)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
