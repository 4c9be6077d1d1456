"""Past days: in chunks, resumed after an interruption, revised by later nights."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from canned import DATASET, Canned, days_from, scores_of, use_feeds
from cli_runner import Run
from nights import NIGHTS, Home

from pipeline import steps
from pipeline.backfilling import Chunk, plan_chunks
from pipeline.datasets import DATASETS
from pipeline.errors import (
    ConfigurationError,
    NotYetAvailableError,
    PayloadError,
    QualityError,
    SourceError,
    UnobtainableError,
)
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.sandbox import server
from pipeline.sandbox.server import Sandbox, create_server
from pipeline.sources.registry import FEEDS, Feed

LAST = NIGHTS[0]
FIRST = LAST - timedelta(days=49)
SCORES = scores_of(days_from(FIRST - timedelta(days=30), 81))


def backfill(home: Home, run_id: str = "backfill", **options: Any) -> dict[str, Any]:
    options = {"chunk_days": 10, "first": FIRST, "last": LAST, "feed": DATASET} | options
    feed, first, last = options.pop("feed"), options.pop("first"), options.pop("last")
    return steps.backfill(home.settings(LAST), feed, first, last, run_id, **options)


def stored(home: Home) -> dict[date, list[tuple[Any, ...]]]:
    """Return score, vintage and run of every row, by day, the first known first."""
    from pipeline.database import open_scratch

    store = RawStore(home.path / "raw")
    with open_scratch() as connection:
        rows = connection.execute(
            "select market_date, score, vintage, run_id from "
            f"({store.select(DATASETS[DATASET])}) order by market_date, known_at"
        ).fetchall()
    found: dict[date, list[tuple[Any, ...]]] = {}
    for day, *row in rows:
        found.setdefault(day, []).append(tuple(row))
    return found


def progress_files(home: Home) -> list[Path]:
    return sorted((home.path / "state" / "backfill").glob("*.json"))


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Canned:
    source = Canned("canned", SCORES)
    use_feeds(monkeypatch, Feed(DATASET, (source,)))
    return source


@pytest.mark.parametrize(
    ("first_day", "last_day", "days", "sizes"),
    [
        (1, 31, 10, [10, 10, 11]),
        (1, 30, 11, [11, 11, 8]),
        (1, 10, 10, [10]),
        (1, 3, 1, [1, 1, 1]),
        (1, 5, 3, [5]),
        (5, 5, 30, [1]),
        (5, 4, 30, []),
    ],
)
def test_a_range_is_cut_without_gap_or_overlap(
    first_day: int, last_day: int, days: int, sizes: list[int]
) -> None:
    first, last = date(2024, 1, first_day), date(2024, 1, last_day)
    chunks = list(plan_chunks(first, last, days))
    assert [(end - begin).days + 1 for begin, end in chunks] == sizes
    covered = [day for begin, end in chunks for day in days_from(begin, (end - begin).days + 1)]
    assert covered == days_from(first, max((last - first).days + 1, 0))


def test_backfill_stores_every_day_once(empty_home: Home, source: Canned) -> None:
    seen: list[tuple[Chunk, int, int]] = []
    loaded = backfill(empty_home, on_chunk=lambda *chunk: seen.append(chunk))
    assert loaded == {
        "feed": DATASET,
        "dataset": DATASET,
        "source": "canned",
        "chunks": 5,
        "added": 50,
        "revised": 0,
        "unchanged": 0,
        "quarantined": 0,
    }
    rows = stored(empty_home)
    assert list(rows) == days_from(FIRST, 50)
    assert {len(words) for words in rows.values()} == {1}
    assert rows[FIRST] == [(SCORES[FIRST], "reconstructed", f"backfill--since-{FIRST}")]
    assert [(done, total) for _, done, total in seen] == [(n, 5) for n in range(1, 6)]
    assert progress_files(empty_home) == []

    again = backfill(empty_home, "backfill-2")
    assert (again["added"], again["unchanged"]) == (0, 50)
    assert len(source.asked) == 10


def test_backfill_goes_on_where_it_was_interrupted(empty_home: Home, source: Canned) -> None:
    third = (FIRST + timedelta(days=20), FIRST + timedelta(days=29))
    source.fetch_error = {third[1]: SourceError("no answer in time")}
    with pytest.raises(SourceError, match="no answer in time"):
        backfill(empty_home)
    assert len(stored(empty_home)) == 20
    assert len(progress_files(empty_home)) == 1

    source.fetch_error, source.asked = None, []
    loaded = backfill(empty_home, "backfill-2")
    assert source.asked[0] == third
    assert len(source.asked) == 3
    assert (loaded["chunks"], loaded["added"]) == (5, 50)
    assert list(stored(empty_home)) == days_from(FIRST, 50)
    assert progress_files(empty_home) == []


def test_backfill_killed_between_chunks_goes_on(empty_home: Home, source: Canned) -> None:
    def stop(chunk: Chunk, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(empty_home, on_chunk=stop)
    source.asked = []
    assert backfill(empty_home)["added"] == 50
    assert len(source.asked) == 3


def test_the_number_of_chunks_is_known_before_the_first(empty_home: Home, source: Canned) -> None:
    told: list[Any] = []

    def stop(chunk: Chunk, done: int, total: int) -> None:
        told.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(empty_home, on_plan=lambda *plan: told.append(plan), on_chunk=stop)
    assert told == [(0, 5), 1, 2]
    told.clear()
    backfill(empty_home, on_plan=lambda *plan: told.append(plan))
    assert told == [(2, 5)]


def test_ctrl_c_says_what_is_kept_and_the_command_that_goes_on(
    empty_home: Home, source: Canned, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = source.fetch

    def interrupted(*given: Any, **options: Any) -> Any:
        if len(source.asked) == 2:
            raise KeyboardInterrupt
        return fetch(*given, **options)

    monkeypatch.setattr(source, "fetch", interrupted)
    asked = ("backfill", DATASET, "--from", str(FIRST), "--chunk-days", "10")
    outcome = run(*asked, home=empty_home)
    assert outcome.code == 130
    (line,) = outcome.err.strip().splitlines()
    command = f"tidemark backfill {DATASET} --from {FIRST} --to {LAST} --chunk-days 10"
    assert line == (
        "interrupted; what is landed and every chunk that is stored is kept. Go on with "
        f"`{command}`"
    )
    assert len(stored(empty_home)) == 20

    source.asked = []
    monkeypatch.setattr(source, "fetch", fetch)
    again = run(*shlex.split(command)[1:], home=empty_home)
    assert again.code == 0
    assert len(source.asked) == 3
    assert list(stored(empty_home)) == days_from(FIRST, 50)


@pytest.mark.parametrize(
    "bad",
    [
        {"fetch_error": PayloadError("garbled")},
        {"fetch_error": UnobtainableError("too old")},
        {"score": 5000.0},
    ],
    ids=["client", "gap", "gate"],
)
def test_a_chunk_that_is_refused_does_not_hold_up_the_others(
    empty_home: Home, source: Canned, bad: dict[str, Any]
) -> None:
    second = FIRST + timedelta(days=19)
    if "score" in bad:
        for day in days_from(FIRST + timedelta(days=10), 10):
            source.scores[day] = bad["score"]
    else:
        source.fetch_error = {second: bad["fetch_error"]}
    with pytest.raises(QualityError, match=r"1 of 5 chunks .*all others are"):
        backfill(empty_home)
    assert len(stored(empty_home)) == 40

    source.fetch_error, source.scores, source.asked = None, dict(SCORES), []
    assert backfill(empty_home)["added"] == 50
    assert source.asked == [(FIRST + timedelta(days=10), second)]


def test_a_chunk_ends_where_the_vendor_ends(empty_home: Home, source: Canned) -> None:
    del source.scores[LAST], source.scores[FIRST + timedelta(days=9)]
    for day in days_from(LAST + timedelta(days=1), 10):
        source.scores.pop(day, None)
    loaded = backfill(empty_home)
    assert loaded["added"] == 48
    assert len(source.asked) == 5

    late = Canned("late", {})
    late.fetch_error = NotYetAvailableError("not before noon")
    with pytest.MonkeyPatch.context() as patch:
        use_feeds(patch, Feed(DATASET, (late,)))
        with pytest.raises(QualityError, match="not before noon"):
            backfill(empty_home, first=LAST, chunk_days=1)


def test_a_source_that_sends_all_its_days_is_asked_once_and_read_in_chunks(
    empty_home: Home, source: Canned
) -> None:
    source.sends_all_since = True
    seen: list[Chunk] = []
    loaded = backfill(empty_home, on_chunk=lambda chunk, *_: seen.append(chunk))
    assert source.asked == [(FIRST, LAST)]
    assert (loaded["chunks"], loaded["added"]) == (5, 50)
    assert [chunk.added for chunk in seen] == [10] * 5
    rows = stored(empty_home)
    assert list(rows) == days_from(FIRST, 50)
    # The run of the rows is that of the payload, so that it is found again.
    assert {run for words in rows.values() for *_, run in words} == {f"backfill--since-{FIRST}"}
    folder = empty_home.path / "landing" / DATASET / "canned"
    assert [path.name for path in folder.iterdir()] == [str(LAST)]

    source.asked = []
    assert backfill(empty_home, "backfill-2", chunk_days=None)["chunks"] == 1
    assert source.asked == [(FIRST, LAST)]


def test_a_source_that_sends_all_its_days_is_asked_anew_for_the_chunks_that_are_left(
    empty_home: Home, source: Canned
) -> None:
    source.sends_all_since = True
    for day in days_from(FIRST + timedelta(days=10), 10):
        source.scores[day] = 5000.0
    with pytest.raises(QualityError, match=r"1 of 5 chunks .*all others are"):
        backfill(empty_home)
    assert len(stored(empty_home)) == 40

    source.scores, source.asked = dict(SCORES), []
    assert backfill(empty_home, "backfill-2")["added"] == 50
    assert source.asked == [(FIRST, LAST)]
    assert list(stored(empty_home)) == days_from(FIRST, 50)


@pytest.mark.parametrize("error", [SourceError("no answer"), PayloadError("garbled")], ids=repr)
def test_a_source_that_sends_all_its_days_and_does_not_answer_is_not_asked_for_each_chunk(
    empty_home: Home, source: Canned, error: Exception
) -> None:
    source.sends_all_since, source.fetch_error = True, error
    with pytest.raises(type(error), match=str(error)):
        backfill(empty_home)
    assert len(source.asked) == 1


YEARS_AGO = LAST - timedelta(days=3 * 365)


@pytest.fixture(scope="module")
def three_years() -> Iterator[Sandbox]:
    """A market of three years behind the vendors' APIs."""
    with create_server(7, first_day=YEARS_AGO, coin_count=40) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize(
    ("feed", "paths"),
    [
        ("sentiment_daily", ["fng/"]),
        ("equity_daily", ["RUT_History.csv", "SPX_History.csv", "VIX_History.csv"]),
        ("stablecoin_daily", ["stablecoincharts/all"]),
        ("exchange_balance_daily", ["protocol/binance-cex"]),
        ("market_daily.coinmetrics", ["csv/btc.csv", "csv/eth.csv"]),
    ],
)
def test_three_years_of_whole_files_are_asked_for_once(
    three_years: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    feed: str,
    paths: list[str],
) -> None:
    asked: list[str] = []
    answer = server._Handler.do_GET

    def count_and_answer(handler: server._Handler) -> None:
        asked.append(handler.path)
        answer(handler)

    monkeypatch.setattr(server._Handler, "do_GET", count_and_answer)
    loaded = backfill(
        Home(tmp_path / "home", three_years), feed=feed, first=YEARS_AGO, chunk_days=None
    )
    assert loaded["chunks"] >= 2
    assert loaded["added"] > 1000
    assert len(asked) == len(set(asked))
    for path in paths:
        assert sum(path in each for each in asked) == 1


