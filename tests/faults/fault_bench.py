"""The bench of the fault matrix: one small market, one home a case, a whole load a case."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pyarrow.parquet as pq
from nights import Home, run_time
from pandas.api.types import is_numeric_dtype

from pipeline import steps
from pipeline.datasets import get_dataset
from pipeline.errors import TidemarkError
from pipeline.raw_store import RawStore
from pipeline.sandbox.faults import faults_for
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.sandbox.registry import get_endpoint
from pipeline.sandbox.server import Sandbox, create_server
from pipeline.sources.base import Source
from pipeline.sources.http import HttpClient, HttpResponse
from pipeline.sources.registry import FEEDS, Feed, get_feed

FIRST_DAY = date(2024, 1, 1)
# A Friday, so that stock indices have a session on it and on the days before.
NIGHT = date(2024, 2, 23)
NIGHT_BEFORE = NIGHT - timedelta(days=1)
# What shows the present only has no past in its answers: there the nights before are loaded.
NIGHTS_OF_THE_PRESENT = tuple(NIGHT - timedelta(days=back) for back in (3, 2, 1))
HOUR = 3
COIN_COUNT = 130
PERPS_A_VENUE = 4
SLOW_SECONDS = 0.5
READ_SECONDS = 0.25
SECRET = "a-key-that-nobody-may-see"

# What a person can do about an error, in the words that the messages use.
_NEXT = re.compile(
    r"again|later|check|another|fetch|set |look at|restore|import|run that feed", re.I
)
_RTOL = 1e-9

# The market is small: smaller pages, so that every list that is asked page by page has several.
SMALL_PAGES: dict[str, dict[str, int]] = {
    "coingecko": {"COINS_PER_PAGE": 50, "_FULL_PAGE_COINS": 40},
    "coinmarketcap": {"COINS_PER_PAGE": 70, "_FULL_PAGE_COINS": 60},
    "coinmarketcap_sentiment": {"SCORES_PER_PAGE": 5},
    "coinmetrics": {"ROWS_PER_PAGE": 400},
}
NOT_PAGED = {"bybit:account-ratio"}
"""Endpoints with pages of which no second one is asked: the days asked for fit one answer."""

ONCE = ("status_503:1", "status_429_none:1", "cut_connection:1")
"""Faults of one request, which a second try mends."""


@dataclass(frozen=True)
class Place:
    """Where a fault is put: one endpoint that one source of one feed asks."""

    feed: str
    source: str
    endpoint: str

    @property
    def vendor(self) -> str:
        return self.endpoint.partition(":")[0]


@dataclass
class Outcome:
    """What became of a load: a word, and everything that broke a promise."""

    word: str
    error: str = ""
    kind: str = ""
    broken: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class KeptResponses:
    """Every body that the client handed on, by its digest."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        get = HttpClient.get

        def listen(client: HttpClient, url: str, **options: Any) -> HttpResponse:
            response = get(client, url, **options)
            self.digests[hashlib.sha256(response.body).hexdigest()] = response.url
            return response

        with patch.object(HttpClient, "get", listen):
            yield


def nightly() -> tuple[Feed, ...]:
    return tuple(feed for feed in FEEDS if feed.is_nightly)


def asked_feed(feed: Feed) -> Feed:
    """Return the feed whose files a feed reads: itself where it asks."""
    if not feed.reads_landed_files:
        return feed
    (source,) = feed.sources
    return next(
        other
        for other in nightly()
        if other.dataset == source.payloads_of and other.sources[0].name == source.name
    )


