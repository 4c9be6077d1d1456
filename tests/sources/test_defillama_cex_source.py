"""DefiLlama's exchanges: balances out of a large body, and the list of now."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_vendor import (
    FakeClient,
    as_json,
    date_to_seconds,
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
from pipeline.sources.defillama_cex import LOOKBACK_DAYS, DefiLlamaExchangeBalances
from pipeline.sources.defillama_flows import MIN_EXCHANGES, DefiLlamaExchangeFlows

DAY = date(2026, 7, 10)
BEFORE = DAY - timedelta(days=1)
NAME = "protocol-binance-cex"


def point(close_of: date, tokens: dict[str, Any], seconds: int = 0) -> dict[str, Any]:
    """A point of the close of a day: stamped at the next midnight."""
    return {"date": date_to_seconds(close_of + timedelta(days=1)) + seconds, "tokens": tokens}


def chain(units: list[Any], dollars: list[Any] | None = None) -> dict[str, Any]:
    return {"tvl": [{"date": 1, "totalLiquidityUSD": 1.5}], "tokens": units} | (
        {} if dollars is None else {"tokensInUsd": dollars}
    )


def protocol(**chains: Any) -> dict[str, Any]:
    top = [point(DAY, {"BTC": 999.0})]
    return {"id": "2269", "name": "Binance CEX", "chainTvls": chains, "tokens": top, "tvl": []}


def parse(content: Any, day: date = DAY, **options: Any) -> pd.DataFrame:
    return DefiLlamaExchangeBalances().parse([(NAME, as_json(content))], day, **options)


def held(frame: pd.DataFrame, day: date = DAY) -> dict[str, tuple[float, float | None]]:
    rows = frame[frame["market_date"] == day]
    return {
        row["token_symbol"]: (
            row["balance_units"],
            None if pd.isna(row["balance_usd"]) else row["balance_usd"],
        )
        for row in rows.to_dict("records")
    }


def test_tokens_are_summed_over_the_chains() -> None:
    content = protocol(
        ethereum=chain(
            [point(DAY, {"USDT": 10, "eth": 2.5})], [point(DAY, {"USDT": 10, "eth": 5000})]
        ),
        tron=chain([point(DAY, {"USDT": 5})], [point(DAY, {"USDT": 5.0})]),
    )
    frame = parse(content)
    assert tuple(frame.columns) == DATASETS["exchange_balance_daily"].column_names
    assert set(zip(frame["source"], frame["exchange"], strict=True)) == {("defillama", "binance")}
    assert held(frame) == {"USDT": (15.0, 15.0), "ETH": (2.5, 5000.0)}


def test_midnight_is_the_close_of_the_day_before_and_the_running_point_is_dropped() -> None:
    points = [
        point(BEFORE, {"BTC": 1}),
        point(DAY, {"BTC": 2}),
        point(DAY, {"BTC": 3}, seconds=5400),
    ]
    frame = parse(protocol(bitcoin=chain(points)))
    assert held(frame, BEFORE) == {"BTC": (1.0, None)}
    assert held(frame) == {"BTC": (2.0, None)}


def test_only_the_window_is_returned() -> None:
    points = [point(DAY - timedelta(days=back), {"BTC": 1}) for back in range(-3, 40)]
    frame = parse(protocol(bitcoin=chain(points)))
    assert frame["market_date"].min() == DAY - timedelta(days=10)
    assert frame["market_date"].max() == DAY
    assert len(parse(protocol(bitcoin=chain(points)), since=DAY)) == 1
    assert len(parse(protocol(bitcoin=chain(points)), since=date(2020, 1, 1))) == 40


def test_token_that_a_chain_does_not_price_has_no_dollars() -> None:
    content = protocol(
        ethereum=chain([point(DAY, {"X": 1, "Y": 1})], [point(DAY, {"X": 7})]),
        bsc=chain([point(DAY, {"X": 2})], [point(DAY, {})]),
    )
    assert held(parse(content)) == {"X": (3.0, None), "Y": (1.0, None)}


def test_chain_without_a_point_leaves_out_what_it_held_and_nothing_else() -> None:
    content = protocol(
        ethereum=chain([point(BEFORE, {"USDT": 9, "ETH": 1}), point(DAY, {"USDT": 8, "ETH": 1})]),
        tron=chain([point(BEFORE, {"USDT": 5})]),
    )
    frame = parse(content)
    assert held(frame, BEFORE)["USDT"] == (14.0, None)
    assert held(frame) == {"ETH": (1.0, None)}
    # A window of a day looks back as well.
    assert held(parse(content, since=DAY)) == {"ETH": (1.0, None)}


def test_token_without_its_units_on_a_chain_that_prices_it_is_left_out() -> None:
    content = protocol(
        ethereum=chain([point(DAY, {"USDT": 3, "ETH": 1})], [point(DAY, {"USDT": 3, "ETH": 9})]),
        tron={"tokensInUsd": [point(DAY, {"USDT": 5, "ETH": 0})]},
    )
    assert held(parse(content)) == {"ETH": (1.0, None)}


def test_chain_that_holds_something_and_is_not_there_refuses_the_body() -> None:
    there = protocol(ethereum=chain([point(DAY, {"ETH": 1})]))
    amounts = {"ethereum": 9.5, "tron": 0, "ethereum-borrowed": None}
    assert held(parse({"currentChainTvls": amounts, **there})) == {"ETH": (1.0, None)}
    with pytest.raises(PayloadError, match="'tron' holds something"):
        parse({**there, "currentChainTvls": {**amounts, "tron": 4.5}})


def test_nothing_that_is_worth_something_is_left_out() -> None:
    content = protocol(
        ethereum=chain(
            [point(DAY, {"USDT": 0, "ETH": 0, "X": 1})],
            [point(DAY, {"USDT": 8, "ETH": 0, "X": 2})],
        ),
        tron=chain([point(DAY, {"USDT": 5})], [point(DAY, {"USDT": 5})]),
    )
    assert held(parse(content)) == {"ETH": (0.0, 0.0), "X": (1.0, 2.0)}


def test_tokens_under_other_names_than_their_dollars_are_refused() -> None:
    content = protocol(
        ethereum=chain([point(DAY, {"A_v2": 1, "B_v2": 2})], [point(DAY, {"A": 8, "B": 9})])
    )
    with pytest.raises(PayloadError, match="'A_V2' and 'A'"):
        parse(content)


def test_chain_that_ended_long_ago_counts_no_more() -> None:
    ended = DAY - timedelta(days=LOOKBACK_DAYS + 1)
    points = [point(DAY - timedelta(days=back), {"USDT": 8}) for back in range(20)]
    content = protocol(ethereum=chain(points), tron=chain([point(ended, {"USDT": 5})]))
    assert held(parse(content)) == {"USDT": (8.0, None)}


@pytest.mark.parametrize(
    "part", ["borrowed", "ethereum-borrowed", "staking", "pool2", "Tron-staking"]
)
def test_parts_outside_of_the_total_do_not_count(part: str) -> None:
    content = protocol(
        **{"ethereum": chain([point(DAY, {"ETH": 1})]), part: chain([point(DAY, {"ETH": 50})])}
    )
    assert held(parse(content)) == {"ETH": (1.0, None)}


@pytest.mark.parametrize("amount", [-1, None, "5", True, 10**400, [], {}])
def test_amount_that_cannot_be_leaves_its_token_out(amount: Any) -> None:
    content = protocol(ethereum=chain([point(DAY, {"BAD": amount, "ETH": 1})]))
    frame = try_parse(DefiLlamaExchangeBalances(), [(NAME, as_json(content))], DAY)
    assert frame is None or held(frame) == {"ETH": (1.0, None)}


def test_spellings_of_a_symbol_are_one() -> None:
    content = protocol(ethereum=chain([point(DAY, {"stETH": 1, "STETH": 2, " ": 3, "a\n": 4})]))
    assert held(parse(content)) == {"STETH": (3.0, None), "A": (4.0, None)}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"message":"Protocol not found"}', "no chainTvls"),
        (b'{"chainTvls":[]}', "no chainTvls"),
        (b"[]", "no chainTvls"),
        (as_json(protocol(b=chain([point(DAY, {"BTC": 1})])))[:-3], "not JSON"),
        (as_json(protocol(b=chain([point(DAY, {"BTC": 1})]))) + b"x", "not JSON"),
        (b'{"chainTvls":{"b":{"tokens":[{"date":NaN}]}}}', "not JSON"),
        (b'{"chainTvls":{"b":{"tokens":[{"tokens":{"BTC":1}}]}}}', "time stamp"),
        (b'{"chainTvls":{"b":{"tokens":[{"date":1,"tokens":{"BTC":1}}]}}}', "century"),
        (b'{"chainTvls":{"b":{"tokens":[{"date":1,"tokens":{"X":1,"X":2}}]}}}', "comes twice"),
    ],
)
def test_balances_refuse_what_is_not_documented(body: bytes, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        DefiLlamaExchangeBalances().parse([(NAME, body)], DAY)


def test_balances_refuse_two_points_of_a_day() -> None:
    content = protocol(bitcoin=chain([point(DAY, {"BTC": 1}), point(DAY, {"BTC": 2})]))
    with pytest.raises(PayloadError, match="two points"):
        parse(content)


def test_balances_say_whether_the_day_will_come() -> None:
    content = protocol(bitcoin=chain([point(BEFORE, {"BTC": 1}), point(BEFORE, {"BTC": 9}, 60)]))
    with pytest.raises(NotYetAvailableError, match="ends with 2026-07-09"):
        parse(content)
    with pytest.raises(UnobtainableError, match="goes on to"):
        parse(content, DAY - timedelta(days=5))


def large_body(days: int, tokens: int) -> bytes:
    points = [
        point(DAY - timedelta(days=back), {f"TOKEN{n}": 1234.5678 + n for n in range(tokens)})
        for back in reversed(range(days))
    ]
    return json.dumps(protocol(ethereum=chain(points, points))).encode()


def test_memory_does_not_grow_with_the_history() -> None:
    """The vendor's body is 42 MB; what is kept of it is a window."""
    body = large_body(600, 150)
    assert len(body) > 3_000_000
    tracemalloc.start()
    try:
        frame = DefiLlamaExchangeBalances().parse([(NAME, body)], DAY, since=DAY)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(frame) == 150
    assert peak_bytes < 0.6 * len(body)


