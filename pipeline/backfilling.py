"""Fetching a long range of past days, chunk by chunk, so that it can be interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.datasets import get_dataset
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    QualityError,
    UnobtainableError,
)
from pipeline.fetching import (
    Effort,
    land_fetch,
    range_run_id,
    read_frame,
    shared_payloads,
    vintage_of,
)
from pipeline.loading import load_frame
from pipeline.settings import Settings
from pipeline.sources.base import Source
from pipeline.sources.registry import Feed
from pipeline.sources.shared_state import locked_state, read_state

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.landing import LandedPayload

logger = logging.getLogger(__name__)

DEFAULT_CHUNK_DAYS = 30

DEFAULT_READ_DAYS = 365
"""The same of a source that is asked once: the chunks are only read apart, each of the whole."""

SHORTENED_DAYS = 7
"""A chunk whose last days a vendor does not have ends at most so many days earlier."""

_Lock = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Chunk:
    """What became of one chunk; ``reason`` is None when it was stored."""

    first: date
    last: date
    added: int = 0
    revised: int = 0
    unchanged: int = 0
    quarantined: int = 0
    reason: str | None = None


def plan_chunks(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    """Cut a range into chunks of ``days``, oldest first.

    A rest of a few days goes with the last chunk, so that a vendor which does not have those
    yet only shortens it; a longer rest is a chunk of its own.
    """
    while first <= last:
        end = min(first + timedelta(days=days - 1), last)
        if (last - end).days < min(days, SHORTENED_DAYS):
            end = last
        yield first, end
        first = end + timedelta(days=1)


def choose_source(settings: Settings, feed: Feed, name: str | None) -> Source:
    """Return the source to ask for past days.

    Raises:
        UnobtainableError: It only knows the present, or needs a key or a consent.
    """
    named = [source for source in feed.sources if name is None or source.name == name]
    by_date = [source for source in named if source.kind == "by_date"]
    if not by_date:
        known = ", ".join(source.name for source in feed.sources)
        who = f"no source of {feed.name}" if name is None else f"{name} of {feed.name} is not one"
        raise UnobtainableError(
            f"{who} that can be asked for past days (its sources: {known}); `tidemark replay "
            f"--feed {feed.name}` reads again what was landed, `tidemark import DIR` loads your "
            "own history"
        )
    usable = [source for source in by_date if source.is_usable(settings)]
    if not usable:
        raise UnobtainableError(
            f"{by_date[0].name} is not set up; .env.example names its key or consent"
        )
    return usable[0]


def run_backfill(
    settings: Settings,
    feed: Feed,
    first: date,
    last: date,
    run_id: str,
    *,
    source_name: str | None,
    chunk_days: int | None,
    lock: _Lock,
    on_chunk: Callable[[Chunk, int, int], None],
    on_plan: Callable[[int, int], None],
) -> dict[str, Any]:
    """Fetch, check and store every chunk that is not stored yet; see ``steps.backfill``."""
    source = choose_source(settings, feed, source_name)
    last = min(last, settings.default_market_date())
    if source.earliest_date is not None:
        first = max(first, source.earliest_date)
    if chunk_days is None:
        chunk_days = DEFAULT_READ_DAYS if source.sends_all_since else DEFAULT_CHUNK_DAYS
    chunks = list(plan_chunks(first, last, chunk_days))
    if not chunks:
        raise UnobtainableError(
            f"{source.name} has no day of {feed.name} from {first} to {last}; it begins "
            f"{source.earliest_date or 'later'} and ends with the last complete day"
        )
    progress = settings.state_dir / "backfill" / _file_name(feed, source, first, last, chunk_days)
    done = _read_progress(progress)
    on_plan(len(done), len(chunks))
    fetch: _Fetch | None = None
    if source.sends_all_since and any(begin not in done for begin, _ in chunks):
        fetch_id = range_run_id(run_id, first)
        fetched = land_fetch(settings, source, last, fetch_id, Effort(), since=first)
        fetch = _Fetch(fetch_id, fetched)
    outcomes: list[Chunk] = []
    for begin, end in chunks:
        chunk = done.get(begin) or _run_chunk(settings, source, begin, end, run_id, lock, fetch)
        if chunk.reason is None:
            _keep_progress(progress, chunk)
        else:
            logger.warning("%s %s to %s: %s", source.name, begin, end, chunk.reason)
        outcomes.append(chunk)
        on_chunk(chunk, len(outcomes), len(chunks))
    refused = [chunk for chunk in outcomes if chunk.reason is not None]
    if refused:
        listed = "; ".join(f"{c.first} to {c.last}: {c.reason}" for c in refused)
        raise QualityError(
            f"{len(refused)} of {len(chunks)} chunks of {feed.name} from {source.name} are not "
            f"stored, all others are. {listed}. The same command tries those again"
        )
    progress.unlink(missing_ok=True)
    counts = ("added", "revised", "unchanged", "quarantined")
    return {
        "feed": feed.name,
        "dataset": feed.dataset,
        "source": source.name,
        "chunks": len(outcomes),
        **{name: sum(getattr(chunk, name) for chunk in outcomes) for name in counts},
    }


@dataclass(frozen=True)
class _Fetch:
    """One fetch of which all chunks are read, and the id under which it was landed."""

    run_id: str
    payloads: list[LandedPayload]


def _run_chunk(
    settings: Settings,
    source: Source,
    first: date,
    last: date,
    run_id: str,
    lock: _Lock,
    fetch: _Fetch | None,
) -> Chunk:
    """Fetch, unless that is done, and store a chunk; a refusal is its outcome, silence raises."""
    chunk_run_id = range_run_id(run_id, first) if fetch is None else fetch.run_id
    landed = None if fetch is None else fetch.payloads
    try:
        payloads, frame, end = _fetch_chunk(settings, source, first, last, chunk_run_id, landed)
    except (PayloadError, UnobtainableError, NotYetAvailableError) as exc:
        return Chunk(first, last, reason=str(exc))
    known_at = min(payload.fetched_at for payload in payloads)
    try:
        with lock():
            result = load_frame(
                settings,
                frame,
                get_dataset(source.dataset),
                market_date=end,
                run_id=chunk_run_id,
                source=source.name,
                known_at=known_at,
                vintage=vintage_of(chunk_run_id, known_at),
                payload_refs=[payload.path for payload in payloads],
                subject=f"{source.dataset}-{source.name}-{first}",
            )
    except QualityError as exc:
        return Chunk(first, last, reason=str(exc))
    return Chunk(first, last, result.added, result.revised, result.unchanged, result.quarantined)


def _fetch_chunk(
    settings: Settings,
    source: Source,
    first: date,
    last: date,
    run_id: str,
    payloads: list[LandedPayload] | None,
) -> tuple[list[LandedPayload], pd.DataFrame, date]:
    """Return payloads, rows and the last day of a chunk, which ends where the vendor does."""
    end = last
    while True:
        try:
            if source.payloads_of is not None:
                payloads = shared_payloads(settings, source, end, since=first)
            elif payloads is None:
                payloads = land_fetch(settings, source, end, run_id, Effort(), since=first)
            return payloads, read_frame(settings, source, payloads, end, since=first), end
        except (UnobtainableError, NotYetAvailableError) as exc:
            is_asked_in_vain = payloads is None and isinstance(exc, UnobtainableError)
            if is_asked_in_vain or end <= max(first, last - timedelta(days=SHORTENED_DAYS)):
                raise
            end -= timedelta(days=1)


def _file_name(feed: Feed, source: Source, first: date, last: date, chunk_days: int) -> str:
    return f"{feed.name}-{source.name}-{first}-{last}-{chunk_days}.json"


def _read_progress(path: Path) -> dict[date, Chunk]:
    """Return the chunks that an interrupted run of the same range has stored."""
    chunks = [
        Chunk(
            **{
                **content,
                "first": date.fromisoformat(content["first"]),
                "last": date.fromisoformat(content["last"]),
            }
        )
        for content in read_state(path).values()
    ]
    return {chunk.first: chunk for chunk in chunks}


def _keep_progress(path: Path, chunk: Chunk) -> None:
    with locked_state(path) as state:
        state[chunk.first.isoformat()] = asdict(chunk) | {
            "first": chunk.first.isoformat(),
            "last": chunk.last.isoformat(),
        }
