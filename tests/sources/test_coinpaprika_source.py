"""CoinPaprika's tickers: asking for them, and what becomes of every defect in them."""

from __future__ import annotations

from datetime import timedelta
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
    CLOSE,
    DAY,
    ROOT_URL,
    as_body,
    check_spoiled,
    fetch,
    iso,
    make_settings,
    refuses_everything_else,
    spoiled,
)

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.coinpaprika import CoinPaprika

STAMP = "2026-07-11T00:58:12Z"


def ticker(number: int, **overrides: Any) -> dict[str, Any]:
    """A coin of rank ``number``; overrides of the quote go under ``usd``."""
    usd = {
        "price": 2.5,
        "volume_24h": 7.0,
        "market_cap": 1_000_000 - number,
        "percent_change_24h": -1.0,
    } | overrides.pop("usd", {})
    return {
        "id": f"c{number}-coin-{number}",
        "name": f"Coin {number}",
        "symbol": f"C{number}",
        "rank": number,
        "total_supply": 21,
        "max_supply": None,
        "last_updated": STAMP,
        "quotes": {"USD": usd},
    } | overrides


def parse(content: Any) -> pd.DataFrame:
    return CoinPaprika().parse([("tickers", as_body(content))], DAY)


@responses.activate
def test_fetch_asks_once_for_prices_in_dollars() -> None:
    responses.get(f"{ROOT_URL}/coinpaprika/v1/tickers", json=[ticker(1)])
    bodies = fetch(CoinPaprika(), make_settings())
    assert [name for name, _ in bodies] == ["tickers"]
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assert query == {"quotes": ["USD"]}
    assert len(CoinPaprika().parse(bodies, DAY)) == 1


@pytest.mark.parametrize(
    ("hours", "error"), [(-0.1, NotYetAvailableError), (12.1, UnobtainableError)]
)
@responses.activate
def test_fetch_asks_nothing_when_now_cannot_describe_the_day(
    hours: float, error: type[Exception]
) -> None:
    with pytest.raises(error, match="2026-07-10"):
        fetch(CoinPaprika(), make_settings(TIDEMARK_NOW=CLOSE + timedelta(hours=hours)))
    assert len(responses.calls) == 0


def test_parse_gives_the_vendors_ids_and_no_supply() -> None:
    frame = parse([ticker(1)])
    assert tuple(frame.columns) == DATASETS["market_daily"].column_names
    row = frame.iloc[0]
    assert pd.isna(row["circulating_supply"])
    assert row.drop("circulating_supply").to_dict() == {
        "market_date": DAY,
        "source": "coinpaprika",
        "coin_id": "c1-coin-1",
        "symbol": "C1",
        "name": "Coin 1",
        "price_usd": 2.5,
        "market_cap_usd": 999_999.0,
        "volume_24h_usd": 7.0,
        "provider_rank": 1,
    }


def test_parse_keeps_the_500_largest_by_cap() -> None:
    frame = parse([ticker(number) for number in range(600, 0, -1)])
    assert frame["provider_rank"].tolist() == list(range(1, 501))


def test_parse_takes_rank_and_cap_of_zero_for_unknown() -> None:
    row = parse([ticker(1, rank=0, usd={"market_cap": 0})]).iloc[0]
    assert row[["provider_rank", "market_cap_usd"]].isna().all()


def test_parse_leaves_out_the_dead_and_the_unpriced() -> None:
    dead = ticker(2, last_updated="2024-01-01T00:00:00Z")
    frame = parse([ticker(1), dead, ticker(3, usd={"price": 0}), ticker(4, usd={"price": None})])
    assert frame["coin_id"].tolist() == ["c1-coin-1"]


def test_parse_refuses_a_snapshot_of_another_day() -> None:
    early = iso(CLOSE - timedelta(hours=2, minutes=1))
    late = iso(CLOSE + timedelta(hours=12, minutes=1))
    with pytest.raises(PayloadError, match="before the close"):
        parse([ticker(1, last_updated=early)])
    with pytest.raises(UnobtainableError, match="import history"):
        parse([ticker(1, last_updated=late)])
    with pytest.raises(PayloadError, match="when it was updated"):
        parse([ticker(1, last_updated=None)])
    with pytest.raises(PayloadError, match="when it was updated"):
        parse([])


def test_parse_says_what_the_vendor_says_is_wrong() -> None:
    with pytest.raises(SourceError, match="quota"):
        parse({"error": "quota is used up"})


@pytest.mark.parametrize(
    "defect",
    [
        {"id": None},
        {"id": " c2-coin"},
        {"rank": "2"},
        {"rank": -1},
        {"quotes": {}},
        {"quotes": {"EUR": {"price": 1}}},
        {"usd": {"price": -1}},
        {"usd": {"price": "1"}},
        {"usd": {"market_cap": -1}},
        {"last_updated": "2026-07-11"},
        {"last_updated": 1789776000},
    ],
)
def test_parse_refuses_a_coin_of_another_shape(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="row 2"):
        parse([ticker(1), ticker(2, **defect)])


@pytest.mark.parametrize("missing", ["id", "symbol", "name", "rank", "quotes", "last_updated"])
def test_parse_refuses_a_coin_without_a_documented_field(missing: str) -> None:
    spoilt = ticker(2)
    del spoilt[missing]
    with pytest.raises(PayloadError, match="row 2"):
        parse([ticker(1), spoilt])


@hypothesis_settings(deadline=None)
@given(spoiled([ticker(1), ticker(2), ticker(3)]))
def test_a_spoiled_body_is_refused_or_gives_sound_rows(content: Any) -> None:
    check_spoiled(CoinPaprika(), "tickers", content)


@given(st.binary() | ANY_JSON.map(as_body))
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(CoinPaprika(), ["tickers"])(body)
