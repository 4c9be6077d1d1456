"""Opening DuckDB the same way everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.errors import ConfigurationError, PublishError

STORAGE_VERSION = "v1.4.0"


def open_scratch(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory connection in UTC, for reading and writing Parquet."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("set TimeZone = 'UTC'")
    if threads is not None:
        connection.execute(f"set threads = {int(threads)}")
    return connection


def create_warehouse(path: Path, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open a connection whose current catalog is a new warehouse file at ``path``.

    The file is written in the storage version that DuckDB 1.4 and later read.

    Raises:
        ConfigurationError: There is a file at ``path`` already.
    """
    if path.exists():
        raise ConfigurationError(f"{path} exists already; a build always starts in a new file")
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = open_scratch(threads)
    connection.execute(
        f"attach {quote(str(path))} as tidemark (storage_version '{STORAGE_VERSION}')"
    )
    connection.execute("use tidemark")
    return connection


def open_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a warehouse file for reading.

    Raises:
        PublishError: There is no such file, or it is damaged; the message says what to do.
    """
    if not path.exists():
        raise PublishError(
            f"there is no warehouse at {path}; run `tidemark import DIR` and `tidemark build`, "
            "or `make demo`, first"
        )
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as exc:
        raise PublishError(
            f"{path} cannot be opened: {exc}. If it is damaged, `tidemark rollback` puts an "
            "earlier build in its place"
        ) from exc
    connection.execute("set TimeZone = 'UTC'")
    return connection


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published file for queries of ours, which know its tables.

    Raises:
        PublishError: There is no such file, it is damaged, or it lacks what this version reads.
    """
    with open_read_only(path) as connection:
        try:
            yield connection
        except (duckdb.CatalogException, duckdb.BinderException) as exc:
            raise PublishError(
                f"{path} is no published file of this version: {str(exc).splitlines()[0]} "
                "`tidemark build` makes one"
            ) from exc


def quote(text: str) -> str:
    """Return ``text`` as an SQL string literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def quote_name(name: str) -> str:
    """Return ``name`` as an SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