class Bench:
    """A market, the vendors in front of it, and what healthy loads store."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.template = Home(folder / "template", sandbox, self._overrides())
        self.truth: dict[tuple[str, str], pd.DataFrame] = {}
        self.news: dict[tuple[str, str], pd.DataFrame] = {}
        self.places: list[Place] = []
        self._number = 0

    @staticmethod
    def _overrides() -> dict[str, Any]:
        return {
            "feeds": "",
            "coinalyze_key": SECRET,
            "is_yahoo_enabled": True,
            "threads": 1,
            "http_connect_timeout_seconds": 2.0,
        }

    def prepare(self, feeds: Sequence[Feed]) -> None:
        """Load the nights before, then what every source of every feed says tonight."""
        market = self.sandbox.market
        market.until(NIGHT + timedelta(days=2))
        reference = self.folder / "reference"
        reference.mkdir(parents=True)
        world = World(market, run_time(NIGHT))
        export_references(world, reference, self.template.settings(NIGHT).sql_dir)
        keep_few_perps(reference / "perp_symbol.csv")
        for feed in feeds:
            shutil.copytree(reference, self._before(feed) / "reference")
            # One home for each feed: a listing of all perpetuals would make the questions
            # to the venues many.
            for night in nights_before(feed):
                home = replace(self.template, path=self._before(feed))
                load(home, feed, f"before-{night}", night)
        for feed in feeds:
            for source in feed.sources:
                self._healthy(feed, source)

    def _healthy(self, feed: Feed, source: Source) -> None:
        before = self.sandbox.faults.request_counts()
        with self.case_home(feed) as home, self.only_from(feed, source.name):
            loaded = load(home, feed, "healthy")
            assert loaded["source"] == source.name, loaded
            stored = stored_rows(home, feed.dataset)
        after = self.sandbox.faults.request_counts()
        rows = stored[stored["source"] == source.name]
        key = (feed.name, source.name)
        self.truth[key] = rows
        self.news[key] = rows[rows["run_id"] == "healthy"]
        assert len(self.news[key]) > 0, key
        self.places += [
            Place(feed.name, source.name, endpoint)
            for endpoint in sorted(after)
            if after[endpoint] > before.get(endpoint, 0)
            and endpoint.startswith(f"{source.vendor}:")
        ]

    def _before(self, feed: Feed) -> Path:
        return self.folder / f"before-{feed.name}"

    @contextmanager
    def case_home(self, feed: Feed, **overrides: Any) -> Iterator[Home]:
        """Give a home with the nights before of one feed, and take it away again."""
        self._number += 1
        path = self.folder / f"case-{self._number}"
        for folder in ("raw", "reference", "landing"):
            shutil.copytree(self._before(feed) / folder, path / folder)
        try:
            yield Home(path, self.sandbox, self.template.overrides | overrides)
        finally:
            shutil.rmtree(path)

    @contextmanager
    def only_from(self, feed: Feed, source: str) -> Iterator[None]:
        """Silence the sources that a feed asks before one of its own."""
        board = self.sandbox.faults
        names = [each.name for each in feed.sources]
        for earlier in feed.sources[: names.index(source)]:
            board[earlier.vendor] = "status_404"
        try:
            yield
        finally:
            board.clear()

    def run(self, place: Place, fault: str) -> Outcome:
        """Put a fault on an endpoint, load the feed, and judge what became of it."""
        feed = get_feed(place.feed)
        seconds = {}
        if fault in ("slow", "slow_drip", "timeout"):
            seconds = {
                "http_read_timeout_seconds": READ_SECONDS,
                "http_total_timeout_seconds": READ_SECONDS,
            }
        kept = KeptResponses()
        with self.case_home(feed, **seconds) as home, self.only_from(feed, place.source):
            self.sandbox.faults[place.endpoint] = fault
            before = self.sandbox.faults.request_counts().get(place.endpoint, 0)
            try:
                with kept.listening():
                    loaded = load(home, feed, "case")
            except TidemarkError as exc:
                word = "stopped" if feed.is_blocking else "degraded"
                outcome = Outcome(word, str(exc), type(exc).__name__)
                self._judge_error(outcome, home, feed)
                stored = stored_rows(home, feed.dataset)
                if (stored["run_id"] == "case").any():
                    outcome.broken.append("rows were stored although the feed failed")
            except Exception as exc:
                outcome = Outcome("crashed", repr(exc))
                outcome.broken.append(f"an unexpected {type(exc).__name__}: {exc}")
            else:
                stored = stored_rows(home, feed.dataset)
                outcome = self._judge_rows(stored[stored["run_id"] == "case"], place, loaded)
            asked = self.sandbox.faults.request_counts().get(place.endpoint, 0) - before
            if asked < (2 if fault == "missing_page" else 1):
                outcome.broken.append(f"the endpoint was asked {asked} times")
            if fault in ONCE and outcome.word == "as usual":
                outcome.word = "retried"
            outcome.broken += [
                f"not landed: {kept.digests[digest]}"
                for digest in sorted(kept.digests.keys() - landed_digests(home))
            ]
        return outcome

    def _judge_error(self, outcome: Outcome, home: Home, feed: Feed) -> None:
        if SECRET in outcome.error or "Traceback" in outcome.error:
            outcome.broken.append(f"the error shows what it must not: {outcome.error}")
        if not _NEXT.search(outcome.error):
            outcome.broken.append(f"the error does not say what to do: {outcome.error}")
        (failure,) = steps.failures(home.settings(NIGHT, HOUR), "case")
        day = NIGHT - timedelta(days=feed.lag_days)
        if str(day) not in outcome.error:
            outcome.broken.append(f"the error does not name {day}: {outcome.error}")
        if failure["market_date"] != str(NIGHT) or failure["error"] != outcome.error:
            outcome.broken.append(f"the failure is recorded otherwise: {failure}")

    def _judge_rows(self, rows: pd.DataFrame, place: Place, loaded: dict[str, Any]) -> Outcome:
        feed = get_feed(place.feed)
        served = str(loaded["source"])
        outcome = Outcome("as usual")
        missing = self._compare(rows, (feed.name, served), outcome)
        if outcome.wrong:
            outcome.word = "as sent"
        elif served != place.source:
            outcome.word = "fell back"
        elif loaded["quarantined"]:
            outcome.word = "quarantined"
        elif missing:
            outcome.word = "with gaps"
        if served != place.source and (loaded["quarantined"] or missing):
            outcome.broken.append("the source that was fallen back to is not whole")
        return outcome

    def _compare(self, rows: pd.DataFrame, key: tuple[str, str], outcome: Outcome) -> int:
        """Note what is stored and wrong; return how much is missing."""
        dataset = get_dataset(get_feed(key[0]).dataset)
        columns = list(dataset.key)
        truth = self.truth[key]
        both = rows.merge(truth, on=columns, how="left", suffixes=("", "_true"), indicator=True)
        strange = both[both["_merge"] == "left_only"]
        outcome.wrong += [f"no such row: {tuple(row)}" for row in strange[columns].values[:3]]
        known = both[both["_merge"] == "both"]
        missing = len(
            self.news[key]
            .merge(rows, on=columns, how="left", indicator=True)
            .query("_merge == 'left_only'")
        )
        for measure in dataset.measures:
            said, true = known[measure], known[f"{measure}_true"]
            is_missing = said.isna() & true.notna()
            if is_numeric_dtype(said) and is_numeric_dtype(true):
                is_same = (said - true).abs() <= _RTOL * true.abs()
            else:
                is_same = said == true
            is_wrong = said.notna() & ~(is_same.fillna(False).astype(bool))
            missing += int(is_missing.sum())
            outcome.wrong += [
                f"{measure} of {tuple(row[columns])}: {row[measure]}, not {row[f'{measure}_true']}"
                for _, row in known[is_wrong].head(2).iterrows()
            ]
        return missing


def keep_few_perps(path: Path) -> None:
    """Let a venue be asked for its first perpetuals only; the others count as no coins."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["venue"]] += bool(row["coin_id"])
        if counts[row["venue"]] > PERPS_A_VENUE:
            row["coin_id"] = row["multiplier"] = ""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def load(home: Home, feed: Feed, run_id: str, night: date = NIGHT) -> dict[str, Any]:
    """Extract and load one feed of a night, and before it the feed whose files it reads."""
    settings = home.settings(night, HOUR)
    asked = asked_feed(feed)
    if asked is not feed:
        with suppress(TidemarkError):
            steps.extract(settings, asked.name, night, f"{run_id}-asks")
    extracted = steps.extract(settings, feed.name, night, run_id)
    return steps.validate_and_load(settings, extracted, run_id)


