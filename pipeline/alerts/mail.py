"""Sending one mail, by the standard library's SMTP client, so that a failure is seen."""

from __future__ import annotations

import logging
import smtplib
import ssl
import unicodedata
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from ipaddress import ip_address

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

TIMEOUT_SECONDS = 30.0
SUBJECT_MAX_CHARACTERS = 200

_log = logging.getLogger(__name__)


def send_failure_mail(settings: Settings, *, subject: str, text: str, html: str) -> bool:
    """Send one mail to the alert recipients and wait until the server has taken it.

    Args:
        settings: Where to send, through which server and as whom.
        subject: One line; line breaks and control characters in it become spaces.
        text: The plain twin, with the same facts as ``html``.
        html: A whole HTML document in which foreign text is already escaped.

    Returns:
        True when the server took the mail for every recipient, False when nobody is
        set to receive alerts (which is logged).

    Raises:
        ConfigurationError: Recipients are set but no server is; an address is not one;
            or a password would cross the network in clear.
        OSError: The server could not be reached, did not answer in time, or refused the
            login, the mail or any recipient (``smtplib.SMTPException`` is an ``OSError``).
    """
    if not settings.alert_recipients:
        _log.warning("no mail sent, TIDEMARK_ALERT_TO is empty: %s", one_line(subject))
        return False
    if not settings.smtp_host:
        raise ConfigurationError(
            "TIDEMARK_ALERT_TO is set but TIDEMARK_SMTP_HOST is not; set both or neither"
        )

    recipients = [
        _address(recipient, "TIDEMARK_ALERT_TO") for recipient in settings.alert_recipients
    ]
    message = compose_message(
        sender=_address(settings.alert_from, "TIDEMARK_ALERT_FROM"),
        recipients=recipients,
        subject=subject,
        text=text,
        html=html,
    )
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_SECONDS) as client:
        if settings.smtp_starttls:
            client.starttls(context=ssl.create_default_context())
        if settings.smtp_user:
            _login(client, settings.smtp_host, settings.smtp_user, settings)
        refused = client.send_message(message)
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)
    _log.info("mail sent to %d recipients: %s", len(recipients), message["Subject"])
    return True


def compose_message(
    *, sender: str, recipients: Sequence[str], subject: str, text: str, html: str
) -> EmailMessage:
    """Build a multipart message (plain first, HTML second) whose headers hold no line break."""
    message = EmailMessage()
    message["Subject"] = one_line(subject, SUBJECT_MAX_CHARACTERS)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(printable(text))
    message.add_alternative(printable(html), subtype="html")
    return message


def printable(text: str) -> str:
    """Return ``text`` without what could hide or reorder it, or could not be encoded.

    Vendors' names arrive with control characters, direction overrides and lone
    surrogates. Line feeds and tabs stay.
    """
    return "".join(
        character if character in "\n\t" else _replacement(character)
        for character in text.replace("\r\n", "\n")
    )


def one_line(text: str, max_characters: int | None = None) -> str:
    """Return ``text`` on one line, cut with an ellipsis when longer than allowed."""
    line = " ".join(printable(text).split())
    if max_characters is not None and len(line) > max_characters:
        line = line[: max_characters - 1].rstrip() + "…"
    return line


def _replacement(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cf":
            return ""
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case _:
            return character


def _address(value: str, variable: str) -> str:
    """Return a mail address that is safe in a header, as it was given."""
    local, at, domain = parseaddr(value)[1].rpartition("@")
    if not (local and at and domain) or value != one_line(value):
        raise ConfigurationError(f"{variable} holds {value!r}, which is not a mail address")
    return value


def _login(client: smtplib.SMTP, host: str, user: str, settings: Settings) -> None:
    if not settings.smtp_starttls and not _is_loopback(host):
        raise ConfigurationError(
            f"TIDEMARK_SMTP_USER is set for {host} without TIDEMARK_SMTP_STARTTLS=true: "
            "the password would cross the network in clear"
        )
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    client.login(user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
