"""Building the warehouse in a new file, auditing it, and putting it in front of readers.

::

    builds/<build_id>/build.duckdb      everything, the working tables too
    builds/<build_id>/tidemark.duckdb   what is published of it, written once the audits ran
    builds/<build_id>/parquet/          the same tables as Parquet, and datapackage.json
    builds/<build_id>/build.json        what the build is; written last
    published/                          a copy of one build; manifest.json written last
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from pipeline import __version__, contract_audit, health, run_log, shrink_audit
from pipeline.contract import VERSION_BEFORE_CONTRACTS
from pipeline.database import create_warehouse, open_scratch, quote, quote_name
from pipeline.datapackage import DESCRIPTOR, make_descriptor
from pipeline.datasets import DATASETS
from pipeline.errors import AuditError, ConfigurationError, PublishError
from pipeline.files import replacing, sha256_of, write_bytes_atomically
from pipeline.journal import Journal
from pipeline.ledger import LEDGER_TABLES, Ledger
from pipeline.lineage import trace_columns
from pipeline.manifest import read_manifest
from pipeline.models import Audit, Model, Project, load_project, run_models, write_comments
from pipeline.quality import definitions as check_definitions
from pipeline.quality_tables import fill_from_journal, fill_table
from pipeline.raw_store import RawStore
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

AUDIT_EXAMPLES = 5
_AUDIT_COLUMNS = ("audit", "severity", "status", "bad_count", "example", "sentence")
_CALENDAR = "staging.market_calendar"
_NOTHING_TO_BUILD = (
    "there is no price in the raw archive, so there is nothing to build; load history with "
    "`tidemark import DIR` or run `tidemark refresh` first"
)
_UNTWINNED_SCHEMAS = frozenset({"staging"})


@dataclass(frozen=True)
class Build:
    """One build of the warehouse; travels between tasks as a dictionary."""

    build_id: str
    run_id: str
    market_date: str
    built_at: str
    input_digest: str

    def to_dict(self) -> dict[str, str]:
        """Return the build as plain strings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Build:
        """Return the build that ``to_dict`` wrote."""
        return cls(**{name: str(content[name]) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class AuditResult:
    """What one audit found: how many rows break its rule, and the first of them."""

    audit: str
    severity: str
    status: str
    bad_count: int
    example: str | None
    sentence: str
    examples: tuple[str, ...] = ()


class Warehouse:
    """Builds, audits and publishes in the home of ``settings``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._raw = RawStore(settings.raw_dir, settings.threads)
        self._journal = Journal(settings.journal_dir)
        self._ledger = Ledger(settings.ledger_dir)

    def input_digest(self, project: Project, known_by: datetime | None = None) -> str:
        """Return the sha256 of everything that decides the figures.

        The raw archive counts by the parts its rows came in, so a compaction does not
        change the digest; what the runs did is not counted.
        """
        digest = hashlib.sha256(f"{project.contract.version} {known_by}".encode())
        for dataset in DATASETS.values():
            for part in self._raw.parts(dataset):
                digest.update(f"{dataset.name}/{part}\n".encode())
        for model in project.models.values():
            digest.update(model.name.encode())
            for path in model.inputs:
                digest.update(path.read_bytes())
        for audit in project.audits:
            digest.update(f"{audit.name} {audit.severity} {audit.sql}".encode())
        return digest.hexdigest()

    def published_manifest(self) -> dict[str, Any] | None:
        """Return the manifest of the published build, or None before the first.

        Raises:
            PublishError: It is damaged; the message says what to do.
        """
        return read_manifest(self._settings.published_dir)

    def is_published_whole(self, manifest: dict[str, Any]) -> bool:
        """Return whether every published file is there and is what the manifest says."""
        published = self._settings.published_dir
        return all(
            (published / name).is_file() and sha256_of(published / name) == facts["sha256"]
            for name, facts in manifest["files"].items()
        )

    def build(
        self,
        run_id: str,
        *,
        known_by: datetime | None = None,
        only: Sequence[str] = (),
        on_model: Callable[[str], None] | None = None,
    ) -> Build:
        """Build the models into a new file and return it, not audited and not published.

        Args:
            run_id: The run that builds.
            known_by: Leave out what was learned after this instant.
            only: Build these models and their parents only.
            on_model: Called with each model's name before it runs.

        Raises:
            ConfigurationError: The archive holds no prices yet, or a model is wrong.
        """
        project = load_project(self._settings.sql_dir, self._settings.reference_dir)
        built_at = self._settings.now()
        digest = self.input_digest(project, known_by)
        build_id = f"{built_at.strftime('%Y%m%dT%H%M%S')}-{digest[:12]}"
        models = project.ordered(only)
        if any(model.name == _CALENDAR for model in models):
            self._require_prices(known_by)
        folder = self._new_folder(build_id)
        with create_warehouse(folder / "build.duckdb", self._settings.threads) as connection:
            self._attach_raw(connection, known_by)
            timings = []
            for model in models:
                if on_model is not None:
                    on_model(model.name)
                # The comments are for readers, and written when the tables are copied for them.
                timings += run_models(connection, [model], with_comments=False)
                fill_table(connection, self._settings, model, run_id)
            made = {model.name for model in models}
            if "quality.model_timing" in made:
                _insert(
                    connection,
                    "quality.model_timing",
                    [(run_id, t.model, t.seconds, t.row_count) for t in timings],
                )
            if "quality.column_lineage" in made:
                _insert(
                    connection,
                    "quality.column_lineage",
                    [
                        (edge.model, edge.column, edge.parent, edge.parent_column)
                        for edge in trace_columns(project, models)
                    ],
                )
            if f"quality.{check_definitions.TABLE}" in made:
                _insert(
                    connection,
                    f"quality.{check_definitions.TABLE}",
                    check_definitions.definition_rows(project.audits),
                )
            market_date = self._last_market_date(connection, made)
            if "main.about" in made:
                self._fill_about(
                    connection, project, market_date, built_at, run_id, known_by, digest
                )
            connection.execute("checkpoint tidemark")
        build = Build(folder.name, run_id, market_date.isoformat(), built_at.isoformat(), digest)
        if not only:
            _write_json(folder / "build.json", {**build.to_dict(), "state": "built"})
        return build

    def _require_prices(self, known_by: datetime | None) -> None:
        """Stop before anything is made when there is no price to build from."""
        prices = self._raw.select(DATASETS["market_daily"], known_by)
        with open_scratch(self._settings.threads) as connection:
            found = connection.execute(
                f"select exists (select 1 from ({prices}) where price_usd > 0)"
            ).fetchone()
        if found is None or not found[0]:
            raise ConfigurationError(_NOTHING_TO_BUILD)

    def _new_folder(self, build_id: str) -> Path:
        """Return a build folder that does not exist yet; a build never overwrites another."""
        folder = self._settings.builds_dir / build_id
        attempt = 1
        while folder.exists():
            attempt += 1
            folder = self._settings.builds_dir / f"{build_id}-{attempt}"
        return folder

    def _attach_raw(self, connection: duckdb.DuckDBPyConnection, known_by: datetime | None) -> None:
        connection.execute("attach ':memory:' as raw")
        for dataset in DATASETS.values():
            connection.execute(
                f"create view raw.main.{dataset.name} as {self._raw.select(dataset, known_by)}"
            )
        connection.execute("attach ':memory:' as ledger")
        for table in LEDGER_TABLES:
            connection.execute(f"create table ledger.main.{table} as {self._ledger.select(table)}")

    @staticmethod
    def _last_market_date(connection: duckdb.DuckDBPyConnection, made: set[str]) -> date:
        if _CALENDAR not in made:
            return date.min
        found = connection.execute(
            "select max(market_date) from staging.market_calendar"
        ).fetchone()
        if found is None or found[0] is None:
            raise ConfigurationError(_NOTHING_TO_BUILD)
        last: date = found[0]
        return last

    @staticmethod
    def _fill_about(
        connection: duckdb.DuckDBPyConnection,
        project: Project,
        market_date: date,
        built_at: datetime,
        run_id: str,
        known_by: datetime | None,
        digest: str,
    ) -> None:
        connection.execute(
            """
            insert into main.about
            select ?, ?, ?, ?, ?, ?, max(version), ?, ?, ? from reference.rulebook
            """,
            [
                market_date,
                built_at,
                run_id,
                known_by,
                __version__,
                _code_commit(),
                digest,
                ", ".join(_degraded_feeds(connection, market_date)) or None,
                project.contract.version,
            ],
        )

    def audit(self, build: Build, *, accept_shrink: Sequence[str] = ()) -> list[AuditResult]:
        """Hold the build against every audit and write the file that could be published.

        Args:
            build: What ``build`` returned.
            accept_shrink: Published tables that may have fewer rows than before, this once.

        Returns:
            One result per audit. Use ``raise_if_critical`` to stop on them.

        Raises:
            ConfigurationError: The build's file is gone, a model has changed since it was made,
                or no table has an accepted name.
        """
        project = load_project(self._settings.sql_dir, self._settings.reference_dir)
        accepted = shrink_audit.accepted_tables(project.models, accept_shrink)
        folder = self._settings.builds_dir / build.build_id
        if not (folder / "build.duckdb").exists():
            raise ConfigurationError(
                f"build {build.build_id} has no working file any more; build again"
            )
        with open_scratch(self._settings.threads) as connection:
            connection.execute(f"attach {quote(str(folder / 'build.duckdb'))} as tidemark")
            connection.execute("use tidemark")
            if shrink_audit.ROWS_BEFORE in project.models:
                shrink_audit.fill_rows_before(connection, self.published_manifest(), accepted)
            if contract_audit.COLUMNS_BEFORE in project.models:
                contract_audit.fill_columns_before(
                    connection,
                    self._settings.published_file,
                    self.published_manifest(),
                    project.contract,
                )
            results = [_run_audit(connection, audit) for audit in project.audits]
            self._keep_audits(build, results)
            connection.execute("delete from quality.audit_result")
            fill_from_journal(connection, self._settings, project.models["quality.audit_result"])
            degraded = _degraded_feeds(connection, date.fromisoformat(build.market_date))
            connection.execute("checkpoint tidemark")
        row_counts = self._export(project, folder, build)
        _write_json(
            folder / "build.json",
            {
                **build.to_dict(),
                "state": "failed" if _failed(results) else "audited",
                "degraded_feeds": degraded,
                "accepted_shrinks": accepted,
                "schema_version": project.contract.version,
                "row_counts": row_counts,
                "files": _file_table(folder),
            },
        )
        return results

    def _keep_audits(self, build: Build, results: Sequence[AuditResult]) -> None:
        """Note in the journal what the audits found, for this file and those to come."""
        self._journal.write(
            "audit_result",
            build.run_id,
            build.build_id,
            pd.DataFrame(
                [
                    {
                        "run_id": build.run_id,
                        "market_date": date.fromisoformat(build.market_date),
                        "build_id": build.build_id,
                        "audited_at": self._settings.now(),
                        **{name: getattr(result, name) for name in _AUDIT_COLUMNS},
                        "examples": "\n".join(result.examples) or None,
                    }
                    for result in results
                ]
            ).astype({"example": "string", "examples": "string"}),
        )

    def _export(self, project: Project, folder: Path, build: Build) -> dict[str, int]:
        """Write the published tables of a build into a compact file, and as a Data Package.

        Whoever reads the file reads what its run published, so that is what it says of the run.
        Returns how many rows each table has.
        """
        row_counts: dict[str, int] = {}
        target = folder / "tidemark.duckdb"
        target.unlink(missing_ok=True)
        shutil.rmtree(folder / "parquet", ignore_errors=True)
        with create_warehouse(target, self._settings.threads) as connection:
            connection.execute(f"attach {quote(str(folder / 'build.duckdb'))} as build (read_only)")
            for model in project.ordered():
                if not model.doc.is_published:
                    continue
                schema, table = model.name.split(".")
                connection.execute(f"create schema if not exists {quote_name(schema)}")
                row_counts[model.name] = _copy_built(connection, model)
                if model.name == "quality.run":
                    connection.execute(
                        "update quality.run set status = 'published' "
                        "where run_id = $run_id and status = 'building'",
                        {"run_id": run_log.base_run_id(build.run_id)},
                    )
                if schema not in _UNTWINNED_SCHEMAS:
                    twin = folder / "parquet" / schema / f"{table}.parquet"
                    twin.parent.mkdir(parents=True, exist_ok=True)
                    connection.execute(
                        f"copy {model.name} to {quote(str(twin))} "
                        "(format parquet, compression zstd)"
                    )
            connection.execute("detach build")
            connection.execute("checkpoint tidemark")
        _write_json(
            folder / "parquet" / DESCRIPTOR,
            make_descriptor(project, build.to_dict(), _describe_twins(folder, row_counts)),
        )
        return row_counts

    def publish(self, build: Build) -> dict[str, Any]:
        """Put an audited build in front of readers and return its manifest.

        Every file is written aside and renamed into place; the manifest comes last, so
        what it names is always there. A reader that has the old file open keeps it.

        Raises:
            PublishError: The build was not audited, failed an audit, or is damaged.
        """
        folder = self._settings.builds_dir / build.build_id
        record = _read_build(folder)
        if record.get("state") not in {"audited", "published"}:
            raise PublishError(
                f"build {build.build_id} is {record.get('state')}; only a build that passed its "
                "audits is published. Look at quality.audit_result in its file, mend the "
                "cause and build again"
            )
        return self._put_in_place(folder, record)

    def _put_in_place(self, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
        published = self._settings.published_dir
        for name, facts in record["files"].items():
            source = folder / name
            if not source.exists() or sha256_of(source) != facts["sha256"]:
                raise PublishError(
                    f"{source} is missing or damaged; the published file is as it was. "
                    "Build again, or roll back to another build"
                )
        keep = {published / name for name in record["files"]}
        for leftover in (*published.rglob(".*.tmp"), published / "tidemark.duckdb.wal"):
            # Of a killed publisher, or of a reader that opened the file for writing; beside a
            # new file a stale write-ahead log makes it unreadable.
            leftover.unlink(missing_ok=True)
        for name in record["files"]:
            with replacing(published / name) as temporary:
                shutil.copyfile(folder / name, temporary)
        for twin in (published / "parquet").rglob("*"):
            if twin.is_file() and twin not in keep:
                twin.unlink()
        if "publication" not in record:
            numbers = [int(known["publication"]) for known in self.published_builds()]
            record = {**record, "publication": max(numbers, default=0) + 1}
        manifest = {
            "schema_version": VERSION_BEFORE_CONTRACTS,
            **{k: v for k, v in record.items() if k != "state"},
            "tidemark_version": __version__,
            "published_at": self._settings.now().isoformat(),
        }
        self._ledger.record(
            published / "tidemark.duckdb",
            record["build_id"],
            manifest["published_at"],
            __version__,
        )
        self._complete_records()
        _write_json(published / "manifest.json", manifest)
        _write_json(folder / "build.json", {**record, "state": "published"})
        (folder / "build.duckdb").unlink(missing_ok=True)
        self._prune(keep_id=record["build_id"])
        logger.info("published build %s up to %s", record["build_id"], record["market_date"])
        return manifest

    def _complete_records(self) -> None:
        """Write what a publisher that died after its manifest could not, while that still tells."""
        for record in self.published_builds():
            folder = self._settings.builds_dir / record["build_id"]
            if _read_build(folder)["state"] != "published":
                _write_json(folder / "build.json", record)
                (folder / "build.duckdb").unlink(missing_ok=True)

    def published_builds(self) -> list[dict[str, Any]]:
        """Return the builds that were published and are still here, first published first.

        The one that readers see is among them even if its publisher died before it said so in
        the build's own record: the manifest says it.
        """
        records = [
            json.loads(path.read_bytes())
            for path in sorted(self._settings.builds_dir.glob("*/build.json"))
        ]
        manifest = self.published_manifest() or {"build_id": None}
        published = [
            {**record, "state": "published", "publication": manifest["publication"]}
            if record["build_id"] == manifest["build_id"]
            else record
            for record in records
            if record["state"] == "published" or record["build_id"] == manifest["build_id"]
        ]
        return sorted(published, key=lambda record: int(record["publication"]))

    def rollback(self, build_id: str | None = None) -> dict[str, Any]:
        """Publish an earlier build again: ``build_id``, or the one before the present one.

        Raises:
            PublishError: There is no such build; the message lists those there are.
        """
        records = {record["build_id"]: record for record in self.published_builds()}
        manifest = self.published_manifest()
        current = manifest["build_id"] if manifest else None
        if build_id is None:
            order = list(records)
            earlier = order[: order.index(current)] if current in records else order
            build_id = earlier[-1] if earlier else None
        if build_id is None or build_id not in records:
            listed = ", ".join(known for known in records if known != current) or "none"
            raise PublishError(
                f"there is no earlier build to go back to by that name; kept builds: {listed}"
            )
        return self._put_in_place(self._settings.builds_dir / build_id, records[build_id])

    def _prune(self, keep_id: str) -> None:
        """Delete builds beyond the newest N published ones, and abandoned ones older than them."""
        kept = [record["build_id"] for record in self.published_builds()]
        kept = kept[-self._settings.builds_kept :]
        for folder in sorted(self._settings.builds_dir.glob("*")):
            is_kept = folder.name in kept or folder.name == keep_id
            if folder.is_dir() and not is_kept and (not kept or folder.name < kept[-1]):
                shutil.rmtree(folder, ignore_errors=True)


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows in one statement; a statement a row takes longer than the models."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        values = ", ".join("unnest(?)" for _ in columns)
        connection.execute(f"insert into {table} select {values}", columns)


def _degraded_feeds(connection: duckdb.DuckDBPyConnection, market_date: date) -> list[str]:
    """Return the feeds of a night that did without a source, or have nothing."""
    rows = connection.execute(health.select_degraded(market_date)).fetchall()
    return [str(feed) for (feed,) in rows]


def raise_if_critical(build: Build, results: Sequence[AuditResult]) -> None:
    """Stop on audits that failed or could not run.

    Raises:
        AuditError: It names each rule in words, how many rows break it and one of them.
    """
    failed = _failed(results)
    if failed:
        lines = "; ".join(
            f"{r.sentence} ({r.audit} {r.status}, {r.bad_count} rows, such as {r.example})"
            for r in failed
        )
        raise AuditError(
            f"the build up to {build.market_date} breaks {len(failed)} critical rule(s), so the "
            f"published file is left as it was: {lines}. Mend the cause and run again"
        )


def _failed(results: Sequence[AuditResult]) -> list[AuditResult]:
    return [r for r in results if r.severity == "critical" and r.status != "passed"]


def _run_audit(connection: duckdb.DuckDBPyConnection, audit: Audit) -> AuditResult:
    name = audit.name.split(".", 1)[1]
    try:
        relation = connection.execute(audit.sql)
        columns = [str(column[0]) for column in relation.description or ()]
        rows = relation.fetchall()
    except duckdb.Error as exc:
        said = str(exc)
        return AuditResult(name, audit.severity, "errored", 0, said, audit.sentence, (said,))
    examples = tuple(
        ", ".join(f"{c} = {v}" for c, v in zip(columns, row, strict=True))
        for row in rows[:AUDIT_EXAMPLES]
    )
    return AuditResult(
        name,
        audit.severity,
        "failed" if rows else "passed",
        len(rows),
        examples[0] if examples else None,
        audit.sentence,
        examples,
    )


def _copy_built(connection: duckdb.DuckDBPyConnection, model: Model) -> int:
    """Copy a table of the attached build with its comments; return how many rows it has."""
    order = ", ".join(quote_name(name) for name in model.doc.grain)
    ordering = f" order by {order}" if order else ""
    try:
        created = connection.execute(
            f"create table {model.name} as select * from build.{model.name}{ordering}"
        ).fetchone()
        write_comments(connection, model)
    except (duckdb.BinderException, duckdb.CatalogException) as exc:
        raise ConfigurationError(
            f"{model.name} was built otherwise than {model.path.with_suffix('.yml')} says now "
            f"({str(exc).splitlines()[0]}): a file of it has changed since the build was made. "
            "The published file is as it was; run `tidemark build` again"
        ) from exc
    return created[0] if created else 0


def _describe_twins(folder: Path, row_counts: Mapping[str, int]) -> dict[str, dict[str, str | int]]:
    """Return path, size, digest and rows of each Parquet twin by the name of its table."""
    twins = {
        f"{path.parent.name}.{path.stem}": path
        for path in sorted((folder / "parquet").rglob("*.parquet"))
    }
    return {
        table: {
            "path": f"{path.parent.name}/{path.name}",
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
            "row_count": row_counts[table],
        }
        for table, path in twins.items()
    }


def _file_table(folder: Path) -> dict[str, dict[str, Any]]:
    twins = sorted(path for path in (folder / "parquet").rglob("*") if path.is_file())
    paths = [folder / "tidemark.duckdb", *twins]
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in paths
    }


def _read_build(folder: Path) -> dict[str, Any]:
    path = folder / "build.json"
    if not path.exists():
        raise PublishError(f"there is no finished build in {folder}; build again")
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_bytes_atomically(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")


def _code_commit() -> str | None:
    """Return the commit that the checkout is on, or None outside of one."""
    git = Path(__file__).resolve().parent.parent / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        return (git / head[5:]).read_text().strip() if head.startswith("ref: ") else head
    except OSError:
        return None
