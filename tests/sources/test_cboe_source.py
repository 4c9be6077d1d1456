"""Cboe's history files: asking for them, and what becomes of every defect in them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.settings import Settings
from pipeline.sources.cboe import Cboe
from pipeline.sources.http import HttpClient

DAY = date(2026, 7, 10)


def lines_until(last: date, count: int = 20, close: float = 100.0) -> list[str]:
    """One line a day, closes rising by one."""
    days = [last - timedelta(days=back) for back in reversed(range(count))]
    return [f"{day:%m/%d/%Y},{close + index:.6f}" for index, day in enumerate(days)]


def history(ticker: str, lines: list[str]) -> bytes:
    return "\r\n".join([f"DATE,{ticker}", *lines, ""]).encode()


def vix_history(lines: list[str]) -> bytes:
    """The same closes under the VIX's header, after prices that are none."""
    widened = [line.replace(",", ",1.0,2.0,3.0,") for line in lines]
    return "\r\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *widened, ""]).encode()


def vix(last: date, count: int = 20) -> tuple[str, bytes]:
    return "VIX_History", vix_history(lines_until(last, count))


def parse(lines: list[str], market_date: date = DAY, **options: Any) -> pd.DataFrame:
    """Parse with these lines in the files of RUT and SPX; the rows of those two."""
    bodies = [(f"{ticker}_History", history(ticker, lines)) for ticker in ("RUT", "SPX")]
    frame = Cboe().parse([*bodies, vix(market_date)], market_date, **options)
    return frame[frame["ticker"] != "VIX"].reset_index(drop=True)


@responses.activate
def test_fetch_asks_for_the_three_files_as_csv() -> None:
    for ticker in ("RUT", "SPX", "VIX"):
        lines = lines_until(DAY)
        responses.get(
            f"https://h.example/p/api/global/us_indices/daily_prices/{ticker}_History.csv",
            body=vix_history(lines) if ticker == "VIX" else history(ticker, lines),
            content_type="text/csv",
        )
    configured = Settings.model_validate(
        {"_env_file": None, "vendor_urls": {"cboe": "https://h.example/p"}}
    )
    with HttpClient(configured) as client:
        fetched = list(Cboe().fetch(client, configured, DAY))
    frame = Cboe().parse([(name, response.body) for name, response in fetched], DAY)
    assert frame["ticker"].value_counts().to_dict() == {"RUT": 11, "SPX": 11, "VIX": 11}
    assert {response.body_format for _, response in fetched} == {"csv"}


def test_parse_gives_a_trailing_window_up_to_the_day() -> None:
    frame = parse(lines_until(DAY + timedelta(days=3)))
    assert tuple(frame.columns) == DATASETS["equity_daily"].column_names
    assert frame["session_date"].min() == DAY - timedelta(days=10)
    assert frame["session_date"].max() == DAY
    assert frame.iloc[-1].to_dict() == {
        "session_date": DAY,
        "source": "cboe",
        "ticker": "SPX",
        "close_points": 116.0,
    }
    assert frame["close_points"].dtype == "float64"


def test_parse_gives_the_whole_history_on_request() -> None:
    assert len(parse(lines_until(DAY, 400), since=date.min)) == 800
    assert len(parse(lines_until(DAY, 400), since=DAY)) == 2


def test_parse_takes_the_day_of_a_long_weekend() -> None:
    assert len(parse(lines_until(DAY - timedelta(days=5), 1))) == 2


def test_parse_says_not_yet_when_the_file_ends_too_early() -> None:
    with pytest.raises(NotYetAvailableError, match="RUT: no session within 5 days"):
        parse(lines_until(DAY - timedelta(days=6)))
    with pytest.raises(NotYetAvailableError, match="it is empty"):
        parse([])


def test_parse_says_never_when_the_file_begins_too_late() -> None:
    with pytest.raises(UnobtainableError, match="import history"):
        parse(lines_until(DAY + timedelta(days=9), 3))


def test_parse_takes_a_repeated_line_but_not_a_contradiction() -> None:
    line = f"{DAY:%m/%d/%Y},100.0"
    assert len(parse([line, line])) == 2
    with pytest.raises(PayloadError, match="two different closes"):
        parse([line, f"{DAY:%m/%d/%Y},101.0"])


@pytest.mark.parametrize("close", ["0", "-1", "nan", "1e3", "1,0", " 1", "1 ", "1" * 400, "٣"])
def test_parse_refuses_a_close_that_is_not_a_positive_number(close: str) -> None:
    with pytest.raises(PayloadError, match="RUT"):
        parse([f"{DAY:%m/%d/%Y},{close}"])


def test_parse_takes_an_empty_close_for_null() -> None:
    assert parse([f"{DAY:%m/%d/%Y},"])["close_points"].isna().tolist() == [True, True]


