"""The contract with readers: the published tables and columns that were accepted, by version.

``sql/contract.json`` holds them (``pipeline.accepting`` writes it). A folder of models without
that file promises nothing, as version 0 of semantic versioning does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from pipeline.models import Model

CONTRACT_FILE = "contract.json"
NO_PROMISE = "0.0.0"
VERSION_BEFORE_CONTRACTS = "1.0.0"
"""What every file says of itself that was published before there was a contract file."""


@dataclass(frozen=True)
class Breach:
    """One thing that readers had and have no more: a table, a column, a type or a key.

    ``column_name`` is None for a table as a whole, ``found`` where nothing is in its place.
    """

    table_name: str
    column_name: str | None
    accepted: str
    found: str | None
    reason: str


@dataclass(frozen=True)
class AcceptedTable:
    """One table as it was accepted: its key, and the type of each column."""

    grain: tuple[str, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Contract:
    """The accepted tables by name, and the version of them all."""

    version: str
    tables: Mapping[str, AcceptedTable]

    def to_json(self) -> str:
        """Return it as ``contract.json``, the same for the same content."""
        tables = {
            name: {"grain": list(table.grain), "columns": dict(table.columns)}
            for name, table in sorted(self.tables.items())
        }
        return json.dumps({"schema_version": self.version, "tables": tables}, indent=1) + "\n"


def load_contract(sql_dir: Path) -> Contract:
    """Read the contract of a folder of models.

    Raises:
        ConfigurationError: The file is not what ``Contract.to_json`` writes.
    """
    path = sql_dir / CONTRACT_FILE
    if not path.exists():
        return Contract(NO_PROMISE, {})
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        contract = Contract(
            str(content["schema_version"]),
            {
                str(name): AcceptedTable(tuple(table["grain"]), dict(table["columns"]))
                for name, table in content["tables"].items()
            },
        )
        major_of(contract.version)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigurationError(
            f"{path} is no contract of published tables ({exc!r}); take the committed file again"
        ) from exc
    return contract


def major_of(version: str) -> int:
    """Return the first number of a version such as ``1.4.0``.

    Raises:
        ValueError: It has not three numbers.
    """
    major, _minor, _patch = (int(part) for part in version.split("."))
    return major


def documented_tables(models: Mapping[str, Model]) -> dict[str, AcceptedTable]:
    """Return the published tables as the models document them, in the order of their names."""
    return {
        name: AcceptedTable(
            model.doc.grain, {column.name: column.type for column in model.doc.columns}
        )
        for name, model in sorted(models.items())
        if model.doc.is_published
    }


def find_breaches(contract: Contract, models: Mapping[str, Model]) -> list[Breach]:
    """Return what was accepted and is documented no more, by table and column."""
    documented = documented_tables(models)
    breaches = []
    for name, accepted in sorted(contract.tables.items()):
        table = documented.get(name)
        if table is None:
            breaches.append(Breach(name, None, "a table", None, "the table is gone"))
            continue
        if table.grain != accepted.grain:
            was, now = ", ".join(accepted.grain), ", ".join(table.grain)
            breaches.append(Breach(name, None, was, now, "the key is another"))
        for column, kind in accepted.columns.items():
            found = table.columns.get(column)
            if found != kind:
                reason = "the column is gone" if found is None else "the type is another"
                breaches.append(Breach(name, column, kind, found, reason))
    return breaches