def test_backfill_begins_with_the_first_day_of_the_vendor_and_ends_yesterday(
    empty_home: Home, source: Canned
) -> None:
    source.earliest_date = FIRST + timedelta(days=45)
    backfill(empty_home, last=LAST + timedelta(days=30))
    assert source.asked == [(FIRST + timedelta(days=45), LAST)]
    source.earliest_date = LAST + timedelta(days=1)
    with pytest.raises(UnobtainableError, match="no day of sentiment_daily"):
        backfill(empty_home)


def test_recent_days_are_live_and_older_ones_history(empty_home: Home, source: Canned) -> None:
    backfill(empty_home)
    vintages = {day: words[0][1] for day, words in stored(empty_home).items()}
    assert vintages[LAST] == vintages[LAST - timedelta(days=9)] == "live"
    assert {vintages[day] for day in days_from(FIRST, 40)} == {"reconstructed"}


def test_backfill_takes_the_source_that_is_named(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Canned("one", SCORES), Canned("two", SCORES)
    use_feeds(monkeypatch, Feed(DATASET, (one, two)))
    assert backfill(empty_home, source="two")["source"] == "two"
    assert one.asked == []
    with pytest.raises(UnobtainableError, match="its sources: one, two"):
        backfill(empty_home, source="three")


def test_files_that_feed_two_datasets_are_asked_for_once(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Canned("shared", SCORES, dataset="global_daily")
    reader = Canned("shared", SCORES, payloads_of="global_daily")
    use_feeds(monkeypatch, Feed("asked", (asked,)), Feed(DATASET, (reader,)))
    settings = empty_home.settings(LAST)
    with pytest.raises(QualityError, match="run that feed first"):
        backfill(empty_home)
    from pipeline.fetching import Effort, land_fetch, range_run_id

    for begin, end in plan_chunks(FIRST, LAST, 10):
        land_fetch(settings, asked, end, range_run_id("earlier", begin), Effort(), since=begin)
    assert backfill(empty_home)["added"] == 50
    assert reader.asked == []


def test_a_source_that_is_not_set_up_is_named(
    empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_feeds(monkeypatch, Feed(DATASET, (Canned("keyless", usable=False),)))
    with pytest.raises(UnobtainableError, match="keyless is not set up"):
        backfill(empty_home)


@pytest.mark.parametrize(
    "feed",
    [f.name for f in FEEDS if all(source.kind == "now_only" for source in f.sources)],
)
def test_sources_that_know_the_present_only_say_what_to_do(empty_home: Home, feed: str) -> None:
    with pytest.raises(UnobtainableError, match=rf"tidemark replay --feed {feed}.*tidemark import"):
        backfill(empty_home, feed=feed)
    assert not (empty_home.path / "landing").exists()


def test_a_feed_that_is_not_there_is_named(empty_home: Home) -> None:
    with pytest.raises(ConfigurationError, match="market_daily"):
        backfill(empty_home, feed="nothing")


def test_a_night_may_run_between_two_chunks(empty_home: Home, source: Canned) -> None:
    nights: list[int] = []

    def run_a_night(chunk: Chunk, done: int, total: int) -> None:
        with run_lock(empty_home.path, run_id="a-night"):
            nights.append(done)

    backfill(empty_home, on_chunk=run_a_night)
    assert nights == [1, 2, 3, 4, 5]


# Trailing windows


def load_night(home: Home, night: date) -> dict[str, Any]:
    settings = home.settings(night)
    extracted = steps.extract(settings, DATASET, night, f"night-{night}")
    return steps.validate_and_load(settings, extracted, f"night-{night}")


def test_later_nights_bring_late_and_revised_values(empty_home: Home, source: Canned) -> None:
    late, revised = LAST - timedelta(days=2), LAST - timedelta(days=3)
    del source.scores[late]
    first = load_night(empty_home, LAST)
    assert (first["added"], first["revised"]) == (10, 0)

    source.scores[late] = 42.0
    source.scores[revised] += 1.0
    second = load_night(empty_home, LAST + timedelta(days=1))

    assert (second["added"], second["revised"], second["unchanged"]) == (2, 1, 8)
    rows = stored(empty_home)
    assert [score for score, *_ in rows[late]] == [42.0]
    assert [score for score, *_ in rows[revised]] == [SCORES[revised], SCORES[revised] + 1.0]
    assert {len(words) for day, words in rows.items() if day != revised} == {1}
