"""Shapes of bodies: fields and types, and never a value."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PayloadError
from pipeline.shapes_seen import FIELDS_SHOWN, differences, shape_of


def shape(content: Any) -> Any:
    return shape_of(json.dumps(content).encode(), "json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"a": 1, "b": "x"}, {"a": 2.5, "b": None}], [{"a": "number", "b": "null | text"}]),
        ([[1, "2"], [3, "4"]], [["number | text"]]),
        ({"a": [], "b": True}, {"a": [], "b": "boolean"}),
        ({"a": [1, {"b": 2}]}, {"a": [{"one of": [{"b": "number"}, "number"]}]}),
        ({"coingecko:bitcoin": {"price": 1.5}}, {"*": {"price": "number"}}),
        ({f"c{n}": n for n in range(FIELDS_SHOWN + 1)}, {"*": "number"}),
        ({"volume_24h_change_24h": 1}, {"volume_24h_change_24h": "number"}),
    ],
)
def test_json_becomes_fields_and_types(content: Any, expected: Any) -> None:
    assert shape(content) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DATE,RUT\n07/10/2026,2977.8\n", {"header": ["DATE", "RUT"], "types": ["date", "number"]}),
        ("1577836800000,7195.2,x\n", {"header": None, "types": ["number", "number", "text"]}),
        ("time,a\n2026-01-01 00:05:00,\n", {"header": ["time", "a"], "types": ["date", "empty"]}),
        ("DATE,RUT\n", {"header": ["DATE", "RUT"], "types": []}),
        ("", {"header": [], "types": []}),
    ],
)
def test_csv_becomes_its_header_and_types(text: str, expected: Any) -> None:
    assert shape_of(text.encode(), "csv") == expected
    if text:
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            archive.writestr("a.csv", text)
        assert shape_of(body.getvalue(), "zip") == {"zip": expected}


def test_text_has_no_shape_of_interest() -> None:
    assert shape_of(b"0a1b2c  file.zip\n", "text") == {"text": "lines"}


def test_a_body_in_another_format_is_refused() -> None:
    with pytest.raises(PayloadError):
        shape_of(b"PK nothing", "zip")
    with pytest.raises(PayloadError):
        shape_of(b'{"a": NaN}', "json")


def test_differences_name_fields_that_came_and_went() -> None:
    before = shape([{"a": 1, "b": {"c": 1}}])
    now = shape([{"a": None, "b": {"d": 1}}])
    assert differences(before, now) == ["new [].b.d", "gone [].b.c"]
    assert differences(before, before) == []
    old, new = (shape_of(f"{h}\n1,2\n".encode(), "csv") for h in ("x,y", "x,z"))
    assert differences(old, new) == ["new header: x, z", "gone header: x, y"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, min_size=1))
def test_any_json_has_a_shape_without_a_number(content: Any) -> None:
    found = shape(content)
    assert differences(found, found) == []

    def leaves(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [leaf for field in value.values() for leaf in leaves(field)]
        if isinstance(value, list):
            return [leaf for item in value for leaf in leaves(item)]
        return [value]

    words = {"number", "text", "boolean", "null"}
    assert all(set(leaf.split(" | ")) <= words for leaf in leaves(found))
