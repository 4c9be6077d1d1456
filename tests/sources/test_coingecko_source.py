"""CoinGecko's pages: asking for them, and what becomes of every defect seen in them."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import responses
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.settings import Settings
from pipeline.sources.coingecko import CoinGecko
from pipeline.sources.http import HttpClient

DAY = date(2026, 1, 1)
CLOSE = datetime(2026, 1, 2, tzinfo=UTC)
RECORDED = (
    Path(__file__).resolve().parents[3] / "shared/data/recorded/fixtures_coingecko_vcr_2021.tar.gz"
)
PAGES_URL = re.compile(r".*/api/v3/coins/markets.*")


def stamp(**after_close: float) -> str:
    moment = CLOSE + timedelta(**after_close)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def coin(number: int, **overrides: Any) -> dict[str, Any]:
    """A coin of rank ``number``; caps fall with the number."""
    return {
        "id": f"coin-{number}",
        "symbol": f"c{number}",
        "name": f"Coin {number}",
        "image": "https://vendor.example/x.png",
        "current_price": 1000.5,
        "market_cap": 10_000_000 - number,
        "market_cap_rank": number,
        "total_volume": 5,
        "circulating_supply": 20.0,
        "roi": None,
        "last_updated": stamp(hours=1),
    } | overrides


def page(first: int, last: int) -> list[dict[str, Any]]:
    return [coin(number) for number in range(first, last + 1)]


def full_pages() -> list[list[dict[str, Any]]]:
    return [page(1, 250), page(251, 500), page(501, 750)]


def parse(pages: Sequence[Any], market_date: date = DAY) -> pd.DataFrame:
    bodies = [
        (f"markets-page-{number}", json.dumps(content).encode())
        for number, content in enumerate(pages, start=1)
    ]
    return CoinGecko().parse(bodies, market_date)


def parse_coin(**overrides: Any) -> dict[str, Any]:
    frame = parse([[coin(1), coin(2, **overrides)]])
    row = frame[frame["provider_rank"].ne(1).fillna(True)].iloc[0]
    return {str(column): value for column, value in row.items()}


def make_settings(now: datetime, **overrides: Any) -> Settings:
    return Settings.model_validate({"_env_file": None, "TIDEMARK_NOW": now} | overrides)


def fetch(configured: Settings) -> list[tuple[str, bytes]]:
    with HttpClient(configured, sleep=lambda seconds: None) as client:
        fetched = CoinGecko().fetch(client, configured, DAY)
        return [(name, response.body) for name, response in fetched]


@responses.activate
def test_fetch_asks_for_one_page_more_than_needed_below_the_base_path() -> None:
    responses.get(PAGES_URL, json=[coin(1)])
    configured = make_settings(
        CLOSE + timedelta(hours=1),
        vendor_root_url="http://127.0.0.1:8089/at/2026-01-02T01:10:00Z",
        coingecko_demo_key="a-demo-key",
    )
    assert [name for name, _ in fetch(configured)] == [f"markets-page-{n}" for n in (1, 2, 3)]
    for number, call in enumerate(responses.calls, start=1):
        parts = urlsplit(call.request.url)
        assert parts.path == "/at/2026-01-02T01:10:00Z/coingecko/api/v3/coins/markets"
        assert parse_qs(parts.query) == {
            "vs_currency": ["usd"],
            "order": ["market_cap_desc"],
            "per_page": ["250"],
            "page": [str(number)],
            "sparkline": ["false"],
            "include_rehypothecated": ["false"],
            "precision": ["full"],
        }
        assert call.request.headers["x-cg-demo-api-key"] == "a-demo-key"


@responses.activate
@pytest.mark.parametrize("key", [None, ""])
def test_fetch_without_a_key_sends_none(key: str | None) -> None:
    responses.get(PAGES_URL, json=[coin(1)])
    fetch(make_settings(CLOSE + timedelta(hours=1), coingecko_demo_key=key))
    assert "x-cg-demo-api-key" not in responses.calls[0].request.headers


@pytest.mark.parametrize(
    ("hours", "error"), [(-0.1, NotYetAvailableError), (12.1, UnobtainableError)]
)
@responses.activate
def test_fetch_asks_nothing_when_now_cannot_describe_the_day(
    hours: float, error: type[Exception]
) -> None:
    with pytest.raises(error, match="2026-01-01"):
        fetch(make_settings(CLOSE + timedelta(hours=hours)))
    assert len(responses.calls) == 0


def test_parse_gives_the_500_largest_in_the_columns_of_the_dataset() -> None:
    frame = parse(full_pages())
    assert tuple(frame.columns) == DATASETS["market_daily"].column_names
    assert frame["coin_id"].tolist() == [f"coin-{number}" for number in range(1, 501)]
    assert frame.iloc[0].to_dict() == {
        "market_date": DAY,
        "source": "coingecko",
        "coin_id": "coin-1",
        "symbol": "C1",
        "name": "Coin 1",
        "price_usd": 1000.5,
        "market_cap_usd": 9_999_999.0,
        "circulating_supply": 20.0,
        "volume_24h_usd": 5.0,
        "provider_rank": 1,
    }


@pytest.mark.parametrize("nothing", [0, 0.0, None])
def test_parse_takes_a_cap_or_supply_of_zero_for_unknown(nothing: float | None) -> None:
    row = parse_coin(market_cap=nothing, circulating_supply=nothing)
    assert pd.isna(row["market_cap_usd"])
    assert pd.isna(row["circulating_supply"])


def test_parse_takes_null_for_null() -> None:
    row = parse_coin(
        symbol=None, name="", current_price=None, total_volume=None, market_cap_rank=None
    )
    for column in ("symbol", "name", "price_usd", "volume_24h_usd", "provider_rank"):
        assert pd.isna(row[column])


def test_parse_keeps_a_price_and_volume_of_zero_for_the_gate_to_judge() -> None:
    row = parse_coin(current_price=0, total_volume=0)
    assert (row["price_usd"], row["volume_24h_usd"]) == (0.0, 0.0)


def test_parse_keeps_the_latest_state_of_a_coin_that_moved_between_pages() -> None:
    pages = full_pages()
    pages[1][0] = coin(250, current_price=2.0, last_updated=stamp(hours=1, minutes=1))
    frame = parse(pages)
    assert frame["coin_id"].is_unique
    assert frame.set_index("coin_id").loc["coin-250", "price_usd"] == 2.0
    assert "coin-501" in set(frame["coin_id"])
    assert len(frame) == 500


@pytest.mark.parametrize("old", [stamp(hours=-2, seconds=-1), stamp(days=-900), None])
def test_parse_leaves_out_a_coin_with_an_old_stamp(
    old: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    frame = parse([[coin(1), coin(2), coin(3, last_updated=old)]])
    assert frame["coin_id"].tolist() == ["coin-1", "coin-2"]
    assert "1 rows with an old stamp" in caplog.text


def test_parse_leaves_out_a_coin_stamped_in_the_future() -> None:
    frame = parse([[coin(1), coin(2), coin(3, last_updated=stamp(hours=13))]])
    assert len(frame) == 2


@pytest.mark.parametrize("hours", [-2, 0, 12])
def test_parse_takes_a_snapshot_from_around_the_close(hours: float) -> None:
    assert len(parse([[coin(1, last_updated=stamp(hours=hours))]])) == 1


def test_parse_refuses_a_snapshot_of_another_day() -> None:
    with pytest.raises(PayloadError, match="more than 2 h before the close of 2026-01-02"):
        parse(full_pages(), DAY + timedelta(days=1))
    with pytest.raises(UnobtainableError, match="cannot stand for the close of 2025-12-31"):
        parse(full_pages(), DAY - timedelta(days=1))


def test_parse_refuses_an_old_copy_of_one_page() -> None:
    pages = full_pages()
    pages[1] = [row | {"last_updated": stamp(days=-1)} for row in pages[1]]
    with pytest.raises(PayloadError, match="page 2 holds no coin that was updated"):
        parse(pages)


def test_parse_takes_a_market_of_fewer_coins() -> None:
    assert len(parse([page(1, 250), page(251, 300), []])) == 300
    assert len(parse([page(1, 120), [], []])) == 120
    assert len(parse([page(1, 250), page(251, 500), []])) == 500
    assert len(parse([page(1, 249), page(250, 499), page(500, 749)])) == 500


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ([[], [], []], "page 1 of coins/markets is empty"),
        ([page(1, 250), [], page(251, 500)], "page 2 of coins/markets is empty"),
        ([page(1, 250), page(1, 250), page(1, 250)], "page 2 repeats"),
        ([page(1, 250), page(251, 500), page(1, 250)], "page 3 repeats"),
        ([page(1, 100), page(251, 500), page(501, 750)], "page 1 holds 100 of 250"),
        ([page(1, 250), page(251, 500)], "pages after page 2 are missing"),
        ([], "page 1 of coins/markets is missing"),
    ],
)
def test_parse_refuses_an_incomplete_set_of_pages(pages: list[Any], message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        parse(pages)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["markets-page-1", "markets-page-3"], "page 2 of coins/markets is missing"),
        (["markets-page-1", "markets-page-1"], "comes twice"),
        (["markets"], "not a page of this fetch"),
    ],
)
def test_parse_refuses_pages_that_are_not_the_fetch(names: list[str], message: str) -> None:
    body = json.dumps(page(1, 250)).encode()
    with pytest.raises(PayloadError, match=message):
        CoinGecko().parse([(name, body) for name in names], DAY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"status": {"error_code": 429, "error_message": "Slow down"}}, "error 429: Slow down"),
        (
            {"error": {"status": {"error_code": 10012, "error_message": "Too far back"}}},
            "error 10012: Too far back",
        ),
        ({"error": "coin not found"}, "coin not found"),
        ({}, "no list of coins"),
        ("text", "no list of coins"),
        (None, "no list of coins"),
    ],
)
def test_parse_says_what_an_error_body_says(content: Any, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        parse([content])


@pytest.mark.parametrize(
    "defect",
    [
        {"id": ""},
        {"id": None},
        {"id": 7},
        {"id": " coin"},
        {"id": "co\nin"},
        {"id": "\ud800"},
        {"symbol": 7},
        {"name": ["x"]},
        {"current_price": "1000.5"},
        {"current_price": True},
        {"market_cap": 10**400},
        {"market_cap_rank": 1.5},
        {"market_cap_rank": 2**70},
        {"last_updated": "yesterday"},
        {"last_updated": "2026-01-02"},
        {"last_updated": "2026-01-02T01:00:00"},
        {"last_updated": "0001-01-01T00:00:00+12:00"},
        {"last_updated": 1767315600},
    ],
)
def test_parse_refuses_a_field_of_another_shape(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="page 1, row 2"):
        parse_coin(**defect)


@pytest.mark.parametrize("field", sorted(coin(1).keys() - {"image", "roi"}))
def test_parse_refuses_a_missing_field(field: str) -> None:
    row = coin(2)
    del row[field]
    with pytest.raises(PayloadError, match="page 1, row 2"):
        parse([[coin(1), row]])


@given(st.permutations([0, 1, 2]))
def test_parse_does_not_depend_on_the_order_of_the_bodies(order: list[int]) -> None:
    bodies = [
        (f"markets-page-{number + 1}", json.dumps(page(number * 250 + 1, number * 250 + 250)))
        for number in range(3)
    ]
    shuffled = [(bodies[index][0], bodies[index][1].encode()) for index in order]
    assert CoinGecko().parse(shuffled, DAY)["coin_id"].tolist()[-1] == "coin-500"


@given(st.binary())
def test_parse_raises_our_errors_only_on_any_bytes(body: bytes) -> None:
    with pytest.raises(TidemarkError):
        CoinGecko().parse([("markets-page-1", body)], DAY)


ANY = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([stamp(hours=1), stamp(days=-9), "coin-1", 0, 1e12])
    | st.lists(st.integers(), max_size=2)
)
FIELDS = sorted(coin(1))


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=4), max_size=5))
def test_parse_gives_what_was_sent_or_raises(changes: list[dict[str, Any]]) -> None:
    sent = [coin(number, **change) for number, change in enumerate(changes, start=1)]
    try:
        frame = parse([sent])
    except TidemarkError:
        return
    assert frame["coin_id"].is_unique
    assert frame["market_date"].eq(DAY).all()
    for row in frame.to_dict("records"):
        assert any(
            row["coin_id"] == original["id"]
            and abs(datetime.fromisoformat(original["last_updated"]) - CLOSE) <= timedelta(hours=12)
            and all(
                original[field] == row[column]
                or ((original[field] is None or original[field] == 0) and pd.isna(row[column]))
                or (isinstance(original[field], int) and float(original[field]) == row[column])
                for field, column in (
                    ("current_price", "price_usd"),
                    ("market_cap", "market_cap_usd"),
                    ("circulating_supply", "circulating_supply"),
                    ("total_volume", "volume_24h_usd"),
                    ("market_cap_rank", "provider_rank"),
                )
            )
            for original in sent
        )


@pytest.mark.archive
def test_parse_reads_recorded_bodies() -> None:
    if not RECORDED.exists():
        pytest.skip("no recorded bodies: ../shared/data/recorded is absent")
    bodies: list[str] = []
    with tarfile.open(RECORDED) as archive:
        for member in archive.getmembers():
            handle = archive.extractfile(member)
            if (
                handle is None
                or re.search(r"market_data_for_.*coins?(_in_\w+)?\.yml", member.name) is None
            ):
                continue
            # Requests without a currency were answered with an error.
            bodies += [
                interaction["response"]["body"]["string"]
                for interaction in yaml.safe_load(handle)["http_interactions"]
                if "vs_currency=" in interaction["request"]["uri"]
            ]
    assert len(bodies) == 3
    for body in bodies:
        sent = json.loads(body)
        # Taken in an afternoon, so only the shape can be tested: the stamps are moved.
        moved = re.sub(r'(?<="last_updated":")[^"]*', stamp(hours=1), body)
        frame = CoinGecko().parse([("markets-page-1", moved.encode())], DAY)
        assert frame["coin_id"].tolist() == [row["id"] for row in sent]
        assert frame["price_usd"].tolist() == [row["current_price"] for row in sent]
        assert frame["market_cap_usd"].tolist() == [row["market_cap"] for row in sent]
