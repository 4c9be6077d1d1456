"""The real archive: import, build and publish six years of history."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from nights import Home

from pipeline import steps
from pipeline.datasets import DATASETS
from pipeline.importing import ImportReport, find_files, import_file
from pipeline.settings import Settings

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "archive"

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason="the real archive is not beside the checkout"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(_env_file=None, home=tmp_path_factory.mktemp("archive") / "home")


def bring(settings: Settings) -> list[ImportReport]:
    return [import_file(settings, file, "archive") for file in find_files(ARCHIVE)]


@pytest.fixture(scope="module")
def reports(settings: Settings) -> list[ImportReport]:
    return bring(settings)


@pytest.fixture(scope="module")
def published(settings: Settings, reports: list[ImportReport]) -> Home:
    assert reports
    built = steps.build(settings, settings.default_market_date(), "archive")
    steps.publish(settings, steps.audit(settings, built))
    return Home(settings.home)


def one(home: Home, sql: str) -> Any:
    ((value,),) = home.query(sql)
    return value


def test_archive_passes_the_gate(reports: list[ImportReport]) -> None:
    assert [report.error for report in reports] == [None] * len(reports)
    assert all(report.added > 0 for report in reports)


def test_archive_imported_twice_adds_nothing(
    settings: Settings, reports: list[ImportReport]
) -> None:
    assert reports
    again = bring(settings)
    assert all(report.is_known for report in again)
    assert {(report.added, report.revised) for report in again} == {(0, 0)}


def test_archive_rows_are_known_even_when_the_receipts_are_lost(
    settings: Settings, reports: list[ImportReport]
) -> None:
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
