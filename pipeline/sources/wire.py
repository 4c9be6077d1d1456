"""Pure rules of the wire: what to hide, how long to wait, how to decode, what to believe."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pipeline.errors import PayloadError, SourceError
from pipeline.sources.payload import SHOWN_CHARACTERS

BodyFormat = Literal["json", "csv", "zip", "text"]

HIDDEN = "***"
_SECRET_NAME = re.compile(r"key|token|secret|auth|sig|pass|credential", re.IGNORECASE)
_SECRET_HEADER = re.compile(r"cookie|key|token|secret|auth|credential", re.IGNORECASE)
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11
_ANY_FORMAT = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_CSV_TYPES = frozenset({"text/csv", "application/csv", "application/vnd.ms-excel"})
_ZIP_TYPES = frozenset({"application/zip", "application/x-zip", "application/x-zip-compressed"})
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_WEB_PAGE = re.compile(rb"<!doctype html|<html|<head|<body", re.IGNORECASE)
_SNIFFED_BYTES = 1024


def redact_text(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with every secret value replaced, as written or as in a URL."""
    for secret in secrets:
        for form in {secret, quote(secret, safe="")}:
            text = re.sub(re.escape(form), HIDDEN, text, flags=re.IGNORECASE)
    return text


def redact_url(url: str, secrets: Iterable[str] = ()) -> str:
    """Return ``url`` without user, password, fragment or the value of a key-like parameter."""
    parts = urlsplit(url)
    query = urlencode(
        [
            (name, HIDDEN if _SECRET_NAME.search(name) else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        safe="*,:",
    )
    host = parts.netloc.rpartition("@")[2]
    return redact_text(urlunsplit((parts.scheme, host, parts.path, query, "")), secrets)


def public_headers(headers: Mapping[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """Return response headers in lower case, without cookies, keys and tokens."""
    hidden = tuple(secrets)
    return {
        name.lower(): redact_text(value, hidden)
        for name, value in headers.items()
        if not _SECRET_HEADER.search(name)
    }


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long a vendor asks to wait, in seconds, or None when it does not say.

    ``Retry-After`` may be whole or fractional seconds or an HTTP date, which is read against
    the response's own ``Date`` so that no clock of ours matters. Without it,
    ``x-ratelimit-reset`` counts: seconds from now, or an epoch in seconds or milliseconds.

    Args:
        headers: Response headers, names in lower case.
        now: Stands in for a missing ``Date``.
    """
    vendor_now = _http_date(headers.get("date")) or now
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is None and (until := _http_date(asked)) is not None:
        seconds = (until - vendor_now).total_seconds()
    if seconds is None:
        seconds = _number(headers.get("x-ratelimit-reset"))
        if seconds is not None and seconds >= _EPOCH_SECONDS:
            scale = 1000 if seconds >= _EPOCH_MILLISECONDS else 1
            seconds = seconds / scale - vendor_now.timestamp()
    return None if seconds is None else max(0.0, seconds)


class TruncatedBodyError(Exception):
    """The body ended before it was complete; asking again may help."""


class BodyDecoder:
    """Undo ``Content-Encoding`` piece by piece, never holding more than ``max_bytes``.

    Written here because urllib3 takes a gzip stream that ends early for a complete one.
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        """Prepare for one body.

        Raises:
            PayloadError: The encoding is not one that was asked for.
        """
        encoding = encoding.strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise PayloadError(f"content-encoding {encoding[:40]!r} was not asked for")
        is_gzip = encoding.endswith("gzip")
        self._inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if is_gzip else None
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, received: bytes) -> None:
        """Take the next bytes off the wire.

        Raises:
            PayloadError: The decoded body is larger than ``max_bytes``.
            TruncatedBodyError: The bytes are not what the encoding allows.
        """
        piece = received
        if self._inflater is not None:
            try:
                piece = self._inflater.decompress(received, self._max_bytes - self._size + 1)
            except zlib.error as exc:
                raise TruncatedBodyError("the gzip stream is damaged") from exc
            if self._inflater.unused_data:
                raise TruncatedBodyError("bytes follow the end of the gzip stream")
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise PayloadError(f"the body is larger than {self._max_bytes} bytes")
        self._pieces.append(piece)

    @property
    def so_far(self) -> bytes:
        """What has been decoded until now."""
        return b"".join(self._pieces)

    def finish(self) -> bytes:
        """Return the whole decoded body.

        Raises:
            TruncatedBodyError: The gzip stream did not reach its end.
        """
        if self._inflater is not None and not self._inflater.eof:
            raise TruncatedBodyError("the gzip stream ends too early")
        return self.so_far


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """Return the first characters of a body for a message, without secrets."""
    text = redact_text(body.decode("utf-8", "replace"), secrets)
    return repr(" ".join(text[: 4 * SHOWN_CHARACTERS].split())[:SHOWN_CHARACTERS])


def check_body(body: bytes, content_type: str, expect: BodyFormat, secrets: Iterable[str]) -> None:
    """Check that a body is what was asked for, by its header and by its first bytes.

    Raises:
        SourceError: It is a web page, as a block or maintenance notice is.
        PayloadError: It is empty or something else altogether.
    """
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:_SNIFFED_BYTES]
    media_type = content_type.partition(";")[0].strip().lower()
    if _is_web_page(start, media_type, expect):
        raise SourceError(
            f"a web page came instead of {expect}: {excerpt(body, secrets)}; the vendor blocks "
            "this address or is down, try again later"
        )
    if not start:
        raise PayloadError(f"the body is empty instead of {expect}")
    if not _is_format(body, start[:1], media_type, expect):
        raise PayloadError(
            f"{media_type or 'a body without content-type'} came instead of {expect}: "
            f"{excerpt(body, secrets)}"
        )


def _is_web_page(start: bytes, media_type: str, expect: BodyFormat) -> bool:
    if "html" in media_type or _WEB_PAGE.match(start):
        return True
    # Text may be XML, as a listing of files is, unless that holds a page.
    is_xml = expect == "text" and start.startswith(b"<?xml")
    return bool(_WEB_PAGE.search(start)) if is_xml else start.startswith(b"<")


def _is_format(body: bytes, first: bytes, media_type: str, expect: BodyFormat) -> bool:
    if expect == "json":
        is_type = media_type in _ANY_FORMAT or media_type.endswith(("/json", "+json"))
        return is_type and first in b"[{"
    if expect == "zip":
        return media_type in _ANY_FORMAT | _ZIP_TYPES and body.startswith(_ZIP_STARTS)
    is_text = b"\0" not in body[:_SNIFFED_BYTES]
    if expect == "text":
        is_type = media_type in _ANY_FORMAT or media_type.startswith("text/")
        return is_text and (is_type or media_type.endswith("xml"))
    return is_text and media_type in _ANY_FORMAT | _CSV_TYPES and first not in b"[{"
