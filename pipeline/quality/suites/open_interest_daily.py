"""Rules of ``open_interest_daily``: open contracts of perpetuals, in units and dollars."""

from __future__ import annotations

from pipeline.datasets import Dataset
from pipeline.quality.rules import Rule, owned_by
from pipeline.quality.suites.nights import (
    implied_price_steady,
    large_ones_present,
    no_wide_leap,
    not_yesterday_again,
    past_days_stand,
    series_return,
    total_steady,
)
from pipeline.quality.suites.shared import (
    PERP_KEY_TEXTS,
    common_rules,
    not_negative,
)

OWNER = "derivatives-data"

# The largest crash on record, of 2025-10-10, took half of it.
MAX_TOTAL_FACTOR = 4.0

# Dollars over units is the price, which falls by two thirds for single coins only.
MAX_PRICE_FACTOR = 3.0

_MEASURES = ("open_interest_units", "open_interest_usd")


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``open_interest_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, PERP_KEY_TEXTS),
            *(not_negative(name, measure) for measure in _MEASURES),
            no_wide_leap(name, _MEASURES),
            total_steady(name, "open_interest_usd", MAX_TOTAL_FACTOR),
            implied_price_steady(
                name, "open_interest_usd", "open_interest_units", MAX_PRICE_FACTOR
            ),
            not_yesterday_again(name, _MEASURES),
            series_return(name),
            large_ones_present(name, "open_interest_usd"),
            past_days_stand(name, _MEASURES),
        ),
    )
