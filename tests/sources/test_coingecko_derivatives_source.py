"""CoinGecko's list of perpetuals: what is taken from it, and when it may stand for a day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_vendor import (
    FakeClient,
    as_json,
    json_values,
    mutated_json,
    night_of,
    settings_at,
    try_parse,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.coingecko_derivatives import MIN_PERPS, CoinGeckoDerivatives

DAY = date(2026, 7, 10)
NAME = "derivatives-binance_futures"
TAKEN = int(night_of(DAY).timestamp())


def ticker(base: str, **overrides: Any) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT",
        "base": base,
        "target": "USDT",
        "coin_id": f"coin-{base.lower()}",
        "target_coin_id": "tether",
        "contract_type": "perpetual",
        "last": 0.473,
        "index": 0.4738,
        "index_basis_percentage": -0.066,
        "funding_rate": 0.005,
        "open_interest_usd": 7_505_441.4,
        "h24_volume": 6_822_128.0,
        "last_traded": TAKEN,
        "expired_at": None,
    } | overrides


def exchange(*tickers: dict[str, Any], count: int = MIN_PERPS) -> dict[str, Any]:
    others = [ticker(f"N{number}") for number in range(count)]
    return {"name": "Binance (Futures)", "open_interest_btc": 1.0, "tickers": [*others, *tickers]}


def parse(content: Any, day: date = DAY) -> pd.DataFrame:
    return CoinGeckoDerivatives().parse([(NAME, as_json(content))], day)


def test_parse_gives_the_documented_row() -> None:
    frame = parse(exchange(ticker("0G", coin_id="zero-gravity")))
    assert tuple(frame.columns) == DATASETS["perp_listing_daily"].column_names
    row = frame.query("perp_symbol == '0GUSDT'").iloc[0].to_dict()
    assert pd.isna(row.pop("volume_24h_usd"))
    assert row == {
        "market_date": DAY,
        "source": "coingecko",
        "venue": "binance",
        "perp_symbol": "0GUSDT",
        "base_symbol": "0G",
        "quote_symbol": "USDT",
        "coin_id": "zero-gravity",
        "last_price_usd": 0.473,
        "index_price_usd": 0.4738,
        "open_interest_usd": 7_505_441.4,
    }


def test_parse_takes_the_converted_volume_only() -> None:
    frame = parse(exchange(ticker("X", converted_volume={"btc": "1", "usd": "123.5"})))
    assert frame.set_index("perp_symbol").loc["XUSDT", "volume_24h_usd"] == 123.5
    assert frame["volume_24h_usd"].notna().sum() == 1


def test_parse_takes_perpetuals_only() -> None:
    dated = ticker("BTC", symbol="BTCUSDT_260925", contract_type="futures", expired_at=1)
    assert len(parse(exchange(dated))) == MIN_PERPS


def test_parse_leaves_a_new_listing_without_coin() -> None:
    frame = parse(exchange(ticker("NEW", coin_id=None, index=0, last=None))).set_index(
        "perp_symbol"
    )
    assert frame.loc["NEWUSDT", ["coin_id", "index_price_usd", "last_price_usd"]].isna().all()


def test_parse_leaves_out_what_was_last_traded_before_the_close() -> None:
    frame = parse(exchange(ticker("DEAD", last_traded=TAKEN - 40 * 86_400)))
    assert "DEADUSDT" not in set(frame["perp_symbol"])


def test_parse_takes_a_repeated_ticker_once_and_refuses_a_contradiction() -> None:
    assert len(parse(exchange(ticker("N1")))) == MIN_PERPS
    with pytest.raises(PayloadError, match="comes twice"):
        parse(exchange(ticker("N1", last=9.0)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"status": {"error_code": 429, "error_message": "limit"}}, "limit"),
        ({"error": "exchange not found"}, "not found"),
        ([], "no list of tickers"),
        (exchange(count=MIN_PERPS - 1), "fewer than"),
        (exchange({"symbol": "X"}), "contract_type"),
        (exchange(ticker("X", open_interest_usd=-1)), "negative"),
        (exchange(ticker("X", last="NaN")), "not a number"),
        (exchange(ticker("X", symbol="A B")), "symbol"),
        (exchange(ticker("X", last_traded=TAKEN * 1000)), "century"),
    ],
)
def test_parse_refuses_anything_else(content: Any, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        parse(content)


def test_parse_refuses_a_list_of_another_time() -> None:
    with pytest.raises(PayloadError, match="before the close"):
        parse(exchange(), DAY + timedelta(days=1))
    with pytest.raises(UnobtainableError, match="shows now only"):
        parse(exchange(), DAY - timedelta(days=1))


def test_parse_needs_its_own_body() -> None:
    with pytest.raises(PayloadError, match=NAME):
        CoinGeckoDerivatives().parse([("cexs", as_json(exchange()))], DAY)


def test_fetch_asks_once_with_the_key_and_only_around_the_close(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: as_json(exchange()))
    source = CoinGeckoDerivatives()
    configured = settings_at(night_of(DAY), tmp_path, coingecko_demo_key="a-demo-key")
    ((name, response),) = source.fetch(client, configured, DAY)
    assert (name, len(source.parse([(name, response.body)], DAY))) == (NAME, MIN_PERPS)
    assert client.asked == [
        (
            "coingecko/api/v3/derivatives/exchanges/binance_futures",
            {"include_tickers": "unexpired"},
        )
    ]
    assert client.secrets[0]["x-cg-demo-api-key"].get_secret_value() == "a-demo-key"
    with pytest.raises(NotYetAvailableError):
        list(source.fetch(client, settings_at(night_of(DAY, -1), tmp_path), DAY))
    with pytest.raises(UnobtainableError):
        list(source.fetch(client, settings_at(night_of(DAY, 13), tmp_path), DAY))


SMALL = exchange(ticker("X"), count=MIN_PERPS)


@given(st.binary() | json_values.map(lambda value: repr(value).encode()))
def test_parse_raises_our_errors_only_on_any_bytes(body: bytes) -> None:
    assert try_parse(CoinGeckoDerivatives(), [(NAME, body)], DAY) is None


@given(mutated_json(SMALL["tickers"]))
def test_parse_of_a_defective_list_gives_plausible_rows_or_raises(tickers: bytes) -> None:
    body = b'{"tickers": ' + tickers + b"}"
    frame = try_parse(CoinGeckoDerivatives(), [(NAME, body)], DAY)
    if frame is None:
        return
    assert set(frame["market_date"]) == {DAY}
    assert frame["perp_symbol"].is_unique
    numbers = frame[["last_price_usd", "index_price_usd", "open_interest_usd"]]
    assert (numbers.isna() | ((numbers >= 0) & (numbers < float("inf")))).all(axis=None)