@pytest.mark.parametrize("day", ["2026-07-10", "7/10/2026", "13/10/2026", "07/32/2026", "", "x"])
def test_parse_refuses_a_day_in_another_format(day: str) -> None:
    with pytest.raises(PayloadError, match="RUT: line 2"):
        parse([f"{day},100.0", *lines_until(DAY)])


@pytest.mark.parametrize(
    "header", ["DATE,RUTTR", "DATE,SPX", "Date,RUT", "DATE,OPEN,HIGH,LOW,CLOSE", "DATE,RUT,RUT", ""]
)
def test_parse_refuses_another_header(header: str) -> None:
    body = "\n".join([header, *lines_until(DAY)]).encode()
    with pytest.raises(PayloadError, match="RUT: the header"):
        Cboe().parse([("RUT_History", body), ("SPX_History", b""), vix(DAY)], DAY)


def test_parse_finds_the_columns_by_the_header() -> None:
    lines = [line.replace(",", ",7.0,") + ",note" for line in lines_until(DAY)]
    body = "\n".join(["DATE,OPEN,RUT,REMARK", *lines, ""]).encode()
    bodies = [("RUT_History", body), ("SPX_History", history("SPX", lines_until(DAY))), vix(DAY)]
    frame = (
        Cboe()
        .parse(bodies, DAY)
        .pivot(index="session_date", columns="ticker", values="close_points")
    )
    assert frame["RUT"].tolist() == frame["SPX"].tolist()


def test_parse_takes_the_last_column_of_the_vix() -> None:
    lines = lines_until(DAY)
    bodies = [(f"{ticker}_History", history(ticker, lines)) for ticker in ("RUT", "SPX")]
    frame = Cboe().parse([*bodies, vix(DAY)], DAY, since=DAY)
    assert frame.set_index("ticker")["close_points"].to_dict() == {
        "RUT": 119.0,
        "SPX": 119.0,
        "VIX": 119.0,
    }
    with pytest.raises(PayloadError, match="VIX: the header"):
        Cboe().parse([*bodies, ("VIX_History", history("VIX", lines))], DAY)
    short = vix_history([*lines, f"{DAY:%m/%d/%Y}"])
    with pytest.raises(PayloadError, match="VIX: line 22"):
        Cboe().parse([*bodies, ("VIX_History", short)], DAY)


def test_parse_needs_the_three_files() -> None:
    body = history("RUT", lines_until(DAY))
    with pytest.raises(PayloadError, match="SPX_History"):
        Cboe().parse([("RUT_History", body), vix(DAY)], DAY)
    with pytest.raises(PayloadError, match="SPX_History"):
        Cboe().parse([("RUT_History", body)] * 2 + [vix(DAY)], DAY)
    with pytest.raises(PayloadError, match="VIX_History"):
        Cboe().parse([("RUT_History", body), ("SPX_History", body)], DAY)


def test_parse_takes_a_byte_order_mark() -> None:
    bodies = [
        (f"{ticker}_History", b"\xef\xbb\xbf" + history(ticker, lines_until(DAY)))
        for ticker in ("RUT", "SPX")
    ]
    assert len(Cboe().parse([*bodies, vix(DAY)], DAY)) == 33


@given(st.binary())
def test_parse_raises_our_errors_only_on_any_bytes(body: bytes) -> None:
    with pytest.raises(TidemarkError):
        Cboe().parse([(f"{t}_History", body) for t in ("RUT", "SPX", "VIX")], DAY)


@given(st.text(), st.text(alphabet='0123456789.,/-\r\n"e ', max_size=40))
def test_parse_gives_the_good_lines_or_raises(anything: str, numeric: str) -> None:
    for extra in (anything, numeric):
        try:
            frame = parse([*lines_until(DAY), extra])
        except TidemarkError:
            continue
        good = frame["close_points"].between(109, 119)
        assert good.sum() == 22
        assert frame.loc[~good, "session_date"].empty


def test_parse_of_a_file_cut_short_is_never_a_wrong_close() -> None:
    body = history("RUT", lines_until(DAY))
    whole = parse(lines_until(DAY)).query("ticker == 'RUT'")["close_points"].tolist()
    other = ("SPX_History", history("SPX", lines_until(DAY)))
    given_counts = set()
    for kept in range(len(body)):
        try:
            frame = Cboe().parse([("RUT_History", body[:kept]), other, vix(DAY)], DAY)
        except TidemarkError:
            continue
        closes = frame.query("ticker == 'RUT'")["close_points"].tolist()
        assert closes == whole[: len(closes)]
        given_counts.add(len(closes))
    assert given_counts == {6, 7, 8, 9, 10, 11}
