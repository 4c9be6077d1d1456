"""A simulated crypto and equity market: one seed, one history, however far it is extended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd

from pipeline.errors import ConfigurationError
from pipeline.sandbox.aggregates import Aggregates, simulate_aggregates
from pipeline.sandbox.cast import COLLAPSING_COIN_ID, Coin, Kind, Scenario, cast_coins
from pipeline.sandbox.derivatives import Derivatives, simulate_derivatives
from pipeline.sandbox.factors import Factors, simulate_factors
from pipeline.sandbox.flows import Flows, simulate_flows
from pipeline.sandbox.paths import CoinPaths, simulate_coins
from pipeline.sandbox.perps import cast_perps
from pipeline.sandbox.randomness import Floats
from pipeline.sandbox.snapshots import add_vendor_figures
from pipeline.sandbox.truths import Truths, collect_truths

DEFAULT_FIRST_DAY = date(2022, 1, 1)
DEFAULT_COIN_COUNT = 300
LONGEST_SPAN_DAYS = 30 * 366
EQUITY_TICKERS = ("RUT", "SPX")

# Arrays always span whole blocks: a vectorised function may round the last few elements
# of an array by another code path, and no day may change when the market is extended.
_BLOCK_DAYS = 256
_SNAPSHOTS_KEPT = 16

_CLASS_BOUNDS = ((25, "Extreme Fear"), (47, "Fear"), (55, "Neutral"), (75, "Greed"))


Labels = Mapping[str, tuple[str, str]]
"""Symbol and name by coin id."""


def classify_sentiment(score: float) -> str:
    """Return alternative.me's label of a score from 0 to 100."""
    return next((label for bound, label in _CLASS_BOUNDS if score < bound), "Extreme Greed")


