"""Which ids to ask a vendor for, from the reviewed reference tables.

Read from the CSV files themselves: a fetch runs without a warehouse.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from pipeline.settings import Settings

_XREF_KEY = ("source", "source_coin_id", "valid_from")
_CLASS_KEY = ("coin_id", "effective_from")
_IDENTITY_KEY = ("source",)


def vendor_coin_ids(settings: Settings, source: str) -> tuple[str, ...]:
    """Return the ids under which a vendor lists the coins that have been reviewed.

    Args:
        settings: Where the reference tables and the user's own rows for them are.
        source: As in ``raw.market_daily``. ``reference.vendor_identity`` may say that it
            uses the ids of another source.

    Returns:
        The ids that ``reference.coin_xref`` lists for the source, without repeats, sorted.

    Raises:
        ConfigurationError: A reference table cannot be read or lacks a column.
    """
    owner = _xref_source(settings, source)
    rows = _read(settings, "coin_xref", _XREF_KEY)
    return tuple(sorted({row["source_coin_id"] for row in rows if row["source"] == owner}))


def coin_ids_with_spelling(settings: Settings, source: str) -> tuple[str, ...]:
    """Return a vendor's ids of the floating coins, where most are spelled like ours.

    A coin that no row of ``reference.coin_xref`` leads to goes by its own id, unless a row
    says that this spelling is another coin's.

    Args:
        settings: Where the reference tables and the user's own rows for them are.
        source: As in ``raw.market_daily``.

    Returns:
        The ids of every coin whose class is, or once was, ``coin``; sorted.

    Raises:
        ConfigurationError: A reference table cannot be read or lacks a column.
    """
    owner = _xref_source(settings, source)
    rows = [row for row in _read(settings, "coin_xref", _XREF_KEY) if row["source"] == owner]
    classes = _read(settings, "asset_class", _CLASS_KEY)
    coins = {row["coin_id"] for row in classes if row["asset_class"] == "coin"}
    listed = {row["source_coin_id"] for row in rows if row["coin_id"] in coins}
    renamed = {row["coin_id"] for row in rows}
    spoken_for = {row["source_coin_id"] for row in rows}
    return tuple(sorted(listed | (coins - renamed - spoken_for)))


def _xref_source(settings: Settings, source: str) -> str:
    for row in _read(settings, "vendor_identity", _IDENTITY_KEY):
        if row["source"] == source:
            return row["xref_source"]
    return source


def _read(settings: Settings, table: str, key: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a reference table, the user's own rows in place of those with the same key."""
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for folder in (settings.sql_dir / "reference", settings.reference_dir):
        path = folder / f"{table}.csv"
        if folder == settings.reference_dir and not path.exists():
            continue
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                for row in csv.DictReader(lines, strict=True):
                    rows[tuple(row[column] for column in key)] = row
        except (OSError, UnicodeDecodeError, csv.Error, KeyError) as exc:
            raise ConfigurationError(
                f"{path} is no table reference.{table}: {type(exc).__name__}: {exc}"
            ) from exc
    return list(rows.values())
