"""Deriving what the report, Superset and the example queries read, from their own files.

``python -m pipeline.exposing sql docs/queries`` writes ``sql/exposures.yml`` anew: what can be
derived, and what was written there by hand with the types of today.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from pipeline.errors import ConfigurationError
from pipeline.exposures import EXPOSURES_FILE, Exposure, shipped_exposures
from pipeline.files import write_bytes_atomically
from pipeline.models import REPORT_FOLDER, Model, Project, load_project, parents_of

SUPERSET_DATASETS = Path(__file__).parent / "deployment" / "superset" / "assets" / "datasets"
_SENTENCES = re.compile(r"Grain: .+?\. (.+?[.?])(?: |$)")
_HEAD = """\
# Who reads what of the published file. `make dictionary` writes the entries with `derived_from`
# out of that file; the others are kept by hand, and tests hold them against the code.
"""


def columns_read(sql: str, models: Mapping[str, Model], *, where: str) -> dict[str, set[str]]:
    """Return which columns of which tables a query needs, whatever it does with them.

    Args:
        sql: One ``select``.
        models: Every model by name.
        where: What to call the query in an error.

    Returns:
        The columns by table. A ``select *`` needs what is made of it further on. Of a query
        that cannot be resolved, because it unpivots, every column that it names.

    Raises:
        ConfigurationError: It is not one ``select``, or reads a table that is not published.
    """
    tables = parents_of(sql, where=where)
    hidden = [name for name in tables if name not in models or not models[name].doc.is_published]
    if hidden:
        raise ConfigurationError(f"{where} reads {', '.join(hidden)}, which is not published")
    documented = {
        name: {column.name: column.type for column in models[name].doc.columns} for name in tables
    }
    tree = parse_one(sql, dialect="duckdb")
    if tree.find(exp.Pivot) is not None:
        named = {identifier.name for identifier in tree.find_all(exp.Identifier)}
        return {name: named & columns.keys() for name, columns in documented.items()}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for name, columns in documented.items():
        folder, table = name.split(".")
        schema.setdefault(folder, {})[table] = columns
    try:
        tree = qualify(tree, schema=schema, dialect="duckdb", quote_identifiers=False)
        scopes = list(traverse_scope(pushdown_projections(tree)))
    except SqlglotError as exc:
        raise ConfigurationError(f"the columns of {where} cannot be resolved: {exc}") from exc
    found: dict[str, set[str]] = {name: set() for name in tables}
    for scope in scopes:
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table):
                name = f"{source.db}.{source.name}"
                used = {column.name for column in scope.columns if column.table == alias}
                found[name] |= used & documented[name].keys()
    return found


def derive_exposures(project: Project, sql_dir: Path, queries_dir: Path) -> list[Exposure]:
    """Return an exposure for each select of the report, query and dataset of Superset."""
    models = project.models
    return [
        *(
            _of_select(path, f"report_{path.stem}", "report", f"sql/{REPORT_FOLDER}", models)
            for path in sorted((sql_dir / REPORT_FOLDER).glob("*.sql"))
        ),
        *(
            _of_select(path, f"query_{path.stem}", "query", "docs/queries", models)
            for path in sorted(queries_dir.glob("*.sql"))
        ),
        *(_of_dataset(path, models) for path in sorted(SUPERSET_DATASETS.rglob("*.yaml"))),
    ]


def _of_select(
    path: Path, name: str, kind: str, folder: str, models: Mapping[str, Model]
) -> Exposure:
    sql = path.read_text(encoding="utf-8")
    lines = itertools.takewhile(lambda line: line.startswith("--"), sql.splitlines())
    said = _SENTENCES.match(" ".join(line.removeprefix("-- ") for line in lines))
    reads = columns_read(sql, models, where=str(path))
    return Exposure(
        name,
        kind,
        "tidemark",
        said[1] if said else path.stem,
        with_types(reads, models),
        f"{folder}/{path.name}",
    )


def _of_dataset(path: Path, models: Mapping[str, Model]) -> Exposure:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    table = f"{content['schema']}.{content['table_name']}"
    columns = [str(column["column_name"]) for column in content["columns"]]
    return Exposure(
        f"superset_{path.stem}",
        "dashboard",
        "tidemark",
        f"Dataset {table} of the compose profile bi.",
        with_types({table: columns}, models),
        f"pipeline/deployment/superset/assets/datasets/{path.parent.name}/{path.name}",
    )


def with_types(
    reads: Mapping[str, Iterable[str]], models: Mapping[str, Model]
) -> dict[str, dict[str, str | None]]:
    """Return columns with the types that they have today, None for one that is not there."""
    types = {
        name: {column.name: column.type for column in models[name].doc.columns}
        for name in reads
        if name in models
    }
    return {
        table: {column: types.get(table, {}).get(column) for column in columns}
        for table, columns in reads.items()
    }


def render_exposures(exposures: Iterable[Exposure]) -> str:
    """Return the text of the file: those by hand first, each group by name."""
    ordered = sorted(exposures, key=lambda each: (each.derived_from is not None, each.name))
    entries: list[dict[str, Any]] = [exposure.to_dict() for exposure in ordered]
    return _HEAD + yaml.safe_dump(
        {"exposures": entries}, sort_keys=False, width=110, default_flow_style=None
    )


def renewed(project: Project, sql_dir: Path, queries_dir: Path) -> str:
    """Return what the file should be: derived anew, and by hand with the types of today."""
    by_hand = [
        Exposure(
            each.name,
            each.kind,
            each.owner,
            each.description,
            with_types(each.reads, project.models),
        )
        for each in shipped_exposures(sql_dir)
        if each.derived_from is None
    ]
    return render_exposures([*by_hand, *derive_exposures(project, sql_dir, queries_dir)])


def main() -> None:
    """Write the exposures of the folders that are named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sql_dir", type=Path)
    parser.add_argument("queries_dir", type=Path)
    options = parser.parse_args()
    text = renewed(load_project(options.sql_dir), options.sql_dir, options.queries_dir)
    write_bytes_atomically(options.sql_dir / EXPOSURES_FILE, text.encode())


if __name__ == "__main__":
    main()
