"""The real SQL models on a market that fits in a test.

``run_market`` takes what vendors said, runs the shipped models of ``sql/`` unmodified in
memory and returns the tables::

    market = run_market(
        series("btc", date(2024, 1, 30), [100, 110, 120], supply=1000),
        rulebook_overrides=SMALL_BASKETS,
    )
    market.levels("top100")

Only the reference tables are replaced: the rulebook is the shipped one with overrides, and
the tables about single coins hold what the test gives and nothing else.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from pipeline.database import open_scratch, quote, quote_name
from pipeline.datasets import DATASETS, LINEAGE_COLUMNS, Column
from pipeline.ledger import LEDGER_TABLES
from pipeline.models import Audit, Model, ModelTiming, Project, load_project, run_models

SQL_DIR = Path(os.environ.get("TIDEMARK_SQL_DIR") or Path(__file__).parents[2] / "sql")
SOURCE = "vendor"

Row = dict[str, Any]
RuleKey = tuple[str, str]

# What is said about single coins; every other reference table keeps its shipped rows.
_COIN_TABLES = frozenset(
    {
        "reference.asset_class",
        "reference.coin_link",
        "reference.coin_xref",
        "reference.redenomination",
        "reference.supply_confirmation",
    }
)
_COUNTS = ("cutoff_days_before_month_end", "min_age_days", "fast_entry_age_days", "fast_entry_rank")
_SCREENS = ("min_median_volume_usd", "min_turnover_ratio", "min_observed_fraction")
_BUFFERS = ("buffer_fraction.large", "buffer_fraction.mid", "buffer_fraction.small")


def small_baskets(
    large: int = 3, mid: int = 6, small: int = 9, profile: str = "house", **rules: object
) -> dict[RuleKey, str]:
    """Return overrides that make baskets of a few coins, with no screen and no buffer.

    Args:
        large: Last rank of ``large``.
        mid: Last rank of ``mid``.
        small: Last rank of ``small``.
        profile: Whose rules to change.
        **rules: More rules; ``__`` stands for the dot in a rule's name.
    """
    values: dict[str, object] = dict.fromkeys((*_COUNTS, *_SCREENS, *_BUFFERS), 0)
    values |= {"last_rank.large": large, "last_rank.mid": mid, "last_rank.small": small}
    values |= {"min_candidate_count": 1, "rank_window_days": 1, "unclassified_block_rank": 0}
    values |= {name.replace("__", "."): value for name, value in rules.items()}
    return {(profile, rule): str(value) for rule, value in values.items()}


SMALL_BASKETS = small_baskets()


def observed(
    market_date: date,
    coin_id: str,
    price_usd: float | None,
    circulating_supply: float | None = 1.0,
    **overrides: Any,
) -> Row:
    """Return one row of ``raw.market_daily``: seen live, half an hour after the close."""
    cap = None
    if price_usd is not None and circulating_supply is not None:
        cap = price_usd * circulating_supply
    row: Row = {
        "market_date": market_date,
        "source": SOURCE,
        "coin_id": coin_id,
        "symbol": coin_id.upper(),
        "name": coin_id.title(),
        "price_usd": price_usd,
        "market_cap_usd": cap,
        "circulating_supply": circulating_supply,
        "volume_24h_usd": 1e9,
        "provider_rank": None,
        "known_at": seen_at(market_date),
        "run_id": f"night-{market_date}",
        "vintage": "live",
    }
    return row | overrides


def seen_at(market_date: date, **later: float) -> datetime:
    """Return when a night's rows are learned: half an hour after the close, or ``later``."""
    midnight = datetime.combine(market_date, time(), tzinfo=UTC) + timedelta(days=1)
    return midnight + timedelta(**(later or {"minutes": 30}))


def series(
    coin_id: str,
    start: date,
    prices: Sequence[float | None],
    supply: float | Sequence[float | None] | None = 1.0,
    **overrides: Any,
) -> list[Row]:
    """Return a coin's rows from ``start`` on, a day each; a price of None leaves the day out."""
    supplies = supply if isinstance(supply, Sequence) else [supply] * len(prices)
    return [
        observed(start + timedelta(days=number), coin_id, price, units, **overrides)
        for number, (price, units) in enumerate(zip(prices, supplies, strict=True))
        if price is not None
    ]


