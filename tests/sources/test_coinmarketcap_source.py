"""CoinMarketCap without a key: listings, totals, fear and greed, altcoin season."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
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
    as_body,
    check_spoiled,
    fetch,
    iso,
    make_settings,
    refuses_everything_else,
    spoiled,
    unix,
)

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    RateLimitedError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.base import Source
from pipeline.sources.coinmarketcap import CoinMarketCapGlobal, CoinMarketCapListings
from pipeline.sources.coinmarketcap_sentiment import (
    CoinMarketCapAltcoinSeason,
    CoinMarketCapFearGreed,
)

STAMP = iso(CLOSE + timedelta(hours=1))


def answer(data: Any, **status: Any) -> dict[str, Any]:
    """The envelope that every endpoint answers in."""
    return {
        "status": {"timestamp": STAMP, "error_code": 0, "error_message": None, "credit_count": 1}
        | status,
        "data": data,
    }


def coin(number: int, shape: Any = None, **overrides: Any) -> dict[str, Any]:
    """A coin of rank ``number``, with the quote as a list as in the version-3 reference."""
    usd = {
        "id": 2781,
        "symbol": "USD",
        "price": 1000.5,
        "volume_24h": 5,
        "market_cap": 10_000_000 - number,
        "last_updated": STAMP,
    }
    return {
        "id": number,
        "name": f"Coin {number}",
        "symbol": f"c{number}",
        "slug": f"coin-{number}",
        "cmc_rank": number,
        "circulating_supply": 20.0,
        "last_updated": STAMP,
        "quote": [usd] if shape is None else shape(usd),
    } | overrides


def parse_listings(*pages: Any, market_date: date = DAY) -> pd.DataFrame:
    bodies = [
        (f"listings-{number}", as_body(answer(page))) for number, page in enumerate(pages, start=1)
    ]
    return CoinMarketCapListings().parse(bodies, market_date)


def parse_one(source: Source, name: str, data: Any, **status: Any) -> pd.DataFrame:
    return source.parse([(name, as_body(answer(data, **status)))], DAY)


GLOBAL = {
    "btc_dominance": 57.5,
    "eth_dominance": 9.0,
    "last_updated": STAMP,
    "quote": {"USD": {"total_market_cap": 2.5e12, "total_volume_24h": 9e10}},
}
SEASON = {
    "altcoin_index": 37,
    "altcoin_marketcap": 1.0e12,
    "snapshot_time": STAMP,
    "yearly_high": 78,
}


def score(days_before: int, **overrides: Any) -> dict[str, Any]:
    return {
        "timestamp": str(unix(DAY - timedelta(days=days_before))),
        "value": 40 + days_before,
        "value_classification": "Neutral",
    } | overrides


@responses.activate
def test_listings_are_asked_for_in_pages_without_a_key() -> None:
    responses.get(re.compile(r".*/v3/cryptocurrency/listings/latest.*"), json=answer([coin(1)]))
    assert [name for name, _ in fetch(CoinMarketCapListings(), make_settings())] == [
        "listings-1",
        "listings-2",
    ]
    for start, call in zip(("1", "301"), responses.calls, strict=True):
        parts = urlsplit(str(call.request.url))
        assert parts.path == "/p/coinmarketcap/public-api/v3/cryptocurrency/listings/latest"
        assert parse_qs(parts.query) == {"start": [start], "limit": ["300"], "convert": ["USD"]}
        assert not any("key" in header.lower() for header in call.request.headers)


@pytest.mark.parametrize(
    "source", [CoinMarketCapListings(), CoinMarketCapGlobal(), CoinMarketCapAltcoinSeason()]
)
@pytest.mark.parametrize(
    ("hours", "error"), [(-0.1, NotYetAvailableError), (12.1, UnobtainableError)]
)
@responses.activate
def test_a_snapshot_is_not_asked_for_when_now_cannot_describe_the_day(
    source: Source, hours: float, error: type[Exception]
) -> None:
    with pytest.raises(error, match="2026-07-10"):
        fetch(source, make_settings(TIDEMARK_NOW=CLOSE + timedelta(hours=hours)))
    assert len(responses.calls) == 0


@pytest.mark.parametrize("quote", [lambda usd: [usd], lambda usd: {"USD": usd}])
def test_a_quote_is_read_from_a_list_and_from_an_object(quote: Any) -> None:
    frame = parse_listings([coin(1, quote), coin(2, quote)], [])
    assert tuple(frame.columns) == DATASETS["market_daily"].column_names
    assert frame.iloc[0].to_dict() == {
        "market_date": DAY,
        "source": "cmc_listings",
        "coin_id": "coin-1",
        "symbol": "C1",
        "name": "Coin 1",
        "price_usd": 1000.5,
        "market_cap_usd": 9_999_999.0,
        "circulating_supply": 20.0,
        "volume_24h_usd": 5.0,
        "provider_rank": 1,
    }


def test_of_two_pages_the_500_largest_are_kept() -> None:
    pages = [coin(n) for n in range(1, 301)], [coin(n) for n in range(301, 601)]
    frame = parse_listings(*pages)
    assert frame["coin_id"].tolist() == [f"coin-{number}" for number in range(1, 501)]


def test_a_coin_that_moves_over_the_edge_of_a_page_is_kept_once_with_its_latest_state() -> None:
    later = coin(300, name="Later", last_updated=iso(CLOSE + timedelta(hours=2)))
    pages = [coin(n) for n in range(1, 301)], [later, coin(301)]
    frame = parse_listings(*pages).set_index("coin_id")
    assert frame.loc["coin-300", "name"] == "Later"
    assert len(frame) == 301


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        (([coin(n) for n in range(1, 301)],), "2 pages"),
        (([coin(n) for n in range(1, 301)], [coin(1), coin(2)]), "repeats"),
        (([coin(n) for n in range(1, 301)], []), "empty"),
        (([], [coin(1)]), "empty"),
        (([coin(n) for n in range(1, 100)], [coin(301)]), "cut short"),
    ],
)
def test_a_page_that_is_missing_repeated_empty_or_short_is_refused(
    pages: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(PayloadError, match=message):
        parse_listings(*pages)


def test_zeros_are_unknown_and_a_coin_without_a_price_is_left_out() -> None:
    def without_cap(usd: dict[str, Any]) -> list[Any]:
        return [usd | {"market_cap": 0}]

    def without_price(usd: dict[str, Any]) -> list[Any]:
        return [usd | {"price": 0}]

    frame = parse_listings(
        [coin(1), coin(2, without_cap, circulating_supply=0, cmc_rank=0), coin(3, without_price)],
        [],
    ).set_index("coin_id")
    assert list(frame.index) == ["coin-1", "coin-2"]
    assert (
        frame.loc["coin-2", ["market_cap_usd", "circulating_supply", "provider_rank"]].isna().all()
    )


def test_a_dead_coin_is_left_out_and_an_old_snapshot_refused() -> None:
    old = iso(CLOSE - timedelta(days=30))
    frame = parse_listings([coin(1), coin(2), coin(3, last_updated=old)], [])
    assert frame["coin_id"].tolist() == ["coin-1", "coin-2"]
    before = iso(CLOSE - timedelta(hours=3))
    with pytest.raises(PayloadError, match="before the close"):
        parse_listings([coin(n, last_updated=before) for n in range(1, 4)], [])
    with pytest.raises(UnobtainableError, match="import history"):
        parse_listings([coin(1)], [], market_date=DAY - timedelta(days=1))


@pytest.mark.parametrize(
    "defect",
    [
        {"slug": None},
        {"slug": ""},
        {"slug": "a b"},
        {"quote": []},
        {"quote": {"EUR": {}}},
        {"quote": [{"symbol": "EUR", "price": 1}]},
        {"cmc_rank": 1.5},
        {"cmc_rank": -1},
        {"circulating_supply": "20"},
        {"circulating_supply": -1},
        {"last_updated": "yesterday"},
        {"last_updated": "2026-07-11T01:00:00"},
        {"last_updated": "2026-07-11T01:00:00+02:00"},
    ],
)
def test_a_coin_of_another_shape_is_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="page 1, row 2"):
        parse_listings([coin(1), coin(2, **defect)], [])


@pytest.mark.parametrize(("field", "value"), [("price", -1), ("market_cap", -5), ("price", "1")])
def test_a_number_that_cannot_be_is_refused(field: str, value: Any) -> None:
    with pytest.raises(PayloadError, match=f"row 1: {field}"):
        parse_listings([coin(1, lambda usd: [usd | {field: value}])], [])


@pytest.mark.parametrize("code", [0, "0"])
def test_error_code_zero_is_a_number_or_text(code: Any) -> None:
    assert len(parse_one(CoinMarketCapGlobal(), "global-metrics", GLOBAL, error_code=code)) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (1002, SourceError),
        ("1006", SourceError),
        (1008, RateLimitedError),
        ("1011", RateLimitedError),
        (1022, RateLimitedError),
        (None, PayloadError),
        (True, PayloadError),
    ],
)
def test_an_error_rides_on_status_200(code: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="cmc for 2026-07-10") as caught:
        parse_one(CoinMarketCapGlobal(), "global-metrics", GLOBAL, error_code=code)
    assert type(caught.value) is error


def test_global_metrics_turn_percent_into_a_fraction() -> None:
    frame = parse_one(CoinMarketCapGlobal(), "global-metrics", GLOBAL)
    assert frame.to_dict("records") == [
        {
            "market_date": DAY,
            "source": "cmc",
            "total_market_cap_usd": 2.5e12,
            "btc_dominance_fraction": 0.575,
            "volume_24h_usd": 9e10,
        }
    ]


@pytest.mark.parametrize(
    "defect",
    [
        {"btc_dominance": 101},
        {"btc_dominance": -1},
        {"last_updated": None},
        {"last_updated": iso(CLOSE - timedelta(hours=3))},
        {"quote": {"USD": {"total_market_cap": 0, "total_volume_24h": 1}}},
        {"quote": {"USD": {"total_market_cap": None, "total_volume_24h": 1}}},
        {"quote": {"USD": {"total_market_cap": 1}}},
        {"quote": None},
    ],
)
def test_global_metrics_of_another_shape_are_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse_one(CoinMarketCapGlobal(), "global-metrics", GLOBAL | defect)


@responses.activate
def test_fear_and_greed_is_asked_for_once_a_night() -> None:
    data = [score(n) for n in range(13)]
    responses.get(re.compile(r".*/v3/fear-and-greed/historical.*"), json=answer(data))
    bodies = fetch(CoinMarketCapFearGreed(), make_settings())
    assert [name for name, _ in bodies] == ["fear-greed-1"]
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assert query == {"start": ["1"], "limit": ["13"]}
    assert len(CoinMarketCapFearGreed().parse(bodies, DAY)) == 11


@responses.activate
def test_fear_and_greed_is_asked_for_page_by_page_until_the_pages_end() -> None:
    days = [score(n, value=n % 100) for n in range(1000)]

    def page(request: Any) -> tuple[int, dict[str, str], str]:
        query = parse_qs(urlsplit(request.url).query)
        start, limit = int(query["start"][0]), int(query["limit"][0])
        return 200, {}, json.dumps(answer(days[start - 1 : start - 1 + limit]))

    responses.add_callback(
        responses.GET,
        re.compile(r".*/fear-and-greed/historical.*"),
        page,
        content_type="application/json",
    )
    source = CoinMarketCapFearGreed()
    bodies = fetch(source, make_settings(), since=DAY - timedelta(days=700))
    assert [name for name, _ in bodies] == ["fear-greed-1", "fear-greed-2"]
    assert len(source.parse(bodies, DAY, since=DAY - timedelta(days=700))) == 701
    bodies = fetch(source, make_settings(), since=date(2018, 2, 1))
    assert [name for name, _ in bodies] == ["fear-greed-1", "fear-greed-2", "fear-greed-3"]


@pytest.mark.parametrize("stamp", [str(unix(DAY)), unix(DAY)])
def test_a_score_is_of_the_day_of_its_stamp(stamp: Any) -> None:
    frame = parse_one(CoinMarketCapFearGreed(), "fear-greed-1", [score(0, timestamp=stamp)])
    assert frame.to_dict("records") == [
        {"market_date": DAY, "source": "cmc_fear_greed", "score": 40.0, "label": "Neutral"}
    ]


@pytest.mark.parametrize(
    "defect",
    [
        {"value": 101},
        {"value": -1},
        {"value": "40"},
        {"timestamp": str(unix(DAY, hours=1))},
        {"timestamp": str(unix(DAY) * 1000)},
        {"timestamp": None},
        {"value_classification": 1},
    ],
)
def test_a_score_of_another_shape_is_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="row 2"):
        parse_one(CoinMarketCapFearGreed(), "fear-greed-1", [score(0), score(1, **defect)])


def test_a_day_without_a_score_is_not_yet_there_or_never() -> None:
    source = CoinMarketCapFearGreed()
    with pytest.raises(NotYetAvailableError, match="newest is 2026-07-09"):
        parse_one(source, "fear-greed-1", [score(1)])
    with pytest.raises(UnobtainableError, match="later days"):
        parse_one(source, "fear-greed-1", [score(-1), score(1)])
    with pytest.raises(PayloadError, match="different scores"):
        parse_one(source, "fear-greed-1", [score(0), score(0, value=7)])


@pytest.mark.parametrize("stamp", [STAMP, str(unix(DAY, hours=25))])
def test_the_altcoin_season_is_a_score_of_its_snapshot(stamp: str) -> None:
    source = CoinMarketCapAltcoinSeason()
    frame = parse_one(source, "altcoin-season", SEASON | {"snapshot_time": stamp})
    assert frame["score"].tolist() == [37.0]
    assert frame["label"].isna().all()
    assert frame["source"].tolist() == ["cmc_altcoin_season"]


@pytest.mark.parametrize(
    "defect",
    [
        {"altcoin_index": 101},
        {"altcoin_index": None},
        {"altcoin_index": "37"},
        {"snapshot_time": None},
        {"snapshot_time": "today"},
        {"snapshot_time": iso(CLOSE - timedelta(hours=3))},
    ],
)
def test_an_altcoin_season_of_another_shape_is_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse_one(CoinMarketCapAltcoinSeason(), "altcoin-season", SEASON | defect)


CASES = [
    (CoinMarketCapListings(), "listings-1", answer([coin(1), coin(2), coin(3)])),
    (CoinMarketCapGlobal(), "global-metrics", answer(GLOBAL)),
    (CoinMarketCapFearGreed(), "fear-greed-1", answer([score(0), score(1), score(2)])),
    (CoinMarketCapAltcoinSeason(), "altcoin-season", answer(SEASON)),
]


@pytest.mark.parametrize(("source", "name", "document"), CASES)
@hypothesis_settings(deadline=None)
@given(data=st.data())
def test_a_spoiled_body_is_refused_or_gives_sound_rows(
    source: Source, name: str, document: Any, data: st.DataObject
) -> None:
    others = [("listings-2", as_body(answer([])))] if name == "listings-1" else []
    check_spoiled(source, name, data.draw(spoiled(document)), others=others)


@pytest.mark.parametrize(("source", "name", "document"), CASES)
@given(body=st.binary() | ANY_JSON.map(as_body) | ANY_JSON.map(lambda x: as_body(answer(x))))
def test_any_other_body_raises_our_errors_only(
    source: Source, name: str, document: Any, body: bytes
) -> None:
    refuses_everything_else(source, [name])(body)
