"""One suite of rules per raw dataset; a module each, with all of its rules in sight."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pipeline.datasets import DATASETS, Dataset
from pipeline.quality.rules import Rule
from pipeline.quality.suites import (
    equity_daily,
    exchange_balance_daily,
    exchange_flow_daily,
    funding_daily,
    global_daily,
    liquidation_daily,
    market_daily,
    onchain_daily,
    open_interest_daily,
    perp_daily,
    perp_listing_daily,
    positioning_daily,
    sentiment_daily,
    stablecoin_daily,
)

_SUITES: dict[str, Callable[[Dataset], tuple[Rule, ...]]] = {
    "market_daily": market_daily.suite,
    "equity_daily": equity_daily.suite,
    "positioning_daily": positioning_daily.suite,
    "open_interest_daily": open_interest_daily.suite,
    "funding_daily": funding_daily.suite,
    "perp_daily": perp_daily.suite,
    "perp_listing_daily": perp_listing_daily.suite,
    "liquidation_daily": liquidation_daily.suite,
    "exchange_balance_daily": exchange_balance_daily.suite,
    "exchange_flow_daily": exchange_flow_daily.suite,
    "onchain_daily": onchain_daily.suite,
    "sentiment_daily": sentiment_daily.suite,
    "global_daily": global_daily.suite,
    "stablecoin_daily": stablecoin_daily.suite,
}


@cache
def suite_for(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of a dataset, schema rules first; ids are unique."""
    return _SUITES[dataset.name](dataset)


def all_rules() -> tuple[Rule, ...]:
    """Return the rules of every dataset."""
    return tuple(rule for dataset in DATASETS.values() for rule in suite_for(dataset))
