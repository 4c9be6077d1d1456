"""The real archive: import, build and publish six years of history."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from archive_home import bring, needs_archive, read_reports, settings_of
from nights import Home

from pipeline.datasets import DATASETS
from pipeline.settings import Settings

pytestmark = needs_archive


@pytest.fixture
def settings(archive_path: Path, tmp_path: Path) -> Settings:
    """A home of one's own with the archive imported once."""
    own = tmp_path / "home"
    shutil.copytree(archive_path, own, ignore=shutil.ignore_patterns("builds", "published"))
    return settings_of(own)


def one(home: Home, sql: str) -> Any:
    ((value,),) = home.query(sql)
    return value


def test_archive_passes_the_gate(archive_path: Path) -> None:
    reports = read_reports(archive_path)
    assert [report.error for report in reports] == [None] * len(reports)
    assert all(report.added > 0 for report in reports)


def test_archive_imported_twice_adds_nothing(settings: Settings) -> None:
    again = bring(settings)
    assert all(report.is_known for report in again)
    assert {(report.added, report.revised) for report in again} == {(0, 0)}


def test_archive_rows_are_known_even_when_the_receipts_are_lost(settings: Settings) -> None:
    shutil.rmtree(settings.journal_dir / "import")
    again = bring(settings)
    assert not any(report.is_known for report in again if report.dataset in DATASETS)
    assert {(report.added, report.revised) for report in again} == {(0, 0)}


def test_archive_publishes_index_tables_from_2020_to_2026(published: Home) -> None:
    ((first, last),) = published.query(
        "select min(market_date), max(market_date) from indices.index_level_daily "
        "where profile = 'house' and index_id = 'top100'"
    )
    assert first <= date(2020, 12, 31)
    assert last >= date(2026, 1, 1)
    for table in ("index_level_daily", "constituent", "review", "constituent_daily"):
        assert one(published, f"select count(*) from indices.{table}") > 0


def test_archive_gives_bitcoin_seven_tenths_of_the_top100_in_july_2025(published: Home) -> None:
    weight = one(
        published,
        "select weight_fraction from indices.constituent_daily where profile = 'house' "
        "and index_id = 'top100' and coin_id = 'bitcoin' and market_date = '2025-07-01'",
    )
    assert 0.68 < weight < 0.72


def test_archive_segments_add_up_to_the_top100(published: Home) -> None:
    apart = one(
        published,
        """
        with worth as (
            select market_date, profile, index_id, sum(price_usd * units) as cap
            from indices.constituent_daily
            where index_id in ('top100', 'large', 'mid', 'small')
            group by market_date, profile, index_id
        )

        select max(abs(parts.cap / whole.cap - 1))
        from (
            select market_date, profile, sum(cap) as cap
            from worth where index_id != 'top100' group by market_date, profile
        ) as parts
        inner join worth as whole using (market_date, profile)
        where whole.index_id = 'top100'
        """,
    )
    assert apart < 1e-9


def test_archive_reviews_seat_twenty_thirty_and_fifty(published: Home) -> None:
    counts = published.query(
        "select distinct index_id, count(*) from indices.constituent where profile = 'house' "
        "and index_id in ('large', 'mid', 'small') and effective_date >= '2021-01-01' "
        "group by effective_date, index_id order by all"
    )
    assert counts == [("large", 20), ("mid", 30), ("small", 50)]
