"""Which tables a published file has."""

from __future__ import annotations

from pathlib import Path

import duckdb


def tables_of(file: Path) -> list[str]:
    """Return the published tables of a file, the reviewed facts aside."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return [
            f"{schema}.{table}"
            for schema, table in connection.execute(
                "select schema_name, table_name from duckdb_tables() "
                "where schema_name <> 'reference' and table_name <> 'about' order by all"
            ).fetchall()
        ]
