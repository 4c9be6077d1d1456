"""The audit that every published table is what its ``.yml`` says and what readers rely on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.contract import VERSION_BEFORE_CONTRACTS, Contract, find_breaches, major_of
from pipeline.database import quote

if TYPE_CHECKING:
    from pipeline.models import Model

logger = logging.getLogger(__name__)

HOLDS_FOR = "every published column"
COLUMNS_BEFORE = "quality.published_column"

_SAME_TYPE = {"timestamp with time zone": "timestamptz"}


def published_tables(models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the published tables by name."""
    return tuple(name for name, model in sorted(models.items()) if model.doc.is_published)


def tables_read(models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return what the audit reads: the published tables, and the columns that readers have."""
    return (*published_tables(models), *({COLUMNS_BEFORE} & models.keys()))


def select_broken_contracts(models: Mapping[str, Model], contract: Contract) -> str:
    """Return a select of the columns that are not as documented, accepted or published before.

    Args:
        models: Every model by name.
        contract: What was accepted.

    Returns:
        SQL with one row per table_name, column_name and broken rule: declared_type (what the
        ``.yml``, the contract or the published file has) and found_type, null where there is
        none, and the rule.
    """
    tables = published_tables(models)
    declared = [
        f"({quote(name)}, {quote(column.name)}, {quote(column.type)})"
        for name in tables
        for column in models[name].doc.columns
    ]
    listed = ", ".join(quote(name) for name in tables) or "''"
    rows = ", ".join(declared) or "('', '', '')"
    parts = [
        "select table_name, column_name, declared_type, found_type, "
        "'not as its .yml says' as rule from undocumented",
        *(
            f"select {quote(breach.table_name)}, {_literal(breach.column_name)}, "
            f"{quote(breach.accepted)}, {_literal(breach.found)}, "
            + quote(f"{breach.reason}, and version {contract.version} has it")
            for breach in find_breaches(contract, models)
        ),
    ]
    if COLUMNS_BEFORE in models:
        parts.append(
            "select table_name, column_name, declared_type, found_type, "
            "'readers of the published file have it' as rule from unpublished"
        )
    before = f"""
        unpublished as (
            select distinct
                known.table_name,
                case when is_there then known.column_name end as column_name,
                case when is_there then known.column_type else 'a table' end as declared_type,
                found.found_type
            from (
                select *, table_name in (select table_name from found) as is_there
                from {COLUMNS_BEFORE}
            ) as known
            left join found
                on known.table_name = found.table_name
                and known.column_name = found.column_name
            where known.column_type is distinct from found.found_type
        ),
    """
    return f"""
        with declared as (
            select * from (values {rows}) as said (table_name, column_name, declared_type)
            where table_name <> ''
        ),
        found as (
            select
                schema_name || '.' || table_name as table_name,
                column_name,
                {_plain_type("data_type")} as found_type
            from duckdb_columns()
            where database_name = current_database()
                and schema_name || '.' || table_name in ({listed})
        ),
        {before if COLUMNS_BEFORE in models else ""}
        undocumented as (
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
        ),
        broken as ({" union all ".join(parts)})
        select * from broken
        order by all
    """


def fill_columns_before(
    connection: duckdb.DuckDBPyConnection,
    published_file: Path,
    manifest: Mapping[str, Any] | None,
    contract: Contract,
) -> None:
    """Put the columns that readers have beside the tables that are audited.

    Nothing is put there before the first publication, when the major version has moved since,
    and under a contract that promises nothing. A published file that cannot be read is no
    reason to keep readers from the one that takes its place.

    Args:
        connection: Its current catalog is the build.
        published_file: What readers have now.
        manifest: Of what is published, or None.
        contract: Of the build.
    """
    connection.execute(f"delete from {COLUMNS_BEFORE}")
    if manifest is None or not published_file.exists():
        return
    version = str(manifest.get("schema_version", VERSION_BEFORE_CONTRACTS))
    major = major_of(contract.version)
    if major == 0 or major > major_of(version):
        return
    try:
        connection.execute(f"attach {quote(str(published_file))} as readers (read_only)")
    except duckdb.Error as exc:
        logger.warning("the published file cannot be compared with the build: %s", exc)
        return
    try:
        connection.execute(
            f"insert into {COLUMNS_BEFORE} select schema_name || '.' || table_name, column_name, "
            f"{_plain_type('data_type')}, $version from duckdb_columns() "
            "where database_name = 'readers' and not internal",
            {"version": version},
        )
    finally:
        connection.execute("detach readers")


def _plain_type(column: str) -> str:
    renamed = " ".join(
        f"when {quote(theirs)} then {quote(ours)}" for theirs, ours in _SAME_TYPE.items()
    )
    return f"case lower({column}) {renamed} else lower({column}) end"


def _literal(text: str | None) -> str:
    return "null" if text is None else quote(text)
