"""What the shipped models and the second implementation say of one market, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from harness import Result, rulebook, run_market, shipped_rows
from index_oracle import (
    Decision,
    Market,
    Oracle,
    Outcome,
    Reference,
    as_float,
)
from random_markets import DAY, PROFILES, RandomMarket

LEVEL_TOLERANCE = 1e-9
UNITS_TOLERANCE = 1e-12
TABLES = (
    "indices.index_level_daily",
    "indices.review_decision",
    "indices.deletion",
    "indices.divisor_ledger",
    "indices.constituent",
)
# What a review that was held is called there and here.
STATUS = {"effective": "held", "blocked": "blocked", "not held": "called off"}
# Why a coin that passed every screen is in or out; the other reasons name the screen.
BY_RANK = ("enters by rank", "stays ", "moves from ", "left: beyond", "not among the largest")


def build(market: RandomMarket, threads: int = 1) -> Result:
    """Run the shipped models on a market."""
    return run_market(
        market.rows,
        rulebook_overrides=market.rules,
        asset_classes=market.asset_classes,
        links=market.links,
        xrefs=market.xrefs,
        profiles=PROFILES,
        reference={
            "redenomination": market.redenominations,
            "supply_confirmation": market.confirmations,
        },
        only=TABLES,
        threads=threads,
    )


def ask_oracle(market: RandomMarket) -> dict[str, Outcome]:
    """Run the second implementation on a market."""
    reference = Reference(
        rulebook=rulebook(market.rules, PROFILES),
        index_definition=shipped_rows("reference.index_definition"),
        asset_class=market.asset_classes,
        coin_link=market.links,
        coin_xref=market.xrefs,
        redenomination=market.redenominations,
        supply_confirmation=market.confirmations,
    )
    read = Market(market.rows, reference)
    return {profile: Oracle(read, profile).run() for profile in PROFILES}


@dataclass(frozen=True)
class Comparison:
    """One profile of one market, as the models and as the oracle have it."""

    built: Result
    after: date
    profile: str
    told: Outcome

    def differences(self) -> Iterator[str]:
        """Yield what the two do not agree on, the causes before what follows from them."""
        yield from self.reviews()
        yield from self.decisions()
        yield from self.holdings()
        yield from self.deletions()
        yield from self.divisors()
        yield from self.levels()

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return self.built.rows(f"indices.{table}", profile=self.profile)

    def _differ(self, what: str, key: object, there: object, here: object) -> Iterator[str]:
        if there != here:
            yield f"{self.profile} {what} {key}: models {there}, oracle {here}"

    def reviews(self) -> Iterator[str]:
        statuses = {
            row["effective_date"]: STATUS[row["review_status"]]
            for row in self._rows("review_decision")
            if row["effective_date"] <= self.after
        }
        expected = {day: r.status for day, r in self.told.reviews.items() if r.decisions}
        for day in sorted({*statuses, *expected}):
            yield from self._differ("status", day, statuses.get(day), expected.get(day))

    def decisions(self) -> Iterator[str]:
        found = {
            (row["effective_date"], row["coin_id"]): row
            for row in self._rows("review_decision")
            if row["effective_date"] <= self.after
        }
        expected = {
            (day, coin): decision
            for day, review in self.told.reviews.items()
            for coin, decision in review.decisions.items()
        }
        for key in sorted({*found, *expected}):
            row, decision = found.get(key), expected.get(key)
            if row is None or decision is None:
                yield from self._differ("candidate", key, row is not None, decision is not None)
            elif self.told.reviews[key[0]].is_held:
                reason = None if row["reason"].startswith(BY_RANK) else row["reason"]
                there = (
                    reason,
                    row["candidate_rank"],
                    row["sitting_segment"],
                    row["segment"],
                    row["is_in"],
                )
                # The models name the seat before only of who passed the screens.
                sitting = decision.sitting if decision.reason is None else row["sitting_segment"]
                here = (
                    _reason(decision),
                    decision.rank,
                    sitting,
                    decision.segment,
                    decision.segment is not None,
                )
                yield from self._differ("decision", key, there, here)

    def holdings(self) -> Iterator[str]:
        found = {
            (row["effective_date"], row["index_id"], row["coin_id"]): row
            for row in self._rows("constituent")
        }
        expected = {
            (*key, coin): holding
            for key, holdings in self.told.holdings.items()
            for coin, holding in holdings.items()
        }
        for key in sorted({*found, *expected}):
            row, holding = found.get(key), expected.get(key)
            if row is None or holding is None:
                yield from self._differ("holding", key, row is not None, holding is not None)
                continue
            for name, value, tolerance in (
                ("units", holding.units, UNITS_TOLERANCE),
                ("weight_factor", holding.factor, LEVEL_TOLERANCE),
                ("weight_fraction", holding.weight, LEVEL_TOLERANCE),
            ):
                if not _is_close(row[name], as_float(value), tolerance):
                    yield from self._differ(name, key, row[name], as_float(value))

    def deletions(self) -> Iterator[str]:
        found = {
            (row["deletion_date"], row["coin_id"]): (row["reason"], row["removal_price_usd"])
            for row in self._rows("deletion")
        }
        expected = {(d.day, d.coin): (d.reason, as_float(d.price)) for d in self.told.deletions}
        for key in sorted({*found, *expected}):
            there, here = found.get(key), expected.get(key)
            if there is None or here is None or there[0] != here[0]:
                yield from self._differ("deletion", key, there, here)
            elif not _is_close(there[1], here[1], UNITS_TOLERANCE):
                yield from self._differ("removal price", key, there[1], here[1])

    def divisors(self) -> Iterator[str]:
        found = {(row["event_date"], row["index_id"]): row for row in self._rows("divisor_ledger")}
        expected = {(day, index): change for (index, day), change in self.told.divisors.items()}
        for key in sorted({*found, *expected}):
            row, change = found.get(key), expected.get(key)
            if row is None or change is None:
                yield from self._differ("divisor", key, row is not None, change is not None)
                continue
            yield from self._differ("event", key, row["event_kind"], change.kind)
            for name, value in (
                ("market_value_before_usd", change.value_before),
                ("market_value_after_usd", change.value_after),
                ("divisor_before", change.divisor_before),
                ("divisor_after", change.divisor_after),
            ):
                here = None if value is None else as_float(value)
                if not _is_close(row[name], here, LEVEL_TOLERANCE):
                    yield from self._differ(name, key, row[name], here)

    def levels(self) -> Iterator[str]:
        found = {
            (day, index_id): level
            for (profile, index_id, day), level in self.built.all_levels().items()
            if profile == self.profile
        }
        expected = {(day, index): level for (index, day), level in self.told.levels.items()}
        for key in sorted({*found, *expected}):
            there, here = found.get(key), expected.get(key)
            told = None if here is None else as_float(here)
            if not _is_close(there, told, LEVEL_TOLERANCE):
                yield from self._differ("level", key, there, told)


def _reason(decision: Decision) -> str | None:
    return f"withdrawn: {decision.trigger}" if decision.trigger else decision.reason


def _is_close(there: float | None, here: float | None, tolerance: float) -> bool:
    if there is None or here is None:
        return there is here
    return abs(there - here) <= tolerance * abs(here)


@dataclass(frozen=True)
class Verdict:
    """What came of holding the models against the oracle in one market.

    ``largest_difference`` is the largest relative difference of a level; ``happened`` is
    what befell the coins of the market: reasons of decisions and of deletions.
    """

    differences: list[str]
    level_count: int
    largest_difference: float
    happened: frozenset[str]


def compare(market: RandomMarket) -> Verdict:
    """Run both on a market and hold all that they say against each other."""
    told = ask_oracle(market)
    with build(market) as built:
        levels = built.all_levels()
        return Verdict(
            differences=[
                difference
                for profile in PROFILES
                for difference in Comparison(
                    built, market.days[-1] + DAY, profile, told[profile]
                ).differences()
            ],
            level_count=len(levels),
            largest_difference=max(
                abs(level / as_float(told[profile].levels[index_id, day]) - 1)
                for (profile, index_id, day), level in levels.items()
                if told[profile].levels.get((index_id, day))
            ),
            happened=frozenset(
                row["reason"]
                for table in ("review_decision", "deletion")
                for row in built.query(f"select distinct reason from indices.{table}")
            ),
        )
