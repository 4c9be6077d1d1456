"""OKX: a ratio per currency, bars of a UTC+8 day, errors inside HTTP 200."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import (
    FakeClient,
    as_json,
    milliseconds,
    mutated_json,
    night_of,
    settings_at,
    try_parse,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    RateLimitedError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.okx import Okx

DAY = date(2026, 7, 10)
BEFORE = DAY - timedelta(days=1)


def bar(starts_on: date, ratio: Any = "1.2", hours: float = 16) -> list[Any]:
    return [str(milliseconds(starts_on, hours)), ratio]


def answer(*bars: Any, code: Any = "0", msg: str = "") -> dict[str, Any]:
    return {"code": code, "msg": msg, "data": list(bars)}


def body(content: Any, currency: str = "BTC") -> tuple[str, bytes]:
    return f"ratio-{currency}", as_json(content)


def test_bar_counts_for_the_day_in_which_it_ends() -> None:
    content = answer(bar(DAY, "9"), bar(BEFORE, "1.5"), bar(BEFORE - timedelta(days=1), "0.5"))
    frame = Okx().parse([body(content)], DAY)
    assert tuple(frame.columns) == DATASETS["positioning_daily"].column_names
    assert frame["market_date"].tolist() == [BEFORE, DAY]
    assert frame["long_short_account_ratio"].tolist() == [0.5, 1.5]
    row = frame.iloc[0]
    assert (row["source"], row["venue"], row["perp_symbol"]) == ("okx", "okx", "BTC")


def test_bar_of_a_utc_day_is_of_that_day() -> None:
    frame = Okx().parse([body(answer(bar(DAY, "1.5", hours=0)))], DAY)
    assert frame["market_date"].tolist() == [DAY]


def test_ratio_of_zero_has_no_row() -> None:
    content = answer(bar(BEFORE), bar(BEFORE - timedelta(days=1), "0"))
    assert Okx().parse([body(content)], DAY)["market_date"].tolist() == [DAY]


def test_currency_that_is_not_known_is_left_out() -> None:
    bodies = [body(answer(code="51000", msg="ccy"), "GONE"), body(answer(bar(BEFORE)))]
    assert Okx().parse(bodies, DAY)["perp_symbol"].tolist() == ["BTC"]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (answer(code="50011", msg="Too Many Requests"), RateLimitedError, "Too Many"),
        (answer(code="50001", msg="Service unavailable"), SourceError, "unavailable"),
        (answer(code=0), SourceError, "code"),
        (answer(code="51000"), SourceError, "no currency"),
        ({"data": []}, PayloadError, "code"),
        ({"code": "0"}, PayloadError, "data"),
        (answer(["1", "2", "3"]), PayloadError, "stamp and a ratio"),
        (answer(bar(BEFORE, hours=15)), PayloadError, "neither at 16:00"),
        (answer(bar(BEFORE, "-1")), PayloadError, "negative"),
        (answer(bar(BEFORE, "NaN")), PayloadError, "not a number"),
        (answer(bar(BEFORE), bar(BEFORE, "3")), PayloadError, "two different"),
        (answer([str(milliseconds(DAY) // 1000), "1"]), PayloadError, "century"),
        (answer(), NotYetAvailableError, "ends with None"),
        (answer(bar(DAY + timedelta(days=5))), UnobtainableError, "goes on to"),
    ],
)
def test_parse_says_what_is_wrong(content: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        Okx().parse([body(content)], DAY)
    assert raised.type is error


def test_fetch_asks_each_reviewed_currency_for_the_bars_of_the_window(tmp_path: Path) -> None:
    client = FakeClient(lambda path, params: as_json(answer()))
    configured = settings_at(night_of(DAY), tmp_path)
    names = [name for name, _ in Okx().fetch(client, configured, DAY)]
    assert names[:2] == ["ratio-BTC", "ratio-ETH"]
    assert len(names) <= 40
    assert client.asked[0] == (
        "okx/api/v5/rubik/stat/contracts/long-short-account-ratio",
        {
            "ccy": "BTC",
            "period": "1D",
            "begin": str(milliseconds(DAY - timedelta(days=11), 16)),
            "end": str(milliseconds(DAY, 16)),
        },
    )
    with pytest.raises(NotYetAvailableError):
        list(Okx().fetch(client, configured, DAY + timedelta(days=1)))


@given(mutated_json(answer(bar(BEFORE), bar(BEFORE - timedelta(days=1)))) | st.binary())
def test_parse_of_a_defective_body_gives_plausible_rows_or_raises(spoilt: bytes) -> None:
    frame = try_parse(Okx(), [("ratio-BTC", spoilt)], DAY)
    if frame is None:
        return
    assert DAY in set(frame["market_date"]) <= {BEFORE, DAY}
    ratios = frame["long_short_account_ratio"]
    assert ((ratios > 0) & (ratios < float("inf"))).all()
