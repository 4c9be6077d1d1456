"""``quality.run_step``: how long each step took, how often it was tried, what it brought."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from nights import NIGHTS, Home

from pipeline import step_log, steps
from pipeline.errors import AuditError
from pipeline.folded import FoldedTable
from pipeline.settings import Settings


def rows(settings: Settings, run_id: str) -> dict[str, tuple[str, int, int | None, int | None]]:
    """Return status, tries, rows in and rows out of each step of a run."""
    found = FoldedTable(settings.journal_dir, step_log.TABLE).rows(lambda _: True, run_id=run_id)
    names = ("status", "attempt_count", "rows_in_count", "rows_out_count")
    return {str(row["step"]): tuple(row[name] for name in names) for row in found}


def test_the_next_file_has_every_step_of_a_night_with_its_rows(small_home: Home) -> None:
    small_home.refresh(NIGHTS[0], run_id="first")
    said = small_home.query("select step from quality.run_step where run_id = 'first'")
    assert {step for (step,) in said} >= {"extract market_daily", "load market_daily", "catch up"}
    assert ("build",) not in said
    small_home.refresh(NIGHTS[1], run_id="second")
    found = {
        row[0]: row[1:]
        for row in small_home.query(
            "select step, status, attempt_count, rows_in_count, rows_out_count, seconds, "
            "market_date from quality.run_step where run_id = 'first'"
        )
    }
    ((added, quarantined),) = small_home.query(
        "select added_count, quarantined_count from quality.load_result "
        "where run_id = 'first' and dataset = 'market_daily'"
    )
    assert found["load market_daily"][:4] == ("done", 1, added + quarantined, added)
    assert found["publish"][3] > 1_000
    assert found["build"][:2] == ("done", 1)
    for _, _, _, _, seconds, market_date in found.values():
        assert 0 <= seconds < 3600
        assert market_date == NIGHTS[0]
    assert set(found) >= {"extract equity_daily", "audit", "publish"}


def fail_after_seven_rows(settings: Settings) -> None:
    with step_log.noted(settings, "night", "audit", NIGHTS[0]) as note:
        note.rows_in = 7
        raise AuditError("no")


def test_tries_are_counted_and_the_last_one_is_told(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        with pytest.raises(AuditError):
            fail_after_seven_rows(settings)
    assert rows(settings, "night") == {"audit": ("failed", 2, 7, None)}
    with step_log.noted(settings, "night", "audit", NIGHTS[0]):
        pass
    with step_log.noted(settings, "other", "audit", NIGHTS[0]):
        pass
    assert rows(settings, "night") == {"audit": ("done", 3, None, None)}
    assert rows(settings, "other") == {"audit": ("done", 1, None, None)}
    assert "audit is failed after" in caplog.text


def test_a_journal_that_cannot_be_written_does_not_hide_why_a_step_failed(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.journal_dir.parent.mkdir(parents=True, exist_ok=True)
    settings.journal_dir.write_text("a file where the folder should be")
    with pytest.raises(AuditError), step_log.noted(settings, "night", "audit", NIGHTS[0]):
        raise AuditError("no")
    assert "the journal has no word of audit" in caplog.text
    with pytest.raises(OSError), step_log.noted(settings, "night", "audit", NIGHTS[0]):
        pass


def test_an_interrupted_step_is_told_as_failed(settings: Settings) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        step_log.noted(settings, "night", "build", NIGHTS[0]),
    ):
        raise KeyboardInterrupt
    assert rows(settings, "night")["build"][0] == "failed"


def test_a_backfill_counts_its_rows(empty_home: Home) -> None:
    night = empty_home.settings(NIGHTS[0])
    loaded = steps.backfill(night, "sentiment_daily", NIGHTS[0], NIGHTS[0], "past")
    assert loaded["added"] == 1
    assert rows(night, "past") == {"backfill sentiment_daily": ("done", 1, 1, 1)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Home(tmp_path / "home").settings(NIGHTS[0])
