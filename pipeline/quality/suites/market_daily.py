"""Rules of ``market_daily``: prices, caps, supplies and volumes of coins."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.checks import distinct_at_least, equal_to, in_range, not_null
from pipeline.quality.rules import Rule, Subject, is_live, owned_by
from pipeline.quality.suites.market_cross_section import cross_section_rules
from pipeline.quality.suites.nights import (
    large_ones_present,
    series_return,
    total_steady,
    volume_steady,
)
from pipeline.quality.suites.shared import (
    LARGEST,
    SLUG,
    fixed,
    has_market_date,
    key_rules,
    measure_range,
    not_negative,
    schema_rules,
)
from pipeline.quality.suites.sources import two_sources_agree

# The sources that serve whole pages of the market every night. The index needs 100
# coins, and the cap of most of them.
FULL_MARKET_SOURCES = frozenset({"coingecko"})
MIN_COIN_COUNT = 100
MIN_CAP_PRESENT_FRACTION = 0.5
MAX_MARKET_CAP_USD = 1e14

# Of the same prices as the night before, at most 8 % were ever seen (coins of one price
# source, 2020 to 2026, mostly stablecoins); a repeated payload has all of them.
MIN_PRICE_CHANGED_FRACTION = 0.5

# Cap = price x supply holds to the last digit in five years of top-200 snapshots once a
# price rounded to 8 decimals is allowed its rounding (without that, up to 3.3 % off for
# coins under 1e-6 dollars). The 5 % are for live pages, where price and cap are caches
# of different age; a wrong supply or a price of another coin is off by far more.
MAX_CAP_DEVIATION_FRACTION = 0.05
PRICE_ROUNDING_USD = 0.5e-8

MAX_PRICE_RATIO = 10.0
MAX_MARKET_PRICE_RATIO = 3.0
MIN_QUIET_COIN_FRACTION = 0.9
MAX_CAP_MOVE_FRACTION = 0.5
QUIET_PRICE_MOVE_FRACTION = 0.1

# A crash takes half of the market at worst; a unit is a factor of 1000.
MAX_TOTAL_CAP_FACTOR = 3.0

OWNER = "market-data"
KEY_TEXTS = {"source": SLUG, "coin_id": SLUG}

_NAME = "market_daily"


def _describes_tonight(subject: Subject) -> bool:
    return is_live(subject) and bool(subject.is_tonight.any())


def _is_full_market(subject: Subject) -> bool:
    is_served = subject.values["source"].isin(FULL_MARKET_SOURCES).any()
    return _describes_tonight(subject) and bool(is_served)


def _has_previous(subject: Subject) -> bool:
    return _describes_tonight(subject) and subject.previous is not None


def _coins_tonight(subject: Subject) -> pd.Series:
    return subject.values["coin_id"].where(subject.is_tonight)


def _is_cap_present(subject: Subject) -> pd.Series:
    """Return 1 or 0 for tonight's rows, null for earlier days."""
    is_present = (subject.values["market_cap_usd"] > 0).astype("float64")
    return is_present.where(subject.is_tonight)


def _is_price_changed(subject: Subject) -> pd.Series:
    """Return 1 or 0 for tonight's coins that had a price before, else null.

    When no coin had one, every coin counts as unchanged: a comparison that found
    nothing to compare must not pass.
    """
    price = subject.values["price_usd"]
    before = subject.previous_value("price_usd")
    is_comparable = subject.is_tonight & price.notna() & before.notna()
    if not is_comparable.any():
        return pd.Series(0.0, index=price.index)
    return (price != before).astype("float64").where(is_comparable)


def _total_cap(subject: Subject) -> pd.Series:
    """Return the sum of tonight's caps but the largest on one row of tonight, null elsewhere.

    A single cap that cannot be is kept out by its own rule.
    """
    cap = subject.values["market_cap_usd"].replace([np.inf, -np.inf], np.nan)
    is_tonight = subject.is_tonight
    is_first = is_tonight & (is_tonight.cumsum() == 1)
    tonight = cap.where(is_tonight).fillna(0.0)
    return pd.Series(tonight.sum() - tonight.max(), index=cap.index).where(is_first)


