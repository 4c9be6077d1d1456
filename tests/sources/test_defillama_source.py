"""DefiLlama's stablecoins and prices: asking for them, and every defect in them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

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
    unix,
)

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    UnobtainableError,
)
from pipeline.settings import Settings
from pipeline.sources.defillama import DefiLlamaPrices, DefiLlamaStablecoins

PRICES_URL = re.compile(rf"{ROOT_URL}/defillama_coins/chart/.*")


def point(days_before: int, total: Any = 3.0e11, **overrides: Any) -> dict[str, Any]:
    return {
        "date": str(unix(DAY - timedelta(days=days_before))),
        "totalCirculating": {"peggedUSD": 1.0, "peggedEUR": 2.0},
        "totalCirculatingUSD": {"peggedUSD": total, "peggedEUR": 5.0},
    } | overrides


def parse_supply(content: Any, **options: Any) -> pd.DataFrame:
    return DefiLlamaStablecoins().parse([("chart", as_body(content))], DAY, **options)


def prices(**coins: list[tuple[int, Any]]) -> dict[str, Any]:
    """A body with the points of each coin, as (Unix seconds, price)."""
    return {
        "coins": {
            f"coingecko:{coin_id}": {
                "symbol": coin_id[:3],
                "confidence": 0.99,
                "prices": [{"timestamp": stamp, "price": price} for stamp, price in points],
            }
            for coin_id, points in coins.items()
        }
    }


def parse_prices(*contents: Any, **options: Any) -> pd.DataFrame:
    bodies = [(f"prices-{n}", as_body(content)) for n, content in enumerate(contents, start=1)]
    return DefiLlamaPrices().parse(bodies, DAY, **options)


def close(day: date, **offset: float) -> int:
    return unix(day + timedelta(days=1), **offset)


@pytest.fixture
def reference(tmp_path: Path) -> Settings:
    """Settings with three floating coins of which one has another id at CoinGecko."""
    folder = tmp_path / "reference"
    folder.mkdir()
    (folder / "asset_class.csv").write_text(
        "coin_id,asset_class,effective_from\nalpha,coin,\nbeta,coin,\ngamma,coin,\nusd,wrapped,\n"
    )
    (folder / "coin_xref.csv").write_text(
        "source,source_coin_id,coin_id,valid_from\ncoingecko,beta-2,beta,\n"
    )
    (folder / "vendor_identity.csv").write_text("source,xref_source\ndefillama,coingecko\n")
    return make_settings(sql_dir=tmp_path, home=tmp_path / "home")


@responses.activate
def test_the_supply_is_asked_for_once() -> None:
    url = f"{ROOT_URL}/defillama_stablecoins/stablecoincharts/all"
    responses.get(url, json=[point(n) for n in range(20)])
    assert (
        len(DefiLlamaStablecoins().parse(fetch(DefiLlamaStablecoins(), make_settings()), DAY)) == 11
    )


@pytest.mark.parametrize("stamp", [str(unix(DAY)), unix(DAY)])
def test_the_supply_is_the_dollar_pegs_at_market_value(stamp: Any) -> None:
    frame = parse_supply([point(0, date=stamp)])
    assert tuple(frame.columns) == DATASETS["stablecoin_daily"].column_names
    assert frame.to_dict("records") == [
        {"market_date": DAY, "source": "defillama", "total_supply_usd": 3.0e11}
    ]


def test_the_running_point_has_no_row() -> None:
    running = point(0, 9.9e11, date=unix(DAY, hours=13))
    assert parse_supply([point(0), running])["total_supply_usd"].tolist() == [3.0e11]


def test_the_whole_history_comes_on_request() -> None:
    assert len(parse_supply([point(n) for n in range(400)], since=date.min)) == 400


def test_a_day_without_a_supply_is_not_yet_there_or_never() -> None:
    with pytest.raises(NotYetAvailableError, match="newest is 2026-07-09"):
        parse_supply([point(1)])
    with pytest.raises(UnobtainableError, match="later days"):
        parse_supply([point(1), point(-1)])
    with pytest.raises(PayloadError, match="different values"):
        parse_supply([point(0), point(0, 2.0e11)])
    with pytest.raises(SourceError, match="down"):
        parse_supply({"message": "we are down"})


@pytest.mark.parametrize(
    "defect",
    [
        {"date": "2026-07-10"},
        {"date": unix(DAY) * 1000},
        {"date": None},
        {"totalCirculatingUSD": {"peggedEUR": 1.0}},
        {"totalCirculatingUSD": {"peggedUSD": 0}},
        {"totalCirculatingUSD": {"peggedUSD": -1}},
        {"totalCirculatingUSD": {"peggedUSD": None}},
        {"totalCirculatingUSD": {"peggedUSD": "1"}},
        {"totalCirculatingUSD": None},
    ],
)
def test_a_point_of_another_shape_is_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="point 2"):
        parse_supply([point(0), point(1, **defect)])


@responses.activate
def test_prices_are_asked_for_at_the_closes_by_coingeckos_ids(reference: Settings) -> None:
    responses.get(PRICES_URL, json=prices(alpha=[(close(DAY), 1.0)]))
    bodies = fetch(DefiLlamaPrices(), reference)
    assert [name for name, _ in bodies] == ["prices-1"]
    parts = urlsplit(str(responses.calls[0].request.url))
    assert unquote(parts.path).endswith("/chart/coingecko:alpha,coingecko:beta-2,coingecko:gamma")
    assert parse_qs(parts.query) == {
        "start": [str(unix(date(2026, 7, 1)))],
        "span": ["11"],
        "period": ["1d"],
        "searchWidth": ["6h"],
    }
    assert len(DefiLlamaPrices().parse(bodies, DAY)) == 1


@responses.activate
def test_long_spans_are_asked_for_in_pieces_that_cover_every_close(reference: Settings) -> None:
    responses.get(PRICES_URL, json={"coins": {}})
    since = DAY - timedelta(days=699)
    fetch(DefiLlamaPrices(), reference, since=since)
    asked: dict[str, list[int]] = {}
    for call in responses.calls:
        parts = urlsplit(str(call.request.url))
        query = parse_qs(parts.query)
        coins = unquote(parts.path).rpartition("/")[2].split(",")
        span = int(query["span"][0])
        assert span * len(coins) <= 500
        for coin in coins:
            asked.setdefault(coin, []).extend(
                int(query["start"][0]) + 86_400 * step for step in range(span)
            )
    closes = [close(since + timedelta(days=n)) for n in range(700)]
    assert asked == {f"coingecko:{coin}": closes for coin in ("alpha", "beta-2", "gamma")}


def test_a_price_is_of_the_close_that_it_is_nearest_to() -> None:
    frame = parse_prices(
        prices(
            bitcoin=[(close(DAY, minutes=-40), 5.0), (close(DAY - timedelta(days=1), hours=6), 4.0)]
        )
    )
    assert tuple(frame.columns) == DATASETS["market_daily"].column_names
    assert frame[["market_date", "coin_id", "symbol", "price_usd"]].values.tolist() == [
        [DAY - timedelta(days=1), "bitcoin", "BIT", 4.0],
        [DAY, "bitcoin", "BIT", 5.0],
    ]
    assert frame[["market_cap_usd", "circulating_supply", "volume_24h_usd"]].isna().all(axis=None)


@pytest.mark.parametrize("hours", [-6.01, 6.01, 12])
def test_a_price_far_from_any_close_has_no_row(hours: float) -> None:
    frame = parse_prices(prices(alpha=[(close(DAY), 1.0)], beta=[(close(DAY, hours=hours), 2.0)]))
    assert frame["coin_id"].tolist() == ["alpha"]


def test_of_two_prices_for_one_close_the_nearest_counts() -> None:
    far, near = (close(DAY, hours=2), 1.0), (close(DAY, hours=-1), 2.0)
    for points in ([far, near], [near, far]):
        assert parse_prices(prices(alpha=points))["price_usd"].tolist() == [2.0]
    assert parse_prices(prices(alpha=[far]), prices(alpha=[near]))["price_usd"].tolist() == [2.0]


def test_an_unknown_coin_is_silently_absent() -> None:
    frame = parse_prices(prices(alpha=[(close(DAY), 1.0)]), {"coins": {}})
    assert frame["coin_id"].tolist() == ["alpha"]


def test_a_day_that_no_coin_has_is_not_yet_there_or_never() -> None:
    with pytest.raises(NotYetAvailableError, match="newest is 2026-07-09"):
        parse_prices(prices(alpha=[(close(DAY - timedelta(days=1)), 1.0)]))
    with pytest.raises(NotYetAvailableError, match="newest is None"):
        parse_prices({"coins": {}})
    with pytest.raises(UnobtainableError, match="later days"):
        parse_prices(prices(alpha=[(close(DAY + timedelta(days=1)), 1.0)]))


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"coins": []},
        {"coins": {"ethereum:0x0": {"symbol": "X", "prices": []}}},
        {"coins": {"coingecko:": {"symbol": "X", "prices": []}}},
        {"coins": {"coingecko:alpha": {"symbol": "X"}}},
        {"coins": {"coingecko:alpha": {"prices": []}}},
        prices(alpha=[(close(DAY), 0)]),
        prices(alpha=[(close(DAY), -1)]),
        prices(alpha=[(close(DAY), None)]),
        prices(alpha=[(close(DAY), "1")]),
        prices(alpha=[(close(DAY) * 1000, 1.0)]),
    ],
)
def test_prices_of_another_shape_are_refused(content: Any) -> None:
    with pytest.raises(PayloadError):
        parse_prices(content)


def test_the_vendors_error_is_said() -> None:
    with pytest.raises(SourceError, match="too many"):
        parse_prices({"message": "too many points"})


@hypothesis_settings(deadline=None)
@given(spoiled([point(0), point(1), point(2)]))
def test_a_spoiled_supply_is_refused_or_gives_sound_rows(content: Any) -> None:
    check_spoiled(DefiLlamaStablecoins(), "chart", content)


@hypothesis_settings(deadline=None)
@given(
    spoiled(
        prices(
            alpha=[(close(DAY), 1.5), (close(DAY - timedelta(days=1)), 2.5)],
            beta=[(close(DAY, hours=-1), 3.5)],
        )
    )
)
def test_a_spoiled_price_is_refused_or_gives_sound_rows(content: Any) -> None:
    check_spoiled(DefiLlamaPrices(), "prices-1", content)


@given(st.binary() | ANY_JSON.map(as_body) | ANY_JSON.map(lambda x: as_body({"coins": x})))
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(DefiLlamaStablecoins(), ["chart"])(body)
    refuses_everything_else(DefiLlamaPrices(), ["prices-1"])(body)
