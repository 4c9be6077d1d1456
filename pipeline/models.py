"""The SQL runner: reads ``sql/``, orders the models by the tables they name, and runs them.

A model is ``sql/<schema>/<table>.sql``: one ``select`` in plain DuckDB SQL. Beside it lies
``<table>.yml`` with what one row is and the type, meaning and unit of every column. A
reference table is a ``.csv`` with such a ``.yml``; a ``.yml`` alone that says
``filled_by: pipeline`` is a table about the run itself, and one that says ``computed_by`` is
made by a function of ``pipeline.statistics`` (see ``pipeline.computations``). One that says
``united_from: claims`` unites the selects of the folder of that name beside it, and of a
user's folder; a file's name is the key of its row. An audit is a ``select`` in
``sql/audits/`` that returns the rows that break its rule; one whose ``.yml`` says
``holds_for`` is made from the documented columns (see ``pipeline.finite_audit``,
``pipeline.contract_audit``, ``pipeline.shrink_audit``, ``pipeline.exposures``).
"""

from __future__ import annotations

import csv
import graphlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
import yaml
from sqlglot import exp

from pipeline import contract_audit, exposures, finite_audit, shrink_audit
from pipeline.computations import STATISTICS_DIR, Computation, compute_rows, read_computation
from pipeline.contract import Contract, load_contract
from pipeline.contract_audit import select_broken_contracts
from pipeline.database import open_scratch, quote, quote_name
from pipeline.datasets import DATASETS, LINEAGE_COLUMNS
from pipeline.errors import ConfigurationError
from pipeline.exposures import Exposure, shipped_exposures
from pipeline.finite_audit import select_unfit_figures, tables_with_figures
from pipeline.ledger import LEDGER_TABLES
from pipeline.text import did_you_mean

AUDIT_FOLDER = "audits"
REPORT_FOLDER = "report"


@dataclass(frozen=True)
class ColumnDoc:
    """One documented column: DuckDB type, meaning and unit."""

    name: str
    type: str
    meaning: str
    unit: str


@dataclass(frozen=True)
class ForeignKey:
    """Columns whose values, where none is null, are in the columns of these names of a table."""

    columns: tuple[str, ...]
    table: str


@dataclass(frozen=True)
class TableDoc:
    """What the ``.yml`` beside a model says."""

    description: str
    grain: tuple[str, ...]
    columns: tuple[ColumnDoc, ...]
    is_published: bool
    may_shrink: str | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True)
