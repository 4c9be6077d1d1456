"""``tidemark quarantine``: what it lists, shows and lets in, and that nothing it prints bites."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli_runner import Run, one_sentence
from hostile_names import (
    STORABLE_NAMES,
    faults_in_csv,
    faults_in_terminal_text,
)
from nights import LAST_HISTORY_DAY, NIGHTS, Home

from pipeline.importing import find_files, import_file
from pipeline.quality.held import held_rows

REVIEWED = ("--reviewer", "an analyst", "--reason", "the venue's page says so")
RULE = "market_daily.volume_24h_usd_in_range"


def market(rows: int, bad: int, **overrides: Any) -> pd.DataFrame:
    """Return a user's history of one day of which the first ``bad`` rows have a bad volume."""
    frame = pd.DataFrame(
        {
            "market_date": LAST_HISTORY_DAY,
            "source": "broker",
            "coin_id": [f"coin-{n}" for n in range(rows)],
            "symbol": "C",
            "name": "Coin",
            "price_usd": 1.5,
            "volume_24h_usd": [-1.0 if n < bad else 2.0 for n in range(rows)],
        }
    )
    return frame.assign(**overrides)


def bring(home: Home, folder: Path, frame: pd.DataFrame) -> None:
    folder.mkdir(exist_ok=True)
    frame.to_parquet(folder / "market_daily.parquet")
    (file,) = find_files(folder)
    report = import_file(home.settings(NIGHTS[0]), file, "import-run")
    assert report.error is None, report.error


@pytest.fixture
def held(empty_home: Home, tmp_path: Path) -> Home:
    """A home in which an import left two rows in quarantine."""
    bring(empty_home, tmp_path / "history", market(40, 2))
    return empty_home


def test_list_counts_by_dataset_day_rule_and_status(run: Run, held: Home) -> None:
    expected = {
        "dataset": "market_daily",
        "day": str(LAST_HISTORY_DAY),
        "rule": RULE,
        "rows": 2,
        "status": "open",
    }
    assert run("quarantine", "list", "--json", home=held).parsed() == [expected]
    assert run("quarantine", "list", "--status", "released", "--json").parsed() == []
    assert "2 rows in quarantine" in run("quarantine", "list").out
    assert "there is no raw dataset" in one_sentence(
        run("quarantine", "list", "--dataset", "prices"), 2
    )
    assert "open, released or superseded" in one_sentence(
        run("quarantine", "list", "--status", "gone"), 2
    )


def test_show_gives_rows_in_full(run: Run, held: Home) -> None:
    shown = run("quarantine", "show", "--json", home=held).parsed()
    assert [row["coin_id"] for row in shown] == ["coin-0", "coin-1"]
    assert shown[0]["volume_24h_usd"] == -1.0
    assert shown[0]["payload_refs"].startswith("import/market_daily.parquet#sha256=")
    assert shown[0]["run_id"] == "import-run"
    one = run("quarantine", "show", shown[1]["row_id"])
    assert "volume_24h_usd: -1.0" in one.out
    assert "coin_id: coin-1" in one.out
    assert "coin-0" not in one.out
    assert "no such row" in run("quarantine", "show", "--day", "2020-01-01").out
    assert "and 1 more" in run("quarantine", "show", "--limit", "1").out
    table = list(csv.DictReader(io.StringIO(run("quarantine", "show", "--csv").out)))
    assert [row["volume_24h_usd"] for row in table] == ["-1.0", "-1.0"]


def test_release_of_a_row_is_published_by_the_next_build_with_its_reviewer(
    run: Run, home: Home, tmp_path: Path
) -> None:
    bring(home, tmp_path / "history", market(40, 2))
    first, second = (row.row_id for row in held_rows(home.settings(NIGHTS[0])))
    done = run("quarantine", "release", first, *REVIEWED, "--yes", "--json", hour=3, home=home)
    assert done.code == 0, done.err
    assert done.parsed()[0]["added"] == 1
    run_id = done.parsed()[0]["run_id"]
    again = run("quarantine", "release", first, *REVIEWED, "--yes", hour=4, home=home)
    assert (again.code, again.out) == (0, "")
    assert "released already" in again.err

    assert run("build").code == 0
    assert home.query(
        "select run_id, reviewer, review_reason, row_id, rule_id, market_date, row_key "
        "from quality.quarantine_release"
    ) == [
        (
            run_id,
            "an analyst",
            "the venue's page says so",
            first,
            RULE,
            LAST_HISTORY_DAY,
            "coin_id=coin-0",
        )
    ]
    statuses = {row.row_id: row.status for row in held_rows(home.settings(NIGHTS[0]))}
    assert statuses == {first: "released", second: "open"}


def test_release_asks_first_and_a_no_changes_nothing(
    run: Run, held: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(held.path.rglob("*.parquet"))
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = run("quarantine", "release", "--rule", RULE, *REVIEWED, home=held)
    assert refused.code == 1
    assert "Release 2 rows" in refused.err
    assert sorted(held.path.rglob("*.parquet")) == before
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    done = run("quarantine", "release", "--rule", RULE, *REVIEWED)
    assert done.code == 0, done.err
    assert run("quarantine", "list", "--status", "open", "--json").parsed() == []


def test_release_without_rows_or_words_ends_in_a_sentence(run: Run, held: Home) -> None:
    assert "say which rows" in one_sentence(
        run("quarantine", "release", *REVIEWED, "--yes", home=held), 2
    )
    assert "no row 0123456789ab in quarantine" in one_sentence(
        run("quarantine", "release", "0123456789ab", *REVIEWED, "--yes"), 2
    )
    assert "nothing to release" in one_sentence(
        run("quarantine", "release", "--day", "2020-01-01", *REVIEWED, "--yes"), 2
    )
    missing = run("quarantine", "release", "--rule", RULE, "--yes")
    assert missing.code == 2
    assert "--reason" in missing.err


def test_a_row_that_still_has_no_price_is_refused_in_words(
    run: Run, empty_home: Home, tmp_path: Path
) -> None:
    frame = market(40, 0, price_usd=[None, *[1.5] * 39])
    bring(empty_home, tmp_path / "history", frame)
    refused = run(
        "quarantine",
        "release",
        "--rule",
        "market_daily.price_present",
        *REVIEWED,
        "--yes",
        home=empty_home,
    )
    assert refused.code == 1
    assert "market_daily.price_present" in refused.err
    assert "nothing was released" in refused.err
    assert "Traceback" not in refused.err


def test_an_empty_quarantine_is_said(run: Run, empty_home: Home) -> None:
    assert "0 rows in quarantine" in run("quarantine", "list", home=empty_home).out
    assert run("quarantine", "show", "--json").parsed() == []
    assert "no such row" in run("quarantine", "show").out


def test_hostile_names_in_quarantine_run_nowhere(
    run: Run, empty_home: Home, tmp_path: Path
) -> None:
    names = list(STORABLE_NAMES.values())
    rows = 6 * len(names)
    frame = market(rows, len(names), name=[*names, *["Coin"] * (rows - len(names))])
    bring(empty_home, tmp_path / "history", frame)

    table = run("quarantine", "show", "--csv", home=empty_home)
    for delimiter in ",;|\t":
        assert faults_in_csv(table.out, delimiter) == []
    kept = {row["name"].lstrip("'") for row in csv.DictReader(io.StringIO(table.out))}
    assert STORABLE_NAMES["html-script"] in kept
    shown = run("quarantine", "show", "--limit", "1000")
    assert shown.code == 0
    assert faults_in_terminal_text(shown.out) == []
    assert {row["name"] for row in run("quarantine", "show", "--json").parsed()} == set(names)
