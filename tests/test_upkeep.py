"""Upkeep: what goes, what stays, what it says of itself."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from cli_runner import Run
from nights import NIGHTS, Home, Mailbox, run_time, sha256_of_files

from pipeline import steps
from pipeline.alerts.compose import read_state
from pipeline.backup import newest_backup
from pipeline.datasets import DATASETS
from pipeline.doctor import nights
from pipeline.errors import ConfigurationError, LedgerError, LockedError, PayloadError
from pipeline.fetching import read_frame
from pipeline.journal import Journal
from pipeline.landing import LandedPayload, Landing
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.settings import LANDING_KEPT_DAYS_MIN, Settings
from pipeline.sources.http import HttpResponse
from pipeline.sources.registry import get_source
from pipeline.upkeep import CHORES, do_chore
from pipeline.upkeep.report import read_notes

NIGHT = NIGHTS[0]
LATER = NIGHT + timedelta(days=45)
MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """A home 45 days after a night, in which bodies are kept for 40."""
    return make_settings(landing_kept_days=40, now_override=run_time(LATER))


def land(
    settings: Settings, run_id: str = "night", dataset: str = "sentiment_daily", **changes: str
) -> LandedPayload:
    body = changes.get("body", f"body of {run_id}").encode()
    fetched_at = run_time(NIGHT)
    return Landing(settings.landing_dir).land(
        HttpResponse("https://vendor.example/x", 200, {}, body, fetched_at, "json"),
        source=changes.get("source", "alternative_me"),
        dataset=dataset,
        market_date=NIGHT,
        name="all",
        run_id=run_id,
        fetched_at=fetched_at,
    )


def load(
    settings: Settings,
    run_id: str = "night",
    dataset: str = "sentiment_daily",
    source: str = "alternative_me",
    status: str = "loaded",
    quarantined_count: int = 0,
) -> None:
    row = {
        "run_id": run_id,
        "dataset": dataset,
        "source": source,
        "status": status,
        "quarantined_count": quarantined_count,
    }
    Journal(settings.journal_dir).write("load_result", run_id, dataset, pd.DataFrame([row]))


def prune(settings: Settings, chore: str = "prune_landing", **options: bool) -> int:
    return do_chore(settings, chore, "upkeep", **options).file_count


# Landed bodies


def test_a_body_goes_once_its_rows_are_stored_and_it_is_old(settings: Settings) -> None:
    payload = land(settings)
    load(settings)
    sidecars = list(settings.landing_dir.rglob("*.meta.json"))
    assert prune(settings) == 1
    assert list(settings.landing_dir.rglob("*.meta.json")) == sidecars
    with pytest.raises(PayloadError, match=f"was pruned on {LATER + timedelta(days=1)}"):
        Landing(settings.landing_dir).read(payload)
    assert prune(settings) == 0


@pytest.mark.parametrize(
    "loads",
    [
        pytest.param({}, id="never loaded"),
        pytest.param({"status": "failed"}, id="refused"),
        pytest.param({"quarantined_count": 1}, id="rows in quarantine"),
        pytest.param({"run_id": "another"}, id="loaded by another run"),
        pytest.param({"source": "coinmarketcap"}, id="of another source"),
    ],
)
def test_a_body_that_is_needed_stays_however_old(
    settings: Settings, loads: dict[str, object]
) -> None:
    payload = land(settings)
    if loads:
        load(settings, **loads)  # type: ignore[arg-type]
    assert prune(settings) == 0
    assert Landing(settings.landing_dir).read(payload) == b"body of night"


def test_a_body_that_two_fetches_share_stays_for_the_one_that_needs_it(settings: Settings) -> None:
    land(settings, "night", body="the same")
    payload = land(settings, "again", body="the same")
    load(settings, "night")
    assert prune(settings) == 0
    load(settings, "again")
    assert prune(settings) == 1
    assert list(settings.landing_dir.rglob(f"{Path(payload.path).name}*")) == [
        settings.landing_dir / f"{payload.path}.pruned"
    ]


def test_a_body_that_another_feed_reads_stays_until_that_has_loaded_it(settings: Settings) -> None:
    land(settings, dataset="positioning_daily", source="binance_vision")
    load(settings, dataset="positioning_daily", source="binance_vision")
    assert prune(settings) == 0
    load(settings, dataset="open_interest_daily", source="binance_vision")
    assert prune(settings) == 1


@pytest.mark.parametrize(("days", "count"), [(0, 0), (44, 1), (46, 0)])
def test_bodies_are_kept_for_as_long_as_the_setting_says(
    make_settings: MakeSettings, days: int, count: int
) -> None:
    settings = make_settings(landing_kept_days=days, now_override=run_time(LATER))
    land(settings)
    load(settings)
    assert prune(settings) == count


def test_bodies_of_the_last_weeks_cannot_be_given_up(make_settings: MakeSettings) -> None:
    with pytest.raises(ValueError, match=f"keep {LANDING_KEPT_DAYS_MIN} days or 0"):
        make_settings(landing_kept_days=LANDING_KEPT_DAYS_MIN - 1)


def test_a_pruned_body_that_comes_again_is_landed_again(settings: Settings) -> None:
    land(settings)
    load(settings)
    prune(settings)
    assert Landing(settings.landing_dir).read(land(settings)) == b"body of night"


def test_nights_after_the_bodies_went_come_to_the_same(three_nights: Home) -> None:
    """What is published does not hang on bodies whose rows are stored."""
    settings = three_nights.settings(
        NIGHTS[2] + timedelta(days=60), landing_kept_days=30, feeds="market_daily"
    )
    before = {d: RawStore(settings.raw_dir).parts(dataset) for d, dataset in DATASETS.items()}
    assert prune(settings) > 0
    after = {d: RawStore(settings.raw_dir).parts(dataset) for d, dataset in DATASETS.items()}
    assert after == before
    source = get_source("coingecko", "market_daily")
    (payloads,) = Landing(settings.landing_dir).find("market_daily", "coingecko", NIGHTS[1])
    with pytest.raises(PayloadError, match="was pruned"):
        read_frame(settings, source, payloads, NIGHTS[1])


# Builds, pages, logs


def make_builds(settings: Settings, published: int, others: int) -> None:
    for number in range(published + others):
        folder = settings.builds_dir / f"2024010{number}T000000-abc"
        folder.mkdir(parents=True)
        (folder / "build.duckdb").write_bytes(b"x" * 10)
        if number < published:
            record = {"build_id": folder.name, "state": "published", "publication": number}
            (folder / "build.json").write_text(json.dumps(record))


def test_unpublished_builds_beyond_the_newest_few_go(make_settings: MakeSettings) -> None:
    settings = make_settings(unpublished_builds_kept=2)
    make_builds(settings, published=3, others=4)
    report = do_chore(settings, "prune_builds", "upkeep")
    assert (report.file_count, report.byte_count) == (2, 20)
    assert [path.name[:8] for path in sorted(settings.builds_dir.iterdir())] == [
        "20240100",
        "20240101",
        "20240102",
        "20240105",
        "20240106",
    ]


def test_pages_of_old_runs_go_when_fewer_are_kept(three_nights: Home) -> None:
    settings = three_nights.settings(NIGHTS[2], data_docs_runs_kept=1)
    runs = [path for path in settings.data_docs_dir.iterdir() if path.is_dir()]
    assert prune(settings, "prune_pages") == len(runs) - 1 > 0
    (left,) = (path for path in settings.data_docs_dir.iterdir() if path.is_dir())
    assert str(NIGHTS[2]) in left.name


def test_old_logs_go_and_nothing_else(make_settings: MakeSettings, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    names = ("dag/run/task/attempt=1.log", "new/attempt=1.log", "dag/run/notes.txt")
    for name in names:
        (logs / name).parent.mkdir(parents=True, exist_ok=True)
        (logs / name).write_text("x")
        if not name.startswith("new"):
            os.utime(logs / name, (0, 0))
    settings = make_settings(logs_kept_days=30)
    assert do_chore(settings, "prune_logs", "upkeep").file_count == 0
    assert do_chore(settings, "prune_logs", "upkeep", log_dir=logs).file_count == 1
    assert {p.relative_to(logs).as_posix() for p in logs.rglob("*") if p.is_file()} == {*names[1:]}
    assert not (logs / "dag/run/task").exists()


# The ledger


def test_a_ledger_that_grew_is_in_order(three_nights: Home) -> None:
    settings = three_nights.settings(NIGHTS[2])
    report = do_chore(settings, "check_ledger", "upkeep")
    assert report.file_count == len(list(settings.ledger_dir.rglob("*.parquet"))) == 4
    ((levels,),) = three_nights.query("select count(*) from indices.index_level_daily")
    assert f"{levels:,} levels" in report.sentence
    do_chore(settings, "check_ledger", "upkeep")


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_ledger_that_lost_or_changed_a_file_is_told(
    three_nights: Home, mailbox: Mailbox, harm: str
) -> None:
    settings = three_nights.settings(NIGHTS[2], **mailbox.settings)
    do_chore(settings, "check_ledger", "upkeep")
    file = sorted(settings.ledger_dir.rglob("*.parquet"))[0]
    content = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-1] + b"?")
    for _ in range(2):
        with pytest.raises(LedgerError, match=file.name):
            do_chore(settings, "check_ledger", "upkeep")
        steps.watch_upkeep(settings)
        steps.deliver_alerts(settings)
    file.write_bytes(content)
    do_chore(settings, "check_ledger", "upkeep")
    steps.watch_upkeep(settings)
    steps.deliver_alerts(settings)
    first, last = mailbox.subjects()
    assert "upkeep check_ledger" in first
    assert "upkeep check_ledger" in last
    assert read_state(settings).open_records == ()


def test_a_level_that_was_published_and_not_recorded_is_told(three_nights: Home) -> None:
    settings = three_nights.settings(NIGHTS[2])
    sorted(settings.ledger_dir.rglob("*.parquet"))[-1].unlink()
    with pytest.raises(LedgerError, match="is not in the ledger"):
        do_chore(settings, "check_ledger", "upkeep")


# All of them


def test_a_dry_run_changes_nothing(three_nights: Home, tmp_path: Path) -> None:
    settings = three_nights.settings(
        LATER + timedelta(days=60),
        landing_kept_days=30,
        backup_dir=tmp_path / "disk",
        data_docs_runs_kept=1,
    )
    for number in range(8):
        (settings.builds_dir / f"9999010{number}T000000-abc").mkdir()
    before = sha256_of_files(settings.home)
    reports = {name: do_chore(settings, name, "upkeep", is_dry_run=True) for name in CHORES}
    assert {**sha256_of_files(settings.home), ".lock": ""} == {**before, ".lock": ""}
    assert not (tmp_path / "disk").exists()
    done = {name: do_chore(settings, name, "upkeep") for name in CHORES}
    counted = [name for name in CHORES if name != "back_up"]
    assert [reports[n].file_count for n in counted] == [done[n].file_count for n in counted]
    made = newest_backup(tmp_path / "disk")
    assert made is not None
    assert len(made.files) == done["back_up"].file_count > 0
    assert set(read_notes(settings)) == set(CHORES)


def test_a_chore_waits_for_the_lock_or_says_who_has_it(settings: Settings) -> None:
    holding, ending = threading.Event(), threading.Event()

    def night() -> None:
        with run_lock(settings.home, run_id="night"):
            holding.set()
            ending.wait(30)

    thread = threading.Thread(target=night)
    thread.start()
    try:
        assert holding.wait(30)
        with pytest.raises(LockedError, match="run night"):
            do_chore(settings, "prune_landing", "upkeep")
    finally:
        ending.set()
        thread.join()
    assert read_notes(settings)["prune_landing"]["kind"] == "LockedError"
    do_chore(settings, "prune_landing", "upkeep")
    assert read_notes(settings)["prune_landing"]["error"] is None


def test_a_chore_that_is_none_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="there is no chore sweep"):
        do_chore(settings, "sweep", "upkeep")


def test_the_command_lists_every_chore(run: Run, three_nights: Home) -> None:
    said = run("upkeep", "--dry-run", "--json", home=three_nights)
    assert [row["chore"] for row in said.parsed()] == list(CHORES)
    said = run("upkeep", "--only", "compact", home=three_nights)
    assert said.code == 0, said
    assert "files folded" in said.out


def test_the_doctor_tells_how_the_chores_ended(settings: Settings) -> None:
    def said() -> list[tuple[str, str, str]]:
        return [(f.part, f.status, f.detail) for f in nights.upkeep(settings)]

    assert said() == [("upkeep", "ok", "no chore was done here yet")]
    do_chore(settings, "prune_builds", "upkeep")
    (found,) = said()
    assert found[:2] == ("upkeep", "ok")
    assert f"{LATER + timedelta(days=1)} 01:00 UTC" in found[2]
    (settings.state_dir / "ledger_seen.json").write_text('{"a.parquet": "0"}')
    with pytest.raises(LedgerError):
        do_chore(settings, "check_ledger", "upkeep")
    (found,) = said()
    assert found[:2] == ("upkeep check_ledger", "warn")
    assert found[2].startswith("LedgerError: 1 files of the ledger are gone")


def test_one_chore_that_fails_holds_up_none_of_the_others(run: Run, three_nights: Home) -> None:
    run("upkeep", home=three_nights)
    sorted((three_nights.path / "ledger").rglob("*.parquet"))[0].unlink()
    said = run("upkeep", "--json", home=three_nights)
    assert said.code == 1
    rows = {row["chore"]: row["said"] for row in said.parsed()}
    assert list(rows) == list(CHORES)
    assert "ledger are gone" in rows["check_ledger"]
    assert "LedgerError" in said.err
