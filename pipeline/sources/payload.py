"""Reading what a vendor sent, strictly: JSON, its fields, and the typed frame they become.

Imports neither pandas nor requests, so that naming the sources stays cheap.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.datasets import Dataset
from pipeline.errors import PayloadError

if TYPE_CHECKING:
    import pandas as pd

SHOWN_CHARACTERS = 200
_BIGINT_BOUND = 2**63
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def shown(value: object) -> str:
    """Return the first ``SHOWN_CHARACTERS`` of a value, on one line, for a message."""
    return repr(value if isinstance(value, str) else str(value))[:SHOWN_CHARACTERS]


def _refuse_constant(name: str) -> NoReturn:
    raise PayloadError(f"the JSON holds {name}, which is no number; fetch again later")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise PayloadError(f"the JSON holds the number {text[:30]}, too large for a double")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise PayloadError("a JSON object names the same field twice; nothing can be read from it")
    return fields


def parse_json(body: bytes) -> Any:
    """Parse a JSON body, refusing everything that JSON does not allow.

    Args:
        body: UTF-8 bytes, with or without a byte order mark.

    Returns:
        Dicts, lists, strings, ints, finite floats, booleans and None.

    Raises:
        PayloadError: Not UTF-8, not JSON, NaN or Infinity, a number no double can hold,
            a field named twice in one object, or nesting too deep to read.
    """
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as exc:
        start = shown(body[:SHOWN_CHARACTERS].decode("utf-8", "replace"))
        raise PayloadError(
            f"the body is not JSON ({type(exc).__name__}), fetch again; it starts with {start}"
        ) from exc


def number_or_none(row: Mapping[str, Any], field: str, where: str) -> float | None:
    """Return a documented number field as a float, null as None.

    Raises:
        PayloadError: The field is missing, is not a JSON number, or no double holds it.
    """
    value = _field(row, field, where)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadError(f"{where}: {field} is {shown(value)}, not a number")
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise PayloadError(f"{where}: {field} is too large for a double")
    return converted


def integer_or_none(row: Mapping[str, Any], field: str, where: str) -> int | None:
    """Return a documented whole-number field as an int, null as None.

    Raises:
        PayloadError: The field is missing, is not whole, or does not fit a bigint.
    """
    value = _field(row, field, where)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _BIGINT_BOUND:
        raise PayloadError(f"{where}: {field} is {shown(value)}, not a whole number")
    return value


def text_or_none(row: Mapping[str, Any], field: str, where: str) -> str | None:
    """Return a documented text field without surrounding blanks; null and blank as None.

    A lone surrogate, which JSON can spell and nothing can store, becomes U+FFFD: one odd name
    among hundreds of coins must not cost the night.

    Raises:
        PayloadError: The field is missing or is not text.
    """
    value = _field(row, field, where)
    if value is None:
        return None
    if not isinstance(value, str):
        raise PayloadError(f"{where}: {field} is {shown(value)}, not text")
    return _LONE_SURROGATE.sub("\ufffd", value).strip() or None


def _field(row: Mapping[str, Any], field: str, where: str) -> Any:
    if field not in row:
        raise PayloadError(f"{where}: there is no field {field}; the vendor's contract has changed")
    return row[field]


def build_frame(dataset: Dataset, rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows as a typed frame in exactly the dataset's own columns.

    Args:
        dataset: Whose columns; lineage is added by the raw store.
        rows: One mapping per observation; an absent or None measure becomes null.

    Returns:
        ``date`` columns hold ``datetime.date``, ``double`` is float64, ``bigint`` is
        Int64, ``varchar`` is the string dtype.
    """
    import pandas as pd

    dtypes: dict[str, Any] = {
        "date": object,
        "varchar": pd.StringDtype(na_value=math.nan),
        "double": "float64",
        "bigint": "Int64",
        "boolean": "boolean",
        "timestamptz": "datetime64[us, UTC]",
    }
    return pd.DataFrame(
        {
            column.name: pd.Series(
                [row.get(column.name) for row in rows], dtype=dtypes[column.type]
            )
            for column in dataset.columns
        }
    )
