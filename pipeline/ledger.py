"""The ledger of what was published: every level, once, as it was said on its night."""

from __future__ import annotations

from pathlib import Path

from pipeline.database import open_scratch, quote, quote_name
from pipeline.datasets import Column
from pipeline.files import replacing

LEVEL_COLUMNS = (
    Column("market_date", "date", nullable=False),
    Column("profile", "varchar", nullable=False),
    Column("index_id", "varchar", nullable=False),
    Column("level", "double", nullable=False),
    Column("is_reconstructed", "boolean", nullable=False),
    Column("rulebook_version", "varchar", nullable=False),
    Column("published_at", "timestamptz", nullable=False),
    Column("build_id", "varchar", nullable=False),
    Column("tidemark_version", "varchar", nullable=False),
)
LEDGER_TABLES = {"index_level_daily": LEVEL_COLUMNS}
_KEY = ("market_date", "profile", "index_id")


class Ledger:
    """The ledger under ``root``; it only ever grows."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def files(self, table: str) -> list[Path]:
        """Return the files of a table, oldest publication first."""
        return sorted((self._root / table).glob("[!.]*.parquet"))

    def select(self, table: str) -> str:
        """Return SQL that reads the first word on every key of a table."""
        names = ", ".join(quote_name(column.name) for column in LEDGER_TABLES[table])
        files = self.files(table)
        if not files:
            columns = ", ".join(
                f"cast(null as {column.type}) as {quote_name(column.name)}"
                for column in LEDGER_TABLES[table]
            )
            return f"select {columns} limit 0"
        listed = ", ".join(quote(str(file)) for file in files)
        keys = ", ".join(_KEY)
        return (
            f"select {names} from read_parquet([{listed}]) qualify row_number() over "
            f"(partition by {keys} order by published_at, build_id) = 1"
        )

    def record(self, published_file: Path, build_id: str, published_at: str, version: str) -> int:
        """Add the levels of a published file that were never published before.

        Args:
            published_file: The warehouse that readers open now.
            build_id: Its build.
            published_at: When it was published, ISO 8601 with a time zone.
            version: Version of the code.

        Returns:
            How many levels are new.
        """
        keys = " and ".join(f"known.{name} = level.{name}" for name in _KEY)
        with open_scratch() as connection:
            connection.execute(f"attach {quote(str(published_file))} as published (read_only)")
            connection.execute(
                f"""
                create table news as
                select
                    level.market_date, level.profile, level.index_id, level.level,
                    level.is_reconstructed, level.rulebook_version,
                    $published_at::timestamptz as published_at,
                    $build_id as build_id, $version as tidemark_version
                from published.indices.index_level_daily as level
                left join ({self.select("index_level_daily")}) as known on {keys}
                where known.level is null
                order by level.market_date, level.profile, level.index_id
                """,
                {"published_at": published_at, "build_id": build_id, "version": version},
            )
            found = connection.execute("select count(*) from news").fetchone()
            count = int(found[0]) if found else 0
            if count:
                stamp = published_at[:19].replace("-", "").replace(":", "")
                target = self._root / "index_level_daily" / f"{stamp}-{build_id}.parquet"
                for leftover in target.parent.glob(".*.tmp"):
                    # Of a publisher that was killed; one writer at a time gets here.
                    leftover.unlink(missing_ok=True)
                with replacing(target) as temporary:
                    connection.execute(
                        f"copy news to {quote(str(temporary))} (format parquet, compression zstd)"
                    )
        return count