def _cap_deviation(subject: Subject) -> pd.Series:
    """Return |price x supply - cap| / cap beyond the price's rounding; null if unknown.

    A price below 1e-8 was evidently not rounded to 8 decimals and gets no allowance.
    """
    price = subject.values["price_usd"]
    cap = subject.values["market_cap_usd"]
    supply = subject.values["circulating_supply"]
    is_known = (price > 0) & (cap > 0) & (supply > 0)
    is_known &= np.isfinite(price) & np.isfinite(cap) & np.isfinite(supply)
    known_cap = cap.where(is_known)
    gap = (price * supply - known_cap).abs()
    rounding = PRICE_ROUNDING_USD * supply.where(price >= 2 * PRICE_ROUNDING_USD, 0.0)
    return (gap - rounding).clip(lower=0.0) / known_cap


def _is_zero(subject: Subject) -> pd.Series:
    values = subject.values
    return ((values["market_cap_usd"] == 0) | (values["circulating_supply"] == 0)).astype("int64")


def _move_since_previous(subject: Subject, column: str) -> pd.Series:
    """Return the fractional move of tonight's value; null where either is unknown."""
    before = subject.previous_value(column)
    now = subject.values[column]
    now = now.where(subject.is_tonight & (now > 0))
    return now / before.where(before > 0) - 1.0


def _moves_beyond(subject: Subject, max_ratio: float) -> pd.Series:
    ratio = _move_since_previous(subject, "price_usd") + 1.0
    return ((ratio > max_ratio) | (ratio < 1.0 / max_ratio)).astype("int64")


def _is_price_jump(subject: Subject) -> pd.Series:
    return _moves_beyond(subject, MAX_PRICE_RATIO)


def _is_large_move(subject: Subject) -> pd.Series:
    return _moves_beyond(subject, MAX_MARKET_PRICE_RATIO)


def _is_cap_jump(subject: Subject) -> pd.Series:
    cap_move = _move_since_previous(subject, "market_cap_usd").abs()
    price_move = _move_since_previous(subject, "price_usd").abs()
    is_jump = (cap_move > MAX_CAP_MOVE_FRACTION) & (price_move < QUIET_PRICE_MOVE_FRACTION)
    return is_jump.astype("int64")


def _table_rules() -> tuple[Rule, ...]:
    return (
        has_market_date(_NAME),
        Rule(
            f"{_NAME}.enough_coins",
            "critical",
            "table",
            f"A full-market source has at least {MIN_COIN_COUNT} coins of the market date.",
            f"at least {MIN_COIN_COUNT} coins",
            fixed(distinct_at_least(MIN_COIN_COUNT)),
            _coins_tonight,
            applies=_is_full_market,
            family="size",
        ),
        Rule(
            f"{_NAME}.caps_present",
            "critical",
            "table",
            "At least half of a full-market source's coins have a market cap.",
            f"a cap for at least {MIN_CAP_PRESENT_FRACTION:.0%} of the coins",
            fixed(equal_to(1, at_least_fraction=MIN_CAP_PRESENT_FRACTION)),
            _is_cap_present,
            ("market_cap_usd",),
            applies=_is_full_market,
            family="presence",
        ),
        Rule(
            f"{_NAME}.not_yesterday_again",
            "critical",
            "table",
            "At least half of the coins have another price than on the day before.",
            f"another price for at least {MIN_PRICE_CHANGED_FRACTION:.0%} of the coins",
            fixed(equal_to(1, at_least_fraction=MIN_PRICE_CHANGED_FRACTION)),
            _is_price_changed,
            ("price_usd",),
            applies=_has_previous,
            family="repeats",
        ),
        Rule(
            f"{_NAME}.no_market_wide_jump",
            "critical",
            "table",
            f"At least {MIN_QUIET_COIN_FRACTION:.0%} of the coins are within a factor of "
            f"{MAX_MARKET_PRICE_RATIO:g} of their last price; a whole market does not jump, a "
            "vendor's unit does.",
            f"between 1/{MAX_MARKET_PRICE_RATIO:g} and {MAX_MARKET_PRICE_RATIO:g} times the "
            "last price",
            fixed(equal_to(0, at_least_fraction=MIN_QUIET_COIN_FRACTION)),
            _is_large_move,
            ("price_usd",),
            applies=_has_previous,
            family="jumps",
        ),
        Rule(
            f"{_NAME}.total_cap_plausible",
            "critical",
            "table",
            f"The caps of the night but the largest add up to at most {MAX_MARKET_CAP_USD:g} "
            "dollars; this holds without a night before, too.",
            f"at most {MAX_MARKET_CAP_USD:g} dollars without the largest cap",
            fixed(in_range(None, MAX_MARKET_CAP_USD)),
            _total_cap,
            ("market_cap_usd",),
            applies=_describes_tonight,
        ),
    )


