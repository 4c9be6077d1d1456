"""Bodies have the shape that the vendors send."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.vendors import alternative_me, cboe, coingecko_markets

FIRST_DAY = date(2024, 1, 1)
DAY = date(2024, 3, 14)
NOW = datetime(2024, 3, 15, 1, 10, tzinfo=UTC)

MARKET_KEYS = (
    "id symbol name image current_price market_cap market_cap_rank fully_diluted_valuation "
    "total_volume high_24h low_24h price_change_24h price_change_percentage_24h "
    "market_cap_change_24h market_cap_change_percentage_24h circulating_supply total_supply "
    "max_supply ath ath_change_percentage ath_date atl atl_change_percentage atl_date roi "
    "last_updated"
)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(7, FIRST_DAY, date(2024, 6, 30), 90)


@pytest.fixture(scope="module")
def snapshot(market: SimulatedMarket) -> pd.DataFrame:
    return market.vendor_snapshot(DAY)


def markets(snapshot: pd.DataFrame, **options: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        coingecko_markets.render_markets(snapshot, NOW, **options)
    )
    return rows


def test_markets_row_has_every_documented_field_in_order(snapshot: pd.DataFrame) -> None:
    for row in markets(snapshot):
        assert list(row) == MARKET_KEYS.split()
        assert row["symbol"] == row["symbol"].lower()
        assert all(row[key] for key in ("id", "symbol", "name", "image", "last_updated"))


def test_markets_mix_whole_and_broken_numbers_as_the_vendor_does(snapshot: pd.DataFrame) -> None:
    bitcoin, *others = markets(snapshot)
    assert bitcoin["id"] == "bitcoin"
    assert isinstance(bitcoin["current_price"], int)
    assert isinstance(bitcoin["market_cap"], int)
    assert isinstance(bitcoin["circulating_supply"], float)
    assert bitcoin["max_supply"] == 21e6
    assert any(isinstance(row["current_price"], float) for row in others)
    assert {type(row["total_volume"]) for row in others} == {int, float}


def test_markets_unknown_supply_is_a_cap_of_zero_without_rank(snapshot: pd.DataFrame) -> None:
    unknown = [row for row in markets(snapshot) if row["market_cap"] == 0]
    assert len(unknown) == 2
    for row in unknown:
        assert row["circulating_supply"] == 0
        assert row["market_cap_rank"] is None
        assert row["total_supply"] is None
        assert row["current_price"] > 0


def test_markets_describe_the_close_that_the_history_holds(
    market: SimulatedMarket, snapshot: pd.DataFrame
) -> None:
    rows = markets(snapshot, precision="full", per_page=250, include_rehypothecated=True)
    history = market.market_history(DAY, DAY).set_index("coin_id")
    assert len(rows) == len(history)
    for row in rows:
        recorded = history.loc[row["id"]]
        assert row["current_price"] == recorded["price_usd"]
        assert row["market_cap"] in (recorded["market_cap_usd"], 0)
        assert row["total_volume"] == recorded["volume_24h_usd"]
        rank = recorded["provider_rank"]
        assert row["market_cap_rank"] == (None if pd.isna(rank) else rank)


def test_markets_default_prices_are_within_their_shown_digits(snapshot: pd.DataFrame) -> None:
    exact = snapshot.set_index("coin_id")["price_usd"]
    for row in markets(snapshot):
        assert row["current_price"] == pytest.approx(exact[row["id"]], rel=6e-5)


def test_markets_stamps_are_minutes_before_the_request(snapshot: pd.DataFrame) -> None:
    stamps = {row["last_updated"] for row in markets(snapshot)}
    assert all(stamp.endswith("Z") for stamp in stamps)
    ages = [NOW - datetime.fromisoformat(stamp) for stamp in stamps]
    assert min(ages) > timedelta(0)
    assert max(ages) < timedelta(minutes=6)
    assert len(stamps) > 10


def test_markets_hide_copies_until_they_are_asked_for(snapshot: pd.DataFrame) -> None:
    hidden = {row["id"] for row in markets(snapshot, per_page=250)}
    shown = {row["id"]: row for row in markets(snapshot, per_page=250, include_rehypothecated=True)}
    assert shown.keys() - hidden == {"wrapped-bitcoin", "staked-ether", "wrapped-steth"}
    assert shown["wrapped-bitcoin"]["market_cap_rank"] is None
    assert shown["wrapped-bitcoin"]["market_cap_rank_with_rehypothecated"] > 1


def test_markets_pages_cut_the_ranking_without_gaps_and_end_empty(snapshot: pd.DataFrame) -> None:
    pages = [markets(snapshot, page=page, per_page=40) for page in range(1, 5)]
    assert [len(page) for page in pages[:2]] == [40, 40]
    assert pages[3] == []
    caps = [row["market_cap"] for page in pages for row in page]
    assert caps == sorted(caps, reverse=True)
    assert len({row["id"] for page in pages for row in page}) == len(caps)


def test_markets_page_size_is_cut_as_the_vendor_cuts_it() -> None:
    crowd = SimulatedMarket(7, FIRST_DAY, FIRST_DAY, 300).vendor_snapshot(FIRST_DAY)
    assert len(markets(crowd, per_page=1000)) == 250


def test_markets_can_be_asked_for_some_ids_and_another_order(snapshot: pd.DataFrame) -> None:
    some = markets(snapshot, ids=frozenset({"tether", "bitcoin"}), order="market_cap_asc")
    assert [row["id"] for row in some] == ["tether", "bitcoin"]


def test_markets_of_a_first_day_have_no_changes(market: SimulatedMarket) -> None:
    for row in markets(market.vendor_snapshot(FIRST_DAY)):
        assert row["price_change_24h"] is None
        assert row["market_cap_change_percentage_24h"] is None


def test_markets_extremes_hold_the_day(snapshot: pd.DataFrame) -> None:
    for row in markets(snapshot):
        assert row["low_24h"] <= row["current_price"] <= row["high_24h"]
        assert row["atl"] <= row["low_24h"]
        assert row["high_24h"] <= row["ath"]
        assert row["ath_date"] < row["last_updated"]


@pytest.mark.parametrize(
    ("value", "precision", "shown"),
    [
        (77671.4, None, 77671),
        (3012.5512, None, 3012.55),
        (0.0000123456789, None, 0.0000123457),
        (77671.4, "full", 77671.4),
        (3012.5512, "1", 3012.6),
        (5.0, None, 5),
        (math.nan, None, None),
    ],
)
def test_price_is_shown_as_the_vendor_shows_it(
    value: float, precision: str | None, shown: float | None
) -> None:
    assert coingecko_markets.format_price(value, precision) == shown


def test_index_history_is_the_vendors_csv(market: SimulatedMarket) -> None:
    equity = market.equity_history(FIRST_DAY, date(2024, 1, 5))
    lines = cboe.render_index_history(equity, "RUT").decode().split("\n")
    assert lines[0] == "DATE,RUT"
    assert [line[:10] for line in lines[1:-1]] == [
        "01/02/2024",
        "01/03/2024",
        "01/04/2024",
        "01/05/2024",
    ]
    assert all(len(line.partition(".")[2]) == 6 for line in lines[1:-1])
    assert lines[-1] == ""


def test_fng_is_strings_newest_first(market: SimulatedMarket) -> None:
    sentiment = market.sentiment_history(FIRST_DAY, date(2024, 4, 1))
    answer = json.loads(alternative_me.render_fng(sentiment, NOW, limit=0))
    rows = answer["data"]
    assert answer["name"] == "Fear and Greed Index"
    assert answer["metadata"] == {"error": None}
    assert rows[0]["timestamp"] == str(int(datetime(2024, 3, 15, tzinfo=UTC).timestamp()))
    assert rows[0]["time_until_update"] == str(22 * 3600 + 50 * 60)
    assert all("time_until_update" not in row for row in rows[1:])
    assert all(isinstance(value, str) for row in rows for value in row.values())
    assert len(rows) == (NOW.date() - FIRST_DAY).days + 1


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (10, 10)])
def test_fng_limit_counts_days(market: SimulatedMarket, limit: int, count: int) -> None:
    sentiment = market.sentiment_history(FIRST_DAY, DAY)
    assert len(json.loads(alternative_me.render_fng(sentiment, NOW, limit=limit))["data"]) == count


def test_fng_error_comes_with_status_200_shape(market: SimulatedMarket) -> None:
    answer = json.loads(
        alternative_me.render_fng(market.sentiment_history(DAY, DAY), NOW, error="no")
    )
    assert answer["data"] == []
    assert answer["metadata"]["error"] == "no"
