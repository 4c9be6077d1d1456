"""Rules of ``market_daily`` that hold a coin against the other coins of the same night."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.quality.checks import equal_to, figure_in_range
from pipeline.quality.rules import Rule, Subject, is_live
from pipeline.quality.suites.nights import ratio_to_previous
from pipeline.quality.suites.shared import fixed, has_previous, row_rule

# Sources whose ranks number every coin of the market by its cap.
RANKED_MARKET_SOURCES = frozenset({"coingecko"})

# A page that is missing leaves a hole of 250 ranks; coins that stand still leave a few.
MAX_RANK_GAP = 50

# Ranks and caps are cached some minutes apart, so neighbours may have changed places.
RANK_NEIGHBOURS = 3
MAX_CAP_BEYOND_NEIGHBOURS = 2.0

# Of 327,335 daily moves of 2020 to 2026, 8 were beyond a factor of 5 of the market's middle one:
# collapses, and prices of coins that hardly trade.
MAX_MOVE_AGAINST_MARKET = 5.0
MIN_COMPARED_COINS = 10

# A coin that is renamed keeps its price.
MIN_SAME_SYMBOL_FRACTION = 0.95
MAX_RENAMED_PRICE_FACTOR = 1.5

# Pegs may say 1.0 for days; other large coins trade every second.
LARGE_RANK = 100
FROZEN_DAYS = 4
PEG_BAND_FRACTION = 0.01


def _ranked(subject: Subject) -> pd.Series:
    is_ranked = subject.values["source"].isin(RANKED_MARKET_SOURCES)
    return subject.values["provider_rank"].where(is_ranked & subject.is_tonight)


def _is_ranked_market(subject: Subject) -> bool:
    return is_live(subject) and bool(_ranked(subject).notna().any())


def _widest_gap(subject: Subject) -> int:
    ranks = np.sort(_ranked(subject).dropna().unique())
    return int(np.diff(ranks, prepend=0).max()) - 1


def _is_cap_beside_rank(subject: Subject) -> pd.Series:
    """Return where a cap is above all of the next better ranks, or below all of the next worse."""
    rank = _ranked(subject)
    cap = subject.values["market_cap_usd"]
    known = pd.DataFrame({"rank": rank, "cap": cap.where(cap > 0)}).dropna().sort_values("rank")
    shifted = [known["cap"].shift(step) for step in range(1, RANK_NEIGHBOURS + 1)]
    best = pd.concat(shifted, axis=1).max(axis=1, skipna=False)
    shifted = [known["cap"].shift(-step) for step in range(1, RANK_NEIGHBOURS + 1)]
    worst = pd.concat(shifted, axis=1).min(axis=1, skipna=False)
    is_beside = (known["cap"] > MAX_CAP_BEYOND_NEIGHBOURS * best) | (
        known["cap"] * MAX_CAP_BEYOND_NEIGHBOURS < worst
    )
    return is_beside.reindex(subject.frame.index, fill_value=False)


def _move_against_market(subject: Subject) -> pd.Series:
    ratio = ratio_to_previous(subject, "price_usd")
    if ratio.notna().sum() < MIN_COMPARED_COINS:
        return pd.Series(np.nan, index=ratio.index)
    against: pd.Series = ratio / ratio.median()
    return against.where(against >= 1, 1 / against)


def _is_against_market(subject: Subject) -> pd.Series:
    return _move_against_market(subject) > MAX_MOVE_AGAINST_MARKET


def _is_renamed(subject: Subject) -> pd.Series:
    """Return 1 or 0 where a coin has a symbol now and had one before."""
    now, before = subject.values["symbol"], subject.previous_value("symbol")
    is_known = subject.is_tonight & now.notna() & before.notna()
    is_other = pd.Series(False, index=now.index)
    is_other[is_known] = (
        now[is_known].astype(str).str.upper() != before[is_known].astype(str).str.upper()
    )
    return is_other.astype("float64").where(is_known)


def _is_another_coin(subject: Subject) -> pd.Series:
    ratio = ratio_to_previous(subject, "price_usd")
    is_moved = (ratio > MAX_RENAMED_PRICE_FACTOR) | (ratio < 1 / MAX_RENAMED_PRICE_FACTOR)
    return (_is_renamed(subject) == 1) & is_moved


def _is_large_and_frozen(subject: Subject) -> pd.Series:
    """Return which of the largest coins have had one price for ``FROZEN_DAYS`` nights."""
    values = subject.values
    price, rank = values["price_usd"], values["provider_rank"]
    is_asked = subject.is_tonight & (rank <= LARGE_RANK)
    is_asked &= (price - 1.0).abs() > PEG_BAND_FRACTION
    if subject.stored is None:
        return is_asked & False
    recent = subject.stored.groupby(["source", "coin_id"], sort=False).tail(FROZEN_DAYS - 1)
    found = recent.groupby(["source", "coin_id"])["price_usd"].agg(["size", "min", "max"])
    found = values[["source", "coin_id"]].join(found, on=["source", "coin_id"])
    is_same = (found["min"] == price) & (found["max"] == price)
    return is_asked & is_same & (found["size"] == FROZEN_DAYS - 1)


def _order_rules(name: str) -> tuple[Rule, ...]:
    return (
        Rule(
            f"{name}.ranks_contiguous",
            "critical",
            "table",
            f"Where a source numbers the whole market, no more than {MAX_RANK_GAP} ranks in a row "
            "are missing; a page would be more.",
            f"at most {MAX_RANK_GAP} ranks in a row missing",
            fixed(figure_in_range(None, MAX_RANK_GAP)),
            lambda subject: pd.Series(float(_widest_gap(subject)), index=subject.frame.index),
            applies=_is_ranked_market,
            observes=lambda subject: f"{_widest_gap(subject)} ranks in a row missing",
            family="size",
        ),
        row_rule(
            name,
            "cap_fits_rank",
            "Where a source numbers the whole market, a cap is not above "
            f"{MAX_CAP_BEYOND_NEIGHBOURS:g} times all of the {RANK_NEIGHBOURS} better ranks, nor "
            f"below all of the {RANK_NEIGHBOURS} worse ones by as much.",
            "a cap in the order of the ranks",
            _is_cap_beside_rank,
            ("market_cap_usd", "provider_rank"),
            applies=_is_ranked_market,
        ),
    )


def _identity_rules(name: str) -> tuple[Rule, ...]:
    return (
        Rule(
            f"{name}.symbols_stay",
            "critical",
            "table",
            f"At least {MIN_SAME_SYMBOL_FRACTION:.0%} of the coins have the symbol of the night "
            "before.",
            "the symbol of the night before",
            fixed(equal_to(0, at_least_fraction=MIN_SAME_SYMBOL_FRACTION)),
            _is_renamed,
            ("symbol",),
            applies=has_previous,
            family="agreement",
        ),
        row_rule(
            name,
            "same_coin",
            "A coin whose symbol is another one than the night before has kept its price within a "
            f"factor of {MAX_RENAMED_PRICE_FACTOR:g}.",
            "the same coin as the night before",
            _is_another_coin,
            ("symbol", "price_usd"),
            applies=has_previous,
        ),
    )


def cross_section_rules(name: str) -> tuple[Rule, ...]:
    """Return the rules of the order of caps, of identities, and of moves against the market."""
    return (
        *_order_rules(name),
        *_identity_rules(name),
        row_rule(
            name,
            "moves_with_market",
            f"No price moves by a factor of {MAX_MOVE_AGAINST_MARKET:g} against the middle move of "
            "the market.",
            f"within a factor of {MAX_MOVE_AGAINST_MARKET:g} of the market's move",
            _is_against_market,
            ("price_usd",),
            severity="warning",
            applies=has_previous,
            family="jumps",
        ),
        row_rule(
            name,
            "not_frozen",
            f"None of the largest {LARGE_RANK} coins but pegs has one price for {FROZEN_DAYS} "
            "nights.",
            "a price that moves",
            _is_large_and_frozen,
            ("price_usd",),
            severity="warning",
            applies=has_previous,
            family="repeats",
        ),
    )
