"""One request: a session that goes nowhere else, errors in our words, bounded bodies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import requests
import urllib3

from pipeline import __version__
from pipeline.errors import PayloadError, SourceError
from pipeline.sources.wire import BodyDecoder, TruncatedBodyError

_READ_BYTES = 65536
_EXCERPT_BYTES = 4096


class HttpStatusError(SourceError):
    """A vendor answered with a status other than 200 that asking again will not change."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    def saying(self, message: str) -> Self:
        """Return a refusal by the same status with another message."""
        return type(self)(message, self.status)


class AttemptError(Exception):
    """One attempt failed; says what to raise in the end and what to do until then."""

    def __init__(
        self,
        error: SourceError,
        *,
        is_retried: bool = False,
        is_blocked: bool = False,
        wait_seconds: float | None = None,
        cool_seconds: float | None = None,
    ) -> None:
        """Describe a failed attempt.

        Args:
            error: What the caller of the client gets to see.
            is_retried: Whether the next attempt may go better.
            is_blocked: Whether something stood before the vendor, such as a web page.
            wait_seconds: Pause that the vendor asks for before it.
            cool_seconds: How long nobody should ask the vendor; None for no time at all.
        """
        super().__init__(str(error))
        self.error = error
        self.is_retried = is_retried
        self.is_blocked = is_blocked
        self.wait_seconds = wait_seconds
        self.cool_seconds = cool_seconds


class _Session(requests.Session):
    """A session that never follows a redirect, which would carry the key to another host."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Find no redirect; requests would read its body without any limit."""
        return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from sending what a ``.netrc`` file says."""
    return request


def open_session() -> requests.Session:
    """Return a keep-alive session that says who we are and takes gzip."""
    session = _Session()
    session.auth = _no_auth
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": f"tidemark/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
            "Connection": "keep-alive",
        }
    )
    return session


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Turn what requests and urllib3 raise into our errors, without their text.

    Their text names the full URL, and a header that they refuse with its value.
    """
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as exc:
        raise AttemptError(
            SourceError(f"{what}: no answer in time; try again later"), is_retried=True
        ) from exc
    except (
        ConnectionError,
        requests.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        urllib3.exceptions.HTTPError,
        TruncatedBodyError,
    ) as exc:
        reason = str(exc) if isinstance(exc, TruncatedBodyError) else type(exc).__name__
        raise AttemptError(
            SourceError(
                f"{what}: the connection failed or broke ({reason}); check the network, or try "
                "again later"
            ),
            is_retried=True,
        ) from exc
    except requests.RequestException as exc:
        raise SourceError(
            f"{what}: the request could not be made ({type(exc).__name__}); check the source's "
            "URL in the settings"
        ) from exc
    except PayloadError as exc:
        raise PayloadError(f"{what}: {exc}") from exc
    except SourceError as exc:
        raise AttemptError(SourceError(f"{what}: {exc}"), is_blocked=True) from exc


def _feed(response: requests.Response, decoder: BodyDecoder, deadline: float) -> Iterator[None]:
    # read1 returns after one packet, so a body that drips in cannot outlive the deadline.
    while received := response.raw.read1(_READ_BYTES, decode_content=False):
        decoder.feed(received)
        if time.monotonic() > deadline:
            raise TimeoutError
        yield


def read_body(response: requests.Response, max_bytes: int, deadline: float) -> bytes:
    """Return the whole decoded body.

    Args:
        response: Opened with ``stream=True``.
        max_bytes: Most bytes of decoded body that are taken.
        deadline: ``time.monotonic()`` at which the body has to be complete.

    Raises:
        PayloadError: The body is larger, or encoded in a way that was not asked for.
        TruncatedBodyError: It ends too early.
        TimeoutError: The deadline has passed.
    """
    decoder = BodyDecoder(response.headers.get("content-encoding", ""), max_bytes)
    for _ in _feed(response, decoder, deadline):
        pass
    return decoder.finish()


def read_start(response: requests.Response, deadline: float) -> bytes:
    """Return the start of an error page; whatever goes wrong matters less than the status."""
    try:
        decoder = BodyDecoder(response.headers.get("content-encoding", ""), 2**20)
        for _ in _feed(response, decoder, deadline):
            if len(decoder.so_far) >= _EXCERPT_BYTES:
                break
    except (PayloadError, TruncatedBodyError, TimeoutError, urllib3.exceptions.HTTPError):
        return b""
    return decoder.so_far[:_EXCERPT_BYTES]
