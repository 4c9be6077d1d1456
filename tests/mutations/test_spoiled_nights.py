"""Whole nights with spoiled bodies: what readers see is never wrong, and the run says why.

The bytes that a vendor sent are changed as they are read again, and the night goes on through
every step to the published file. The night is that of a small project (``small_project``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from nights import NIGHTS, Home, Mailbox, copy_home

from pipeline.errors import TidemarkError
from pipeline.landing import LandedPayload, Landing
from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.server import Sandbox
from pipeline.sources.registry import get_feed

NIGHT = NIGHTS[1]

EVERY_NIGHT = {"price and cap swapped", "one price x 10"}

Rows = list[dict[str, Any]]
Spoil = Callable[[str, bytes], bytes]

FIGURES = {
    "market_daily": (
        "select coin_id, price_usd from staging.coin_price_daily "
        f"where market_date = date '{NIGHT}' and not is_held"
    ),
    "levels": (
        "select profile || index_id, level from indices.index_level_daily "
        f"where market_date = date '{NIGHT}'"
    ),
    "equity_daily": (
        "select ticker, close_points from staging.equity_close_daily "
        f"where session_date = date '{NIGHT}'"
    ),
    "sentiment_daily": (
        "select source, score from signals.external_sentiment_daily "
        f"where market_date = date '{NIGHT}' and stale_days = 0"
    ),
}


def coins(change: Callable[[Rows], Rows]) -> Spoil:
    """Change the coins of CoinGecko's first page."""

    def spoil(name: str, body: bytes) -> bytes:
        return json.dumps(change(json.loads(body))).encode() if name == "markets-page-1" else body

    return spoil


