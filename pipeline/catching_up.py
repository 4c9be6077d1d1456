"""Nights that did not happen, as when the machine was away: what can still be had is fetched.

A day is missed when no night was ever begun for it, though nights before it were. The next night
asks the feeds that can be asked for the past, oldest day first, and says of the others that the
day cannot be had. ``journal/missed_night/<day>.json`` remembers what became of each; a feed that
did not answer is asked again by the nights that follow, for two weeks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline import health, run_log
from pipeline.backfilling import choose_source, run_backfill
from pipeline.errors import QualityError, TidemarkError, UnobtainableError
from pipeline.files import write_bytes_atomically
from pipeline.health import SourceHealth, Status
from pipeline.settings import Settings
from pipeline.sources.registry import Feed, nightly_feeds

logger = logging.getLogger(__name__)

LOOK_BACK_DAYS = 90
TRY_AGAIN_DAYS = 14
_PRESENT_ONLY = "its sources only know the present, and nobody asked them on that day"


@dataclass(frozen=True)
class MissedNight:
    """What became of a day whose night did not happen.

    Args:
        market_date: The UTC day.
        run_id: The night that found it missing.
        feeds: ``caught_up``, ``unobtainable``, ``refused`` or ``unavailable``, by feed.
    """

    market_date: date
    run_id: str
    feeds: Mapping[str, Status]


def _folder(settings: Settings) -> Path:
    return settings.journal_dir / "missed_night"


def missed_nights(settings: Settings) -> list[MissedNight]:
    """Return the nights that were found missing, oldest first."""
    found = []
    for path in sorted(_folder(settings).glob("[!.]*.json")):
        content: dict[str, Any] = json.loads(path.read_bytes())
        day = date.fromisoformat(content["market_date"])
        found.append(MissedNight(day, content["run_id"], content["feeds"]))
    return found


def find_missed_days(settings: Settings, market_date: date) -> list[date]:
    """Return the days before ``market_date`` for which no night was begun, oldest first.

    Days before the first night of all, and those known as missed already, are not among them.
    """
    begun = {day for day in run_log.nightly_dates(settings) if day < market_date}
    if not begun:
        return []
    known = begun | {missed.market_date for missed in missed_nights(settings)}
    first = max(min(begun), market_date - timedelta(days=LOOK_BACK_DAYS))
    days = [first + timedelta(days=n) for n in range((market_date - first).days)]
    return [day for day in days if day not in known]


def catch_up(
    settings: Settings,
    market_date: date,
    run_id: str,
    lock: Callable[[], AbstractContextManager[None]],
) -> list[MissedNight]:
    """Fill the days that were missed, as far as they can be had, and remember what became of them.

    Args:
        settings: Where, and which feeds a night has.
        market_date: The UTC day of the night that is running.
        run_id: That night.
        lock: Held while rows are stored.

    Returns:
        The days that were dealt with: newly missed ones, and those with feeds to be asked again.
    """
    new = {day: MissedNight(day, run_id, {}) for day in find_missed_days(settings, market_date)}
    oldest = market_date - timedelta(days=TRY_AGAIN_DAYS)
    waiting = {
        missed.market_date: missed
        for missed in missed_nights(settings)
        if "unavailable" in missed.feeds.values() and oldest <= missed.market_date < market_date
    }
    nights = dict(sorted({**waiting, **new}.items()))
    if not nights:
        return []
    logger.warning("nights that did not happen: %s", ", ".join(map(str, nights)))
    outcomes: dict[date, dict[str, Status]] = {
        day: dict(missed.feeds) for day, missed in nights.items()
    }
    for feed in nightly_feeds(settings):
        days = [
            day
            for day, missed in nights.items()
            if missed.feeds.get(feed.name, "unavailable") == "unavailable"
        ]
        if not days:
            continue
        source, status, reason = _fill(settings, feed, days, run_id, lock)
        for day in days:
            outcomes[day][feed.name] = status
            rank = next((n for n, s in enumerate(feed.sources, 1) if s.name == source), 1)
            told = SourceHealth(feed.name, source, rank, status, reason)
            health.record(settings, f"{run_id}--missed-{day}", day, feed.name, [told])
    dealt_with = [MissedNight(day, missed.run_id, outcomes[day]) for day, missed in nights.items()]
    for each in dealt_with:
        content = {
            "market_date": each.market_date.isoformat(),
            "run_id": each.run_id,
            "feeds": dict(each.feeds),
        }
        path = _folder(settings) / f"{each.market_date}.json"
        write_bytes_atomically(path, json.dumps(content).encode())
    return dealt_with


def _fill(
    settings: Settings,
    feed: Feed,
    days: list[date],
    run_id: str,
    lock: Callable[[], AbstractContextManager[None]],
) -> tuple[str, Status, str | None]:
    """Fetch a feed's missed days in one range; return source, status and why it has nothing."""
    try:
        source = choose_source(settings, feed, None).name
    except UnobtainableError:
        return feed.sources[0].name, "unobtainable", _PRESENT_ONLY
    lag = timedelta(days=feed.lag_days)
    try:
        run_backfill(
            settings,
            feed,
            days[0] - lag,
            days[-1] - lag,
            run_id,
            source_name=source,
            chunk_days=None,
            lock=lock,
            on_plan=lambda *_: None,
            on_chunk=lambda *_: None,
        )
    except UnobtainableError as exc:
        return source, "unobtainable", str(exc)
    except QualityError as exc:
        return source, "refused", str(exc)
    except TidemarkError as exc:
        logger.warning("%s is not caught up: %s", feed.name, exc)
        return source, "unavailable", str(exc)
    return source, "caught_up", None
