"""alternative.me: the fear and greed index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

import pandas as pd

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    as_count,
    render_json,
)

_NAME = "Fear and Greed Index"


def render_fng(
    sentiment: pd.DataFrame, now: datetime, *, limit: int = 1, error: str | None = None
) -> bytes:
    """Render alternative.me ``/fng/``.

    Args:
        sentiment: One row per day: market_date, score, label; days after ``now`` are left out.
        now: When it is asked for.
        limit: Newest days to show; 0 for all.
        error: Goes into ``metadata.error``, with no data.

    Returns:
        JSON whose values are all strings, newest day first; ``timestamp`` is 00:00 UTC of
        the day in seconds, ``time_until_update`` is on the first row only.
    """
    rows: list[dict[str, str]] = []
    if error is None:
        known = sentiment[[day <= now.date() for day in sentiment["market_date"]]]
        newest = known.sort_values("market_date", ascending=False)
        newest = newest.head(limit) if limit > 0 else newest
        columns = (newest["market_date"], newest["score"], newest["label"])
        rows = [
            {
                "value": str(int(score)),
                "value_classification": label,
                "timestamp": str(int(datetime.combine(day, time(), UTC).timestamp())),
            }
            for day, score, label in zip(*columns, strict=True)
        ]
    if rows:
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        rows[0]["time_until_update"] = str(int((tomorrow - now).total_seconds()))
    body = {"name": _NAME, "data": rows, "metadata": {"error": error}}
    return json.dumps(body, indent="\t").encode()


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    said = {429: "too many requests"}.get(status, "the sandbox was asked to fail")
    return JSON_TYPE, render_json({"name": _NAME, "data": [], "metadata": {"error": said}})


def answer_scores(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/fng/``, newest day first, today included; an error comes with status 200."""
    market, today = world.market_today, world.today
    history = market.sentiment_history(market.first_day, today)
    limit = as_count(request.parameters.get("limit"), 1)
    if limit is None:
        return Response(200, JSON_TYPE, render_fng(history, world.now, error="invalid limit"))
    return Response(200, JSON_TYPE, render_fng(history, world.now, limit=limit))


ENDPOINTS = (
    Endpoint(
        "alternative_me",
        "fng",
        r"/fng",
        answer_scores,
        Shape(
            rows=("data",),
            figures=(("value",),),
            stamps=((("timestamp",), "s"),),
            newest="first",
        ),
        render_error,
        "/fng/?limit=0",
    ),
)
