"""The reviewed facts about coins: classes, links and vendor ids.

The archive tests read the market archive beside the checkout and are skipped without it.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "sql" / "reference"
ARCHIVE = ROOT.parent / "shared" / "data" / "archive"

CLASSES = {
    "coin",
    "fiat_stablecoin",
    "synthetic_dollar",
    "commodity_pegged",
    "wrapped",
    "bridged",
    "liquid_staked",
    "receipt",
    "leveraged",
    "tokenised_asset",
    "gas_twin",
}
CLASSES_WITH_PARENT = {"wrapped", "bridged", "liquid_staked", "leveraged", "gas_twin"}
LINK_KINDS = {"migration", "redenomination", "rename", "merger"}
PEG_BAND = 0.015
PEG_SHARE = 0.9
PEG_OBSERVATIONS = 6
LINK_GAP_DAYS = 45
LINK_PRICE_FACTOR = 3.0

# Archive slugs that meant another coin for a time; everything else in it stays as it is.
ARCHIVE_HOMONYMS = {
    ("binance_spot", "sun"): "sun-new-sun",
    ("cmc", "beam"): "beam-mimblewimble",
    ("cmc", "binaryx"): "binaryx-old",
    ("cmc", "dydx-ethdydx"): "dydx",
    ("yahoo", "beam"): "beam-mimblewimble",
}

TABLES = ("asset_class", "coin_link", "coin_xref")
# The ids under which the sandbox and CoinGecko send the classified coins.
SANDBOX_CLASSES = {
    "bitcoin": "coin",
    "ethereum": "coin",
    "tether": "fiat_stablecoin",
    "usd-coin": "fiat_stablecoin",
    "dai": "synthetic_dollar",
    "ethena-usde": "synthetic_dollar",
    "first-digital-usd": "fiat_stablecoin",
    "wrapped-bitcoin": "wrapped",
    "staked-ether": "liquid_staked",
    "wrapped-steth": "liquid_staked",
    "pax-gold": "commodity_pegged",
    "figure-heloc": "tokenised_asset",
}


def read_doc(table: str) -> dict[str, Any]:
    doc: dict[str, Any] = yaml.safe_load((REFERENCE / f"{table}.yml").read_text(encoding="utf-8"))
    return doc


@pytest.fixture(scope="module")
def tables() -> duckdb.DuckDBPyConnection:
    """A connection that holds the three tables, typed as their documentation says."""
    connection = duckdb.connect()
    connection.execute("create schema reference")
    for table in TABLES:
        columns = {name: column["type"] for name, column in read_doc(table)["columns"].items()}
        connection.execute(
            f"create table reference.{table} as select * from read_csv("
            "?, header = true, delim = ',', quote = '\"', nullstr = '', "
            f"strict_mode = true, columns = {columns})",
            [str(REFERENCE / f"{table}.csv")],
        )
    return connection


@pytest.fixture(scope="module")
def archive(tables: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same connection with ``archive``: every market row of the archive."""
    files = sorted(ARCHIVE.glob("market_daily*.parquet"))
    if not files:
        pytest.skip("the market archive is not beside the checkout")
    tables.execute(
        "create or replace temp table archive as select market_date, source, coin_id, price_usd "
        "from read_parquet(?, union_by_name = true)",
        [[str(path) for path in files]],
    )
    return tables


