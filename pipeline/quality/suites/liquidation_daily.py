"""Rules of ``liquidation_daily``: positions that were closed by force, in dollars a day."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import figure_in_range
from pipeline.quality.rules import Rule, Subject, is_live, owned_by
from pipeline.quality.suites.nights import (
    no_wide_leap,
    not_yesterday_again,
    past_days_stand,
    series_return,
)
from pipeline.quality.suites.shared import (
    PERP_KEY_TEXTS,
    common_rules,
    fixed,
    not_negative,
)

OWNER = "derivatives-data"

# Days without any move and days of a crash are a factor of 100 apart for single coins.
MAX_LIQUIDATION_LEAP_FACTOR = 300.0

# The largest day of all venues on record, 2025-10-10, is 19 billion.
MAX_TOTAL_USD = 1e12

# A day that is over is liquidated no further; the last one may still be mended.
MIN_STANDING_FRACTION = 0.8

_MEASURES = ("long_usd", "short_usd")


def _total_usd(subject: Subject) -> float:
    return float(subject.values.loc[subject.is_tonight, list(_MEASURES)].sum().sum())


def _describes_tonight(subject: Subject) -> bool:
    return is_live(subject) and bool(subject.is_tonight.any())


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``liquidation_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, PERP_KEY_TEXTS),
            *(not_negative(name, measure) for measure in _MEASURES),
            Rule(
                f"{name}.total_plausible",
                "critical",
                "table",
                f"The night's liquidations together are more than 1 and at most {MAX_TOTAL_USD:g} "
                "dollars.",
                f"a total in 1..{MAX_TOTAL_USD:g} dollars",
                fixed(figure_in_range(1.0, MAX_TOTAL_USD)),
                lambda subject: pd.Series(_total_usd(subject), index=subject.frame.index),
                applies=_describes_tonight,
                observes=lambda subject: f"{_total_usd(subject):.4g} dollars",
            ),
            no_wide_leap(name, _MEASURES, MAX_LIQUIDATION_LEAP_FACTOR),
            not_yesterday_again(name, _MEASURES),
            series_return(name),
            past_days_stand(name, _MEASURES, standing_fraction=MIN_STANDING_FRACTION),
        ),
    )
