"""What a fault does to rows, whatever they were written in."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.sandbox.endpoints import Path, Shape

UNIT_SLIP = 1000
EXTRA_FIELD = "sandbox_extra"
RENAMED_SUFFIX = "_v2"
WRONG_DATE_SHIFT = timedelta(days=-365)
_OTHER_FIGURE = 1.01
_UNITS_A_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000}
_MICROSECOND_STAMP = 10**14


def references(top: Any, path: Path) -> list[tuple[Any, Any]]:
    """Return (holder, key) of everything that a path leads to; what is not there is left out."""
    found: list[tuple[Any, Any]] = []
    holders = [top]
    for place, step in enumerate(path):
        following: list[Any] = []
        for holder in holders:
            keys: list[Any]
            if step == "*":
                keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            else:
                is_there = (
                    step in holder
                    if isinstance(holder, dict)
                    else isinstance(holder, list) and isinstance(step, int) and step < len(holder)
                )
                keys = [step] if is_there else []
            if place == len(path) - 1:
                found += [(holder, key) for key in keys]
            else:
                following += [holder[key] for key in keys]
        holders = following
    return found


def times(value: Any, factor: float) -> Any:
    """Return a number times a factor, in the way it was written; anything else as it is."""
    if isinstance(value, bool) or value is None or value == "":
        return value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        is_whole = "." not in value and float(factor).is_integer()
        return str(int(number * factor)) if is_whole else f"{number * factor:.10g}"
    if isinstance(value, int) and float(factor).is_integer():
        return value * int(factor)
    return value * factor if isinstance(value, int | float) else value


def shifted(value: Any, form: str) -> Any:
    """Return a time stamp ``WRONG_DATE_SHIFT`` away, in the way it was written."""
    seconds = int(WRONG_DATE_SHIFT.total_seconds())
    if form in _UNITS_A_SECOND:
        try:
            stamp = int(value)
        except (TypeError, ValueError):
            return value
        units = 1_000_000 if stamp > _MICROSECOND_STAMP else _UNITS_A_SECOND[form]
        moved = stamp + seconds * units
        return str(moved) if isinstance(value, str) else moved
    if not isinstance(value, str) or not value:
        return value
    if form == "iso":
        day = datetime.fromisoformat(value[:10]) + WRONG_DATE_SHIFT
        return f"{day:%Y-%m-%d}{value[10:]}"
    moment = datetime.strptime(value, form).replace(tzinfo=UTC) + WRONG_DATE_SHIFT
    return moment.strftime(form)


def _set_figures(row: Any, paths: tuple[Path, ...], change: Callable[[Any], Any]) -> None:
    for path in paths:
        for holder, key in references(row, path):
            holder[key] = change(holder[key])


def _not_a_number(value: Any) -> Any:
    return "NaN" if isinstance(value, str) else math.nan


def _zero(value: Any) -> Any:
    return "0" if isinstance(value, str) else 0


def _negative(value: Any) -> Any:
    changed = times(value, -1)
    return changed if value not in (0, "0", None) else times(_one(value), -1)


def _one(value: Any) -> Any:
    return "1" if isinstance(value, str) else 1


def _newest_first(rows: list[Any], shape: Shape) -> list[Any]:
    return rows[::-1] if shape.newest == "last" else rows


def _shorten(row: Any) -> None:
    """Take the second half of a row's fields away."""
    if isinstance(row, dict):
        for key in list(row)[max(len(row) // 2, 1) :]:
            del row[key]
    else:
        del row[max(len(row) // 2, 1) :]


def _rename(row: Any, path: Path) -> None:
    for holder, key in references(row, path):
        if isinstance(holder, dict):
            holder[f"{key}{RENAMED_SUFFIX}"] = holder.pop(key)
        else:
            del holder[key]


def _repeated(rows: list[Any], shape: Shape, factor: float) -> list[Any]:
    """Return the rows with the newest one twice, the second with its figures times a factor."""
    if not rows:
        return rows
    place = len(rows) - 1 if shape.newest == "last" else 0
    again = copy.deepcopy(rows[place])
    if factor != 1:
        _set_figures(again, shape.figures, lambda value: times(value, factor))
    return [*rows[: place + 1], again, *rows[place + 1 :]]


def spoil_rows(name: str, rows: list[Any], shape: Shape) -> list[Any]:
    """Return the rows of one list as a fault leaves them; the rows themselves may change.

    Args:
        name: A fault of content.
        rows: Objects or lists, in the order of the body.
        shape: What the paths mean.
    """
    if name == "empty_list":
        return []
    ordered = _newest_first(rows, shape)
    main = shape.figures[:1]
    if name == "nan" and ordered:
        _set_figures(ordered[0], shape.figures, _not_a_number)
    elif name in _EVERY_THIRD:
        for row in ordered[::3]:
            _set_figures(row, main, _EVERY_THIRD[name])
    elif name == "unit_slip":
        for row in ordered if shape.newest == "all" else ordered[:1]:
            _set_figures(row, shape.figures, lambda value: times(value, UNIT_SLIP))
    elif name == "repeat_page":
        return _repeated(rows, shape, 1)
    elif name == "duplicate_ids":
        return _repeated(rows, shape, _OTHER_FIGURE)
    elif name == "renamed_field":
        for row in rows:
            for path in main:
                _rename(row, path)
    elif name == "extra_field":
        for row in rows:
            row.append("0") if isinstance(row, list) else row.update({EXTRA_FIELD: "0"})
    elif name == "wrong_date":
        for row in rows:
            for path, form in shape.stamps:
                for holder, key in references(row, path):
                    holder[key] = shifted(holder[key], form)
    elif name == "partial_last_row" and ordered:
        _shorten(ordered[0] if shape.newest != "all" else rows[-1])
    return rows


_EVERY_THIRD: dict[str, Callable[[Any], Any]] = {
    "null_caps": lambda _: None,
    "zero_caps": _zero,
    "negative_caps": _negative,
}


def dump(document: Any) -> bytes:
    """Return JSON in which NaN is written as the vendors' worst write it."""
    return json.dumps(document).encode()
