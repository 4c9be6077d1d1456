"""The figures are the same to the last bit, however the work is spread over threads."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest
from harness import Result, run_market, small_baskets
from markets import Market, Recipe

REBUILDS = 20
PROFILES = ("house", "mv_compat", "cmc100_compat")


@functools.cache
def mid_size_market() -> Market:
    """Return 40 coins with two vendors, births, deaths, gaps and revisions."""
    return Recipe(7, 40, (), gaps=40, deaths=3, births=6, revisions=300, source_count=2).make()


def build(threads: int, only: Sequence[str] = ()) -> Result:
    rules = {k: v for profile in PROFILES for k, v in small_baskets(8, 15, 30, profile).items()}
    return run_market(
        mid_size_market().rows,
        rulebook_overrides=rules,
        profiles=PROFILES,
        threads=threads,
        is_split=True,
        only=only,
    )


def fingerprints(market: Result) -> dict[str, str]:
    """Return a digest of every table, which a change of a single bit changes."""
    digests = {}
    for table in market.tables:
        columns = [row["column_name"] for row in market.query(f"describe {table}")]
        packed = ", ".join(f'"{column}" := "{column}"' for column in columns)
        (digest,) = market.query(
            f"select md5(string_agg(cast(struct_pack({packed}) as varchar), '|' "
            f"order by cast(struct_pack({packed}) as varchar))) as md5 from {table}"
        )
        digests[table] = digest["md5"]
    return digests


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    with build(threads=1) as market:
        return fingerprints(market)


@pytest.mark.parametrize("threads", [2, 8])
def test_every_table_is_the_same_on_any_number_of_threads(
    expected: dict[str, str], threads: int
) -> None:
    with build(threads) as market:
        found = fingerprints(market)
    assert {name for name in expected if found[name] != expected[name]} == set()


def test_rebuilds_give_the_same_bits() -> None:
    def levels() -> list[tuple[object, ...]]:
        with build(4, only=["indices.index_level_daily"]) as market:
            return [tuple(row.values()) for row in market.rows("indices.index_level_daily")]

    first = levels()
    assert len(first) > 1000
    for _ in range(REBUILDS - 1):
        assert levels() == first
