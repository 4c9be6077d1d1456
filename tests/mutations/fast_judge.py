"""The verdicts of Great Expectations on the expectations that the rules use, without its cost.

Hundreds of nights would take it ten minutes. ``test_corruptions`` holds every verdict of
this judge against the library's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pandas as pd

from pipeline.quality import gate
from pipeline.quality.engine import Verdict, quiet


def _in_bounds(values: Any, expectation: Any) -> Any:
    is_in = values == values
    if expectation.min_value is not None:
        low = expectation.min_value
        is_in &= values > low if expectation.strict_min else values >= low
    if expectation.max_value is not None:
        is_in &= values <= expectation.max_value
    return is_in


def _of_values(values: pd.Series, expectation: Any) -> pd.Series:
    kind = type(expectation).__name__
    if kind == "ExpectColumnValuesToBeBetween":
        return pd.Series(_in_bounds(values, expectation), index=values.index)
    if kind == "ExpectColumnValuesToBeInSet":
        return values.isin(expectation.value_set)
    if kind == "ExpectColumnValuesToBeUnique":
        return ~values.duplicated(keep=False)
    raise NotImplementedError(kind)


def _judge(frame: pd.DataFrame, expectation: Any) -> Verdict:
    kind = type(expectation).__name__
    if kind == "ExpectTableRowCountToBeBetween":
        return Verdict(len(frame) >= expectation.min_value)
    values = frame[expectation.column]
    if kind == "ExpectColumnValuesToNotBeNull":
        bad = int(values.isna().sum())
        return Verdict(bad == 0, bad, len(values))
    known = values.dropna()
    if kind == "ExpectColumnMaxToBeBetween":
        return Verdict(bool(_in_bounds(known.max(), expectation)))
    if kind == "ExpectColumnDistinctValuesToContainSet":
        return Verdict(set(expectation.value_set) <= set(known))
    if kind == "ExpectColumnUniqueValueCountToBeBetween":
        return Verdict(known.nunique() >= expectation.min_value)
    bad = int((~_of_values(known, expectation)).sum())
    mostly = getattr(expectation, "mostly", 1.0)
    return Verdict(len(known) - bad >= mostly * len(known), bad, len(values))


def ask(measured: pd.DataFrame, builders: Mapping[str, Callable[[], Any]]) -> dict[str, Verdict]:
    """Answer as ``pipeline.quality.engine.ask`` does."""
    with quiet():
        return {rule: _judge(measured, builder()) for rule, builder in builders.items()}


@contextmanager
def judging_fast() -> Iterator[None]:
    """Have the gate ask this judge until the block ends."""
    with patch.object(gate, "ask", ask):
        yield
