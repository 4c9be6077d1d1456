"""Reading landed bytes again with today's parsers, and storing what comes out differently.

The range is of the days that the rows describe. For each key only the newest fetch that has it
speaks, and never against a later fetch's word that is stored. A difference is stored as a
revision that is known from now on, as a mended parser is new knowledge; its ``run_id`` begins
with ``replay-``. Nothing that was stored is changed or taken away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.database import open_scratch, quote_name
from pipeline.datasets import Dataset, Vintage, get_dataset
from pipeline.errors import ConfigurationError, TidemarkError
from pipeline.fetching import check_moved_on, first_day_asked, read_frame, vintage_of
from pipeline.journal import Journal
from pipeline.landing import LandedPayload, Landing
from pipeline.quality.gate import GateReport, results_frame
from pipeline.quality.quarantine import Quarantine
from pipeline.raw_store import RawStore
from pipeline.settings import Settings
from pipeline.sources.base import Source, first_day

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

logger = logging.getLogger(__name__)

RUN_PREFIX = "replay-"
MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Fetch:
    """One landed fetch: its payloads, the night it was for, and the first day it asked for."""

    source: Source
    market_date: date
    since: date
    payloads: tuple[LandedPayload, ...]

    @property
    def fetched_at(self) -> datetime:
        """When it was fetched, in UTC."""
        return min(payload.fetched_at for payload in self.payloads)

    @property
    def run_id(self) -> str:
        """The run that fetched it."""
        return self.payloads[0].run_id

    @property
    def vintage(self) -> Vintage:
        """As what its rows were stored."""
        return vintage_of(self.run_id, self.fetched_at)


@dataclass(frozen=True)
class ReplayReport:
    """What replaying one source of one dataset came to, in fetches and rows.

    Args:
        dataset: The dataset.
        source: The source.
        fetches: Fetches that were read again.
        unreadable: Fetches that were not read or not accepted, with the reason each.
        new: Rows whose key was not stored.
        revised: Rows that differ from what is stored.
        unchanged: Rows that are stored as they are.
        missing: Stored rows of these fetches that are not read any more; they stay.
        examples: Some of the cells that differ, in words.
    """

    dataset: str
    source: str
    fetches: int
    unreadable: tuple[str, ...]
    new: int
    revised: int
    unchanged: int
    missing: int
    examples: tuple[str, ...]


def landed_nights(settings: Settings, source: Source) -> list[date]:
    """Return the nights for which a source's payloads are in the landing archive."""
    dataset = source.payloads_of or source.dataset
    folder = settings.landing_dir / dataset / source.name
    nights = []
    for path in folder.glob("*"):
        try:
            nights.append(date.fromisoformat(path.name))
        except ValueError:
            logger.warning("%s is no night; it is left out", path)
    return sorted(nights)


def landed_fetches(settings: Settings, source: Source, first: date, last: date) -> Iterator[Fetch]:
    """Return the fetches that may hold days of a range, the newest first.

    Of several fetches of the same days for the same night, a later one comes before an earlier.
    """
    landing = Landing(settings.landing_dir)
    dataset = source.payloads_of or source.dataset
    loaded_at = _loaded_at(settings, source) if source.kind == "now_only" else set()
    found = []
    for night in landed_nights(settings, source):
        if night < first:
            continue
        fetches = landing.find(dataset, source.name, night)
        # Two snapshots of a night differ; only the one that was taken in may be read anew.
        taken = [payloads for payloads in fetches if payloads[0].fetched_at in loaded_at]
        for payloads in taken or fetches:
            asked = first_day_asked(payloads[0].run_id)
            since = night if source.kind == "now_only" else first_day(night, asked)
            if since <= last:
                found.append(Fetch(source, night, since, tuple(payloads)))
    yield from sorted(found, key=lambda fetch: (fetch.fetched_at, fetch.market_date), reverse=True)


def _loaded_at(settings: Settings, source: Source) -> set[datetime]:
    """Return the instants of the fetches of which rows are stored."""
    store = RawStore(settings.raw_dir, settings.threads)
    with open_scratch(settings.threads) as connection:
        rows = connection.execute(
            f"select distinct known_at from ({store.select(get_dataset(source.dataset))}) "
            "where source = $source and not starts_with(run_id, $prefix)",
            {"source": source.name, "prefix": RUN_PREFIX},
        ).fetchall()
    return {row[0].astimezone(UTC) for row in rows}


