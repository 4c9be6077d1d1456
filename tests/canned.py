"""A source that answers from a table, for tests of what is done with sources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pipeline.errors import NotYetAvailableError, UnobtainableError
from pipeline.settings import Settings
from pipeline.sources import registry
from pipeline.sources.base import Source, first_day
from pipeline.sources.http import HttpClient, HttpResponse
from pipeline.sources.registry import Feed
from pipeline.steps import building

DATASET = "sentiment_daily"


class Canned(Source):
    """Daily scores; what it does wrong is set on it.

    Attributes:
        scores: Score by day; a day without one is not there.
        fetch_error: Raised when asked; by the last day asked for, or for any.
        parse_error: Raised when read.
        added: What the parser adds to each score, as a mistake of ours.
        asked: First and last day of every fetch.
        usable: Whether it is set up.
    """

    dataset = DATASET
    vendor = "alternative_me"
    kind = "by_date"

    def __init__(self, name: str, scores: Mapping[date, float] | None = None, **set_up: Any):
        self.name = name
        self.scores = dict(scores or {})
        self.fetch_error: Exception | Mapping[date, Exception] | None = None
        self.parse_error: Exception | None = None
        self.added = 0.0
        self.asked: list[tuple[date, date]] = []
        self.usable = True
        self.left_out: set[date] = set()
        for attribute, value in set_up.items():
            setattr(self, attribute, value)

    def is_usable(self, settings: Settings) -> bool:
        return self.usable

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        first = first_day(market_date, since)
        self.asked.append((first, market_date))
        error = self.fetch_error
        if isinstance(error, Mapping):
            error = error.get(market_date)
        client.traffic.calls += 1
        if error is not None:
            raise error
        days = {str(day): score for day, score in self.scores.items() if first <= day}
        body = json.dumps({"scores": days, "asked": str(market_date)}).encode()
        client.traffic.body_bytes += len(body)
        yield (
            "scores",
            HttpResponse("https://vendor.example", 200, {}, body, settings.now(), "json"),
        )

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        if self.parse_error is not None:
            raise self.parse_error
        ((_, body),) = bodies
        scores = {date.fromisoformat(day): x for day, x in json.loads(body)["scores"].items()}
        if market_date not in scores:
            if any(day > market_date for day in scores):
                raise UnobtainableError(f"there is no {market_date}")
            raise NotYetAvailableError(f"{market_date} is not there yet")
        return [
            {
                "market_date": day,
                "source": self.name,
                "score": score + self.added,
                "label": "so so",
            }
            for day, score in sorted(scores.items())
            if first <= day <= market_date and day not in self.left_out
        ]


def days_from(first: date, count: int) -> list[date]:
    """Return ``count`` days in a row."""
    return [first + timedelta(days=number) for number in range(count)]


def scores_of(days: Sequence[date], score: float = 50.0) -> dict[date, float]:
    """Return a score for each day, none of them the same as the next."""
    return {day: score + number % 7 for number, day in enumerate(days)}


def use_feeds(monkeypatch: pytest.MonkeyPatch, *feeds: Feed, keep: Sequence[str] = ()) -> None:
    """Let the registry know these feeds, and those of the real ones that are named."""
    chosen = (*(feed for feed in registry.FEEDS if feed.name in keep), *feeds)
    monkeypatch.setattr(registry, "FEEDS", chosen)
    monkeypatch.setattr(registry, "NIGHTLY_FEEDS", tuple(feed.name for feed in chosen))
    monkeypatch.setattr(
        registry, "SOURCES", tuple(source for feed in chosen for source in feed.sources)
    )
    monkeypatch.setattr(building, "FEEDS", chosen)


def use_first_sources(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the registry know these feeds only, each with the source that it asks first."""
    chosen = [
        replace(feed, sources=feed.sources[:1]) for feed in registry.FEEDS if feed.name in names
    ]
    use_feeds(monkeypatch, *chosen)
