"""How each source did on each night: who answered, who was passed over, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.files import folder_name, replacing
from pipeline.folded import FoldedTable
from pipeline.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "source_health_daily"

Status = Literal[
    "answered",
    "fell_back",
    "refused",
    "unavailable",
    "not_set_up",
    "replayed",
    "caught_up",
    "unobtainable",
]
FAILED: frozenset[Status] = frozenset({"refused", "unavailable"})
SERVED: frozenset[Status] = frozenset({"answered", "fell_back", "replayed"})


@dataclass(frozen=True)
class SourceHealth:
    """What one source did for one feed on one night.

    Args:
        feed: The feed.
        source: The source.
        preference_rank: 1 for the source that the feed asks first.
        status: ``answered``: its rows are stored. ``fell_back``: they are, in place of a
            source that failed. ``replayed``: they were read from what was landed before.
            ``refused``: its payloads or rows did not pass. ``unavailable``: it could not be
            asked or did not answer. ``not_set_up``: it needs a key or a consent. Of a night
            that did not happen: ``caught_up``: a later night fetched its rows;
            ``unobtainable``: it cannot be asked for a past day.
        reason: Why it has nothing; None where its rows are stored.
        row_count: Rows that passed the gate.
        call_count: Calls that were made, failed ones too.
        byte_count: Bytes of the bodies that came, decoded.
        seconds: Time of asking, pauses included.
        first_date: First day of its rows; None without any.
        last_date: Last day of its rows.
    """

    feed: str
    source: str
    preference_rank: int
    status: Status
    reason: str | None = None
    row_count: int = 0
    call_count: int = 0
    byte_count: int = 0
    seconds: float = 0.0
    first_date: date | None = None
    last_date: date | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON types, as it travels between tasks."""
        days = {
            name: None if day is None else day.isoformat()
            for name, day in (("first_date", self.first_date), ("last_date", self.last_date))
        }
        return asdict(self) | days

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> SourceHealth:
        """Return what ``to_dict`` described."""
        days = {
            name: date.fromisoformat(described[name]) if described[name] else None
            for name in ("first_date", "last_date")
        }
        return cls(**{**described, **days})


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("run_id", pa.string()),
            ("checked_at", pa.timestamp("us", tz="UTC")),
            ("market_date", pa.date32()),
            ("feed", pa.string()),
            ("source", pa.string()),
            ("preference_rank", pa.int64()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("row_count", pa.int64()),
            ("call_count", pa.int64()),
            ("byte_count", pa.int64()),
            ("seconds", pa.float64()),
            ("first_date", pa.date32()),
            ("last_date", pa.date32()),
        ]
    )


def _folder(settings: Settings, run_id: str) -> Path:
    return settings.journal_dir / TABLE / folder_name(run_id)


def record(
    settings: Settings,
    run_id: str,
    market_date: date,
    feed: str,
    sources: Sequence[SourceHealth],
) -> None:
    """Keep what a run found of a feed's sources; a retry of the run replaces it.

    Args:
        settings: Where, and the clock.
        run_id: The run.
        market_date: The UTC day that it was for.
        feed: The feed.
        sources: Every source that was looked at, in order; none keeps nothing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not sources:
        return
    checked_at: datetime = settings.now()
    rows = [
        asdict(source) | {"run_id": run_id, "checked_at": checked_at, "market_date": market_date}
        for source in sources
    ]
    with replacing(_folder(settings, run_id) / f"{folder_name(feed)}.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), temporary)


def of_run(settings: Settings, run_id: str) -> list[SourceHealth]:
    """Return what a run found, feed by feed in alphabetical order."""
    names = SourceHealth.__dataclass_fields__
    folder = f"{folder_name(run_id)}/"
    rows = FoldedTable(settings.journal_dir, TABLE).rows(
        lambda name: name.startswith(folder), run_id=run_id
    )
    return [SourceHealth(**{name: row[name] for name in names}) for row in rows]


def recorded(journal_dir: Path) -> str | None:
    """Return SQL of a relation with every row that ``record`` wrote, or None without any."""
    select = FoldedTable(journal_dir, TABLE).select()
    return None if select is None else f"({select})"


def select_nights(relation: str) -> str:
    """Return SQL for ``quality.source_health_daily`` from the rows of all runs.

    Of several runs of a night the last one counts that did not merely read what was landed
    before.

    Args:
        relation: SQL of a relation with the rows that ``record`` wrote.
    """
    return (
        f"select * from {relation} qualify row_number() over (partition by market_date, feed, "
        "source order by status = 'replayed', checked_at desc, run_id desc) = 1"
    )


def select_degraded(market_date: date) -> str:
    """Return SQL for the feeds of a night that did without a source, or have nothing."""
    day = market_date.isoformat()
    return (
        "select feed from quality.source_health_daily "
        f"where market_date = date '{day}' and status in ('refused', 'unavailable') "
        "group by feed order by feed"
    )


def explain_fallbacks(sources: Iterable[SourceHealth]) -> list[str]:
    """Return a sentence for each feed that came from another source than usual.

    Args:
        sources: What a run found, as ``of_run`` returns it.
    """
    feeds: dict[str, list[SourceHealth]] = {}
    for source in sources:
        feeds.setdefault(source.feed, []).append(source)
    sentences = []
    for feed, asked in feeds.items():
        failed = [source for source in asked if source.status in FAILED]
        serving = [source.source for source in asked if source.status in SERVED]
        if failed and serving:
            why = "; ".join(f"{s.source} is {s.status}: {_first_line(s.reason)}" for s in failed)
            sentences.append(f"{feed} came from {serving[0]}, as {why}")
    return sentences


def _first_line(reason: str | None) -> str:
    return next(iter((reason or "").splitlines()), "")