def every_coin(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Spoil:
    """Change every coin of every page."""
    return lambda _, body: json.dumps([coin | change(coin) for coin in json.loads(body)]).encode()


def coin(number: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Spoil:
    """Change one coin of the first page."""
    return coins(
        lambda rows: [row | change(row) if n == number else row for n, row in enumerate(rows)]
    )


def days_before(stamp: str, days: int) -> str:
    """Return a stamp with another day of the month's year."""
    moved = datetime.fromisoformat(stamp) - timedelta(days=days)
    return moved.isoformat().replace("+00:00", "Z")


def sessions(change: Callable[[list[list[str]]], list[list[str]]]) -> Spoil:
    """Change the lines of Cboe's files, newest last, under the same header."""

    def spoil(_: str, body: bytes) -> bytes:
        header, *lines = csv.reader(io.StringIO(body.decode()))
        out = io.StringIO()
        csv.writer(out).writerows([header, *change(lines)])
        return out.getvalue().encode()

    return spoil


def newest_score(**values: object) -> Spoil:
    """Change the newest score of the fear and greed index."""

    def spoil(_: str, body: bytes) -> bytes:
        content = json.loads(body)
        newest = max(content["data"], key=lambda each: int(each["timestamp"]))
        newest.update(values)
        return json.dumps(content).encode()

    return spoil


@dataclass(frozen=True)
class Spoiled:
    """One way to spoil a feed's bodies, and whether the night may still be published."""

    feed: str
    name: str
    spoil: Spoil
    is_published: bool


SPOILED = (
    Spoiled(
        "market_daily",
        "cents for dollars",
        every_coin(lambda c: {"current_price": c["current_price"] * 100}),
        False,
    ),
    Spoiled(
        "market_daily",
        "price and cap swapped",
        every_coin(lambda c: {"current_price": c["market_cap"], "market_cap": c["current_price"]}),
        False,
    ),
    Spoiled(
        "market_daily",
        "stamps of three days ago",
        every_coin(lambda c: {"last_updated": days_before(c["last_updated"], 3)}),
        False,
    ),
    Spoiled("market_daily", "half a page", coins(lambda rows: rows[::2]), False),
    Spoiled(
        "market_daily", "prices in words", every_coin(lambda _: {"current_price": "n/a"}), False
    ),
    Spoiled(
        "market_daily",
        "no price at all",
        every_coin(lambda _: {"current_price": None, "market_cap": None}),
        False,
    ),
    Spoiled(
        "market_daily",
        "one price x 10",
        coin(40, lambda c: {"current_price": c["current_price"] * 10}),
        True,
    ),
    Spoiled(
        "market_daily",
        "one price below zero",
        coin(40, lambda c: {"current_price": -c["current_price"]}),
        True,
    ),
    Spoiled(
        "equity_daily",
        "closes x 10",
        sessions(
            lambda lines: [
                [*lines[n][:1], *(str(float(v) * 10) for v in lines[n][1:])]
                for n in range(len(lines))
            ]
        ),
        True,
    ),
    Spoiled(
        "equity_daily",
        "the last close below zero",
        sessions(lambda lines: [*lines[:-1], [lines[-1][0], *(f"-{v}" for v in lines[-1][1:])]]),
        True,
    ),
    Spoiled("sentiment_daily", "a score of 950", newest_score(value="950"), True),
    Spoiled("sentiment_daily", "a score in words", newest_score(value="greedy"), True),
)


@contextmanager
def reading_spoiled(feed: str, spoil: Spoil) -> Iterator[None]:
    """Spoil what is read of a feed's first source, as if it had been sent so."""
    first = get_feed(feed).sources[0].name
    read = Landing.read

    def read_spoiled(landing: Landing, payload: LandedPayload) -> bytes:
        body = read(landing, payload)
        is_spoiled = (payload.dataset, payload.source) == (feed, first)
        return spoil(payload.name, body) if is_spoiled else body

    with patch.object(Landing, "read", read_spoiled):
        yield


def figures(home: Home) -> dict[tuple[str, str], float]:
    """Return what a published file says of the night, by kind and subject."""
    return {
        (kind, subject): figure
        for kind, sql in FIGURES.items()
        for subject, figure in home.query(sql)
    }


@pytest.fixture(scope="module")
def clean(
    small_night_path: Path,
    small_sql_dir: Path,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[str, str], float]:
    """What the night says when nothing is spoiled."""
    folder = tmp_path_factory.mktemp("clean") / "home"
    home = copy_home(small_night_path, folder, sandbox, sql_dir=small_sql_dir)
    home.refresh(NIGHT)
    said = figures(home)
    assert {kind for kind, _ in said} == set(FIGURES)
    return said


def silence_other_vendors(faults: FaultBoard, feed: str) -> None:
    """Leave a feed with its first source, so that no other makes up for it."""
    first, *others = get_feed(feed).sources
    for other in others:
        if other.vendor != first.vendor:
            faults[other.vendor] = "status_404"


def test_a_dozen_ways_are_tried() -> None:
    assert len(SPOILED) >= 12


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(
            each,
            id=f"{each.feed}: {each.name}",
            marks=() if each.name in EVERY_NIGHT else pytest.mark.long,
        )
        for each in SPOILED
    ],
)
def test_a_spoiled_night_publishes_no_wrong_figure_and_says_so(
    spoiled: Spoiled,
    small_home: Home,
    clean: dict[tuple[str, str], float],
    faults: FaultBoard,
    mailbox: Mailbox,
) -> None:
    before = small_home.published_bytes()
    silence_other_vendors(faults, spoiled.feed)

    with reading_spoiled(spoiled.feed, spoiled.spoil):
        if spoiled.is_published:
            small_home.refresh(NIGHT, **mailbox.settings)
        else:
            with pytest.raises(TidemarkError):
                small_home.refresh(NIGHT, **mailbox.settings)

    (subject,) = mailbox.subjects()
    assert spoiled.feed in subject
    if not spoiled.is_published:
        assert small_home.published_bytes() == before
        return
    said = figures(small_home)
    for key, figure in said.items():
        is_of_feed = key[0] in {spoiled.feed, "levels"}
        assert figure == pytest.approx(clean[key], rel=0.005 if is_of_feed else 1e-9), key
    assert set(clean) - set(said) <= {key for key in clean if key[0] == spoiled.feed}
    assert set(clean) != set(said) or spoiled.feed == "levels"
