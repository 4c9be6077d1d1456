"""The audit that no published table lost rows since the file that readers have now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.database import quote
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from pipeline.models import Model

HOLDS_FOR = "the rows of every published table"
ROWS_BEFORE = "quality.published_row_count"
LEAST_SHARE_KEPT = 0.99
"""A vendor's late correction may take single rows of a long table away."""


def lasting_tables(models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the published tables whose ``.yml`` does not say that they may shrink, by name."""
    return tuple(
        name
        for name, model in sorted(models.items())
        if model.doc.is_published and model.doc.may_shrink is None
    )


def tables_read(models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return what the audit reads: the tables that only grow, and how many rows they had."""
    return (*lasting_tables(models), ROWS_BEFORE)


def select_shrunken(models: Mapping[str, Model]) -> str:
    """Return a select of the tables that lost more rows than corrections take.

    Args:
        models: Every model by name.

    Returns:
        SQL with one row per table_name: row_count_before as published in build_id, and
        row_count. A table whose loss was accepted for this build is not among them.
    """
    counted = "\nunion all\n".join(
        f"select {quote(name)} as table_name, count(*) as row_count from {name}"
        for name in lasting_tables(models)
    )
    return f"""
        with counted as (
            {counted or "select '' as table_name, 0 as row_count"}
        )
        select
            known.table_name,
            known.row_count as row_count_before,
            counted.row_count,
            known.build_id
        from {ROWS_BEFORE} as known
        inner join counted
            on known.table_name = counted.table_name
        where counted.row_count < {LEAST_SHARE_KEPT} * known.row_count
            and not known.is_shrink_accepted
        order by all
    """


def accepted_tables(models: Mapping[str, Model], names: Iterable[str]) -> list[str]:
    """Return the tables whose loss of rows is accepted, sorted.

    Raises:
        ConfigurationError: One is no table that the audit looks at.
    """
    accepted = sorted(set(names))
    unknown = sorted(set(accepted) - set(lasting_tables(models)))
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)} is no published table that must not shrink; name it as "
            "schema.table, as the failed audit does"
        )
    return accepted


def fill_rows_before(
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any] | None,
    accepted: Iterable[str],
) -> None:
    """Put what the published manifest counts beside the tables that are audited.

    Args:
        connection: Its current catalog is the build.
        manifest: Of what is published, or None before the first publication. One of an
            earlier version counts nothing.
        accepted: Tables that may lose rows this time.
    """
    connection.execute(f"delete from {ROWS_BEFORE}")
    counts = manifest.get("row_counts", {}) if manifest is not None else {}
    if manifest is not None and counts:
        connection.execute(
            f"insert into {ROWS_BEFORE} select name, row_count, $build_id, "
            "name in (select unnest(cast($accepted as varchar[]))) "
            "from (select unnest($names) as name, unnest($counts) as row_count)",
            {
                "names": list(counts),
                "counts": list(counts.values()),
                "build_id": manifest["build_id"],
                "accepted": list(accepted),
            },
        )
