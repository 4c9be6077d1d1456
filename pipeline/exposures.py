"""Who reads what of the published file: pages, dashboards, queries, mails, and a user's own.

``sql/exposures.yml`` has the shipped ones (``pipeline.exposing`` writes what can be derived), a
file of the same form that the settings name a user's own::

    exposures:
      - name: my_dashboard
        type: dashboard
        owner: research
        description: Levels on the wall of the trading floor.
        depends_on:
          indices.index_level_daily: {market_date: date, index_id: varchar, level: double}
          indices.review: [additions]
          main.about: []

Columns with a type must keep it, columns in a list must be there, and of a table with an empty
list the table must be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from pipeline.database import quote
from pipeline.errors import ConfigurationError

EXPOSURES_FILE = "exposures.yml"
HOLDS_FOR = "every exposed column"
TABLE = "quality.exposure"
WHOLE_TABLE = "*"


@dataclass(frozen=True)
class Exposure:
    """One reader, and the type of each column that it reads, None for any, by table.

    ``derived_from`` is the file that ``reads`` was read out of, None for what was written by
    hand.
    """

    name: str
    kind: str
    owner: str
    description: str
    reads: Mapping[str, Mapping[str, str | None]]
    derived_from: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as its file has it."""
        said = {
            "name": self.name,
            "type": self.kind,
            "owner": self.owner,
            "description": self.description,
        }
        if self.derived_from is not None:
            said["derived_from"] = self.derived_from
        depends_on = {
            table: dict(sorted(self.reads[table].items())) for table in sorted(self.reads)
        }
        return {**said, "depends_on": depends_on}


def read_exposures(path: Path) -> tuple[Exposure, ...]:
    """Read a file of exposures.

    Raises:
        ConfigurationError: It is not of the form above, or two have one name.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = tuple(_exposure(entry) for entry in content["exposures"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as exc:
        raise ConfigurationError(
            f"{path} is no list of exposures ({exc!r}); each needs name, type, owner, description "
            "and, under depends_on, tables with their columns: docs/bi.md shows one"
        ) from exc
    names = [exposure.name for exposure in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"{path} has {', '.join(twice)} twice; give each its own name")
    return found


def shipped_exposures(sql_dir: Path) -> tuple[Exposure, ...]:
    """Return what a folder of models ships, nothing when it has no such file."""
    path = sql_dir / EXPOSURES_FILE
    return read_exposures(path) if path.exists() else ()


def _exposure(entry: Mapping[str, Any]) -> Exposure:
    derived_from = entry.get("derived_from")
    return Exposure(
        str(entry["name"]),
        str(entry["type"]),
        str(entry["owner"]),
        " ".join(str(entry["description"]).split()),
        {str(table): _columns(columns) for table, columns in entry["depends_on"].items()},
        None if derived_from is None else str(derived_from),
    )


def _columns(said: object) -> dict[str, str | None]:
    if isinstance(said, Mapping):
        return {str(name): None if kind is None else str(kind) for name, kind in said.items()}
    if isinstance(said, Sequence) and not isinstance(said, str):
        return {str(name): None for name in said}
    raise ValueError(f"{said!r} is neither a list of columns nor columns with their types")


def fill_exposures(connection: duckdb.DuckDBPyConnection, exposures: Iterable[Exposure]) -> None:
    """Insert the rows of ``quality.exposure``; a user's own take the place of shipped ones."""
    by_name = {exposure.name: exposure for exposure in exposures}
    rows = [
        (exposure.name, exposure.kind, exposure.owner, exposure.description, table, column, kind)
        for exposure in by_name.values()
        for table, columns in exposure.reads.items()
        for column, kind in (columns or {WHOLE_TABLE: None}).items()
    ]
    if rows:
        columns = [list(values) for values in zip(*rows, strict=True)]
        values = ", ".join("unnest(?)" for _ in columns)
        connection.execute(f"insert into {TABLE} select {values}", columns)


def select_missing(published: Iterable[str]) -> str:
    """Return a select of what exposures need and the published tables have not.

    Args:
        published: The published tables by name.

    Returns:
        SQL with one row per exposure, table_name and column_name: its owner, needed_type and
        found_type, null where the column is not there.
    """
    listed = ", ".join(quote(name) for name in published) or "''"
    return f"""
        with found as (
            select
                schema_name || '.' || table_name as table_name,
                column_name,
                case lower(data_type)
                    when 'timestamp with time zone' then 'timestamptz'
                    else lower(data_type)
                end as found_type
            from duckdb_columns()
            where database_name = current_database()
                and schema_name || '.' || table_name in ({listed})
        ),
        there as (
            select * from found
            union all
            select distinct table_name, '{WHOLE_TABLE}', null from found
        )
        select
            needed.exposure,
            needed.owner,
            needed.table_name,
            needed.column_name,
            needed.column_type as needed_type,
            there.found_type
        from {TABLE} as needed
        left join there
            on needed.table_name = there.table_name
            and needed.column_name = there.column_name
        where there.table_name is null or needed.column_type <> there.found_type
        order by all
    """
