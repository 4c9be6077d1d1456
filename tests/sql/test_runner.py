"""The SQL runner: what it reads, in which order it runs, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml
from harness import SQL_DIR, observed, run_market, shipped_project

from pipeline.database import open_scratch
from pipeline.errors import ConfigurationError
from pipeline.lineage import ColumnLineage, trace_columns
from pipeline.models import Project, load_project, parents_of, run_models

DAY_SQL = "select market_date, coin_id, price_usd from raw.market_daily"
TOTAL_SQL = """
with prices as (select * from staging.price)
select market_date, sum(price_usd * 2) as double_usd from prices group by market_date
"""
DAY_COLUMNS = {"market_date": "date", "coin_id": "varchar", "price_usd": "double"}
TOTAL_COLUMNS = {"market_date": "date", "double_usd": "double"}


def doc(columns: Mapping[str, str], grain: list[str], **fields: object) -> str:
    described = {
        name: {"type": kind, "meaning": f"What {name} means", "unit": "a unit"}
        for name, kind in columns.items()
    }
    return yaml.safe_dump(
        {"description": "It's a table.", "grain": grain, "columns": described} | fields,
        sort_keys=False,
    )


def files() -> dict[str, str]:
    """Return a small project: two models, a reference table and an audit."""
    return {
        "staging/price.sql": f"-- Grain: one row per market_date and coin_id.\n{DAY_SQL};\n",
        "staging/price.yml": doc(DAY_COLUMNS, ["market_date", "coin_id"]),
        "totals/total_daily.sql": TOTAL_SQL,
        "totals/total_daily.yml": doc(TOTAL_COLUMNS, ["market_date"], is_published=False),
        "reference/name.csv": "coin_id,valid_from,note\nbtc,2020-01-02,\n",
        "reference/name.yml": doc(
            {"coin_id": "varchar", "valid_from": "date", "note": "varchar"}, ["coin_id"]
        ),
        "audits/totals_are_positive.sql": "select * from totals.total_daily where double_usd <= 0",
        "audits/totals_are_positive.yml": "{severity: critical, sentence: Totals are positive.}",
    }


def write(folder: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """Write the small project with some files changed, or left out where None."""
    for name, content in (files() | dict(changes or {})).items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    return folder


def load(folder: Path, changes: Mapping[str, str | None] | None = None) -> Project:
    return load_project(write(folder, changes))


@pytest.fixture
def warehouse() -> duckdb.DuckDBPyConnection:
    """An empty warehouse with two rows of raw data beside it."""
    connection = open_scratch(1)
    connection.execute("attach ':memory:' as raw")
    connection.execute("attach ':memory:' as tidemark")
    connection.execute("use tidemark")
    connection.execute(
        "create table raw.main.market_daily as select * from (values "
        "(date '2024-01-02', 'eth', 2.0), (date '2024-01-01', 'btc', 3.0)) "
        "as t (market_date, coin_id, price_usd)"
    )
    connection.execute("alter table raw.main.market_daily alter price_usd type double")
    return connection


def test_project_runs_parents_first_and_says_how_long_it_took(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    timings = run_models(warehouse, load(tmp_path).ordered())
    assert [(t.model, t.row_count) for t in timings] == [
        ("reference.name", 1),
        ("staging.price", 2),
        ("totals.total_daily", 2),
    ]
    assert all(timing.seconds > 0 for timing in timings)
    assert warehouse.execute("select * from totals.total_daily").fetchall()[1][1] == 4.0


def test_rows_are_stored_in_the_order_of_the_grain(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    run_models(warehouse, load(tmp_path).ordered())
    assert warehouse.execute("select coin_id from staging.price").fetchall() == [("btc",), ("eth",)]


def test_documentation_is_written_into_the_database(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    run_models(warehouse, load(tmp_path).ordered(["staging.price"]))
    assert warehouse.execute(
        "select comment from duckdb_tables() where table_name = 'price'"
    ).fetchone() == ("It's a table. One row per market_date, coin_id.",)
    assert warehouse.execute(
        "select comment from duckdb_columns() where column_name = 'price_usd' "
        "and database_name = 'tidemark'"
    ).fetchone() == ("What price_usd means [a unit]",)


def test_documentation_can_be_left_out(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    run_models(warehouse, load(tmp_path).ordered(), with_comments=False)
    assert warehouse.execute(
        "select count(*) from duckdb_tables() where comment is not null"
    ).fetchone() == (0,)


def test_order_is_the_same_however_the_files_are_found(tmp_path: Path) -> None:
    project = load(tmp_path)
    backwards = replace(project, models=dict(reversed(project.models.items())))
    assert [m.name for m in backwards.ordered()] == [m.name for m in project.ordered()]


def test_only_builds_a_model_with_its_ancestors(tmp_path: Path) -> None:
    project = load(tmp_path)
    assert [m.name for m in project.ordered(["staging.price"])] == ["staging.price"]
    assert [m.name for m in project.ordered(["totals.total_daily"])] == [
        "staging.price",
        "totals.total_daily",
    ]


def test_only_an_unknown_model_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no model indices\.level; there are: refer"):
        load(tmp_path).ordered(["indices.level"])


def test_models_that_read_each_other_are_named_in_a_circle(tmp_path: Path) -> None:
    project = load(
        tmp_path,
        {"staging/price.sql": "select market_date, 'x' as coin_id, 1.0 from totals.total_daily"},
    )
    with pytest.raises(ConfigurationError, match="in a circle") as caught:
        project.ordered()
    assert "staging.price -> " in str(caught.value)
    assert "totals.total_daily -> " in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"staging/price.yml": None}, r"staging\.price has no price\.yml"),
        ({"reference/name.yml": None}, r"reference\.name has no name\.yml"),
        ({"staging/price.yml": "- a list"}, "must be a mapping"),
        ({"staging/price.yml": "{description: d, grain: [], columns: []}"}, "needs description"),
        ({"staging/price.yml": "{description: d, columns: {}}"}, "needs description, grain"),
        (
            {"staging/price.yml": "{description: d, grain: [], columns: {a: {type: date}}}"},
            "type, meaning and unit",
        ),
        (
            {"staging/price.yml": doc(DAY_COLUMNS, ["market_date", "symbol"])},
            "grain names symbol, which is no column",
        ),
        ({"staging/price.sql": "select 1; select 2"}, "exactly one select"),
        ({"staging/price.sql": "delete from raw.market_daily"}, "exactly one select"),
        ({"staging/price.sql": "select from where"}, "staging.price"),
        ({"staging/price.sql": ""}, "exactly one select"),
        ({"staging/price.sql": "select * from market_daily"}, "neither a CTE nor written as"),
        (
            {"staging/price.sql": "select * from raw.market_dayly"},
            r"staging\.price reads raw\.market_dayly, which nothing makes",
        ),
        (
            {"audits/totals_are_positive.sql": "select * from totals.total"},
            r"audits\.totals_are_positive reads totals\.total, which nothing makes",
        ),
        ({"audits/totals_are_positive.yml": None}, "has no totals_are_positive.yml"),
        ({"audits/totals_are_positive.sql": None}, "has no totals_are_positive.sql"),
        ({"audits/totals_are_positive.yml": "{severity: critical}"}, "needs sentence"),
        ({"audits/totals_are_positive.yml": "{sentence: Positive.}"}, "needs severity"),
        (
            {"audits/totals_are_positive.yml": "{severity: fatal, sentence: Positive.}"},
            "must be critical or warning, not fatal",
        ),
        ({"audits/totals_are_positive.sql": "update totals.total_daily set a = 1"}, "one select"),
        (
            {"staging/forgotten.yml": doc(DAY_COLUMNS, [])},
            r"forgotten\.yml documents a table that has neither",
        ),
        ({"staging/price.csv": ",".join(DAY_COLUMNS) + "\n"}, "make one table"),
        (
            {"reference/name.csv": "coin_id,note,valid_from\nbtc,,2020-01-02\n"},
            "header coin_id,note,valid_from; it must be coin_id,valid_from,note",
        ),
        ({"reference/name.csv": "btc,2020-01-02,\n"}, "begins with the header btc,2020-01-02"),
        ({"reference/name.csv": ""}, "begins with the header ; it must be coin_id"),
    ],
)
def test_project_that_is_wrong_is_refused_by_name(
    tmp_path: Path, changes: dict[str, str | None], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, changes)


def test_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there are no models in"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("columns", "difference"),
    [
        (DAY_COLUMNS | {"price_usd": "decimal(18,3)"}, "price_usd"),
        (DAY_COLUMNS | {"volume_usd": "double"}, "volume_usd"),
        ({"market_date": "date", "coin_id": "varchar"}, "price_usd"),
        (dict(reversed(DAY_COLUMNS.items())), "their order"),
    ],
)
def test_columns_other_than_documented_are_refused(
    tmp_path: Path,
    warehouse: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    difference: str,
) -> None:
    project = load(tmp_path, {"staging/price.yml": doc(columns, ["market_date"])})
    with pytest.raises(ConfigurationError, match=r"staging\.price has not the columns") as caught:
        run_models(warehouse, project.ordered(["staging.price"]))
    assert difference in str(caught.value)


def test_failure_in_the_database_names_the_model(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    sql = "select market_date, coin_id, cast(coin_id as double) from raw.market_daily"
    project = load(tmp_path, {"staging/price.sql": sql})
    with pytest.raises(ConfigurationError, match=r"staging\.price failed in DuckDB: Conversion"):
        run_models(warehouse, project.ordered(["staging.price"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("coin_id,valid_from,note\nbtc,yesterday,\n", "yesterday"),
        ("coin_id,valid_from,note\nbtc,2020-01-02\n", "name.csv"),
        ("coin_id,valid_from,note\nbtc,2020-01-02,a,b\n", "name.csv"),
        ('coin_id,valid_from,note\nbtc,2020-01-02,"open\n', "name.csv"),
    ],
    ids=["bad date", "too few columns", "too many columns", "open quote"],
)
def test_reference_table_that_is_wrong_is_refused(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, content: str, message: str
) -> None:
    project = load(tmp_path, {"reference/name.csv": content})
    with pytest.raises(ConfigurationError, match=r"reference\.name failed in DuckDB") as caught:
        run_models(warehouse, project.ordered(["reference.name"]))
    assert message in str(caught.value)


def test_reference_table_keeps_quotes_and_reads_empty_as_null(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    content = 'coin_id,valid_from,note\nbtc,,"a ""b"", c"\neth,2020-01-02,\n'
    project = load(tmp_path, {"reference/name.csv": content})
    run_models(warehouse, project.ordered(["reference.name"]))
    assert warehouse.execute("select valid_from, note from reference.name").fetchall()[0] == (
        None,
        'a "b", c',
    )


def test_own_row_of_a_reference_table_takes_the_place_of_the_shipped_one(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "name.csv").write_text("coin_id,valid_from,note\nbtc,,mine\neth,,new\n")
    project = load_project(write(tmp_path / "sql"), own)
    run_models(warehouse, project.ordered(["reference.name"]))
    assert warehouse.execute("select coin_id, note from reference.name").fetchall() == [
        ("btc", "mine"),
        ("eth", "new"),
    ]


def test_reference_table_of_a_header_alone_is_empty(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    project = load(tmp_path, {"reference/name.csv": "coin_id,valid_from,note\n"})
    assert run_models(warehouse, project.ordered(["reference.name"]))[0].row_count == 0


@pytest.mark.parametrize(
    ("sql", "parents"),
    [
        ("select 1", ()),
        ("select * from staging.coin as a, staging.coin as b", ("staging.coin",)),
        ("with coin as (select * from staging.coin) select * from coin", ("staging.coin",)),
        # a CTE of the same name as a table does not hide the table
        (
            "with coin as (select 1) select * from coin, indices.coin",
            ("indices.coin",),
        ),
        ("select * from a.b where x in (select y from c.d)", ("a.b", "c.d")),
        ("select * from a.b union all select * from c.d", ("a.b", "c.d")),
        (
            "with recursive r as (select * from a.b union all select r.* from r, c.d) "
            "select * from r",
            ("a.b", "c.d"),
        ),
        ("with x as (with y as (select * from a.b) select * from y) select * from x", ("a.b",)),
        ("select * from unnest([1, 2]), range(3)", ()),
        ('select "from" from "a"."b"', ("a.b",)),
    ],
)
def test_parents_are_the_tables_that_a_query_names(sql: str, parents: tuple[str, ...]) -> None:
    assert parents_of(sql, where="here") == parents


def test_table_filled_by_the_pipeline_is_made_empty(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    project = load(
        tmp_path, {"quality/run.yml": doc({"run_id": "varchar"}, [], filled_by="pipeline")}
    )
    (timing,) = run_models(warehouse, project.ordered(["quality.run"]))
    assert timing.row_count == 0
    assert warehouse.execute("describe quality.run").fetchall()[0][:2] == ("run_id", "VARCHAR")


def test_is_published_by_default(tmp_path: Path) -> None:
    project = load(tmp_path)
    assert {m.name: m.doc.is_published for m in project.ordered()} == {
        "reference.name": True,
        "staging.price": True,
        "totals.total_daily": False,
    }


def test_lineage_follows_a_column_through_ctes(tmp_path: Path) -> None:
    project = load(tmp_path)
    edges = trace_columns(project, project.ordered())
    assert edges == [
        ColumnLineage("staging.price", "coin_id", "raw.market_daily", "coin_id"),
        ColumnLineage("staging.price", "market_date", "raw.market_daily", "market_date"),
        ColumnLineage("staging.price", "price_usd", "raw.market_daily", "price_usd"),
        ColumnLineage("totals.total_daily", "double_usd", "staging.price", "price_usd"),
        ColumnLineage("totals.total_daily", "market_date", "staging.price", "market_date"),
    ]


def test_lineage_of_a_level_leads_to_its_value_and_divisor() -> None:
    project = shipped_project()
    edges = trace_columns(project, [project.models["indices.index_level_daily"]])
    parents = {(edge.parent, edge.parent_column) for edge in edges if edge.column == "level"}
    assert parents == {
        ("indices.basket_total_daily", "market_value_usd"),
        ("indices.divisor_ledger", "divisor_after"),
    }


def test_lineage_covers_every_column_that_is_made_of_another() -> None:
    project = shipped_project()
    traced = {(edge.model, edge.column) for edge in trace_columns(project, project.ordered())}
    missing = {
        (model.name, column.name)
        for model in project.ordered()
        for column in model.doc.columns
        if model.parents and (model.name, column.name) not in traced
    }
    # Counted or constant.
    assert {
        (name, column)
        for name, column in missing
        if not column.endswith(("_count", "_kind", "_days"))
        and column not in {"detail", "subject", "review_number", "signal_id"}
    } == {
        ("signals.altcoin_season_daily", "membership"),
        ("signals.altcoin_season_daily", "variant_id"),
        ("signals.altcoin_season_daily", "weighting"),
        ("signals.claim_evidence", "claim_id"),
        ("signals.factor_weekly", "spec"),
        ("signals.liquidation_market_daily", "quality"),
        ("signals.risk_aversion_component_daily", "component_id"),
        ("signals.signal_block", "reason"),
        ("signals.signal_value_equity_daily", "coverage_fraction"),
        ("signals.twin_difference_daily", "allowed_difference"),
        ("signals.twin_difference_daily", "twin_id"),
    }


def test_shipped_project_is_what_the_settings_point_to() -> None:
    assert SQL_DIR.name == "sql"
    assert "indices.index_level_daily" in shipped_project().models


def test_shipped_models_are_commented_in_the_database() -> None:
    with run_market([observed(date(2024, 1, 31), "btc", 1.0)], with_comments=True) as market:
        bare = market.query(
            """
            select schema_name || '.' || table_name || '.' || column_name as name
            from duckdb_columns()
            where database_name = 'tidemark' and not internal and comment is null
            """
        )
        assert bare == []
        assert all(timing.seconds > 0 for timing in market.timings)
