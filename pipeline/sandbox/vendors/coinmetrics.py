"""Coin Metrics' community API: daily asset metrics, and the catalog of what is free."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    as_count,
    render_json,
)
from pipeline.sandbox.vendors.coinmetrics_series import (
    COMMUNITY_METRICS,
    PAID_METRICS,
    RATE_METRICS,
    asset_numbers,
    metrics_of,
    series,
)
from pipeline.sandbox.vendors.text import plain

_PAGE_SIZE, _MOST_PER_PAGE = 100, 10_000
_SETTLED_AFTER = timedelta(minutes=45)
_FLASH_DAYS = 2


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    kind = {400: "bad_parameter", 401: "unauthorized", 403: "forbidden", 429: "too_many_requests"}
    error = {
        "type": kind.get(status, "internal_server_error"),
        "message": "The sandbox was asked to fail.",
    }
    return JSON_TYPE, render_json({"error": error})


def _bad(parameter: str, value: str, status: int = 400, kind: str = "bad_parameter") -> Response:
    message = f"Bad parameter '{parameter}'. Value '{value}' is not supported."
    if kind == "forbidden":
        message = f"Requested metric '{value}' is not available with supplied credentials."
    return answer_json({"error": {"type": kind, "message": message}}, status)


def _stamp(day: date) -> str:
    return f"{day}T00:00:00.000000000Z"


def _names(request: Request, parameter: str) -> list[str]:
    return [name for name in request.parameters.get(parameter, "").split(",") if name]


def _day(text: str | None, default: date) -> date | None:
    if not text:
        return default
    try:
        return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _is_true(request: Request, parameter: str) -> bool:
    return request.parameters.get(parameter) == "true"


def settled_index(world: World) -> int:
    """Return the last day whose metrics are there."""
    midnight = datetime.combine(world.today, datetime.min.time(), UTC)
    return world.last_index - (0 if world.now >= midnight + _SETTLED_AFTER else 1)


def _rows(
    world: World, asset: str, number: int, metrics: list[str], first: int, last: int
) -> list[dict[str, Any]]:
    """Return an asset's rows; a day on which it has nothing has none."""
    market, settled = world.market, settled_index(world)
    known = {metric: series(market, number, metric) for metric in metrics}
    rows = []
    for index in range(max(first, 0), min(last, settled + 1) + 1):
        row: dict[str, Any] = {"asset": asset, "time": _stamp(world.day(index))}
        for metric, values in known.items():
            is_out = index <= settled or metric in RATE_METRICS
            value = float(values[index]) if is_out and index < len(values) else math.nan
            row[metric] = None if math.isnan(value) else plain(value)
            if metric == "PriceUSD" and row[metric] is not None:
                is_flash = settled - index < _FLASH_DAYS
                row["PriceUSD-status"] = "flash" if is_flash else "reviewed"
        if any(row[metric] is not None for metric in known):
            rows.append(row)
    return rows


def _turn_page(request: Request, rows: list[dict[str, Any]]) -> Response:
    """Return the page that is asked for, with the address of the next one if there is one."""
    size = as_count(request.parameters.get("page_size"), _PAGE_SIZE, _MOST_PER_PAGE)
    if not size:
        return _bad("page_size", request.parameters["page_size"])
    try:
        token = request.parameters.get("next_page_token", "")
        offset = int(base64.urlsafe_b64decode(token)) if token else 0
    except (binascii.Error, ValueError):
        return _bad("next_page_token", token)
    if request.parameters.get("paging_from", "end") == "start":
        page = rows[offset : offset + size]
    else:
        stop = len(rows) - offset
        page = rows[max(stop - size, 0) : max(stop, 0)]
    body: dict[str, Any] = {"data": page}
    if offset + size < len(rows):
        following = base64.urlsafe_b64encode(str(offset + size).encode()).decode()
        body["next_page_token"] = following
        body["next_page_url"] = request.url(next_page_token=following)
    return answer_json(body)


