"""Landed bytes read again after a parser was mended: what differs is added, nothing is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from canned import DATASET, Canned, days_from, scores_of, use_feeds
from nights import NIGHTS, Home, query_file, run_time, sha256_of_files

from pipeline import steps
from pipeline.database import open_scratch
from pipeline.datasets import DATASETS
from pipeline.errors import ConfigurationError, LockedError, PayloadError
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.replay import ReplayReport
from pipeline.sources.coingecko import CoinGecko
from pipeline.sources.registry import FEEDS, SOURCES, Feed, get_source

NIGHT = NIGHTS[0]
LATER = NIGHT + timedelta(days=40)
SCORES = scores_of(days_from(NIGHT - timedelta(days=60), 90))


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Canned:
    source = Canned("canned", SCORES)
    use_feeds(monkeypatch, Feed(DATASET, (source,)))
    return source


def load_night(home: Home, night: date, hour: float = 1) -> None:
    settings = home.settings(night, hour)
    extracted = steps.extract(settings, DATASET, night, f"night-{night}-{hour}")
    steps.validate_and_load(settings, extracted, f"night-{night}-{hour}")


def replay(
    home: Home,
    source: Any,
    first: date = date.min,
    last: date = LATER,
    *,
    is_applied: bool = True,
    hour: float = 1,
) -> ReplayReport:
    settings = home.settings(LATER, hour)
    run_id = f"replay-{settings.now():%Y%m%dT%H%M%SZ}"
    (report,) = steps.replay(settings, [source], first, last, run_id, is_applied=is_applied)
    return report


def words(home: Home, day: date, dataset: str = DATASET) -> list[tuple[Any, ...]]:
    """Return score, when it became known and by which run, oldest first."""
    store = RawStore(home.path / "raw")
    with open_scratch() as connection:
        rows = connection.execute(
            f"select score, known_at, run_id, vintage from ({store.select(DATASETS[dataset])}) "
            "where market_date = $day order by known_at",
            {"day": day},
        ).fetchall()
    return [(score, known_at.astimezone(UTC), *rest) for score, known_at, *rest in rows]


def test_replay_with_the_same_parser_finds_nothing(empty_home: Home, source: Canned) -> None:
    for night in days_from(NIGHT, 3):
        load_night(empty_home, night)
    before = sha256_of_files(empty_home.path / "raw")
    report = replay(empty_home, source)
    assert (report.fetches, report.unreadable) == (3, ())
    assert (report.new, report.revised, report.unchanged, report.missing) == (0, 0, 13, 0)
    assert sha256_of_files(empty_home.path / "raw") == before


def test_a_dry_run_says_what_would_change_and_stores_nothing(
    empty_home: Home, source: Canned
) -> None:
    load_night(empty_home, NIGHT)
    before = sha256_of_files(empty_home.path)
    source.added = 1.0
    report = replay(empty_home, source, is_applied=False)
    assert (report.new, report.revised, report.unchanged) == (0, 11, 0)
    first = NIGHT - timedelta(days=10)
    assert report.examples[0] == f"{first}: score {SCORES[first]} -> {SCORES[first] + 1.0}"
    assert sha256_of_files(empty_home.path) == before


def test_what_a_mended_parser_reads_is_known_from_now_on(empty_home: Home, source: Canned) -> None:
    load_night(empty_home, NIGHT)
    source.added = 1.0
    report = replay(empty_home, source)
    assert report.revised == 11
    old, new = words(empty_home, NIGHT)
    assert old == (SCORES[NIGHT], run_time(NIGHT), f"night-{NIGHT}-1", "live")
    assert new[:2] == (SCORES[NIGHT] + 1.0, run_time(LATER))
    assert new[2].startswith("replay-")
    assert new[3] == "live"
    again = replay(empty_home, source, hour=2)
    assert (again.revised, again.unchanged) == (0, 11)


def test_a_parser_mended_twice_is_believed_twice(empty_home: Home, source: Canned) -> None:
    load_night(empty_home, NIGHT)
    for hour, added in ((1, 1.0), (2, 2.0), (3, 0.0)):
        source.added = added
        assert replay(empty_home, source, hour=hour).revised == 11
    scores = [score for score, *_ in words(empty_home, NIGHT)]
    assert scores == [SCORES[NIGHT], SCORES[NIGHT] + 1.0, SCORES[NIGHT] + 2.0, SCORES[NIGHT]]


def test_an_older_fetch_never_overrules_a_newer_one(empty_home: Home, source: Canned) -> None:
    day = NIGHT - timedelta(days=3)
    load_night(empty_home, NIGHT)
    source.scores = dict(SCORES) | {day: SCORES[day] + 5}
    load_night(empty_home, NIGHT + timedelta(days=1))
    report = replay(empty_home, source)
    assert (report.new, report.revised) == (0, 0)

    # Nor when the newer one cannot be read any more.
    newest = NIGHT + timedelta(days=1)
    folder = empty_home.path / "landing" / DATASET / "canned" / str(newest)
    for body in folder.glob("*.gz"):
        body.write_bytes(b"lost")
    report = replay(empty_home, source)
    assert (report.fetches, len(report.unreadable), report.revised) == (1, 1, 0)
    assert str(newest) in report.unreadable[0]


def test_a_range_is_of_the_days_that_rows_describe(empty_home: Home, source: Canned) -> None:
    for night in days_from(NIGHT, 3):
        load_night(empty_home, night)
    source.added = 1.0
    first = NIGHT - timedelta(days=2)
    report = replay(empty_home, source, first, NIGHT)
    assert (report.revised, report.unchanged, report.missing) == (3, 0, 0)
    changed = [day for day in SCORES if len(words(empty_home, day)) == 2]
    assert changed == days_from(first, 3)


def test_a_night_that_the_old_parser_refused_comes_in(empty_home: Home, source: Canned) -> None:
    source.parse_error = PayloadError("the shape has changed")
    with pytest.raises(PayloadError):
        load_night(empty_home, NIGHT)
    assert "the shape has changed" in replay(empty_home, source).unreadable[0]
    source.parse_error = None
    assert replay(empty_home, source).new == 11
    assert len(words(empty_home, NIGHT)) == 1


def test_what_the_gate_refuses_is_not_stored(empty_home: Home, source: Canned) -> None:
    load_night(empty_home, NIGHT)
    before = sha256_of_files(empty_home.path / "raw")
    source.added = 5000.0
    report = replay(empty_home, source)
    assert (report.fetches, report.revised) == (0, 0)
    assert "is refused" in report.unreadable[0]
    assert sha256_of_files(empty_home.path / "raw") == before


def test_a_row_that_is_read_no_more_stays_and_is_counted(empty_home: Home, source: Canned) -> None:
    load_night(empty_home, NIGHT)
    day = NIGHT - timedelta(days=4)
    source.left_out = {day}
    report = replay(empty_home, source)
    assert (report.revised, report.unchanged, report.missing) == (0, 10, 1)
    assert len(words(empty_home, day)) == 1


def test_the_bytes_of_a_backfill_keep_their_range_and_their_vintage(
    empty_home: Home, source: Canned
) -> None:
    first = NIGHT - timedelta(days=39)
    settings = empty_home.settings(LATER)
    steps.backfill(settings, DATASET, first, NIGHT, "backfill", chunk_days=20)
    source.added = 1.0
    report = replay(empty_home, source)
    assert (report.fetches, report.revised, report.new) == (2, 40, 0)
    assert {row[3] for row in words(empty_home, first)} == {"reconstructed"}
    assert replay(empty_home, source, hour=2).revised == 0


def test_a_recent_range_is_replayed_beside_the_nights_as_live(
    empty_home: Home, source: Canned
) -> None:
    load_night(empty_home, NIGHT)
    first = NIGHT - timedelta(days=12)
    steps.backfill(empty_home.settings(NIGHT, 2), DATASET, first, NIGHT, "backfill")
    source.added = 1.0
    report = replay(empty_home, source)
    assert (report.fetches, report.new, report.revised) == (2, 0, 13)
    assert {row[3] for row in words(empty_home, first)} == {"live"}


def test_one_snapshot_of_a_night_is_read_anew_the_one_that_was_taken_in(
    empty_home: Home, source: Canned
) -> None:
    source.kind = "now_only"
    source.left_out = set(SCORES) - {NIGHT}
    load_night(empty_home, NIGHT, 1)
    source.scores = dict(SCORES) | {NIGHT: SCORES[NIGHT] + 3}
    steps.extract(empty_home.settings(NIGHT, 2), DATASET, NIGHT, "landed-only")
    report = replay(empty_home, source)
    assert (report.fetches, report.revised, report.unchanged) == (1, 0, 1)


def test_a_replay_waits_for_the_writer_and_a_dry_run_does_not(
    empty_home: Home, source: Canned
) -> None:
    load_night(empty_home, NIGHT)

    def from_another_thread(is_applied: bool) -> type[Exception] | None:
        import threading

        caught: list[type[Exception]] = []

        def run() -> None:
            try:
                replay(empty_home, source, is_applied=is_applied)
            except LockedError as exc:
                caught.append(type(exc))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return caught[0] if caught else None

    with run_lock(empty_home.path, run_id="a-night"):
        assert from_another_thread(True) is LockedError
        assert from_another_thread(False) is None


def test_the_id_of_a_replay_tells_what_it_is(empty_home: Home, source: Canned) -> None:
    load_night(empty_home, NIGHT)
    settings = empty_home.settings(LATER)
    with pytest.raises(ConfigurationError, match="replay-"):
        steps.replay(settings, [source], date.min, LATER, "mending", is_applied=True)


def test_nothing_landed_is_nothing_to_replay(empty_home: Home) -> None:
    assert steps.replay(empty_home.settings(NIGHT), SOURCES, date.min, NIGHT, "replay-x") == []


# Through the real sources and a build


def test_every_real_source_reads_its_night_again_as_it_was(three_nights: Home) -> None:
    before = sha256_of_files(three_nights.path / "raw")
    reports = steps.replay(
        three_nights.settings(NIGHTS[2], hour=3),
        SOURCES,
        NIGHTS[0],
        NIGHTS[2],
        "replay-all",
        is_applied=True,
    )
    assert {report.dataset for report in reports} == {
        feed.dataset for feed in FEEDS if (three_nights.path / "raw" / feed.dataset).exists()
    }
    for report in reports:
        assert (report.new, report.revised, report.missing) == (0, 0, 0), report
        assert (report.unreadable, report.unchanged > 0) == ((), True), report
    assert sha256_of_files(three_nights.path / "raw") == before


def test_a_past_build_does_not_know_what_a_replay_found_later(
    three_nights: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.warehouse import Warehouse

    parse = CoinGecko.read_rows

    def parse_mended(self: CoinGecko, *arguments: Any) -> Any:
        return [
            {**row, "volume_24h_usd": 12345.0} if row["coin_id"] == "bitcoin" else row
            for row in parse(self, *arguments)
        ]

    monkeypatch.setattr(CoinGecko, "read_rows", parse_mended)
    settings = three_nights.settings(NIGHTS[2], hour=3)
    source = get_source("coingecko", "market_daily")
    (report,) = steps.replay(
        settings, [source], NIGHTS[0], NIGHTS[0], "replay-mended", is_applied=True
    )
    assert report.revised == 1
    assert "bitcoin" in report.examples[0]

    def words_of_a_build(known_by: datetime | None) -> list[tuple[Any, ...]]:
        built = Warehouse(settings).build(
            "a-build", known_by=known_by, only=["staging.market_observation"]
        )
        return query_file(
            settings.builds_dir / built.build_id / "build.duckdb",
            "select volume_24h_usd = 12345, known_to is null from staging.market_observation "
            f"where coin_id = 'bitcoin' and market_date = date '{NIGHTS[0]}' order by known_from",
        )

    assert words_of_a_build(None) == [(False, False), (True, True)]
    assert words_of_a_build(settings.now() - timedelta(hours=1)) == [(False, True)]