class Model:
    """One table of the warehouse: a select, a reference CSV or a computation, documented."""

    name: str
    path: Path
    sql: str
    doc: TableDoc
    parents: tuple[str, ...]
    overlay: Path | None = None
    computation: Computation | None = None
    parts: tuple[Path, ...] = ()

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that decides the rows, beside the tables that the model reads."""
        own = {self.path, self.path.with_suffix(".yml"), *self.parts}
        if self.overlay is not None:
            own.add(self.overlay)
        if self.computation is not None:
            own.update(STATISTICS_DIR.rglob("*.py"))
        return tuple(sorted(own))


@dataclass(frozen=True)
class Audit:
    """One rule: a select that returns the rows that break it."""

    name: str
    sql: str
    severity: str
    sentence: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class ModelTiming:
    """How long one model took and how many rows it has."""

    model: str
    seconds: float
    row_count: int


@dataclass(frozen=True)
class Project:
    """Everything in the SQL folder."""

    models: Mapping[str, Model]
    audits: tuple[Audit, ...]
    contract: Contract
    exposures: tuple[Exposure, ...] = ()

    def ordered(self, only: Iterable[str] = ()) -> list[Model]:
        """Return the models parents first, all of them or ``only`` some with their parents.

        Raises:
            ConfigurationError: A name in ``only`` is no model, or the models form a cycle.
        """
        wanted = set(only)
        unknown = wanted - set(self.models)
        if unknown:
            raise ConfigurationError(
                f"there is no model {', '.join(sorted(unknown))}"
                f"{did_you_mean(min(unknown), self.models)}; "
                f"there are: {', '.join(sorted(self.models))}"
            )
        graph = {name: self._model_parents(name) for name in sorted(self.models)}
        try:
            order = list(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as exc:
            path = " -> ".join(reversed(exc.args[1]))
            raise ConfigurationError(f"the models read each other in a circle: {path}") from exc
        if wanted:
            needed = self._with_ancestors(wanted)
            order = [name for name in order if name in needed]
        return [self.models[name] for name in order]

    def _model_parents(self, name: str) -> list[str]:
        return [parent for parent in self.models[name].parents if parent in self.models]

    def _with_ancestors(self, names: set[str]) -> set[str]:
        needed: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                pending += self._model_parents(name)
        return needed


def load_project(sql_dir: Path, overlay_dir: Path | None = None) -> Project:
    """Read every model, reference table and audit under ``sql_dir``.

    Args:
        sql_dir: The shipped SQL.
        overlay_dir: Holds a user's own rows for reference tables, in files of the same
            names; such a row takes the place of a shipped row with the same grain. A
            user's own parts of a united table lie in a folder of its name beside this one.

    Raises:
        ConfigurationError: A file cannot be parsed, has no ``.yml``, or names a table that
            nothing makes; the message names the file.
    """
    models: dict[str, Model] = {}
    for path in sorted((*sql_dir.glob("*/*.sql"), *sql_dir.glob("*/*.csv"))):
        if path.parent.name not in (AUDIT_FOLDER, REPORT_FOLDER):
            model = _load_model(path, overlay_dir)
            if model.name in models:
                raise ConfigurationError(f"{path} and {models[model.name].path} make one table")
            models[model.name] = model
    for path in sorted(sql_dir.glob("*/*.yml")):
        name = f"{path.parent.name}.{path.stem}"
        if path.parent.name != AUDIT_FOLDER and name not in models:
            models[name] = _load_yml_alone(path, name, overlay_dir)
    contract = load_contract(sql_dir)
    audits = _load_audits(sql_dir / AUDIT_FOLDER, models, contract)
    if not models:
        raise ConfigurationError(f"there are no models in {sql_dir}; is TIDEMARK_SQL_DIR right?")
    known = {*models, *(f"raw.{name}" for name in DATASETS)}
    known |= {f"ledger.{name}" for name in LEDGER_TABLES}
    parents = {model.name: model.parents for model in models.values()}
    parents |= {audit.name: audit.parents for audit in audits}
    for name, needed in parents.items():
        unknown = [parent for parent in needed if parent not in known]
        if unknown:
            raise ConfigurationError(
                f"{name} reads {', '.join(unknown)}, which nothing makes; name a model "
                "as schema.table, a raw dataset as raw.dataset"
            )
    for model in models.values():
        _check_reads(model, models)
    return Project(models, audits, contract, shipped_exposures(sql_dir))


@lru_cache(maxsize=1024)
def parents_of(sql: str, *, where: str) -> tuple[str, ...]:
    """Return the tables that a query reads, as ``schema.table``, without its own CTEs.

    Args:
        sql: One ``select`` in DuckDB's dialect.
        where: What to call the query in an error.

    Raises:
        ConfigurationError: It is not one ``select``, or a table has no schema.
    """
    try:
        statements = sqlglot.parse(sql, dialect="duckdb")
    except sqlglot.errors.ParseError as exc:
        raise ConfigurationError(f"{where} is not valid SQL: {exc}") from exc
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ConfigurationError(f"{where} must hold exactly one select")
    tree = statements[0]
    local = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    found = set()
    for table in tree.find_all(exp.Table):
        if table.db:
            found.add(f"{table.db}.{table.name}")
        elif table.name and table.name not in local:
            raise ConfigurationError(
                f"{where} reads {table.name}, which is neither a CTE nor written as schema.table"
            )
    return tuple(sorted(found))


def _load_model(path: Path, overlay_dir: Path | None) -> Model:
    name = f"{path.parent.name}.{path.stem}"
    doc = _load_doc(path.with_suffix(".yml"), name)
    if path.suffix == ".csv":
        overlay = overlay_dir / path.name if overlay_dir is not None else None
        if overlay is None or not overlay.exists():
            return Model(name, path, _reference_select(path, doc), doc, ())
        return Model(name, path, _overlaid_select(path, overlay, doc), doc, (), overlay)
    sql = path.read_text(encoding="utf-8").strip().rstrip(";")
    return Model(name, path, sql, doc, parents_of(sql, where=name))


def _load_yml_alone(path: Path, name: str, overlay_dir: Path | None) -> Model:
    """Load a table that is computed, united from parts, or filled by the pipeline itself."""
    content = _read_yaml(path, name)
    doc = _load_doc(path, name)
    if "computed_by" in content:
        computation = read_computation(content, path)
        return Model(name, path, "", doc, computation.parents, computation=computation)
    if "united_from" in content:
        return _load_united(path, name, doc, str(content["united_from"]), overlay_dir)
    if content.get("filled_by") != "pipeline":
        raise ConfigurationError(
            f"{path} documents a table that has neither .sql nor .csv, and names no function "
            "in computed_by"
        )
    columns = ", ".join(
        f"cast(null as {column.type}) as {quote_name(column.name)}" for column in doc.columns
    )
    return Model(name, path, f"select {columns} limit 0", doc, ())


def _load_united(
    path: Path, name: str, doc: TableDoc, folder: str, overlay_dir: Path | None
) -> Model:
    """Load a table that has one row, or more, of every select of a folder."""
    found = {part.stem: part for part in (path.parent / folder).glob("*.sql")}
    if overlay_dir is not None:
        found |= {part.stem: part for part in overlay_dir.with_name(folder).glob("*.sql")}
    if not found:
        raise ConfigurationError(f"{path}: there is no .sql file in {path.parent / folder}")
    key, *columns = doc.columns
    typed = ", ".join(
        f"cast({quote_name(column.name)} as {column.type}) as {quote_name(column.name)}"
        for column in columns
    )
    parts = tuple(found[stem] for stem in sorted(found))
    selects: list[str] = []
    parents: set[str] = set()
    for part in parts:
        text = part.read_text(encoding="utf-8").strip().rstrip(";")
        parents.update(parents_of(text, where=str(part)))
        selects.append(
            f"select {quote(part.stem)} as {quote_name(key.name)}, {typed} from (\n{text}\n)"
        )
    return Model(
        name, path, "\nunion all\n".join(selects), doc, tuple(sorted(parents)), parts=parts
    )


def _check_reads(model: Model, models: Mapping[str, Model]) -> None:
    """Refuse a computation that wants a column which its parent has not."""
    for table, columns in model.computation.reads if model.computation else ():
        folder, _, stem = table.partition(".")
        if table in models:
            known = {column.name for column in models[table].doc.columns}
        elif folder == "raw":
            known = {column.name for column in (*DATASETS[stem].columns, *LINEAGE_COLUMNS)}
        else:
            known = {column.name for column in LEDGER_TABLES[stem]}
        stray = sorted(set(columns) - known)
        if stray:
            raise ConfigurationError(f"{model.path}: {table} has no column {', '.join(stray)}")


def _load_audits(
    folder: Path, models: Mapping[str, Model], contract: Contract
) -> tuple[Audit, ...]:
    """Load every audit of a folder: a select, or a ``.yml`` alone that says what it holds for."""
    stems = {path.stem for path in (*folder.glob("*.sql"), *folder.glob("*.yml"))}
    return tuple(_load_audit(folder / f"{stem}.sql", models, contract) for stem in sorted(stems))


_Models = Mapping[str, Model]
_MADE_AUDITS: Mapping[
    str, tuple[Callable[[_Models, Contract], str], Callable[[_Models], tuple[str, ...]]]
] = {
    finite_audit.HOLDS_FOR: (lambda models, _: select_unfit_figures(models), tables_with_figures),
    contract_audit.HOLDS_FOR: (select_broken_contracts, contract_audit.tables_read),
    shrink_audit.HOLDS_FOR: (
        lambda models, _: shrink_audit.select_shrunken(models),
        shrink_audit.tables_read,
    ),
    exposures.HOLDS_FOR: (
        lambda models, _: exposures.select_missing(contract_audit.published_tables(models)),
        contract_audit.published_tables,
    ),
}
"""The audits that are made from the documentation of the models."""


def _load_audit(path: Path, models: Mapping[str, Model], contract: Contract) -> Audit:
    name = f"{AUDIT_FOLDER}.{path.stem}"
    settings = _read_yaml(path.with_suffix(".yml"), name)
    if path.exists():
        sql = path.read_text(encoding="utf-8").strip().rstrip(";")
        parents = parents_of(sql, where=name)
    elif settings.get("holds_for") in _MADE_AUDITS:
        select, tables = _MADE_AUDITS[settings["holds_for"]]
        sql, parents = select(models, contract), tables(models)
    else:
        raise ConfigurationError(
            f"{name} has no {path.name} beside its .yml, and does not hold for "
            f"{' or '.join(_MADE_AUDITS)}; write the select that returns the rows that break it"
        )
    try:
        severity, sentence = str(settings["severity"]), str(settings["sentence"])
    except KeyError as exc:
        raise ConfigurationError(f"{name}: its .yml needs {exc.args[0]}") from exc
    if severity not in {"critical", "warning"}:
        raise ConfigurationError(f"{name}: severity must be critical or warning, not {severity}")
    return Audit(name, sql, severity, sentence, parents)


def _read_yaml(path: Path, name: str) -> dict[str, Any]:
    if not path.exists():
        raise ConfigurationError(f"{name} has no {path.name} beside it; write what one row is")
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must be a mapping")
    return content


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _load_doc(path: Path, name: str) -> TableDoc:
    content = _read_yaml(path, name)
    try:
        columns = tuple(
            ColumnDoc(
                column,
                str(fields["type"]).lower(),
                str(fields["meaning"]).strip(),
                str(fields["unit"]).strip(),
            )
            for column, fields in content["columns"].items()
        )
        grain = tuple(content["grain"])
        description = str(content["description"]).strip()
        foreign_keys = tuple(
            ForeignKey(tuple(key["columns"]), str(key["table"]))
            for key in content.get("foreign_keys", ())
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ConfigurationError(
            f"{path} needs description, grain and, per column, type, meaning and unit ({exc!r})"
        ) from exc
    known = {column.name for column in columns}
    for keys, named in (
        (grain, "the grain"),
        *((k.columns, "a foreign key") for k in foreign_keys),
    ):
        stray = [key for key in keys if key not in known]
        if stray:
            raise ConfigurationError(
                f"{path}: {named} names {', '.join(stray)}, which is no column"
            )
    may_shrink = content.get("may_shrink")
    if may_shrink is not None and not isinstance(may_shrink, str):
        raise ConfigurationError(f"{path}: may_shrink must be the reason why, in words")
    is_published = bool(content.get("is_published", True))
    return TableDoc(description, grain, columns, is_published, may_shrink, foreign_keys)


def _reference_select(path: Path, doc: TableDoc) -> str:
    """Return a select that reads a reference CSV, strictly.

    Raises:
        ConfigurationError: The header is not as documented; DuckDB would not look at it.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines), [])
    documented = [column.name for column in doc.columns]
    if header != documented:
        raise ConfigurationError(
            f"{path} begins with the header {','.join(header)}; it must be {','.join(documented)}"
        )
    columns = ", ".join(f"{quote(column.name)}: {quote(column.type)}" for column in doc.columns)
    return (
        f"select * from read_csv({quote(str(path))}, header = true, delim = ',', "
        f"quote = '\"', escape = '\"', nullstr = '', strict_mode = true, "
        f"columns = {{{columns}}})"
    )


