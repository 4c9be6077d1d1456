"""Rows leave the quarantine only by a reviewer's word, and from then on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from quality_factories import MARKET_DATE, changed, equity_frame, market_frame

from pipeline.database import open_scratch
from pipeline.datasets import DATASETS, Vintage
from pipeline.errors import ConfigurationError, LockedError, QualityError
from pipeline.journal import Journal
from pipeline.loading import load_frame
from pipeline.lock import run_lock
from pipeline.quality.held import HeldRow, held_rows
from pipeline.quality.quarantine import Quarantine
from pipeline.quality.release import Release, choose_rows, release_rows
from pipeline.raw_store import RawStore
from pipeline.settings import Settings

LOADED_AT = datetime(2026, 3, 12, 1, 0, tzinfo=UTC)
REVIEWED_AT = LOADED_AT + timedelta(hours=9)
REFS = ["market_daily/coingecko/2026-03-11/page-1.json.gz"]
MARKET = DATASETS["market_daily"]


@pytest.fixture
def at(make_settings: Callable[..., Settings]) -> Callable[[datetime], Settings]:
    return lambda now: make_settings(now_override=now.isoformat())


@pytest.fixture
def loaded(at: Callable[[datetime], Settings]) -> Settings:
    """A home in which a night kept one row out, of coin-8, whose volume was negative."""
    load(at(LOADED_AT), changed(market_frame(), "volume_24h_usd", -1.0))
    return at(REVIEWED_AT)


def load(
    settings: Settings,
    frame: pd.DataFrame,
    dataset: str = "market_daily",
    vintage: Vintage = "live",
    refs: list[str] = REFS,
) -> None:
    load_frame(
        settings,
        frame,
        DATASETS[dataset],
        market_date=MARKET_DATE,
        run_id=f"night-{settings.now():%H}",
        source="coingecko",
        known_at=settings.now(),
        vintage=vintage,
        payload_refs=refs,
    )


def release(settings: Settings, rows: list[HeldRow], **overrides: Any) -> Release:
    words = {"run_id": "release-1", "reviewer": "an analyst", "reason": "the venue's page says so"}
    return release_rows(settings, rows, **(words | overrides))


def stored(settings: Settings, coin_id: str, known_by: datetime | None = None) -> list[Any]:
    select = RawStore(settings.raw_dir).select(MARKET, known_by)
    with open_scratch() as connection:
        return connection.execute(
            f"select volume_24h_usd, known_at, run_id, vintage from ({select}) "
            f"where coin_id = '{coin_id}' order by known_at"
        ).fetchall()


def test_a_held_row_says_all_of_itself(loaded: Settings) -> None:
    (row,) = held_rows(loaded)
    assert (row.dataset, row.row_date, row.source) == ("market_daily", MARKET_DATE, "coingecko")
    assert (row.row_key, row.status, row.vintage) == ("coin_id=coin-8", "open", "live")
    assert row.rule_id == "market_daily.volume_24h_usd_in_range"
    assert row.payload_refs == REFS[0]
    assert row.run_id == "night-01"
    assert row.values["volume_24h_usd"] == -1.0
    assert row.values["coin_id"] == "coin-8"
    assert list(row.values) == list(MARKET.column_names)


def test_a_released_row_is_known_from_now_on_and_leads_to_its_payload(loaded: Settings) -> None:
    (row,) = held_rows(loaded)
    assert stored(loaded, "coin-8") == []

    done = release(loaded, [row])

    assert (done.added, done.revised, done.unchanged) == (1, 0, 0)
    assert stored(loaded, "coin-8") == [(-1.0, REVIEWED_AT, done.run_id, "live")]
    assert stored(loaded, "coin-8", known_by=REVIEWED_AT - timedelta(seconds=1)) == []
    (file,) = Journal(loaded.journal_dir).files("quarantine_release")
    (record,) = pd.read_parquet(file).to_dict("records")
    assert record["run_id"] == done.run_id
    assert record["payload_refs"] == REFS[0]
    assert (record["reviewer"], record["review_reason"]) == (
        "an analyst",
        "the venue's page says so",
    )
    assert record["row_id"] == row.row_id
    assert record["quarantined_run_id"] == "night-01"
    assert [held.status for held in held_rows(loaded)] == ["released"]


def test_a_row_that_was_right_before_is_revised(
    at: Callable[[datetime], Settings],
) -> None:
    load(at(LOADED_AT), market_frame())
    later = at(LOADED_AT + timedelta(hours=1))
    load(later, changed(market_frame(), "volume_24h_usd", -1.0))
    (row,) = held_rows(later)
    assert row.status == "open"
    assert release(later, [row]).revised == 1
    assert [volume for volume, *_ in stored(later, "coin-8")] == [5e4, -1.0]


def test_releasing_twice_changes_nothing(loaded: Settings) -> None:
    rows = held_rows(loaded)
    release(loaded, rows)
    files = {path: path.read_bytes() for path in loaded.home.rglob("*.parquet")}
    again = release(loaded, rows)
    assert (again.added, again.revised, again.unchanged) == (0, 0, 0)
    assert choose_rows(held_rows(loaded), [rows[0].row_id]) == []
    assert {path: path.read_bytes() for path in loaded.home.rglob("*.parquet")} == files


def test_a_release_that_died_after_the_rows_is_simply_done_again(loaded: Settings) -> None:
    rows = held_rows(loaded)
    release(loaded, rows)
    for file in Journal(loaded.journal_dir).files("quarantine_release"):
        file.unlink()
    again = release(loaded, held_rows(loaded))
    assert (again.added, again.unchanged) == (0, 1)
    assert len(stored(loaded, "coin-8")) == 1
    assert [row.status for row in held_rows(loaded)] == ["released"]


def test_a_later_good_row_supersedes_what_is_held(
    loaded: Settings, at: Callable[[datetime], Settings]
) -> None:
    retried = at(LOADED_AT + timedelta(hours=2))
    load(retried, market_frame())
    (row,) = held_rows(retried)
    assert row.status == "superseded"
    assert choose_rows([row], []) == []
    with pytest.raises(ConfigurationError, match="a later row of the same key"):
        choose_rows([row], [row.row_id])


def test_the_same_row_of_two_runs_is_held_once_with_its_latest_lineage(
    loaded: Settings, at: Callable[[datetime], Settings]
) -> None:
    retried = at(LOADED_AT + timedelta(hours=2))
    load(retried, changed(market_frame(), "volume_24h_usd", -1.0), refs=["again"])
    assert len(Quarantine(loaded.quarantine_dir).read()) == 2
    (row,) = held_rows(loaded)
    assert (row.run_id, row.payload_refs) == ("night-03", "again")


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("price_usd", None, "market_daily.price_present"),
        ("price_usd", float("inf"), "infinite"),
        ("coin_id", "Coin 8", "market_daily.key_well_formed"),
    ],
)
def test_a_row_that_cannot_be_stored_is_not_released(
    at: Callable[[datetime], Settings], column: str, value: object, sentence: str
) -> None:
    settings = at(LOADED_AT)
    load(settings, changed(changed(market_frame(), column, value), "volume_24h_usd", -1.0, row=9))
    before = sorted(settings.home.rglob("*.parquet"))
    rows = held_rows(settings)
    assert len(rows) == 2
    with pytest.raises(QualityError, match="nothing was released") as refused:
        release(settings, rows)
    assert sentence in str(refused.value)
    assert sorted(settings.home.rglob("*.parquet")) == before


def test_two_rows_of_one_key_are_not_released_together(
    at: Callable[[datetime], Settings],
) -> None:
    settings = at(LOADED_AT)
    frame = market_frame()
    twins = pd.concat([frame, frame.tail(1).assign(price_usd=7.0)], ignore_index=True)
    with pytest.raises(QualityError, match="key_unique"):
        load(settings, twins)
    rows = held_rows(settings)
    assert len(rows) == 2
    with pytest.raises(QualityError, match="key_unique"):
        release(settings, rows)
    assert release(settings, rows[:1]).added == 1


def test_history_stays_history(at: Callable[[datetime], Settings]) -> None:
    settings = at(LOADED_AT)
    bad = changed(equity_frame(40), "close_points", 1e9)
    load(settings, bad, "equity_daily", "reconstructed", ["import/closes.csv#sha256=ab"])
    (row,) = held_rows(settings, dataset="equity_daily")
    assert (row.vintage, row.payload_refs) == ("reconstructed", "import/closes.csv#sha256=ab")
    release(settings, [row])
    counts = RawStore(settings.raw_dir).row_counts(
        DATASETS["equity_daily"], "cboe", since=date.min, vintage="reconstructed"
    )
    assert sum(counts.values()) == len(bad)


def test_rows_are_found_by_day_rule_status_and_id(loaded: Settings) -> None:
    (row,) = held_rows(loaded)
    for selection in (
        {"day": MARKET_DATE},
        {"rule": row.rule_id},
        {"row_ids": [row.row_id]},
        {"status": "open"},
        {"dataset": "market_daily"},
    ):
        assert held_rows(loaded, **selection) == [row]  # type: ignore[arg-type]
    for selection in (
        {"day": MARKET_DATE - timedelta(days=1)},
        {"rule": "market_daily.price_present"},
        {"row_ids": ["'; drop table x; --"]},
        {"status": "released"},
        {"dataset": "equity_daily"},
    ):
        assert held_rows(loaded, **selection) == []  # type: ignore[arg-type]


def test_rows_that_an_earlier_version_kept_can_be_released(loaded: Settings) -> None:
    (file,) = Path(loaded.quarantine_dir).rglob("*.parquet")
    pd.read_parquet(file).drop(columns=["vintage", "known_at"]).to_parquet(file)
    (row,) = held_rows(loaded)
    assert (row.vintage, row.known_at) == ("live", LOADED_AT)
    assert release(loaded, [row]).added == 1


@pytest.mark.parametrize("word", ["reviewer", "reason"])
def test_a_release_needs_who_and_why(loaded: Settings, word: str) -> None:
    with pytest.raises(ConfigurationError, match="--reviewer and --reason"):
        release(loaded, held_rows(loaded), **{word: "  "})


def test_a_release_waits_for_no_other_writer(loaded: Settings) -> None:
    from threading import Thread

    rows, refused = held_rows(loaded), []

    def run() -> None:
        try:
            release(loaded, rows)
        except LockedError as exc:
            refused.append(str(exc))

    with run_lock(loaded.home, run_id="a-night"):
        thread = Thread(target=run)
        thread.start()
        thread.join()
    assert "a-night" in refused[0]
    assert stored(loaded, "coin-8") == []
