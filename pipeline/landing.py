"""The landing archive: what vendors sent, as received, never changed.

``<dataset>/<source>/<market_date>/`` holds

* ``<name>-<sha12>.<json|csv>.gz``: the body, in deterministic gzip. It is named by its
  content, so the same bytes are kept once a day however often they come.
* ``<fetched_at>-<run_id>-<name>-<sha12>.meta.json``: one per response: where it came from,
  when, with which headers, and the full sha256 of the body. It is written last: a body
  without one was never landed.
* ``<body>.pruned``: in place of a body whose rows are stored and which was old enough to go.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigurationError, PayloadError
from pipeline.files import clear_leftovers, write_in_order
from pipeline.sources.http import HttpResponse

_META = ".meta.json"
PRUNED = ".pruned"
"""What a body that upkeep has deleted leaves in its place, with the time of it inside."""


@dataclass(frozen=True)
class LandedPayload:
    """One response in the archive; ``path`` is relative to its root, times are UTC."""

    dataset: str
    source: str
    market_date: date
    name: str
    run_id: str
    fetched_at: datetime
    path: str
    sha256: str
    size_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the payload's description in JSON types, as it travels between tasks."""
        return {
            **asdict(self),
            "market_date": self.market_date.isoformat(),
            "fetched_at": self.fetched_at.isoformat(),
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> LandedPayload:
        """Return the payload that ``to_dict`` or a sidecar describes.

        Raises:
            PayloadError: A field is missing or of another type.
        """
        try:
            payload = cls(
                market_date=date.fromisoformat(described["market_date"]),
                fetched_at=datetime.fromisoformat(described["fetched_at"]),
                size_bytes=int(described["size_bytes"]),
                **{name: str(described[name]) for name in _TEXT_FIELDS},
            )
        except (KeyError, TypeError, ValueError, OverflowError) as exc:
            raise PayloadError(f"this does not describe a landed payload: {exc!r}") from exc
        if payload.fetched_at.tzinfo is None:
            raise PayloadError(f"{payload.path}: fetched_at has no time zone")
        return payload


_TEXT_FIELDS = ("dataset", "source", "name", "run_id", "path", "sha256")


def _slug(text: str) -> str:
    """Return ``text`` as a safe part of a file name; two texts never share one."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:60]
    if safe == text:
        return safe
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
    return f"{safe or 'unnamed'}-{digest[:8]}"


class Landing:
    """The landing archive under ``root``."""

    def __init__(self, root: Path) -> None:
        """Use ``root``, which need not exist."""
        self._root = root

    def _folder(self, dataset: str, source: str, market_date: date) -> Path:
        return self._root / _slug(dataset) / _slug(source) / market_date.isoformat()

    def land(
        self,
        response: HttpResponse,
        *,
        source: str,
        dataset: str,
        market_date: date,
        name: str,
        run_id: str,
        fetched_at: datetime,
    ) -> LandedPayload:
        """Keep a response for ever.

        Args:
            response: The body goes in as received; URL and headers are free of secrets.
            source: The vendor's name.
            dataset: The raw dataset it is for.
            market_date: The day it was fetched for.
            name: Which response of the fetch, as the source calls it.
            run_id: The run that fetched it.
            fetched_at: When the fetch took place; the same for all its responses.

        Returns:
            Where it is. Landing it once more gives the same and writes nothing; the same
            bytes from another fetch share the file and get their own sidecar.

        Raises:
            ConfigurationError: ``fetched_at`` has no time zone.
        """
        if fetched_at.tzinfo is None:
            raise ConfigurationError("fetched_at needs a time zone; pass an aware datetime in UTC")
        fetched_at = fetched_at.astimezone(UTC)
        sha256 = hashlib.sha256(response.body).hexdigest()
        folder = self._folder(dataset, source, market_date)
        stem = f"{_slug(name)}-{sha256[:12]}"
        path = folder / f"{stem}.{response.body_format}.gz"
        payload = LandedPayload(
            dataset=dataset,
            source=source,
            market_date=market_date,
            name=name,
            run_id=run_id,
            fetched_at=fetched_at,
            path=path.relative_to(self._root).as_posix(),
            sha256=sha256,
            size_bytes=len(response.body),
        )
        sidecar = folder / f"{fetched_at:%Y%m%dT%H%M%S%fZ}-{_slug(run_id)}-{stem}{_META}"
        missing: list[tuple[Path, bytes]] = []
        if not self._holds(payload):
            missing.append((path, gzip.compress(response.body, mtime=0)))
        if not sidecar.exists():
            described = payload.to_dict() | {
                "url": response.url,
                "status": response.status,
                "headers": dict(response.headers),
                "received_at": response.fetched_at.isoformat(),
            }
            missing.append((sidecar, json.dumps(described, indent=1).encode() + b"\n"))
        if missing:
            # Fetching holds no lock, so nobody else knows that a fetch was killed.
            clear_leftovers([folder], is_deep=False)
            write_in_order(missing)
        return payload

    def _holds(self, payload: LandedPayload) -> bool:
        try:
            self.read(payload)
        except PayloadError:
            return False
        return True

    def read(self, payload: LandedPayload) -> bytes:
        """Return a body exactly as it was received.

        Raises:
            PayloadError: The file is missing, damaged, or not the one that was landed.
        """
        path = self._root / payload.path
        try:
            is_inside = path.resolve().is_relative_to(self._root.resolve())
        except ValueError:
            is_inside = False
        if not is_inside:
            raise PayloadError(f"{payload.path!r} is outside the landing archive")
        try:
            with gzip.open(path) as handle:
                body = handle.read(payload.size_bytes + 1)
        except (OSError, EOFError, zlib.error) as exc:
            marker = path.with_name(path.name + PRUNED)
            if isinstance(exc, FileNotFoundError) and marker.exists():
                raise PayloadError(
                    f"{payload.market_date}: {payload.path} was pruned on "
                    f"{marker.read_text()[:10]}, its rows being stored; a backup from before has it"
                ) from exc
            raise PayloadError(
                f"{payload.market_date}: {payload.path} cannot be read ({type(exc).__name__}); "
                "restore the landing archive, or fetch again"
            ) from exc
        if hashlib.sha256(body).hexdigest() != payload.sha256:
            raise PayloadError(
                f"{payload.market_date}: {payload.path} is not what was landed (sha256 differs); "
                "restore the landing archive, or fetch again"
            )
        return body

    def find(self, dataset: str, source: str, market_date: date) -> list[list[LandedPayload]]:
        """Return what was landed for a day.

        Returns:
            One list per fetch, the newest fetch first; in it one payload per response,
            ordered by name. Empty when nothing was landed.

        Raises:
            PayloadError: A sidecar is damaged.
        """
        fetches: dict[tuple[datetime, str], list[LandedPayload]] = {}
        for sidecar in sorted(self._folder(dataset, source, market_date).glob(f"*{_META}")):
            try:
                described = json.loads(sidecar.read_bytes())
            except ValueError as exc:
                raise PayloadError(f"{market_date}: {sidecar.name} is damaged; restore it") from exc
            payload = LandedPayload.from_dict(described)
            fetches.setdefault((payload.fetched_at, payload.run_id), []).append(payload)
        return [
            sorted(fetches[fetch], key=lambda payload: (payload.name, payload.path))
            for fetch in sorted(fetches, reverse=True)
        ]
