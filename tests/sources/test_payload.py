"""Reading JSON strictly and building typed frames."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import PayloadError
from pipeline.sources.payload import (
    build_frame,
    integer_or_none,
    number_or_none,
    parse_json,
    text_or_none,
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_parse_json_reads_what_json_writes(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary())
def test_parse_json_raises_payload_error_only(body: bytes) -> None:
    with suppress(PayloadError):
        parse_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[NaN]",
        b'{"a": -Infinity}',
        b"[1e999]",
        b'{"a": 1, "a": 2}',
        b'["\xff"]',
        b"[1] [2]",
        "[1]".encode("utf-16"),
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_parse_json_refuses_what_json_does_not_allow(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse_json(body)


def test_parse_json_takes_a_byte_order_mark() -> None:
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (number_or_none, 1, 1.0),
        (number_or_none, None, None),
        (integer_or_none, 7.0, 7),
        (integer_or_none, None, None),
        (text_or_none, " a ", "a"),
        (text_or_none, "a\ud800", "a\ufffd"),
        (text_or_none, "", None),
        (text_or_none, None, None),
    ],
)
def test_fields_are_read_in_their_documented_type(read: Any, value: Any, expected: Any) -> None:
    assert read({"f": value}, "f", "row 1") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (number_or_none, "1"),
        (number_or_none, True),
        (number_or_none, 10**400),
        (number_or_none, [1]),
        (integer_or_none, 1.5),
        (integer_or_none, False),
        (integer_or_none, 2**63),
        (integer_or_none, "7"),
        (text_or_none, 7),
    ],
)
def test_fields_of_another_type_are_refused(read: Any, value: Any) -> None:
    with pytest.raises(PayloadError, match="row 1: f"):
        read({"f": value}, "f", "row 1")
    with pytest.raises(PayloadError, match="no field f"):
        read({}, "f", "row 1")


@pytest.mark.parametrize("row_count", [0, 1])
def test_build_frame_has_the_columns_and_types_of_the_dataset(row_count: int) -> None:
    dataset = DATASETS["market_daily"]
    row = {"market_date": date(2026, 1, 1), "source": "s", "coin_id": "c", "price_usd": 1}
    frame = build_frame(dataset, [row] * row_count)
    assert tuple(frame.columns) == dataset.column_names
    assert len(frame) == row_count
    assert {name: str(frame[name].dtype) for name in ("coin_id", "price_usd", "provider_rank")} == {
        "coin_id": "str",
        "price_usd": "float64",
        "provider_rank": "Int64",
    }
    if row_count:
        first = frame.iloc[0]
        assert first["market_date"] == date(2026, 1, 1)
        assert frame[["symbol", "name", "market_cap_usd", "provider_rank"]].isna().all(axis=None)
