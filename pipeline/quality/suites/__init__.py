"""One suite of rules per raw dataset."""

from __future__ import annotations

from functools import cache

from pipeline.datasets import DATASETS, Dataset
from pipeline.quality.rules import Rule
from pipeline.quality.suites import equity_daily, generic, market_daily

_SPECIFIC = {
    "market_daily": market_daily.suite,
    "equity_daily": equity_daily.suite,
}


@cache
def suite_for(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of a dataset, schema rules first; ids are unique."""
    return _SPECIFIC.get(dataset.name, generic.suite)(dataset)


def all_rules() -> tuple[Rule, ...]:
    """Return the rules of every dataset, for the data dictionary."""
    return tuple(rule for dataset in DATASETS.values() for rule in suite_for(dataset))
