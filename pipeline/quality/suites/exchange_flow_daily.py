"""Rules of ``exchange_flow_daily``: what flows into and out of exchanges."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import equal_to
from pipeline.quality.rules import Rule, Subject, owned_by
from pipeline.quality.suites.nights import (
    MIN_QUIET_ROW_FRACTION,
    large_ones_present,
    no_wide_leap,
    not_yesterday_again,
    series_return,
    total_steady,
    volume_steady,
)
from pipeline.quality.suites.shared import (
    SLUG,
    common_rules,
    finite,
    fixed,
    has_previous,
    not_negative,
    row_rule,
)

OWNER = "exchange-data"
KEY_TEXTS = {"source": SLUG, "exchange": SLUG}

MAX_TOTAL_FACTOR = 3.0

# What is left out of a balance cannot make it larger; the two are summed in another order.
ROUNDING_FRACTION = 0.01

# In a day no more comes in than is there in the end; more can have gone out.
MAX_INFLOW_FRACTION = 1.0

_NAME = "exchange_flow_daily"
_BALANCE = "balance_usd"


def _is_part_above_whole(subject: Subject) -> pd.Series:
    whole = subject.values["balance_usd"]
    part = subject.values["balance_without_own_token_usd"]
    return part > whole * (1 + ROUNDING_FRACTION)


def _is_inflow_above_balance(subject: Subject) -> pd.Series:
    balance = subject.values["balance_usd"]
    return subject.values["inflow_24h_usd"] > MAX_INFLOW_FRACTION * balance


def _domain_rules() -> tuple[Rule, ...]:
    return (
        row_rule(
            _NAME,
            "part_within_whole",
            "A balance without the exchange's own token is not above the balance.",
            "balance_without_own_token_usd <= balance_usd",
            _is_part_above_whole,
            ("balance_usd", "balance_without_own_token_usd"),
        ),
        row_rule(
            _NAME,
            "inflow_within_balance",
            "What came in within 24 hours is not above the balance.",
            "inflow_24h_usd <= balance_usd",
            _is_inflow_above_balance,
            ("balance_usd", "inflow_24h_usd"),
        ),
    )


def _differs_from_nearest_night(subject: Subject) -> pd.Series:
    """Return 1 where a row's balance is another than on the stored night most like tonight."""
    day, *series = subject.dataset.key
    tonight = subject.values[subject.is_tonight]
    nearest = pd.Series(dtype="float64")
    for _, night in subject.stored.groupby(day) if subject.stored is not None else ():
        pairs = (
            tonight[[*series, _BALANCE]]
            .reset_index()
            .merge(night[[*series, _BALANCE]], on=series, suffixes=("", "_then"))
        )
        pairs = pairs.dropna(subset=[_BALANCE, f"{_BALANCE}_then"]).set_index("index")
        differs = (pairs[_BALANCE] != pairs[f"{_BALANCE}_then"]).astype("float64")
        if len(differs) and (nearest.empty or differs.mean() < nearest.mean()):
            nearest = differs
    return nearest.reindex(subject.frame.index)


def _not_earlier_again() -> Rule:
    """Return the rule that tonight's answer is no copy of an earlier one: it has no stamp."""
    return Rule(
        f"{_NAME}.not_earlier_again",
        "critical",
        "table",
        f"At least {MIN_QUIET_ROW_FRACTION:.0%} of the balances are others than on any one night "
        "of the week before.",
        f"another value for at least {MIN_QUIET_ROW_FRACTION:.0%} of the rows",
        fixed(equal_to(1, at_least_fraction=MIN_QUIET_ROW_FRACTION)),
        _differs_from_nearest_night,
        (_BALANCE,),
        applies=has_previous,
        family="repeats",
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``exchange_flow_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, KEY_TEXTS),
            not_negative(name, "balance_usd"),
            not_negative(name, "balance_without_own_token_usd"),
            *(finite(name, f"inflow_{span}_usd") for span in ("24h", "7d", "30d")),
            not_negative(name, "spot_volume_24h_usd"),
            *_domain_rules(),
            not_yesterday_again(name, (_BALANCE,)),
            _not_earlier_again(),
            no_wide_leap(name, (_BALANCE,)),
            total_steady(name, "balance_usd", MAX_TOTAL_FACTOR),
            volume_steady(name, "spot_volume_24h_usd"),
            series_return(name),
            large_ones_present(name, "balance_usd"),
        ),
    )
