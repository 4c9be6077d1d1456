"""Letting reviewed rows out of quarantine, as a revision that is known from now on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd

from pipeline import run_log
from pipeline.datasets import Dataset, Vintage, get_dataset
from pipeline.errors import ConfigurationError, QualityError
from pipeline.journal import Journal
from pipeline.loading import LoadResult, load_row
from pipeline.lock import run_lock
from pipeline.quality.gate import check_constraints
from pipeline.quality.held import RELEASE_TABLE, RUN_PREFIX, HeldRow, held_rows
from pipeline.raw_store import AppendReport, RawStore
from pipeline.settings import Settings

_SHOWN = 5


@dataclass(frozen=True)
class Release:
    """What releasing came to, in rows.

    ``revised`` counts those whose key had a row before, ``added`` the others, and
    ``unchanged`` those that were stored as they are already.
    """

    run_id: str
    added: int
    revised: int
    unchanged: int

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return asdict(self)


def choose_rows(rows: Sequence[HeldRow], row_ids: Sequence[str]) -> list[HeldRow]:
    """Return which of some rows can be released: those that are open.

    Args:
        rows: What a reviewer has selected, as ``held_rows`` returns it.
        row_ids: The ids that were named; a selection by day or rule passes over rows that
            are not open, one by id does not.

    Raises:
        ConfigurationError: An id is unknown, or its row was superseded.
    """
    unknown = sorted(set(row_ids) - {row.row_id for row in rows})
    if unknown:
        raise ConfigurationError(
            f"there is no row {', '.join(unknown)} in quarantine; `tidemark quarantine show` "
            "lists the ids"
        )
    superseded = [row for row in rows if row.status == "superseded" and row.row_id in row_ids]
    if superseded:
        raise ConfigurationError(
            f"{_named(superseded)} cannot be released: a later row of the same key has passed "
            "the gate, and the older one would take its place"
        )
    return [row for row in rows if row.status == "open"]


def release_rows(
    settings: Settings,
    rows: Sequence[HeldRow],
    *,
    run_id: str,
    reviewer: str,
    reason: str,
) -> Release:
    """Store reviewed rows in the raw archive, and say for ever who let them in and why.

    A row keeps its source and vintage and is known from now on, so that a rebuild as of an
    earlier instant does not see it. All rows are stored or none; the same rows again change
    nothing.

    Args:
        settings: Where, and the clock.
        rows: The rows, of any datasets.
        run_id: The run that releases, which begins with ``release-``; with a digest of the
            rows it is their ``run_id`` in the raw archive.
        reviewer: Who looked at them.
        reason: Why they are right.

    Raises:
        ConfigurationError: Reviewer or reason is empty, or there is no row.
        QualityError: A row breaks what the archive cannot do without: its type, its key,
            what may not be null.
        LockedError: Another run is writing.
    """
    if not run_id.startswith(RUN_PREFIX):
        raise ConfigurationError(f"the id of a release begins with {RUN_PREFIX}, not {run_id}")
    if not reviewer.strip() or not reason.strip():
        raise ConfigurationError("a release needs --reviewer and --reason, in words")
    if not rows:
        raise ConfigurationError("there is no open row in this selection, so nothing to release")
    run_id = f"{run_id}-{_digest(rows)}"
    with run_lock(settings.home, run_id=run_id, wait_seconds=settings.lock_timeout_seconds):
        # Once more under the lock: another release may have been quicker.
        ids = {row.row_id for row in rows}
        rows = [row for row in held_rows(settings, row_ids=sorted(ids)) if row.status == "open"]
        now = settings.now()
        groups: dict[tuple[str, str], list[HeldRow]] = {}
        for row in rows:
            groups.setdefault((row.dataset, row.vintage), []).append(row)
        for dataset_name in sorted({row.dataset for row in rows}):
            _refuse_unstorable(
                settings,
                get_dataset(dataset_name),
                [row for row in rows if row.dataset == dataset_name],
            )
        store, journal = RawStore(settings.raw_dir, settings.threads), Journal(settings.journal_dir)
        store.recover()
        run_log.begin(settings, run_id, "release", settings.default_market_date())
        counts: dict[str, AppendReport] = {}
        for (name, vintage), group in groups.items():
            dataset = get_dataset(name)
            done = store.append(
                dataset,
                _frame(group, dataset),
                run_id=run_id,
                known_at=now,
                vintage=cast(Vintage, vintage),
            )
            # After the rows: a release that dies between the two is simply done again.
            record = [_record(row, run_id, now, reviewer, reason) for row in group]
            journal.write(RELEASE_TABLE, run_id, f"{name}-{vintage}", pd.DataFrame(record))
            counts[name] = counts.get(name, AppendReport(0, 0, 0)) + done
        last_day = now.date() - timedelta(days=1)
        for name, done in counts.items():
            result = LoadResult(name, "quarantine", done.added, done.revised, done.unchanged, 0)
            journal.write("load_result", run_id, name, load_row(result, run_id, last_day, now))
        run_log.close(settings, run_id, "loaded")
        total = sum(counts.values(), AppendReport(0, 0, 0))
        return Release(run_id, total.added, total.revised, total.unchanged)


def _frame(rows: Sequence[HeldRow], dataset: Dataset) -> pd.DataFrame:
    frame = pd.DataFrame([row.values for row in rows], columns=list(dataset.column_names))
    for column in dataset.columns:
        if column.type == "double":
            frame[column.name] = pd.to_numeric(frame[column.name]).astype("float64")
        elif column.type == "bigint":
            frame[column.name] = pd.to_numeric(frame[column.name]).astype("Int64")
    return frame


def _refuse_unstorable(settings: Settings, dataset: Dataset, rows: Sequence[HeldRow]) -> None:
    """Raise when a row breaks a rule that no reviewer can waive."""
    frame = _frame(rows, dataset)
    failed = check_constraints(frame, dataset, market_date=settings.default_market_date())
    faults = [
        f"{result.rule_id}: {result.sentence} "
        + ("; ".join(result.examples) or f"{result.bad_count} of {result.total_count} rows")
        for result in failed
    ]
    numbers = frame[[column.name for column in dataset.columns if column.type == "double"]]
    is_infinite = np.isinf(numbers.to_numpy(dtype="float64")).any(axis=1)
    if is_infinite.any():
        infinite = [row for row, bad in zip(rows, is_infinite, strict=True) if bad]
        faults.append(f"a figure is infinite, which is no figure: {_named(infinite)}")
    if faults:
        raise QualityError(
            f"nothing was released: rows of {dataset.name} cannot be stored as they are.\n  "
            + "\n  ".join(faults)
            + "\nNext: leave those out, or bring the right rows with `tidemark import DIR`."
        )


def _named(rows: Sequence[HeldRow]) -> str:
    shown = [f"{row.row_id} ({row.dataset} {row.row_date} {row.row_key})" for row in rows[:_SHOWN]]
    more = len(rows) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _digest(rows: Sequence[HeldRow]) -> str:
    """Return a digest of which rows they are, so that no two releases share a run."""
    return hashlib.sha256("".join(sorted(row.row_id for row in rows)).encode()).hexdigest()[:8]


def _record(
    row: HeldRow, run_id: str, released_at: datetime, reviewer: str, reason: str
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "released_at": released_at,
        "reviewer": reviewer.strip(),
        "review_reason": reason.strip(),
        "dataset": row.dataset,
        "market_date": row.row_date,
        "source": row.source,
        "row_key": row.row_key,
        "row_id": row.row_id,
        "rule_id": row.rule_id,
        "gate_reason": row.reason,
        "vintage": row.vintage,
        "quarantined_run_id": row.run_id,
        "quarantined_at": row.quarantined_at,
        "served_by": row.served_by,
        "payload_refs": row.payload_refs,
    }
