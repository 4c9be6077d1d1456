"""The fear and greed index: asking for it, and what becomes of every defect in it."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.settings import Settings
from pipeline.sources.alternative_me import AlternativeMe
from pipeline.sources.http import HttpClient

DAY = date(2026, 7, 10)


def entry(days_before: int, **overrides: Any) -> dict[str, Any]:
    """The entry of a day before ``DAY``, scored 50 plus the distance."""
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(days=days_before)
    return {
        "value": str(50 + days_before),
        "value_classification": "Neutral",
        "timestamp": str(int(midnight.timestamp())),
    } | overrides


def answer(entries: list[Any], error: Any = None) -> dict[str, Any]:
    return {"name": "Fear and Greed Index", "data": entries, "metadata": {"error": error}}


def parse(content: Any, market_date: date = DAY, **options: Any) -> pd.DataFrame:
    return AlternativeMe().parse([("fng", json.dumps(content).encode())], market_date, **options)


@responses.activate
@pytest.mark.parametrize(
    ("market_date", "since", "limit"),
    [
        (DAY, None, "30"),
        (DAY - timedelta(days=40), None, "53"),
        (DAY - timedelta(days=400), None, "0"),
        (DAY, date(2018, 2, 1), "0"),
    ],
)
def test_fetch_asks_far_enough_back(market_date: date, since: date | None, limit: str) -> None:
    responses.get("https://h.example/p/fng/", json=answer([entry(0)]))
    now = datetime(2026, 7, 11, 1, 10, tzinfo=UTC)
    configured = Settings.model_validate(
        {
            "_env_file": None,
            "vendor_urls": {"alternative_me": "https://h.example/p"},
            "TIDEMARK_NOW": now,
        }
    )
    with HttpClient(configured) as client:
        fetched = list(AlternativeMe().fetch(client, configured, market_date, since=since))
    assert [name for name, _ in fetched] == ["fng"]
    query = parse_qs(urlsplit(str(responses.calls[0].request.url)).query)
    assert query == {"limit": [limit], "format": ["json"]}


def test_parse_gives_a_trailing_window_up_to_the_day() -> None:
    frame = parse(answer([entry(days_before) for days_before in range(-2, 28)]))
    assert tuple(frame.columns) == DATASETS["sentiment_daily"].column_names
    assert frame["market_date"].tolist() == [DAY - timedelta(days=n) for n in range(10, -1, -1)]
    assert frame.iloc[-1].to_dict() == {
        "market_date": DAY,
        "source": "alternative_me",
        "score": 50.0,
        "label": "Neutral",
    }


def test_parse_gives_the_whole_history_on_request() -> None:
    entries = [entry(days_before) for days_before in range(40)]
    assert len(parse(answer(entries), since=date.min)) == 40


def test_parse_says_not_yet_when_the_day_is_not_there() -> None:
    with pytest.raises(NotYetAvailableError, match="newest is 2026-07-09"):
        parse(answer([entry(1), entry(2)]))
    with pytest.raises(NotYetAvailableError, match="newest is None"):
        parse(answer([]))


def test_parse_says_never_when_the_vendor_has_a_gap() -> None:
    with pytest.raises(UnobtainableError, match="gap"):
        parse(answer([entry(-1), entry(1)]))


def test_parse_says_what_the_vendor_says_is_wrong() -> None:
    with pytest.raises(SourceError, match="over quota"):
        parse(answer([], error="over quota"))


def test_parse_takes_a_repeated_entry_but_not_a_contradiction() -> None:
    assert len(parse(answer([entry(0), entry(0)]))) == 1
    with pytest.raises(PayloadError, match="twice"):
        parse(answer([entry(0), entry(0, value="51")]))


@pytest.mark.parametrize(
    "defect",
    [
        {"value": "101"},
        {"value": "-1"},
        {"value": ""},
        {"value": "\r"},
        {"value": "50.5"},
        {"value": "NaN"},
        {"value": "٣"},
        {"value": 50},
        {"timestamp": "1789776001"},
        {"timestamp": "07-10-2026"},
        {"timestamp": "1789776000000"},
        {"timestamp": None},
        {"value_classification": 1},
    ],
)
def test_parse_refuses_an_entry_of_another_shape(defect: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match="row 2"):
        parse(answer([entry(0), entry(1, **defect)]))


def test_parse_takes_null_for_null() -> None:
    frame = parse(answer([entry(0, value=None, value_classification=None)]))
    assert frame[["score", "label"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "content",
    [[], None, {}, {"data": []}, {"metadata": {}, "data": []}, answer([]) | {"data": None}],
)
def test_parse_refuses_another_shape(content: Any) -> None:
    with pytest.raises(PayloadError):
        parse(content)


def test_parse_needs_the_one_body() -> None:
    with pytest.raises(PayloadError, match="fng"):
        AlternativeMe().parse([], DAY)


@given(st.binary())
def test_parse_raises_our_errors_only_on_any_bytes(body: bytes) -> None:
    with pytest.raises(TidemarkError):
        AlternativeMe().parse([("fng", body)], DAY)


ANY = st.none() | st.integers() | st.text(max_size=11) | st.sampled_from(["7", "100", "1789776000"])


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(entry(0))), ANY, max_size=2), min_size=1, max_size=5
    )
)
def test_parse_gives_what_was_sent_or_raises(changes: list[dict[str, Any]]) -> None:
    sent = [entry(index, **change) for index, change in enumerate(changes)]
    try:
        frame = parse(answer(sent))
    except TidemarkError:
        return
    scores = {
        datetime.fromtimestamp(int(row["timestamp"]), UTC).date(): float(row["value"] or "nan")
        for row in sent
    }
    assert frame["score"].dropna().between(0, 100).all()
    for day, score in zip(frame["market_date"], frame["score"], strict=True):
        assert scores[day] == score or (math.isnan(scores[day]) and math.isnan(score))
