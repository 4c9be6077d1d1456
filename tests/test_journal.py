"""The journal of the runs: the same words before, during and after its old files are folded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crashes import CrashError, crash_at
from nights import NIGHTS, Home, run_time

from pipeline import health
from pipeline.database import open_scratch
from pipeline.folded import FOLD_AFTER_DAYS
from pipeline.health import SourceHealth
from pipeline.journal import AT_LEAST, Journal, fold_journal
from pipeline.settings import Settings

TODAY = NIGHTS[0]
OLDEST = TODAY - timedelta(days=FOLD_AFTER_DAYS + 6)
"""So that six nights are old enough to be folded."""
DAYS = [OLDEST + timedelta(days=n) for n in range((TODAY - OLDEST).days)]
OLD_DAYS = DAYS[:6]
FEEDS = ("market_daily", "sentiment_daily")


def run_of(day: date) -> str:
    return f"scheduled__{run_time(day).isoformat()}"


def checks_of(run_id: str, day: date, feed: str, *, bad: int = 0) -> pd.DataFrame:
    """Return two results; the example is a text, or a column without any."""
    return pd.DataFrame(
        {
            "run_id": run_id,
            "checked_at": run_time(day),
            "market_date": day,
            "dataset": feed,
            "rule_id": [f"{feed}_second", f"{feed}_first"],
            "bad_count": bad,
            "example": ["a row", None] if bad else None,
        }
    )


def write_night(settings: Settings, day: date, *, bad: int = 0, status: Any = "answered") -> None:
    """Write what a run says, as old as its day; ``bad`` and ``status`` are what it says."""
    journal, run_id = Journal(settings.journal_dir), run_of(day)
    for feed in FEEDS:
        journal.write("check_result", run_id, f"{feed}-x", checks_of(run_id, day, feed, bad=bad))
        asked = SourceHealth(feed, "x", 1, status, None, first_date=day, last_date=day)
        health.record(settings, run_id, day, feed, [asked])
    written = run_time(day).timestamp()
    for path in written_by(settings, day):
        os.utime(path, (written, written))


def written_by(settings: Settings, day: date) -> list[Path]:
    """Return the small files of a night, of which the name of the file or folder tells."""
    return [
        path
        for path in settings.journal_dir.rglob("*.parquet")
        if str(day + timedelta(days=1)) in str(path.relative_to(settings.journal_dir))
    ]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with the journal of six old nights and of five weeks since."""
    chosen = Home(tmp_path / "home").settings(TODAY)
    for number, day in enumerate(DAYS):
        write_night(chosen, day, bad=number % 2)
    return chosen


def said(settings: Settings) -> dict[str, Any]:
    """Return everything that the readers of the journal are told."""
    journal = Journal(settings.journal_dir)
    relations = (journal.select("check_result"), health.recorded(settings.journal_dir))
    rows = []
    with open_scratch(1) as connection:
        for relation in relations:
            assert relation is not None
            table = connection.execute(f"from ({relation})").to_arrow_table()
            rows.append(Counter(repr(sorted(row.items())) for row in table.to_pylist()))
    return {
        "rows": rows,
        "of_run": [journal.of_run("check_result", run_of(day)) for day in DAYS],
        "health": [health.of_run(settings, run_of(day)) for day in DAYS],
        "since": [
            sorted(map(repr, journal.since("check_result", FEEDS[0], day))) for day in DAYS[::4]
        ],
    }


def small_count(settings: Settings) -> int:
    return sum("folded" not in path.parts for path in settings.journal_dir.rglob("[!.]*.parquet"))


def test_folding_takes_the_old_files_and_changes_no_word(settings: Settings) -> None:
    before, count = said(settings), small_count(settings)
    assert [row["rule_id"] for row in before["of_run"][0]] == [
        "market_daily_second",
        "market_daily_first",
        "sentiment_daily_second",
        "sentiment_daily_first",
    ]
    assert [row.first_date for row in before["health"][1]] == [DAYS[1], DAYS[1]]
    assert len(before["since"][0]) == 2 * len(DAYS)

    folded = fold_journal(settings, at_least=1)

    assert folded == len(OLD_DAYS) * 2 * len(FEEDS)
    assert small_count(settings) == count - folded
    assert said(settings) == before
    assert not any(written_by(settings, day) for day in OLD_DAYS)
    assert not (settings.journal_dir / health.TABLE / health.folder_name(run_of(DAYS[0]))).exists()
    assert fold_journal(settings, at_least=1) == 0


