"""data.binance.vision: zips with one CSV each, and their checksums."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    TEXT_TYPE,
    XML_TYPE,
    ZIP_TYPE,
    Request,
    Response,
    World,
    seconds_of,
)
from pipeline.sandbox.vendors.binance_series import (
    WAVE,
    fundings,
    is_defective,
    perp_candle,
    spot_candle,
    spot_numbers,
)

LABELS_START_FROM = date(2026, 6, 25)
"""Day from which a five-minute row carries the start of its five minutes, not the end."""

_FIRST_HEADER_DAY = date(2022, 5, 1)
_FIRST_MICROSECOND_DAY = date(2025, 1, 1)
_DAILY_HOUR, _SPREAD_MINUTES = 6, 180
_METRICS_HEADER = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,"
    "count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
_KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
_FUNDING_HEADER = "calc_time,funding_interval_hours,last_funding_rate"
_DAY = r"(?P<day>[0-9]{4}-[0-9]{2}(-[0-9]{2})?)\.zip(?P<sum>\.CHECKSUM)?"


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status, as the object store does."""
    code = {404: "NoSuchKey", 403: "AccessDenied", 503: "SlowDown"}.get(status, "InternalError")
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return XML_TYPE, body.encode()


def _missing() -> Response:
    return Response(404, *render_error(404))


