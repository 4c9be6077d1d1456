"""What the tests of the vendors share: a small market, and asking it without a socket."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import Response, parse_request
from pipeline.sandbox.routes import Router, Timing

FIRST_DAY = date(2024, 1, 1)
# A Wednesday afternoon: last session and last close are those of the 16th.
NOW = datetime(2024, 4, 17, 12, 10, tzinfo=UTC)
LAST_CLOSE = date(2024, 4, 16)


def make_router(scenario: Scenario | None = None, coin_count: int = 90) -> Router:
    """Return a router over a new market."""
    return Router(GrowingMarket(7, FIRST_DAY, coin_count, scenario), FaultBoard(), Timing(0.1))


def say(router: Router, target: str, now: datetime = NOW) -> Response:
    """Return the answer to a target at a time, with a key in the headers."""
    path = f"/at/{now:%Y-%m-%dT%H:%M:%SZ}{target}"
    return router.answer(parse_request(path, lambda: now, {"Host": "vendors", "api_key": "any"}))


def get(router: Router, target: str, now: datetime = NOW) -> Any:
    """Return a good answer as JSON, as the lines of a CSV, or of the CSV in a zip."""
    response = say(router, target, now)
    assert response.status == 200, response.body
    if response.content_type.startswith("application/json"):
        return json.loads(response.body)
    body = response.body
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            (name,) = archive.namelist()
            body = archive.read(name)
    return [line.split(",") for line in body.decode().splitlines()]


def milliseconds(day: date) -> int:
    """Return 00:00 UTC of a day in UNIX milliseconds."""
    return int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) * 1000


def seconds(day: date) -> int:
    """Return 00:00 UTC of a day in UNIX seconds."""
    return milliseconds(day) // 1000


def days_before(count: int, day: date = LAST_CLOSE) -> date:
    """Return the day some days before another."""
    return day - timedelta(days=count)
