"""Critical audits through the steps of a night: last night's file stays, and the run says why."""

from __future__ import annotations

from contextlib import closing

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from nights import NIGHTS, Home, Mailbox

from pipeline import steps
from pipeline.datasets import get_dataset
from pipeline.errors import AuditError, ConfigurationError
from pipeline.raw_store import RawStore
from pipeline.warehouse import Warehouse

NIGHT = NIGHTS[1]
SHRUNKEN = "signals.external_sentiment_daily"


def lose_older_half(home: Home, dataset: str) -> None:
    """Take the older half of a dataset out of the raw archive, as a bad disk might."""
    for file in RawStore(home.path / "raw").files(get_dataset(dataset)):
        rows = pq.read_table(file)
        days = rows["market_date"]
        middle = days[len(days) // 2]
        pq.write_table(rows.filter(pc.greater_equal(days, middle)), file)


def test_a_night_that_lost_half_its_rows_keeps_the_old_file_until_somebody_accepts(
    small_home: Home, mailbox: Mailbox
) -> None:
    before = small_home.published_bytes()
    manifest = Warehouse(small_home.settings(NIGHT)).published_manifest()
    assert manifest is not None
    counted = small_home.query(f"select count(*) from {SHRUNKEN}")
    assert [(manifest["row_counts"][SHRUNKEN],)] == counted
    assert manifest["accepted_shrinks"] == []
    lose_older_half(small_home, "sentiment_daily")

    with pytest.raises(AuditError, match=rf"No published table has lost.*{SHRUNKEN}"):
        small_home.refresh(NIGHT, **mailbox.settings)

    assert small_home.published_bytes() == before
    (subject,) = mailbox.subjects()
    assert "failed audit published_tables_do_not_shrink" in subject
    settings = small_home.settings(NIGHT, hour=2)
    built = steps.build(settings, NIGHT, "by-hand")
    with pytest.raises(ConfigurationError, match=r"raw\.sentiment_daily"):
        steps.audit(settings, built, accept_shrink=["raw.sentiment_daily"])
    published = steps.publish(settings, steps.audit(settings, built, accept_shrink=[SHRUNKEN]))
    assert published["accepted_shrinks"] == [SHRUNKEN]
    assert published["row_counts"][SHRUNKEN] < 0.6 * manifest["row_counts"][SHRUNKEN]
    assert small_home.last_day() == NIGHT


@pytest.mark.long
def test_a_build_with_another_contract_keeps_the_old_file(small_home: Home) -> None:
    before = small_home.published_bytes()
    settings = small_home.settings(NIGHT)
    feeds = ("market_daily", "equity_daily", "sentiment_daily")
    loaded = [
        steps.validate_and_load(settings, steps.extract(settings, feed, NIGHT, "a-run"), "a-run")
        for feed in feeds
    ]
    built = steps.build(settings, NIGHT, "a-run", loaded)
    file = settings.builds_dir / built["build_id"] / "build.duckdb"
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute("alter table indices.index_level_daily add column surprise double")

    with pytest.raises(AuditError, match=r"columns and types.*surprise"):
        steps.audit(settings, built)

    assert small_home.published_bytes() == before
    (failure,) = steps.failures(settings, "a-run")
    assert "published_tables_keep_their_contract" in str(failure)
