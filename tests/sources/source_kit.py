"""What the tests of sources share: asking a recorded vendor, and spoiling a document."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import TidemarkError
from pipeline.settings import Settings
from pipeline.sources.base import Source
from pipeline.sources.http import HttpClient

ROOT_URL = "https://h.example/p"
DAY = date(2026, 7, 10)
CLOSE = datetime(2026, 7, 11, tzinfo=UTC)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "status", "error_code", "coins", "quote", "USD", "time", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
SPOILERS = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1,
        -0.5,
        1e300,
        10**400,
        101,
        1789776000,
        1789776000000,
        "",
        " ",
        "NaN",
        "Infinity",
        "-5",
        "0",
        "1e5",
        "٣",
        "\ud800",
        "a b",
        "2026-07-10",
        "2026-07-12T00:00:00Z",
        "2026-02-30T00:00:00Z",
        [],
        {},
        [None],
        {"USD": None},
    ]
)


def make_settings(**overrides: Any) -> Settings:
    """Settings of a run an hour after the close of ``DAY``, with every vendor elsewhere."""
    values = {
        "_env_file": None,
        "TIDEMARK_NOW": CLOSE + timedelta(hours=1),
        "vendor_root_url": ROOT_URL,
        "vendor_pace": 0,
    }
    return Settings.model_validate(values | overrides)


def fetch(
    source: Source, configured: Settings, market_date: date = DAY, since: date | None = None
) -> list[tuple[str, bytes]]:
    """Ask as a night does and return the bodies by name."""
    with HttpClient(configured, sleep=lambda seconds: None) as client:
        fetched = source.fetch(client, configured, market_date, since=since)
        return [(name, response.body) for name, response in fetched]


def as_body(content: Any) -> bytes:
    return json.dumps(content).encode()


def unix(day: date, **offset: float) -> int:
    """Unix seconds of 00:00 UTC of a day, and some time later."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((midnight + timedelta(**offset)).timestamp())


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _paths(content: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield (*prefix, key)
        if isinstance(content[key], dict | list):
            yield from _paths(content[key], (*prefix, key))


@st.composite
def spoiled(draw: st.DrawFn, document: Any) -> Any:
    """A documented body with one to three of its parts replaced, removed or doubled."""
    content = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        paths = list(_paths(content))
        if not paths:
            break
        *way, last = draw(st.sampled_from(paths))
        parent = content
        for key in way:
            parent = parent[key]
        deed = draw(st.sampled_from(["replace", "replace", "remove", "double"]))
        if deed == "replace":
            parent[last] = copy.deepcopy(draw(SPOILERS))
        elif deed == "remove":
            del parent[last]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
    return content


def numbers_in(content: Any) -> set[float]:
    """Every number of a document, also one written as text, and as a fraction of a hundred."""
    if isinstance(content, dict):
        return set().union(*(numbers_in(value) for value in content.values()))
    if isinstance(content, list):
        return set().union(*(numbers_in(value) for value in content))
    try:
        value = float(content)
    except (TypeError, ValueError, OverflowError):
        return set()
    return {value, value / 100, round(value, 4)}


def assert_sound(frame: pd.DataFrame, source: Source, sent: Any, first: date, last: date) -> None:
    """Check that a frame could be stored: its columns, keys, days, and only numbers as sent."""
    dataset = DATASETS[source.dataset]
    assert tuple(frame.columns) == dataset.column_names
    assert frame[list(dataset.key)].notna().all(axis=None)
    assert not frame.duplicated(list(dataset.key)).any()
    assert (frame["source"] == source.name).all()
    assert frame[dataset.date_column].between(first, last).all()
    known = numbers_in(sent)
    for column in dataset.columns:
        if column.type in {"double", "bigint"}:
            for value in frame[column.name].dropna():
                assert math.isfinite(value)
                assert value >= 0
                assert float(value) in known
    for column in ("price_usd", "close_points", "total_supply_usd", "total_market_cap_usd"):
        if column in frame:
            assert (frame[column].dropna() > 0).all()
    if "price_usd" in frame:
        assert frame["price_usd"].notna().all()
    if "score" in frame:
        assert frame["score"].dropna().between(0, 100).all()
    if "btc_dominance_fraction" in frame:
        assert frame["btc_dominance_fraction"].dropna().between(0, 1).all()


def check_spoiled(
    source: Source,
    name: str,
    content: Any,
    *,
    others: Sequence[tuple[str, bytes]] = (),
    first: date = DAY - timedelta(days=10),
    others_content: Any = None,
) -> None:
    """Parse a spoiled body: our own error, or nothing but sound rows."""
    try:
        frame = source.parse([(name, as_body(content)), *others], DAY)
    except TidemarkError:
        return
    assert_sound(frame, source, [content, others_content], first, DAY)


def refuses_everything_else(source: Source, names: Sequence[str]) -> Callable[[bytes], None]:
    """Return a check that any other bytes under these names raise our errors only."""

    def check(body: bytes) -> None:
        try:
            frame = source.parse([(name, body) for name in names], DAY)
        except TidemarkError:
            return
        assert frame.empty

    return check
