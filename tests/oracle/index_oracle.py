"""The rulebook of the indices, written a second time from its words.

Everything here follows ``docs/methodology.md`` and shares nothing with the models in
``sql/``: no query, no table between, no rounding. Prices, supplies and caps are whole
multiples of two to the minus 192, which holds every double of a market as it is, so two
coins tie only where they are equal. It is plain and walks day by day; the numbers in
brackets name the sections of the methodology. ::

    market = Market(observations, Reference(...))
    house = Oracle(market, "house").run()
    house.levels["top100", date(2024, 1, 31)]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

Row = Mapping[str, Any]
DAY = timedelta(days=1)

# Every quantity is an int that counts units of two to the minus PLACES: a double above
# 1e-42 is one of them to its last digit, and adding them up is exact in any order.
PLACES = 192
ONE = 1 << PLACES
SEGMENTS = ("large", "mid", "small")
LATEST = datetime.max.replace(tzinfo=UTC)


def exact(value: Any) -> int | None:
    """Return a number of an input row as the fraction that it is."""
    if value is None:
        return None
    above, below = float(value).as_integer_ratio()
    return (above << PLACES) // below


def number_of(value: Any) -> int:
    """Return a number of a reference table, in the digits that it is written in."""
    fraction = Fraction(str(value))
    return (fraction.numerator << PLACES) // fraction.denominator


def as_float(value: int) -> float:
    """Return the double nearest to a quantity."""
    return float(Fraction(value, ONE))


def product(one: int, other: int) -> int:
    """Return one quantity times another."""
    return one * other >> PLACES


def quotient(above: int, below: int) -> int:
    """Return one quantity over another."""
    return (above << PLACES) // below


def median(values: Iterable[int]) -> int | None:
    """Return the middle one, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return None
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def midnight(day: date) -> datetime:
    """Return 00:00 UTC of a day."""
    return datetime.combine(day, time(), tzinfo=UTC)


def days_between(first: date, last: date) -> list[date]:
    """Return all days from one to the other, both included."""
    return [first + DAY * number for number in range((last - first).days + 1)]


def holds(row: Row, day: date, start: str = "effective_from", end: str = "effective_to") -> bool:
    """Return whether a dated row of a reference table holds on a day."""
    begun = row.get(start) is None or row[start] <= day
    return begun and (row.get(end) is None or day < row[end])


@dataclass(frozen=True)
class Reference:
    """Rows of the reference tables."""

    rulebook: Sequence[Row]
    index_definition: Sequence[Row]
    asset_class: Sequence[Row] = ()
    coin_link: Sequence[Row] = ()
    coin_xref: Sequence[Row] = ()
    redenomination: Sequence[Row] = ()
    supply_confirmation: Sequence[Row] = ()


class Word(NamedTuple):
    """What a vendor said of a coin and a day, in today's units."""

    vendor: str
    price: int | None
    supply: int | None
    volume: int | None
    known: datetime
    told: datetime
    is_live: bool


class DayPrice(NamedTuple):
    """The price of a day."""

    price: int
    is_live: bool


class Position(NamedTuple):
    """What a position in a coin looks like at a close, per unit of the coin."""

    price: int
    last_day: date
    is_live: bool
    middle: int | None
    before: tuple[int, int | None] | None
    missed_nights: int

    def is_collapsed(self, fraction: Fraction) -> bool:
        """Return whether the last price is so small beside the median of the 30 days before."""
        return self.middle is not None and self.price < fraction * self.middle

    def was_collapsed(self, fraction: Fraction) -> bool:
        """Return the same of the price before the last."""
        if self.before is None or self.before[1] is None:
            return False
        return self.before[0] < fraction * self.before[1]


def walk(
    days: Sequence[date],
    price_on: Callable[[date], DayPrice | None],
    nights: Collection[date],
) -> dict[date, Position]:
    """Return what a position looks like at every close from its first price on.

    The median of the 30 days before is worked out only where the price is below half of
    the highest of them: above that it cannot have collapsed.
    """
    seen: list[tuple[date, int]] = []
    found: dict[date, Position] = {}
    last: Position | None = None
    for day in days:
        today = price_on(day)
        if today is not None:
            while seen and seen[0][0] < day - 30 * DAY:
                del seen[0]
            past = [price for _, price in seen]
            last = Position(
                price=today.price,
                last_day=day,
                is_live=today.is_live,
                middle=median(past) if past and 2 * today.price < max(past) else None,
                before=None if last is None else (last.price, last.middle),
                missed_nights=0,
            )
            seen.append((day, today.price))
        elif last is not None and day in nights:
            last = last._replace(missed_nights=last.missed_nights + 1)
        if last is not None:
            found[day] = last
    return found


