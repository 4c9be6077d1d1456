"""Importing a user's own history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import importing
from pipeline.datasets import DATASETS
from pipeline.errors import ConfigurationError, LockedError, PayloadError
from pipeline.importing import ImportReport, find_files, import_file, shape_frame
from pipeline.lock import run_lock
from pipeline.raw_store import RawStore
from pipeline.sessions import list_sessions
from pipeline.settings import Settings

FIRST = date(2026, 1, 2)
MakeSettings = Callable[..., Settings]


def closes(days: int = 40, **overrides: Any) -> pd.DataFrame:
    """Return daily closes of one index, source ``broker``; an override replaces a column."""
    frame = pd.DataFrame(
        {
            "session_date": list_sessions(FIRST, FIRST + timedelta(days=2 * days))[:days],
            "source": "broker",
            "ticker": "RUT",
            "close_points": [2000 + n / 3 for n in range(days)],
        }
    )
    return frame.assign(**overrides)


def bring(settings: Settings, folder: Path, **options: Any) -> list[ImportReport]:
    return [
        import_file(settings, file, "import-run", **options)
        for file in find_files(folder, settings.sql_dir)
    ]


def bring_one(settings: Settings, folder: Path, **options: Any) -> ImportReport:
    (report,) = bring(settings, folder, **options)
    return report


def stored(settings: Settings, dataset: str, source: str) -> pd.DataFrame:
    return RawStore(settings.raw_dir).read(
        DATASETS[dataset], source, since=date.min, before=date(9999, 1, 1)
    )


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings(now_override="2026-03-12T01:00:00+00:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "history"
    made.mkdir()
    return made


def small_chunks(monkeypatch: pytest.MonkeyPatch, rows: int = 10) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", rows)


# Which files


def test_find_files_knows_a_dataset_by_the_start_of_the_name(folder: Path) -> None:
    closes().to_parquet(folder / "equity_daily_2026.parquet")
    closes().to_csv(folder / "equity_daily.csv", index=False)
    (folder / "notes.csv").write_text("a\n1\n")
    (folder / "readme.txt").write_text("equity_daily")
    assert [(file.path.name, file.target_name, file.row_count) for file in find_files(folder)] == [
        ("equity_daily.csv", "equity_daily", 40),
        ("equity_daily_2026.parquet", "equity_daily", 40),
    ]


def test_find_files_says_what_files_are_called_when_there_are_none(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="market_daily"):
        find_files(folder)
    (folder / "prices.csv").write_text("a\n1\n")
    with pytest.raises(ConfigurationError, match="market_daily"):
        find_files(folder)


def test_find_files_says_that_there_is_no_such_folder(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder"):
        find_files(folder / "nowhere")


def test_find_files_names_a_file_that_is_not_parquet(folder: Path) -> None:
    (folder / "equity_daily.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ConfigurationError, match=r"equity_daily\.parquet is not Parquet"):
        find_files(folder)


# What is stored


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_is_stored_bit_for_bit_as_reconstructed_history(
    settings: Settings, folder: Path, suffix: str
) -> None:
    frame = closes(close_points=[1000.1 + n / 3 for n in range(40)])
    path = folder / f"equity_daily.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)

    report = bring_one(settings, folder)

    assert report == ImportReport(
        path.name, "equity_daily", 40, 0, 0, 0, is_known=False, error=None
    )
    found = stored(settings, "equity_daily", "broker")
    assert list(found["close_points"]) == list(frame["close_points"])
    assert list(found["session_date"]) == list(frame["session_date"])
    assert RawStore(settings.raw_dir).row_counts(
        DATASETS["equity_daily"], "broker", since=date.min, vintage="reconstructed"
    )


def test_parquet_and_csv_of_the_same_rows_are_the_same_rows(
    settings: Settings, folder: Path
) -> None:
    frame = closes(close_points=[1000.1 + n / 3 for n in range(40)])
    frame.to_parquet(folder / "equity_daily.parquet")
    bring(settings, folder)
    (folder / "equity_daily.parquet").unlink()
    frame.to_csv(folder / "equity_daily.csv", index=False)
    assert (bring_one(settings, folder).added, bring_one(settings, folder).revised) == (0, 0)


def test_texts_of_a_csv_stay_as_they_are_written(settings: Settings, folder: Path) -> None:
    ids = ["null", "nan", "007", "true", "1e5", *(f"coin-{n}" for n in range(40))]
    pd.DataFrame(
        {
            "market_date": FIRST,
            "coin_id": ids,
            "symbol": ["NULL", "NAN", "NA", "TRUE", "None", *["C"] * 40],
            "price_usd": 1.5,
        }
    ).to_csv(folder / "market_daily.csv", index=False)

    report = bring_one(settings, folder)

    assert (report.added, report.quarantined, report.error) == (45, 0, None)
    found = stored(settings, "market_daily", "import").set_index("coin_id")["symbol"]
    assert found["007"] == "NA"
    assert found["null"] == "NULL"
    assert found["1e5"] == "None"


def test_empty_and_null_cells_of_a_csv_are_null(settings: Settings, folder: Path) -> None:
    lines = [f"2026-01-01,coin-{n},1.5,{cap}" for n, cap in enumerate(["", "NULL", "nan", "3"])]
    (folder / "market_daily.csv").write_text(
        "\n".join(["market_date,coin_id,price_usd,market_cap_usd", *lines, ""])
    )
    assert bring_one(settings, folder).added == 4
    found = stored(settings, "market_daily", "import")
    assert found["market_cap_usd"].isna().tolist() == [True, True, True, False]


def test_percent_of_the_vendors_becomes_our_fraction(settings: Settings, folder: Path) -> None:
    pd.DataFrame(
        {
            "market_date": [FIRST, FIRST + timedelta(days=1)],
            "source": "broker",
            "total_market_cap_usd": [1e12, 2e12],
            "btc_dominance_pct": [58.5, 60.0],
        }
    ).to_csv(folder / "global_daily.csv", index=False)
    assert bring_one(settings, folder).added == 2
    found = stored(settings, "global_daily", "broker")
    assert found["btc_dominance_fraction"].tolist() == pytest.approx([0.585, 0.6])


# Twice, and cut short


def test_the_same_file_twice_adds_nothing(settings: Settings, folder: Path) -> None:
    closes().to_parquet(folder / "equity_daily.parquet")
    bring(settings, folder)
    before = RawStore(settings.raw_dir).files(DATASETS["equity_daily"])
    report = bring_one(settings, folder)
    assert (report.added, report.revised, report.unchanged, report.is_known) == (0, 0, 40, True)
    assert RawStore(settings.raw_dir).files(DATASETS["equity_daily"]) == before


def test_the_same_rows_in_another_file_add_nothing(settings: Settings, folder: Path) -> None:
    closes().to_parquet(folder / "equity_daily.parquet")
    bring(settings, folder)
    (folder / "equity_daily.parquet").rename(folder / "equity_daily_copy.parquet")
    closes().to_parquet(folder / "equity_daily_copy.parquet", compression="gzip")
    report = bring_one(settings, folder)
    assert (report.added, report.revised, report.unchanged, report.is_known) == (0, 0, 40, False)


def test_a_corrected_file_adds_only_its_corrections(settings: Settings, folder: Path) -> None:
    closes().to_parquet(folder / "equity_daily.parquet")
    bring(settings, folder)
    corrected = closes(45)
    corrected.loc[3, "close_points"] = 2500.0
    corrected.to_parquet(folder / "equity_daily.parquet")
    report = bring_one(settings, folder)
    assert (report.added, report.revised, report.unchanged) == (5, 1, 39)


def test_an_import_that_was_cut_short_is_started_anew_and_adds_the_rest(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    closes().to_csv(folder / "equity_daily.csv", index=False)

    class PowerCutError(BaseException):
        pass

    seen: list[int] = []

    def die_after_two(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 2:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        bring(settings, folder, on_rows=die_after_two)
    assert len(stored(settings, "equity_daily", "broker")) == 20

    report = bring_one(settings, folder)

    assert (report.added, report.unchanged, report.is_known) == (20, 20, False)
    assert len(stored(settings, "equity_daily", "broker")) == 40
    assert bring_one(settings, folder).is_known


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_key_that_comes_again_in_a_later_chunk_is_refused_as_in_one_chunk(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    frame = pd.concat([closes(), closes(1, close_points=2500.0)], ignore_index=True)
    path = folder / f"equity_daily.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    whole = bring_one(settings, folder)
    small_chunks(monkeypatch)

    report = bring_one(settings, folder)

    for refused in (whole, report):
        assert refused.error is not None
        assert "equity_daily.key_unique failed, 2 of " in refused.error
        assert str(FIRST) in refused.error
    assert (report.added, report.revised, report.unchanged) == (0, 0, 0)
    assert stored(settings, "equity_daily", "broker").empty
    mended = frame.drop(index=40)
    mended.to_csv(path, index=False) if suffix == "csv" else mended.to_parquet(path)
    assert bring_one(settings, folder).added == 40


def test_progress_is_told_after_every_chunk_and_reaches_the_whole_file(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch, 15)
    closes().to_parquet(folder / "equity_daily.parquet")
    seen: list[int] = []
    bring(settings, folder, on_rows=seen.append)
    assert seen == [15, 15, 10]
    seen.clear()
    bring(settings, folder, on_rows=seen.append)
    assert seen == [40]


def test_an_import_waits_for_no_other_writer(settings: Settings, folder: Path) -> None:
    closes().to_parquet(folder / "equity_daily.parquet")
    from threading import Thread

    refused: list[BaseException] = []

    def try_to_import() -> None:
        try:
            bring(settings, folder)
        except LockedError as exc:
            refused.append(exc)

    with run_lock(settings.home, run_id="a-night"):
        thread = Thread(target=try_to_import)
        thread.start()
        thread.join()
    assert "a-night" in str(refused[0])


# What is refused


def test_bad_rows_go_to_quarantine_with_the_reason(settings: Settings, folder: Path) -> None:
    frame = closes(400)
    frame["session_date"] = list_sessions(date(2024, 1, 2), date(2025, 12, 31))[:400]
    frame.loc[7, "close_points"] = -1.0
    frame.to_parquet(folder / "equity_daily.parquet")

    report = bring_one(settings, folder)

    assert (report.added, report.quarantined, report.error) == (399, 1, None)
    (kept,) = (settings.quarantine_dir / "equity_daily").rglob("*.parquet")
    row = pd.read_parquet(kept).iloc[0]
    assert row["close_points"] == -1.0
    assert "close_points=-1" in row["reason"]


def test_a_file_of_bad_rows_is_refused_and_can_be_imported_when_mended(
    settings: Settings, folder: Path
) -> None:
    closes(close_points=-1.0).to_parquet(folder / "equity_daily.parquet")
    report = bring_one(settings, folder)
    assert report.error is not None
    assert "quarantine" in report.error
    assert report.added == 0
    assert not RawStore(settings.raw_dir).files(DATASETS["equity_daily"])

    closes().to_parquet(folder / "equity_daily.parquet")
    assert bring_one(settings, folder).added == 40


def test_rows_of_days_to_come_are_not_stored(settings: Settings, folder: Path) -> None:
    future = closes(session_date=[date(2026, 3, 11) + timedelta(days=n) for n in range(40)])
    future.to_parquet(folder / "equity_daily.parquet")
    report = bring_one(settings, folder)
    assert report.error is not None or report.quarantined == 39


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (closes().drop(columns="ticker"), "has no column ticker"),
        (closes().rename(columns={"close_points": "close"}), "has no column close_points"),
        (closes(close_points="twelve"), "column close_points is not all double"),
        (closes(session_date="01/02/2026"), "column session_date is not all date"),
        (closes(session_date="tomorrow"), "column session_date is not all date"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_another_shape_is_refused_in_a_sentence(
    settings: Settings, folder: Path, frame: pd.DataFrame, sentence: str, suffix: str
) -> None:
    path = folder / f"equity_daily.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    report = bring_one(settings, folder)
    assert report.added == 0
    assert report.error is not None
    assert f"equity_daily.{suffix}" in report.error
    assert sentence in report.error


def test_a_percent_that_is_no_number_is_refused(settings: Settings, folder: Path) -> None:
    (folder / "global_daily.csv").write_text("market_date,btc_dominance_pct\n2026-01-01,most\n")
    report = bring_one(settings, folder)
    assert report.error is not None
    assert "btc_dominance_pct is not all double" in report.error


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00bad", b"session_date,ticker\n2026-01-01,RUT,3,4\n"]
)
def test_a_csv_that_cannot_be_read_is_refused_in_a_sentence(
    settings: Settings, folder: Path, content: bytes
) -> None:
    (folder / "equity_daily.csv").write_bytes(content)
    report = bring_one(settings, folder)
    assert report.error is not None
    assert report.added == 0


@pytest.mark.parametrize(
    "given",
    [
        date(2026, 1, 2),
        "2026-01-02",
        "20260102",
        "2026-01-02T23:30:00",
        "2026-01-02T23:30:00Z",
        "2026-01-03T01:00:00+02:00",
        pd.Timestamp("2026-01-02 23:30"),
        pd.Timestamp("2026-01-03 01:00", tz="Europe/Athens"),
    ],
)
def test_a_day_may_be_an_iso_date_or_an_instant_in_utc(given: object) -> None:
    shaped = shape_frame(closes(1, session_date=[given]), DATASETS["equity_daily"], "file")
    assert shaped["session_date"].tolist() == [date(2026, 1, 2)]


@pytest.mark.parametrize("given", ["02/01/2026", 20260102, 1767312000, 46024.0])
def test_a_day_that_may_be_read_in_two_ways_is_refused(given: object) -> None:
    with pytest.raises(PayloadError, match="session_date is not all date"):
        shape_frame(closes(1, session_date=[given]), DATASETS["equity_daily"], "file")


# Reference rows


def test_a_reference_file_comes_first_and_twice_changes_nothing(
    settings: Settings, folder: Path
) -> None:
    closes().to_parquet(folder / "equity_daily.parquet")
    shipped = (settings.sql_dir / "reference" / "asset_class.csv").read_text().splitlines()
    (folder / "asset_class.csv").write_text("\n".join([*shipped[:2], ""]))
    first, _ = bring(settings, folder)
    assert (first.dataset, first.added, first.error) == ("asset_class", 1, None)
    assert (settings.reference_dir / "asset_class.csv").exists()
    again, _ = bring(settings, folder)
    assert (again.added, again.is_known) == (0, True)


def test_a_reference_file_of_another_shape_is_refused(settings: Settings, folder: Path) -> None:
    (folder / "asset_class.csv").write_text("coin,class\nbitcoin,coin\n")
    report = bring_one(settings, folder)
    assert report.error is not None
    assert not (settings.reference_dir / "asset_class.csv").exists()
