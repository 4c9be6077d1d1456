"""The shape of a body: fields and types, never a value."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.sources.payload import parse_json
from pipeline.sources.vision_files import read_zip
from pipeline.sources.wire import BodyFormat

FIELDS_SHOWN = 60
"""An object with more fields than this is a table keyed by values."""

_DATE = re.compile(r"[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}([T ].*)?")
_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
_FIELD_NAME = re.compile(r"[A-Za-z_][\w ./()-]{0,60}")


def shape_of(body: bytes, body_format: BodyFormat) -> Any:
    """Return the shape of a body in JSON types.

    Returns:
        For JSON the same nesting with type names in place of values; the elements of a list
        are merged into one, and so are the fields of an object that is keyed by values. For
        CSV, and for the file in a zip, its header and the types of its columns.

    Raises:
        PayloadError: The body is not in that format.
    """
    if body_format == "json":
        return _shape_of_value(parse_json(body))
    if body_format == "zip":
        return {"zip": _shape_of_lines(read_zip(body, hashlib.sha256(body).hexdigest()))}
    if body_format == "text":
        return {"text": "lines"}
    text = body.decode("utf-8-sig", "replace")
    return _shape_of_lines(list(csv.reader(io.StringIO(text, newline=""))))


def differences(before: Any, now: Any) -> list[str]:
    """Return the fields that came or went between two shapes, in words."""
    old, new = set(_paths(before)), set(_paths(now))
    return [f"new {path}" for path in sorted(new - old)] + [
        f"gone {path}" for path in sorted(old - new)
    ]


def _shape_of_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields = {name: _shape_of_value(field) for name, field in value.items()}
        if len(fields) > FIELDS_SHOWN or not all(map(_FIELD_NAME.fullmatch, fields)):
            return {"*": _merged(list(fields.values()))}
        return fields
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_merged([_shape_of_value(item) for item in value])] if value else []
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "text"}[type(value)]


def _merged(shapes: list[Any]) -> Any:
    """Return one shape that covers all; types that differ are joined by a bar."""
    distinct = list({json.dumps(shape, sort_keys=True): shape for shape in shapes}.values())
    objects = [shape for shape in distinct if isinstance(shape, dict)]
    lists = [shape[0] for shape in distinct if isinstance(shape, list) and shape]
    others = sorted({str(shape) for shape in distinct if not isinstance(shape, dict | list)})
    parts: list[Any] = []
    if objects:
        names = list(dict.fromkeys(name for shape in objects for name in shape))
        parts.append(
            {name: _merged([shape[name] for shape in objects if name in shape]) for name in names}
        )
    if any(isinstance(shape, list) for shape in distinct):
        parts.append([_merged(lists)] if lists else [])
    if others:
        parts.append(" | ".join(others))
    return parts[0] if len(parts) == 1 else {"one of": parts}


def _shape_of_lines(lines: list[list[str]]) -> dict[str, Any]:
    if not lines:
        return {"header": [], "types": []}
    is_header = all(_FIELD_NAME.fullmatch(cell.strip()) for cell in lines[0])
    rows = lines[1:] if is_header else lines
    return {
        "header": lines[0] if is_header else None,
        "types": [_type_of_text(cell) for cell in rows[0]] if rows else [],
    }


def _type_of_text(cell: str) -> str:
    text = cell.strip()
    if not text:
        return "empty"
    if _DATE.fullmatch(text):
        return "date"
    return "number" if _NUMBER.fullmatch(text) else "text"


def _paths(shape: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(shape, dict):
        for name, field in shape.items():
            yield from _paths(field, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(shape, list) and all(isinstance(item, str) for item in shape):
        yield f"{prefix}: {', '.join(shape)}" if shape else prefix
    elif isinstance(shape, list):
        for item in shape:
            yield from _paths(item, f"{prefix}[]")
    else:
        # Whether a figure happens to be missing today says nothing about the contract.
        yield prefix
