"""The one HTTP client: bounded retries, polite waits, bounded bodies, no secrets in sight."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from pipeline.errors import ConfigurationError, PayloadError, RateLimitedError
from pipeline.settings import Settings
from pipeline.sources.payload import parse_json
from pipeline.sources.transfer import (
    HttpStatusError,
    TransientError,
    open_session,
    read_body,
    read_start,
    translated_errors,
)
from pipeline.sources.wire import (
    BodyFormat,
    check_body,
    excerpt,
    public_headers,
    redact_url,
    retry_after_seconds,
)

__all__ = ["HttpClient", "HttpResponse", "HttpStatusError", "parse_json"]

logger = logging.getLogger(__name__)

RETRIED_STATUSES = frozenset({408, 500, 502, 503, 504, *range(520, 525)})
BACKOFF_MAX_SECONDS = 60.0
_ECHO_MIN_CHARACTERS = 8
_ADVICE = {
    401: "the key is missing or refused, check it",
    402: "the plan does not cover this, use another source",
    403: "the vendor refuses this address or this file, use another network or source",
    404: "there is no such file or path, check the source's URL",
    418: "the vendor has banned this address for a while, do not ask again soon",
    451: "the vendor does not serve this country, use another source",
}


@dataclass(frozen=True)
class HttpResponse:
    """A complete answer with status 200.

    ``url`` and ``headers`` are fit to be stored: no key, token or cookie. ``body`` is what
    the vendor sent after undoing ``Content-Encoding``. ``fetched_at`` is in UTC.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    fetched_at: datetime
    body_format: BodyFormat


class HttpClient:
    """Get bodies over one keep-alive session.

    Connection errors, time-outs, cut-off bodies and ``RETRIED_STATUSES`` are tried again,
    ``http_attempts`` times in all, after an exponential wait with full jitter. A 429 waits
    what the vendor says. Any other status is final at once.
    """

    def __init__(
        self,
        settings: Settings,
        vendor: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Open a session.

        Args:
            settings: Time-outs, attempts, limits and the clock.
            vendor: Whose budget the calls count against; None counts none.
            sleep: Waits that many seconds; tests pass their own.
            jitter: Draws between two bounds in seconds.
        """
        self._settings = settings
        self._vendor = vendor
        self._sleep = sleep
        self._jitter = jitter
        self._session = open_session()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the session."""
        self._session.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, SecretStr] | None = None,
        expect: BodyFormat = "json",
    ) -> HttpResponse:
        """Ask for ``url`` until it answers or the attempts are used up.

        Args:
            url: Without any secret.
            params: Query parameters, without any secret.
            headers: Further request headers.
            secret_headers: Request headers whose values must never be seen again.
            expect: What the body has to be.

        Returns:
            The complete answer; its status is 200.

        Raises:
            RateLimitedError: A 429 that asks for too long a wait, or one too many.
            HttpStatusError: Any other status; ``.status`` says which.
            SourceError: No connection, no answer in time, a cut-off body, a web page.
            PayloadError: The body is too large, empty, or not in the expected format.
            ConfigurationError: A secret holds characters that no header may hold.
        """
        secrets = _secret_values(secret_headers or {})
        sent = {**(headers or {}), **secrets}
        hidden = tuple(secrets.values())
        what = f"{urlsplit(url).hostname}{urlsplit(url).path}"
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attempt(url, what, params, sent, hidden, expect)
            except TransientError as failure:
                if attempt >= self._settings.http_attempts:
                    logger.warning("attempt %d of %s failed, giving up", attempt, what)
                    raise failure.error from failure.__cause__
                wait_seconds = failure.wait_seconds or self._backoff_seconds(attempt)
                logger.warning("attempt %d: %s; waiting %.1f s", attempt, failure, wait_seconds)
            self._sleep(wait_seconds)

    def _backoff_seconds(self, attempt: int) -> float:
        bound = self._settings.http_backoff_seconds * 2.0 ** min(attempt - 1, 30)
        return self._jitter(0.0, min(bound, BACKOFF_MAX_SECONDS))

    def _attempt(
        self,
        url: str,
        what: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        hidden: tuple[str, ...],
        expect: BodyFormat,
    ) -> HttpResponse:
        settings = self._settings
        deadline = time.monotonic() + settings.http_total_timeout_seconds
        with (
            translated_errors(what),
            self._session.get(
                url,
                params=params,
                headers=headers,
                timeout=(settings.http_connect_timeout_seconds, settings.http_read_timeout_seconds),
                stream=True,
            ) as response,
        ):
            if response.status_code != requests.codes.ok:
                self._raise_for_status(response, what, hidden, deadline)
            body = read_body(response, settings.http_max_bytes, deadline)
            check_body(body, response.headers.get("content-type", ""), expect, hidden)
            if any(len(key) >= _ECHO_MIN_CHARACTERS and key.encode() in body for key in hidden):
                raise PayloadError("the body repeats our key, so it was not kept")
            logger.info("%s: %d bytes", what, len(body))
            return HttpResponse(
                url=redact_url(response.url, hidden),
                status=response.status_code,
                headers=public_headers(response.headers, hidden),
                body=body,
                fetched_at=settings.now(),
                body_format=expect,
            )

    def _raise_for_status(
        self, response: requests.Response, what: str, hidden: tuple[str, ...], deadline: float
    ) -> None:
        status = response.status_code
        said = excerpt(read_start(response, deadline), hidden)
        headers = public_headers(response.headers, hidden)
        asked = retry_after_seconds(headers, self._settings.now())
        too_long = asked is not None and asked > self._settings.http_retry_after_max_seconds
        if status == requests.codes.too_many_requests:
            wish = "wait" if asked is None else f"wait {asked:.0f} s"
            limited = RateLimitedError(
                f"{what}: HTTP 429, asks to {wish}; run again later, or set a key for a higher "
                f"limit. It said {said}"
            )
            if too_long:
                raise limited
            raise TransientError(limited, asked)
        if 300 <= status < 400:
            target = urlsplit(response.headers.get("location", "")).hostname or "another path"
            raise HttpStatusError(
                f"{what}: HTTP {status}, moved to {target[:80]}; if that is right, change the "
                "source's URL in the settings",
                status,
            )
        advice = _ADVICE.get(status, "try again later")
        error = HttpStatusError(f"{what}: HTTP {status}, {advice}. It said {said}", status)
        if status in RETRIED_STATUSES and not too_long:
            raise TransientError(error, asked)
        raise error


def _secret_values(secret_headers: Mapping[str, SecretStr]) -> dict[str, str]:
    values = {name: secret.get_secret_value() for name, secret in secret_headers.items()}
    for name, value in values.items():
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            raise ConfigurationError(
                f"the value of the header {name} is empty or holds blanks or characters that no "
                "header may hold; set it again without line ends"
            )
    return values
