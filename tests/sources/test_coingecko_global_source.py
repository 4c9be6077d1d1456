"""CoinGecko's totals: asking for them, and what becomes of every defect in them."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import responses
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from source_kit import (
    ANY_JSON,
    CLOSE,
    DAY,
    ROOT_URL,
    as_body,
    check_spoiled,
    fetch,
    make_settings,
    refuses_everything_else,
    spoiled,
    unix,
)

from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.coingecko_global import CoinGeckoGlobal

RECORDED = (
    Path(__file__).resolve().parents[3] / "shared/data/recorded/fixtures_coingecko_vcr_2021.tar.gz"
)


def answer(**overrides: Any) -> dict[str, Any]:
    return {
        "data": {
            "active_cryptocurrencies": 17000,
            "total_market_cap": {"usd": 2.6e12, "btc": 3.0e7},
            "total_volume": {"usd": 9e10},
            "market_cap_percentage": {"btc": 57.95, "eth": 9.58},
            "updated_at": unix(DAY, hours=25),
        }
        | overrides
    }


def parse(content: Any, market_date: date = DAY) -> pd.DataFrame:
    return CoinGeckoGlobal().parse([("global", as_body(content))], market_date)


@responses.activate
def test_fetch_sends_the_key_where_there_is_one() -> None:
    responses.get(f"{ROOT_URL}/coingecko/api/v3/global", json=answer())
    bodies = fetch(CoinGeckoGlobal(), make_settings(coingecko_demo_key="a-demo-key"))
    assert responses.calls[0].request.headers["x-cg-demo-api-key"] == "a-demo-key"
    assert len(CoinGeckoGlobal().parse(bodies, DAY)) == 1
    fetch(CoinGeckoGlobal(), make_settings(coingecko_demo_key=None))
    assert "x-cg-demo-api-key" not in responses.calls[1].request.headers


@pytest.mark.parametrize(
    ("hours", "error"), [(-0.1, NotYetAvailableError), (12.1, UnobtainableError)]
)
@responses.activate
def test_fetch_asks_nothing_when_now_cannot_describe_the_day(
    hours: float, error: type[Exception]
) -> None:
    with pytest.raises(error, match="2026-07-10"):
        fetch(CoinGeckoGlobal(), make_settings(TIDEMARK_NOW=CLOSE + timedelta(hours=hours)))
    assert len(responses.calls) == 0


def test_parse_turns_percent_into_a_fraction() -> None:
    assert parse(answer()).to_dict("records") == [
        {
            "market_date": DAY,
            "source": "coingecko",
            "total_market_cap_usd": 2.6e12,
            "btc_dominance_fraction": 0.5795,
            "volume_24h_usd": 9e10,
        }
    ]


def test_parse_refuses_a_snapshot_of_another_day() -> None:
    with pytest.raises(PayloadError, match="before the close"):
        parse(answer(updated_at=unix(DAY, hours=21)))
    with pytest.raises(UnobtainableError, match="import history"):
        parse(answer(updated_at=unix(DAY, hours=37)))


@pytest.mark.parametrize(
    "content",
    [
        {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}},
        {"error": {"status": {"error_code": 10005}}},
        {"error": "something"},
    ],
)
def test_parse_says_what_the_vendor_says_is_wrong(content: Any) -> None:
    with pytest.raises(SourceError, match="it says"):
        parse(content)


@pytest.mark.parametrize(
    "defect",
    [
        {"updated_at": unix(DAY, hours=25) * 1000},
        {"updated_at": float(unix(DAY, hours=25))},
        {"updated_at": None},
        {"total_market_cap": {"usd": 0}},
        {"total_market_cap": {"usd": -1}},
        {"total_market_cap": {"eur": 1}},
        {"total_market_cap": None},
        {"total_volume": {"usd": "9"}},
        {"market_cap_percentage": {"btc": 100.1}},
        {"market_cap_percentage": {"eth": 1}},
    ],
)
def test_parse_refuses_another_shape(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse(answer(**defect))


def test_recorded_body_is_parsed_once_it_is_from_around_the_close() -> None:
    if not RECORDED.exists():
        pytest.skip("the recorded bodies are not beside the checkout")
    with tarfile.open(RECORDED) as archive:
        member = archive.extractfile(
            "fixtures/vcr_cassettes/test_that_it_gets_global_crypto_data.yml"
        )
        assert member is not None
        cassette = yaml.safe_load(member.read())
    content = json.loads(cassette["http_interactions"][0]["response"]["body"]["string"])
    taken_at = datetime.fromtimestamp(content["data"]["updated_at"], UTC)
    with pytest.raises(PayloadError, match="before the close"):
        parse(content, taken_at.date())
    content["data"]["updated_at"] += (24 - taken_at.hour) * 3600
    row = parse(content, taken_at.date()).iloc[0]
    data = content["data"]
    assert row["total_market_cap_usd"] == data["total_market_cap"]["usd"]
    assert row["btc_dominance_fraction"] == data["market_cap_percentage"]["btc"] / 100


@hypothesis_settings(deadline=None)
@given(spoiled(answer()))
def test_a_spoiled_body_is_refused_or_gives_sound_rows(content: Any) -> None:
    check_spoiled(CoinGeckoGlobal(), "global", content)


@given(st.binary() | ANY_JSON.map(as_body) | ANY_JSON.map(lambda x: as_body({"data": x})))
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(CoinGeckoGlobal(), ["global"])(body)
