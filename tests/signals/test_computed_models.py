"""Models that a function makes: ordered, fed, typed and traced like any other."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from pipeline.database import open_scratch
from pipeline.dictionary import render_dictionary
from pipeline.errors import ConfigurationError
from pipeline.lineage import ColumnLineage, trace_columns
from pipeline.models import Project, load_project, run_models

MODULE = "pipeline.statistics.for_these_tests"
COLUMNS = {"market_date": "date", "mean_usd": "double", "row_count": "bigint", "state": "varchar"}
PRICE_SQL = """
-- Grain: one row per market_date and coin_id.
select
    date '2024-01-01' + cast(n as integer) as market_date,
    'c' || n as coin_id,
    1.5 * n as price_usd
from (select unnest([2, 0, 1]) as n)
"""


def doc(columns: dict[str, str], grain: list[str], **more: Any) -> str:
    described = {
        name: {"type": kind, "meaning": f"The {name}", "unit": "unit"}
        for name, kind in columns.items()
    }
    return yaml.safe_dump(
        {"description": "A table.", "grain": grain, "columns": described, **more}, sort_keys=False
    )


def project_of(
    folder: Path,
    reads: Any = None,
    function: str = f"{MODULE}.summarise",
    columns: dict[str, str] | None = None,
) -> Project:
    """Return a project of a select, what is computed of it, and a select over that."""
    files = {
        "staging/price.sql": PRICE_SQL,
        "staging/price.yml": doc(
            {"market_date": "date", "coin_id": "varchar", "price_usd": "decimal(12,1)"},
            ["market_date", "coin_id"],
        ),
        "signals/summary.yml": doc(
            columns or COLUMNS,
            ["market_date"],
            computed_by=function,
            reads={"staging.price": ["market_date", "price_usd"]} if reads is None else reads,
        ),
        "totals/above.sql": "select state from signals.summary",
        "totals/above.yml": doc({"state": "varchar"}, []),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return load_project(folder)


@pytest.fixture
def provide(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Put a function where the models look for it."""

    def put(function: Callable[..., Any]) -> None:
        module = types.ModuleType(MODULE)
        module.summarise = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, MODULE, module)

    return put


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scratch(1) as connection:
        connection.execute("attach ':memory:' as tidemark")
        connection.execute("use tidemark")
        yield connection


def summary(**overrides: Any) -> pd.DataFrame:
    row = {"market_date": pd.Timestamp("2024-01-02"), "mean_usd": 1.5, "row_count": 3, "state": "a"}
    return pd.DataFrame([row | overrides])


def test_function_gets_its_columns_in_order_and_its_frame_is_stored(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, provide: Any
) -> None:
    seen: list[pd.DataFrame] = []

    def summarise(prices: pd.DataFrame) -> pd.DataFrame:
        seen.append(prices)
        return summary(mean_usd=prices["price_usd"].mean(), row_count=len(prices))

    provide(summarise)
    project = project_of(tmp_path)
    order = [model.name for model in project.ordered()]
    assert order == ["staging.price", "signals.summary", "totals.above"]
    timings = run_models(warehouse, project.ordered())
    (prices,) = seen
    assert list(prices.columns) == ["market_date", "price_usd"]
    assert list(prices["price_usd"]) == [0.0, 1.5, 3.0]
    assert warehouse.execute("from signals.summary").fetchall() == [(date(2024, 1, 2), 1.5, 3, "a")]
    assert timings[1].row_count == 1
    comment = "select comment from duckdb_tables() where table_name = 'summary'"
    assert warehouse.execute(comment).fetchone() == ("A table. One row per market_date.",)


def test_rows_are_stored_in_the_order_of_the_grain(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, provide: Any
) -> None:
    days = pd.to_datetime(["2024-01-03", "2024-01-01", "2024-01-02"])
    provide(lambda _: pd.concat([summary(market_date=day) for day in days]))
    run_models(warehouse, project_of(tmp_path).ordered())
    found = warehouse.execute("select market_date from signals.summary").fetchall()
    assert found == [(date(2024, 1, 1),), (date(2024, 1, 2),), (date(2024, 1, 3),)]


def test_nan_and_none_become_null(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, provide: Any
) -> None:
    provide(lambda _: summary(mean_usd=float("nan"), row_count=None, state=None))
    run_models(warehouse, project_of(tmp_path).ordered())
    found = warehouse.execute("select mean_usd, row_count, state from signals.summary").fetchall()
    assert found == [(None, None, None)]


