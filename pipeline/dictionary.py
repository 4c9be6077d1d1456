"""The data dictionary, written from the same metadata as the tables themselves.

``python -m pipeline.dictionary FILE`` writes it; ``make dictionary`` does that for
``docs/data_dictionary.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.datasets import DATASETS, LINEAGE_COLUMNS, Column
from pipeline.files import write_bytes_atomically
from pipeline.ledger import LEDGER_TABLES
from pipeline.lineage import ColumnLineage, trace_columns
from pipeline.models import ColumnDoc, Model, Project, load_project
from pipeline.settings import Settings

_HEAD = """\
# Data dictionary

<!-- Written by `make dictionary` from the .yml beside each model and from its SQL.
     Do not edit: edit those. -->

Every table of `published/tidemark.duckdb`: what a row is, the columns that identify it, and for
each column its type, meaning, unit and the columns it is made from. The same words are comments
in the database (`duckdb_tables()`, `duckdb_columns()`), and the origins are rows of
`quality.column_lineage`.

"Made from" names what a value is computed of. Columns that only choose rows, in a join or a
condition, are not there; the SQL that each table links to has them. A dash means that the value
is a constant, was reviewed by hand, or is filled by the pipeline.
"""

_SCHEMAS: Mapping[str, str] = {
    "main": "the file itself",
    "indices": "reviews, constituents, levels and statistics",
    "signals": "what shows when money moves toward risk or away from it",
    "quality": "what was checked, loaded and how long it took",
    "reference": "reviewed facts with dates, from `sql/reference/`",
    "staging": "the latest known row per key, in our names",
}

Origins = Mapping[tuple[str, str], Sequence[ColumnLineage]]


def render_dictionary(project: Project) -> str:
    """Return the data dictionary of a project as Markdown.

    Args:
        project: The shipped SQL, without a user's own rows.

    Returns:
        One section per published table, by schema and name, then the tables that they
        are made from and that are not published: working tables, raw datasets, the ledger.

    Raises:
        ConfigurationError: A model's columns cannot be traced.
    """
    published = [model for model in _by_name(project) if model.doc.is_published]
    working = [model for model in _by_name(project) if not model.doc.is_published]
    origins = _origins(project)
    schemas = sorted({_schema(model) for model in published}, key=_place)
    parts = [_HEAD, _contents(published, schemas)]
    for schema in schemas:
        parts.append(f"## {schema}: {_SCHEMAS.get(schema, schema)}\n")
        parts += [
            _render_model(model, project, origins)
            for model in published
            if _schema(model) == schema
        ]
    if working:
        parts.append(_render_working(working))
    parts.append(_render_raw())
    parts.append(_render_ledger())
    return "\n".join(parts)


def _by_name(project: Project) -> list[Model]:
    return sorted(project.models.values(), key=lambda model: (_place(_schema(model)), model.name))


def _schema(model: Model) -> str:
    return model.name.split(".")[0]


def _place(schema: str) -> tuple[int, str]:
    known = list(_SCHEMAS)
    return (known.index(schema) if schema in known else len(known), schema)


def _origins(project: Project) -> Origins:
    found: dict[tuple[str, str], list[ColumnLineage]] = {}
    for edge in trace_columns(project, project.ordered()):
        found.setdefault((edge.model, edge.column), []).append(edge)
    return found


def _contents(published: Sequence[Model], schemas: Iterable[str]) -> str:
    rows = []
    for schema in schemas:
        links = ", ".join(
            f"[{model.name.split('.')[1]}](#{_anchor(model.name)})"
            for model in published
            if _schema(model) == schema
        )
        rows.append([f"`{schema}`", links])
    return _table(["schema", "tables"], rows)


def _render_model(model: Model, project: Project, origins: Origins) -> str:
    rows = [
        [
            f"`{column.name}`",
            f"`{column.type}`",
            column.meaning,
            column.unit,
            _made_from(origins.get((model.name, column.name), ()), project),
        ]
        for column in model.doc.columns
    ]
    return "\n".join(
        [
            f'### <a id="{_anchor(model.name)}"></a>`{model.name}`\n',
            f"{_one_line(model.doc.description)}\n",
            f"{_grain(model)} {_made_by(model, project)}\n",
            *_refers_to(model, project),
            *_read_by(model, project),
            _table(["column", "type", "meaning", "unit", "made from"], rows),
        ]
    )


def _grain(model: Model) -> str:
    if not model.doc.grain:
        return "Grain: one row."
    return f"Grain: one row per {_listed(f'`{name}`' for name in model.doc.grain)}."


def _refers_to(model: Model, project: Project) -> list[str]:
    keys = [
        f"{_listed(f'`{name}`' for name in key.columns)} to {_link(key.table, project)}"
        for key in model.doc.foreign_keys
    ]
    return [f"Foreign keys: {'; '.join(keys)}.\n"] if keys else []


def _read_by(model: Model, project: Project) -> list[str]:
    readers: dict[str, list[str]] = {}
    for exposure in project.exposures:
        if model.name in exposure.reads:
            name = exposure.name.removeprefix(f"{exposure.kind}_")
            readers.setdefault(exposure.kind, []).append(f"`{name}`")
    told = [f"{kind} {', '.join(sorted(names))}" for kind, names in sorted(readers.items())]
    return [f"Read by: {'; '.join(told)}.\n"] if told else []


def _made_by(model: Model, project: Project) -> str:
    path = _path(model)
    if model.path.suffix == ".csv":
        return f"Reviewed by hand: [{path}](../{path})."
    reads = ", ".join(_link(parent, project) for parent in model.parents)
    if model.computation is not None:
        module, _, function = model.computation.function.rpartition(".")
        path = f"{module.replace('.', '/')}.py"
        return f"Computed by `{function}` of [{path}](../{path}) from {reads}."
    if model.path.suffix == ".yml":
        return "Filled by the pipeline."
    return f"Made by [{path}](../{path})" + (f" from {reads}." if reads else ".")


def _path(model: Model) -> str:
    return f"sql/{_schema(model)}/{model.path.name}"


def _made_from(edges: Sequence[ColumnLineage], project: Project) -> str:
    columns: dict[str, list[str]] = {}
    for edge in edges:
        columns.setdefault(edge.parent, []).append(edge.parent_column)
    return (
        "; ".join(
            f"{_link(parent, project)}: {', '.join(f'`{name}`' for name in sorted(names))}"
            for parent, names in sorted(columns.items())
        )
        or "-"
    )


def _link(table: str, project: Project) -> str:
    is_here = table in project.models or table.split(".")[0] in {"raw", "ledger"}
    return f"[{table}](#{_anchor(table)})" if is_here else f"`{table}`"


def _render_working(working: Sequence[Model]) -> str:
    rows = [
        [
            f'<a id="{_anchor(model.name)}"></a>[`{model.name}`](../{_path(model)})',
            _one_line(model.doc.description),
            ", ".join(f"`{name}`" for name in model.doc.grain),
        ]
        for model in working
    ]
    return (
        "## Working tables, not published\n\n"
        "They are in `build.duckdb` of a build that was not published; `tidemark build "
        "--no-publish` leaves one.\n\n" + _table(["table", "what a row is", "grain"], rows)
    )


def _render_raw() -> str:
    rows = [
        [
            f'<a id="{_anchor(f"raw.{dataset.name}")}"></a>`{dataset.name}`',
            ", ".join(f"`{name}`" for name in dataset.key),
            ", ".join(
                f"`{column.name}` {column.type}"
                for column in dataset.columns
                if column.name not in dataset.key
            ),
        ]
        for dataset in DATASETS.values()
    ]
    added = _listed(f"`{column.name}` ({column.type})" for column in LINEAGE_COLUMNS)
    return (
        "## Raw datasets\n\n"
        "The append-only Parquet under `raw/` that the models read as `raw.<dataset>`. A later "
        "row with the same key is a revision of the earlier one. Each row also has "
        f"{added}: when we learned it, which run brought it, and whether it is `live` or "
        "`reconstructed` history. Keys that end in `_date` are dates, the other keys text.\n\n"
        + _table(["dataset", "key", "other columns"], rows)
    )


def _render_ledger() -> str:
    rows = [
        [f'<a id="{_anchor(f"ledger.{name}")}"></a>`{name}`', _typed_names(columns)]
        for name, columns in LEDGER_TABLES.items()
    ]
    return (
        "## Ledger\n\n"
        "What was published, once, as it was said on its night: append-only Parquet under "
        "`ledger/` that the models read as `ledger.<table>`.\n\n"
        + _table(["table", "columns"], rows)
    )


def _typed_names(columns: Iterable[Column | ColumnDoc]) -> str:
    return ", ".join(f"`{column.name}` {column.type}" for column in columns)


def _anchor(table: str) -> str:
    return table.replace(".", "-")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _listed(items: Iterable[str]) -> str:
    *first, last = list(items)
    return f"{', '.join(first)} and {last}" if first else last


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Write the dictionary of the shipped SQL to the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    write_bytes_atomically(file, render_dictionary(load_project(Settings().sql_dir)).encode())


if __name__ == "__main__":
    main()
