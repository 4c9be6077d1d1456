"""Bybit: ratio and funding per symbol, errors inside HTTP 200, and defective answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

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
    RateLimitedError,
    SourceError,
)
from pipeline.sources.base import Source
from pipeline.sources.bybit import BybitFunding, BybitPositioning

DAY = date(2026, 7, 10)
BEFORE = DAY - timedelta(days=1)


def answer(*entries: Any, **overrides: Any) -> dict[str, Any]:
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"list": list(entries), "nextPageCursor": ""},
        "retExtInfo": {},
        "time": milliseconds(DAY, 25),
    } | overrides


def ratio(day: date, buy: str = "0.6", sell: str = "0.4", **overrides: Any) -> dict[str, Any]:
    row = {"symbol": "BTCUSDT", "buyRatio": buy, "sellRatio": sell}
    return {**row, "timestamp": str(milliseconds(day)), **overrides}


def settlement(day: date, hours: float, rate: str = "0.0001", **overrides: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "fundingRate": rate,
        "fundingRateTimestamp": str(milliseconds(day, hours)),
    } | overrides


def body(content: Any, endpoint: str = "ratio", label: str = "BTCUSDT") -> tuple[str, bytes]:
    return f"{endpoint}-{label}", as_json(content)


def test_ratio_is_longs_per_short_by_the_day_that_the_stamp_begins() -> None:
    running = ratio(DAY + timedelta(days=1), "0.9", "0.1")
    content = answer(running, ratio(DAY), ratio(BEFORE, "0.5", "0.5"))
    frame = BybitPositioning().parse([body(content)], DAY)
    assert tuple(frame.columns) == DATASETS["positioning_daily"].column_names
    assert frame["market_date"].tolist() == [BEFORE, DAY]
    assert frame["long_short_account_ratio"].tolist() == pytest.approx([1.0, 1.5])
    assert set(zip(frame["source"], frame["venue"], strict=True)) == {("bybit", "bybit")}
    assert frame["top_account_ratio"].isna().all()


def test_ratio_of_zero_or_blank_has_no_row() -> None:
    content = answer(
        ratio(DAY), ratio(BEFORE, "1", "0"), ratio(BEFORE - timedelta(days=1), "", "1")
    )
    frame = BybitPositioning().parse([body(content)], DAY)
    assert frame["market_date"].tolist() == [DAY]


def test_funding_is_summed_over_the_day() -> None:
    after = DAY + timedelta(days=1)
    early = settlement(DAY, 0, "0.0002", fundingRateTimestamp=str(milliseconds(DAY) - 3))
    content = answer(settlement(after, 0, "9"), settlement(DAY, 8, "-0.0005"), early)
    frame = BybitFunding().parse([body(content, "funding")], DAY)
    assert frame["market_date"].tolist() == [DAY]
    assert frame["funding_rate_fraction"].tolist() == pytest.approx([-0.0003])


def test_parts_of_a_range_are_read_together() -> None:
    bodies = [
        body(answer(settlement(DAY, 0)), "funding"),
        body(answer(settlement(DAY, 8)), "funding", "BTCUSDT#2"),
    ]
    frame = BybitFunding().parse(bodies, DAY)
    assert frame["funding_rate_fraction"].tolist() == pytest.approx([0.0002])


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (answer(retCode=10006, retMsg="Too many visits!"), RateLimitedError, "Too many visits"),
        (answer(retCode=10016, retMsg="Server error"), SourceError, "Server error"),
        (answer(retCode=10009, retMsg="IP"), SourceError, "10009"),
        (answer(retCode=10001, retMsg="Symbol Invalid"), SourceError, "lists none of BTCUSDT"),
        (answer(retCode="0"), SourceError, "retCode"),
        (answer(retCode=False), SourceError, "retCode"),
        ({"result": {}}, PayloadError, "retCode"),
        (answer(result={}), PayloadError, "list"),
        (answer(result=None), PayloadError, "not an object"),
        (answer(ratio(DAY, symbol="ETHUSDT")), PayloadError, "ETHUSDT"),
        (answer(ratio(DAY, "0.6", "0.6")), PayloadError, "do not add up"),
        (answer(ratio(DAY, "-0.6", "1.6")), PayloadError, "negative"),
        (answer(ratio(DAY), ratio(DAY, "0.5", "0.5")), PayloadError, "two different values"),
        (answer(ratio(DAY, timestamp="1e12")), PayloadError, "time stamp"),
        (answer(*[ratio(DAY)] * 500), PayloadError, "as many as fit"),
        (answer(ratio(DAY), time=milliseconds(DAY, 3)), NotYetAvailableError, "an old copy"),
        (answer(ratio(DAY), time=None), PayloadError, "time stamp"),
        (answer(), NotYetAvailableError, "ends with None"),
        (answer(ratio(BEFORE)), NotYetAvailableError, "ends with 2026-07-09"),
    ],
)
def test_parse_says_what_is_wrong(content: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        BybitPositioning().parse([body(content)], DAY)
    assert raised.type is error


def test_symbol_that_is_not_listed_is_left_out() -> None:
    bodies = [body(answer(retCode=10001), label="GONEUSDT"), body(answer(ratio(DAY)))]
    assert BybitPositioning().parse(bodies, DAY)["perp_symbol"].tolist() == ["BTCUSDT"]


def test_fetch_asks_the_reviewed_symbols_in_spans_that_fit_a_call(tmp_path: Path) -> None:
    configured = settings_at(night_of(DAY), tmp_path)
    client = FakeClient(lambda path, params: as_json(answer()))
    names = [name for name, _ in BybitPositioning().fetch(client, configured, DAY)]
    assert names[0] == "ratio-BTCUSDT"
    assert "ratio-SHIB1000USDT" in names
    path, params = client.asked[0]
    assert path == "bybit/v5/market/account-ratio"
    assert (params["category"], params["period"], params["limit"]) == ("linear", "1d", "500")
    assert int(params["endTime"]) == milliseconds(DAY + timedelta(days=1)) - 1

    client = FakeClient(lambda path, params: as_json(answer()))
    names = [name for name, _ in BybitFunding().fetch(client, configured, DAY)]
    assert names[:2] == ["funding-BTCUSDT", "funding-BTCUSDT#2"]
    path, params = client.asked[0]
    assert path == "bybit/v5/market/funding/history"
    assert {"startTime", "endTime"} <= params.keys()
    hours = (int(params["endTime"]) - int(params["startTime"])) / 3_600_000
    assert hours < int(params["limit"])
    with pytest.raises(NotYetAvailableError):
        list(BybitFunding().fetch(client, configured, DAY + timedelta(days=1)))


def test_fetch_begins_where_the_history_does(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: as_json(answer()))
    configured = settings_at(night_of(DAY), tmp_path)
    day = date(2020, 8, 1)
    list(BybitPositioning().fetch(client, configured, day, since=date(2019, 1, 1)))
    assert client.asked[0][1]["startTime"] == str(milliseconds(date(2020, 7, 20)) - 30_000)


def test_fetch_leaves_out_a_symbol_but_not_a_refusal(tmp_path: Path) -> None:
    configured = settings_at(night_of(DAY), tmp_path)

    def respond(path: str, params: Mapping[str, str]) -> bytes | int:
        return 404 if params["symbol"] == "SOLUSDT" else as_json(answer())

    names = [name for name, _ in BybitPositioning().fetch(FakeClient(respond), configured, DAY)]
    assert "ratio-SOLUSDT" not in names
    with pytest.raises(SourceError, match="403"):
        list(BybitPositioning().fetch(FakeClient(lambda path, params: 403), configured, DAY))


GOOD: list[tuple[Source, str, Any]] = [
    (BybitPositioning(), "ratio", answer(ratio(DAY), ratio(BEFORE))),
    (BybitFunding(), "funding", answer(settlement(DAY, 8), settlement(DAY, 0))),
]


@given(st.sampled_from(GOOD), st.data())
def test_parse_of_a_defective_body_gives_plausible_rows_or_raises(
    case: tuple[Source, str, Any], data: st.DataObject
) -> None:
    source, endpoint, content = case
    spoilt = data.draw(mutated_json(content) | st.binary())
    frame = try_parse(source, [(f"{endpoint}-BTCUSDT", spoilt)], DAY)
    if frame is None:
        return
    assert set(frame["market_date"]) <= {BEFORE, DAY}
    assert set(frame["perp_symbol"]) == {"BTCUSDT"}
    if source.dataset == "positioning_daily":
        assert frame["long_short_account_ratio"].between(1e-3, 1e3).all()
    else:
        assert (frame["funding_rate_fraction"].abs() < float("inf")).all()
