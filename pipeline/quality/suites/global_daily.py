"""Rules of ``global_daily``: the whole market in one row a night."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import Rule, Subject, owned_by
from pipeline.quality.suites.nights import not_yesterday_again, ratio_to_previous
from pipeline.quality.suites.shared import (
    SLUG,
    common_rules,
    has_previous,
    not_negative,
    row_rule,
    within,
)

OWNER = "market-data"
KEY_TEXTS = {"source": SLUG}

MAX_TOTAL_USD = 1e14

# The worst day, 2020-03-12, took 40 % of the market; no day has added as much.
MAX_CAP_FACTOR = 2.0

# Bitcoin's share moved by two points in the wildest day of 2026.
MAX_DOMINANCE_MOVE_FRACTION = 0.1

_NAME = "global_daily"


def _is_cap_jump(subject: Subject) -> pd.Series:
    ratio = ratio_to_previous(subject, "total_market_cap_usd")
    return (ratio > MAX_CAP_FACTOR) | (ratio < 1 / MAX_CAP_FACTOR)


def _is_dominance_jump(subject: Subject) -> pd.Series:
    before = subject.previous_value("btc_dominance_fraction")
    move = (subject.values["btc_dominance_fraction"] - before).abs()
    return move.where(subject.is_tonight) > MAX_DOMINANCE_MOVE_FRACTION


def _is_volume_above_cap(subject: Subject) -> pd.Series:
    return subject.values["volume_24h_usd"] > subject.values["total_market_cap_usd"]


def _domain_rules() -> tuple[Rule, ...]:
    return (
        row_rule(
            _NAME,
            "cap_steady",
            f"The market's cap is within a factor of {MAX_CAP_FACTOR:g} of the night before.",
            f"between 1/{MAX_CAP_FACTOR:g} and {MAX_CAP_FACTOR:g} times the last cap",
            _is_cap_jump,
            ("total_market_cap_usd",),
            applies=has_previous,
            family="jumps",
        ),
        row_rule(
            _NAME,
            "dominance_steady",
            f"Bitcoin's share moves by at most {MAX_DOMINANCE_MOVE_FRACTION:g} in a night.",
            f"at most {MAX_DOMINANCE_MOVE_FRACTION:g} from the last share",
            _is_dominance_jump,
            ("btc_dominance_fraction",),
            applies=has_previous,
            family="jumps",
        ),
        row_rule(
            _NAME,
            "volume_below_cap",
            "The volume of a day is not above the market's cap.",
            "volume_24h_usd <= total_market_cap_usd",
            _is_volume_above_cap,
            ("total_market_cap_usd", "volume_24h_usd"),
        ),
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``global_daily``."""
    name = dataset.name
    return owned_by(
        OWNER,
        (
            *common_rules(name, KEY_TEXTS),
            within(name, "total_market_cap_usd", 0.0, MAX_TOTAL_USD),
            within(name, "btc_dominance_fraction", 0.0, 1.0),
            not_negative(name, "volume_24h_usd"),
            *_domain_rules(),
            not_yesterday_again(
                name, ("total_market_cap_usd", "btc_dominance_fraction", "volume_24h_usd")
            ),
        ),
    )
