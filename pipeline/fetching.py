"""Getting a source's payloads: asked for and landed, or found in the landing archive."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.datasets import Vintage, get_dataset
from pipeline.errors import NotYetAvailableError, TidemarkError, UnobtainableError
from pipeline.landing import LandedPayload, Landing
from pipeline.settings import Settings
from pipeline.sources.base import Source, close_of
from pipeline.sources.http import HttpClient

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

LIVE_DAYS = 14
"""Days this near are of the nights' own windows; older ones are history that others kept."""

_SINCE = re.compile(r"--since-([0-9]{4}-[0-9]{2}-[0-9]{2})$")


@dataclass
class Effort:
    """What getting the payloads took; counts go on growing when it fails half-way."""

    call_count: int = 0
    byte_count: int = 0
    seconds: float = 0.0
    is_replayed: bool = False


@contextmanager
def counting_client(
    settings: Settings, vendor: str, effort: Effort, kind: type[HttpClient] = HttpClient
) -> Iterator[HttpClient]:
    """Open a client and add what it does to ``effort``, however the block ends."""
    started = time.monotonic()
    with kind(settings, vendor) as client:
        try:
            yield client
        finally:
            effort.call_count += client.traffic.calls
            effort.byte_count += client.traffic.body_bytes
            effort.seconds += time.monotonic() - started


def range_run_id(run_id: str, first: date) -> str:
    """Return the id of a run that asks for the days from ``first`` on.

    The landing archive keeps the run's id, so that the payloads say for ever which days they
    were asked for.
    """
    return f"{run_id}--since-{first}"


def first_day_asked(run_id: str) -> date | None:
    """Return the first day that a run asked for, or None for the sources' own window."""
    match = _SINCE.search(run_id)
    return None if match is None else date.fromisoformat(match[1])


def vintage_of(run_id: str, fetched_at: datetime) -> Vintage:
    """Return as what the rows of a fetch are stored: a range that begins long ago is history."""
    first = first_day_asked(run_id)
    oldest_live = fetched_at.astimezone(UTC).date() - timedelta(days=LIVE_DAYS)
    return "live" if first is None or first >= oldest_live else "reconstructed"


def land_fetch(
    settings: Settings,
    source: Source,
    market_date: date,
    run_id: str,
    effort: Effort,
    *,
    since: date | None = None,
) -> list[LandedPayload]:
    """Ask a source and land every response before the next is asked for.

    Raises:
        SourceError: The vendor did not answer; what it had sent until then is landed.
        PayloadError: It answered with something else than the documented format.
    """
    landing = Landing(settings.landing_dir)
    fetched_at = settings.now()
    with counting_client(settings, source.vendor, effort) as client:
        return [
            landing.land(
                response,
                source=source.name,
                dataset=source.dataset,
                market_date=market_date,
                name=name,
                run_id=run_id,
                fetched_at=fetched_at,
            )
            for name, response in source.fetch(client, settings, market_date, since=since)
        ]


def read_frame(
    settings: Settings,
    source: Source,
    payloads: Iterable[LandedPayload],
    market_date: date,
    *,
    since: date | None = None,
) -> pd.DataFrame:
    """Parse landed payloads as ``Source.parse`` does.

    Raises:
        PayloadError: A file is damaged, or not in the documented shape.
    """
    landing = Landing(settings.landing_dir)
    bodies = [(payload.name, landing.read(payload)) for payload in payloads]
    return source.parse(bodies, market_date, since=since)


def obtain(
    settings: Settings, source: Source, market_date: date, run_id: str, effort: Effort
) -> list[LandedPayload]:
    """Return a source's payloads of a night, asking it only where that makes sense.

    A source that only knows the present is not asked again once the night is published or
    the day is past; then what was landed is used.

    Raises:
        SourceError: It did not answer, or cannot answer for that day and nothing was landed.
        NotYetAvailableError: It stands where it stood the night before.
    """
    if source.payloads_of is not None:
        shared = shared_payloads(settings, source, market_date)
        check_moved_on(settings, source, shared, market_date)
        return shared
    is_past = market_date < settings.default_market_date()
    if source.kind == "now_only" and (is_past or _is_published(settings, source, market_date)):
        landed = _find_landed(settings, source, market_date, effort)
        if landed:
            return landed
        if is_past:
            raise UnobtainableError(
                f"{source.name} only knows the present and nothing was landed on "
                f"{market_date}; load that day from your own history with `tidemark import`"
            )
    try:
        payloads = land_fetch(settings, source, market_date, run_id, effort)
    except UnobtainableError:
        # Too late to ask, but an earlier run may have asked in time and gone no further.
        landed = _find_landed(settings, source, market_date, effort)
        if landed:
            return landed
        raise
    check_moved_on(settings, source, payloads, market_date)
    return payloads


