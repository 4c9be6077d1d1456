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

from pipeline.errors import ConfigurationError, PayloadError
from pipeline.settings import Settings
from pipeline.sources.circuit import Circuit
from pipeline.sources.pacing import Pacer
from pipeline.sources.payload import parse_json
from pipeline.sources.refusals import RETRIED_STATUSES, Answer, judge
from pipeline.sources.transfer import (
    AttemptError,
    HttpStatusError,
    open_session,
    read_body,
    read_start,
    translated_errors,
)
from pipeline.sources.vendors import get_vendor
from pipeline.sources.wire import (
    BodyFormat,
    check_body,
    excerpt,
    public_headers,
    redact_text,
    redact_url,
)

__all__ = [
    "RETRIED_STATUSES",
    "HttpClient",
    "HttpResponse",
    "HttpStatusError",
    "Traffic",
    "parse_json",
]

logger = logging.getLogger(__name__)

BACKOFF_MAX_SECONDS = 60.0
_ECHO_MIN_CHARACTERS = 8
_HOST_CHARACTERS = 80


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


@dataclass
class Traffic:
    """What a client has asked for and received, failed calls included.

    ``last_status`` is None where the last call brought no whole answer.
    """

    calls: int = 0
    body_bytes: int = 0
    last_status: int | None = None


class HttpClient:
    """Get bodies over one keep-alive session.

    What is tried again, and after which pause, is the table in ``pipeline.sources.refusals``;
    connection errors, time-outs and cut-off bodies are too, ``http_attempts`` times in all.
    Calls keep to the vendor's budget, and a vendor that has refused us is left alone for a
    while, by all processes of a home; ``vendor_pace`` 0 does neither.
    """

    def __init__(
        self,
        settings: Settings,
        vendor: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open a session.

        Args:
            settings: Time-outs, attempts, limits and the clock of ``fetched_at``.
            vendor: Whose budget the calls count against; None counts none.
            sleep: Waits that many seconds; tests pass their own.
            jitter: Draws between two bounds in seconds.
            clock: Real seconds since 1970, for budgets and pauses.
        """
        self._settings = settings
        self._sleep = sleep
        self._jitter = jitter
        self._session = open_session()
        self.traffic = Traffic()
        self._vendor = None if vendor is None else get_vendor(vendor)
        self._max_bytes = settings.http_max_bytes
        self._pacer: Pacer | None = None
        self._circuit: Circuit | None = None
        if self._vendor is not None:
            self._max_bytes = min(self._max_bytes, self._vendor.max_bytes)
            if settings.vendor_pace > 0:
                self._pacer = Pacer(settings.state_dir, self._vendor, settings.vendor_pace, clock)
                self._circuit = Circuit(settings.state_dir, self._vendor.name, clock)

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
            RateLimitedError: A 429 that asks for too long a wait, or one too many, or the
                month's budget is used up.
            HttpStatusError: Any other status, now or when the vendor last refused us;
                ``.status`` says which.
            SourceError: No connection, no answer in time, a cut-off body, a web page, or too
                many of those in a row, so that nobody asks for a while.
            PayloadError: The body is too large, empty, or not in the expected format.
            ConfigurationError: A secret holds characters that no header may hold.
        """
        secrets = _secret_values(secret_headers or {})
        sent = {**(headers or {}), **secrets}
        hidden = tuple(secrets.values())
        what = f"{urlsplit(url).hostname}{urlsplit(url).path}"
        is_trial = self._circuit is not None and self._circuit.check()
        attempts = 1 if is_trial else self._settings.http_attempts
        attempt = 0
        while True:
            attempt += 1
            self._wait_for_turn()
            self.traffic.last_status = None
            try:
                response = self._attempt(url, what, params, sent, hidden, expect)
            except AttemptError as failure:
                if failure.wait_seconds and self._pacer is not None:
                    self._pacer.hold(failure.wait_seconds)
                if not failure.is_retried or attempt >= attempts:
                    logger.log(_loudness(failure), "attempt %d of %s: giving up", attempt, what)
                    self._remember(failure)
                    raise failure.error from failure.__cause__
                wait_seconds = failure.wait_seconds or self._backoff_seconds(attempt)
                logger.warning("attempt %d: %s; waiting %.1f s", attempt, failure, wait_seconds)
            except PayloadError:
                self._answered()
                raise
            else:
                self._answered()
                return response
            self._sleep(wait_seconds)

    def _wait_for_turn(self) -> None:
        if self._pacer is not None:
            seconds = self._pacer.reserve()
            if seconds > 0:
                self._sleep(seconds)
        self.traffic.calls += 1

    def _answered(self) -> None:
        if self._circuit is not None:
            self._circuit.answered()

    def _remember(self, failure: AttemptError) -> None:
        """Let other processes know how the vendor stands to us."""
        if self._circuit is None:
            return
        status = failure.error.status if isinstance(failure.error, HttpStatusError) else None
        if failure.cool_seconds is not None:
            self._circuit.open(str(failure), failure.cool_seconds, status)
        elif failure.is_retried or failure.is_blocked:
            self._circuit.failed(str(failure))
        else:
            self._circuit.answered()

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
                self.traffic.last_status = response.status_code
                raise self._judge(response, what, hidden, deadline)
            body = read_body(response, self._max_bytes, deadline)
            self.traffic.last_status = response.status_code
            self.traffic.body_bytes += len(body)
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

    def _judge(
        self, response: requests.Response, what: str, hidden: tuple[str, ...], deadline: float
    ) -> AttemptError:
        target = urlsplit(response.headers.get("location", "")).hostname or "another path"
        answer = Answer(
            what=what,
            status=response.status_code,
            headers=public_headers(response.headers, hidden),
            said=excerpt(read_start(response, deadline), hidden),
            moved_to=redact_text(target, hidden)[:_HOST_CHARACTERS],
        )
        settings = self._settings
        return judge(answer, self._vendor, settings.now(), settings.http_retry_after_max_seconds)


def _loudness(failure: AttemptError) -> int:
    """Return how loud to say it: a file that is missing is for the source to judge."""
    is_of_the_call = not failure.is_retried and not failure.is_blocked
    return logging.INFO if is_of_the_call and failure.cool_seconds is None else logging.WARNING


def _secret_values(secret_headers: Mapping[str, SecretStr]) -> dict[str, str]:
    values = {name: secret.get_secret_value() for name, secret in secret_headers.items()}
    for name, value in values.items():
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            raise ConfigurationError(
                f"the value of the header {name} is empty or holds blanks or characters that no "
                "header may hold; set it again without line ends"
            )
    return values