def answer_metrics(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/timeseries/asset-metrics`` of frequency 1d."""
    numbers, assets = asset_numbers(world.market), _names(request, "assets")
    metrics = _names(request, "metrics")
    if not assets or not metrics:
        return _bad("metrics" if assets else "assets", "")
    unknown = [asset for asset in assets if asset not in numbers]
    if unknown and not _is_true(request, "ignore_unsupported_errors"):
        return _bad("assets", unknown[0])
    assets = [asset for asset in assets if asset in numbers]
    for metric in metrics:
        if metric in PAID_METRICS and not _is_true(request, "ignore_forbidden_errors"):
            return _bad("metrics", metric, 403, "forbidden")
        if metric not in PAID_METRICS | COMMUNITY_METRICS:
            return _bad("metrics", metric)
    if request.parameters.get("frequency", "1d") != "1d":
        return _bad("frequency", request.parameters["frequency"])
    first = _day(request.parameters.get("start_time"), world.first_day)
    last = _day(request.parameters.get("end_time"), world.today)
    if first is None or last is None:
        name = "start_time" if first is None else "end_time"
        return _bad(name, request.parameters[name])
    rows: list[dict[str, Any]] = []
    for asset in assets:
        served = metrics_of(world.market, numbers[asset])
        wanted = [metric for metric in metrics if metric in served]
        missing = [metric for metric in metrics if metric not in (*served, *PAID_METRICS)]
        if missing and not _is_true(request, "ignore_unsupported_errors"):
            return _bad("metrics", missing[0])
        span = ((first - world.first_day).days, (last - world.first_day).days)
        rows += _rows(world, asset, numbers[asset], wanted, *span)
    if request.parameters.get("sort", "time") == "time":
        rows.sort(key=lambda row: (row["time"], row["asset"]))
    return _turn_page(request, rows)


def answer_catalog(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``/catalog-v2/asset-metrics``: what there is of each asset, and since when."""
    market = world.market
    numbers = asset_numbers(market)
    assets = _names(request, "assets") or sorted(numbers)
    unknown = [asset for asset in assets if asset not in numbers]
    if unknown:
        return _bad("assets", unknown[0])
    entries = []
    for asset in assets:
        coin = market.coins[numbers[asset]]
        last = min(settled_index(world), coin.delisting_index - 1)
        if coin.listing_index > last:
            continue
        frequency = {
            "frequency": "1d",
            "min_time": _stamp(world.day(coin.listing_index)),
            "max_time": _stamp(world.day(last)),
            "community": True,
        }
        metrics = [
            {"metric": metric, "frequencies": [frequency]}
            for metric in metrics_of(market, numbers[asset])
        ]
        entries.append({"asset": asset, "metrics": metrics})
    return _turn_page(request, entries)


ENDPOINTS = (
    Endpoint(
        "coinmetrics",
        "asset-metrics",
        r"/v4/timeseries/asset-metrics",
        answer_metrics,
        Shape(
            rows=("data",),
            figures=(("PriceUSD",), ("FlowInExNtv",)),
            stamps=((("time",), "iso"),),
        ),
        render_error,
        "/v4/timeseries/asset-metrics?assets=btc,eth&metrics=PriceUSD,FlowInExNtv&page_size=10000"
        "&paging_from=start",
        page_parameter=("next_page_token", ""),
    ),
    Endpoint(
        "coinmetrics",
        "catalog",
        r"/v4/catalog-v2/asset-metrics",
        answer_catalog,
        Shape(
            rows=("data",),
            stamps=(
                (("metrics", "*", "frequencies", "*", "max_time"), "iso"),
                (("metrics", "*", "frequencies", "*", "min_time"), "iso"),
            ),
            key=("asset",),
            newest="all",
        ),
        render_error,
        "/v4/catalog-v2/asset-metrics?assets=btc,eth",
    ),
)
