"""Rules of ``funding_daily``: what longs paid shorts in a day, as a fraction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import equal_to, figure_in_range
from pipeline.quality.rules import Rule, Subject, is_live, owned_by
from pipeline.quality.suites.nights import not_yesterday_again, past_days_stand, series_return
from pipeline.quality.suites.shared import (
    PERP_KEY_TEXTS,
    common_rules,
    fixed,
    has_previous,
    within,
)

OWNER = "derivatives-data"

# Hot markets pay 1 % a day; more than this is possible for a few perpetuals only.
USUAL_FUNDING_FRACTION = 0.02
MIN_USUAL_FRACTION = 0.5

# Nights of 2025 and 2026 are within a factor of 6 of each other in the middle size of the rates;
# a percent that was not converted is a factor of 100.
MAX_SIZE_FACTOR = 30.0
MIN_COMPARED_RATES = 10

# Most perpetuals stand at their venue's resting rate: up to 82 % were the same as the day
# before. All of them never were.
MIN_CHANGED_FRACTION = 0.03

_NAME = "funding_daily"
_RATE = "funding_rate_fraction"


def _is_unusual_rate(subject: Subject) -> pd.Series:
    """Return 1 or 0 for tonight's rates, null for those of earlier days."""
    rate = subject.values[_RATE]
    is_unusual = (rate.abs() > USUAL_FUNDING_FRACTION).astype("float64")
    return is_unusual.where(subject.is_tonight & rate.notna())


def _sizes(subject: Subject) -> tuple[float, float]:
    """Return the middle size of the rates tonight and before, of those that have both."""
    now, before = subject.values[_RATE].abs(), subject.previous_value(_RATE).abs()
    is_both = subject.is_tonight & now.notna() & before.notna()
    return float(now[is_both].median()), float(before[is_both].median())


def _size_ratio(subject: Subject) -> pd.Series:
    now, before = _sizes(subject)
    ratio = max(now / before, before / now) if now > 0 else np.inf
    return pd.Series(ratio, index=subject.frame.index)


def _has_sizes(subject: Subject) -> bool:
    if not has_previous(subject):
        return False
    is_both = subject.is_tonight & subject.previous_value(_RATE).notna()
    return int(is_both.sum()) >= MIN_COMPARED_RATES and _sizes(subject)[1] > 0


def _domain_rules() -> tuple[Rule, ...]:
    return (
        Rule(
            f"{_NAME}.rates_usual",
            "critical",
            "table",
            f"At least {MIN_USUAL_FRACTION:.0%} of the day's rates are within "
            f"{USUAL_FUNDING_FRACTION:.0%}; more is a percent that was not converted.",
            f"a rate within {USUAL_FUNDING_FRACTION:.0%} a day",
            fixed(equal_to(0, at_least_fraction=MIN_USUAL_FRACTION)),
            _is_unusual_rate,
            (_RATE,),
            applies=is_live,
        ),
        Rule(
            f"{_NAME}.size_steady",
            "critical",
            "table",
            f"The middle size of the rates is within a factor of {MAX_SIZE_FACTOR:g} of the night "
            "before.",
            f"between 1/{MAX_SIZE_FACTOR:g} and {MAX_SIZE_FACTOR:g} times the last one",
            fixed(figure_in_range(None, MAX_SIZE_FACTOR)),
            _size_ratio,
            applies=_has_sizes,
            observes=lambda subject: "{:.3g} against {:.3g}".format(*_sizes(subject)),
            family="jumps",
        ),
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``funding_daily``."""
    return owned_by(
        OWNER,
        (
            *common_rules(dataset.name, PERP_KEY_TEXTS),
            within(dataset.name, _RATE, -1.0, 1.0),
            *_domain_rules(),
            not_yesterday_again(dataset.name, (_RATE,), MIN_CHANGED_FRACTION),
            series_return(dataset.name),
            past_days_stand(dataset.name, (_RATE,)),
        ),
    )
