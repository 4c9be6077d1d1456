"""``datapackage.json`` beside the Parquet twins: what each file holds, for programs.

The descriptor keeps to version 2 of the Data Package standard (https://datapackage.org); what
it says of tables and columns is what the models' documentation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.datasets import DATASETS
from pipeline.models import Model, Project
from pipeline.sources.registry import FEEDS
from pipeline.sources.vendors import VENDORS, Vendor

DESCRIPTOR = "datapackage.json"
PACKAGE_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
RESOURCE_PROFILE = "https://datapackage.org/profiles/2.0/dataresource.json"
SCHEMA_PROFILE = "https://datapackage.org/profiles/2.0/tableschema.json"

_TYPES = {
    "bigint": "integer",
    "boolean": "boolean",
    "date": "date",
    "double": "number",
    "integer": "integer",
    "timestamptz": "datetime",
    "varchar": "string",
}
_LICENCE = (
    "Computed from the data of the vendors under sources, for your own use. Their terms bind you; "
    "most of them allow no redistribution."
)


def resource_name(table: str) -> str:
    """Return the name of a table's resource, such as ``indices-index_level_daily``."""
    return table.replace(".", "-")


def make_descriptor(
    project: Project, build: Mapping[str, str], files: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the descriptor of a build's Parquet twins.

    Args:
        project: Every model.
        build: ``build_id``, ``market_date`` and ``built_at``.
        files: Of each twin, by the name of its table: ``path`` from the descriptor,
            ``bytes``, ``sha256`` and ``row_count``.

    Returns:
        A Data Package: a resource per file with the type, meaning and unit of each column,
        its keys, and the vendors that may be behind it; their terms are under the package's own
        ``sources``. A foreign key to a table without a twin is left out.
    """
    resources = [
        _resource(project, project.models[table], facts, files)
        for table, facts in sorted(files.items())
    ]
    return {
        "$schema": PACKAGE_PROFILE,
        "name": "tidemark",
        "title": "Tidemark: point-in-time crypto size indices and signals",
        "description": f"Every published table up to {build['market_date']}, as Parquet.",
        "version": project.contract.version,
        "created": build["built_at"],
        "market_date": build["market_date"],
        "build_id": build["build_id"],
        "licenses": [{"name": "other-closed", "title": _LICENCE}],
        "sources": [
            {**_source(vendor), "licence": vendor.licence} for vendor in _vendors(DATASETS)
        ],
        "resources": resources,
    }


def _resource(
    project: Project,
    model: Model,
    facts: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "$schema": RESOURCE_PROFILE,
        "name": resource_name(model.name),
        "type": "table",
        "path": facts["path"],
        "title": model.name,
        "description": " ".join(model.doc.description.split()),
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "bytes": facts["bytes"],
        "hash": f"sha256:{facts['sha256']}",
        "row_count": facts["row_count"],
        "schema": _schema(model, files),
    }
    datasets = raw_datasets_of(project, model.name)
    if datasets:
        resource["raw_datasets"] = sorted(datasets)
        resource["sources"] = [_source(vendor) for vendor in _vendors(datasets)]
    return resource


def _schema(model: Model, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "$schema": SCHEMA_PROFILE,
        "fields": [
            {
                "name": column.name,
                "type": _TYPES[column.type],
                "description": column.meaning,
                "unit": column.unit,
            }
            for column in model.doc.columns
        ],
    }
    if model.doc.grain:
        schema["primaryKey"] = list(model.doc.grain)
    keys = [
        {
            "fields": list(key.columns),
            "reference": {"resource": resource_name(key.table), "fields": list(key.columns)},
        }
        for key in model.doc.foreign_keys
        if key.table in files
    ]
    if keys:
        schema["foreignKeys"] = keys
    return schema


def raw_datasets_of(project: Project, table: str) -> frozenset[str]:
    """Return the raw datasets that a table is made of, through all its parents."""
    pending, seen = [table], set()
    found: set[str] = set()
    while pending:
        for parent in project.models[pending.pop()].parents:
            schema, _, name = parent.partition(".")
            if schema == "raw":
                found.add(name)
            elif parent in project.models and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return frozenset(found)


def _vendors(datasets: Iterable[str]) -> list[Vendor]:
    wanted = frozenset(datasets)
    names = {source.vendor for feed in FEEDS for source in feed.sources if source.dataset in wanted}
    return [VENDORS[name] for name in sorted(names)]


def _source(vendor: Vendor) -> dict[str, str]:
    return {"title": vendor.name, "path": vendor.base_url}
