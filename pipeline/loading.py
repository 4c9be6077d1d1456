"""From a frame to the raw archive: the gate, the quarantine, the store, the journal.

Live data and imported history go through the same function.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from pipeline.datasets import Dataset, Vintage
from pipeline.journal import Journal
from pipeline.quality.data_docs import write_page
from pipeline.quality.engine import collecting_results
from pipeline.quality.gate import GateReport, results_frame, run_gate
from pipeline.quality.quarantine import Quarantine
from pipeline.quality.rules import GateContext
from pipeline.raw_store import RawStore
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

_COMPARED_DAYS = 7


@dataclass(frozen=True)
class LoadResult:
    """What loading one frame did, in rows."""

    dataset: str
    source: str
    added: int
    revised: int
    unchanged: int
    quarantined: int

    def to_dict(self) -> dict[str, Any]:
        """Return the result in JSON types."""
        return asdict(self)


def load_frame(
    settings: Settings,
    frame: pd.DataFrame,
    dataset: Dataset,
    *,
    market_date: date,
    run_id: str,
    source: str,
    known_at: datetime,
    vintage: Vintage,
    payload_refs: Sequence[str],
    subject: str | None = None,
) -> LoadResult:
    """Hold a frame against the gate and store what passes.

    Args:
        settings: Where.
        frame: Rows in the dataset's columns.
        dataset: Which dataset.
        market_date: UTC day of the run; no row may be later.
        run_id: The run.
        source: Who served the frame: the vendor, or the file of an import.
        known_at: When we learned the rows.
        vintage: ``live``, or ``reconstructed`` for history.
        payload_refs: Where the bytes behind the frame are.
        subject: What to call the frame in the journal, when a run has several of one
            dataset and source.

    Returns:
        How many rows were stored and how many were kept out.

    Raises:
        QualityError: A critical rule failed; nothing was stored.
    """
    store = RawStore(settings.raw_dir, settings.threads)
    store.recover()
    with collecting_results() as results:
        report = check_frame(settings, frame, dataset, source, market_date, vintage)
    journal = Journal(settings.journal_dir)
    label = subject or f"{dataset.name}-{source}"
    now = settings.now()
    checks = results_frame(report, run_id, now).assign(source=source)
    journal.write("check_result", run_id, label, checks)
    journal.write("check_example", run_id, label, _examples(report, run_id, source))
    Quarantine(settings.quarantine_dir).store(
        report, run_id, source, payload_refs, now, vintage=vintage, known_at=known_at
    )
    if vintage == "live" or not report.is_passed:
        write_page(settings, run_id, source, report, results)
    report.raise_if_failed()
    stored = store.append(
        dataset, report.accepted, run_id=run_id, known_at=known_at, vintage=vintage
    )
    result = LoadResult(
        dataset.name,
        source,
        stored.added,
        stored.revised,
        stored.unchanged,
        len(report.quarantined),
    )
    journal.write("load_result", run_id, label, load_row(result, run_id, market_date, now))
    logger.info("loaded %s", result)
    return result


def _examples(report: GateReport, run_id: str, source: str) -> pd.DataFrame:
    """Return one row per example of a rule that a frame broke; alerts show them."""
    return pd.DataFrame(
        [
            {"run_id": run_id, "source": source, "rule_id": result.rule_id, "example": example}
            for result in report.results
            if not result.is_passed
            for example in result.examples
        ]
    )


def check_frame(
    settings: Settings,
    frame: pd.DataFrame,
    dataset: Dataset,
    source: str,
    market_date: date,
    vintage: Vintage,
    *,
    is_revision: bool = False,
) -> GateReport:
    """Return what the gate says of a frame, compared with the nights that are stored.

    Stores nothing.

    Args:
        settings: Where the nights are.
        frame: Rows in the dataset's columns.
        dataset: Which dataset.
        source: Who served it.
        market_date: The UTC day that it is for.
        vintage: ``live``, or ``reconstructed`` for history.
        is_revision: Whether the frame is meant to tell past days otherwise.
    """
    store = RawStore(settings.raw_dir, settings.threads)
    return run_gate(
        frame,
        dataset,
        market_date=market_date,
        mode="live" if vintage == "live" else "history",
        context=replace(
            context_for(store, frame, dataset, source, market_date, vintage),
            is_revision=is_revision,
        ),
    )


def context_for(
    store: RawStore,
    frame: pd.DataFrame,
    dataset: Dataset,
    source: str,
    market_date: date,
    vintage: Vintage,
) -> GateContext:
    """Return what the gate may compare a frame with: the nights before, where it is live.

    Args:
        store: Where the nights are.
        frame: Rows in the dataset's columns.
        dataset: Which dataset.
        source: Who served it.
        market_date: The UTC day that it is for.
        vintage: ``live``, or ``reconstructed`` for history, which is compared with nothing.
    """
    if vintage != "live":
        return GateContext()
    since = market_date - timedelta(days=_COMPARED_DAYS)
    counts = store.row_counts(dataset, source, since=since)
    # A frame may hold a trailing window, so a night's usual size is per day of the frame. Days of
    # which it has a few late rows only are not counted.
    day = dataset.date_column
    sizes = frame[day].value_counts() if day in frame.columns else pd.Series(dtype="int64")
    days_in_frame = max(int((2 * sizes >= sizes.max()).sum()), 1) if len(sizes) else 1
    previous = store.read(dataset, source, since=since, before=market_date)
    others = store.read_others(dataset, source, since=since, before=market_date + timedelta(days=1))
    return GateContext(
        recent_row_counts=[
            counts[day] * days_in_frame for day in sorted(counts, reverse=True) if day < market_date
        ],
        previous=None if previous.empty else previous,
        others=None if others.empty else others,
    )


def load_row(
    result: LoadResult, run_id: str, market_date: date, loaded_at: datetime
) -> pd.DataFrame:
    """Return what loading did as a row of ``quality.load_result``."""
    return pd.DataFrame(
        [
            {
                "run_id": run_id,
                "loaded_at": loaded_at,
                "market_date": market_date,
                "dataset": result.dataset,
                "source": result.source,
                "status": "loaded",
                "added_count": result.added,
                "revised_count": result.revised,
                "unchanged_count": result.unchanged,
                "quarantined_count": result.quarantined,
                "message": None,
            }
        ]
    ).astype({"message": "string"})