SMALL = protocol(
    ethereum=chain([point(BEFORE, {"ETH": 3}), point(DAY, {"ETH": 4})], [point(DAY, {"ETH": 9})]),
    tron=chain([point(BEFORE, {"USDT": 3.5}), point(DAY, {"USDT": 4.5})]),
)


@given(mutated_json(SMALL) | st.binary() | json_values.map(as_json))
def test_balances_of_a_defective_body_are_plausible_or_raise(body: bytes) -> None:
    frame = try_parse(DefiLlamaExchangeBalances(), [(NAME, body)], DAY)
    if frame is None:
        return
    assert DAY in set(frame["market_date"])
    assert frame["market_date"].between(DAY - timedelta(days=10), DAY).all()
    numbers = frame[["balance_units", "balance_usd"]]
    assert (numbers.isna() | ((numbers >= 0) & (numbers < float("inf")))).all(axis=None)
    assert not frame.duplicated(["market_date", "token_symbol"]).any()


def exchange(name: str, **overrides: Any) -> dict[str, Any]:
    return {
        "name": name,
        "slug": f"{name}-CEX",
        "cgId": name.lower(),
        "tvl": 0,
        "currentTvl": 1e9,
        "cleanAssetsTvl": 9e8,
        "inflows_24h": -4.5e6,
        "inflows_1w": 1e6,
        "inflows_1m": 2e6,
        "spotVolume": 3e8,
        "oi": 1e9,
        "leverage": 1,
    } | overrides


