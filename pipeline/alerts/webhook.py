"""Posting an alert to a chat, as the JSON that Slack and its likes take."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from pipeline.alerts.mail import is_loopback, one_line
from pipeline.errors import ConfigurationError
from pipeline.text import visible_lines

TIMEOUT_SECONDS = 20.0
TEXT_MAX_CHARACTERS = 3_000
VARIABLE = "TIDEMARK_ALERT_WEBHOOK_URL"


def payload(subject: str, text: str) -> dict[str, str]:
    """Return the JSON of one alert; what Slack reads as markup or as a mention is escaped."""
    body = visible_lines(text).strip()
    if len(body) > TEXT_MAX_CHARACTERS:
        body = body[:TEXT_MAX_CHARACTERS].rstrip() + "\n… the mail has the rest."
    return {"text": f"*{_escaped(one_line(subject))}*\n{_escaped(body)}"}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(url: SecretStr, content: dict[str, str]) -> None:
    """Post one alert and wait until it is accepted.

    Raises:
        ConfigurationError: The address is none, or is not encrypted.
        OSError: It was not accepted. The address, which is a secret, is in no message.
    """
    address = url.get_secret_value()
    parts = urlsplit(address)
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ConfigurationError(f"{VARIABLE} does not hold a web address")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigurationError(
            f"{VARIABLE} begins with http:, so what it posts would cross the network in clear; "
            "use its https: address"
        )
    try:
        with _silenced(), requests.Session() as session:
            status = session.post(
                address, json=content, timeout=TIMEOUT_SECONDS, allow_redirects=False
            ).status_code
    except requests.RequestException as exc:
        # The words of the exception hold the address.
        raise ConnectionError(f"the webhook gave no answer ({type(exc).__name__})") from None
    if not 200 <= status < 300:
        raise ConnectionError(f"the webhook answered with status {status}")


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep the HTTP client from logging the address, which is a secret."""
    log = logging.getLogger("urllib3.connectionpool")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