def replay_source(
    settings: Settings,
    source: Source,
    first: date,
    last: date,
    run_id: str,
    *,
    is_applied: bool,
    on_fetch: Callable[[Fetch], None] = lambda fetch: None,
) -> ReplayReport:
    """Read a source's landed fetches again and find, or store, what comes out differently.

    Args:
        settings: Where, and the clock that says from when a difference is known.
        source: Whose bytes.
        first: First day of the rows.
        last: Last day of the rows.
        run_id: The run; it begins with ``RUN_PREFIX``.
        is_applied: Whether to store the differences; the caller holds the writer lock then.
        on_fetch: Called before each fetch is read.

    Returns:
        What differs. Stored or not, the counts are the same.

    Raises:
        ConfigurationError: The run's id does not say that it is a replay.
    """
    if not run_id.startswith(RUN_PREFIX):
        raise ConfigurationError(f"the id of a replay begins with {RUN_PREFIX}, not {run_id}")
    dataset = get_dataset(source.dataset)
    frames: dict[Vintage, list[pd.DataFrame]] = {"live": [], "reconstructed": []}
    seen: dict[Vintage, set[tuple[Any, ...]]] = {"live": set(), "reconstructed": set()}
    spoken: set[tuple[date, date]] = set()
    unreadable: list[str] = []
    fetch_count = 0
    for fetch in landed_fetches(settings, source, first, last):
        # The same days asked for several times: only the newest fetch that can be read counts.
        if (fetch.market_date, fetch.since) in spoken:
            continue
        on_fetch(fetch)
        try:
            report = _check(settings, fetch, dataset)
            _keep_checks(settings, fetch, report, run_id, is_applied)
            report.raise_if_failed()
        except TidemarkError as exc:
            unreadable.append(f"{fetch.market_date} ({fetch.run_id}): {_first_line(exc)}")
            continue
        spoken.add((fetch.market_date, fetch.since))
        fetch_count += 1
        frames[fetch.vintage].append(
            _unheard(report.accepted, dataset, fetch, first, last, seen[fetch.vintage])
        )
    return _compare_and_store(
        settings,
        source,
        dataset,
        frames,
        run_id,
        (first, last),
        unreadable,
        fetch_count,
        is_applied,
    )


def _check(settings: Settings, fetch: Fetch, dataset: Dataset) -> GateReport:
    from pipeline.loading import check_frame

    # What the night refused because it stood still is no better for being read again.
    check_moved_on(settings, fetch.source, fetch.payloads, fetch.market_date)
    frame = read_frame(
        settings,
        fetch.source,
        fetch.payloads,
        fetch.market_date,
        since=first_day_asked(fetch.run_id),
    )
    return check_frame(
        settings,
        frame,
        dataset,
        fetch.source.name,
        fetch.market_date,
        fetch.vintage,
        is_revision=True,
    )


def _keep_checks(
    settings: Settings, fetch: Fetch, report: GateReport, run_id: str, is_applied: bool
) -> None:
    if not is_applied:
        return
    now, name = settings.now(), fetch.source.name
    night_run_id = f"{run_id}-{fetch.market_date}"
    Journal(settings.journal_dir).write(
        "check_result",
        night_run_id,
        f"{report.dataset}-{name}",
        results_frame(report, night_run_id, now).assign(source=name),
    )
    refs = [payload.path for payload in fetch.payloads]
    Quarantine(settings.quarantine_dir).store(
        report,
        night_run_id,
        name,
        refs,
        now,
        vintage=fetch.vintage,
        known_at=fetch.fetched_at,
    )


def _unheard(
    frame: pd.DataFrame,
    dataset: Dataset,
    fetch: Fetch,
    first: date,
    last: date,
    seen: set[tuple[Any, ...]],
) -> pd.DataFrame:
    """Return the rows of the range whose key no newer fetch has; remembers their keys."""
    days = frame[dataset.date_column]
    rows = frame[days.map(lambda day: first <= day <= last).astype(bool)]
    keys = list(rows[list(dataset.key)].itertuples(index=False, name=None))
    is_unheard = pd.Series([key not in seen for key in keys], index=rows.index, dtype=bool)
    seen.update(keys)
    return rows[is_unheard].assign(fetched_at=fetch.fetched_at)


def _compare_and_store(
    settings: Settings,
    source: Source,
    dataset: Dataset,
    frames: dict[Vintage, list[pd.DataFrame]],
    run_id: str,
    days: tuple[date, date],
    unreadable: Sequence[str],
    fetch_count: int,
    is_applied: bool,
) -> ReplayReport:
    store = RawStore(settings.raw_dir, settings.threads)
    counts = {"new": 0, "revised": 0, "unchanged": 0, "missing": 0}
    examples: list[str] = []
    for vintage, parts in frames.items():
        wanted = [part for part in parts if not part.empty]
        if not wanted:
            continue
        with open_scratch(settings.threads) as connection:
            changed = _differences(
                connection,
                store,
                dataset,
                source.name,
                vintage,
                pd.concat(wanted, ignore_index=True),
                days,
            )
        for verdict in counts:
            counts[verdict] += int((changed["verdict"] == verdict).sum())
        differing = changed[changed["verdict"].isin(["new", "revised"])]
        examples += _describe(differing, dataset)
        if is_applied and not differing.empty:
            store.append(
                dataset,
                differing[list(dataset.column_names)],
                run_id=run_id,
                known_at=settings.now(),
                vintage=vintage,
            )
    report = ReplayReport(
        dataset.name,
        source.name,
        fetch_count,
        tuple(unreadable),
        counts["new"],
        counts["revised"],
        counts["unchanged"],
        counts["missing"],
        tuple(examples[:MAX_EXAMPLES]),
    )
    if is_applied:
        _keep_result(settings, report, run_id)
    return report