def known_from(row: Mapping[str, Any]) -> datetime:
    """Return when a row counts as known: reconstructed history at the end of its own day."""
    if row["vintage"] == "reconstructed":
        return seen_at(row["market_date"], minutes=0)
    known: datetime = row["known_at"]
    return known


class Result:
    """The tables of one small market. Close it, or use it in ``with``, to free them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        project: Project,
        timings: Sequence[ModelTiming],
        threads: int,
    ) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = connection
        self._project = project
        self._threads = threads
        self.timings = tuple(timings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Drop the tables and give the connection to the next market."""
        if self._connection is not None:
            _give_back(self._connection, self._threads)
            self._connection = None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection, for corrupting a table or looking at the catalog."""
        if self._connection is None:
            raise ValueError("this market is closed")
        return self._connection

    @property
    def tables(self) -> list[str]:
        """Names of the tables that were built, parents first."""
        return [timing.model for timing in self.timings]

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Return the rows of a query as dictionaries."""
        cursor = self.connection.execute(sql, parameters)
        names = [str(column[0]) for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def rows(self, table: str, **equals: Any) -> list[Row]:
        """Return a table in the order of its grain, where the named columns have these values."""
        condition = " and ".join(f"{quote_name(name)} = ?" for name in equals)
        grain = ", ".join(quote_name(name) for name in self._project.models[table].doc.grain)
        return self.query(
            f"select * from {table}"
            + (f" where {condition}" if condition else "")
            + (f" order by {grain}" if grain else ""),
            list(equals.values()),
        )

    def frame(self, table: str) -> Any:
        """Return a table as a pandas frame, in the order of its grain."""
        grain = ", ".join(quote_name(name) for name in self._project.models[table].doc.grain)
        return self.connection.execute(
            f"select * from {table}" + (f" order by {grain}" if grain else "")
        ).df()

    def levels(self, index_id: str = "top100", profile: str = "house") -> dict[date, float]:
        """Return an index's unrounded level of every day: market value over divisor."""
        return {
            row["market_date"]: row["market_value_usd"] / row["divisor"]
            for row in self.rows("indices.index_level_daily", index_id=index_id, profile=profile)
        }

    def all_levels(self) -> dict[tuple[str, str, date], float]:
        """Return the unrounded level of every profile, index and day."""
        return {
            (row["profile"], row["index_id"], row["market_date"]): row["market_value_usd"]
            / row["divisor"]
            for row in self.rows("indices.index_level_daily")
        }

    def divisors(self, index_id: str = "top100", profile: str = "house") -> dict[date, float]:
        """Return an index's divisor of every day."""
        return {
            row["market_date"]: row["divisor"]
            for row in self.rows("indices.index_level_daily", index_id=index_id, profile=profile)
        }

    def members(
        self, index_id: str = "top100", profile: str = "house"
    ) -> dict[date, dict[str, float]]:
        """Return the units of every constituent, for each effective date."""
        baskets: dict[date, dict[str, float]] = {}
        for row in self.rows("indices.constituent", index_id=index_id, profile=profile):
            baskets.setdefault(row["effective_date"], {})[row["coin_id"]] = row["units"]
        return baskets

    def run_audit(self, name: str) -> list[Row]:
        """Return the rows that break an audit's rule."""
        return self.query(audits()[name].sql)


_ARROW = {
    "date": pa.date32(),
    "varchar": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}


@functools.cache
def shipped_project(sql_dir: Path = SQL_DIR) -> Project:
    """Return the shipped SQL folder, parsed once."""
    return load_project(sql_dir)


@functools.cache
def audits(sql_dir: Path = SQL_DIR) -> dict[str, Audit]:
    """Return the shipped audits by the name of their file."""
    return {audit.name.partition(".")[2]: audit for audit in shipped_project(sql_dir).audits}


@functools.cache
def shipped_rows(table: str) -> tuple[Row, ...]:
    """Return the rows of a shipped reference table."""
    model = shipped_project().models[table]
    with open_scratch(1) as connection:
        cursor = connection.execute(model.sql)
        names = [str(column[0]) for column in cursor.description or ()]
        return tuple(dict(zip(names, row, strict=True)) for row in cursor.fetchall())


def rulebook(
    overrides: Mapping[RuleKey, object] | None = None, profiles: Iterable[str] = ("house",)
) -> list[Row]:
    """Return the shipped rules of some profiles with other values.

    Args:
        overrides: The value by profile and rule; None takes the rule out.
        profiles: Which profiles to keep. One that is not shipped takes the rules of
            ``house``, so that one market can be run under several sets of rules.

    Raises:
        KeyError: There is no such rule.
    """
    shipped = shipped_rows("reference.rulebook")
    names = {row["profile"] for row in shipped}
    rules = [
        row | {"profile": profile}
        for profile in profiles
        for row in shipped
        if row["profile"] == (profile if profile in names else "house")
    ]
    unknown = set(overrides or {}) - {(row["profile"], row["rule"]) for row in rules}
    if unknown:
        raise KeyError(f"the rulebook has no {sorted(unknown)}")
    changed = []
    for row in rules:
        value = (overrides or {}).get((row["profile"], row["rule"]), row["value"])
        if value is not None:
            changed.append(row | {"value": str(value)})
    return changed


def run_market(
    observations: Iterable[Row],
    *,
    rulebook_overrides: Mapping[RuleKey, object] | None = None,
    more_rules: Sequence[Row] = (),
    asset_classes: Mapping[str, str] | Sequence[Row] = {},
    links: Sequence[Row] = (),
    xrefs: Sequence[Row] = (),
    profiles: Iterable[str] = ("house",),
    reference: Mapping[str, Sequence[Row]] | None = None,
    raw: Mapping[str, Sequence[Row]] | None = None,
    ledger: Mapping[str, Sequence[Row]] | None = None,
    only: Iterable[str] = (),
    threads: int = 1,
    is_split: bool = False,
    known_by: datetime | None = None,
    with_comments: bool = False,
) -> Result:
    """Run the shipped models on a small market.

    Args:
        observations: Rows of ``raw.market_daily``; see ``observed`` and ``series``.
        rulebook_overrides: The value by profile and rule, over the shipped rulebook.
        more_rules: Further rows of the rulebook, as of a class to exclude.
        asset_classes: Class by coin, every other coin being a plain ``coin``; or the rows
            of ``reference.asset_class``, every other coin being unclassified.
        links: Rows of ``reference.coin_link``.
        xrefs: Rows of ``reference.coin_xref``.
        profiles: Sets of rules to run; see ``rulebook``.
        reference: Rows of other reference tables by name, as ``redenomination``.
        raw: Rows of other raw datasets by name.
        ledger: Rows of what was published, by the ledger's table.
        only: Build these tables and their parents only.
        threads: DuckDB threads.
        is_split: Spread even a table of a few rows over the threads; of itself DuckDB does so
            only beyond a hundred thousand.
        known_by: Leave out what was learned after this instant.
        with_comments: Write the documentation into the database too.
    """
    rows = list(observations)
    if isinstance(asset_classes, Mapping):
        classes = {row["coin_id"]: "coin" for row in rows} | dict(asset_classes)
        asset_classes = [{"coin_id": c, "asset_class": k} for c, k in sorted(classes.items())]
    given: dict[str, Sequence[Row]] = dict.fromkeys(_COIN_TABLES, ())
    given |= {
        "reference.rulebook": [*rulebook(rulebook_overrides, profiles), *more_rules],
        "reference.asset_class": asset_classes,
        "reference.coin_link": links,
        "reference.coin_xref": xrefs,
    }
    given |= {f"reference.{name}": content for name, content in (reference or {}).items()}
    models = [_substituted(model, given) for model in shipped_project().ordered(only)]
    inputs = {("raw", "market_daily"): rows}
    inputs |= {("raw", name): list(content) for name, content in (raw or {}).items()}
    inputs |= {("ledger", name): list(content) for name, content in (ledger or {}).items()}
    if known_by is not None:
        for key in [key for key in inputs if key[0] == "raw"]:
            inputs[key] = [row for row in inputs[key] if row["known_at"] <= known_by]
    connection = _take(threads)
    try:
        for catalog, name in sorted({*inputs, *_read_by(models)}):
            _fill(connection, catalog, name, inputs.get((catalog, name), []))
        connection.execute(f"pragma {'' if is_split else 'disable_'}verify_parallelism")
        timings = run_models(connection, models, with_comments=with_comments)
    except BaseException:
        _give_back(connection, threads)
        raise
    return Result(connection, shipped_project(), timings, threads)


def _substituted(model: Model, given: Mapping[str, Sequence[Row]]) -> Model:
    if model.path.suffix != ".csv":
        return model
    if model.name in given:
        return replace(model, sql=select_of(model, given[model.name]))
    return _as_values(model.name)


@functools.cache
def _as_values(table: str) -> Model:
    """Return a shipped reference table without its file, which is slow to open."""
    model = shipped_project().models[table]
    return replace(model, sql=select_of(model, shipped_rows(table)))


def select_of(model: Model, rows: Sequence[Row]) -> str:
    """Return a select with the documented columns of ``model`` and these rows."""
    columns = model.doc.columns
    stray = {name for row in rows for name in row} - {column.name for column in columns}
    if stray:
        raise KeyError(f"{model.name} has no column {sorted(stray)}")
    listed = ", ".join(
        f"cast({quote_name(column.name)} as {column.type}) as {quote_name(column.name)}"
        for column in columns
    )
    names = ", ".join(quote_name(column.name) for column in columns)
    content = ", ".join(
        "(" + ", ".join(_literal(row.get(column.name)) for column in columns) + ")"
        for row in rows or [{}]
    )
    ending = "" if rows else " limit 0"
    return f"select {listed} from (values {content}) as given ({names}){ending}"


def _literal(value: object) -> str:
    return "null" if value is None else quote(str(value))


def _read_by(models: Iterable[Model]) -> set[tuple[str, str]]:
    """Return the tables outside the warehouse that the models and the audits read."""
    named = {parent for item in (*models, *shipped_project().audits) for parent in item.parents}
    split = {(catalog, table) for catalog, _, table in (name.partition(".") for name in named)}
    return {name for name in split if name[0] in {"raw", "ledger"}}


def columns_of(catalog: str, table: str) -> tuple[Column, ...]:
    """Return the columns of a table of the raw archive or of the ledger."""
    if catalog == "ledger":
        return LEDGER_TABLES[table]
    return (*DATASETS[table].columns, *LINEAGE_COLUMNS)


def _fill(
    connection: duckdb.DuckDBPyConnection, catalog: str, table: str, rows: Sequence[Row]
) -> None:
    columns = columns_of(catalog, table)
    listed = ", ".join(f"{quote_name(column.name)} {column.type}" for column in columns)
    connection.execute(f"create table {catalog}.main.{table} ({listed})")
    if rows:
        content = pa.Table.from_arrays(
            [
                pa.array([row.get(column.name) for row in rows], type=_ARROW[column.type])
                for column in columns
            ],
            names=[column.name for column in columns],
        )
        connection.register("given_rows", content)
        connection.execute(f"insert into {catalog}.main.{table} select * from given_rows")
        connection.unregister("given_rows")


# Opening DuckDB costs as much as a tenth of a small market, so a connection is used again.
_CATALOGS = ("raw", "ledger", "tidemark")
_idle: dict[int, list[duckdb.DuckDBPyConnection]] = {}


def _take(threads: int) -> duckdb.DuckDBPyConnection:
    idle = _idle.setdefault(threads, [])
    connection = idle.pop() if idle else open_scratch(threads)
    for catalog in _CATALOGS:
        connection.execute(f"attach ':memory:' as {catalog}")
    connection.execute("use tidemark")
    return connection


def _give_back(connection: duckdb.DuckDBPyConnection, threads: int) -> None:
    connection.execute("use memory")
    for catalog in _CATALOGS:
        connection.execute(f"detach {catalog}")
    _idle.setdefault(threads, []).append(connection)