def check_moved_on(
    settings: Settings, source: Source, payloads: Sequence[LandedPayload], market_date: date
) -> None:
    """Check that an answer is not the one of the night before, when the day was running.

    Such an answer has nothing of the day after, though the last one had the running day, and
    most of what it says of the day is what was said of it then.

    Raises:
        NotYetAvailableError: It stands still.
    """
    landing = Landing(settings.landing_dir)
    landed_for = source.payloads_of or source.dataset
    before = market_date - timedelta(days=1)
    fetches = [
        fetch
        for fetch in landing.find(landed_for, source.name, before)
        if fetch[0].fetched_at < close_of(market_date)
    ]
    if not fetches:
        return

    def points(of: Sequence[LandedPayload], day: date) -> Mapping[str, object]:
        try:
            return source.points_of([(each.name, landing.read(each)) for each in of], day)
        except TidemarkError as exc:
            # A body that cannot be read is refused when it is parsed.
            logger.debug("%s of %s cannot be compared: %s", source.name, day, exc)
            return {}

    then, now = points(fetches[0], market_date), points(payloads, market_date)
    same = [series for series, point in now.items() if then.get(series) == point]
    if 2 * len(same) > len(now) and not points(payloads, market_date + timedelta(days=1)):
        raise NotYetAvailableError(
            f"{source.name} says of {market_date} what it said while the day was running, as of "
            f"{', '.join(sorted(same)[:3])}, and nothing of the day after; it stands still, run "
            "again later"
        )


def shared_payloads(
    settings: Settings, source: Source, market_date: date, *, since: date | None = None
) -> list[LandedPayload]:
    """Return the newest fetch that the same source landed for the dataset it shares files with.

    Raises:
        NotYetAvailableError: There is none of these days.
    """
    shared = str(source.payloads_of)
    for payloads in Landing(settings.landing_dir).find(shared, source.name, market_date):
        is_wanted = since is None or first_day_asked(payloads[0].run_id) == since
        if is_wanted and _is_whole(settings, source, payloads, market_date, since):
            return payloads
    raise NotYetAvailableError(
        f"{source.dataset} of {market_date} is read from the files that {source.name} sends for "
        f"{shared}, and none was landed; run that feed first"
    )


def _find_landed(
    settings: Settings, source: Source, market_date: date, effort: Effort
) -> list[LandedPayload]:
    """Return the newest landed fetch of a day that can be read, or nothing."""
    landing = Landing(settings.landing_dir)
    for payloads in landing.find(source.dataset, source.name, market_date):
        if _is_whole(settings, source, payloads, market_date, None):
            logger.info("using what %s sent for %s before", source.name, market_date)
            effort.is_replayed = True
            return payloads
    return []


def _is_whole(
    settings: Settings,
    source: Source,
    payloads: list[LandedPayload],
    market_date: date,
    since: date | None,
) -> bool:
    """Return whether a landed fetch can be read; one that a crash cut short cannot."""
    try:
        read_frame(settings, source, payloads, market_date, since=since)
    except TidemarkError as exc:
        logger.warning(
            "a landed fetch of %s for %s is of no use: %s", source.name, market_date, exc
        )
        return False
    return True


def _is_published(settings: Settings, source: Source, market_date: date) -> bool:
    """Return whether a source's rows of a day are in a published build.

    Rows that are stored only may be why the night was not published.
    """
    from pipeline.raw_store import RawStore
    from pipeline.warehouse import Warehouse

    manifest = Warehouse(settings).published_manifest()
    if manifest is None or date.fromisoformat(manifest["market_date"]) < market_date:
        return False
    store = RawStore(settings.raw_dir, settings.threads)
    counts = store.row_counts(
        get_dataset(source.dataset), source.name, since=market_date, vintage="live"
    )
    return market_date in counts
