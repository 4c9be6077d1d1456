"""Random small markets, ways to change one that must not move an index, and what always holds.

Several markets run in one build: each is a profile whose rules shut out the coins of the
others by their class. Planning the queries is what a small build spends its time on, so a
market and all its changed copies cost little more than the market alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from harness import Result, Row, observed, run_market, seen_at, shipped_rows, small_baskets
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

START = date(2024, 1, 29)
DAYS = 66
# Three reviews are held in a market of 66 days: at the ends of January, February and March.
WEIGHTING_DATES = (date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31))
TABLES = (
    "indices.index_level_daily",
    "indices.constituent_daily",
    "indices.review_decision",
)


@dataclass(frozen=True)
class Market:
    """What vendors said of some coins, and the rules to look at them by."""

    rows: tuple[Row, ...]
    rules: tuple[tuple[str, object], ...]
    coin_ids: tuple[str, ...]
    links: tuple[Row, ...] = ()
    redenominations: tuple[Row, ...] = ()

    def rule(self, name: str) -> float:
        return float(str(dict(self.rules)[name]))


@dataclass(frozen=True)
class Recipe:
    """How to make a market of coins whose caps wander across each other's ranks.

    ``seed`` decides the prices, the supplies and which coin meets which fate.
    """

    seed: int
    coin_count: int
    rules: tuple[tuple[str, object], ...]
    gaps: int = 0
    deaths: int = 0
    births: int = 0
    revisions: int = 0
    source_count: int = 1
    reconstructed_days: int = 0

    def make(self) -> Market:
        """Return the market.

        A gap is one to four days without a price of a coin; a birth is a coin that is first
        priced later, a death one that stops being priced; a revision tells a row again later
        with another price. Supplies change on the first day of a month.
        """
        chance = random.Random(self.seed)
        coin_ids = tuple(f"coin-{number:02d}" for number in range(self.coin_count))
        fates = chance.sample(coin_ids, k=self.deaths + self.births)
        rows: list[Row] = []
        for coin_id in coin_ids:
            is_dying, is_newborn = coin_id in fates[: self.deaths], coin_id in fates[self.deaths :]
            first = chance.randrange(10, DAYS // 2) if is_newborn else 0
            last = chance.randrange(DAYS // 2, DAYS) if is_dying else DAYS
            rows += self._life(coin_id, first, last, chance)
        for _ in range(self.gaps):
            coin_id = chance.choice(coin_ids)
            hole = START + timedelta(days=chance.randrange(1, DAYS))
            length = chance.randrange(1, 5)
            rows = [
                row
                for row in rows
                if row["coin_id"] != coin_id or not 0 <= (row["market_date"] - hole).days < length
            ]
        live = [row for row in rows if row["vintage"] == "live"]
        revised = chance.sample(live, k=min(self.revisions, len(live)))
        rows += [_revised(row, chance) for row in revised]
        return Market(tuple(rows), self.rules, coin_ids)

    def _life(self, coin_id: str, first: int, last: int, chance: random.Random) -> list[Row]:
        price = 10 ** chance.uniform(-3, 3)
        supply = 10 ** chance.uniform(6, 7) / price
        rows = []
        for number in range(first, last):
            day = START + timedelta(days=number)
            price *= min(5.0, max(0.2, chance.lognormvariate(0, 0.08)))
            if day.day == 1:
                supply *= chance.uniform(0.9, 1.3)
            rows += [
                observed(
                    day,
                    coin_id,
                    price * (1 + 0.01 * source),
                    supply,
                    source=f"vendor-{source}",
                    volume_24h_usd=chance.uniform(1e6, 1e9),
                    **_vintage(number < self.reconstructed_days),
                )
                for source in range(self.source_count)
            ]
        return rows


def _vintage(is_reconstructed: bool) -> Row:
    if not is_reconstructed:
        return {}
    return {"vintage": "reconstructed", "known_at": seen_at(START, days=500)}


def _revised(row: Row, chance: random.Random) -> Row:
    factor = chance.uniform(0.8, 1.25)
    return row | {
        "price_usd": row["price_usd"] * factor,
        "market_cap_usd": row["market_cap_usd"] * factor,
        "known_at": seen_at(row["market_date"], hours=chance.uniform(1, 400)),
        "run_id": "revision",
    }


@st.composite
def recipes(draw: st.DrawFn, **fixed: Any) -> Recipe:
    """Draw a recipe; a named part is fixed to the value given."""
    coin_count = draw(st.integers(10, 12))
    parts: dict[str, Any] = {
        "gaps": draw(st.integers(0, 2)),
        "deaths": draw(st.integers(0, 1)),
        "births": draw(st.integers(0, 2)),
        "source_count": draw(st.sampled_from([1, 1, 1, 2])),
        "reconstructed_days": draw(st.sampled_from([0, 0, 20, DAYS])),
    }
    rules = draw(rule_sets(coin_count))
    return Recipe(draw(st.integers(0, 2**32)), coin_count, rules, **(parts | fixed))


@st.composite
def batches(draw: st.DrawFn, size: int = 4, **fixed: Any) -> list[Recipe]:
    """Draw recipes for one build; what is a live night must be the same for all of them."""
    shared = {"reconstructed_days": draw(st.sampled_from([0, 0, 20, DAYS]))} | fixed
    return [draw(recipes(**shared)) for _ in range(size)]


@st.composite
def rule_sets(draw: st.DrawFn, coin_count: int) -> tuple[tuple[str, object], ...]:
    """Draw rules for small baskets, with and without buffers, smoothing and screens."""
    # Two coins a segment, so that none is ever empty though one coin may die.
    rules = small_baskets(
        2,
        4,
        draw(st.integers(6, coin_count + 1)),
        input_max_age_days=32,
        cutoff_days_before_month_end=draw(st.sampled_from([0, 4])),
        rank_window_days=draw(st.sampled_from([1, 30])),
        buffer_fraction__large=draw(st.sampled_from([0, 0.34, 0.5])),
        buffer_fraction__mid=draw(st.sampled_from([0, 0.2, 0.4])),
        buffer_fraction__small=draw(st.sampled_from([0, 0.2])),
        min_age_days=draw(st.sampled_from([0, 20])),
        min_observed_fraction=draw(st.sampled_from([0, 0.5, 0.9])),
    )
    return tuple((rule, value) for (_, rule), value in rules.items())


def many(examples: int) -> settings:
    """Return Hypothesis settings: the same examples every time, and none kept."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        # A market is small as it is drawn, and shrinking one costs hundreds of builds.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# What may be done to a market.

