"""Gate: one answer for liquidations and ratios, and defects of it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
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
from pipeline.sources.gate import GateLiquidations, GatePositioning

DAY = date(2026, 7, 10)
BEFORE = DAY - timedelta(days=1)


def stats(day: date, **overrides: Any) -> dict[str, Any]:
    return {
        "time": date_to_seconds(day),
        "lsr_taker": 1.1,
        "lsr_account": 1.2,
        "long_liq_size": 100,
        "long_liq_amount": 0.5,
        "long_liq_usd": 1234.5,
        "short_liq_size": 0,
        "short_liq_amount": 0,
        "short_liq_usd": 0,
        "open_interest": 10,
        "open_interest_usd": 1e6,
        "top_lsr_account": "1.3",
        "top_lsr_size": "1.4",
    } | overrides


def body(content: Any, label: str = "BTC_USDT") -> list[tuple[str, bytes]]:
    return [(f"stats-{label}", as_json(content))]


def test_liquidations_are_in_dollars_and_a_quiet_day_is_zero() -> None:
    running = stats(DAY + timedelta(days=1), long_liq_usd=9)
    frame = GateLiquidations().parse(body([stats(BEFORE), stats(DAY), running]), DAY)
    assert tuple(frame.columns) == DATASETS["liquidation_daily"].column_names
    assert frame["market_date"].tolist() == [BEFORE, DAY]
    assert frame["long_usd"].tolist() == [1234.5, 1234.5]
    assert frame["short_usd"].tolist() == [0, 0]
    row = frame.iloc[0]
    assert (row["source"], row["venue"], row["perp_symbol"]) == ("gate", "gate", "BTC_USDT")


def test_ratios_come_from_the_same_answer_and_zero_is_null() -> None:
    assert GatePositioning().payloads_of == "liquidation_daily"
    frame = GatePositioning().parse(body([stats(DAY, top_lsr_account="0", lsr_taker=0)]), DAY)
    (row,) = frame.to_dict("records")
    assert (row["long_short_account_ratio"], row["top_position_ratio"]) == (1.2, 1.4)
    assert pd.isna(row["top_account_ratio"])
    assert pd.isna(row["taker_buy_sell_ratio"])


def test_ratios_do_not_hang_on_the_liquidations() -> None:
    entry = stats(DAY, long_liq_usd=0)
    del entry["short_liq_usd"]
    assert len(GatePositioning().parse(body([entry]), DAY)) == 1


def test_day_without_figures_has_no_row() -> None:
    nothing = stats(BEFORE, long_liq_usd=None, short_liq_usd=None)
    assert GateLiquidations().parse(body([nothing, stats(DAY)]), DAY)["market_date"].tolist() == [
        DAY
    ]


def test_parts_of_a_range_are_read_together() -> None:
    bodies = body([stats(BEFORE), stats(DAY)]) + body([stats(DAY)], "BTC_USDT#2")
    assert GateLiquidations().parse(bodies, DAY)["market_date"].tolist() == [BEFORE, DAY]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ({"label": "CONTRACT_NOT_FOUND", "message": "no"}, SourceError, "CONTRACT_NOT_FOUND"),
        ({"detail": "x"}, PayloadError, "not a list"),
        ([stats(DAY, long_liq_usd=-1)], PayloadError, "negative"),
        ([stats(DAY, short_liq_usd="x")], PayloadError, "not a number"),
        ([stats(DAY, long_liq_usd=0)], PayloadError, "long_liq_usd is 0 but long_liq_size is 100"),
        ([stats(DAY, short_liq_amount=2)], PayloadError, "short_liq_usd is 0 but"),
        ([stats(DAY, contract="ETH_USDT")], PayloadError, "ETH_USDT"),
        ([stats(DAY), stats(DAY, long_liq_usd=2)], PayloadError, "two different"),
        ([stats(DAY, time=date_to_seconds(DAY) * 1000)], PayloadError, "century"),
        ([stats(DAY, time=date_to_seconds(DAY) + 60)], PayloadError, "no stamp is a midnight"),
        ([{"time": date_to_seconds(DAY)}], PayloadError, "long_liq_usd"),
        ([stats(BEFORE)], NotYetAvailableError, "ends with 2026-07-09"),
    ],
)
def test_parse_says_what_is_wrong(content: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        GateLiquidations().parse(body(content), DAY)
    assert raised.type is error


def test_fetch_asks_in_spans_that_fit_a_call(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: b"[]")
    configured = settings_at(night_of(DAY), tmp_path)
    names = [name for name, _ in GateLiquidations().fetch(client, configured, DAY)]
    assert names[0] == "stats-BTC_USDT"
    assert client.asked[0] == (
        "gate/api/v4/futures/usdt/contract_stats",
        {
            "contract": "BTC_USDT",
            "interval": "1d",
            "from": str(date_to_seconds(DAY - timedelta(days=10))),
            "limit": "12",
        },
    )
    since = DAY - timedelta(days=100)
    names = [name for name, _ in GateLiquidations().fetch(client, configured, DAY, since=since)]
    assert names[:2] == ["stats-BTC_USDT", "stats-BTC_USDT#2"]
    assert all(int(params["limit"]) <= 100 for _, params in client.asked)
    with pytest.raises(NotYetAvailableError):
        list(GateLiquidations().fetch(client, configured, DAY + timedelta(days=1)))


@given(
    st.sampled_from([GateLiquidations(), GatePositioning()]),
    mutated_json([stats(BEFORE), stats(DAY)]) | st.binary(),
)
def test_parse_of_a_defective_body_gives_plausible_rows_or_raises(
    source: GateLiquidations, spoilt: bytes
) -> None:
    frame = try_parse(source, [("stats-BTC_USDT", spoilt)], DAY)
    if frame is None:
        return
    assert DAY in set(frame["market_date"]) <= {BEFORE, DAY}
    assert frame["market_date"].is_unique
    numbers = frame.select_dtypes("float64")
    assert (numbers.isna() | ((numbers >= 0) & (numbers < float("inf")))).all(axis=None)