def test_empty_frame_makes_an_empty_table(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, provide: Any
) -> None:
    provide(lambda _: pd.DataFrame(columns=list(COLUMNS)))
    timings = run_models(warehouse, project_of(tmp_path).ordered())
    assert timings[1].row_count == 0
    described = warehouse.execute("describe signals.summary").fetchall()
    assert [row[1] for row in described] == ["DATE", "DOUBLE", "BIGINT", "VARCHAR"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (summary(mean_usd=float("inf")), "mean_usd is no double: it holds an infinity"),
        (summary(row_count=2.5), "row_count is no bigint"),
        (summary(state=3), "state is no varchar"),
        (summary(market_date=pd.Timestamp("2024-01-02 10:00")), "market_date is no date"),
        (summary().drop(columns="state"), r"has not the columns .* differ in \['state'\]"),
        (summary().assign(extra=1), r"differ in \['extra'\]"),
        (summary()[list(reversed(COLUMNS))], "differ in their order"),
    ],
)
def test_frame_that_is_not_as_documented_is_refused(
    tmp_path: Path,
    warehouse: duckdb.DuckDBPyConnection,
    provide: Any,
    rows: pd.DataFrame,
    message: str,
) -> None:
    provide(lambda _: rows)
    with pytest.raises(ConfigurationError, match=rf"signals\.summary.*{message}"):
        run_models(warehouse, project_of(tmp_path).ordered())


def test_failure_in_the_function_names_the_model(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, provide: Any
) -> None:
    def fail(prices: pd.DataFrame) -> pd.DataFrame:
        raise ValueError(f"{len(prices)} rows are too few")

    provide(fail)
    with pytest.raises(ConfigurationError, match=r"signals\.summary failed in .*: 3 rows are") as e:
        run_models(warehouse, project_of(tmp_path).ordered())
    assert isinstance(e.value.__cause__, ValueError)


@pytest.mark.parametrize("name", ["summarize", "nowhere.summarise"])
def test_function_that_is_not_there_is_refused(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, provide: Any, name: str
) -> None:
    provide(lambda _: summary())
    project = project_of(tmp_path, function=f"{MODULE}.{name}")
    with pytest.raises(ConfigurationError, match="there is no function"):
        run_models(warehouse, project.ordered())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"function": "os.system"}, r"must be a function of pipeline\.statistics"),
        ({"reads": ["staging.price"]}, "reads must list"),
        ({"reads": {}}, "reads must list"),
        ({"reads": {"staging.price": []}}, "reads must list"),
        ({"reads": {"staging.prise": ["price_usd"]}}, r"reads staging\.prise, which nothing makes"),
        ({"reads": {"staging.price": ["price_eur"]}}, r"staging\.price has no column price_eur"),
        ({"reads": {"raw.sentiment_daily": ["mood"]}}, r"raw\.sentiment_daily has no column mood"),
        ({"reads": {"ledger.index_level_daily": ["x"]}}, "has no column x"),
    ],
)
def test_computation_that_is_wrong_is_refused_when_it_is_read(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        project_of(tmp_path, **changes)


def test_lineage_of_what_is_computed(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    edges = trace_columns(project, [project.models["signals.summary"]])
    both = [("staging.price", "market_date"), ("staging.price", "price_usd")]
    assert edges == [
        ColumnLineage("signals.summary", "market_date", *both[0]),
        *(
            ColumnLineage("signals.summary", made, *origin)
            for made in ("mean_usd", "row_count", "state")
            for origin in both
        ),
    ]


def test_lineage_of_a_select_over_what_is_computed(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    assert trace_columns(project, [project.models["totals.above"]]) == [
        ColumnLineage("totals.above", "state", "signals.summary", "state")
    ]


def test_dictionary_says_what_computes_the_table(tmp_path: Path) -> None:
    text = render_dictionary(project_of(tmp_path))
    assert (
        "Computed by `summarise` of [pipeline/statistics/for_these_tests.py]"
        "(../pipeline/statistics/for_these_tests.py) from [staging.price](#staging-price)."
    ) in text


def test_code_of_the_statistics_decides_the_rows(tmp_path: Path) -> None:
    models = project_of(tmp_path).models
    names = {path.name for path in models["signals.summary"].inputs}
    assert {"summary.yml", "hac.py", "turning.py"} <= names
    assert {path.name for path in models["staging.price"].inputs} == {"price.sql", "price.yml"}


def test_reading_the_models_does_not_import_the_statistics() -> None:
    code = (
        "import sys; from pipeline.models import load_project; from pipeline.settings import "
        "Settings; load_project(Settings(_env_file=None).sql_dir); "
        "print(sorted({'scipy', 'statsmodels', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
