"""Rules of ``exchange_balance_daily``: what an exchange holds, by token."""

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
    CAPITALS,
    SLUG,
    common_rules,
    not_negative,
)

OWNER = "exchange-data"
KEY_TEXTS = {"source": SLUG, "exchange": SLUG, "token_symbol": CAPITALS}

# A run on an exchange takes a fifth of it in days, a crash halves what is left.
MAX_TOTAL_FACTOR = 3.0
MAX_PRICE_FACTOR = 3.0

# Wallets are added and taken off with all their past.
REVISION_TOLERANCE_FRACTION = 0.5

_MEASURES = ("balance_units", "balance_usd")


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``exchange_balance_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, KEY_TEXTS),
            *(not_negative(name, measure) for measure in _MEASURES),
            no_wide_leap(name, _MEASURES),
            total_steady(name, "balance_usd", MAX_TOTAL_FACTOR),
            implied_price_steady(name, "balance_usd", "balance_units", MAX_PRICE_FACTOR),
            not_yesterday_again(name, _MEASURES),
            series_return(name),
            large_ones_present(name, "balance_usd"),
            past_days_stand(name, _MEASURES, REVISION_TOLERANCE_FRACTION),
        ),
    )
