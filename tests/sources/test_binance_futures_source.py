"""Binance's futures API: what is asked of it, and what becomes of every defect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_vendor import (
    FakeClient,
    as_json,
    milliseconds,
    mutated_json,
    night_of,
    settings_at,
    try_parse,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.base import Source
from pipeline.sources.binance_futures import (
    SYMBOLS_ASKED,
    BinanceFuturesOpenInterest,
    BinanceFuturesPositioning,
)
from pipeline.sources.binance_futures_trades import BinanceFuturesFunding, BinanceFuturesPerp
from pipeline.sources.http import HttpStatusError

DAY = date(2026, 7, 10)
AFTER = DAY + timedelta(days=1)
SOURCES: list[Source] = [
    BinanceFuturesPositioning(),
    BinanceFuturesOpenInterest(),
    BinanceFuturesFunding(),
    BinanceFuturesPerp(),
]
RATIOS = ("globalLongShortAccountRatio", "topLongShortAccountRatio", "topLongShortPositionRatio")


def shares(day: date, long: str = "0.6622", **overrides: Any) -> dict[str, Any]:
    short = f"{1 - float(long):.4f}"
    return {
        "symbol": "BTCUSDT",
        "longShortRatio": f"{float(long) / float(short):.4f}",
        "longAccount": long,
        "shortAccount": short,
        "timestamp": milliseconds(day),
    } | overrides


def takers(day: date, **overrides: Any) -> dict[str, Any]:
    row = {"buySellRatio": "1.5586", "buyVol": "387.33", "sellVol": "248.51"}
    return {**row, "timestamp": milliseconds(day), **overrides}


def interest(day: date, **overrides: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "sumOpenInterest": "20403.12",
        "sumOpenInterestValue": "176196512.12",
        "CMCCirculatingSupply": "165880.5",
        "timestamp": milliseconds(day),
    } | overrides


def settlement(day: date, hours: float, rate: str = "0.0001", **overrides: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "fundingRate": rate,
        "fundingTime": milliseconds(day, hours),
        "markPrice": "34287.54",
    } | overrides


def candle(day: date, **cells: Any) -> list[Any]:
    opened = milliseconds(day)
    row = [opened, "1", "3", "0.5", "2", "10", opened + 86_399_999, "20.5", 7, "5", "10", "0"]
    for index, value in cells.items():
        row[int(index.removeprefix("c"))] = value
    return row


def perp(rows: list[Any]) -> pd.DataFrame:
    return BinanceFuturesPerp().parse([("klines-BTCUSDT", as_json(rows))], DAY)


def positioning(rows: list[Any], endpoint: str = RATIOS[0]) -> list[tuple[str, bytes]]:
    return [(f"{endpoint}-BTCUSDT", as_json(rows))]


def test_positioning_gives_the_four_ratios_of_a_day() -> None:
    bodies = [
        (f"{endpoint}-BTCUSDT", as_json([shares(DAY, long)]))
        for endpoint, long in zip(RATIOS, ("0.6000", "0.5000", "0.4000"), strict=True)
    ]
    bodies.append(("takerlongshortRatio-BTCUSDT", as_json([takers(DAY)])))
    frame = BinanceFuturesPositioning().parse(bodies, DAY)
    assert tuple(frame.columns) == DATASETS["positioning_daily"].column_names
    (row,) = frame.to_dict("records")
    assert (row["market_date"], row["source"]) == (DAY, "binance_futures")
    assert (row["venue"], row["perp_symbol"]) == ("binance", "BTCUSDT")
    assert row["long_short_account_ratio"] == pytest.approx(1.5)
    assert row["top_account_ratio"] == pytest.approx(1.0)
    assert row["top_position_ratio"] == pytest.approx(2 / 3)
    assert row["taker_buy_sell_ratio"] == pytest.approx(387.33 / 248.51)


def test_positioning_leaves_out_a_ratio_that_its_shares_contradict() -> None:
    rows = [shares(DAY - timedelta(days=1), longShortRatio="0.1960"), shares(DAY)]
    frame = BinanceFuturesPositioning().parse(positioning(rows), DAY)
    assert frame["market_date"].tolist() == [DAY]


@pytest.mark.parametrize("long", ["0.0100", "0.0500", "0.9800", "0.9999"])
def test_positioning_takes_a_lopsided_ratio_with_its_rounding(long: str) -> None:
    exact = float(long) + 4e-5
    row = shares(DAY, long, longShortRatio=f"{exact / (1 - exact):.4f}")
    assert len(BinanceFuturesPositioning().parse(positioning([row]), DAY)) == 1


@pytest.mark.parametrize(
    "gone", [{"longAccount": "0"}, {"longAccount": ""}, {"shortAccount": None}]
)
def test_positioning_takes_zero_and_blank_for_null(gone: dict[str, Any]) -> None:
    before = DAY - timedelta(days=1)
    frame = BinanceFuturesPositioning().parse(
        positioning([shares(before, **gone), shares(DAY)]), DAY
    )
    assert frame["market_date"].tolist() == [DAY]


def test_the_running_day_and_days_before_the_window_are_dropped() -> None:
    days = [DAY + timedelta(days=back) for back in range(-15, 2)]
    rows = [shares(day) for day in days] + [shares(DAY, timestamp=milliseconds(DAY, 25.0))]
    frame = BinanceFuturesPositioning().parse(positioning(rows), DAY)
    assert frame["market_date"].min() == DAY - timedelta(days=10)
    assert frame["market_date"].max() == DAY
    assert len(BinanceFuturesPositioning().parse(positioning(rows), DAY, since=DAY)) == 1


def test_open_interest_is_in_units_and_dollars() -> None:
    before = DAY - timedelta(days=1)
    rows = [interest(before, sumOpenInterest="0"), interest(DAY)]
    frame = BinanceFuturesOpenInterest().parse([("openInterestHist-BTCUSDT", as_json(rows))], DAY)
    assert frame["open_interest_units"].fillna(-1).tolist() == [-1, 20403.12]
    assert frame["open_interest_usd"].tolist() == [176196512.12, 176196512.12]


def test_funding_is_summed_over_the_day_whatever_the_interval() -> None:
    before, after = DAY - timedelta(days=1), DAY + timedelta(days=1)
    rows = [
        settlement(before, 16, "0.5"),
        # The settlement at midnight, stamped some milliseconds early.
        settlement(DAY, 0, "0.0001", fundingTime=milliseconds(DAY) - 4),
        settlement(DAY, 8, "-0.0003", fundingTime=milliseconds(DAY, 8) + 7),
        settlement(DAY, 12, "0.0005"),
        settlement(after, 0, "0.5", fundingTime=milliseconds(after) - 2),
    ]
    frame = BinanceFuturesFunding().parse([("fundingRate-BTCUSDT", as_json(rows))], DAY, since=DAY)
    assert frame["funding_rate_fraction"].tolist() == [pytest.approx(0.0003)]


def test_funding_counts_a_repeated_settlement_once_and_refuses_a_contradiction() -> None:
    rows = [settlement(DAY, 0), settlement(DAY, 0), settlement(DAY, 8), settlement(AFTER, 0)]
    frame = BinanceFuturesFunding().parse([("fundingRate-BTCUSDT", as_json(rows))], DAY)
    assert frame["funding_rate_fraction"].tolist() == [pytest.approx(0.0002)]
    rows.append(settlement(DAY, 8, "0.0009"))
    with pytest.raises(PayloadError, match="two rates"):
        BinanceFuturesFunding().parse([("fundingRate-BTCUSDT", as_json(rows))], DAY)


@pytest.mark.parametrize("index", range(12))
def test_candle_without_one_of_its_cells_is_refused(index: int) -> None:
    row = candle(DAY)
    del row[index]
    with pytest.raises(PayloadError, match="not a candle"):
        perp([row, candle(AFTER)])


@pytest.mark.parametrize("index", range(7))
def test_candle_whose_cells_have_moved_is_refused(index: int) -> None:
    row = candle(DAY)
    row.insert(index, row[index])
    with pytest.raises(PayloadError):
        perp([row, candle(AFTER)])


@pytest.mark.parametrize("index", range(8, 13))
def test_candle_with_a_cell_more_behind_the_volumes_is_read(index: int) -> None:
    row = candle(DAY)
    row.insert(index, "1")
    plain = perp([candle(DAY), candle(AFTER)])
    assert perp([row, candle(AFTER)]).equals(plain)


@pytest.mark.parametrize(
    "cells", [{"c5": "0"}, {"c7": "0"}, {"c7": "4.9"}, {"c7": "30.4"}, {"c5": "41.5"}]
)
def test_volumes_that_contradict_the_prices_are_refused(cells: dict[str, str]) -> None:
    with pytest.raises(PayloadError, match=r"is not a price between 0\.5 and 3\.0"):
        perp([candle(DAY, **cells), candle(AFTER)])


def test_perp_gives_the_candle_in_quote_currency() -> None:
    idle = candle(DAY - timedelta(days=1), c7="0", c5="0")
    rows = [idle, candle(DAY), candle(DAY + timedelta(days=1))]
    frame = BinanceFuturesPerp().parse([("klines-BTCUSDT", as_json(rows))], DAY)
    assert frame.drop(columns=["source", "venue", "perp_symbol"]).to_dict("records") == [
        {"market_date": DAY, "close_usd": 2.0, "high_usd": 3.0, "low_usd": 0.5, "volume_usd": 20.5}
    ]


@pytest.mark.parametrize(
    "cells",
    [
        {"c4": "4"},
        {"c4": "0.4"},
        {"c4": "0"},
        {"c4": "-2"},
        {"c2": "NaN"},
        {"c7": "-1"},
        {"c6": 1},
        {"c0": milliseconds(DAY) // 1000},
    ],
)
def test_perp_refuses_a_candle_that_cannot_be(cells: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        perp([candle(DAY, **cells), candle(AFTER)])


@pytest.mark.parametrize("source", [BinanceFuturesFunding(), BinanceFuturesPerp()])
def test_a_day_that_nothing_follows_may_be_running_and_is_left_out(source: Source) -> None:
    before = DAY - timedelta(days=1)
    if source.dataset == "perp_daily":
        name, rows, more = "klines-BTCUSDT", [candle(before), candle(DAY)], candle(AFTER, c7="0")
    else:
        name, more = "fundingRate-BTCUSDT", settlement(AFTER, 0)
        rows = [settlement(before, 0), settlement(DAY, 0), settlement(DAY, 16)]
    with pytest.raises(NotYetAvailableError, match=f"does not have {DAY} yet"):
        source.parse([(name, as_json(rows))], DAY)
    frame = source.parse([(name, as_json([*rows, more]))], DAY)
    assert frame["market_date"].tolist() == [before, DAY]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"code": -1121, "msg": "Invalid symbol."}, "Invalid symbol"),
        ([shares(DAY, symbol="ETHUSDT")], "ETHUSDT"),
        ([shares(DAY), shares(DAY, "0.5000")], "two different values"),
        ([shares(DAY, timestamp=milliseconds(DAY, 1))], "no stamp is a midnight"),
        ([shares(DAY, timestamp=milliseconds(DAY) // 1000)], "century"),
        ([shares(DAY, timestamp=None)], "time stamp"),
        ([shares(DAY, longAccount="-0.5")], "negative"),
        ([shares(DAY, longAccount="half")], "not a number"),
        ([{"timestamp": milliseconds(DAY)}], "longAccount"),
        (["row"], "not an object"),
        ([shares(DAY)] * 500, "as many as fit"),
    ],
)
def test_positioning_refuses_what_is_not_documented(rows: Any, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        BinanceFuturesPositioning().parse(positioning(rows), DAY)


def test_parse_says_whether_the_day_will_come() -> None:
    source = BinanceFuturesPositioning()
    with pytest.raises(NotYetAvailableError, match="ends with 2026-07-10"):
        source.parse(positioning([shares(DAY)]), DAY + timedelta(days=1))
    with pytest.raises(NotYetAvailableError, match="ends with None"):
        source.parse(positioning([]), DAY)
    with pytest.raises(UnobtainableError, match="goes on to"):
        source.parse(positioning([shares(DAY)]), DAY - timedelta(days=3))


@pytest.mark.parametrize("names", [[], ["x-BTCUSDT"], ["klines"], ["klines-"], ["klines-A"] * 2])
def test_parse_refuses_bodies_of_another_fetch(names: list[str]) -> None:
    body = as_json([candle(DAY)])
    with pytest.raises(PayloadError):
        BinanceFuturesPerp().parse([(name, body) for name in names], DAY)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.dataset)
def test_fetch_asks_for_the_window_symbol_by_symbol(source: Source, tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: b"[]")
    names = [name for name, _ in source.fetch(client, settings_at(night_of(DAY), tmp_path), DAY)]
    endpoints = 4 if source.dataset == "positioning_daily" else 1
    assert names[0].endswith("-BTCUSDT")
    assert len(names) == len(set(names)) == len(client.asked)
    assert endpoints * 60 <= len(names) <= endpoints * SYMBOLS_ASKED
    path, params = client.asked[0]
    assert path.startswith("binance_futures/f")
    first = milliseconds(DAY - timedelta(days=10))
    assert int(params["startTime"]) in (first, first - 30_000)
    beyond = timedelta(days=2 if source.dataset in ("funding_daily", "perp_daily") else 1)
    assert int(params["endTime"]) == milliseconds(DAY + beyond) - 1
    assert params["symbol"] == "BTCUSDT"


def test_fetch_never_asks_beyond_thirty_days(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: b"[]")
    source = BinanceFuturesOpenInterest()
    configured = settings_at(night_of(DAY), tmp_path)
    list(source.fetch(client, configured, DAY, since=date(2020, 1, 1)))
    oldest = DAY + timedelta(days=1) - timedelta(days=29)
    assert client.asked[0][1]["startTime"] == str(milliseconds(oldest))
    with pytest.raises(UnobtainableError, match="bulk archive"):
        list(source.fetch(client, configured, DAY - timedelta(days=40)))
    with pytest.raises(NotYetAvailableError):
        list(source.fetch(client, configured, DAY + timedelta(days=1)))


def test_fetch_leaves_out_unknown_symbols_and_stops_when_all_are(tmp_path: Path) -> None:
    configured = settings_at(night_of(DAY), tmp_path)
    source = BinanceFuturesPerp()

    def respond(path: str, params: Mapping[str, str]) -> bytes | int:
        return 400 if params["symbol"].startswith("1000") else b"[]"

    names = [name for name, _ in source.fetch(FakeClient(respond), configured, DAY)]
    assert "klines-BTCUSDT" in names
    assert not any(name.startswith("klines-1000") for name in names)
    client = FakeClient(lambda path, params: 400)
    with pytest.raises(SourceError, match="no symbol"):
        list(source.fetch(client, configured, DAY))
    assert len(client.asked) == 10


@pytest.mark.parametrize("status", [403, 418, 451])
def test_fetch_stops_at_once_when_it_is_refused(status: int, tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: status)
    with pytest.raises(HttpStatusError):
        list(BinanceFuturesPerp().fetch(client, settings_at(night_of(DAY), tmp_path), DAY))
    assert len(client.asked) == 1


GOOD: dict[str, list[Any]] = {
    "positioning_daily": [shares(DAY - timedelta(days=1)), shares(DAY)],
    "open_interest_daily": [interest(DAY - timedelta(days=1)), interest(DAY)],
    "funding_daily": [settlement(DAY, 0), settlement(DAY, 8), settlement(AFTER, 0)],
    "perp_daily": [candle(DAY - timedelta(days=1)), candle(DAY), candle(AFTER)],
}


@given(st.sampled_from(SOURCES), st.data())
def test_parse_of_a_defective_body_gives_plausible_rows_or_raises(
    source: Source, data: st.DataObject
) -> None:
    body = data.draw(mutated_json(GOOD[source.dataset]) | st.binary())
    endpoint = next(iter(source.endpoints))
    frame = try_parse(source, [(f"{endpoint}-BTCUSDT", body)], DAY)
    if frame is None:
        return
    assert set(frame["market_date"]) <= {DAY, DAY - timedelta(days=1)}
    assert DAY in set(frame["market_date"])
    assert frame["market_date"].is_unique
    numbers = frame.select_dtypes("float64")
    assert numbers.notna().any(axis=1).all()
    if source.dataset != "funding_daily":
        assert (numbers.isna() | ((numbers > 0) & (numbers < float("inf")))).all(axis=None)
