"""The command that says what there is to ask: tables, and the columns of one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson
from pipeline.errors import ConfigurationError
from pipeline.settings import load_settings
from pipeline.text import did_you_mean

app = typer.Typer()

_TABLES = """
    select
        schema_name || '.' || table_name as table_name, estimated_size as row_count,
        coalesce(comment, '') as description
    from duckdb_tables()
    where not internal
    order by
        list_position(['main', 'indices', 'signals', 'quality', 'reference', 'staging'],
            schema_name), table_name
"""
_COLUMNS = """
    select column_name, lower(data_type) as type, coalesce(comment, '') as meaning
    from duckdb_columns()
    where schema_name || '.' || table_name = ?
    order by column_index
"""


@app.command()
def tables(
    table: Annotated[
        str | None,
        typer.Argument(
            help="Show the columns of this one, as indices.index_level_daily.",
            autocompletion=completion.published_tables,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what there is to query: every table, or what the columns of one mean."""
    from pipeline.database import open_read_only

    with open_read_only(load_settings().published_file) as connection:
        found = connection.execute(_TABLES).fetchall()
        columns = connection.execute(_COLUMNS, [table]).fetchall() if table else []
    if table is None:
        keys = ["table", "rows", "description"]
        rows = [
            [name, count, text if as_json else _first_sentence(text)] for name, count, text in found
        ]
        console.print_rows(f"{len(rows)} tables", keys, rows, as_json)
        return
    described = {name: text for name, _, text in found}
    if table not in described:
        raise ConfigurationError(
            f"there is no table {table}{did_you_mean(table, described)}; "
            "`tidemark tables` lists them"
        )
    if not as_json:
        console.out.print(escape(" ".join(described[table].split())))
    keys = ["column", "type", "meaning"]
    console.print_rows(f"\n{table}", keys, [list(row) for row in columns], as_json)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].rstrip(".")