def test_what_is_folded_later_lies_beside_what_was_folded_before(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    for day in DAYS:
        write_night(home.settings(TODAY), day)
    before = said(home.settings(TODAY))
    for later in range(4):
        fold_journal(home.settings(TODAY + timedelta(days=later)), at_least=1)
        assert said(home.settings(TODAY)) == before
    folds = sorted((tmp_path / "home" / "journal" / "folded" / "check_result").iterdir())
    assert [path.name for path in folds] == ["000003.parquet", "000004.parquet"]


def test_few_old_files_are_left_to_a_later_night(settings: Settings) -> None:
    old = len(OLD_DAYS) * len(FEEDS)
    assert old < AT_LEAST
    assert fold_journal(settings) == 0
    assert fold_journal(settings, at_least=old + 1) == 0
    assert fold_journal(settings, at_least=old) == 2 * old


def test_a_run_that_is_done_again_replaces_what_was_folded_of_it(settings: Settings) -> None:
    fold_journal(settings, at_least=1)
    day = DAYS[1]
    for time_of_fold in (TODAY, TODAY + timedelta(days=1)):
        write_night(settings, day, bad=7, status="unavailable")
        for _ in range(2):  # As a small file, and folded itself.
            words = said(settings)
            assert [row["bad_count"] for row in words["of_run"][1]] == [7, 7, 7, 7]
            assert {row.status for row in words["health"][1]} == {"unavailable"}
            assert words["rows"][0].total() == 2 * len(FEEDS) * len(DAYS)
            assert words["rows"][1].total() == len(FEEDS) * len(DAYS)
            later = Home(settings.home).settings(time_of_fold)
            fold_journal(later, at_least=1)


def test_a_feed_that_is_done_again_leaves_the_others_of_its_run(settings: Settings) -> None:
    fold_journal(settings, at_least=1)
    again = SourceHealth(FEEDS[0], "x", 1, "replayed")
    health.record(settings, run_of(DAYS[0]), DAYS[0], FEEDS[0], [again])
    assert [(row.feed, row.status) for row in health.of_run(settings, run_of(DAYS[0]))] == [
        (FEEDS[1], "answered"),
        (FEEDS[0], "replayed"),
    ]


def test_a_file_without_an_example_is_folded_with_those_that_have_one(settings: Settings) -> None:
    fold_journal(settings, at_least=1)
    words = [row["example"] for day in OLD_DAYS for row in said_of(settings, day)]
    assert words == [None, None, None, None, "a row", None, "a row", None] * 3


def said_of(settings: Settings, day: date) -> list[dict[str, Any]]:
    return Journal(settings.journal_dir).of_run("check_result", run_of(day))


def test_a_crash_at_any_point_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 0
    while True:
        settings = Home(tmp_path / str(number)).settings(TODAY)
        for day in (*OLD_DAYS[:2], DAYS[-1]):
            write_night(settings, day)
        fold_journal(Home(settings.home).settings(TODAY - timedelta(days=5)), at_least=1)
        before = said(settings)
        with monkeypatch.context() as patch:
            done = crash_at(number, patch)
            try:
                fold_journal(settings, at_least=1)
            except CrashError:
                pass
            else:
                break
        assert said(settings) == before, done
        fold_journal(settings, at_least=1)
        assert said(settings) == before, done
        assert small_count(settings) == 2 * len(FEEDS), done
        number += 1
    # Of each of two tables the fold and the two files of a night; and the folder of its health.
    assert number == 2 * (1 + len(FEEDS)) + 1, done


@pytest.mark.parametrize("count", [1, 2])
def test_a_fold_that_is_killed_is_done_by_the_next(count: int, settings: Settings) -> None:
    before = said(settings)
    home = Home(settings.home)
    compact = [sys.executable, "-m", "pipeline.cli", "compact"]
    killing = [str(Path(__file__).with_name("kill_at.py")), "*/folded/*.parquet", str(count)]
    done = subprocess.run(
        [sys.executable, *killing, "compact"], env=home.environment(TODAY), check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    assert said(settings) == before
    subprocess.run(compact, env=home.environment(TODAY), check=True, timeout=60)
    assert said(settings) == before
    assert not list(settings.journal_dir.rglob(".*.tmp"))
    assert not any(written_by(settings, day) for day in OLD_DAYS)
