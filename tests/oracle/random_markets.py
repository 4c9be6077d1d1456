"""Random markets of years, in which everything happens that the rulebook speaks of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

Row = dict[str, Any]
PROFILES = ("house", "mv_compat", "cmc100_compat")
SHUT_OUT = ("fiat_stablecoin", "wrapped", "commodity_pegged", "liquid_staked", "gas_twin")
DAY = timedelta(days=1)


@dataclass
class RandomMarket:
    """What vendors said, and the reference tables to read it by."""

    seed: int
    coin_count: int = 150
    day_count: int = 1095
    rows: list[Row] = field(default_factory=list)
    asset_classes: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    xrefs: list[Row] = field(default_factory=list)
    redenominations: list[Row] = field(default_factory=list)
    confirmations: list[Row] = field(default_factory=list)
    rules: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.paths: dict[str, list[float]] = {}
        self.start = date(2021, 9, 1) + DAY * self.chance.randrange(300)
        self.days = [self.start + DAY * number for number in range(self.day_count)]
        # History first, dense or once a month at its beginning, then nights of our own.
        self.live_from = self.chance.choice([0, 0, self.day_count // 4, self.day_count // 2])
        self.dense_from = self.chance.choice([0, self.live_from // 2])
        self.tide = [self.chance.gauss(0, 0.02) for _ in self.days]
        # One large market in three has baskets of the shipped sizes.
        if self.seed % 3 or self.coin_count < 150:
            self.rules = self._small_rules()
        for number in range(self.coin_count):
            self._add_coin("bitcoin" if number == 0 else f"coin-{number:03d}", number)
        self._merge()
        self._add_twins()
        self._add_outages()
        self._revise()
        self.chance.shuffle(self.rows)

    def _small_rules(self) -> dict[tuple[str, str], str]:
        """Return rules for smaller baskets, so that every cut has coins on both sides."""
        scale = max(1, self.coin_count // self.chance.choice([25, 30, 37]))
        values: dict[str, object] = {
            "last_rank.large": 2 * scale,
            "last_rank.mid": 5 * scale,
            "last_rank.small": 10 * scale,
            "min_candidate_count": 10 * scale,
            "unclassified_block_rank": 13 * scale,
        }
        rules = {(profile, rule): str(v) for profile in PROFILES for rule, v in values.items()}
        del rules["mv_compat", "unclassified_block_rank"]
        return rules

    # One coin's life.

    def _add_coin(self, coin_id: str, number: int) -> None:
        chance, last = self.chance, self.day_count
        is_first = number == 0
        birth = 0 if is_first or chance.random() < 0.8 else chance.randrange(last * 4 // 5)
        death = last
        if not is_first and chance.random() < 0.15:
            death = chance.randrange(birth + 20, last + 20)
        collapse = death - chance.randrange(0, 25) if chance.random() < 0.6 else last + 99
        if death >= last:
            collapse = last + 99
        prices, supplies = self._path(coin_id, number, birth, collapse)
        self.paths[coin_id] = prices
        self._classify(coin_id, number, birth)
        holes = self._holes(birth, death)
        names = self._names(coin_id, birth, death)
        beta_id = f"b-{coin_id}" if chance.random() < 0.05 else None
        if beta_id:
            turn = self.start + DAY * chance.randrange(last)
            known = {"source": "beta", "source_coin_id": beta_id, "coin_id": coin_id}
            self.xrefs.append(known | {"valid_to": turn})
            self.xrefs.append(known | {"coin_id": f"{coin_id}-x", "valid_from": turn})
            self.asset_classes.append(_class(f"{coin_id}-x", "coin"))
        volume = self._usual_volume(prices[birth] * supplies[birth])
        vendors = ["alpha"]
        vendors += ["beta"] if chance.random() < 0.6 else []
        vendors += ["gamma"] if chance.random() < 0.15 else []
        vendors += ["delta"] if chance.random() < 0.05 else []
        fate = chance.random()
        knows_supply = fate > 0.025
        bias = {vendor: chance.choice([1.0, 1.0, 1.01, 0.92]) for vendor in vendors}
        redenomination = self._redenomination(coin_id, birth, death)
        quarrel = -1
        for day in range(birth, last):
            if day in holes or not self._is_told(day):
                continue
            if len(vendors) > 1 and chance.random() < 0.004:
                quarrel = day + chance.choice([0, 1, 4])
            lone = chance.random() < 0.02
            for form, (name, first, end, ratio) in enumerate(names):
                if not first <= day < end:
                    continue
                units = ratio * (redenomination[1] if day >= redenomination[0] else 1.0)
                for vendor in vendors[:1] if lone else vendors:
                    price = prices[day] * (1 if vendor == "alpha" else chance.gauss(1, 0.002))
                    if vendor == "beta" and day <= quarrel:
                        price *= chance.choice([0.7, 1.3, 1.15])
                    if len(vendors) == 1 and chance.random() < 0.0015:
                        price *= chance.choice([0.02, 0.09, 12, 40])
                    # Two forms of a coin that trade side by side must not tie by a rounding.
                    supply = supplies[day] * units * bias[vendor] * (1 - 0.02 * form)
                    self._tell(
                        day,
                        vendor,
                        beta_id if beta_id and vendor == "beta" and not form else name,
                        price / units,
                        supply if knows_supply else None,
                        volume * chance.lognormvariate(0, 0.6),
                    )

    def _path(
        self, coin_id: str, number: int, birth: int, collapse: int
    ) -> tuple[list[float], list[float]]:
        chance = self.chance
        price = 10 ** chance.uniform(-4, 3)
        cap = 5e11 if number == 0 else 10 ** (11 - 3 * chance.random() ** 0.6)
        supply = cap / price
        unlocked = supply
        drift, wildness = chance.gauss(0, 0.0015), chance.uniform(0.02, 0.07)
        prices, supplies, hump = [], [], 0
        for day in range(self.day_count):
            if day > birth:
                price *= 2.718281828 ** (drift + self.tide[day] + chance.gauss(0, wildness))
                unlocked *= 1 + chance.uniform(-0.0003, 0.001)
            if day == collapse:
                price *= 10 ** -chance.uniform(1.8, 5)
            if chance.random() < 0.0015:
                unlocked *= chance.choice([0.5, 0.75, 1.15, 1.3, 2.5])
                if chance.random() < 0.2:
                    month = (self.days[day].replace(day=1) + 32 * DAY).replace(day=1)
                    confirmation = {"coin_id": coin_id, "effective_date": month}
                    if confirmation not in self.confirmations:
                        self.confirmations.append(confirmation)
            if chance.random() < 0.001:
                hump = day + chance.randrange(10, 70)
            prices.append(price)
            supplies.append(unlocked * (1.6 if day < hump else 1))
        return prices, supplies

    def _usual_volume(self, cap: float) -> float:
        # With the shipped sizes two coins in three must pass every screen.
        part, lowest = (0.1, -3.6) if self.rules else (0.03, -2.7)
        if self.chance.random() < part:
            return 1e6 * self.chance.uniform(0.6, 1.4)
        return max(cap, 5e7) * 10 ** self.chance.uniform(lowest, -0.5)

    def _classify(self, coin_id: str, number: int, birth: int) -> None:
        chance = self.chance
        born = self.days[birth]
        fate = chance.random() if number else 1.0
        kind = chance.choice(SHUT_OUT)
        if fate < 0.06:
            self.asset_classes.append(_class(coin_id, kind))
        elif fate < 0.085:
            turn = born + DAY * chance.randrange(700)
            first, then = chance.choice([("coin", kind), (kind, "coin")])
            self.asset_classes.append(_class(coin_id, first, None, turn))
            self.asset_classes.append(_class(coin_id, then, turn, None))
        elif fate < 0.091:
            # Nobody has looked yet: no class for its first months.
            self.asset_classes.append(_class(coin_id, "coin", born + DAY * chance.randrange(120)))
        elif fate > 0.092:
            self.asset_classes.append(_class(coin_id, "coin"))

    def _holes(self, birth: int, death: int) -> set[int]:
        chance = self.chance
        holes = set(range(death, self.day_count))
        for _ in range(chance.choice([0, 1, 2, 5])):
            first = chance.randrange(birth + 1, self.day_count + 1)
            holes |= set(range(first, first + chance.choice([1, 1, 1, 2, 4, 6, 7, 10])))
        return holes

    def _names(self, coin_id: str, birth: int, death: int) -> list[tuple[str, int, int, float]]:
        """Return the ids that a coin has: name, first day, day after the last, units of it."""
        chance = self.chance
        end = self.day_count
        if coin_id == "bitcoin" or chance.random() > 0.06:
            return [(coin_id, 0, end, 1.0)]
        names = [coin_id, f"{coin_id}-new"]
        if chance.random() < 0.25:
            names.append(f"{coin_id}-newer")
        found, first, units = [], 0, 1.0
        for number, name in enumerate(names):
            self.asset_classes += [_class(name, "coin")] if number else []
            if name == names[-1]:
                found.append((name, first, end, units))
                break
            swap = first + (end - first) // (len(names) + 1) + chance.randrange(1, end // 4)
            last = swap + chance.choice([0, 0, 0, 1, 25, 60, -3, -9])
            first_of_next = swap + chance.choice([0, 0, 0, 0, 1, 2, 8, -20])
            found.append((name, first, last, units))
            ratio = chance.choice([1.0, 1.0, 1000.0, 24000.0, 0.01, 0.5])
            self.links.append(
                {
                    "predecessor_coin_id": name,
                    "successor_coin_id": names[number + 1],
                    "units_per_predecessor": ratio,
                    "effective_date": self.start + DAY * swap,
                    "kind": "migration",
                }
            )
            first, units = first_of_next, units * ratio
        return found

    def _redenomination(self, coin_id: str, birth: int, death: int) -> tuple[int, float]:
        if self.chance.random() > 0.02:
            return self.day_count, 1.0
        day, ratio = self.chance.randrange(birth, self.day_count), self.chance.choice([100.0, 0.1])
        if any(link["predecessor_coin_id"].startswith(coin_id) for link in self.links):
            return self.day_count, 1.0
        self.redenominations.append(
            {
                "coin_id": coin_id,
                "effective_date": self.days[day],
                "new_units_per_old_unit": ratio,
            }
        )
        return day, ratio

    # Telling it.

    def _is_told(self, day: int) -> bool:
        return day >= self.dense_from or (self.days[day] + DAY).day == 1

    def _tell(
        self,
        day: int,
        vendor: str,
        coin_id: str,
        price: float,
        supply: float | None,
        volume: float,
    ) -> None:
        chance = self.chance
        cap = None if supply is None else price * supply
        slip = chance.random()
        if slip < 0.003:
            supply = chance.choice([None, 0.0])
        elif slip < 0.006:
            supply, cap = None, 0.0
        elif slip < 0.01:
            cap = None
        market_date = self.days[day]
        is_live = day >= self.live_from
        known_at = midnight(market_date + DAY) + timedelta(minutes=30)
        if not is_live:
            known_at = midnight(self.start + DAY * (self.live_from + 7))
        elif chance.random() < 0.004:
            known_at += DAY * chance.randrange(1, 40)
        self.rows.append(
            {
                "market_date": market_date,
                "source": vendor,
                "coin_id": coin_id,
                "symbol": coin_id,
                "name": coin_id,
                "price_usd": price,
                "market_cap_usd": cap,
                "circulating_supply": supply,
                "volume_24h_usd": None if chance.random() < 0.003 else volume,
                "provider_rank": None,
                "known_at": known_at,
                "run_id": "run",
                "vintage": "live" if is_live else "reconstructed",
            }
        )

    # What happens to what was told.

    def _merge(self) -> None:
        """Let some coins become units of another that lives on."""
        chance = self.chance
        changed = {row["coin_id"] for row in self.redenominations}
        changed |= {row["predecessor_coin_id"] for row in self.links}
        plain = sorted(self.paths.keys() - changed - {"bitcoin"})
        for _ in range(2):
            old, new = chance.sample(plain, 2)
            plain.remove(old)
            plain.remove(new)
            day = chance.randrange(self.day_count // 4, self.day_count)
            self.links.append(
                {
                    "predecessor_coin_id": old,
                    "successor_coin_id": new,
                    "units_per_predecessor": self.paths[old][day] / self.paths[new][day],
                    "effective_date": self.days[day],
                    "kind": "merger",
                }
            )
            last = self.days[day] + DAY * chance.choice([-2, 0, 0, 30])
            self.rows = [
                row for row in self.rows if row["coin_id"] != old or row["market_date"] < last
            ]

    def _add_twins(self) -> None:
        """Add coins that tie with another by cap, by volume too or not."""
        chance = self.chance
        for _ in range(2):
            coin_id = f"coin-{chance.randrange(1, self.coin_count):03d}"
            has_same_volume, first = chance.random() < 0.5, chance.choice(self.days[:200])
            twin = f"{coin_id}-twin"
            changed = {row["coin_id"] for row in self.redenominations}
            changed |= {row["predecessor_coin_id"] for row in self.links}
            # A tie must be one of the same numbers, not of numbers that round to the same.
            if coin_id in changed or any(row["coin_id"] == twin for row in self.asset_classes):
                continue
            self.asset_classes.append(_class(twin, "coin"))
            self.rows += [
                row
                | {"coin_id": twin}
                | ({} if has_same_volume else {"volume_24h_usd": 2 * (row["volume_24h_usd"] or 1)})
                for row in self.rows
                if row["coin_id"] == coin_id and row["market_date"] >= first
            ]

    def _add_outages(self) -> None:
        """Lose some nights: whole ones, or most of one."""
        lost = {
            day: self.chance.choice([1.0, 0.7, 0.4]) for day in self.chance.sample(self.days, 8)
        }
        first = self.chance.choice(self.days)
        lost |= {first + DAY * number: 1.0 for number in range(self.chance.choice([2, 4, 8]))}
        self.rows = [
            row for row in self.rows if self.chance.random() >= lost.get(row["market_date"], 0)
        ]

    def _revise(self) -> None:
        self.rows += list(self._revisions())

    def _revisions(self) -> Iterator[Row]:
        chance = self.chance
        for row in self.rows:
            fate = chance.random()
            if fate < 0.004:
                later = row["known_at"] + timedelta(hours=chance.choice([2, 30, 60, 200, 900]))
                factor = chance.choice([0.8, 0.97, 1.01, 1.25])
                changed = chance.choice(["price_usd", "circulating_supply", "volume_24h_usd"])
                value = None if row[changed] is None else row[changed] * factor
                yield row | {"known_at": later, changed: value, "run_id": "revision"}
            elif fate < 0.0045:
                # Taken back.
                yield row | {
                    "known_at": row["known_at"] + timedelta(hours=chance.choice([3, 100])),
                    "price_usd": None,
                    "market_cap_usd": None,
                    "run_id": "revision",
                }
            elif fate < 0.008 and row["vintage"] == "live":
                # The same day, told again by an archive that was loaded later.
                yield row | {
                    "known_at": row["known_at"] + 50 * DAY,
                    "price_usd": row["price_usd"] * 1.02,
                    "vintage": "reconstructed",
                    "run_id": "archive",
                }


def _class(coin_id: str, kind: str, start: date | None = None, end: date | None = None) -> Row:
    return {
        "coin_id": coin_id,
        "asset_class": kind,
        "effective_from": start,
        "effective_to": end,
    }


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
