"""A simulated night at the gate: every dataset's frame, and the nights stored before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from pipeline.datasets import Dataset, get_dataset
from pipeline.loading import context_for
from pipeline.quality.gate import GateReport, run_gate
from pipeline.quality.rules import GateContext
from pipeline.raw_store import RawStore
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.raw_frames import FRAMES
from pipeline.sources.base import TRAILING_DAYS

FIRST_DAY = date(2023, 12, 1)
# A Friday after a week with a holiday: Presidents' Day is the Monday.
NIGHT = date(2024, 2, 23)
HOLIDAY = date(2024, 2, 19)
STORED_DAYS = 8

# Vendors that only know the present send one day, the others a window of days.
ONE_DAY = {"market_daily", "perp_listing_daily", "exchange_flow_daily", "global_daily"}


# One vendor's file has the indices and volatility, so they come as one feed.
FEEDS = tuple(feed for feed in FRAMES if feed != "equity_daily_vix")
_PARTS = {"equity_daily": ("equity_daily", "equity_daily_vix")}


def dataset_of(feed: str) -> Dataset:
    """Return the dataset whose name a feed's name begins with."""
    return get_dataset(feed.partition("_daily")[0] + "_daily")


@dataclass(frozen=True)
class GateNight:
    """One feed of one night: tonight's frame and what the gate may compare it with."""

    feed: str
    frame: pd.DataFrame
    context: GateContext
    market_date: date = NIGHT

    @property
    def dataset(self) -> Dataset:
        return dataset_of(self.feed)

    @property
    def day(self) -> str:
        return self.dataset.date_column

    @property
    def is_tonight(self) -> pd.Series:
        """Which rows are of the newest day of the frame."""
        return self.frame[self.day] == self.frame[self.day].max()

    @property
    def before(self) -> pd.DataFrame:
        """What is stored of the source."""
        assert self.context.previous is not None
        return self.context.previous

    def check(self) -> GateReport:
        return run_gate(
            self.frame,
            self.dataset,
            market_date=self.market_date,
            mode="live",
            context=self.context,
        )

    def having(self, **columns: object) -> GateNight:
        """Return the night with columns of its frame replaced."""
        return replace(self, frame=self.frame.assign(**columns))

    def with_frame(self, frame: pd.DataFrame) -> GateNight:
        return replace(self, frame=frame.reset_index(drop=True))

    def with_before(self, before: pd.DataFrame) -> GateNight:
        return replace(self, context=replace(self.context, previous=before))

    def with_others(self, others: pd.DataFrame) -> GateNight:
        return replace(self, context=replace(self.context, others=others))


Change = Callable[[GateNight], GateNight]


def failed(report: GateReport) -> set[str]:
    """Return the names of the rules that failed, without the dataset.

    A rule that could not be checked found nothing.
    """
    return {
        result.rule_id.partition(".")[2] for result in report.results if result.status == "failed"
    }


def errored(report: GateReport) -> set[str]:
    """Return the ids of the rules that could not be checked."""
    return {result.rule_id for result in report.results if result.status == "errored"}


def alarms(report: GateReport) -> set[str]:
    """Return the ids of the critical rules that did not pass."""
    return {
        result.rule_id
        for result in report.results
        if not result.is_passed and result.severity == "critical"
    }


def _frame(market: SimulatedMarket, feed: str, first: date, last: date) -> pd.DataFrame:
    columns = list(dataset_of(feed).column_names)
    parts = [FRAMES[part](market, first, last)[columns] for part in _PARTS.get(feed, (feed,))]
    return pd.concat(parts, ignore_index=True)


def good_nights(seed: int, night: date = NIGHT, coin_count: int = 160) -> dict[str, GateNight]:
    """Return a night of every feed as a frame, beside the nights before it in memory."""
    market = SimulatedMarket(seed, FIRST_DAY, night, coin_count)
    found = {}
    for feed in FEEDS:
        first = night if feed in ONE_DAY else night - timedelta(days=TRAILING_DAYS)
        frame = _frame(market, feed, first, night)
        before = _frame(market, feed, night - timedelta(days=STORED_DAYS), night)
        day = dataset_of(feed).date_column
        before = before[before[day] < night].reset_index(drop=True)
        usual = before[day].value_counts().sort_index(ascending=False)
        context = GateContext([n * frame[day].nunique() for n in usual], before)
        found[feed] = GateNight(feed, frame, context, night)
    return found


def stored_nights(seed: int, folder: Path, night: date = NIGHT) -> dict[str, GateNight]:
    """Return a night of every feed, and store the nights before it in a home.

    What the gate may compare with is read from the store, as the nightly run does.
    """
    store = RawStore(folder / "raw", threads=1)
    for each in good_nights(seed, night).values():
        store.append(
            each.dataset,
            each.before,
            run_id="nights-before",
            known_at=datetime.combine(night, time(1), UTC),
            vintage="live",
        )
    return {
        feed: replace(
            each,
            context=context_for(
                store, each.frame, each.dataset, each.frame["source"].iloc[0], night, "live"
            ),
        )
        for feed, each in good_nights(seed, night).items()
    }
