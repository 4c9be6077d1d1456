"""What differs between two published files: schema, rows, figures, constituents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.database import open_read_only, open_scratch, quote, quote_name
from pipeline.errors import ConfigurationError
from pipeline.warehouse import Warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipeline.settings import Settings

_OWN_TO_A_RUN = frozenset({"run_id", "build_id", "built_at", "published_at", "input_digest"})
ROUNDING = 1e-9
_NUMBERS = frozenset({"DOUBLE", "FLOAT", "BIGINT", "INTEGER"})
_LEFT_OUT_SCHEMAS = frozenset({"quality", "main"})

_CONSTITUENTS = """
with before as (
    select profile, index_id, coin_id from old.indices.constituent_daily
    where market_date = (select max(market_date) from old.indices.constituent_daily)
),

after as (
    select profile, index_id, coin_id from new.indices.constituent_daily
    where market_date = (select max(market_date) from new.indices.constituent_daily)
)

select 'joined' as change, * from (from after except from before)
union all
select 'left' as change, * from (from before except from after)
order by all
"""


@dataclass(frozen=True)
class ColumnChange:
    """How many figures of a column differ where both files have the row, and some of them.

    Each of ``examples`` has the row's key, and ``old`` and ``new``; of numbers those that
    differ most come first, and ``largest_difference`` is by how much at most, in the unit of
    the column. It is None for what is no number, and where a null took part in every change.
    ``rounding_count`` of the changes are by less than a billionth of the figure: sums over
    windows that begin elsewhere end in other digits.
    """

    column: str
    changed_count: int
    examples: tuple[Mapping[str, Any], ...]
    largest_difference: float | None = None
    rounding_count: int = 0


@dataclass(frozen=True)
class TableDiff:
    """One table: its columns and rows in both files.

    ``columns`` are sentences on added, removed and retyped columns. ``added_count`` and
    ``removed_count`` count keys that only the new or the old file has, of which there are some
    in ``added`` and ``removed``; without a key they count whole rows and there are none.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    old_count: int
    new_count: int
    added_count: int
    removed_count: int
    added: tuple[Mapping[str, Any], ...]
    removed: tuple[Mapping[str, Any], ...]
    changes: tuple[ColumnChange, ...]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not (self.columns or self.added_count or self.removed_count or self.changes)