def exchanges(*more: Any) -> dict[str, Any]:
    return {"cexs": [*(exchange(f"Venue {number}") for number in range(MIN_EXCHANGES)), *more]}


def parse_flows(content: Any) -> pd.DataFrame:
    return DefiLlamaExchangeFlows().parse([("cexs", as_json(content))], DAY)


def test_flows_give_one_row_per_exchange_with_its_sign() -> None:
    frame = parse_flows(exchanges(exchange("Binance")))
    assert tuple(frame.columns) == DATASETS["exchange_flow_daily"].column_names
    assert len(frame) == MIN_EXCHANGES + 1
    (row,) = frame.query("exchange == 'binance'").to_dict("records")
    assert row == {
        "market_date": DAY,
        "source": "defillama",
        "exchange": "binance",
        "balance_usd": 1e9,
        "balance_without_own_token_usd": 9e8,
        "inflow_24h_usd": -4.5e6,
        "inflow_7d_usd": 1e6,
        "inflow_30d_usd": 2e6,
        "spot_volume_24h_usd": 3e8,
    }


def test_exchange_without_slug_goes_by_its_name_and_without_wallets_has_no_balance() -> None:
    bare = {"name": "Coinbase Exchange", "spotVolume": 5.0, "currentTvl": 0, "cleanAssetsTvl": 0}
    nothing = {"name": "Nobody", "slug": None}
    frame = parse_flows(exchanges(bare, nothing)).set_index("exchange")
    assert "nobody" not in frame.index
    row = frame.loc["coinbase-exchange"]
    assert row["spot_volume_24h_usd"] == 5.0
    assert row.drop(["market_date", "source", "spot_volume_24h_usd"]).isna().all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "not an object"),
        ({"cexs": {}}, "not a list"),
        ({"cexs": [exchange("X")]}, "fewer than"),
        (exchanges(exchange("Venue 1")), "comes twice"),
        (exchanges({"slug": "  ", "name": ""}), "neither slug nor name"),
        (exchanges(exchange("X", currentTvl=-1)), "negative"),
        (exchanges(exchange("X", inflows_24h="soon")), "not a number"),
        (exchanges(None), "not an object"),
        (
            {"cexs": [exchange(f"V{n}", currentTvl=None) for n in range(MIN_EXCHANGES)]},
            "no exchange has balance_usd",
        ),
        (
            {"cexs": [{"name": f"V{n}", "currentTvl": 1} for n in range(MIN_EXCHANGES)]},
            "no exchange has inflow_24h_usd",
        ),
    ],
)
def test_flows_refuse_what_is_not_documented(content: Any, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        parse_flows(content)


@given(mutated_json(exchanges()) | st.binary())
def test_flows_of_a_defective_body_are_plausible_or_raise(body: bytes) -> None:
    frame = try_parse(DefiLlamaExchangeFlows(), [("cexs", body)], DAY)
    if frame is None:
        return
    assert set(frame["market_date"]) == {DAY}
    assert frame["exchange"].is_unique
    numbers = frame.select_dtypes("float64")
    assert (numbers.isna() | (numbers.abs() < float("inf"))).all(axis=None)
    amounts = numbers[["balance_usd", "spot_volume_24h_usd"]]
    assert (amounts.isna() | (amounts >= 0)).all(axis=None)


def test_fetch_asks_once_each(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: as_json(SMALL if "protocol" in path else exchanges()))
    night = settings_at(night_of(DAY), tmp_path)
    for source in (DefiLlamaExchangeBalances(), DefiLlamaExchangeFlows()):
        ((name, response),) = source.fetch(client, night, DAY)
        assert len(source.parse([(name, response.body)], DAY)) > 0
    assert [path for path, _ in client.asked] == [
        "defillama/protocol/binance-cex",
        "defillama/cexs",
    ]
    early, late = (settings_at(night_of(DAY, hours), tmp_path) for hours in (-1, 13))
    for source in (DefiLlamaExchangeBalances(), DefiLlamaExchangeFlows()):
        with pytest.raises(NotYetAvailableError):
            list(source.fetch(client, early, DAY))
    assert len(list(DefiLlamaExchangeBalances().fetch(client, late, DAY))) == 1
    with pytest.raises(UnobtainableError):
        list(DefiLlamaExchangeFlows().fetch(client, late, DAY))
