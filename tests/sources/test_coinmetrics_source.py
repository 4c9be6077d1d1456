"""CoinMetrics' API: following its pages, and what becomes of every defect in them."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import responses
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from source_kit import (
    ANY_JSON,
    DAY,
    ROOT_URL,
    as_body,
    check_spoiled,
    fetch,
    make_settings,
    refuses_everything_else,
    spoiled,
)

from pipeline.datasets import DATASETS
from pipeline.errors import NotYetAvailableError, PayloadError, SourceError
from pipeline.sources.coinmetrics import METRICS, SAME_SPELLING, CoinMetrics, assets_asked

URL = f"{ROOT_URL}/coinmetrics/v4/timeseries/asset-metrics"
REFERENCE = Path(__file__).resolve().parents[2] / "sql" / "reference"


def row(days_before: int, asset: str = "btc", **overrides: Any) -> dict[str, Any]:
    return {
        "asset": asset,
        "time": f"{DAY - timedelta(days=days_before)}T00:00:00.000000000Z",
        "FlowInExUSD": "864089684.43",
        "FlowInExUSD-status": "flash",
        "CapMVRVCur": "1.75",
    } | overrides


def page(*rows: Any, **overrides: Any) -> dict[str, Any]:
    return {"data": list(rows)} | overrides


def parse(*contents: Any, **options: Any) -> pd.DataFrame:
    bodies = [
        (f"asset-metrics-{n}", as_body(content)) for n, content in enumerate(contents, start=1)
    ]
    return CoinMetrics().parse(bodies, DAY, **options)


@responses.activate
def test_fetch_asks_for_everything_at_once_and_lets_the_vendor_leave_out() -> None:
    responses.get(URL, json=page(row(0)))
    bodies = fetch(CoinMetrics(), make_settings())
    assert [name for name, _ in bodies] == ["asset-metrics-1"]
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assets = query.pop("assets")[0].split(",")
    assert {"btc", "eth", "xrp"} <= set(assets)
    assert query == {
        "metrics": [",".join(METRICS)],
        "frequency": ["1d"],
        "start_time": ["2026-06-30"],
        "end_time": ["2026-07-10"],
        "page_size": ["10000"],
        "paging_from": ["start"],
        "ignore_forbidden_errors": ["true"],
        "ignore_unsupported_errors": ["true"],
    }


@responses.activate
def test_fetch_follows_the_pages_until_there_is_none() -> None:
    following = f"{URL}?next_page_token=abc&page_size=10000"
    responses.get(URL, json=page(row(1), next_page_token="abc", next_page_url=following))
    responses.get(following, json=page(row(0)))
    bodies = fetch(CoinMetrics(), make_settings())
    assert [name for name, _ in bodies] == ["asset-metrics-1", "asset-metrics-2"]
    assert len(CoinMetrics().parse(bodies, DAY)) == 4


@pytest.mark.parametrize(
    "following",
    [
        "https://elsewhere.example/v4/timeseries/asset-metrics?x=1",
        "http://h.example/p/coinmetrics/v4/timeseries/asset-metrics?x=1",
        "https://user:pass@h.example/p/coinmetrics/v4/timeseries/asset-metrics?x=1",
        f"{ROOT_URL}/coinmetrics/v4/catalog?x=1",
        f"{ROOT_URL}/coinmetrics/v4/timeseries/asset-metrics/../../../../admin",
        "https://[",
        "next",
        "",
        5,
        {},
    ],
)
@responses.activate
def test_fetch_does_not_go_elsewhere(following: Any) -> None:
    responses.get(URL, json=page(row(0), next_page_url=following))
    with pytest.raises(PayloadError):
        fetch(CoinMetrics(), make_settings())
    assert len(responses.calls) == 1


@responses.activate
def test_fetch_stops_at_pages_that_go_round() -> None:
    following = f"{URL}?next_page_token=abc"
    responses.get(URL, json=page(row(0), next_page_url=following))
    with pytest.raises(PayloadError, match="do not end"):
        fetch(CoinMetrics(), make_settings())
    assert len(responses.calls) == 2


@responses.activate
def test_fetch_does_not_ask_for_days_before_the_first() -> None:
    responses.get(URL, json=page(row(0)))
    fetch(CoinMetrics(), make_settings(), since=date.min)
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assert query["start_time"] == ["2010-07-18"]


def test_assets_are_the_reviewed_ones() -> None:
    with (REFERENCE / "asset_class.csv").open(encoding="utf-8", newline="") as lines:
        classified = {line["coin_id"] for line in csv.DictReader(lines)}
    with (REFERENCE / "coin_xref.csv").open(encoding="utf-8", newline="") as lines:
        listed = {
            line["source_coin_id"]
            for line in csv.DictReader(lines)
            if line["source"] == "coinmetrics"
        }
    assert set(SAME_SPELLING) <= classified
    assert not listed & set(SAME_SPELLING)
    assert set(assets_asked(make_settings())) == listed | set(SAME_SPELLING)


def test_parse_reads_numbers_from_text_a_row_each() -> None:
    frame = parse(page(row(0)))
    assert tuple(frame.columns) == DATASETS["onchain_daily"].column_names
    assert frame.to_dict("records") == [
        {
            "market_date": DAY,
            "source": "coinmetrics",
            "coin_id": "btc",
            "metric": metric,
            "value": value,
        }
        for metric, value in (("CapMVRVCur", 1.75), ("FlowInExUSD", 864089684.43))
    ]


def test_null_and_a_missing_metric_have_no_row() -> None:
    frame = parse(page(row(0, FlowInExUSD=None), row(0, "ada", CapMVRVCur=None, FlowInExUSD=None)))
    assert frame["metric"].tolist() == ["CapMVRVCur"]


def test_a_metric_that_was_not_asked_for_has_no_row() -> None:
    assert len(parse(page(row(0, TxCnt="5")))) == 2


def test_only_the_days_wanted_are_given() -> None:
    frame = parse(page(*(row(n) for n in range(-2, 30))))
    assert frame["market_date"].min() == DAY - timedelta(days=10)
    assert frame["market_date"].max() == DAY


def test_a_day_without_any_value_is_not_yet_there() -> None:
    for content in (page(), page(row(1)), page(row(0, CapMVRVCur=None, FlowInExUSD=None))):
        with pytest.raises(NotYetAvailableError, match="no asset has a value of 2026-07-10"):
            parse(content)


def test_one_asset_without_the_day_does_not_hold_up_the_others() -> None:
    frame = parse(page(row(0), row(1, "eth")))
    assert frame["coin_id"].unique().tolist() == ["eth", "btc"]


def test_the_vendors_error_is_said() -> None:
    with pytest.raises(SourceError, match="forbidden"):
        parse({"error": {"type": "forbidden", "message": "not for you"}})


def test_a_value_twice_may_not_differ() -> None:
    assert len(parse(page(row(0)), page(row(0)))) == 2
    with pytest.raises(PayloadError, match="comes twice, differing"):
        parse(page(row(0)), page(row(0, CapMVRVCur="2")))


@pytest.mark.parametrize(
    "defect",
    [
        {"asset": None},
        {"asset": ""},
        {"time": "2026-07-10"},
        {"time": "2026-07-10T01:00:00.000000000Z"},
        {"time": "2026-02-30T00:00:00.000000000Z"},
        {"time": None},
        {"CapMVRVCur": 1.75},
        {"CapMVRVCur": "NaN"},
        {"CapMVRVCur": "inf"},
        {"CapMVRVCur": "-1"},
        {"CapMVRVCur": "1,5"},
        {"CapMVRVCur": "1" * 400},
        {"CapMVRVCur": True},
    ],
)
def test_a_row_of_another_shape_is_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="page 1, row 2"):
        parse(page(row(0), row(1, **defect)))


def test_pages_without_a_gap_are_needed() -> None:
    body = as_body(page(row(0)))
    for names in (["asset-metrics-2"], ["asset-metrics-1", "asset-metrics-3"], ["x"], []):
        with pytest.raises(PayloadError, match="without a gap"):
            CoinMetrics().parse([(name, body) for name in names], DAY)


@hypothesis_settings(deadline=None)
@given(spoiled(page(row(0), row(1), row(0, "eth"))))
def test_a_spoiled_body_is_refused_or_gives_sound_rows(content: Any) -> None:
    check_spoiled(CoinMetrics(), "asset-metrics-1", content)


@given(st.binary() | ANY_JSON.map(as_body) | ANY_JSON.map(lambda x: as_body({"data": [x]})))
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(CoinMetrics(), ["asset-metrics-1"])(body)
