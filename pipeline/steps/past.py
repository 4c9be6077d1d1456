"""Past days: those whose nights did not happen, ranges by hand, landed bytes read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline import run_log, step_log
from pipeline.settings import Settings
from pipeline.sources.registry import get_feed
from pipeline.steps.running import locked, running
from pipeline.steps.validating import count_rows

if TYPE_CHECKING:
    from pipeline.backfilling import Chunk
    from pipeline.replay import ReplayReport
    from pipeline.sources.base import Source


def catch_up(
    settings: Settings,
    market_date: date,
    run_id: str,
    *,
    wait_seconds: float | None = None,
) -> dict[str, dict[str, str]]:
    """Fill the days whose nights did not happen, where vendors can be asked for the past.

    The night's own feeds come first, as some vendors know the present only. A night that is
    run again for an earlier day catches up nothing.

    Args:
        settings: Where.
        market_date: The UTC day of the night that is running.
        run_id: That night.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        What became of each feed, by day; empty when no night was missed.

    Raises:
        LockedError: Another run is writing.
    """
    from pipeline import catching_up

    if market_date < settings.default_market_date():
        return {}
    with step_log.noted(settings, run_id, "catch up", market_date):
        dealt_with = catching_up.catch_up(
            settings, market_date, run_id, lambda: locked(settings, run_id, wait_seconds)
        )
    return {missed.market_date.isoformat(): dict(missed.feeds) for missed in dealt_with}


def backfill(
    settings: Settings,
    feed: str,
    first: date,
    last: date,
    run_id: str,
    *,
    source: str | None = None,
    chunk_days: int | None = None,
    wait_seconds: float | None = None,
    on_chunk: Callable[[Chunk, int, int], None] = lambda chunk, done, total: None,
    on_plan: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Fetch a range of days from a source that can be asked for the past.

    Days are asked for in chunks, oldest first; a chunk that is stored is remembered, so that
    the same call goes on where an interrupted one ended. The writer lock is held only while a
    chunk is stored, so a night may run beside it.

    Args:
        settings: Where.
        feed: One of the feeds, nightly or not.
        first: First UTC day.
        last: Last UTC day.
        run_id: The run.
        source: Which source; the feed's first that can be asked for the past by default.
        chunk_days: Days that are asked for, or read, at once; by default 30, or 365 of a source
            that sends all its days in one answer, which is asked once for the whole range.
        wait_seconds: How long to wait for another writer; the setting by default.
        on_chunk: Called after each chunk with how many of how many are done.
        on_plan: Called before the first, with how many of how many were done by earlier tries.

    Returns:
        ``feed``, ``dataset``, ``source``, how many ``chunks`` were done, and how many rows were
        ``added``, ``revised``, ``unchanged`` and ``quarantined``, earlier tries included.

    Raises:
        UnobtainableError: The source only knows the present.
        SourceError: It did not answer; run the same again to go on.
        QualityError: Chunks were refused; all others are stored.
    """
    from pipeline.backfilling import run_backfill

    with running(settings, run_id, f"backfill {feed}", last, is_locked=False) as note:
        loaded = run_backfill(
            settings,
            get_feed(feed),
            first,
            last,
            run_id,
            source_name=source,
            chunk_days=chunk_days,
            lock=lambda: locked(settings, run_id, wait_seconds),
            on_chunk=on_chunk,
            on_plan=on_plan,
        )
        count_rows(note, loaded)
        return loaded


def replay(
    settings: Settings,
    sources: Iterable[Source],
    first: date,
    last: date,
    run_id: str,
    *,
    is_applied: bool = False,
    wait_seconds: float | None = None,
    on_fetch: Callable[[str], None] = lambda _: None,
) -> list[ReplayReport]:
    """Read landed bytes again with today's parsers; see ``pipeline.replay``.

    Args:
        settings: Where.
        sources: Whose bytes.
        first: First day of the rows.
        last: Last day of the rows.
        run_id: The run; it begins with ``replay-``.
        is_applied: Whether to store what differs.
        wait_seconds: How long to wait for another writer; the setting by default.
        on_fetch: Called with a text that names each fetch before it is read.

    Returns:
        One report per source that has landed anything.

    Raises:
        LockedError: Another run is writing, and the differences are to be stored.
    """
    from pipeline.raw_store import RawStore
    from pipeline.replay import landed_nights, replay_source

    if is_applied:
        run_log.begin(settings, run_id, "replay", last)
    with locked(settings, run_id, wait_seconds) if is_applied else nullcontext():
        if is_applied:
            RawStore(settings.raw_dir).recover()
        reports = [
            replay_source(
                settings,
                source,
                first,
                last,
                run_id,
                is_applied=is_applied,
                on_fetch=lambda fetch: on_fetch(
                    f"{fetch.source.dataset} of {fetch.market_date} from {fetch.source.name}"
                ),
            )
            for source in sources
            if landed_nights(settings, source)
        ]
    if is_applied:
        run_log.close(settings, run_id, "loaded")
    return reports
