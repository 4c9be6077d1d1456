"""Nights that did not happen at all, told by the first night after them."""

from __future__ import annotations

from datetime import date

from pipeline.alerts.problem import EXAMPLES_MAX, Findings, Problem
from pipeline.alerts.state import MISSED_PREFIX
from pipeline.catching_up import MissedNight, missed_nights
from pipeline.settings import Settings


def missed_findings(settings: Settings, run_id: str) -> Findings:
    """Return the outage that a run has found behind it, as one problem however long it was.

    It is told once: the night after finds nothing of it, and says nothing of its end.

    Args:
        settings: Where.
        run_id: The run.
    """
    outages: dict[str, list[MissedNight]] = {}
    for missed in missed_nights(settings):
        outages.setdefault(missed.run_id, []).append(missed)
    problems = tuple(_problem(outages[run]) for run in outages if run == run_id)
    return Findings(problems, frozenset(_key(nights) for nights in outages.values()))


def _key(nights: list[MissedNight]) -> str:
    return f"{MISSED_PREFIX}{nights[0].market_date}"


def _problem(nights: list[MissedNight]) -> Problem:
    first, last = nights[0].market_date, nights[-1].market_date
    feeds = {feed: status for night in nights for feed, status in night.feeds.items()}
    filled = sorted(feed for feed, status in feeds.items() if status == "caught_up")
    lost = sorted(feed for feed, status in feeds.items() if status == "unobtainable")
    waiting = sorted(set(feeds) - set(filled) - set(lost))
    parts = [f"{_days(first, last)} did not happen"]
    if filled:
        parts.append(f"{_feeds(filled)} caught up")
    if lost:
        parts.append(f"{', '.join(lost)} cannot be had for these days")
    lines = [f"{feed}: {feeds[feed]}, and asked again for two weeks" for feed in waiting]
    return Problem(
        key=_key(nights),
        family="night",
        subject="missed nights",
        severity="warning",
        kind="errored",
        sentence="; ".join(parts),
        anchor="alert-missed-nights",
        examples=tuple(lines[:EXAMPLES_MAX]),
        rerun="tidemark import DIR",
    )


def _days(first: date, last: date) -> str:
    if first == last:
        return f"the night of {first}"
    return f"{(last - first).days + 1} nights, {first} to {last},"


def _feeds(names: list[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"{len(names)} feeds are"