Change = Callable[[Market, random.Random], Market]


def scale_units(market: Market, chance: random.Random) -> Market:
    """Count every coin of the market ``k`` times."""
    factor = chance.choice([1024.0, 0.125, 1000.0, 0.37])
    return _per_row(
        market,
        lambda row: {
            "circulating_supply": row["circulating_supply"] * factor,
            "market_cap_usd": row["market_cap_usd"] * factor,
        },
    )


def rename_coins(market: Market, chance: random.Random) -> Market:
    """Give every coin the name of another, and tell the rows in another order."""
    shuffled = list(market.coin_ids)
    chance.shuffle(shuffled)
    names = dict(zip(market.coin_ids, shuffled, strict=True))
    renamed = _per_row(market, lambda row: {"coin_id": names[row["coin_id"]]})
    rows = list(renamed.rows)
    chance.shuffle(rows)
    return replace(renamed, rows=tuple(rows))


def migrate_a_coin(market: Market, chance: random.Random) -> Market:
    """Let a coin become another id at some ratio, between two reviews."""
    coin_id, ratio = chance.choice(market.coin_ids), chance.choice([24_000.0, 1000.0, 0.01, 1.0])
    day = _day_between_reviews(market, chance)
    migrated = _in_new_units(market, coin_id, ratio, day, new_id=f"{coin_id}-new")
    link = {
        "predecessor_coin_id": coin_id,
        "successor_coin_id": f"{coin_id}-new",
        "units_per_predecessor": ratio,
        "effective_date": day,
        "kind": "migration",
    }
    return replace(migrated, links=(link,))


def redenominate_a_coin(market: Market, chance: random.Random) -> Market:
    """Let a coin have smaller or larger units from some day on, under the same id."""
    coin_id, ratio = chance.choice(market.coin_ids), chance.choice([1000.0, 100.0, 0.01])
    day = START + timedelta(days=chance.randrange(1, DAYS))
    changed = _in_new_units(market, coin_id, ratio, day, new_id=coin_id)
    row = {"coin_id": coin_id, "effective_date": day, "new_units_per_old_unit": ratio}
    return replace(changed, redenominations=(row,))


