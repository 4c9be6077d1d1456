"""The clock: a night is for the UTC day that the clock says has ended."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pipeline.doctor.finding import Finding
from pipeline.settings import Settings

WARN_SECONDS = 5.0
FAIL_SECONDS = 300.0
_STEP = "let chrony or systemd-timesyncd set the clock"
_TIMEX_BYTES = 512
"""More than the kernel's ``struct timex`` has on any platform."""
_NOT_SYNCHRONIZED = 5


def offline(settings: Settings) -> Iterator[Finding]:
    """Is the clock behind what runs have recorded, and does a time service keep it?

    The time zone of the system does not matter: everything is UTC.
    """
    now, newest = settings.now(), last_recorded(settings)
    if newest is not None and newest > now + timedelta(seconds=FAIL_SECONDS):
        yield Finding(
            "clock",
            "fail",
            f"it is {now:%Y-%m-%d %H:%M} UTC by the clock, and a run was recorded at "
            f"{newest:%Y-%m-%d %H:%M}: it goes wrong now, or went wrong then",
            _STEP,
        )
    elif is_synchronized() is False:
        yield Finding("clock", "warn", "the kernel says that no time service keeps it", _STEP)
    else:
        kept = "it is kept by a time service" if is_synchronized() else "it goes forward"
        yield Finding("clock", "ok", f"{kept}; `--online` holds it against another")


def last_recorded(settings: Settings) -> datetime | None:
    """Return the latest instant at which a run was begun, ended or published; None without any."""
    stamps: list[datetime] = []
    files = sorted((settings.journal_dir / "run").glob("[!.]*.json"))
    for path in (*files, settings.published_dir / "manifest.json"):
        if path.exists():
            record = json.loads(path.read_bytes())
            said = (record.get(name) for name in ("started_at", "ended_at", "published_at"))
            stamps += [datetime.fromisoformat(stamp).astimezone(UTC) for stamp in said if stamp]
    return max(stamps, default=None)


def is_synchronized() -> bool | None:
    """Return whether the kernel's clock is kept by a time service; None where nobody can tell.

    Linux tells by ``adjtimex`` without changing anything, whichever service it is.
    """
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (AttributeError, OSError, TypeError):
        return None
    state = int(ask(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return None if state < 0 else state != _NOT_SYNCHRONIZED


def online(settings: Settings) -> Iterator[Finding]:
    """Does the clock agree with the one of a vendor, by the Date header of an answer?"""
    import requests

    from pipeline.sources.vendors import get_vendor

    url = get_vendor("coingecko").url(settings)
    answer = requests.head(
        url, timeout=settings.http_connect_timeout_seconds, allow_redirects=False
    )
    stamp = answer.headers.get("Date")
    if stamp is None:
        yield Finding("clock online", "warn", f"{url} answers without a date", "try again later")
        return
    seconds = (datetime.now(UTC) - parsedate_to_datetime(stamp)).total_seconds()
    ahead = "ahead of" if seconds > 0 else "behind"
    detail = f"{abs(seconds):,.0f} seconds {ahead} {url}"
    if abs(seconds) > FAIL_SECONDS:
        yield Finding("clock online", "fail", detail, _STEP)
    elif abs(seconds) > WARN_SECONDS:
        yield Finding("clock online", "warn", detail, _STEP)
    else:
        yield Finding("clock online", "ok", detail)
