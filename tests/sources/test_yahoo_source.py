"""Yahoo's charts: asking for them, and what becomes of every defect in them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import responses
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from source_kit import (
    ANY_JSON,
    DAY,
    as_body,
    check_spoiled,
    fetch,
    make_settings,
    refuses_everything_else,
    spoiled,
    unix,
)

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.yahoo import Yahoo

NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = {"RUT": "^RUT", "SPX": "^GSPC", "VIX": "^VIX"}


def opening(day: date, **after: float) -> int:
    opened = datetime.combine(day, time(9, 30), NEW_YORK) + timedelta(**after)
    return int(opened.timestamp())


def chart(bars: list[tuple[int, Any]], symbol: str = "^RUT", **meta: Any) -> dict[str, Any]:
    stamps, closes = [stamp for stamp, _ in bars], [close for _, close in bars]
    result = {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "INDEX",
            "exchangeTimezoneName": "America/New_York",
            "dataGranularity": "1d",
        }
        | meta,
        "timestamp": stamps,
        "indicators": {"quote": [{"close": closes, "volume": [0] * len(closes)}]},
    }
    return {"chart": {"result": [result], "error": None}}


def bars_until(last: date, count: int = 15) -> list[tuple[int, Any]]:
    """One bar a day, closes rising by one."""
    return [
        (opening(last - timedelta(days=back)), 100.0 + count - back)
        for back in reversed(range(count))
    ]


OTHERS = [(ticker, as_body(chart(bars_until(DAY), SYMBOLS[ticker]))) for ticker in ("SPX", "VIX")]


def parse(content: Any, market_date: date = DAY, **options: Any) -> pd.DataFrame:
    frame = Yahoo().parse([("RUT", as_body(content)), *OTHERS], market_date, **options)
    return frame.query("ticker == 'RUT'")


def test_it_is_off_unless_asked_for() -> None:
    assert not Yahoo().is_usable(make_settings())
    assert Yahoo().is_usable(make_settings(is_yahoo_enabled=True))
    assert Yahoo.is_opt_in


@responses.activate
def test_fetch_asks_by_bounds_and_not_by_range() -> None:
    for symbol in SYMBOLS.values():
        responses.get(
            re.compile(rf".*/v8/finance/chart/%5E{symbol[1:]}\?.*"),
            json=chart(bars_until(DAY), symbol),
        )
    bodies = fetch(Yahoo(), make_settings())
    assert [name for name, _ in bodies] == ["RUT", "SPX", "VIX"]
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assert query == {
        "interval": ["1d"],
        "period1": [str(unix(date(2026, 6, 25)))],
        "period2": [str(unix(date(2026, 7, 11)))],
        "events": ["history"],
    }
    frame = Yahoo().parse(bodies, DAY)
    assert tuple(frame.columns) == DATASETS["equity_daily"].column_names
    assert frame["ticker"].value_counts().to_dict() == {"RUT": 11, "SPX": 11, "VIX": 11}


@pytest.mark.parametrize("day", [date(2026, 1, 9), date(2026, 7, 10)])
def test_a_session_is_the_day_in_new_york_in_winter_and_summer(day: date) -> None:
    opened = datetime.fromtimestamp(opening(day), UTC)
    assert opened.hour == (14 if day.month == 1 else 13)
    bodies = [
        (ticker, as_body(chart(bars_until(day), symbol))) for ticker, symbol in SYMBOLS.items()
    ]
    assert Yahoo().parse(bodies, day)["session_date"].max() == day


def test_the_time_zone_of_the_exchange_decides_the_day() -> None:
    stamp = unix(DAY, hours=23)
    tokyo = chart([(stamp, 5.0)], exchangeTimezoneName="Asia/Tokyo")
    with pytest.raises(UnobtainableError, match="2026-07-11"):
        parse(tokyo)
    assert parse(chart([(stamp, 5.0)]))["session_date"].tolist() == [DAY]


def test_closes_are_rounded_and_empty_bars_left_out() -> None:
    bars = [(opening(DAY - timedelta(days=1)), 2977.80517578125), (opening(DAY), None)]
    assert parse(chart(bars))["close_points"].tolist() == [2977.8052]


def trading(seen_at: int, day: date = DAY) -> dict[str, Any]:
    """What Yahoo says about the session of a day and when its price is from."""
    regular = {"start": opening(day), "end": opening(day, hours=6.5), "timezone": "EDT"}
    return {"regularMarketTime": seen_at, "currentTradingPeriod": {"regular": regular}}


def test_the_bar_of_a_running_session_is_left_out_once_or_twice() -> None:
    before = bars_until(DAY - timedelta(days=1))
    now = opening(DAY, hours=2)
    running = [(opening(DAY), 1.0)]
    twice = [*running, (now, 2.0)]
    for last in (running, [(now, 2.0)], twice):
        frame = parse(chart([*before, *last], **trading(now)))
        assert frame["session_date"].max() == DAY - timedelta(days=1)


def test_a_last_bar_that_shows_the_finished_session_again_is_left_out() -> None:
    bars = [*bars_until(DAY), (opening(DAY, hours=6.5), 999.0)]
    for meta in ({}, trading(opening(DAY, hours=6.5))):
        frame = parse(chart(bars, **meta))
        assert frame.iloc[-1][["session_date", "close_points"]].tolist() == [DAY, 115.0]


def test_a_session_twice_in_the_middle_is_a_contradiction() -> None:
    bars = bars_until(DAY)
    with pytest.raises(PayloadError, match="two different closes"):
        parse(chart([*bars[:-1], (bars[-2][0] + 60, 1.0), bars[-1]]))


def test_the_vendors_error_is_said() -> None:
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    with pytest.raises(SourceError, match="delisted"):
        parse({"chart": {"result": None, "error": error}})


def test_a_span_without_sessions_comes_without_lists() -> None:
    content = chart([])
    del content["chart"]["result"][0]["timestamp"]
    content["chart"]["result"][0]["indicators"] = {"quote": [{}]}
    with pytest.raises(NotYetAvailableError, match="it is empty"):
        parse(content)


@pytest.mark.parametrize(
    "meta",
    [
        {"symbol": "^GSPC"},
        {"dataGranularity": "1wk"},
        {"exchangeTimezoneName": "New York"},
        {"exchangeTimezoneName": None},
        {"exchangeTimezoneName": "../../etc/passwd"},
        trading(1) | {"regularMarketTime": "now"},
    ],
)
def test_a_chart_of_something_else_is_refused(meta: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="RUT"):
        parse(chart(bars_until(DAY), **meta))


@pytest.mark.parametrize("close", [-1.0, 0.0, "5", True, 10**400])
def test_a_close_that_is_not_a_positive_number_is_refused(close: Any) -> None:
    with pytest.raises(PayloadError, match="bar 1"):
        parse(chart([(opening(DAY), close)]))


def test_lists_of_different_lengths_are_refused() -> None:
    content = chart(bars_until(DAY))
    content["chart"]["result"][0]["timestamp"].pop()
    with pytest.raises(PayloadError, match="14 stamps for 15 closes"):
        parse(content)


DOCUMENT = chart(bars_until(DAY, 4), **trading(opening(DAY, hours=7)))


@hypothesis_settings(deadline=None)
@given(spoiled(DOCUMENT))
def test_a_spoiled_body_is_refused_or_gives_sound_rows(content: Any) -> None:
    check_spoiled(
        Yahoo(),
        "RUT",
        content,
        others=OTHERS,
        others_content=[close for _, close in bars_until(DAY)],
    )


@given(st.binary() | ANY_JSON.map(as_body) | ANY_JSON.map(lambda x: as_body({"chart": x})))
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(Yahoo(), ["RUT", "SPX", "VIX"])(body)
