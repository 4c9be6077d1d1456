"""What is in quarantine, row by row, and what became of each: open, released or superseded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import duckdb

from pipeline.database import open_scratch, quote, quote_name
from pipeline.datasets import DATASETS, Dataset, get_dataset
from pipeline.journal import Journal
from pipeline.quality.quarantine import Quarantine
from pipeline.raw_store import RawStore
from pipeline.settings import Settings

HeldStatus = Literal["open", "released", "superseded"]

RELEASE_TABLE = "quarantine_release"

RUN_PREFIX = "release-"
"""How the id of a run that releases begins."""

HELD_COLUMNS = (
    "row_id",
    "dataset",
    "row_date",
    "source",
    "row_key",
    "rule_id",
    "reason",
    "status",
    "gate_market_date",
    "run_id",
    "served_by",
    "payload_refs",
    "quarantined_at",
    "vintage",
    "known_at",
)
"""What is known of a row beside its own values; the columns of ``select_held``, in order."""

# Of files that an earlier version wrote.
_LATER_COLUMNS = "select null::varchar as vintage, null::timestamptz as known_at where false"


@dataclass(frozen=True)
class HeldRow:
    """One row in quarantine; the same row of several runs is one, with its latest lineage.

    ``row_id`` is a digest of the dataset and of all its values, so it is the same in every
    home. ``row_date`` is the row's own day, ``gate_market_date`` that of the run. ``values``
    has the dataset's own columns. ``status`` is ``released`` once a reviewer has let the row
    in, ``superseded`` when a row of the same key that passed was learned later, else ``open``.
    """

    row_id: str
    dataset: str
    row_date: date | None
    source: str | None
    row_key: str
    rule_id: str
    reason: str
    status: HeldStatus
    gate_market_date: date
    run_id: str
    served_by: str
    payload_refs: str
    quarantined_at: datetime
    vintage: str
    known_at: datetime
    values: dict[str, Any]


def select_held(settings: Settings, dataset: Dataset) -> str | None:
    """Return SQL for the rows of a dataset in quarantine, or None when there are none.

    Columns: ``HELD_COLUMNS``, then the dataset's own, each as ``own_<name>``. Grain: ``row_id``.
    """
    files = Quarantine(settings.quarantine_dir).files(dataset.name)
    if not files:
        return None
    listed = ", ".join(quote(str(file)) for file in files)
    own = [quote_name(name) for name in dataset.column_names]
    text = ", ".join(f"coalesce(cast({name} as varchar), chr(30))" for name in own)
    others = [name for name in dataset.key if name not in (dataset.date_column, "source")]
    shown = ", ".join(f"'{name}=' || coalesce(held.{quote_name(name)}, 'null')" for name in others)
    same_key = " and ".join(f"held.{quote_name(n)} = stored.{quote_name(n)}" for n in dataset.key)
    differs = " or ".join(
        f"held.{quote_name(n)} is distinct from stored.{quote_name(n)}" for n in dataset.measures
    )
    values = ", ".join(
        f"held.{quote_name(name)} as {quote_name(f'own_{name}')}" for name in dataset.column_names
    )
    released = Journal(settings.journal_dir).select(RELEASE_TABLE, "row_id")
    return f"""
        with held as (
            select *, left(md5(concat_ws(chr(31), {quote(dataset.name)}, {text})), 12) as row_id
            from (
                {_LATER_COLUMNS}
                union all by name
                select * from read_parquet([{listed}], union_by_name = true)
            )
            qualify row_number() over (
                partition by row_id order by quarantined_at desc, run_id desc, batch_digest
            ) = 1
        ),
        -- Not what a release itself has stored, should it have died before it said so.
        superseded as (
            select distinct held.row_id
            from held
            inner join ({RawStore(settings.raw_dir).select(dataset)}) as stored on {same_key}
            where
                stored.known_at > coalesce(held.known_at, held.quarantined_at)
                and (not starts_with(stored.run_id, {quote(RUN_PREFIX)}) or {differs})
        ),
        released as (select distinct row_id from ({released or "select '' as row_id"}))
        select
            held.row_id,
            {quote(dataset.name)} as dataset,
            held.{quote_name(dataset.date_column)} as row_date,
            held.source,
            concat_ws(', ', {shown or "''"}) as row_key,
            held.rule_id,
            held.reason,
            case
                when released.row_id is not null then 'released'
                when superseded.row_id is not null then 'superseded'
                else 'open'
            end as status,
            held.gate_market_date,
            held.run_id,
            held.served_by,
            array_to_string(held.payload_refs, '; ') as payload_refs,
            held.quarantined_at,
            coalesce(
                held.vintage,
                case
                    when starts_with(array_to_string(held.payload_refs, ''), 'import/')
                        then 'reconstructed'
                    else 'live'
                end
            ) as vintage,
            coalesce(held.known_at, held.quarantined_at) as known_at,
            {values}
        from held
        left join superseded on held.row_id = superseded.row_id
        left join released on held.row_id = released.row_id
    """


def fill_held(connection: duckdb.DuckDBPyConnection, settings: Settings, table: str) -> None:
    """Insert every row in quarantine, without its values, into a table of ``HELD_COLUMNS``."""
    columns = ", ".join(HELD_COLUMNS)
    for dataset in DATASETS.values():
        select = select_held(settings, dataset)
        if select is not None:
            connection.execute(f"insert into {table} select {columns} from ({select})")


def held_rows(
    settings: Settings,
    *,
    dataset: str | None = None,
    day: date | None = None,
    rule: str | None = None,
    row_ids: Iterable[str] = (),
    status: HeldStatus | None = None,
) -> list[HeldRow]:
    """Return rows in quarantine, in full.

    Args:
        settings: Where.
        dataset: Of this dataset only.
        day: Of this UTC day only: the row's own.
        rule: Only those that this rule kept out.
        row_ids: Only these.
        status: Only those of which this became.

    Returns:
        By dataset, day, rule and key.

    Raises:
        ConfigurationError: There is no such dataset.
    """
    wanted = [get_dataset(dataset)] if dataset else list(DATASETS.values())
    ids = tuple(row_ids)
    conditions = {"row_date": day, "rule_id": rule, "status": status}
    given = {name: value for name, value in conditions.items() if value is not None}
    where = [f"{name} = ${name}" for name in given]
    if ids:
        where.append(f"row_id in ({', '.join(quote(row_id) for row_id in ids)})")
    found: list[HeldRow] = []
    with open_scratch(settings.threads) as connection:
        for one in wanted:
            select = select_held(settings, one)
            if select is None:
                continue
            table = connection.execute(
                f"select * from ({select})"
                + (f" where {' and '.join(where)}" if where else "")
                + " order by row_date, rule_id, source, row_key, row_id",
                given,
            ).to_arrow_table()
            found += [_held_row(row, one) for row in table.to_pylist()]
    return found


def _held_row(row: dict[str, Any], dataset: Dataset) -> HeldRow:
    own = {name: row[f"own_{name}"] for name in dataset.column_names}
    return HeldRow(**{name: row[name] for name in HELD_COLUMNS}, values=own)