@dataclass(frozen=True)
class FileDiff:
    """Two published files: tables that only one has, those that differ, and memberships.

    ``old_schema_version`` and ``new_schema_version`` are those of the contract with readers,
    None for a file from before there was one.
    """

    old: str
    new: str
    old_schema_version: str | None
    new_schema_version: str | None
    added_tables: tuple[str, ...]
    removed_tables: tuple[str, ...]
    same_tables: tuple[str, ...]
    tables: tuple[TableDiff, ...]
    constituents: tuple[Mapping[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain dictionaries and lists."""
        return asdict(self)


def find_file(settings: Settings, name: str) -> Path:
    """Return the file that a word on the command line means.

    Args:
        settings: Where the builds are.
        name: A path, ``published``, the id of a kept build, or the last day of one; of
            several with that day the one that was published last.

    Raises:
        ConfigurationError: It means nothing; the message lists the builds there are.
    """
    if name == "published":
        return settings.published_file
    if Path(name).is_file():
        return Path(name)
    builds = Warehouse(settings).published_builds()
    for build in reversed(builds):
        if name in (build["build_id"], build["market_date"]):
            return settings.builds_dir / str(build["build_id"]) / "tidemark.duckdb"
    listed = ", ".join(f"{build['build_id']} (up to {build['market_date']})" for build in builds)
    raise ConfigurationError(
        f"{name!r} is no file, no kept build and the last day of none; name a file, 'published' "
        f"or one of: {listed or 'none'}"
    )


def diff_files(
    old: Path, new: Path, grains: Mapping[str, Sequence[str]], limit: int = 5
) -> FileDiff:
    """Compare two published files.

    What belongs to a run (its id, when it built) is no difference, nor are the rows of the
    tables about the runs themselves; their columns are.

    Args:
        old: The earlier file.
        new: The later file.
        grains: The key of each table, as the models document it.
        limit: How many examples of each kind.
    """
    with open_scratch() as connection:
        for path, alias in ((old, "old"), (new, "new")):
            # The check says what to do where the file is missing or damaged.
            open_read_only(path).close()
            connection.execute(f"attach {quote(str(path))} as {alias} (read_only)")
        before, after = _columns(connection, "old"), _columns(connection, "new")
        found = [
            _diff_table(connection, table, before[table], after[table], grains, limit)
            for table in sorted(before.keys() & after.keys())
        ]
        old_version = _schema_version(connection, "old", before)
        new_version = _schema_version(connection, "new", after)
        constituents: list[dict[str, Any]] = []
        if "indices.constituent_daily" in before.keys() & after.keys():
            constituents = _records(connection, _CONSTITUENTS)
    return FileDiff(
        str(old),
        str(new),
        old_version,
        new_version,
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(each.table for each in found if each.is_same and _has_figures(each.table)),
        tuple(each for each in found if not each.is_same),
        tuple(constituents),
    )


def _columns(connection: DuckDBPyConnection, catalog: str) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = $catalog and not internal order by all",
        {"catalog": catalog},
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for schema, table, column, kind in rows:
        tables.setdefault(f"{schema}.{table}", {})[column] = kind
    return tables


def _has_figures(table: str) -> bool:
    return table.split(".")[0] not in _LEFT_OUT_SCHEMAS


def _schema_version(
    connection: DuckDBPyConnection, catalog: str, tables: Mapping[str, Mapping[str, str]]
) -> str | None:
    if "schema_version" not in tables.get("main.about", {}):
        return None
    found = connection.execute(f"select schema_version from {catalog}.main.about").fetchone()
    return None if found is None or found[0] is None else str(found[0])


def _records(connection: DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = connection.execute(sql).to_arrow_table().to_pylist()
    return rows


def _count(connection: DuckDBPyConnection, sql: str) -> int:
    found = connection.execute(sql).fetchone()
    return int(found[0]) if found else 0


def _diff_table(
    connection: DuckDBPyConnection,
    table: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
    grains: Mapping[str, Sequence[str]],
    limit: int,
) -> TableDiff:
    if not _has_figures(table):
        return TableDiff(
            table,
            (),
            tuple(_schema_changes(before, after)),
            _count(connection, f"select count(*) from old.{table}"),
            _count(connection, f"select count(*) from new.{table}"),
            *(0, 0, (), (), ()),
        )
    common = [name for name in after if before.get(name) == after[name]]
    key = tuple(grains.get(table, ()))
    if not key or not set(key) <= set(common):
        key = ()
    names = ", ".join(quote_name(name) for name in (key or common) if name not in _OWN_TO_A_RUN)
    only_new = f"select {names} from new.{table} except all select {names} from old.{table}"
    only_old = f"select {names} from old.{table} except all select {names} from new.{table}"
    return TableDiff(
        table,
        key,
        tuple(_schema_changes(before, after)),
        _count(connection, f"select count(*) from old.{table}"),
        _count(connection, f"select count(*) from new.{table}"),
        _count(connection, f"select count(*) from ({only_new})"),
        _count(connection, f"select count(*) from ({only_old})"),
        tuple(_examples(connection, only_new, key, limit)),
        tuple(_examples(connection, only_old, key, limit)),
        tuple(_changed_columns(connection, table, key, common, after, limit)) if key else (),
    )


def _schema_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [
        *(f"{name} is new ({after[name]})" for name in after if name not in before),
        *(f"{name} is gone ({before[name]})" for name in before if name not in after),
        *(
            f"{name} was {before[name]} and is {after[name]}"
            for name in after
            if name in before and before[name] != after[name]
        ),
    ]


def _examples(
    connection: DuckDBPyConnection, sql: str, key: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Return the newest keys: what a night adds is at the end."""
    if not key:
        return []
    order = ", ".join(f"{quote_name(name)} desc" for name in key)
    return _records(connection, f"select * from ({sql}) order by {order} limit {limit}")


def _changed_columns(
    connection: DuckDBPyConnection,
    table: str,
    key: Sequence[str],
    common: list[str],
    types: Mapping[str, str],
    limit: int,
) -> list[ColumnChange]:
    measures = [name for name in common if name not in key and name not in _OWN_TO_A_RUN]
    if not measures:
        return []
    same_key = " and ".join(
        f"o.{quote_name(name)} is not distinct from n.{quote_name(name)}" for name in key
    )
    joined = f"old.{table} as o inner join new.{table} as n on {same_key}"
    differs = {
        name: f"o.{quote_name(name)} is distinct from n.{quote_name(name)}" for name in measures
    }
    counts = connection.execute(
        "select "
        + ", ".join(f"count(*) filter (where {condition})" for condition in differs.values())
        + f" from {joined}"
    ).fetchone()
    keys = ", ".join(f"n.{quote_name(name)}" for name in key)
    changes = []
    for name, count in zip(measures, counts or (), strict=False):
        if count:
            column = quote_name(name)
            is_number = types[name] in _NUMBERS
            distance = f"abs(n.{column} - o.{column})" if is_number else "cast(null as double)"
            examples = _records(
                connection,
                f"select {keys}, o.{column} as old, n.{column} as new from {joined} "
                f"where {differs[name]} order by {distance} desc nulls last, {keys} limit {limit}",
            )
            by, rounded = connection.execute(
                f"select max({distance}), count(*) filter (where {distance} <= "
                f"{ROUNDING} * greatest(abs(try_cast(n.{column} as double)), "
                f"abs(try_cast(o.{column} as double)))) "
                f"from {joined} where {differs[name]}"
            ).fetchall()[0]
            largest = None if by is None else float(by)
            changes.append(ColumnChange(name, int(count), tuple(examples), largest, int(rounded)))
    return changes
