"""FRED's graph files: asking for them, and what becomes of every defect in them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import responses
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from source_kit import DAY, ROOT_URL, fetch, make_settings, refuses_everything_else

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.sources.fred import Fred


def lines_until(last: date, count: int = 20, close: float = 100.0) -> list[str]:
    """One line a day, closes rising by one."""
    days = [last - timedelta(days=back) for back in reversed(range(count))]
    return [f"{day},{close + index:.2f}" for index, day in enumerate(days)]


def graph(series: str, lines: list[str], column: str = "observation_date") -> bytes:
    return "\n".join([f"{column},{series}", *lines, ""]).encode()


def parse(lines: list[str], market_date: date = DAY, **options: Any) -> pd.DataFrame:
    bodies = [("SP500", graph("SP500", lines)), ("VIXCLS", graph("VIXCLS", lines_until(DAY)))]
    return Fred().parse(bodies, market_date, **options)


@responses.activate
def test_fetch_asks_for_both_series_over_the_days_wanted() -> None:
    for series in ("SP500", "VIXCLS"):
        responses.get(
            f"{ROOT_URL}/fred/graph/fredgraph.csv",
            body=graph(series, lines_until(DAY)),
            content_type="application/csv",
            match=[responses.matchers.query_param_matcher({"id": series}, strict_match=False)],
        )
    bodies = fetch(Fred(), make_settings())
    queries = [parse_qs(urlsplit(str(call.request.url)).query) for call in responses.calls]
    span = {"cosd": ["2026-06-25"], "coed": ["2026-07-10"]}
    assert queries == [{"id": ["SP500"], **span}, {"id": ["VIXCLS"], **span}]
    frame = Fred().parse(bodies, DAY)
    assert frame["ticker"].value_counts().to_dict() == {"SPX": 11, "VIX": 11}


@responses.activate
def test_fetch_does_not_ask_for_what_fred_no_longer_has() -> None:
    with pytest.raises(UnobtainableError, match="10 years"):
        fetch(Fred(), make_settings(), date(2016, 7, 1))
    assert len(responses.calls) == 0


@responses.activate
def test_fetch_asks_for_the_whole_history_from_a_day_that_exists() -> None:
    responses.get(
        f"{ROOT_URL}/fred/graph/fredgraph.csv",
        body=graph("SP500", []) + b"x,y\n",
        content_type="text/csv",
    )
    fetch(Fred(), make_settings(), since=date.min)
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assert query["cosd"] == ["1989-12-27"]


@pytest.mark.parametrize("column", ["observation_date", "DATE"])
def test_parse_takes_the_header_of_today_and_of_before(column: str) -> None:
    bodies = [(name, graph(name, lines_until(DAY), column)) for name in ("SP500", "VIXCLS")]
    frame = Fred().parse(bodies, DAY)
    assert tuple(frame.columns) == DATASETS["equity_daily"].column_names
    assert frame.iloc[10].to_dict() == {
        "session_date": DAY,
        "source": "fred",
        "ticker": "SPX",
        "close_points": 119.0,
    }


@pytest.mark.parametrize("value", ["", "."])
def test_parse_leaves_out_a_holiday(value: str) -> None:
    lines = [*lines_until(DAY - timedelta(days=1)), f"{DAY},{value}"]
    assert parse(lines).query("ticker == 'SPX'")["session_date"].max() == DAY - timedelta(days=1)


def test_parse_says_not_yet_or_never_when_no_session_is_near() -> None:
    with pytest.raises(NotYetAvailableError, match="SPX: no session within 5 days"):
        parse(lines_until(DAY - timedelta(days=6)))
    with pytest.raises(NotYetAvailableError, match="it is empty"):
        parse([])
    with pytest.raises(UnobtainableError, match="import history"):
        parse(lines_until(DAY + timedelta(days=9), 3))


def test_parse_takes_a_repeated_line_but_not_a_contradiction() -> None:
    assert len(parse([f"{DAY},100.0", f"{DAY},100.0"]).query("ticker == 'SPX'")) == 1
    with pytest.raises(PayloadError, match="two different closes"):
        parse([f"{DAY},100.0", f"{DAY},101.0"])


@pytest.mark.parametrize("close", ["0", "-1", "nan", "1e3", " 1", "6,000", "٣", "1" * 400])
def test_parse_refuses_a_close_that_is_not_a_positive_number(close: str) -> None:
    with pytest.raises(PayloadError, match="SP500"):
        parse([f'{DAY},"{close}"'])


@pytest.mark.parametrize("day", ["07/10/2026", "2026-7-10", "2026-02-30", "", "x", "20260710"])
def test_parse_refuses_a_day_in_another_format(day: str) -> None:
    with pytest.raises(PayloadError, match="SP500: line 2"):
        parse([f"{day},100.0"])


@pytest.mark.parametrize(
    "header",
    [
        "observation_date,VIXCLS",
        "date,SP500",
        "SP500",
        "observation_date,SP500,SP500",
        "DATE,x",
        "",
    ],
)
def test_parse_refuses_another_header(header: str) -> None:
    with pytest.raises(PayloadError, match="SP500"):
        Fred().parse([("SP500", f"{header}\n".encode()), ("VIXCLS", b"")], DAY)


def test_parse_finds_the_columns_by_the_header() -> None:
    lines = [f"new,{line}" for line in lines_until(DAY)]
    bodies = [
        ("SP500", graph("SP500", lines, "x,observation_date")),
        ("VIXCLS", graph("VIXCLS", lines_until(DAY))),
    ]
    frame = (
        Fred()
        .parse(bodies, DAY)
        .pivot(index="session_date", columns="ticker", values="close_points")
    )
    assert frame["SPX"].tolist() == frame["VIX"].tolist()


def test_parse_needs_both_files() -> None:
    with pytest.raises(PayloadError, match="VIXCLS"):
        Fred().parse([("SP500", graph("SP500", lines_until(DAY)))], DAY)


def test_parse_of_a_file_cut_short_is_never_a_wrong_close() -> None:
    body = graph("SP500", lines_until(DAY))
    whole = parse(lines_until(DAY)).query("ticker == 'SPX'")["close_points"].tolist()
    counts = set()
    for kept in range(len(body) + 1):
        bodies = [("SP500", body[:kept]), ("VIXCLS", graph("VIXCLS", lines_until(DAY)))]
        try:
            frame = Fred().parse(bodies, DAY)
        except TidemarkError:
            continue
        closes = frame.query("ticker == 'SPX'")["close_points"].tolist()
        assert closes == whole[: len(closes)]
        counts.add(len(closes))
    assert counts == {6, 7, 8, 9, 10, 11}


@hypothesis_settings(deadline=None)
@given(st.text(), st.text(alphabet='0123456789.,-\r\n"e ', max_size=40))
def test_parse_gives_the_good_lines_or_raises(anything: str, numeric: str) -> None:
    for extra in (anything, numeric):
        try:
            frame = parse([*lines_until(DAY), extra]).query("ticker == 'SPX'")
        except TidemarkError:
            continue
        assert frame["close_points"].tolist() == [float(value) for value in range(109, 120)]


@given(st.binary())
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(Fred(), ["SP500", "VIXCLS"])(body)
