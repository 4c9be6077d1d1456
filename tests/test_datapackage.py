"""The descriptor beside the Parquet twins keeps to its standard, and says what is in them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from frictionless import Package
from nights import Home, sha256_of_files

from pipeline.datapackage import DESCRIPTOR, RESOURCE_PROFILE, make_descriptor, raw_datasets_of
from pipeline.models import load_project
from pipeline.settings import Settings
from pipeline.sources.vendors import VENDORS
from pipeline.warehouse import Warehouse

PROJECT = load_project(Settings(_env_file=None).sql_dir)
PUBLISHED = {name: model for name, model in PROJECT.models.items() if model.doc.is_published}
ARROW_TYPES = {
    "integer": pa.types.is_integer,
    "number": pa.types.is_floating,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date,
    "datetime": pa.types.is_timestamp,
    "string": pa.types.is_string,
}


@pytest.fixture(scope="module")
def folder(loaded_home: Path) -> Path:
    return loaded_home / "published" / "parquet"


@pytest.fixture(scope="module")
def package(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / DESCRIPTOR).read_bytes())
    return content


def problems(descriptor: dict[str, Any]) -> list[str]:
    return [str(error.note) for error in Package.validate_descriptor(descriptor).errors]


def test_the_descriptor_keeps_to_the_standard(package: dict[str, Any]) -> None:
    assert problems(package) == []
    assert {resource["$schema"] for resource in package["resources"]} == {RESOURCE_PROFILE}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda package: package["resources"][0].pop("name"),
        lambda package: package["resources"][0]["schema"]["fields"][0].update(type="money"),
        lambda package: package["resources"][0]["schema"].update(primaryKey=["no_column"]),
    ],
)
def test_a_descriptor_that_does_not_is_found(package: dict[str, Any], spoil: Any) -> None:
    spoiled = copy.deepcopy(package)
    spoil(spoiled)
    assert problems(spoiled) != []


def test_every_twin_is_described_as_it_is(package: dict[str, Any], folder: Path) -> None:
    digests = sha256_of_files(folder)
    del digests[DESCRIPTOR]
    assert {r["path"]: r["hash"] for r in package["resources"]} == {
        path: f"sha256:{digest}" for path, digest in digests.items()
    }
    for resource in package["resources"]:
        file = pq.ParquetFile(folder / resource["path"])
        assert (folder / resource["path"]).stat().st_size == resource["bytes"]
        assert file.metadata.num_rows == resource["row_count"]
        fields = {field["name"]: field["type"] for field in resource["schema"]["fields"]}
        found = {field.name: field.type for field in file.schema_arrow}
        assert list(fields) == list(found)
        assert [n for n, kind in fields.items() if not ARROW_TYPES[kind](found[n])] == []


def test_meanings_units_keys_and_terms_are_told(package: dict[str, Any]) -> None:
    resources = {resource["title"]: resource for resource in package["resources"]}
    daily = resources["indices.constituent_daily"]
    assert daily["schema"]["primaryKey"] == ["market_date", "profile", "index_id", "coin_id"]
    (weight,) = [f for f in daily["schema"]["fields"] if f["name"] == "weight_fraction"]
    assert (weight["unit"], weight["description"][:12]) == ("fraction", "Share of the")
    assert daily["raw_datasets"] == ["market_daily"]
    assert {source["title"] for source in daily["sources"]} >= {"coingecko", "coinmarketcap"}
    assert "sources" not in resources["reference.rulebook"]
    terms = {source["title"]: source["licence"] for source in package["sources"]}
    assert terms == {name: vendor.licence for name, vendor in VENDORS.items()}
    assert package["version"] == PROJECT.contract.version


def test_a_foreign_key_leads_to_a_described_key(package: dict[str, Any]) -> None:
    keys = {r["name"]: set(r["schema"].get("primaryKey", ())) for r in package["resources"]}
    pointed = [
        (r["name"], key["reference"]["resource"], set(key["fields"]))
        for r in package["resources"]
        for key in r["schema"].get("foreignKeys", ())
    ]
    assert len(pointed) > 40
    assert [each for each in pointed if keys[each[1]] != each[2]] == []


@pytest.mark.parametrize("name", sorted(n for n, m in PUBLISHED.items() if m.doc.foreign_keys))
def test_every_foreign_key_holds(three_nights_path: Path, name: str) -> None:
    file = three_nights_path / "published" / "tidemark.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        for key in PUBLISHED[name].doc.foreign_keys:
            same = " and ".join(f"here.{c} = there.{c}" for c in key.columns)
            known = " and ".join(f"here.{c} is not null" for c in key.columns)
            found = connection.execute(
                f"select count(*) from {name} as here anti join {key.table} as there on {same} "
                f"where {known}"
            ).fetchone()
            assert found == (0,), key


def test_a_key_to_a_table_without_a_twin_is_left_out() -> None:
    build = {"market_date": "2024-04-29", "built_at": "2024-04-30T01:00:00Z", "build_id": "a"}
    facts = {"path": "indices/deletion.parquet", "bytes": 1, "sha256": "0", "row_count": 1}
    described = make_descriptor(PROJECT, build, {"indices.deletion": facts})
    (resource,) = described["resources"]
    assert "foreignKeys" not in resource["schema"]
    assert problems(described) == []


def test_raw_datasets_are_followed_through_all_parents() -> None:
    assert raw_datasets_of(PROJECT, "reference.rulebook") == frozenset()
    assert raw_datasets_of(PROJECT, "signals.rank_tilt_daily") >= {
        "market_daily",
        "positioning_daily",
    }


def test_it_is_published_with_the_rest_and_goes_with_an_older_build(home: Home) -> None:
    warehouse = Warehouse(home.settings(home.last_day(), hour=2))
    manifest = warehouse.published_manifest()
    assert manifest is not None
    assert f"parquet/{DESCRIPTOR}" in manifest["files"]
    record = home.path / "builds" / manifest["build_id"] / "build.json"
    content = json.loads(record.read_bytes())
    # As a build of a version before there were descriptors.
    del content["files"][f"parquet/{DESCRIPTOR}"]
    record.write_text(json.dumps(content))
    warehouse.rollback(manifest["build_id"])
    assert not (home.published / "parquet" / DESCRIPTOR).exists()
