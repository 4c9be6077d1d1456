"""Accepting what was added to, or removed from, the contract with readers.

``python -m pipeline.accepting sql`` accepts what was added and moves the minor version; with
``--major`` also what was removed or retyped, and moves the major one.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from pipeline.contract import CONTRACT_FILE, Contract, documented_tables, find_breaches
from pipeline.errors import ConfigurationError
from pipeline.files import write_bytes_atomically
from pipeline.models import Model, load_project


def accept(contract: Contract, models: Mapping[str, Model], *, is_major: bool = False) -> Contract:
    """Return the contract of the tables as they are documented.

    Args:
        contract: What was accepted before.
        models: Every model by name.
        is_major: Accept what breaks readers too.

    Returns:
        The same contract when nothing differs; the next minor version when something was
        added; the next major version when something that readers had is gone.

    Raises:
        ConfigurationError: Something is gone and ``is_major`` is false; it names each thing.
    """
    tables = documented_tables(models)
    breaches = find_breaches(contract, models)
    major, minor, _patch = (int(part) for part in contract.version.split("."))
    if breaches and not is_major:
        listed = "; ".join(
            f"{breach.table_name}{f'.{breach.column_name}' if breach.column_name else ''}: "
            f"{breach.reason} (was {breach.accepted}, is {breach.found or 'not there'})"
            for breach in breaches
        )
        raise ConfigurationError(
            f"readers of version {contract.version} would break: {listed}. Leave it as it was, "
            "with the new beside it, or move the major version: make contract MAJOR=1"
        )
    if breaches:
        return Contract(f"{major + 1}.0.0", tables)
    if tables != contract.tables:
        return Contract(f"{major}.{minor + 1}.0", tables)
    return contract


def main() -> None:
    """Accept the documented tables of the folder that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sql_dir", type=Path)
    parser.add_argument("--major", action="store_true")
    options = parser.parse_args()
    project = load_project(options.sql_dir)
    try:
        accepted = accept(project.contract, project.models, is_major=options.major)
    except ConfigurationError as exc:
        parser.exit(1, f"{exc}\n")
    write_bytes_atomically(options.sql_dir / CONTRACT_FILE, accepted.to_json().encode())


if __name__ == "__main__":
    main()