def add_a_worthless_coin(market: Market, chance: random.Random) -> Market:
    """Add coins whose supply nobody knows."""
    more = [
        row
        | {
            "coin_id": f"worthless-{number}",
            "price_usd": row["price_usd"] * chance.uniform(0.5, 2),
            "circulating_supply": unknown,
            "market_cap_usd": unknown,
        }
        for number, unknown in enumerate((None, 0.0))
        for row in market.rows
        if row["coin_id"] == market.coin_ids[0]
    ]
    return replace(market, rows=(*market.rows, *more))


CHANGES: dict[str, Change] = {
    "scaled": scale_units,
    "renamed": rename_coins,
    "migrated": migrate_a_coin,
    "redenominated": redenominate_a_coin,
    "worthless": add_a_worthless_coin,
}


def _per_row(market: Market, change: Callable[[Row], Row]) -> Market:
    return replace(market, rows=tuple(row | change(row) for row in market.rows))


def _day_between_reviews(market: Market, chance: random.Random) -> date:
    """Return a day that lies not between a review's cut-off and its weighting."""
    days = [START + timedelta(days=number) for number in range(1, DAYS)]
    lead = market.rule("cutoff_days_before_month_end")
    return chance.choice(
        [
            day
            for day in days
            if not any(0 <= (weighting - day).days < lead for weighting in WEIGHTING_DATES)
        ]
    )


def _in_new_units(market: Market, coin_id: str, ratio: float, day: date, new_id: str) -> Market:
    def change(row: Row) -> Row:
        if row["coin_id"] != coin_id or row["market_date"] < day:
            return {}
        return {
            "coin_id": new_id,
            "price_usd": row["price_usd"] / ratio,
            "circulating_supply": row["circulating_supply"] * ratio,
        }

    return _per_row(market, change)


# Running them.


def run_together(named: dict[str, Market], **kwargs: Any) -> Result:
    """Run each market as a profile of one build; its coins are named ``profile/coin``."""
    rows, links, classes = [], [], {}
    reference: dict[str, list[Row]] = {"redenomination": []}
    rules: dict[tuple[str, str], object] = {}
    for name, market in named.items():
        own = {"coin_id", "predecessor_coin_id", "successor_coin_id"}
        rows += [_prefixed(row, name, own) for row in market.rows]
        links += [_prefixed(row, name, own) for row in market.links]
        reference["redenomination"] += [_prefixed(row, name, own) for row in market.redenominations]
        rules |= {(name, rule): value for rule, value in market.rules}
    for row in rows:
        classes[row["coin_id"]] = row["coin_id"].partition("/")[0]
    shut_out = _exclusions(list(named))
    return run_market(
        rows,
        rulebook_overrides=rules,
        more_rules=shut_out,
        asset_classes=classes,
        links=links,
        reference=reference,
        profiles=list(named),
        **({"only": TABLES} | kwargs),
    )


def _prefixed(row: Row, name: str, own: set[str]) -> Row:
    return row | {column: f"{name}/{row[column]}" for column in own & set(row)}


def _exclusions(names: Sequence[str]) -> list[Row]:
    version = shipped_rows("reference.rulebook")[0]["version"]
    return [
        {"profile": name, "rule": f"exclude_class.{other}", "value": "1", "version": version}
        for name in names
        for other in names
        if other != name
    ]


def assert_invariants(market: Result) -> None:
    """Assert what is true of every build, whatever the market."""
    levels = market.rows("indices.index_level_daily")
    assert all(row["market_value_usd"] > 0 and row["divisor"] > 0 for row in levels)
    worth = {(r["profile"], r["market_date"], r["index_id"]): r["market_value_usd"] for r in levels}
    for (profile, day, index_id), value in worth.items():
        if index_id == "top100":
            parts = [worth.get((profile, day, part), 0.0) for part in ("large", "mid", "small")]
            assert abs(sum(parts) / value - 1) < 1e-12, (profile, day)
    for row in market.query(
        """
        select profile, index_id, market_date, sum(weight_fraction) as weight_sum
        from indices.constituent_daily group by all
        """
    ):
        assert abs(row["weight_sum"] - 1) < 1e-12, row
    for row in market.rows("indices.divisor_ledger"):
        if row["divisor_before"] is not None:
            before = row["market_value_before_usd"] / row["divisor_before"]
            after = row["market_value_after_usd"] / row["divisor_after"]
            assert abs(after / before - 1) < 1e-12, row