def _simulated_day_count(first_day: date, last_day: date) -> int:
    needed = (last_day - first_day).days + 1
    return -(-needed // _BLOCK_DAYS) * _BLOCK_DAYS


@dataclass(frozen=True)
class _Simulation:
    coins: list[Coin]
    factors: Factors
    paths: CoinPaths
    provider_rank: Floats
    rank_with_copies: Floats


def _rank_caps(caps: Floats) -> Floats:
    """Rank each row by falling cap, 1 for the largest; NaN caps have no rank."""
    order = np.argsort(-caps, axis=1, kind="stable")
    ranks = np.empty_like(caps)
    np.put_along_axis(ranks, order, np.arange(1.0, caps.shape[1] + 1)[np.newaxis, :], axis=1)
    return np.where(np.isnan(caps), np.nan, ranks)


def _simulate(
    seed: int, first_day: date, day_count: int, coin_count: int, s: Scenario
) -> _Simulation:
    coins = cast_coins(seed, coin_count, day_count, s)
    factors = simulate_factors(seed, first_day, day_count, s)
    paths = simulate_coins(seed, coins, factors, s.crash_index)
    listed_caps = np.where(paths.is_listed, paths.cap_usd, np.nan)
    is_copy = np.array([coin.kind is Kind.WRAPPED for coin in coins])
    return _Simulation(
        coins,
        factors,
        paths,
        provider_rank=_rank_caps(np.where(is_copy, np.nan, listed_caps)),
        rank_with_copies=_rank_caps(listed_caps),
    )


def _label_columns(coins: Sequence[Coin], labels: Labels) -> dict[str, Any]:
    """Return id, symbol and name of every coin, each as an array."""
    own = [labels.get(coin.coin_id, (coin.symbol, coin.name)) for coin in coins]
    columns = {
        "coin_id": [coin.coin_id for coin in coins],
        "symbol": [symbol for symbol, _ in own],
        "name": [name for _, name in own],
    }
    return {column: np.array(values, dtype=object) for column, values in columns.items()}


class SimulatedMarket:
    """A market from ``first_day`` to ``last_day``, a pure function of its arguments.

    The figures of a day depend on ``seed``, ``first_day``, ``coin_count`` and ``scenario``,
    never on ``last_day``. The planted events are in ``Scenario``; class-bearing coins have
    real CoinGecko ids, every other id begins with ``sim-``.

    Args:
        seed: Not negative.
        first_day: The epoch; Bitcoin begins at 46,200 US dollars.
        last_day: Last day that may be asked for.
        coin_count: Coins listed on the first day; later births balance deaths on average.
        scenario: Days of the planted events.
        labels: Symbols and names in place of the invented ones, by coin id: a registry in
            which strangers write what they like.

    Raises:
        ConfigurationError: The span is empty or longer than 30 years, the seed is negative
            or there are too few coins.
    """

    def __init__(
        self,
        seed: int,
        first_day: date,
        last_day: date,
        coin_count: int = DEFAULT_COIN_COUNT,
        scenario: Scenario | None = None,
        labels: Labels | None = None,
    ) -> None:
        if seed < 0:
            raise ConfigurationError(f"the sandbox seed is {seed}; choose 0 or more")
        if not first_day <= last_day < first_day + timedelta(days=LONGEST_SPAN_DAYS):
            raise ConfigurationError(
                f"a simulated market from {first_day} to {last_day} is empty or longer than "
                "30 years; choose other days"
            )
        self.seed, self.first_day, self.last_day = seed, first_day, last_day
        self.coin_count, self.scenario = coin_count, scenario or Scenario()
        day_count = _simulated_day_count(first_day, last_day)
        self._sim = _simulate(seed, first_day, day_count, coin_count, self.scenario)
        self._labels = _label_columns(self._sim.coins, labels or {})
        # A stranger's name may hold what the string type of pandas cannot.
        self._label_type = object if labels else None
        self._lazy_lock = threading.RLock()
        self._lazy: dict[str, Any] = {}
        self._snapshots: dict[date, pd.DataFrame] = {}

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` made the first time; one thread makes, the others wait."""
        with self._lazy_lock:
            if name not in self._lazy:
                self._lazy[name] = make()
            return self._lazy[name]

    @property
    def coins(self) -> list[Coin]:
        """The cast; a coin's place in it is its column in ``paths``."""
        return self._sim.coins

    @property
    def paths(self) -> CoinPaths:
        """What every coin does, in days since ``first_day``, beyond ``last_day`` too."""
        return self._sim.paths

    @property
    def factors(self) -> Factors:
        """What moves every coin at once, in days since ``first_day``."""
        return self._sim.factors

    @property
    def derivatives(self) -> Derivatives:
        """The perpetuals, in days since ``first_day``; simulated when first asked for."""
        return cast(Derivatives, self._once("derivatives", self._simulate_derivatives))

    def _simulate_derivatives(self) -> Derivatives:
        sim = self._sim
        perps = cast_perps(sim.coins, sim.paths)
        return simulate_derivatives(self.seed, perps, sim.paths, sim.factors, self.scenario)

    @property
    def flows(self) -> Flows:
        """Exchange balances and chains, in days since ``first_day``; made when asked for."""
        sim = self._sim
        made = self._once(
            "flows", lambda: simulate_flows(self.seed, sim.coins, sim.paths, self.scenario)
        )
        return cast(Flows, made)

    @property
    def aggregates(self) -> Aggregates:
        """Figures of the whole market, in days since ``first_day``; made when asked for."""
        sim = self._sim
        made = self._once(
            "aggregates",
            lambda: simulate_aggregates(self.seed, sim.coins, sim.paths, sim.factors),
        )
        return cast(Aggregates, made)

    @property
    def truths(self) -> Truths:
        """What is planted in this market, for tests of the signals to find again."""
        gone = {coin.coin_id: coin.delisting_index for coin in self._sim.coins}
        return collect_truths(self.first_day, self.scenario, self.derivatives, self.flows, gone)

    @property
    def crash_day(self) -> date:
        """The day of the market-wide crash; it may lie after ``last_day``."""
        return self.first_day + timedelta(days=self.scenario.crash_index)

    @property
    def collapse_day(self) -> date:
        """First of the five days in which ``collapsing_coin_id`` falls to nothing."""
        return self.first_day + timedelta(days=self.scenario.collapse_index)

    @property
    def collapsing_coin_id(self) -> str:
        """The planted top-10 coin that collapses."""
        return COLLAPSING_COIN_ID

    def index_of(self, day: date) -> int:
        """Return the days from ``first_day`` to ``day``.

        Raises:
            ConfigurationError: The day is outside the market.
        """
        if not self.first_day <= day <= self.last_day:
            raise ConfigurationError(
                f"the simulated market knows {self.first_day} to {self.last_day}, not {day}; "
                "ask for a day inside or simulate a longer span"
            )
        return (day - self.first_day).days

    def _days(self, first: date, last: date) -> tuple[slice, list[date]]:
        start, stop = self.index_of(first), self.index_of(last) + 1
        return slice(start, stop), [self.first_day + timedelta(days=n) for n in range(start, stop)]

    def _rows(self, first: date, last: date) -> pd.DataFrame:
        span, days = self._days(first, last)
        paths = self._sim.paths
        rows, columns = np.nonzero(paths.is_listed[span])
        at = (rows + span.start, columns)
        return pd.DataFrame(
            {
                "market_date": np.array(days, dtype=object)[rows],
                "source": "coingecko",
                **{
                    name: pd.Series(labels[columns], dtype=self._label_type)
                    for name, labels in self._labels.items()
                },
                "price_usd": paths.price_usd[at],
                "market_cap_usd": paths.cap_usd[at],
                "circulating_supply": paths.supply[at],
                "volume_24h_usd": paths.volume_24h_usd[at],
                "provider_rank": pd.array(self._sim.provider_rank[at], dtype="Int64"),
            }
        )

    def coins_on(self, day: date) -> pd.DataFrame:
        """Return the coins listed on ``day`` at its 24:00 UTC close, largest cap first.

        Args:
            day: UTC day within the market.

        Returns:
            One row per coin: coin_id, symbol (lower case), name, price_usd,
            market_cap_usd, circulating_supply (both null where the supply is unknown),
            volume_24h_usd.

        Raises:
            ConfigurationError: The day is outside the market.
        """
        coins = self._rows(day, day).drop(columns=["market_date", "source", "provider_rank"])
        return coins.sort_values(
            ["market_cap_usd", "coin_id"], ascending=[False, True], ignore_index=True
        )

    def market_history(self, first: date, last: date) -> pd.DataFrame:
        """Return the columns of ``raw.market_daily``, source ``coingecko``.

        Args:
            first: First UTC day.
            last: Last UTC day, included.

        Returns:
            One row per day and listed coin, by day; symbols in capitals, as the raw archive
            keeps them. ``provider_rank`` is the rank by cap without wrapped and staked
            copies, which have none, as the vendor ranks.

        Raises:
            ConfigurationError: A day is outside the market.
        """
        history = self._rows(first, last)
        history["symbol"] = history["symbol"].str.upper()
        return history

    def equity_history(self, first: date, last: date) -> pd.DataFrame:
        """Return the columns of ``raw.equity_daily``, source ``cboe``.

        Args:
            first: First New York day.
            last: Last New York day, included.

        Returns:
            One row per session and ticker (``RUT``, ``SPX``), closes in index points.

        Raises:
            ConfigurationError: A day is outside the market.
        """
        span, days = self._days(first, last)
        factors = self._sim.factors
        is_session = factors.is_session[span]
        points = np.column_stack([factors.rut_points[span], factors.spx_points[span]])
        sessions = np.array(days, dtype=object)[is_session]
        return pd.DataFrame(
            {
                "session_date": np.repeat(sessions, len(EQUITY_TICKERS)),
                "source": "cboe",
                "ticker": np.tile(np.array(EQUITY_TICKERS, dtype=object), len(sessions)),
                "close_points": points[is_session].ravel(),
            }
        )

    def sentiment_history(self, first: date, last: date) -> pd.DataFrame:
        """Return the columns of ``raw.sentiment_daily``, source ``alternative_me``.

        Args:
            first: First UTC day.
            last: Last UTC day, included.

        Returns:
            One row per day; ``score`` is 0 to 100, made from data up to the day before.

        Raises:
            ConfigurationError: A day is outside the market.
        """
        span, days = self._days(first, last)
        scores = self._sim.factors.sentiment[span]
        return pd.DataFrame(
            {
                "market_date": np.array(days, dtype=object),
                "source": "alternative_me",
                "score": scores,
                "label": [classify_sentiment(score) for score in scores],
            }
        )

    def vendor_snapshot(self, day: date) -> pd.DataFrame:
        """Return ``coins_on(day)`` with what a vendor's listing adds, largest cap first.

        Args:
            day: UTC day within the market.

        Returns:
            One row per listed coin, shared by all callers. Added: coin_number,
            provider_rank, rank_with_copies, is_copy,
            previous_price_usd and previous_cap_usd (null on the first day of a coin),
            max_supply (null where there is none), high_price_usd and high_date,
            low_price_usd and low_date (of all days since listing).

        Raises:
            ConfigurationError: The day is outside the market.
        """
        index = self.index_of(day)
        with self._lazy_lock:
            if day not in self._snapshots:
                if len(self._snapshots) >= _SNAPSHOTS_KEPT:
                    self._snapshots.pop(next(iter(self._snapshots)))
                coins = self._rows(day, day).drop(columns=["market_date", "source"])
                sim = self._sim
                self._snapshots[day] = add_vendor_figures(
                    coins, sim.coins, sim.paths, sim.rank_with_copies, self.first_day, index
                )
            return self._snapshots[day]


class GrowingMarket:
    """A market without an end: it is extended when a later day is asked for."""

    def __init__(
        self,
        seed: int,
        first_day: date = DEFAULT_FIRST_DAY,
        coin_count: int = DEFAULT_COIN_COUNT,
        scenario: Scenario | None = None,
        labels: Labels | None = None,
    ) -> None:
        self._own_labels = labels
        self.seed, self.first_day, self.coin_count = seed, first_day, coin_count
        self.scenario = scenario or Scenario()
        self._lock = threading.Lock()
        self._market: SimulatedMarket | None = None

    def until(self, day: date) -> SimulatedMarket:
        """Return a market that reaches ``day`` at least.

        Raises:
            ConfigurationError: ``day`` is before the first day or more than 30 years after.
        """
        with self._lock:
            if self._market is None or self._market.last_day < day:
                last_day = day
                if day >= self.first_day:
                    day_count = _simulated_day_count(self.first_day, day)
                    day_count = min(day_count, LONGEST_SPAN_DAYS)
                    last_day = max(day, self.first_day + timedelta(days=day_count - 1))
                self._market = SimulatedMarket(
                    self.seed,
                    self.first_day,
                    last_day,
                    self.coin_count,
                    self.scenario,
                    self._own_labels,
                )
            return self._market
