"""Rules of ``stablecoin_daily``: all dollars that stablecoins stand for."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import Rule, Subject, owned_by
from pipeline.quality.suites.nights import not_frozen, past_days_stand, ratio_to_previous
from pipeline.quality.suites.shared import (
    SLUG,
    common_rules,
    has_previous,
    positive,
    row_rule,
)

OWNER = "market-data"
KEY_TEXTS = {"source": SLUG}

# Since 2021 no night moved it by a tenth; a collapse of one of the largest, of May 2022, took days.
MAX_SUPPLY_FACTOR = 1.25
FROZEN_DAYS = 4

_NAME = "stablecoin_daily"


def _is_supply_jump(subject: Subject) -> pd.Series:
    ratio = ratio_to_previous(subject, "total_supply_usd")
    return (ratio > MAX_SUPPLY_FACTOR) | (ratio < 1 / MAX_SUPPLY_FACTOR)


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``stablecoin_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, KEY_TEXTS),
            positive(name, "total_supply_usd"),
            row_rule(
                name,
                "supply_steady",
                f"The supply is within a factor of {MAX_SUPPLY_FACTOR:g} of the night before.",
                f"between 1/{MAX_SUPPLY_FACTOR:g} and {MAX_SUPPLY_FACTOR:g} times the last one",
                _is_supply_jump,
                ("total_supply_usd",),
                applies=has_previous,
                family="jumps",
            ),
            not_frozen(name, "total_supply_usd", FROZEN_DAYS, of="source"),
            past_days_stand(name, ("total_supply_usd",)),
        ),
    )
