"""Rules of ``perp_daily``: daily candles of perpetuals."""

from __future__ import annotations

import math

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import Rule, Subject, owned_by
from pipeline.quality.suites.nights import (
    large_ones_present,
    no_wide_leap,
    not_yesterday_again,
    past_days_stand,
    ratio_to_previous,
    series_return,
    volume_steady,
)
from pipeline.quality.suites.shared import (
    PERP_KEY_TEXTS,
    common_rules,
    has_previous,
    not_negative,
    positive,
    row_rule,
)
from pipeline.quality.suites.sources import two_sources_agree

OWNER = "derivatives-data"

# At most one perpetual a day of 2024 to 2026 closed beyond a factor of 3, none beyond 10.
MAX_MARKET_PRICE_FACTOR = 3.0
MIN_QUIET_FRACTION = 0.9
MAX_PRICE_FACTOR = 10.0

_NAME = "perp_daily"


def _close_outside_day(subject: Subject) -> pd.Series:
    """Return where the close is not between low and high, as far as they are known."""
    day = subject.values.replace([math.inf, -math.inf], math.nan)
    return (
        (day["close_usd"] > day["high_usd"])
        | (day["close_usd"] < day["low_usd"])
        | (day["low_usd"] > day["high_usd"])
    )


def _is_price_jump(subject: Subject) -> pd.Series:
    ratio = ratio_to_previous(subject, "close_usd")
    return (ratio > MAX_PRICE_FACTOR) | (ratio < 1 / MAX_PRICE_FACTOR)


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``perp_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, PERP_KEY_TEXTS),
            *(positive(name, column) for column in ("close_usd", "high_usd", "low_usd")),
            not_negative(name, "volume_usd"),
            row_rule(
                name,
                "close_within_day",
                "The close lies between the day's low and high.",
                "low_usd <= close_usd <= high_usd",
                _close_outside_day,
                ("low_usd", "close_usd", "high_usd"),
            ),
            no_wide_leap(
                name, ("close_usd",), MAX_MARKET_PRICE_FACTOR, quiet_fraction=MIN_QUIET_FRACTION
            ),
            row_rule(
                name,
                "price_jump",
                f"No close is {MAX_PRICE_FACTOR:g} times, or a {MAX_PRICE_FACTOR:g}th of, the last "
                "one.",
                f"between 1/{MAX_PRICE_FACTOR:g} and {MAX_PRICE_FACTOR:g} times the last close",
                _is_price_jump,
                ("close_usd",),
                severity="warning",
                applies=has_previous,
                family="jumps",
            ),
            volume_steady(name, "volume_usd"),
            not_yesterday_again(name, ("close_usd", "volume_usd")),
            series_return(name),
            large_ones_present(name, "volume_usd"),
            past_days_stand(name, ("close_usd", "high_usd", "low_usd", "volume_usd")),
            *two_sources_agree(name, "close_usd"),
        ),
    )