def stored_rows(home: Home, dataset: str) -> pd.DataFrame:
    """Return the latest word on every key that a home has stored."""
    model = get_dataset(dataset)
    files = RawStore(home.path / "raw").files(model)
    tables = [pq.ParquetFile(file).read().to_pandas() for file in files]
    if not tables:
        return pd.DataFrame(columns=[*model.column_names, "known_at", "run_id"])
    rows = pd.concat(tables)
    rows[model.date_column] = rows[model.date_column].astype(str)
    return rows.sort_values("known_at", kind="stable").drop_duplicates(list(model.key), keep="last")


def landed_digests(home: Home) -> set[str]:
    return {
        json.loads(path.read_bytes())["sha256"]
        for path in (home.path / "landing").rglob("*.meta.json")
    }


@contextmanager
def small_pages() -> Iterator[None]:
    """Make every list that is asked page by page one of several pages."""
    with ExitStack() as stack:
        for module, sizes in SMALL_PAGES.items():
            for name, size in sizes.items():
                stack.enter_context(patch(f"pipeline.sources.{module}.{name}", size))
        yield


def nights_before(feed: Feed) -> tuple[date, ...]:
    """Return the nights that are loaded before a feed's faults are tried."""
    is_of_the_present = all(source.kind == "now_only" for source in feed.sources)
    return NIGHTS_OF_THE_PRESENT if is_of_the_present else (NIGHT_BEFORE,)


@contextmanager
def open_bench(folder: Path, feeds: Sequence[str]) -> Iterator[Bench]:
    """Give a bench that is ready."""
    market = GrowingMarket(7, FIRST_DAY, COIN_COUNT)
    with small_pages(), create_server(market=market, slow_seconds=SLOW_SECONDS) as sandbox:
        bench = Bench(sandbox, folder)
        bench.prepare([feed for feed in nightly() if feed.name in feeds])
        yield bench


def faults_of(endpoint: str) -> tuple[str, ...]:
    """Return every fault that an endpoint can have, and those of one request."""
    possible = faults_for(get_endpoint(endpoint))
    if endpoint in NOT_PAGED:
        possible = tuple(fault for fault in possible if fault != "missing_page")
    return (*possible, *ONCE)
