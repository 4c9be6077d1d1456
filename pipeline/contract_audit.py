"""The audit that every published table has the columns and types that its ``.yml`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.database import quote

if TYPE_CHECKING:
    from pipeline.models import Model

HOLDS_FOR = "every published column"

_SAME_TYPE = {"timestamp with time zone": "timestamptz"}


def published_tables(models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the published tables by name."""
    return tuple(name for name, model in sorted(models.items()) if model.doc.is_published)


def select_broken_contracts(models: Mapping[str, Model]) -> str:
    """Return a select of the columns that are not as documented.

    Args:
        models: Every model by name.

    Returns:
        SQL with one row per table_name and column_name that is missing, has another type, or
        is in no ``.yml``: declared_type and found_type, null where there is none.
    """
    tables = published_tables(models)
    declared = [
        f"({quote(name)}, {quote(column.name)}, {quote(column.type)})"
        for name in tables
        for column in models[name].doc.columns
    ]
    renamed = " ".join(
        f"when {quote(theirs)} then {quote(ours)}" for theirs, ours in _SAME_TYPE.items()
    )
    listed = ", ".join(quote(name) for name in tables) or "''"
    rows = ", ".join(declared) or "('', '', '')"
    return f"""
        with declared as (
            select * from (values {rows}) as said (table_name, column_name, declared_type)
            where table_name <> ''
        ),
        found as (
            select
                schema_name || '.' || table_name as table_name,
                column_name,
                case lower(data_type) {renamed} else lower(data_type) end as found_type
            from duckdb_columns()
            where database_name = current_database()
                and schema_name || '.' || table_name in ({listed})
        )
        select
            coalesce(declared.table_name, found.table_name) as table_name,
            coalesce(declared.column_name, found.column_name) as column_name,
            declared.declared_type,
            found.found_type
        from declared
        full join found
            on declared.table_name = found.table_name
            and declared.column_name = found.column_name
        where declared.declared_type is distinct from found.found_type
        order by all
    """
