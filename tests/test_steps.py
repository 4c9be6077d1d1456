"""Each step of the night by itself, against vendors that answer over HTTP."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from nights import NIGHTS, Home, Mailbox

from pipeline import steps
from pipeline.datasets import DATASETS
from pipeline.errors import (
    BlockedNightError,
    ConfigurationError,
    LockedError,
    NotYetAvailableError,
    PayloadError,
    PublishError,
    UnobtainableError,
)
from pipeline.landing import LandedPayload, Landing
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.sandbox.faults import FaultBoard
from pipeline.sources.registry import NIGHTLY_FEEDS, get_feed
from pipeline.sources.transfer import HttpStatusError

NIGHT = NIGHTS[0]


def stored_count(home: Home, dataset: str, source: str) -> int:
    counts = RawStore(home.path / "raw").row_counts(DATASETS[dataset], source, since=NIGHT)
    return counts.get(NIGHT, 0)


def break_feed(faults: FaultBoard, feed: str, fault: str) -> None:
    """Let every vendor of a feed suffer a fault."""
    for source in get_feed(feed).sources:
        faults[source.vendor] = fault


def landed_files(home: Home) -> list[Path]:
    return sorted((home.path / "landing").rglob("*.gz"))


# Extract


@pytest.mark.parametrize(
    ("dataset", "source", "names"),
    [
        ("market_daily", "coingecko", ["markets-page-1", "markets-page-2", "markets-page-3"]),
        ("equity_daily", "cboe", ["RUT_History", "SPX_History"]),
        ("sentiment_daily", "alternative_me", ["fng"]),
    ],
)
def test_extract_lands_what_the_vendor_sent(
    empty_home: Home, dataset: str, source: str, names: list[str]
) -> None:
    settings = empty_home.settings(NIGHT)
    extracted = steps.extract(settings, dataset, NIGHT, "a-run")
    assert (extracted["dataset"], extracted["source"]) == (dataset, source)
    assert extracted["market_date"] == NIGHT.isoformat()
    payloads = [LandedPayload.from_dict(payload) for payload in extracted["payloads"]]
    assert [payload.name for payload in payloads][: len(names)] == names
    assert all(Landing(settings.landing_dir).read(payload) for payload in payloads)
    assert extracted["passed_over"] == {}
    assert json.loads(json.dumps(extracted)) == extracted


def test_extract_of_past_days_asks_a_vendor_that_knows_them(home: Home) -> None:
    extracted = steps.extract(home.settings(NIGHT, hour=100), "equity_daily", NIGHT, "late")
    loaded = steps.validate_and_load(home.settings(NIGHT, hour=100), extracted, "late")
    assert loaded["added"] > 0


def test_extract_asks_again_as_long_as_the_night_is_not_published(home: Home) -> None:
    settings = home.settings(NIGHT)
    first = steps.extract(settings, "market_daily", NIGHT, "first")
    steps.validate_and_load(settings, first, "first")
    second = steps.extract(home.settings(NIGHT, hour=2), "market_daily", NIGHT, "second")
    assert first["payloads"][0]["sha256"] != second["payloads"][0]["sha256"]


def test_extract_of_a_published_night_asks_nobody(three_nights: Home, faults: FaultBoard) -> None:
    faults["coingecko"] = "status_500"
    before = landed_files(three_nights)
    extracted = steps.extract(
        three_nights.settings(NIGHTS[2], hour=2), "market_daily", NIGHTS[2], "again"
    )
    assert [payload["run_id"] for payload in extracted["payloads"]] == [f"night-{NIGHTS[2]}-1"] * 3
    assert landed_files(three_nights) == before


def test_extract_says_of_which_day_and_keeps_the_kind_of_the_error(
    home: Home, faults: FaultBoard
) -> None:
    faults["alternative_me"] = "status_404"
    with pytest.raises(HttpStatusError, match=f"^alternative_me for {NIGHT}: ") as raised:
        steps.extract(home.settings(NIGHT), "sentiment_daily", NIGHT, "a-run")
    assert raised.value.status == 404
    faults["alternative_me"] = "gzip_bomb"
    with pytest.raises(PayloadError, match=f"^alternative_me for {NIGHT}: .*compare it with"):
        steps.extract(home.settings(NIGHT), "sentiment_daily", NIGHT, "a-run")


def test_extract_does_not_use_half_a_fetch(home: Home) -> None:
    settings = home.settings(NIGHT)
    whole = steps.extract(settings, "market_daily", NIGHT, "cut-short")
    (settings.landing_dir / whole["payloads"][0]["path"]).unlink()
    with pytest.raises(UnobtainableError):
        steps.extract(home.settings(NIGHT, hour=20), "market_daily", NIGHT, "too-late")


def test_extract_of_a_day_that_is_not_over_says_when_to_come_back(home: Home) -> None:
    with pytest.raises(NotYetAvailableError, match="2024-05-01 00:00 UTC"):
        steps.extract(home.settings(NIGHT, hour=-1), "market_daily", NIGHT, "early")


def test_extract_of_a_day_to_come_is_not_told_to_import_it(home: Home) -> None:
    with pytest.raises(NotYetAvailableError):
        steps.extract(home.settings(NIGHT, hour=-60), "market_daily", NIGHT, "early")


def test_extract_does_not_wait_for_a_run_that_writes(empty_home: Home) -> None:
    landed: list[dict[str, Any]] = []

    def run() -> None:
        landed.append(steps.extract(empty_home.settings(NIGHT), "sentiment_daily", NIGHT, "a-run"))

    with run_lock(empty_home.path, run_id="another"):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert landed[0]["source"] == "alternative_me"


def test_load_waits_for_a_run_that_writes(empty_home: Home) -> None:
    settings = empty_home.settings(NIGHT)
    extracted = steps.extract(settings, "sentiment_daily", NIGHT, "a-run")
    refused: list[str] = []

    def run() -> None:
        try:
            steps.validate_and_load(settings, extracted, "a-run")
        except LockedError as exc:
            refused.append(str(exc))

    with run_lock(empty_home.path, run_id="another"):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert "run another" in refused[0]
    assert stored_count(empty_home, "sentiment_daily", "alternative_me") == 0


def test_extract_of_a_dataset_that_nobody_serves_says_which_there_are(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="market_daily"):
        steps.extract(home.settings(NIGHT), "market", NIGHT, "a-run")


# Load


def test_load_stores_live_rows_known_since_they_were_fetched(home: Home) -> None:
    settings = home.settings(NIGHT)
    loaded = steps.validate_and_load(
        settings, steps.extract(settings, "market_daily", NIGHT, "a-run"), "a-run"
    )
    assert loaded["added"] == stored_count(home, "market_daily", "coingecko") > 100
    assert (loaded["revised"], loaded["unchanged"]) == (0, 0)
    assert json.loads(json.dumps(loaded)) == loaded


def test_load_of_the_same_payloads_adds_nothing(home: Home) -> None:
    settings = home.settings(NIGHT)
    extracted = steps.extract(settings, "market_daily", NIGHT, "a-run")
    first = steps.validate_and_load(settings, extracted, "a-run")
    later = home.settings(NIGHT, hour=40)
    again = steps.validate_and_load(later, extracted, "another")
    assert (again["added"], again["revised"], again["unchanged"]) == (0, 0, first["added"])


def test_load_of_a_broken_payload_stores_nothing(home: Home, faults: FaultBoard) -> None:
    break_feed(faults, "market_daily", "truncated")
    settings = home.settings(NIGHT)
    extracted = steps.extract(settings, "market_daily", NIGHT, "a-run")
    with pytest.raises(PayloadError, match=str(NIGHT)):
        steps.validate_and_load(settings, extracted, "a-run")
    assert stored_count(home, "market_daily", "coingecko") == 0


def test_load_of_a_payload_that_was_changed_on_disk_is_refused(home: Home) -> None:
    settings = home.settings(NIGHT)
    extracted = steps.extract(settings, "sentiment_daily", NIGHT, "a-run")
    file = settings.landing_dir / extracted["payloads"][0]["path"]
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(PayloadError):
        steps.validate_and_load(settings, extracted, "a-run")


# Build, audit, publish


def loaded_as(*datasets: str) -> list[dict[str, Any]]:
    return [{"feed": dataset} for dataset in datasets]


def test_build_wants_the_datasets_that_a_night_cannot_do_without(home: Home) -> None:
    others = [dataset for dataset in NIGHTLY_FEEDS if dataset != "market_daily"]
    with pytest.raises(BlockedNightError, match="market_daily"):
        steps.build(home.settings(NIGHT), NIGHT, "a-run", loaded_as(*others))
    assert steps.build(home.settings(NIGHT), NIGHT, "a-run", loaded_as("market_daily"))[
        "is_unchanged"
    ]


def test_build_of_an_empty_archive_says_how_to_fill_it(empty_home: Home) -> None:
    modelled: list[str] = []
    with pytest.raises(ConfigurationError, match="tidemark import DIR"):
        steps.build(empty_home.settings(NIGHT), NIGHT, "a-run", on_model=modelled.append)
    assert modelled == []
    assert not (empty_home.path / "builds").exists()
    assert not empty_home.published.exists()


def test_build_of_one_model_leaves_the_published_build_alone(home: Home) -> None:
    before, seen = home.published_bytes(), []
    built = steps.build(
        home.settings(NIGHT), NIGHT, "a-run", only=["staging.coin"], on_model=seen.append
    )
    assert not built["is_unchanged"]
    assert seen[-1] == "staging.coin"
    assert "indices.index_level_daily" not in seen
    assert (home.path / "builds" / built["build_id"] / "build.duckdb").exists()
    assert home.published_bytes() == before
    with pytest.raises(PublishError, match="no finished build"):
        steps.publish(home.settings(NIGHT), built)


@pytest.mark.parametrize("change", ["a column more", "a table more"])
def test_audit_of_models_that_changed_since_the_build_says_to_build_again(
    change: str, home: Home, small_sql_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_sql_dir, tmp_path / "sql")
    settings = home.settings(NIGHTS[0], sql_dir=tmp_path / "sql")
    before = home.published_bytes()
    built = steps.build(settings, NIGHTS[0], "a-run")
    path = tmp_path / "sql" / "indices" / "index_level_daily.yml"
    text = path.read_text()
    if change == "a column more":
        text += "  later:\n    type: double\n    meaning: Said later\n    unit: points\n"
    else:
        path = path.with_name("later_daily.yml")
        shutil.copyfile(path.with_name("index_level_daily.sql"), path.with_suffix(".sql"))
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"built otherwise.*run `tidemark build` again"):
        steps.audit(settings, built)
    assert home.published_bytes() == before


def test_publish_of_a_build_that_was_not_audited_is_refused(small_home: Home) -> None:
    before = small_home.published_bytes()
    built = steps.build(small_home.settings(NIGHT), NIGHT, "a-run")
    with pytest.raises(PublishError, match="is built; only a build that passed"):
        steps.publish(small_home.settings(NIGHT), built)
    assert small_home.published_bytes() == before


def test_publish_names_the_build_in_the_manifest(home: Home) -> None:
    manifest = json.loads((home.published / "manifest.json").read_bytes())
    assert manifest["build_id"] in {build.name for build in (home.path / "builds").iterdir()}
    assert "tidemark.duckdb" in manifest["files"]


# Notify


def test_notify_of_a_good_run_sends_nothing(small_home: Home, mailbox: Mailbox) -> None:
    manifest = small_home.refresh(NIGHT, run_id="a-run", **mailbox.settings)
    settings = small_home.settings(NIGHT, **mailbox.settings)
    assert steps.notify(settings, NIGHT, "a-run", manifest["build_id"]) is True
    assert mailbox.subjects() == []


def test_notify_mails_every_failure_of_its_own_run_once(
    home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    chosen = "market_daily,equity_daily,sentiment_daily"
    settings = home.settings(NIGHT, feeds=chosen, **mailbox.settings)
    run_id = "scheduled__2024-05-01T01:00:00+00:00"
    faults["cboe"] = faults["alternative_me"] = "status_404"
    loaded = steps.extract(settings, "market_daily", NIGHT, run_id)
    steps.validate_and_load(settings, loaded, run_id)
    for dataset in ("equity_daily", "sentiment_daily"):
        with pytest.raises(Exception, match="404"):
            steps.extract(settings, dataset, NIGHT, run_id)

    assert steps.notify(settings, NIGHT, run_id, "a-build") is True
    assert steps.notify(settings, NIGHT, run_id, "a-build") is True

    (message,) = mailbox.messages()
    assert str(message["Subject"]).startswith(
        f"[Tidemark] WARNING errored equity_daily {NIGHT} and 1 more: "
    )
    text = message.get_body(("plain",))
    assert text is not None
    assert "1. equity_daily" in text.get_content()
    assert "2. sentiment_daily" in text.get_content()


def test_notify_says_that_a_night_without_prices_failed(
    home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    settings = home.settings(NIGHT, **mailbox.settings)
    break_feed(faults, "market_daily", "status_404")
    with pytest.raises(Exception, match="404"):
        steps.extract(settings, "market_daily", NIGHT, "a-run")
    assert steps.notify(settings, NIGHT, "a-run", None) is False
    assert mailbox.subjects()[0].startswith("[Tidemark] CRITICAL errored market_daily")


def test_notify_tells_of_a_step_that_was_killed(small_home: Home, mailbox: Mailbox) -> None:
    manifest = small_home.refresh(NIGHT, run_id="before")
    assert steps.notify(small_home.settings(NIGHT), NIGHT, "before", manifest["build_id"])
    settings = small_home.settings(NIGHT, feeds="market_daily", **mailbox.settings)
    loaded = steps.extract(settings, "market_daily", NIGHT, "a-run")
    steps.validate_and_load(settings, loaded, "a-run")
    assert steps.notify(settings, NIGHT, "a-run", None) is False
    (subject,) = mailbox.subjects()
    assert subject.startswith("[Tidemark] CRITICAL errored night")
    assert "no step says why" in subject


def test_notify_forgets_a_failure_that_a_retry_mended(home: Home, faults: FaultBoard) -> None:
    settings = home.settings(NIGHT)
    faults["cboe"] = "status_404"
    with pytest.raises(Exception, match="404"):
        steps.extract(settings, "equity_daily", NIGHT, "a-run")
    assert [failure["step"] for failure in steps.failures(settings, "a-run")] == [
        "extract equity_daily"
    ]
    faults.clear()
    steps.extract(settings, "equity_daily", NIGHT, "a-run")
    assert steps.failures(settings, "a-run") == []
