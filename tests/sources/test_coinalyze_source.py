"""Coinalyze: liquidations in batches of twenty, with a key, in US dollars."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import (
    FakeClient,
    as_json,
    date_to_seconds,
    mutated_json,
    night_of,
    settings_at,
    try_parse,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import NotYetAvailableError, PayloadError, SourceError
from pipeline.sources.coinalyze import SYMBOLS_ASKED, Coinalyze

DAY = date(2026, 7, 10)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)


def point(day: date, **overrides: Any) -> dict[str, Any]:
    return {"t": date_to_seconds(day), "l": 1000.5, "s": 0} | overrides


def entry(*points: Any, symbol: Any = "BTCUSDT_PERP.A") -> dict[str, Any]:
    return {"symbol": symbol, "history": list(points)}


def body(*entries: Any, number: int = 1) -> tuple[str, bytes]:
    return f"liquidations-{number}", as_json(list(entries))


def test_longs_and_shorts_are_in_dollars_by_the_day_that_the_stamp_begins() -> None:
    frame = Coinalyze().parse([body(entry(point(BEFORE, s=7), point(DAY), point(AFTER)))], DAY)
    assert tuple(frame.columns) == DATASETS["liquidation_daily"].column_names
    assert frame["market_date"].tolist() == [BEFORE, DAY]
    assert frame["long_usd"].tolist() == [1000.5, 1000.5]
    assert frame["short_usd"].tolist() == [7, 0]
    row = frame.iloc[0]
    assert (row["source"], row["venue"], row["perp_symbol"]) == ("coinalyze", "binance", "BTCUSDT")


def test_batches_are_read_together_and_a_symbol_without_history_has_no_row() -> None:
    bodies = [
        body(entry(point(DAY), point(AFTER))),
        body(entry(point(DAY), symbol="1000PEPEUSDT_PERP.A"), number=2),
        body(entry(symbol="NEWUSDT_PERP.A"), number=3),
    ]
    frame = Coinalyze().parse(bodies, DAY)
    assert frame["perp_symbol"].tolist() == ["BTCUSDT", "1000PEPEUSDT"]


@pytest.mark.parametrize(
    ("bodies", "error", "said"),
    [
        ([("liquidations-1", as_json({"message": "Invalid API key"}))], SourceError, "Invalid API"),
        ([("liquidations-1", as_json({"x": 1}))], PayloadError, "not a list"),
        ([body(entry(point(DAY)), number=2)], PayloadError, "a batch is missing"),
        ([body(), body()], PayloadError, "a batch is missing"),
        ([], PayloadError, "a batch is missing"),
        ([body(entry(point(DAY), symbol="BTCUSDT_PERP.6"))], PayloadError, "not a perpetual"),
        ([body(entry(point(DAY), symbol=None))], PayloadError, "not a perpetual"),
        ([body(entry(point(DAY)), entry(point(DAY)))], PayloadError, "comes twice"),
        ([body(entry(point(DAY, l=-1)))], PayloadError, "negative"),
        ([body(entry(point(DAY, t=date_to_seconds(DAY) * 1000)))], PayloadError, "century"),
        ([body(entry(point(DAY), point(DAY, l=2)))], PayloadError, "two different"),
        (
            [body(entry(point(BEFORE - timedelta(days=1)), point(BEFORE)))],
            NotYetAvailableError,
            "ends with 2026-07-08",
        ),
        ([body(entry(point(DAY)))], NotYetAvailableError, "does not have"),
        (
            [body(entry(point(DAY, l=None, s=None), point(AFTER)))],
            NotYetAvailableError,
            "does not have",
        ),
    ],
)
def test_parse_says_what_is_wrong(
    bodies: list[tuple[str, bytes]], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        Coinalyze().parse(bodies, DAY)
    assert raised.type is error


def test_fetch_asks_twenty_at_a_time_up_to_now(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: b"[]")
    configured = settings_at(night_of(DAY), tmp_path, coinalyze_key="a-key")
    names = [name for name, _ in Coinalyze().fetch(client, configured, DAY)]
    assert names == ["liquidations-1", "liquidations-2"]
    path, params = client.asked[0]
    assert path == "coinalyze/v1/liquidation-history"
    symbols = params.pop("symbols").split(",")
    assert symbols[0] == "BTCUSDT_PERP.A"
    assert len(symbols) == 20
    assert (
        sum(len(asked.get("symbols", "").split(",")) for _, asked in client.asked) <= SYMBOLS_ASKED
    )
    assert params == {
        "interval": "daily",
        "from": str(date_to_seconds(DAY - timedelta(days=10))),
        "to": str(date_to_seconds(DAY + timedelta(days=2)) - 1),
        "convert_to_usd": "true",
    }
    assert client.secrets[0]["api_key"].get_secret_value() == "a-key"


def test_without_a_key_it_is_not_used_and_says_which(tmp_path: Path) -> None:
    configured = settings_at(night_of(DAY), tmp_path)
    assert not Coinalyze().is_usable(configured)
    with pytest.raises(SourceError, match="TIDEMARK_COINALYZE_KEY"):
        list(Coinalyze().fetch(FakeClient(lambda path, params: b"[]"), configured, DAY))
    with pytest.raises(NotYetAvailableError):
        list(
            Coinalyze().fetch(
                FakeClient(lambda path, params: b"[]"), configured, DAY + timedelta(days=1)
            )
        )


@given(mutated_json([entry(point(BEFORE), point(DAY), point(AFTER))]) | st.binary())
def test_parse_of_a_defective_body_gives_plausible_rows_or_raises(spoilt: bytes) -> None:
    frame = try_parse(Coinalyze(), [("liquidations-1", spoilt)], DAY)
    if frame is None:
        return
    assert DAY in set(frame["market_date"]) <= {BEFORE, DAY}
    numbers = frame.select_dtypes("float64")
    assert (numbers.isna() | ((numbers >= 0) & (numbers < float("inf")))).all(axis=None)
