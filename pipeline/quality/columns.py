"""Is a frame in the columns and types its dataset declares? And into one set of types."""

from __future__ import annotations

import pandas as pd
from pandas.api import types

from pipeline.datasets import ColumnType, Dataset

_INFERRED_AS = {
    "date": {"date"},
    "varchar": {"string"},
    "boolean": {"boolean"},
}


def _holds(values: pd.Series, wanted: ColumnType) -> bool:
    """Return whether every value can be stored as ``wanted`` without loss."""
    present = values.dropna()
    if present.empty:
        return True
    if wanted in {"double", "bigint"}:
        if not types.is_numeric_dtype(values) or types.is_bool_dtype(values):
            return False
        return wanted == "double" or bool((present.astype("float64") % 1 == 0).all())
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return wanted == "timestamptz"
    if types.is_datetime64_dtype(values):
        return wanted == "date" and bool((present == present.dt.normalize()).all())
    return types.infer_dtype(values, skipna=True) in _INFERRED_AS.get(wanted, set())


def profile_columns(frame: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Compare a frame's columns with those its dataset declares.

    Args:
        frame: Any frame; its column order does not matter.
        dataset: The raw dataset it should be in; lineage columns come later, in the
            raw store, and are not expected.

    Returns:
        One row per column declared or found: ``column_name``, ``found``, ``declared``
        (types, for people), ``is_as_declared`` (0 or 1: declared, and there exactly
        once) and ``is_type_as_declared`` (0 or 1; null where there is no type to
        compare). A column of nulls is of any type.
    """
    declared = {column.name: column.type for column in dataset.columns}
    found = [str(name) for name in frame.columns]
    rows = []
    for name in dict.fromkeys([*declared, *found]):
        count = found.count(name)
        is_comparable = name in declared and count == 1
        values = frame.iloc[:, found.index(name)] if count else None
        kind = "nothing"
        if values is not None:
            kind = f"{types.infer_dtype(values, skipna=True)} values in {values.dtype}"
        has_type = is_comparable and values is not None and _holds(values, declared[name])
        rows.append(
            {
                "column_name": name,
                "found": kind if count < 2 else f"{count} columns of this name",
                "declared": declared.get(name, "nothing"),
                "is_as_declared": int(is_comparable),
                "is_type_as_declared": float(has_type) if is_comparable else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def canonical(frame: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return the declared columns of a well-typed frame in one set of pandas types.

    Args:
        frame: A frame that passes ``profile_columns``.
        dataset: The raw dataset it is in.

    Returns:
        Same rows and index; days as ``datetime64``, numbers as ``float64``, texts as
        they came.
    """
    converted: dict[str, pd.Series] = {}
    for column in dataset.columns:
        values = frame[column.name]
        if column.type in {"double", "bigint"}:
            values = values.astype("float64")
        elif column.type == "date":
            values = pd.to_datetime(values).astype("datetime64[s]")
        elif column.type == "varchar":
            values = values.astype("string")
        converted[column.name] = values
    return pd.DataFrame(converted, index=frame.index)