def pack(name: str, text: str, day: date) -> bytes:
    """Return a zip with one file, the same bytes each time."""
    info = zipfile.ZipInfo(name, (day.year, day.month, day.day, 4, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(info, text, compresslevel=1)
    return packed.getvalue()


def published_at(symbol: str, day: date) -> datetime:
    """Return when the daily file of a symbol comes out: in the course of the next morning."""
    minutes = zlib.crc32(f"{symbol} {day}".encode()) % _SPREAD_MINUTES
    return datetime.combine(day, datetime.min.time(), UTC) + timedelta(
        days=1, hours=_DAILY_HOUR, minutes=minutes
    )


def month_published_at(last: date) -> datetime:
    """Return when a month's files come out: on the first Monday after its last day."""
    monday = last + timedelta(days=1)
    monday += timedelta(days=-monday.weekday() % 7)
    return datetime.combine(monday, datetime.min.time(), UTC) + timedelta(hours=_DAILY_HOUR)


def _span(world: World, symbol: str, text: str) -> tuple[range, date] | None:
    """Return the days of a file, as indices of complete days, and its last day; None if not out."""
    try:
        if len(text) == 10:
            first = last = date.fromisoformat(text)
            out_at = published_at(symbol, last)
        else:
            first = date.fromisoformat(f"{text}-01")
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            out_at = month_published_at(last)
    except ValueError:
        return None
    if world.now < out_at or last < world.first_day:
        return None
    start = max((first - world.first_day).days, 0)
    return range(start, (last - world.first_day).days + 1), last


def _give(groups: Mapping[str, str], name: str, lines: list[str], day: date) -> Response:
    body = pack(f"{name}.csv", "\n".join([*lines, ""]), day)
    if groups["sum"]:
        digest = hashlib.sha256(body).hexdigest()
        return Response(200, TEXT_TYPE, f"{digest}  {name}.zip\n".encode())
    return Response(200, ZIP_TYPE, body)


def metric_lines(world: World, symbol: str, column: int, index: int) -> list[str]:
    """Return the five-minute rows of a day; now and then some are missing or lack a field."""
    figures, day = world.market.derivatives, world.day(index)
    waves = WAVE.tolist()
    interest, interest_usd, top, position, everyone, taker = (
        float(values[index, column])
        for values in (
            figures.open_interest_units,
            figures.open_interest_usd,
            figures.top_account_ratio,
            figures.top_position_ratio,
            figures.long_short_account_ratio,
            figures.taker_buy_sell_ratio,
        )
    )
    start = datetime.combine(day, datetime.min.time(), UTC)
    shift = 0 if day >= LABELS_START_FROM else 1
    is_short = is_defective(symbol, f"{day}", 60)
    has_blanks = is_defective(symbol, f"{day}", 40)
    lines = []
    for row, wave in enumerate(waves):
        if is_short and 50 <= row < 80:
            continue
        stamp = start + timedelta(minutes=5 * (row + shift))
        ratio = "" if has_blanks and 100 <= row < 103 else f"{taker * wave:.8f}"
        lines.append(
            f"{stamp:%Y-%m-%d %H:%M:%S},{symbol},{interest * wave:.10f},"
            f"{interest_usd * wave:.10f},{top * wave:.8f},{position * wave:.8f},"
            f"{everyone * wave:.8f},{ratio}"
        )
    return lines


def answer_metrics(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``um/daily/metrics``: one day of a perpetual, which may be gone by now."""
    symbol = groups["symbol"]
    column = world.market.derivatives.column(symbol)
    span = _span(world, symbol, groups["day"])
    if column is None or span is None or len(groups["day"]) != 10:
        return _missing()
    (index,), day = span
    if not world.market.derivatives.perps[column].is_listed(index):
        return _missing()
    name = f"{symbol}-metrics-{groups['day']}"
    return _give(groups, name, [_METRICS_HEADER, *metric_lines(world, symbol, column, index)], day)


def answer_perp_klines(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``um/{daily|monthly}/klines``; files of before May 2022 have no header."""
    symbol = groups["symbol"]
    column = world.market.derivatives.column(symbol)
    span = _span(world, symbol, groups["day"])
    if column is None or span is None or (len(groups["day"]) == 10) != (groups["span"] == "daily"):
        return _missing()
    indices, day = span
    perp = world.market.derivatives.perps[column]
    lines = [
        ",".join(map(str, perp_candle(world.market, column, index, world.midnight(index))))
        for index in indices
        if perp.is_listed(index)
    ]
    if not lines:
        return _missing()
    header = [_KLINE_HEADER] if day >= _FIRST_HEADER_DAY else []
    return _give(groups, f"{symbol}-1d-{groups['day']}", [*header, *lines], day)


def answer_spot_klines(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``spot/{daily|monthly}/klines``: never a header, microseconds from 2025 on."""
    symbol = groups["symbol"]
    number = spot_numbers(world.market).get(symbol)
    span = _span(world, symbol, groups["day"])
    if number is None or span is None or (len(groups["day"]) == 10) != (groups["span"] == "daily"):
        return _missing()
    indices, day = span
    coin = world.market.coins[number]
    lines = []
    for index in indices:
        if coin.listing_index <= index < coin.delisting_index:
            units = 1_000_000 if world.day(index) >= _FIRST_MICROSECOND_DAY else 1000
            candle = spot_candle(world.market, number, index, world.midnight(index), units)
            lines.append(",".join(map(str, candle)))
    if not lines:
        return _missing()
    return _give(groups, f"{symbol}-1d-{groups['day']}", lines, day)


def answer_fundings(world: World, _: Request, groups: Mapping[str, str]) -> Response:
    """Answer ``um/monthly/fundingRate``."""
    symbol = groups["symbol"]
    column = world.market.derivatives.column(symbol)
    span = _span(world, symbol, groups["day"])
    if column is None or span is None or len(groups["day"]) != 7:
        return _missing()
    indices, day = span
    perp = world.market.derivatives.perps[column]
    lines = [
        f"{stamp},{hours},{rate:.8f}"
        for index in indices
        if perp.is_listed(index)
        for stamp, hours, rate in fundings(
            world.market, column, index, seconds_of(world.day(index))
        )
    ]
    if not lines:
        return _missing()
    return _give(groups, f"{symbol}-fundingRate-{groups['day']}", [_FUNDING_HEADER, *lines], day)


ENDPOINTS = (
    Endpoint(
        "binance_vision",
        "um/metrics",
        rf"/data/futures/um/daily/metrics/(?P<symbol>[^/]+)/(?P=symbol)-metrics-{_DAY}",
        answer_metrics,
        Shape(
            kind="zip",
            figures=(("count_long_short_ratio",), ("sum_open_interest_value",)),
            stamps=((("create_time",), "%Y-%m-%d %H:%M:%S"),),
            newest="all",
        ),
        render_error,
        "/data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-{before_last}.zip",
        is_dated=True,
    ),
    Endpoint(
        "binance_vision",
        "um/klines",
        rf"/data/futures/um/(?P<span>daily|monthly)/klines/(?P<symbol>[^/]+)/1d/(?P=symbol)-1d-{_DAY}",
        answer_perp_klines,
        Shape(
            kind="zip",
            figures=((4,), (7,)),
            stamps=(((0,), "ms"), ((6,), "ms")),
        ),
        render_error,
        "/data/futures/um/daily/klines/BTCUSDT/1d/BTCUSDT-1d-{before_last}.zip",
        is_dated=True,
    ),
    Endpoint(
        "binance_vision",
        "um/fundingRate",
        rf"/data/futures/um/monthly/fundingRate/(?P<symbol>[^/]+)/(?P=symbol)-fundingRate-{_DAY}",
        answer_fundings,
        Shape(kind="zip", figures=(("last_funding_rate",),), stamps=((("calc_time",), "ms"),)),
        render_error,
        "/data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-{month_before_last}.zip",
        is_dated=True,
    ),
    Endpoint(
        "binance_vision",
        "spot/klines",
        rf"/data/spot/(?P<span>daily|monthly)/klines/(?P<symbol>[^/]+)/1d/(?P=symbol)-1d-{_DAY}",
        answer_spot_klines,
        Shape(
            kind="zip",
            figures=((4,), (7,)),
            stamps=(((0,), "ms"), ((6,), "ms")),
            has_header=False,
        ),
        render_error,
        "/data/spot/daily/klines/BTCUSDT/1d/BTCUSDT-1d-{before_last}.zip",
        is_dated=True,
    ),
)
