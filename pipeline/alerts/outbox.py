"""Composed alerts that wait until they are accepted, one JSON file each.

A file is written whole before the state of the problems says that they were told, and is
replaced after each acceptance, so a crash at any moment loses no alert. One is sent twice only
when the machine dies between the server's "accepted" and the replacement of the file; it then
carries the same ``Message-ID``, by which mail programs show it once.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from pipeline.alerts.mail import Chart
from pipeline.errors import LockedError
from pipeline.files import clear_leftovers, write_bytes_atomically
from pipeline.settings import Settings

GIVEN_UP_AFTER = timedelta(days=3)
KEPT_FOR = timedelta(days=90)
WEBHOOK = "webhook"
LOCK_WAIT_SECONDS = 240.0

Status = Literal["waiting", "sent", "given up"]


@dataclass(frozen=True)
class Delivery:
    """How far an alert has come with one recipient.

    Args:
        status: ``waiting`` until the server accepted it, or until it was given up.
        attempts: Tries so far.
        settled_at: When it was accepted or given up.
        error: What the last try ended with.
    """

    status: Status = "waiting"
    attempts: int = 0
    settled_at: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """One composed alert.

    Args:
        entry_id: Made of what it says, so that composing it again makes the same one.
        created_at: When it was composed, in UTC.
        kind: digest, weekly, or test.
        subject: As in the header.
        text: Plain body.
        html: HTML body.
        message_id: The same for every try.
        deliveries: By recipient; the webhook goes by the name ``webhook``.
        chart_png: Picture of the HTML, in base64; None without one.
        chart_alt: What it shows in words.
    """

    entry_id: str
    created_at: datetime
    kind: str
    subject: str
    text: str
    html: str
    message_id: str
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    chart_png: str | None = None
    chart_alt: str = ""

    @property
    def waiting(self) -> tuple[str, ...]:
        """Who has not got it yet."""
        return tuple(name for name, d in self.deliveries.items() if d.status == "waiting")

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody it is mailed to, whether they have it or not."""
        return tuple(name for name in self.deliveries if name != WEBHOOK)

    @property
    def chart(self) -> Chart | None:
        """The picture, if there is one."""
        if self.chart_png is None:
            return None
        return Chart(base64.b64decode(self.chart_png), self.chart_alt)

    def settled(
        self, recipient: str, status: Status, at: datetime, error: str | None = None
    ) -> Entry:
        """Return the entry after one more try with a recipient."""
        before = self.deliveries[recipient]
        after = Delivery(
            status,
            before.attempts + 1,
            None if status == "waiting" else at.isoformat(timespec="seconds"),
            error,
        )
        return replace(self, deliveries={**self.deliveries, recipient: after})


def entry_id(*parts: str) -> str:
    """Return the id of an alert that is told by ``parts``."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


class Outbox:
    """The outbox of a home: a folder with a file per alert, oldest name first."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.alerts_dir / "outbox"

    def add(self, entry: Entry) -> bool:
        """Keep an alert unless it is there already, sent or not; return whether it was new."""
        if any(self._root.glob(f"*-{entry.entry_id}.json")):
            return False
        self.save(entry)
        return True

    def save(self, entry: Entry) -> None:
        """Replace an alert's file; once this returns it survives a crash."""
        content = asdict(entry) | {
            "created_at": entry.created_at.isoformat(),
            "deliveries": {name: asdict(d) for name, d in entry.deliveries.items()},
        }
        path = self._root / f"{entry.created_at:%Y%m%dT%H%M%S}-{entry.entry_id}.json"
        write_bytes_atomically(path, json.dumps(content, indent=1).encode() + b"\n")

    def entries(self) -> list[Entry]:
        """Return every alert that is kept, oldest first."""
        return [_read(path) for path in sorted(self._root.glob("[!.]*.json"))]

    def waiting(self) -> list[Entry]:
        """Return the alerts that somebody has not got yet, oldest first."""
        return [entry for entry in self.entries() if entry.waiting]

    def prune(self, now: datetime) -> None:
        """Delete alerts that everybody has had for long."""
        for path in sorted(self._root.glob("[!.]*.json")):
            entry = _read(path)
            if not entry.waiting and now - entry.created_at > KEPT_FOR:
                path.unlink()


def _read(path: Path) -> Entry:
    content: dict[str, Any] = json.loads(path.read_bytes())
    known = {name: content[name] for name in Entry.__dataclass_fields__ if name in content}
    return Entry(
        **known
        | {
            "created_at": datetime.fromisoformat(content["created_at"]),
            "deliveries": {name: Delivery(**d) for name, d in content["deliveries"].items()},
        }
    )


@contextmanager
def alerts_lock(settings: Settings) -> Iterator[None]:
    """Let one process at a time compose or send in a home.

    Raises:
        LockedError: Another one has been at it for minutes.
    """
    settings.alerts_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.alerts_dir / ".lock", timeout=LOCK_WAIT_SECONDS)
    try:
        lock.acquire()
    except Timeout as exc:
        raise LockedError(
            f"another process is sending the alerts of {settings.home}; try again when it is done"
        ) from exc
    try:
        clear_leftovers([settings.alerts_dir])
        yield
    finally:
        lock.release()