def market_nights(days: Sequence[date], counts: Mapping[date, int]) -> set[date]:
    """Return the days on which at least half as many coins were seen as on the best of seven."""
    return {
        day
        for day in days
        if counts.get(day, 0) > 0
        and 2 * counts[day] >= max(counts.get(day - DAY * back, 0) for back in range(1, 8))
    }


class Summary(NamedTuple):
    """The medians over the vendors of a coin and a day."""

    price: int | None
    supply: int | None
    volume: int | None
    is_live: bool

    def in_units(self, ratio: int) -> Summary:
        """Return it in other units, of which one unit makes ``ratio``."""
        return self._replace(
            price=None if self.price is None else quotient(self.price, ratio),
            supply=None if self.supply is None else product(self.supply, ratio),
        )


NOTHING = Summary(None, None, None, is_live=False)


@dataclass(frozen=True)
class Measure:
    """What a review sees of a coin (3.2)."""

    rank_caps: dict[date, int]
    prices: dict[date, int]
    volumes: dict[date, int]
    live_days: frozenset[date]
    first_day: date


class Market:
    """The vendors' words, the prices made of them, and what a review could know."""

    def __init__(self, observations: Iterable[Row], reference: Reference) -> None:
        self.reference = reference
        self._links = {row["predecessor_coin_id"]: row for row in reference.coin_link}
        self.words: dict[str, dict[date, list[Word]]] = {}
        for row in observations:
            self._read(row)
        seen = sorted({day for days in self.words.values() for day in days})
        self.first_day, self.last_day = seen[0], seen[-1]
        self.days = days_between(self.first_day, self.last_day)
        self._heirs: dict[str, list[tuple[str, int, date]]] = {}
        # When the last word on a day came, and what its words come to from then on.
        self._summaries: dict[tuple[str, date], tuple[datetime, Summary]] = {}
        self._positions: dict[str, dict[date, Position]] = {}
        self._measures: dict[tuple[date, date, datetime], dict[str, Measure]] = {}
        self._counts: dict[tuple[date, datetime], int] = {}
        self._known_nights: dict[tuple[date, date, datetime], set[date]] = {}
        self._known_positions: dict[tuple[str, date, date, datetime], dict[date, Position]] = {}

    # Inputs (2).

    def _read(self, row: Row) -> None:
        day, vendor = row["market_date"], row["source"]
        coin = self._our_id(vendor, row["coin_id"], day)
        price = exact(row["price_usd"])
        cap = exact(row["market_cap_usd"]) or None
        supply = exact(row["circulating_supply"]) or None
        if supply is None and cap is not None and price:
            supply = quotient(cap, price)
        for change in self.reference.redenomination:
            if change["coin_id"] == coin and day < change["effective_date"]:
                ratio = number_of(change["new_units_per_old_unit"])
                price = None if price is None else quotient(price, ratio)
                supply = None if supply is None else product(supply, ratio)
        is_live = row["vintage"] == "live"
        word = Word(
            vendor=vendor,
            price=price or None,
            supply=supply,
            volume=exact(row["volume_24h_usd"]),
            known=row["known_at"] if is_live else midnight(day + DAY),
            told=row["known_at"],
            is_live=is_live,
        )
        self.words.setdefault(coin, {}).setdefault(day, []).append(word)

    def _our_id(self, vendor: str, vendor_id: str, day: date) -> str:
        for row in self.reference.coin_xref:
            if (row["source"], row["source_coin_id"]) == (vendor, vendor_id) and holds(
                row, day, "valid_from", "valid_to"
            ):
                return str(row["coin_id"])
        return vendor_id

    def standing(self, coin: str, day: date, by: datetime = LATEST) -> list[Word]:
        """Return the word of each vendor that stood at an instant."""
        standing: dict[str, Word] = {}
        for word in self.words.get(coin, {}).get(day, ()):
            if word.known <= by:
                other = standing.get(word.vendor)
                if other is None or (word.is_live, word.told) > (other.is_live, other.told):
                    standing[word.vendor] = word
        return list(standing.values())

    # Prices (2).

    @cached_property
    def prices(self) -> dict[str, dict[date, DayPrice]]:
        """The price of every coin on every day that has one."""
        return {coin: self._prices_of(coin) for coin in sorted(self.words)}

    def _prices_of(self, coin: str) -> dict[date, DayPrice]:
        found: dict[date, DayPrice] = {}
        middle_before: int | None = None
        price_before: int | None = None
        jumped_before = False
        for day in sorted(self.words[coin]):
            words = [word for word in self.standing(coin, day) if word.price is not None]
            if not words:
                continue
            kept = self._agreeing(words, middle_before)
            middle_before = median(word.price for word in words if word.price)
            price = median(word.price for word in kept if word.price)
            if price is None:
                continue
            has_jumped = (
                len(kept) == 1
                and price_before is not None
                and (price >= 10 * price_before or 10 * price <= price_before)
            )
            told = DayPrice(price, any(word.is_live for word in kept))
            if not has_jumped or jumped_before:
                found[day] = told
            elif day < self.last_day:
                # Nothing on the day after to speak against it: it counts from then on.
                found[day + DAY] = told
            price_before, jumped_before = price, has_jumped
        return found

    @staticmethod
    def _agreeing(words: list[Word], before: int | None) -> list[Word]:
        """Return the words that make the price: see the rules for two and for three or more."""
        prices = [word.price for word in words if word.price is not None]
        if len(words) >= 3:
            middle = median(prices)
            assert middle is not None
            return [
                word for word in words if word.price and 10 * abs(word.price - middle) <= middle
            ]
        if len(words) == 2 and 10 * max(prices) > 11 * min(prices) and before is not None:

            def distance(word: Word) -> int:
                assert word.price is not None
                return max(quotient(word.price, before), quotient(before, word.price))

            return [min(words, key=distance)]
        return words

    @cached_property
    def nights(self) -> set[date]:
        """The market nights."""
        return market_nights(self.days, self._seen_counts(self.days, LATEST))

    def _seen_counts(self, days: Sequence[date], by: datetime) -> dict[date, int]:
        """Return how many coins a vendor priced on a day, as known by an instant."""
        for day in days:
            if (day, by) not in self._counts:
                self._counts[day, by] = sum(
                    self._summary(coin, day, by).price is not None for coin in self.words
                )
        return {day: self._counts[day, by] for day in days}

    # Migrations (2).

    def heirs(self, coin: str) -> list[tuple[str, int, date]]:
        """Return what a coin became, the last one last: heir, ratio and first day."""
        if coin not in self._heirs:
            found, name, ratio, first = [], coin, ONE, date.min
            while name in self._links:
                link = self._links[name]
                name = link["successor_coin_id"]
                ratio = product(ratio, number_of(link["units_per_predecessor"]))
                first = max(first, link["effective_date"])
                found.append((name, ratio, first))
            self._heirs[coin] = found
        return self._heirs[coin]

    def position(self, coin: str, day: date) -> Position | None:
        """Return what a position in a coin looks like at a close; None before its first price."""
        if coin not in self._positions:
            self._positions[coin] = walk(
                self.days,
                lambda day: self._through_heirs(
                    coin, day, lambda form: self.prices.get(form, {}).get(day)
                ),
                self.nights,
            )
        return self._positions[coin].get(day)

    def _through_heirs(
        self, coin: str, day: date, price_of: Callable[[str], DayPrice | None]
    ) -> DayPrice | None:
        """Return the price of the last form of a coin that has one, per unit of the coin."""
        for heir, ratio, first in reversed(self.heirs(coin)):
            price = price_of(heir) if first <= day else None
            if price is not None:
                return price._replace(price=product(price.price, ratio))
        return price_of(coin)

    # What a review sees (3.1 and 3.2).

    def measure(self, first: date, cutoff: date, by: datetime) -> dict[str, Measure]:
        """Return what was known by an instant of the coins seen in a span of days."""
        key = (first, cutoff, by)
        if key not in self._measures:
            found = {coin: self._measure(coin, *key) for coin in sorted(self.words)}
            self._measures[key] = {c: measure for c, measure in found.items() if measure}
        return self._measures[key]

    def _measure(self, coin: str, first: date, cutoff: date, by: datetime) -> Measure | None:
        caps: dict[date, int] = {}
        prices: dict[date, int] = {}
        volumes: dict[date, int] = {}
        live_days = set()
        supply: int | None = None
        own_days = 0
        old_forms = self._old_forms(coin, cutoff)
        for day in days_between(first, cutoff):
            summary = self._summary(coin, day, by)
            own_days += summary.price is not None
            for old, ratio in old_forms:
                if summary.price is None:
                    summary = self._summary(old, day, by).in_units(ratio)
            if summary.price is None:
                continue
            prices[day] = summary.price
            supply = summary.supply or supply
            if supply is not None:
                caps[day] = product(summary.price, supply)
            if summary.volume is not None:
                volumes[day] = summary.volume
            if summary.is_live:
                live_days.add(day)
        if not own_days:
            return None
        return Measure(caps, prices, volumes, frozenset(live_days), self.first_seen(coin, by))

    def _old_forms(self, coin: str, cutoff: date) -> list[tuple[str, int]]:
        """Return what became a coin otherwise than in a merger, the nearest first."""
        found = []
        for old in sorted(self._links):
            heirs = self.heirs(old)
            for links, (heir, ratio, since) in enumerate(heirs, start=1):
                path = [old, *(name for name, _, _ in heirs)][:links]
                has_merger = any(self._links[name]["kind"] == "merger" for name in path)
                if heir == coin and since <= cutoff and not has_merger:
                    found.append((links, old, ratio))
        return [(old, ratio) for _, old, ratio in sorted(found)]

    def _summary(self, coin: str, day: date, by: datetime) -> Summary:
        words = self.words[coin].get(day) if coin in self.words else None
        if words is None:
            return NOTHING
        key = (coin, day)
        if key not in self._summaries:
            last_word = max(word.known for word in words)
            self._summaries[key] = (last_word, self._summarise(coin, day, LATEST))
        last_word, summary = self._summaries[key]
        return summary if last_word <= by else self._summarise(coin, day, by)

    def _summarise(self, coin: str, day: date, by: datetime) -> Summary:
        words = [word for word in self.standing(coin, day, by) if word.price is not None]
        return Summary(
            price=median(word.price for word in words if word.price),
            supply=median(word.supply for word in words if word.supply),
            volume=median(word.volume for word in words if word.volume is not None),
            is_live=any(word.is_live for word in words),
        )

    def predecessors(self, coin: str) -> list[tuple[str, date]]:
        """Return what became a coin, and from which day on."""
        return [
            (old, since)
            for old in sorted(self._links)
            for heir, _, since in self.heirs(old)
            if heir == coin
        ]

    def first_seen(self, coin: str, by: datetime) -> date:
        """Return the first day on which a coin was priced, as known by an instant."""
        for day in sorted(self.words.get(coin, {})):
            if any(word.price and word.known <= by for word in self.words[coin][day]):
                return day
        return date.max

    # Between cut-off and weighting date (3.7).

    def known_position(
        self, coin: str, day: date, span: tuple[date, date, datetime]
    ) -> Position | None:
        """Return a position at a close by the words of a span of days known by an instant."""
        first, last, by = span
        if span not in self._known_nights:
            days = days_between(first, last)
            self._known_nights[span] = market_nights(days, self._seen_counts(days, by))
        key = (coin, *span)
        if key not in self._known_positions:
            self._known_positions[key] = walk(
                days_between(first, last),
                lambda day: self._through_heirs(
                    coin, day, lambda form: self._known_price(form, day, by)
                ),
                self._known_nights[span],
            )
        return self._known_positions[key].get(day)

    def _known_price(self, coin: str, day: date, by: datetime) -> DayPrice | None:
        summary = self._summary(coin, day, by)
        return None if summary.price is None else DayPrice(summary.price, summary.is_live)

    def supply_seen(self, coin: str, cutoff: date, span: tuple[date, date, datetime]) -> list[int]:
        """Return the vendors' supplies of the last day that has one, of an old form if need be."""
        first, last, by = span
        for form, ratio in [(coin, ONE), *self._old_forms(coin, cutoff)]:
            for day in reversed(days_between(first, last)):
                words = self.standing(form, day, by)
                if any(word.supply for word in words):
                    return sorted(product(word.supply, ratio) for word in words if word.supply)
        return []

    def asset_class(self, coin: str, day: date) -> str | None:
        """Return the class of a coin on a day."""
        for row in self._classes.get(coin, ()):
            if holds(row, day):
                return str(row["asset_class"])
        return None

    @cached_property
    def _classes(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.reference.asset_class:
            found.setdefault(row["coin_id"], []).append(row)
        return found


@dataclass(frozen=True)
class Decision:
    """What a review decided about a coin (3.3 to 3.7)."""

    coin: str
    reason: str | None
    rank: int | None
    sitting: str | None
    segment: str | None
    trigger: str | None = None


@dataclass(frozen=True)
class Review:
    """A review and what it decided."""

    effective_date: date
    weighting_date: date
    cutoff_date: date
    status: str
    newcomer_count: int
    decisions: dict[str, Decision]
    units: dict[str, int]
    held_back: frozenset[str]

    @property
    def is_held(self) -> bool:
        return self.status == "held"


@dataclass(frozen=True)
class Holding:
    """A constituent at a review: units, and the factor that its index sets (3.9)."""

    units: int
    factor: int
    weight: int


@dataclass(frozen=True)
class Deletion:
    """A member that left between two reviews (4)."""

    day: date
    coin: str
    reason: str
    price: int


@dataclass(frozen=True)
class DivisorChange:
    """Both sides of a change of basket."""

    kind: str
    value_before: int | None
    value_after: int
    divisor_before: int | None
    divisor_after: int


@dataclass
class Outcome:
    """What the rulebook says of a market."""

    reviews: dict[date, Review] = field(default_factory=dict)
    holdings: dict[tuple[date, str], dict[str, Holding]] = field(default_factory=dict)
    deletions: list[Deletion] = field(default_factory=list)
    divisors: dict[tuple[str, date], DivisorChange] = field(default_factory=dict)
    levels: dict[tuple[str, date], int] = field(default_factory=dict)


class Oracle:
    """One profile's indices of one market, day by day."""

    def __init__(self, market: Market, profile: str) -> None:
        self.market = market
        self.profile = profile
        self._rules: dict[str, list[Row]] = {}
        self._values_of_rules: dict[tuple[str, date], Fraction | None] = {}
        for row in market.reference.rulebook:
            if row["profile"] == profile:
                self._rules.setdefault(row["rule"], []).append(row)
        self.indices = {row["index_id"]: row for row in market.reference.index_definition}
        self.out = Outcome()
        self._members: dict[str, str] = {}  # Segment of each member, deleted or not.
        self._units: dict[str, int] = {}
        self._left: dict[str, date] = {}
        self._held_from = date.min
        self._supplies_before: dict[str, int] = {}
        self._baskets: dict[str, dict[str, int]] = {}
        self._divisors: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    def rule(self, name: str, effective: date) -> Fraction | None:
        """Return the value of a rule on an effective date."""
        key = (name, effective)
        if key not in self._values_of_rules:
            rows = [row for row in self._rules.get(name, ()) if holds(row, effective)]
            self._values_of_rules[key] = Fraction(str(rows[0]["value"])) if rows else None
        return self._values_of_rules[key]

    def number(self, name: str, effective: date) -> Fraction:
        """Return the value of a rule that must be there."""
        value = self.rule(name, effective)
        if value is None:
            raise KeyError(name)
        return value

    def run(self) -> Outcome:
        """Walk through all days."""
        for day in self.market.days:
            review = self._review(day) if (day + DAY).day == 1 else None
            leaving = self._leaving(day)
            before = self._values(day, leaving)
            for index_id, value in before.items():
                level = quotient(value, self._divisors[index_id])
                self.out.levels[index_id, day] = level
            self.out.deletions += leaving.values()
            if review is not None:
                self.out.reviews[review.effective_date] = review
            if review is not None and review.is_held:
                self._take_in(review, before)
            elif leaving:
                self._let_go(day, leaving, before)
        return self.out

    # Level (4).

    def _values(self, day: date, leaving: Mapping[str, Deletion]) -> dict[str, int]:
        """Return the value of every basket at a close."""
        prices: dict[str, int] = {}
        for coin in self._members:
            position = self.market.position(coin, day)
            if coin in leaving:
                prices[coin] = leaving[coin].price
            elif position is not None:
                prices[coin] = position.price
        return {
            index_id: sum(quantity * prices[coin] for coin, quantity in basket.items()) >> PLACES
            for index_id, basket in self._baskets.items()
        }

    def _take_in(self, review: Review, before: Mapping[str, int]) -> None:
        """Change every basket at the close of a weighting date (3.8 to 3.10)."""
        day, effective = review.weighting_date, review.effective_date
        self._held_from = effective
        self._members = {d.coin: d.segment for d in review.decisions.values() if d.segment}
        self._units, self._left, self._baskets = review.units, {}, {}
        for index_id, definition in self.indices.items():
            chosen = [
                coin
                for coin, segment in sorted(self._members.items())
                if definition["universe"] in {"top100", segment}
                and coin != definition["excluded_coin_id"]
            ]
            if not chosen:
                if index_id in before:
                    self._ended[index_id] = before[index_id]
                continue
            holdings = self._weigh(chosen, definition, day)
            self.out.holdings[effective, index_id] = holdings
            self._baskets[index_id] = {
                coin: product(holding.units, holding.factor) for coin, holding in holdings.items()
            }
        after = self._values(day, {})
        base = number_of(self.number("base_level", effective))
        for index_id, value in after.items():
            # An index that lost all its members goes on from where it ended.
            old = before.get(index_id) or self._ended.get(index_id)
            if old:
                self._change_divisor("review", index_id, day, old, value)
            else:
                divisor = self._divisors[index_id] = quotient(value, base)
                self.out.divisors[index_id, day] = DivisorChange("base", None, value, None, divisor)
            if index_id not in before:
                self.out.levels[index_id, day] = quotient(value, self._divisors[index_id])

    def _change_divisor(self, kind: str, index_id: str, day: date, before: int, after: int) -> None:
        old = self._divisors[index_id]
        new = self._divisors[index_id] = old * after // before
        self.out.divisors[index_id, day] = DivisorChange(kind, before, after, old, new)

    def _leaving(self, day: date) -> dict[str, Deletion]:
        """Return the members that leave at a close: after a weighting date, up to the next one."""
        found = {}
        for coin in self._members:
            position = self.market.position(coin, day)
            if coin in self._left or position is None:
                continue
            reason = self._trigger(position, day, self._held_from)
            if reason is not None:
                is_worthless = reason == "collapsed and no longer priced"
                found[coin] = Deletion(day, coin, reason, 0 if is_worthless else position.price)
        return found

    def _trigger(self, position: Position, day: date, effective: date) -> str | None:
        """Return the trigger of deletion that a position meets at a close."""
        collapse = self.number("collapse_fraction", effective)
        patience = self.number("stale_remove_days", effective)
        long_patience = self.number("stale_remove_days_reconstructed", effective)
        if position.last_day == day:
            if position.is_collapsed(collapse) and position.was_collapsed(collapse):
                return "collapsed"
        elif position.is_collapsed(collapse) and position.missed_nights > patience:
            return "collapsed and no longer priced"
        elif position.missed_nights > (patience if position.is_live else long_patience):
            return "no longer priced"
        return None

    def _let_go(
        self, day: date, leaving: Mapping[str, Deletion], before: Mapping[str, int]
    ) -> None:
        self._left |= dict.fromkeys(leaving, day)
        for index_id, basket in list(self._baskets.items()):
            if not leaving.keys() & basket.keys():
                continue
            self._baskets[index_id] = {c: q for c, q in basket.items() if c not in leaving}
            if not self._baskets[index_id]:
                del self._baskets[index_id]
                self._ended[index_id] = before[index_id]
                continue
            after = self._values(day, {})[index_id]
            self._change_divisor("deletion", index_id, day, before[index_id], after)

    # Weights (3.9).

    def _weigh(self, coins: Sequence[str], definition: Row, day: date) -> dict[str, Holding]:
        caps: dict[str, int] = {}
        for coin in coins:
            position = self.market.position(coin, day)
            assert position is not None
            caps[coin] = product(self._units[coin], position.price)
        total = sum(caps.values())
        plain = {coin: quotient(cap, total) for coin, cap in caps.items()}
        target = plain
        if definition["weighting"] == "equal":
            target = dict.fromkeys(coins, ONE // len(coins))
        elif definition["weighting"] == "capped":
            target = capped(
                plain,
                number_of(definition["cap_first_fraction"]),
                number_of(definition["cap_rest_fraction"]),
            )
        return {
            coin: Holding(
                self._units[coin],
                ONE if target is plain else quotient(target[coin], plain[coin]),
                target[coin],
            )
            for coin in coins
        }

    # Review (3.1 to 3.8).

    def _review(self, weighting: date) -> Review:
        effective = weighting + DAY
        lead = int(self.number("cutoff_days_before_month_end", effective))
        cutoff = weighting - DAY * lead
        wait = int(self.number("review_known_within_days", effective))
        age = int(self.number("input_max_age_days", effective))
        first = cutoff - DAY * (age - 1)
        seen = self.market.measure(first, cutoff, midnight(cutoff + DAY * wait))
        heirs = {coin: self._heir(coin, cutoff, seen) for coin in {*seen, *self._members}}
        sitting = self._sitting(heirs)
        screened = _Screening(self, effective, cutoff, seen, heirs, sitting)
        status = screened.status()
        decisions = screened.decisions(status == "held")
        span = (first, weighting, midnight(weighting + DAY * wait))
        if status == "held":
            decisions = {
                coin: self._confirm(decision, cutoff, span, effective)
                for coin, decision in decisions.items()
            }
        units, held_back = self._supplies(
            {d.coin for d in decisions.values() if d.segment}, cutoff, span, heirs, sitting
        )
        return Review(
            effective_date=effective,
            weighting_date=weighting,
            cutoff_date=cutoff,
            status=status,
            newcomer_count=screened.newcomer_count,
            decisions=decisions,
            units=units,
            held_back=held_back,
        )

    def _confirm(
        self,
        decision: Decision,
        cutoff: date,
        span: tuple[date, date, datetime],
        effective: date,
    ) -> Decision:
        """Leave the seat of a coin empty that stands at a trigger of deletion (3.7)."""
        if decision.segment is None:
            return decision
        weighting = span[1]
        for day in days_between(min(cutoff + DAY, weighting), weighting):
            position = self.market.known_position(decision.coin, day, span)
            trigger = position and self._trigger(position, day, effective)
            if trigger:
                return replace(decision, segment=None, trigger=trigger)
        return decision

    def _heir(self, coin: str, cutoff: date, seen: Mapping[str, Measure]) -> tuple[str, int]:
        """Return the last successor that is priced by a cut-off, or the coin itself."""
        found = (coin, ONE)
        for heir, ratio, first in self.market.heirs(coin):
            if first <= cutoff and heir in seen:
                found = (heir, ratio)
        return found

    def _sitting(self, heirs: Mapping[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
        """Return segment and present units of who has a seat, the heir in its own units."""
        found: dict[str, tuple[str, int]] = {}
        for coin, segment in self._members.items():
            heir, ratio = heirs[coin]
            other, units = found.get(heir, (segment, 0))
            better = min(segment, other, key=SEGMENTS.index)
            found[heir] = (better, units + product(self._units[coin], ratio))
        return found

    def _supplies(
        self,
        chosen: set[str],
        cutoff: date,
        span: tuple[date, date, datetime],
        heirs: Mapping[str, tuple[str, int]],
        sitting: Mapping[str, tuple[str, int]],
    ) -> tuple[dict[str, int], frozenset[str]]:
        """Return the units of the chosen, and who keeps the present ones (3.8)."""
        effective = span[1] + DAY
        gate = self.rule("supply_change_gate_fraction", effective)
        # What the last review held saw, the heir of a member in its own units.
        before: dict[str, int] = {}
        for old, seen in self._supplies_before.items():
            heir, ratio = heirs[old]
            before[heir] = before.get(heir, 0) + product(seen, ratio)
        units, saw, held_back = {}, {}, set()
        for coin in chosen:
            said = self.market.supply_seen(coin, cutoff, span)
            supply = median(said)
            assert supply is not None
            units[coin] = saw[coin] = supply
            if gate is None or coin not in sitting:
                continue
            present = sitting[coin][1]
            if (
                not _is_near(supply, present, gate)
                and not _is_near(supply, before[coin], gate)
                and not self._is_confirmed(coin, effective, said)
            ):
                units[coin] = present
                held_back.add(coin)
        if chosen:
            self._supplies_before = saw
        return units, frozenset(held_back)

    def _is_confirmed(self, coin: str, effective: date, said: Sequence[int]) -> bool:
        agreement = self.number("supply_agreement_fraction", effective)
        supply = median(said)
        assert supply is not None
        return any(
            smaller <= supply <= larger <= smaller * (1 + agreement)
            for smaller, larger in pairwise(said)
        ) or any(
            row["coin_id"] == coin and row["effective_date"] == effective
            for row in self.market.reference.supply_confirmation
        )


def _is_near(value: int, other: int, fraction: Fraction) -> bool:
    return abs(value - other) <= fraction * other


def capped(weights: Mapping[str, int], first: int, rest: int) -> dict[str, int]:
    """Return weights of which the heaviest is at most one cap and each other at most another.

    Names above their cap get the cap and the rest share what is left in proportion, again
    and again until none is above. Where there are too few names for the caps, all weigh the same.
    """
    heaviest = min(weights, key=lambda coin: (-weights[coin], coin))
    limit = {coin: first if coin == heaviest else rest for coin in weights}
    if sum(limit.values()) < ONE:
        return dict.fromkeys(weights, ONE // len(weights))
    found, at_cap = dict(weights), set[str]()
    while above := {coin for coin in found if coin not in at_cap and found[coin] > limit[coin]}:
        at_cap |= above
        left = ONE - sum(limit[coin] for coin in at_cap)
        free = sum(weights[coin] for coin in weights if coin not in at_cap)
        found = {
            coin: limit[coin] if coin in at_cap else weights[coin] * left // free
            for coin in weights
        }
    return found


class _Screening:
    """Steps 3 to 6 of one review."""

    def __init__(
        self,
        oracle: Oracle,
        effective: date,
        cutoff: date,
        seen: Mapping[str, Measure],
        heirs: Mapping[str, tuple[str, int]],
        sitting: Mapping[str, tuple[str, int]],
    ) -> None:
        self.oracle, self.effective, self.cutoff = oracle, effective, cutoff
        self.seen, self.heirs, self.sitting = seen, heirs, sitting
        self.classes = {coin: oracle.market.asset_class(coin, cutoff) for coin in seen}
        self.last_30 = days_between(cutoff - DAY * 29, cutoff)
        self.live_nights = {day for day in self.last_30 if self._is_live_night(day)}
        self.first_day = {coin: self._first_day(coin) for coin in seen}
        self.cap = {coin: self._rank_cap(seen[coin]) for coin in seen}
        self.volume = {coin: self._last_30_median(seen[coin].volumes) for coin in seen}
        # Everybody who could be ranked at all (4).
        self.general = {
            coin: rank
            for rank, coin in enumerate(
                self._ranked(c for c in seen if self._shut_out(c) is None), start=1
            )
        }
        self.newcomer_count = sum(self._reason(coin, is_sitting=False) is None for coin in seen)

    def _rule(self, name: str) -> Fraction:
        return self.oracle.number(name, self.effective)

    # Measures.

    def _is_live_night(self, day: date) -> bool:
        counted = [measure for measure in self.seen.values() if day in measure.prices]
        live = sum(day in measure.live_days for measure in counted)
        return bool(counted) and 2 * live >= len(counted)

    def _first_day(self, coin: str) -> date:
        """Return the first day ever priced, a predecessor's where there is one."""
        market = self.oracle.market
        by = midnight(self.cutoff + DAY * int(self._rule("review_known_within_days")))
        first = self.seen[coin].first_day
        for old, since in market.predecessors(coin):
            if since <= self.cutoff:
                first = min(first, market.first_seen(old, by))
        return first

    def _rank_cap(self, measure: Measure) -> int | None:
        if not measure.rank_caps:
            return None
        window = self.cutoff - DAY * (int(self._rule("rank_window_days")) - 1)
        caps = [cap for day, cap in measure.rank_caps.items() if day >= window]
        return median(caps) if caps else measure.rank_caps[max(measure.rank_caps)]

    def _last_30_median(self, values: Mapping[date, int]) -> int | None:
        return median(values[day] for day in self.last_30 if day in values)

    def _ranked(self, coins: Iterable[str]) -> list[str]:
        def place(coin: str) -> tuple[int, int, date, str]:
            cap, volume = self.cap[coin], self.volume[coin]
            assert cap is not None
            traded = -1 if volume is None else volume
            return (-cap, -traded, self.first_day[coin], coin)

        return sorted(coins, key=place)

    # Screens, in their order (3.3).

    def _shut_out(self, coin: str) -> str | None:
        kind = self.classes[coin]
        if kind is not None and self.oracle.rule(f"exclude_class.{kind}", self.effective):
            return "class excluded"
        if self.heirs[coin][0] != coin:
            return "migrated to a successor"
        if self.cap[coin] is None:
            return "no circulating supply"
        return None

    def _reason(self, coin: str, *, is_sitting: bool) -> str | None:
        shut_out = self._shut_out(coin)
        if shut_out is not None:
            return shut_out
        measure = self.seen[coin]
        if self._is_too_young(coin):
            return "too young"
        if self.live_nights:
            seen_on = self.live_nights & measure.prices.keys()
            part = Fraction(len(seen_on), len(self.live_nights))
            if part < self._rule("min_observed_fraction"):
                return "priced on too few days"
        middle = self._last_30_median(measure.prices)
        last_day = max(measure.prices)
        collapse = self._rule("collapse_fraction")
        if middle is not None and measure.prices[last_day] < collapse * middle:
            return "price collapsed"
        stale = self.oracle.rule("max_stale_days_at_cutoff", self.effective)
        days_seen = sum(day in measure.prices for day in self.last_30)
        if stale is not None and days_seen >= 10 and (self.cutoff - last_day).days > stale:
            return "no longer priced"
        if self._is_too_little_traded(coin, is_sitting=is_sitting):
            return "too little traded"
        return None

    def _is_too_young(self, coin: str) -> bool:
        first = self.first_day[coin]
        if first == self.oracle.market.first_day:
            return False
        age = (self.cutoff - first).days
        is_fast = self.general[coin] <= self._rule("fast_entry_rank")
        return age < self._rule("fast_entry_age_days" if is_fast else "min_age_days")

    def _is_too_little_traded(self, coin: str, *, is_sitting: bool) -> bool:
        asked = self._rule("min_median_volume_usd")
        turnover = self._rule("min_turnover_ratio")
        if is_sitting:
            asked *= self._rule("sitting_volume_fraction")
        volume, cap = self.volume[coin], self.cap[coin]
        assert cap is not None
        if volume is None:
            return asked > 0 or turnover > 0
        return volume < asked * ONE or 365 * volume < turnover * cap

    # Held or not (3.4).

    def status(self) -> str:
        """Return held, blocked or called off."""
        limit = self._rule("unclassified_block_rank")
        if any(self.classes[coin] is None and rank <= limit for coin, rank in self.general.items()):
            return "blocked"
        if self.newcomer_count < self._rule("min_candidate_count"):
            return "called off"
        return "held"

    # Rank and seats (3.5 and 3.6).

    def decisions(self, is_held: bool) -> dict[str, Decision]:
        """Return what becomes of every candidate."""
        reasons = {coin: self._reason(coin, is_sitting=coin in self.sitting) for coin in self.seen}
        ranked = self._ranked(coin for coin, reason in reasons.items() if reason is None)
        ranks = {coin: rank for rank, coin in enumerate(ranked, start=1)}
        segments = self._seats(ranked) if is_held else {}
        return {
            coin: Decision(
                coin=coin,
                reason=reasons[coin],
                rank=ranks.get(coin),
                sitting=self.sitting[coin][0] if coin in self.sitting else None,
                segment=segments.get(coin),
            )
            for coin in self.seen
        }

    def _seats(self, ranked: Sequence[str]) -> dict[str, str]:
        segments: dict[str, str] = {}
        for place, name in enumerate(SEGMENTS):
            seats = int(self._rule(f"last_rank.{name}"))
            buffer = self._rule(f"buffer_fraction.{name}")
            sure, near = seats * (1 - buffer), seats * (1 + buffer)
            cumulative = SEGMENTS[: place + 1]
            queue = [coin for rank, coin in enumerate(ranked, start=1) if rank <= sure]
            queue += [
                coin
                for rank, coin in enumerate(ranked, start=1)
                if sure < rank <= near
                and coin in self.sitting
                and self.sitting[coin][0] in cumulative
            ]
            queue += [coin for coin in ranked if coin not in set(queue)]
            for coin in queue[:seats]:
                segments.setdefault(coin, name)
        return segments
