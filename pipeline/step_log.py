"""How long each step of each run took, how often it was tried and what it brought.

A word per run and step in ``journal/run_step/``, published as ``quality.run_step``. A step that
is killed says nothing; its next try counts itself only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.files import folder_name, replacing
from pipeline.folded import FoldedTable
from pipeline.log_context import log_context
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

TABLE = "run_step"


@dataclass
class StepNote:
    """What a step says of itself while it runs; None where it counts no rows.

    Args:
        rows_in: Rows that it was given.
        rows_out: Rows that it stored or published.
    """

    rows_in: int | None = None
    rows_out: int | None = None


@contextmanager
def noted(settings: Settings, run_id: str, step: str, market_date: date) -> Iterator[StepNote]:
    """Time a step, keep what it says of itself, and put its name on every log line of it.

    Args:
        settings: Where, and the clock.
        run_id: The run.
        step: Its name, as ``load market_daily``.
        market_date: The UTC day that it is for.

    Raises:
        OSError: It went well, and the journal cannot be written.
    """
    note, started_at, begun = StepNote(), settings.now(), time.perf_counter()

    def keep(status: str) -> None:
        seconds = round(time.perf_counter() - begun, 3)
        logger.info("%s is %s after %.1f seconds", step, status, seconds)
        row = {
            "run_id": run_id,
            "market_date": market_date,
            "step": step,
            "status": status,
            "attempt_count": _attempts(settings, run_id, step) + 1,
            "started_at": started_at,
            "seconds": seconds,
            "rows_in_count": note.rows_in,
            "rows_out_count": note.rows_out,
        }
        _write(settings, run_id, step, row)

    with log_context(run_id, market_date, step):
        try:
            yield note
        except BaseException:
            try:
                keep("failed")
            except OSError as exc:
                logger.warning("the journal has no word of %s: %s", step, exc)
            raise
        keep("done")


def _path(settings: Settings, run_id: str, step: str) -> Path:
    return settings.journal_dir / TABLE / folder_name(run_id) / f"{folder_name(step)}.parquet"


def _attempts(settings: Settings, run_id: str, step: str) -> int:
    import pyarrow.parquet as pq

    path = _path(settings, run_id, step)
    if not path.exists():
        return 0
    (row,) = pq.ParquetFile(path).read(["attempt_count"]).to_pylist()
    return int(row["attempt_count"])


def _write(settings: Settings, run_id: str, step: str, row: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("run_id", pa.string()),
            ("market_date", pa.date32()),
            ("step", pa.string()),
            ("status", pa.string()),
            ("attempt_count", pa.int64()),
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("seconds", pa.float64()),
            ("rows_in_count", pa.int64()),
            ("rows_out_count", pa.int64()),
        ]
    )
    with replacing(_path(settings, run_id, step)) as temporary:
        pq.write_table(pa.Table.from_pylist([row], schema=schema), temporary)


def recorded(journal_dir: Path) -> str | None:
    """Return SQL of a relation with every step that was noted, or None without any."""
    select = FoldedTable(journal_dir, TABLE).select()
    return None if select is None else f"({select})"
