"""Rules of ``perp_listing_daily``: which perpetuals there are, and of which coin."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import equal_to
from pipeline.quality.rules import Rule, Subject, owned_by
from pipeline.quality.suites.nights import (
    large_ones_present,
    no_wide_leap,
    not_yesterday_again,
    series_return,
    total_steady,
    volume_steady,
)
from pipeline.quality.suites.shared import (
    PERP_KEY_TEXTS,
    common_rules,
    fixed,
    has_previous,
    not_negative,
    positive,
    row_rule,
)

OWNER = "derivatives-data"

MAX_MARKET_PRICE_FACTOR = 3.0
MIN_QUIET_FRACTION = 0.9
MAX_TOTAL_FACTOR = 4.0

# A contract that is off its index by as much is of another coin or another unit; pegs that
# break trade at a tenth off.
MAX_INDEX_FACTOR = 2.0
MIN_SAME_COIN_FRACTION = 0.95

_NAME = "perp_listing_daily"


def _is_off_index(subject: Subject) -> pd.Series:
    last, index = subject.values["last_price_usd"], subject.values["index_price_usd"]
    ratio = last.where(last > 0) / index.where(index > 0)
    return (ratio > MAX_INDEX_FACTOR) | (ratio < 1 / MAX_INDEX_FACTOR)


def _is_of_another_coin(subject: Subject) -> pd.Series:
    """Return 1 or 0 where a perpetual had a coin before and has one now."""
    now, before = subject.values["coin_id"], subject.previous_value("coin_id")
    is_known = subject.is_tonight & now.notna() & before.notna()
    return (now != before).fillna(False).astype("float64").where(is_known)


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``perp_listing_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, PERP_KEY_TEXTS),
            positive(name, "last_price_usd"),
            positive(name, "index_price_usd"),
            not_negative(name, "open_interest_usd"),
            not_negative(name, "volume_24h_usd"),
            row_rule(
                name,
                "last_near_index",
                f"The last price is within a factor of {MAX_INDEX_FACTOR:g} of the index price.",
                f"between 1/{MAX_INDEX_FACTOR:g} and {MAX_INDEX_FACTOR:g} times the index price",
                _is_off_index,
                ("last_price_usd", "index_price_usd"),
            ),
            Rule(
                f"{name}.coins_stay",
                "critical",
                "table",
                f"At least {MIN_SAME_COIN_FRACTION:.0%} of the perpetuals are of the same coin as "
                "the night before.",
                "the coin of the night before",
                fixed(equal_to(0, at_least_fraction=MIN_SAME_COIN_FRACTION)),
                _is_of_another_coin,
                ("coin_id",),
                applies=has_previous,
                family="agreement",
            ),
            no_wide_leap(
                name,
                ("last_price_usd",),
                MAX_MARKET_PRICE_FACTOR,
                quiet_fraction=MIN_QUIET_FRACTION,
            ),
            total_steady(name, "open_interest_usd", MAX_TOTAL_FACTOR),
            volume_steady(name, "volume_24h_usd"),
            not_yesterday_again(name, ("last_price_usd", "open_interest_usd")),
            series_return(name),
            large_ones_present(name, "open_interest_usd"),
        ),
    )
