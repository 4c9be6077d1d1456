"""Rules of ``positioning_daily``: long/short ratios of perpetuals, by venue."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import equal_to
from pipeline.quality.rules import Rule, Subject, is_live, owned_by
from pipeline.quality.suites.nights import (
    columns_not_swapped,
    no_wide_leap,
    not_yesterday_again,
    past_days_stand,
    series_return,
)
from pipeline.quality.suites.shared import (
    PERP_KEY_TEXTS,
    common_rules,
    fixed,
    has_previous,
    within,
)

OWNER = "derivatives-data"

RATIOS = (
    "long_short_account_ratio",
    "top_account_ratio",
    "top_position_ratio",
    "taker_buy_sell_ratio",
)

# Venues send shares with four decimals: beyond 1 to 9,999 there is nothing.
MIN_RATIO, MAX_RATIO = 1e-4, 1e4

# A crowd of ten to one is rare; half of a venue at it is a percent or a share, no ratio.
USUAL_RATIOS = (0.1, 10.0)
MIN_USUAL_FRACTION = 0.5

# Only a ratio of three to two and more can tell which way up it is: on a wild day the ratios of a
# whole venue fall by two fifths.
MIN_LOG_RATIO = 0.4
MAX_GAP_TO_INVERSE = 0.5

_NAME = "positioning_daily"


def _is_unusual(subject: Subject) -> pd.Series:
    """Return 1 or 0 for tonight's rows with a ratio, null for others."""
    ratios = subject.values[list(RATIOS)]
    low, high = USUAL_RATIOS
    is_unusual = ((ratios < low) | (ratios > high)).any(axis=1)
    can_tell = subject.is_tonight & ratios.notna().any(axis=1)
    return is_unusual.astype("float64").where(can_tell)


def _is_upside_down(subject: Subject) -> pd.Series:
    """Return 1 or 0: is the account ratio twice as near to one over its last value as to it?"""
    now = subject.values["long_short_account_ratio"]
    before = subject.previous_value("long_short_account_ratio")
    log_now = pd.Series(np.log(now.where(now > 0)), index=now.index)
    log_before = pd.Series(np.log(before.where(before > 0)), index=now.index)
    gap_to_inverse, gap = (log_now + log_before).abs(), (log_now - log_before).abs()
    is_turned = gap_to_inverse < MAX_GAP_TO_INVERSE * gap
    can_tell = subject.is_tonight & (log_before.abs() >= MIN_LOG_RATIO) & log_now.notna()
    return is_turned.astype("float64").where(can_tell)


def _domain_rules() -> tuple[Rule, ...]:
    low, high = USUAL_RATIOS
    return (
        Rule(
            f"{_NAME}.ratios_usual",
            "critical",
            "table",
            f"At least {MIN_USUAL_FRACTION:.0%} of the night's rows have ratios of {low:g} to "
            f"{high:g} only; else they are percents or shares.",
            f"ratios in {low:g}..{high:g}",
            fixed(equal_to(0, at_least_fraction=MIN_USUAL_FRACTION)),
            _is_unusual,
            RATIOS,
            applies=is_live,
        ),
        Rule(
            f"{_NAME}.not_upside_down",
            "critical",
            "table",
            f"At least {MIN_USUAL_FRACTION:.0%} of the account ratios are no nearer to one over "
            "their last value than to it: longs over shorts, not the other way round.",
            "longs over shorts",
            fixed(equal_to(0, at_least_fraction=MIN_USUAL_FRACTION)),
            _is_upside_down,
            ("long_short_account_ratio",),
            applies=has_previous,
            family="agreement",
        ),
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``positioning_daily``."""
    return owned_by(
        OWNER,
        (
            *common_rules(dataset.name, PERP_KEY_TEXTS),
            *(within(dataset.name, ratio, MIN_RATIO, MAX_RATIO) for ratio in RATIOS),
            *_domain_rules(),
            no_wide_leap(dataset.name, RATIOS),
            not_yesterday_again(dataset.name, RATIOS),
            columns_not_swapped(dataset.name, "long_short_account_ratio", "top_position_ratio"),
            series_return(dataset.name),
            past_days_stand(dataset.name, RATIOS),
        ),
    )
