"""Which columns a column is made of, read from the SQL itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from pipeline.computations import Computation
from pipeline.datasets import DATASETS, LINEAGE_COLUMNS
from pipeline.errors import ConfigurationError
from pipeline.ledger import LEDGER_TABLES
from pipeline.models import Model, Project


@dataclass(frozen=True)
class ColumnLineage:
    """One edge: ``column`` of ``model`` is made from ``parent_column`` of ``parent``."""

    model: str
    column: str
    parent: str
    parent_column: str


def trace_columns(project: Project, models: Sequence[Model]) -> list[ColumnLineage]:
    """Return every column-to-column edge of ``models``, in a stable order.

    Raises:
        ConfigurationError: A model cannot be resolved against the columns of its parents.
    """
    columns = _columns(project)
    edges: set[ColumnLineage] = set()
    for model in models:
        if model.computation is not None:
            edges |= _edges_of_computation(model, model.computation)
        elif model.parents:
            parents = tuple((parent, columns[parent]) for parent in model.parents)
            edges |= _edges_of_select(model.name, model.sql, parents)
    return sorted(
        edges, key=lambda edge: (edge.model, edge.column, edge.parent, edge.parent_column)
    )


_Columns = tuple[tuple[str, str], ...]
"""Name and type of a table's columns, in order."""


def _columns(project: Project) -> dict[str, _Columns]:
    """Return the columns of every table that a model may read."""
    columns = {
        name: tuple((column.name, column.type) for column in model.doc.columns)
        for name, model in project.models.items()
    }
    for dataset in DATASETS.values():
        read = (*dataset.columns, *LINEAGE_COLUMNS)
        columns[f"raw.{dataset.name}"] = tuple((column.name, column.type) for column in read)
    for table, kept in LEDGER_TABLES.items():
        columns[f"ledger.{table}"] = tuple((column.name, column.type) for column in kept)
    return columns


@lru_cache(maxsize=1024)
def _edges_of_select(
    name: str, sql: str, parents: tuple[tuple[str, _Columns], ...]
) -> frozenset[ColumnLineage]:
    """Trace once for each state of a select: all of them take as long as the models themselves."""
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for parent, columns in parents:
        folder, table = parent.split(".")
        schema.setdefault(folder, {})[table] = dict(columns)
    try:
        roots = lineage(
            None, _unrolled(sql), schema=schema, dialect="duckdb", trim_selects=False, copy=False
        )
    except SqlglotError as exc:
        raise ConfigurationError(f"the columns of {name} cannot be traced: {exc}") from exc
    edges = set()
    for column, root in roots.items():
        for leaf in root.walk():
            edge = _leaf_edge(name, column, leaf)
            if edge is not None:
                edges.add(edge)
    return frozenset(edges)


def _unrolled(sql: str) -> exp.Expression:
    """Return a select in which each recursive part reads a copy of itself.

    The tracer takes a recursive name for its first branch, so that what a step makes of the
    step before it would have no origin.
    """
    tree = parse_one(sql, dialect="duckdb")
    for cte in list(tree.find_all(exp.CTE)):
        name, with_clause = cte.alias, cte.parent
        if with_clause is None or not any(_is_named(table, name) for table in _tables(cte)):
            continue
        copied = f"{name}_before"
        for table in _tables(cte):
            if _is_named(table, name):
                table.set("this", exp.to_identifier(copied))
                table.set(
                    "alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name))
                )
        before = cte.copy()
        before.set("alias", exp.TableAlias(this=exp.to_identifier(copied)))
        expressions = list(with_clause.expressions)
        expressions.insert(expressions.index(cte), before)
        with_clause.set("expressions", expressions)
    return tree


def _tables(cte: exp.CTE) -> list[exp.Table]:
    return list(cte.this.find_all(exp.Table))


def _is_named(table: exp.Table, name: str) -> bool:
    return table.name == name and not table.db


def _edges_of_computation(model: Model, computation: Computation) -> set[ColumnLineage]:
    """Return a computed table's edges: a column of a name that is read is that column passed
    on, and every other one is taken to be made of all that the function reads.
    """
    read = [(table, column) for table, columns in computation.reads for column in columns]
    edges = set()
    for made in model.doc.columns:
        origins = [origin for origin in read if origin[1] == made.name] or read
        edges |= {ColumnLineage(model.name, made.name, *origin) for origin in origins}
    return edges


def _leaf_edge(model: str, column: str, leaf: Node) -> ColumnLineage | None:
    if leaf.downstream or not isinstance(leaf.expression, exp.Table):
        return None
    table = leaf.expression
    parent_column = leaf.name.rsplit(".", 1)[-1].strip('"')
    return ColumnLineage(model, column, f"{table.db}.{table.name}", parent_column)