@pytest.mark.parametrize("table", TABLES)
def test_reference_csv_is_sorted_and_matches_its_documentation(table: str) -> None:
    doc = read_doc(table)
    lines = (REFERENCE / f"{table}.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split(",") == list(doc["columns"])
    assert set(doc["grain"]) <= set(doc["columns"])
    keys = duckdb.sql(
        f"select {', '.join(doc['grain'])} from read_csv('{REFERENCE / f'{table}.csv'}', "
        "header = true, all_varchar = true, nullstr = '')"
    ).fetchall()
    ordered = [tuple(part or "" for part in key) for key in keys]
    assert ordered == sorted(set(ordered))


def test_asset_class_uses_the_closed_vocabulary(tables: duckdb.DuckDBPyConnection) -> None:
    used = {
        row[0]
        for row in tables.sql("select distinct asset_class from reference.asset_class").fetchall()
    }
    assert used == CLASSES
    meaning = read_doc("asset_class")["columns"]["asset_class"]["meaning"]
    assert [name for name in sorted(CLASSES) if f"{name} (" not in meaning] == []


def test_asset_class_of_the_rulebook_is_in_the_vocabulary() -> None:
    rulebook = REFERENCE / "rulebook.csv"
    rows = duckdb.sql(
        f"select profile, split_part(rule, '.', 2) from read_csv('{rulebook}', header = true, "
        "all_varchar = true, nullstr = '') where rule like 'exclude_class.%'"
    ).fetchall()
    assert {name for _, name in rows} <= CLASSES
    assert {name for profile, name in rows if profile == "house"} == CLASSES - {"coin"}


def test_asset_class_spells_of_a_coin_do_not_overlap(tables: duckdb.DuckDBPyConnection) -> None:
    rows = tables.sql(
        """
        select
            coin_id,
            coalesce(effective_from, date '0001-01-01'),
            coalesce(effective_to, date '9999-12-31')
        from reference.asset_class
        order by 1, 2
        """
    ).fetchall()
    assert [row for row in rows if row[1] >= row[2]] == []
    overlaps = [
        (before, after)
        for before, after in pairwise(rows)
        if before[0] == after[0] and before[2] > after[1]
    ]
    assert overlaps == []


def test_asset_class_parents_exist_and_are_named_where_due(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    rows = tables.sql(
        "select coin_id, asset_class, parent_coin_id from reference.asset_class"
    ).fetchall()
    coin_ids = {row[0] for row in rows}
    assert [row for row in rows if row[2] and row[2] not in coin_ids] == []
    assert [row for row in rows if row[2] == row[0]] == []
    assert [row for row in rows if row[1] in CLASSES_WITH_PARENT and not row[2]] == []
    assert [row for row in rows if row[1] in {"coin", "commodity_pegged"} and row[2]] == []


def test_coin_link_gives_each_coin_one_successor_by_a_positive_ratio(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    rows = tables.sql(
        "select predecessor_coin_id, units_per_predecessor, effective_date, kind, note "
        "from reference.coin_link"
    ).fetchall()
    assert max(Counter(row[0] for row in rows).values()) == 1
    assert [row for row in rows if not row[1] or row[1] <= 0 or row[2] is None] == []
    assert {row[3] for row in rows} == LINK_KINDS
    assert [row[0] for row in rows if row[3] == "rename" and row[1] != 1] == []
    assert [row[0] for row in rows if not row[4]] == []


def test_coin_link_never_runs_in_a_circle_or_back_in_time(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    links = {
        before: (after, day)
        for before, after, day in tables.sql(
            "select predecessor_coin_id, successor_coin_id, effective_date from reference.coin_link"
        ).fetchall()
    }
    for start in links:
        seen, coin_id, since = {start}, start, None
        while coin_id in links:
            coin_id, day = links[coin_id]
            assert coin_id not in seen, f"{start} comes back to {coin_id}"
            assert since is None or day > since, f"{start}: the link to {coin_id} is too early"
            seen.add(coin_id)
            since = day


def test_coin_link_names_classified_coins_of_one_class(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    rows = tables.sql(
        """
        select
            coin_link.predecessor_coin_id,
            before.asset_class,
            after.asset_class
        from reference.coin_link
        left join reference.asset_class as before
            on coin_link.predecessor_coin_id = before.coin_id
        left join reference.asset_class as after
            on coin_link.successor_coin_id = after.coin_id
        where before.asset_class is distinct from after.asset_class
            or before.asset_class is null
        """
    ).fetchall()
    assert rows == []


def test_coin_link_keeps_the_two_lunas_apart(tables: duckdb.DuckDBPyConnection) -> None:
    linked = tables.sql(
        "select * from reference.coin_link "
        "where predecessor_coin_id = 'terra-classic' or successor_coin_id = 'terra'"
    ).fetchall()
    assert linked == []


def test_coin_xref_gives_a_vendor_id_one_coin_a_day(tables: duckdb.DuckDBPyConnection) -> None:
    rows = tables.sql(
        """
        select
            source,
            source_coin_id,
            coalesce(valid_from, date '0001-01-01'),
            coalesce(valid_to, date '9999-12-31')
        from reference.coin_xref
        order by 1, 2, 3
        """
    ).fetchall()
    assert [row for row in rows if row[2] >= row[3]] == []
    overlaps = [
        (before, after)
        for before, after in pairwise(rows)
        if before[:2] == after[:2] and before[3] > after[2]
    ]
    assert overlaps == []


def test_coin_xref_leads_to_classified_coins_under_another_id(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    rows = tables.sql(
        """
        select coin_xref.*
        from reference.coin_xref
        where coin_id = source_coin_id
            or coin_id not in (select coin_id from reference.asset_class)
        """
    ).fetchall()
    assert rows == []


def test_coin_xref_explains_every_id_that_is_also_ours(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    successors = dict(
        tables.sql(
            "select predecessor_coin_id, successor_coin_id from reference.coin_link"
        ).fetchall()
    )
    rows = tables.sql(
        """
        select source_coin_id, coin_id, note
        from reference.coin_xref
        where source_coin_id in (select coin_id from reference.asset_class)
        """
    ).fetchall()
    unexplained = [
        row
        for row in rows
        if successors.get(row[0]) != row[1] and not (row[2] or "").startswith("homonym: ")
    ]
    assert unexplained == []


def test_sandbox_coins_have_the_class_that_their_name_says(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    classes = dict(tables.sql("select coin_id, asset_class from reference.asset_class").fetchall())
    canonical = dict(
        tables.sql(
            "select source_coin_id, coin_id from reference.coin_xref "
            "where source = 'coingecko' and valid_from is null and valid_to is null"
        ).fetchall()
    )
    found = {coin_id: classes[canonical.get(coin_id, coin_id)] for coin_id in SANDBOX_CLASSES}
    assert found == SANDBOX_CLASSES
    assert [coin_id for coin_id in classes if coin_id.startswith("sim-")] == []


@pytest.mark.archive
def test_archive_coins_all_have_a_class(archive: duckdb.DuckDBPyConnection) -> None:
    missing = archive.sql(
        "select distinct coin_id from archive "
        "where coin_id not in (select coin_id from reference.asset_class) order by coin_id"
    ).fetchall()
    assert missing == []


@pytest.mark.archive
def test_archive_coins_of_class_coin_do_not_sit_at_one_dollar(
    archive: duckdb.DuckDBPyConnection,
) -> None:
    pegged = archive.sql(
        f"""
        with monthly as (
            select coin_id, abs(price_usd - 1) <= {PEG_BAND} as is_near
            from archive
            where source = 'cmc'
        )
        select coin_id
        from monthly
        inner join reference.asset_class using (coin_id)
        where asset_class = 'coin'
        group by coin_id
        having count(*) >= {PEG_OBSERVATIONS} and avg(cast(is_near as int)) >= {PEG_SHARE}
        """
    ).fetchall()
    assert pegged == []


@pytest.mark.archive
def test_archive_coins_of_class_coin_do_not_copy_a_major(
    archive: duckdb.DuckDBPyConnection,
) -> None:
    copies = archive.sql(
        f"""
        with majors as (
            select market_date, coin_id as major_id, avg(price_usd) as major_price_usd
            from archive
            where coin_id in ('bitcoin', 'ethereum', 'bnb', 'solana', 'pax-gold', 'tether-gold')
            group by all
        ),

        ratios as (
            select
                coin_id,
                major_id,
                price_usd / major_price_usd
                / median(price_usd / major_price_usd) over (partition by coin_id, major_id)
                as scaled_ratio
            from archive
            inner join majors using (market_date)
            where coin_id <> major_id and price_usd > 0
        )

        select coin_id, major_id
        from ratios
        inner join reference.asset_class using (coin_id)
        where asset_class = 'coin'
        group by coin_id, major_id
        having count(*) >= {PEG_OBSERVATIONS}
            and avg(cast(abs(scaled_ratio - 1) <= {PEG_BAND} as int)) >= {PEG_SHARE}
        """
    ).fetchall()
    assert copies == []


@pytest.mark.archive
def test_archive_slugs_are_rewritten_only_where_they_meant_another_coin(
    archive: duckdb.DuckDBPyConnection,
) -> None:
    rewritten = archive.sql(
        """
        select distinct archive.source, archive.coin_id, coin_xref.coin_id
        from archive
        inner join reference.coin_xref
            on archive.source = coin_xref.source
            and archive.coin_id = coin_xref.source_coin_id
            and archive.market_date >= coalesce(coin_xref.valid_from, date '0001-01-01')
            and archive.market_date < coalesce(coin_xref.valid_to, date '9999-12-31')
        """
    ).fetchall()
    assert {(row[0], row[1]): row[2] for row in rewritten} == ARCHIVE_HOMONYMS
    clashes = archive.sql(
        """
        with identified as (
            select
                archive.market_date,
                archive.source,
                coalesce(coin_xref.coin_id, archive.coin_id) as coin_id
            from archive
            left join reference.coin_xref
                on archive.source = coin_xref.source
                and archive.coin_id = coin_xref.source_coin_id
                and archive.market_date >= coalesce(coin_xref.valid_from, date '0001-01-01')
                and archive.market_date < coalesce(coin_xref.valid_to, date '9999-12-31')
        )
        select market_date, source, coin_id from identified group by all having count(*) > 1
        """
    ).fetchall()
    assert clashes == []


@pytest.mark.archive
def test_archive_prices_agree_with_the_ratio_of_every_close_link(
    archive: duckdb.DuckDBPyConnection,
) -> None:
    torn = archive.sql(
        f"""
        with identified as (
            select
                archive.market_date,
                coalesce(coin_xref.coin_id, archive.coin_id) as coin_id,
                median(archive.price_usd) as price_usd
            from archive
            left join reference.coin_xref
                on archive.source = coin_xref.source
                and archive.coin_id = coin_xref.source_coin_id
                and archive.market_date >= coalesce(coin_xref.valid_from, date '0001-01-01')
                and archive.market_date < coalesce(coin_xref.valid_to, date '9999-12-31')
            group by all
        ),

        last_before as (
            select
                coin_link.*,
                max(identified.market_date) as before_date,
                max_by(identified.price_usd, identified.market_date) as before_price_usd
            from reference.coin_link
            inner join identified on coin_link.predecessor_coin_id = identified.coin_id
            group by all
        ),

        paired as (
            select
                last_before.predecessor_coin_id,
                last_before.before_price_usd
                / (last_before.units_per_predecessor * identified.price_usd) as price_factor,
                abs(identified.market_date - last_before.before_date) as gap_days
            from last_before
            inner join identified on last_before.successor_coin_id = identified.coin_id
            where identified.market_date >= least(
                last_before.effective_date, last_before.before_date
            )
            qualify row_number() over (
                partition by last_before.predecessor_coin_id
                order by abs(identified.market_date - last_before.before_date),
                    identified.market_date
            ) = 1
        )

        select predecessor_coin_id, price_factor, gap_days
        from paired
        where gap_days <= {LINK_GAP_DAYS}
            and (price_factor > {LINK_PRICE_FACTOR} or price_factor < 1 / {LINK_PRICE_FACTOR})
        """
    ).fetchall()
    # UST fell from par to cents between its last row and the first of USTC.
    assert [row for row in torn if row[0] != "terrausd"] == []
