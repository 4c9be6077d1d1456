"""Asking a feed's sources, one after the other, and landing what they say."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pipeline import errors, health
from pipeline.errors import SourceError, TidemarkError
from pipeline.health import SourceHealth
from pipeline.settings import Settings
from pipeline.sources.registry import Feed, get_feed, nightly_feeds
from pipeline.steps.running import running

if TYPE_CHECKING:
    from pipeline.fetching import Effort
    from pipeline.landing import LandedPayload
    from pipeline.sources.base import Source

logger = logging.getLogger(__name__)

_KINDS_OF_ABSENCE = {
    errors.NotYetAvailableError,
    errors.RateLimitedError,
    errors.UnobtainableError,
}


def choose_feeds(settings: Settings) -> list[str]:
    """Return the names of a night's feeds: those that are wanted and set up."""
    return [feed.name for feed in nightly_feeds(settings)]


def extract(settings: Settings, feed: str, market_date: date, run_id: str) -> dict[str, Any]:
    """Fetch one feed for one day and land every response as it came.

    Asking takes minutes where a vendor is paced, and landing only ever adds files, so this
    does not hold the writer lock. A source that only knows the present is asked on the night
    itself, and not again once the night is published or the day is past: then what was landed
    is used again.

    Args:
        settings: Where and with which keys.
        feed: One of the nightly feeds.
        market_date: The UTC day.
        run_id: The run.

    Returns:
        ``feed``, ``dataset``, ``source``, ``night``, ``market_date`` (the day asked for, which
        is ``lag_days`` of the feed before the night), the landed ``payloads``, ``passed_over``
        (why each source before this one has nothing, by its name), and ``health``: the same
        and more as ``SourceHealth.to_dict`` gives it. ``source`` is None where none of the
        feed's sources is set up, which is no failure.

    Raises:
        SourceError: No source of the feed answered.
    """
    with running(settings, run_id, f"extract {feed}", market_date, is_locked=False):
        asked: list[SourceHealth] = []
        try:
            return extract_unasked(settings, feed, market_date, run_id, asked)
        except TidemarkError:
            health.record(settings, run_id, market_date, feed, asked)
            raise


def extract_unasked(
    settings: Settings, name: str, night: date, run_id: str, asked: list[SourceHealth]
) -> dict[str, Any]:
    """Extract from the first source that was not asked yet and has the day; adds to ``asked``.

    Returns:
        What ``extract`` returns.

    Raises:
        SourceError: None of them answered.
    """
    from pipeline.fetching import Effort, obtain

    feed = get_feed(name)
    market_date = night - timedelta(days=feed.lag_days)
    known = {source.source for source in asked}
    failures: list[TidemarkError] = []
    for rank, source in enumerate(feed.sources, start=1):
        if source.name in known:
            continue
        if not source.is_usable(settings):
            asked.append(SourceHealth(name, source.name, rank, "not_set_up", "it is not set up"))
            continue
        effort = Effort()
        try:
            payloads = obtain(settings, source, market_date, run_id, effort)
        except TidemarkError as exc:
            logger.warning("%s has no %s of %s: %s", source.name, name, market_date, exc)
            asked.append(_health_of(name, source, rank, "unavailable", effort, str(exc)))
            failures.append(exc)
            continue
        has_failed = any(before.status in health.FAILED for before in asked)
        status: health.Status = "fell_back" if has_failed else "answered"
        if effort.is_replayed:
            status = "replayed"
        asked.append(_health_of(name, source, rank, status, effort))
        return _described(feed, source.name, night, payloads, asked)
    if len(failures) == 1 and len(asked) == 1:
        (source,) = (each for each in feed.sources if each.name == asked[0].source)
        raise source.explain(failures[0], market_date) from failures[0]
    said = "; ".join(f"{source}: {reason}" for source, reason in passed_over(asked).items())
    if not failures and all(each.status == "not_set_up" for each in asked):
        logger.info("no source of %s is set up", name)
        return _described(feed, None, night, [], asked)
    kinds = {type(failure) for failure in failures}
    kind = kinds.pop() if len(kinds) == 1 and kinds <= _KINDS_OF_ABSENCE else SourceError
    error = kind(f"no source has {name} of {market_date}: {said}")
    if failures:
        raise error from ExceptionGroup(f"the sources of {name}", failures)
    raise error


def _described(
    feed: Feed,
    source: str | None,
    night: date,
    payloads: Iterable[LandedPayload],
    asked: Iterable[SourceHealth],
) -> dict[str, Any]:
    return {
        "feed": feed.name,
        "dataset": feed.dataset,
        "source": source,
        "night": night.isoformat(),
        "market_date": (night - timedelta(days=feed.lag_days)).isoformat(),
        "payloads": [payload.to_dict() for payload in payloads],
        "passed_over": passed_over(asked),
        "health": [each.to_dict() for each in asked],
    }


def _health_of(
    feed: str,
    source: Source,
    rank: int,
    status: health.Status,
    effort: Effort,
    reason: str | None = None,
) -> SourceHealth:
    return SourceHealth(
        feed,
        source.name,
        rank,
        status,
        reason,
        call_count=effort.call_count,
        byte_count=effort.byte_count,
        seconds=round(effort.seconds, 3),
    )


def passed_over(asked: Iterable[SourceHealth]) -> dict[str, str]:
    """Return why each source that has nothing has nothing, by its name."""
    return {each.source: each.reason for each in asked if each.reason is not None}
