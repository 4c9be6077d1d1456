"""Coin Metrics' archive of CSV files, one per asset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.flows import ONCHAIN_COIN_IDS
from pipeline.sandbox.messages import TEXT_TYPE, Request, Response, World
from pipeline.sandbox.randomness import Floats
from pipeline.sandbox.vendors.coinmetrics_series import (
    RATE_METRICS,
    asset_numbers,
    metrics_of,
    series,
)

_COMMIT_HOUR = 6
# In these two files there are more columns than are served here; they stay empty.
_CHAIN_COLUMNS = (
    "AdrActCnt,AdrBalCnt,AssetCompletionTime,AssetEODCompletionTime,BlkCnt,CapMVRVCur,"
    "CapMrktCurUSD,CapMrktEstUSD,FeeTotNtv,FlowInExNtv,FlowInExUSD,FlowOutExNtv,FlowOutExUSD,"
    "HashRate,IssTotNtv,IssTotUSD,PriceBTC,PriceUSD,ROI1yr,ROI30d,ReferenceRate,"
    "ReferenceRateEUR,ReferenceRateUSD,SplyCur,SplyExNtv,SplyExUSD,SplyExpFut10yr,TxCnt,"
    "TxTfrCnt,volume_reported_spot_usd_1d"
)


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    return TEXT_TYPE, {404: b"404: Not Found"}.get(status, b"The sandbox was asked to fail.\n")


def _header(world: World, number: int) -> list[str]:
    if world.market.coins[number].coin_id in ONCHAIN_COIN_IDS:
        return _CHAIN_COLUMNS.split(",")
    return sorted({*metrics_of(world.market, number), "ReferenceRate", "ReferenceRateEUR"})


def _values(world: World, number: int, column: str) -> Floats | None:
    if column == "ReferenceRate":
        column = "ReferenceRateUSD"
    if column == "ReferenceRateEUR":
        euros: Floats = series(world.market, number, "ReferenceRateUSD") * 0.92
        return euros
    known = metrics_of(world.market, number)
    return series(world.market, number, column) if column in known else None


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.12g}"


def answer_file(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer a file: the first row is empty, the last has nothing but reference rates."""
    number = asset_numbers(world.market).get(groups["asset"])
    if number is None or world.market.coins[number].listing_index > world.last_index:
        return Response(404, *render_error(404))
    coin = world.market.coins[number]
    complete = world.last_index - (0 if world.now.hour >= _COMMIT_HOUR else 1)
    complete = min(complete, coin.delisting_index - 1)
    indices = range(coin.listing_index, complete + 1)
    header = _header(world, number)
    columns = []
    for name in header:
        values = _values(world, number, name)
        if values is None:
            columns.append([""] * (len(indices) + 2))
            continue
        cells = [_cell(value) for value in values[indices.start : indices.stop].tolist()]
        is_rate = name in RATE_METRICS or name.startswith("ReferenceRate")
        following = float(values[complete + 1]) if complete + 1 < len(values) else np.nan
        columns.append(["", *cells, _cell(following) if is_rate else ""])
    days = [world.day(index) for index in range(coin.listing_index - 1, complete + 2)]
    lines = [",".join([f"{day}", *cells]) for day, *cells in zip(days, *columns, strict=True)]
    body = "\n".join([",".join(["time", *header]), *lines, ""]).encode()
    stamp = world.now - timedelta(hours=1)
    return Response(200, TEXT_TYPE, body, {"ETag": f'"{stamp:%Y%m%d}"'})


ENDPOINTS = (
    Endpoint(
        "coinmetrics_archive",
        "csv",
        r"/coinmetrics/data/master/csv/(?P<asset>[a-z0-9_]+)\.csv",
        answer_file,
        Shape(
            kind="csv",
            figures=(("CapMrktEstUSD",), ("ReferenceRateUSD",)),
            stamps=((("time",), "%Y-%m-%d"),),
        ),
        render_error,
        "/coinmetrics/data/master/csv/btc.csv",
    ),
)
