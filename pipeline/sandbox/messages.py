"""Requests, answers, and what a vendor can know at a moment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pipeline.errors import ConfigurationError
from pipeline.sandbox.market import GrowingMarket, SimulatedMarket

JSON_TYPE = "application/json; charset=utf-8"
CSV_TYPE = "text/csv"
HTML_TYPE = "text/html; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
XML_TYPE = "application/xml"
ZIP_TYPE = "application/zip"

_AT_PREFIX = re.compile(r"^/at/([^/]+)(/.*)?$")


@dataclass(frozen=True)
class Request:
    """A request: the pretended or real time, the path behind ``/at/...``, the parameters.

    ``root`` is what comes before the vendor's folder: scheme, host and ``/at/...``; header
    names are in lower case.
    """

    path: str
    parameters: dict[str, str]
    now: datetime
    root: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self, **parameters: str) -> str:
        """Return this request's own address with other parameters."""
        return f"{self.root}{self.path}?{urlencode(self.parameters | parameters)}"


@dataclass(frozen=True)
class Response:
    """An answer. ``delay_seconds`` passes before it; ``wire`` says how it goes out.

    ``wire`` is empty, or one of ``cut`` (ends half-way), ``reset`` (the connection is reset
    half-way), ``drip`` (comes in small pieces), ``encoded`` (the body is gzip already).
    """

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    wire: str = ""


def parse_request(
    target: str,
    clock: Callable[[], datetime],
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Split a request target.

    Args:
        target: Path and query, perhaps behind ``/at/2026-11-19T01:10:00Z``.
        clock: Gives the time of requests without that prefix.
        headers: The request's headers.

    Raises:
        ConfigurationError: The time is not an ISO instant with an offset.
    """
    parts = urlsplit(target)
    path, now, prefix = unquote(parts.path), None, ""
    prefixed = _AT_PREFIX.match(path)
    if prefixed:
        path, prefix = prefixed[2] or "/", f"/at/{prefixed[1]}"
        try:
            now = datetime.fromisoformat(prefixed[1])
        except ValueError as exc:
            raise ConfigurationError(f"{prefixed[1]!r} is not an ISO instant") from exc
        if now.tzinfo is None:
            raise ConfigurationError(f"{prefixed[1]!r} has no offset; end it with Z")
    moment = (now or clock()).astimezone(UTC)
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Request(
        path,
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        moment,
        f"http://{lower.get('host', 'sandbox.invalid')}{prefix}",
        lower,
    )


class World:
    """What can be known at ``now``: the market up to the last close, and not a day further."""

    def __init__(self, growing: GrowingMarket, now: datetime) -> None:
        self._growing = growing
        self.now = now
        self.today = now.date()
        self.last_close = self.today - timedelta(days=1)

    @cached_property
    def market(self) -> SimulatedMarket:
        """The market, which may reach further than ``last_close``."""
        return self._growing.until(self.last_close)

    @cached_property
    def market_today(self) -> SimulatedMarket:
        """The market with today in it, for figures that are known at the open of a day."""
        return self._growing.until(self.today)

    @property
    def first_day(self) -> date:
        """First day of the market."""
        return self._growing.first_day

    @property
    def last_index(self) -> int:
        """Days from the first day to the last close."""
        return self.market.index_of(self.last_close)

    def day(self, index: int) -> date:
        """Return the day that many days after the first."""
        return self.first_day + timedelta(days=index)

    def midnight(self, index: int) -> int:
        """Return the UNIX seconds of 00:00 UTC on a day."""
        return seconds_of(self.day(index))


def seconds_of(day: date) -> int:
    """Return the UNIX seconds of 00:00 UTC on a day."""
    return int(datetime.combine(day, time(), UTC).timestamp())


def day_of(seconds: float) -> date:
    """Return the UTC day of UNIX seconds."""
    return datetime.fromtimestamp(seconds, UTC).date()


def iso(moment: datetime, timespec: str = "milliseconds") -> str:
    """Return an instant as ISO text ending with Z."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def render_json(document: Any) -> bytes:
    """Return JSON without blanks; NaN is refused."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def answer_json(document: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer."""
    return Response(status, JSON_TYPE, render_json(document), dict(headers))


def as_count(text: str | None, default: int, most: int = 10**6) -> int | None:
    """Read a count; the default for an absent one, None for one that is no count."""
    if text is None or text == "":
        return default
    if not (text.isdecimal() and text.isascii() and len(text) < 8):
        return None
    return int(text) if int(text) <= most else None


def as_seconds(text: str | None, default: float, per_second: int = 1) -> float | None:
    """Read a UNIX time; the default for an absent one, None for one that is no time."""
    if text is None or text == "":
        return default
    if not (text.isdecimal() and text.isascii() and len(text) < 16):
        return None
    return int(text) / per_second