def _overlaid_select(path: Path, overlay: Path, doc: TableDoc) -> str:
    same_grain = " and ".join(
        f"shipped.{quote_name(key)} is not distinct from own.{quote_name(key)}" for key in doc.grain
    )
    return (
        f"with own as ({_reference_select(overlay, doc)}), "
        f"shipped as ({_reference_select(path, doc)}) "
        "select * from own union all by name "
        f"select shipped.* from shipped anti join own on {same_grain}"
    )


def check_reference(sql_dir: Path, table: str, path: Path) -> None:
    """Read a user's rows for a reference table as a build would.

    Raises:
        ConfigurationError: A column or a value is not as the table's ``.yml`` says.
    """
    doc = _load_doc(sql_dir / "reference" / f"{table}.yml", f"reference.{table}")
    with open_scratch() as connection:
        try:
            connection.execute(_reference_select(path, doc)).fetchall()
        except duckdb.Error as exc:
            raise ConfigurationError(f"{path} is no table reference.{table}: {exc}") from exc


def run_models(
    connection: duckdb.DuckDBPyConnection,
    models: Sequence[Model],
    *,
    with_comments: bool = True,
) -> list[ModelTiming]:
    """Create each model's table, check it against its documentation, and comment it.

    Rows are stored in the order of the grain, so a file does not depend on the number of
    threads.

    Args:
        connection: Its current catalog is the warehouse; ``raw`` views are in place.
        models: Parents first.
        with_comments: Write the documentation into the database; a third of the time of a
            small build.

    Raises:
        ConfigurationError: A model fails in DuckDB or in its function, or its columns are not
            as documented.
    """
    timings = []
    for schema in sorted({model.name.split(".")[0] for model in models}):
        connection.execute(f"create schema if not exists {quote_name(schema)}")
    for model in models:
        started = time.perf_counter()
        if model.computation is None:
            _create_table(connection, model, f"(\n{model.sql}\n)")
        else:
            rows = compute_rows(connection, model.name, model.computation, model.doc.columns)
            connection.register("computed_rows", rows)
            _create_table(connection, model, "computed_rows")
            connection.unregister("computed_rows")
        _check_contract(connection, model)
        if with_comments:
            write_comments(connection, model)
        counted = connection.execute(f"select count(*) from {model.name}").fetchone()
        timings.append(
            ModelTiming(model.name, time.perf_counter() - started, counted[0] if counted else 0)
        )
    return timings


