"""Rules of ``onchain_daily``: figures of chains, by metric."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import Rule, Subject, owned_by
from pipeline.quality.suites.nights import (
    no_wide_leap,
    not_yesterday_again,
    past_days_stand,
    ratio_to_previous,
    series_return,
)
from pipeline.quality.suites.shared import (
    SLUG,
    WORD,
    common_rules,
    has_previous,
    not_negative,
    row_rule,
)

OWNER = "exchange-data"
KEY_TEXTS = {"source": SLUG, "coin_id": SLUG, "metric": WORD}

# What there is of a coin; it does not double in a night.
SUPPLY_METRIC = "SplyCur"
MAX_SUPPLY_FACTOR = 1.5

# The last days' flows are mended for a while.
REVISION_TOLERANCE_FRACTION = 0.5

_NAME = "onchain_daily"


def _is_supply_jump(subject: Subject) -> pd.Series:
    ratio = ratio_to_previous(subject, "value")
    is_supply = subject.values["metric"] == SUPPLY_METRIC
    return is_supply & ((ratio > MAX_SUPPLY_FACTOR) | (ratio < 1 / MAX_SUPPLY_FACTOR))


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``onchain_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, KEY_TEXTS),
            not_negative(name, "value"),
            row_rule(
                name,
                "supply_steady",
                f"The supply of a coin is within a factor of {MAX_SUPPLY_FACTOR:g} of the night "
                "before.",
                f"a supply between 1/{MAX_SUPPLY_FACTOR:g} and {MAX_SUPPLY_FACTOR:g} times the "
                "last one",
                _is_supply_jump,
                ("coin_id", "metric", "value"),
                applies=has_previous,
                family="jumps",
            ),
            no_wide_leap(name, ("value",)),
            not_yesterday_again(name, ("value",)),
            series_return(name),
            past_days_stand(name, ("value",), REVISION_TOLERANCE_FRACTION),
        ),
    )