def _row_rules() -> tuple[Rule, ...]:
    return (
        Rule(
            f"{_NAME}.price_present",
            "critical",
            "row",
            "A coin has a price.",
            "a price",
            fixed(not_null()),
            "price_usd",
            is_constraint=True,
            family="presence",
        ),
        Rule(
            f"{_NAME}.price_positive",
            "critical",
            "row",
            "A price is positive and finite.",
            "finite and > 0",
            fixed(in_range(0.0, LARGEST, is_low_excluded=True)),
            "price_usd",
        ),
        measure_range(
            _NAME, "market_cap_usd", 0.0, MAX_MARKET_CAP_USD, f"in 0..{MAX_MARKET_CAP_USD:g}"
        ),
        not_negative(_NAME, "circulating_supply"),
        not_negative(_NAME, "volume_24h_usd"),
        Rule(
            f"{_NAME}.cap_is_price_times_supply",
            "critical",
            "row",
            "Where price, supply and cap are known, cap is price x supply within "
            f"{MAX_CAP_DEVIATION_FRACTION:.0%}.",
            f"price x supply within {MAX_CAP_DEVIATION_FRACTION:.0%} of the cap",
            fixed(in_range(None, MAX_CAP_DEVIATION_FRACTION)),
            _cap_deviation,
            ("price_usd", "circulating_supply", "market_cap_usd"),
            family="agreement",
        ),
    )


def _warnings() -> tuple[Rule, ...]:
    return (
        Rule(
            f"{_NAME}.unknown_is_null",
            "warning",
            "row",
            "An unknown cap or supply is null, not 0.",
            "null",
            fixed(equal_to(0)),
            _is_zero,
            ("market_cap_usd", "circulating_supply"),
            family="presence",
        ),
        Rule(
            f"{_NAME}.price_jump",
            "warning",
            "row",
            f"No price is {MAX_PRICE_RATIO:g} times, or a {MAX_PRICE_RATIO:g}th of, the last one.",
            f"between 1/{MAX_PRICE_RATIO:g} and {MAX_PRICE_RATIO:g} times the last price",
            fixed(equal_to(0)),
            _is_price_jump,
            ("price_usd",),
            applies=_has_previous,
            family="jumps",
        ),
        Rule(
            f"{_NAME}.cap_moves_with_price",
            "warning",
            "row",
            f"No cap moves by more than {MAX_CAP_MOVE_FRACTION:.0%} while its price moves by "
            f"less than {QUIET_PRICE_MOVE_FRACTION:.0%}.",
            "a cap that moves with its price",
            fixed(equal_to(0)),
            _is_cap_jump,
            ("market_cap_usd", "price_usd", "circulating_supply"),
            applies=_has_previous,
            family="jumps",
        ),
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``market_daily``."""
    return owned_by(
        OWNER,
        (
            *schema_rules(dataset.name),
            *key_rules(dataset.name, KEY_TEXTS),
            *_table_rules(),
            total_steady(dataset.name, "market_cap_usd", MAX_TOTAL_CAP_FACTOR),
            volume_steady(dataset.name, "volume_24h_usd"),
            series_return(dataset.name),
            large_ones_present(dataset.name, "market_cap_usd"),
            *_row_rules(),
            *cross_section_rules(dataset.name),
            *two_sources_agree(dataset.name, "price_usd"),
            *_warnings(),
        ),
    )