def _create_table(connection: duckdb.DuckDBPyConnection, model: Model, relation: str) -> None:
    order = ", ".join(quote_name(name) for name in model.doc.grain)
    ordering = f" order by {order}" if order else ""
    try:
        connection.execute(f"create table {model.name} as select * from {relation}{ordering}")
    except duckdb.Error as exc:
        culprit = _failing_part(connection, model)
        where = model.name if culprit is None else f"{model.name}, in {culprit},"
        raise ConfigurationError(f"{where} failed in DuckDB: {exc}") from exc


def _failing_part(connection: duckdb.DuckDBPyConnection, model: Model) -> Path | None:
    """Return the first part of a united table whose select alone does not run."""
    for part in model.parts:
        try:
            connection.execute(part.read_text(encoding="utf-8")).fetchall()
        except duckdb.Error:
            return part
    return None


def _check_contract(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    made = [
        (str(row[0]), _plain_type(str(row[1])))
        for row in connection.execute(f"describe {model.name}").fetchall()
    ]
    documented = [(column.name, column.type) for column in model.doc.columns]
    if made != documented:
        differences = sorted(set(made) ^ set(documented))
        raise ConfigurationError(
            f"{model.name} has not the columns that its .yml documents; they differ in "
            f"{differences or 'their order'}"
        )


def _plain_type(duckdb_type: str) -> str:
    return {"timestamp with time zone": "timestamptz"}.get(duckdb_type.lower(), duckdb_type.lower())


def write_comments(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Put the documentation of ``model`` into the database as comments."""
    grain = f" One row per {', '.join(model.doc.grain)}." if model.doc.grain else ""
    comments = [f"comment on table {model.name} is {quote(model.doc.description + grain)}"]
    comments += [
        f"comment on column {model.name}.{quote_name(column.name)} is "
        f"{quote(f'{column.meaning} [{column.unit}]')}"
        for column in model.doc.columns
    ]
    # One transaction for all of them takes a third of the time of one for each.
    connection.execute(f"begin; {'; '.join(comments)}; commit")