def _differences(
    connection: DuckDBPyConnection,
    store: RawStore,
    dataset: Dataset,
    source: str,
    vintage: Vintage,
    replayed: pd.DataFrame,
    days: tuple[date, date],
) -> pd.DataFrame:
    """Return the replayed rows, what is stored of them, and a verdict on each.

    A row whose stored word comes from a later fetch is ``outdated``; one that is stored from
    one of these fetches, and is not read any more, is ``missing``. What an earlier replay
    stored has no fetch of its own, so it does not count for either.
    """
    keys = ", ".join(quote_name(name) for name in dataset.key)
    day = quote_name(dataset.date_column)
    measures = ", ".join(quote_name(name) for name in dataset.measures)
    replayed_measures = ", ".join(f"replayed.{quote_name(n)}" for n in dataset.measures)
    same = " and ".join(
        f"replayed.{quote_name(n)} is not distinct from latest.{quote_name(n)}"
        for n in dataset.measures
    )
    before = ", ".join(
        f"latest.{quote_name(n)} as {quote_name(f'{n}_before')}" for n in dataset.measures
    )
    typed = ", ".join(
        f"cast({quote_name(column.name)} as {column.type}) as {quote_name(column.name)}"
        for column in dataset.columns
    )
    connection.register("replayed_frame", replayed)
    table = connection.execute(
        f"""
        with replayed as (
            select {typed}, cast(fetched_at as timestamptz) as fetched_at from replayed_frame
        ),
        stored as (
            select * from ({store.select(dataset)})
            where source = $source and vintage = $vintage and {day} between $first and $last
        ),
        fetched as (
            select {keys}, max(known_at) as newest_fetch_at from stored
            where not starts_with(run_id, $prefix)
            group by {keys}
        ),
        latest as (
            select * from stored
            qualify row_number() over (
                partition by {keys} order by known_at desc, run_id desc, {measures}
            ) = 1
        )
        select
            {keys},
            {replayed_measures},
            {before},
            case
                when replayed.fetched_at is null then 'missing'
                when latest.known_at is null then 'new'
                when fetched.newest_fetch_at > replayed.fetched_at then 'outdated'
                when {same} then 'unchanged'
                else 'revised'
            end as verdict
        from replayed
        full join latest using ({keys})
        left join fetched using ({keys})
        where
            replayed.fetched_at is not null
            or fetched.newest_fetch_at in (select fetched_at from replayed)
        order by {keys}
        """,
        {
            "source": source,
            "vintage": vintage,
            "prefix": RUN_PREFIX,
            "first": days[0],
            "last": days[1],
        },
    ).df()
    connection.unregister("replayed_frame")
    table[dataset.date_column] = pd.to_datetime(table[dataset.date_column]).dt.date
    return table


def _describe(differing: pd.DataFrame, dataset: Dataset) -> list[str]:
    examples = []
    for row in differing.head(MAX_EXAMPLES).to_dict("records"):
        key = " ".join(str(row[name]) for name in dataset.key if name != "source")
        cells = [
            f"{name} {_shown(row[f'{name}_before'])} -> {_shown(row[name])}"
            for name in dataset.measures
            if _shown(row[f"{name}_before"]) != _shown(row[name])
        ]
        examples.append(f"{key}: {', '.join(cells)}")
    return examples


def _shown(value: Any) -> str:
    return "null" if pd.isna(value) else str(value)


def _keep_result(settings: Settings, report: ReplayReport, run_id: str) -> None:
    row = {
        "run_id": run_id,
        "loaded_at": settings.now(),
        "market_date": settings.default_market_date(),
        "dataset": report.dataset,
        "source": report.source,
        "status": "loaded",
        "added_count": report.new,
        "revised_count": report.revised,
        "unchanged_count": report.unchanged,
        "quarantined_count": 0,
        "message": "; ".join(report.unreadable) or None,
    }
    Journal(settings.journal_dir).write(
        "load_result",
        run_id,
        f"{report.dataset}-{report.source}",
        pd.DataFrame([row]).astype({"message": "string"}),
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
