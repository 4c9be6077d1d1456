"""The real archive, where it is at hand, passes the gate but for what is truly wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from quality_factories import failed_rules, gate

from pipeline.datasets import DATASETS, Dataset
from pipeline.quality.gate import GateReport

REPOSITORY = Path(__file__).resolve().parents[2]
ARCHIVE = REPOSITORY.parent / "shared" / "data" / "archive"
LAST_DAY = date(2026, 8, 21)

FILES = [
    "equity_daily",
    "funding_daily",
    "global_daily",
    "market_daily_closes",
    "market_daily_cmc",
    "market_daily_coingecko",
    "open_interest_daily",
    "perp_daily",
    "sentiment_daily",
    "stablecoin_daily",
]

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(
        not ARCHIVE.is_dir(),
        reason="needs the market archive in ../shared/data/archive beside the checkout",
    ),
]


def _dataset_of(file: str) -> Dataset:
    return next(dataset for name, dataset in DATASETS.items() if file.startswith(name))


def _read(file: str) -> pd.DataFrame:
    """Read a file as the import does: renamed columns, then the dataset's own."""
    dataset = _dataset_of(file)
    frame = pd.read_parquet(ARCHIVE / f"{file}.parquet")
    for theirs, ours, factor in dataset.renamed:
        if theirs in frame.columns:
            frame[ours] = frame.pop(theirs) * factor
    return frame[list(dataset.column_names)]


def _gate(file: str, frame: pd.DataFrame) -> GateReport:
    return gate(
        frame,
        _dataset_of(file).name,
        mode="history",
        market_date=LAST_DAY,
    )


@pytest.mark.parametrize("file", [name for name in FILES if name != "market_daily_cmc"])
def test_archive_file_passes_without_quarantine(file: str) -> None:
    frame = _read(file)
    report = _gate(file, frame)
    assert failed_rules(report) <= {"market_daily.unknown_is_null"}
    assert len(report.accepted) == len(frame)


def test_prices_rounded_to_nothing_are_all_that_is_quarantined() -> None:
    frame = _read("market_daily_cmc")
    report = _gate("market_daily_cmc", frame)
    assert failed_rules(report) == {"market_daily.price_positive"}
    assert report.is_passed
    assert (report.quarantined["price_usd"] == 0).all()
    assert (report.quarantined["market_cap_usd"] > 0).all()
    assert len(report.accepted) + len(report.quarantined) == len(frame)
    assert len(report.quarantined) < 20


def test_percent_dominance_of_an_unconverted_import_is_refused() -> None:
    frame = _read("global_daily")
    frame["btc_dominance_fraction"] *= 100
    assert not _gate("global_daily", frame).is_passed
