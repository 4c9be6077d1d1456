"""Whole nights, from vendors over HTTP to the published file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from nights import NIGHTS, Home, Mailbox, build_ids

from pipeline import steps
from pipeline.datasets import DATASETS
from pipeline.errors import BlockedNightError, PublishError
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.warehouse import Warehouse

TESTS = Path(__file__).parent


def stored_days(home: Home) -> list[date]:
    store = RawStore(home.path / "raw")
    return list(store.row_counts(DATASETS["market_daily"], "coingecko", since=NIGHTS[0]))


def levels_of(home: Home, condition: str) -> list[tuple[Any, ...]]:
    return home.query(
        "select profile, index_id, market_date, level from indices.index_level_daily "
        f"where {condition} order by all"
    )


# A good night


def test_a_night_is_published_with_every_table_twinned_and_in_the_manifest(
    three_nights: Home,
) -> None:
    manifest = Warehouse(three_nights.settings(NIGHTS[2])).published_manifest()
    assert manifest is not None
    assert manifest["market_date"] == NIGHTS[2].isoformat()
    assert three_nights.last_day() == NIGHTS[2]
    on_disk = three_nights.published_bytes()
    del on_disk["manifest.json"]
    assert {name: facts["sha256"] for name, facts in manifest["files"].items()} == on_disk
    for schema, table in three_nights.query(
        "select schema_name, table_name from duckdb_tables() where schema_name != 'staging'"
    ):
        twin = three_nights.published / "parquet" / schema / f"{table}.parquet"
        assert three_nights.query(f"select count(*) from {schema}.{table}") == three_nights.query(
            f"select count(*) from '{twin}'"
        )


def test_a_night_says_in_about_where_it_comes_from(three_nights: Home) -> None:
    ((market_date, run_id, digest),) = three_nights.query(
        "select market_date, run_id, input_digest from main.about"
    )
    manifest = Warehouse(three_nights.settings(NIGHTS[2])).published_manifest()
    assert manifest is not None
    assert (market_date, run_id, digest) == (
        NIGHTS[2],
        manifest["run_id"],
        manifest["input_digest"],
    )


def test_the_same_night_twice_changes_nothing(three_nights: Home) -> None:
    published, raw = three_nights.published_bytes(), three_nights.path / "raw"
    stored, builds = sorted(raw.rglob("*")), build_ids(three_nights)

    three_nights.refresh(NIGHTS[2], hour=3)

    assert three_nights.published_bytes() == published
    assert sorted(raw.rglob("*")) == stored
    assert build_ids(three_nights) == builds


def test_a_rebuild_from_the_same_inputs_gives_the_same_rows(three_nights: Home) -> None:
    rows = three_nights.index_rows()
    shutil.rmtree(three_nights.published)
    shutil.rmtree(three_nights.path / "builds")
    settings = three_nights.settings(NIGHTS[2], threads=1)
    built = steps.build(settings, NIGHTS[2], "again")
    steps.publish(settings, steps.audit(settings, built))
    assert three_nights.index_rows() == rows


def test_a_run_for_an_earlier_day_leaves_later_days_alone(three_nights: Home) -> None:
    later = f"market_date > date '{NIGHTS[0]}'"
    before = three_nights.index_rows(later)
    assert before["index_level_daily"]

    three_nights.refresh(NIGHTS[0], hour=60)

    assert three_nights.index_rows(later) == before
    assert three_nights.last_day() == NIGHTS[2]


def test_an_earlier_night_that_was_cut_short_is_mended_without_moving_later_levels(
    three_nights: Home, small_sql_dir: Path
) -> None:
    missed, later = NIGHTS[3], NIGHTS[4]
    settings = three_nights.settings(missed)
    steps.extract(settings, "market_daily", missed, "cut-short")
    three_nights.refresh(later, sql_dir=small_sql_dir)
    assert missed not in stored_days(three_nights)
    others = levels_of(three_nights, f"market_date != '{missed}'")

    three_nights.refresh(missed, hour=40, sql_dir=small_sql_dir)

    assert missed in stored_days(three_nights)
    assert levels_of(three_nights, f"market_date != '{missed}'") == others
    assert three_nights.last_day() == later


def test_a_late_rerun_uses_what_was_landed_in_time(small_home: Home) -> None:
    steps.extract(small_home.settings(NIGHTS[0]), "market_daily", NIGHTS[0], "cut-short")

    small_home.refresh(NIGHTS[0], hour=15)

    assert small_home.last_day() == NIGHTS[0]


def test_a_day_that_nobody_asked_for_in_time_cannot_be_had_any_more(
    home: Home, mailbox: Mailbox
) -> None:
    before = home.published_bytes()
    with pytest.raises(BlockedNightError):
        home.refresh(NIGHTS[0], hour=30, **mailbox.settings)
    assert home.published_bytes() == before
    (message,) = mailbox.messages()
    assert "tidemark import" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_night_that_is_not_over_is_refused(home: Home) -> None:
    before = home.published_bytes()
    with pytest.raises(BlockedNightError):
        home.refresh(NIGHTS[0], hour=-2, run_id="early")
    (trace,) = [
        failure
        for failure in steps.failures(home.settings(NIGHTS[0]), "early")
        if failure["step"] == "extract market_daily"
    ]
    assert trace["kind"] == "NotYetAvailableError"
    assert home.published_bytes() == before


# Going back, and what is kept


def test_rollback_goes_back_and_forward_to_the_same_bytes(three_nights: Home) -> None:
    warehouse = Warehouse(three_nights.settings(NIGHTS[2]))
    newest = three_nights.published_bytes()
    del newest["manifest.json"]
    builds = build_ids(three_nights)

    assert warehouse.rollback()["market_date"] == NIGHTS[1].isoformat()
    assert three_nights.last_day() == NIGHTS[1]
    assert warehouse.rollback()["market_date"] == NIGHTS[0].isoformat()
    assert three_nights.last_day() == NIGHTS[0]

    warehouse.rollback(builds[-1])
    forward = three_nights.published_bytes()
    del forward["manifest.json"]
    assert forward == newest
    assert build_ids(three_nights) == builds


def test_rollback_without_an_earlier_build_says_which_there_are(three_nights: Home) -> None:
    warehouse = Warehouse(three_nights.settings(NIGHTS[2]))
    warehouse.rollback(build_ids(three_nights)[0])
    with pytest.raises(PublishError, match=build_ids(three_nights)[-1]):
        warehouse.rollback()
    with pytest.raises(PublishError, match="kept builds"):
        warehouse.rollback("20990101T000000-nothing")


def test_the_night_after_a_rollback_publishes_again(three_nights: Home) -> None:
    Warehouse(three_nights.settings(NIGHTS[2])).rollback()
    three_nights.refresh(NIGHTS[2], hour=4)
    assert three_nights.last_day() == NIGHTS[2]


def test_a_damaged_build_is_refused(three_nights: Home) -> None:
    before = three_nights.published_bytes()
    build = three_nights.path / "builds" / build_ids(three_nights)[-2]
    twin = build / "parquet" / "indices" / "index_level_daily.parquet"
    twin.write_bytes(twin.read_bytes()[:-1])
    with pytest.raises(PublishError, match="damaged"):
        Warehouse(three_nights.settings(NIGHTS[2])).rollback()
    twin.unlink()
    with pytest.raises(PublishError, match="missing"):
        Warehouse(three_nights.settings(NIGHTS[2])).rollback()
    assert three_nights.published_bytes() == before


def test_old_builds_are_pruned_and_the_newest_kept(three_nights: Home, small_sql_dir: Path) -> None:
    known = build_ids(three_nights)
    abandoned = three_nights.path / "builds" / "20200101T000000-abandoned"
    abandoned.mkdir()
    three_nights.refresh(NIGHTS[3], builds_kept=2, sql_dir=small_sql_dir)
    kept = build_ids(three_nights)
    assert len(kept) == 2
    assert kept[0] == known[-1]
    assert kept[1] not in known


# What lies about in the published folder


def test_a_published_file_that_is_gone_or_damaged_is_made_again(three_nights: Home) -> None:
    settings = three_nights.settings(NIGHTS[2], hour=5)
    rows = three_nights.index_rows()
    three_nights.file.write_bytes(b"not a database")

    built = steps.build(settings, NIGHTS[2], "mend")
    assert not built["is_unchanged"]
    steps.publish(settings, steps.audit(settings, built))

    assert three_nights.index_rows() == rows


def test_leftovers_in_the_published_folder_do_not_spoil_the_next_file(three_nights: Home) -> None:
    stale_log = three_nights.published / "tidemark.duckdb.wal"
    stale_log.write_bytes(b"left by a reader that opened the file for writing")
    half = three_nights.published / "parquet" / "indices" / ".half.parquet.12345678.tmp"
    half.write_bytes(b"left by a killed publisher")

    Warehouse(three_nights.settings(NIGHTS[2])).rollback()

    assert not stale_log.exists()
    assert not half.exists()
    assert three_nights.last_day() == NIGHTS[1]


def test_a_second_run_is_told_who_is_writing(three_nights: Home) -> None:
    # In another process: a lock is shared by the blocks of one thread.
    with run_lock(three_nights.path, run_id="the-first"):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "refresh", "--market-date", str(NIGHTS[2])],
            env=three_nights.environment(NIGHTS[2]),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 1
    assert "LockedError" in done.stderr
    assert "the-first" in done.stderr
    assert "Traceback" not in done.stderr


# Readers


def test_readers_never_fail_and_never_block_the_publisher(
    three_nights: Home, tmp_path: Path
) -> None:
    stop, builds = tmp_path / "stop", build_ids(three_nights)
    warehouse = Warehouse(three_nights.settings(NIGHTS[2]))
    slowest = 0.0
    with subprocess.Popen(
        [sys.executable, str(TESTS / "read_loop.py"), str(three_nights.file), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        try:
            for number in range(24):
                started = time.monotonic()
                warehouse.rollback(builds[number % len(builds)])
                slowest = max(slowest, time.monotonic() - started)
        finally:
            stop.touch()
            output, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    assert int(output) > 0
    assert slowest < 20


def test_a_reader_that_keeps_the_file_open_keeps_its_night(three_nights: Home) -> None:
    import duckdb

    warehouse = Warehouse(three_nights.settings(NIGHTS[2]))
    with duckdb.connect(str(three_nights.file), read_only=True) as connection:
        warehouse.rollback()
        last = connection.execute("select max(market_date) from indices.index_level_daily")
        assert last.fetchone() == (NIGHTS[2],)
    assert three_nights.last_day() == NIGHTS[1]
