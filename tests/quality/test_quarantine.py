"""The quarantine folder keeps every offending row once, with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from quality_factories import MARKET_DATE, changed, dataset_frame, equity_frame, gate, market_frame

from pipeline.datasets import get_dataset
from pipeline.quality.gate import GateReport
from pipeline.quality.quarantine import Quarantine

NOW = datetime(2026, 3, 12, 1, 5, tzinfo=UTC)
RUN = "manual__2026-03-12T01:00:00+00:00"
REFS = ["coingecko/markets/page-1", "coingecko/markets/page-2"]


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "quarantine")


def _report(price: float = -1.0) -> GateReport:
    return gate(changed(market_frame(), "price_usd", price))


def test_nothing_to_store_writes_nothing(quarantine: Quarantine, tmp_path: Path) -> None:
    assert quarantine.store(gate(market_frame()), RUN, "coingecko", REFS, NOW) is None
    assert list(tmp_path.rglob("*")) == []
    assert quarantine.read().empty


def test_row_is_kept_in_full_with_reason_and_lineage(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    path = quarantine.store(_report(), RUN, "coingecko", REFS, NOW)
    name = "2026-03-11-manual__2026-03-12T01_00_00_00_00.parquet"
    assert path == tmp_path / "quarantine" / "market_daily" / name
    (row,) = quarantine.read("market_daily").to_dict("records")
    assert row.pop("payload_refs").tolist() == REFS
    assert len(row.pop("batch_digest")) == 16
    assert row == {
        "market_date": MARKET_DATE,
        "source": "coingecko",
        "coin_id": "coin-8",
        "symbol": "C8",
        "name": "Coin 8",
        "price_usd": -1.0,
        "market_cap_usd": 12.5e6,
        "circulating_supply": 1e6,
        "volume_24h_usd": 5e4,
        "provider_rank": 8,
        "dataset": "market_daily",
        "gate_market_date": MARKET_DATE,
        "rule_id": "market_daily.price_positive",
        "reason": "price_usd=-1; expected finite and > 0",
        "run_id": RUN,
        "served_by": "coingecko",
        "quarantined_at": pd.Timestamp(NOW),
        "vintage": "live",
        "known_at": pd.Timestamp(NOW),
    }


def test_same_rows_of_a_run_are_stored_once(quarantine: Quarantine) -> None:
    path = quarantine.store(_report(), RUN, "coingecko", REFS, NOW)
    assert path is not None
    before = path.read_bytes()
    again = quarantine.store(_report(), RUN, "coingecko", REFS, NOW + timedelta(hours=1))
    assert again == path
    assert path.read_bytes() == before


def test_other_sources_and_payloads_of_a_run_are_kept_beside(quarantine: Quarantine) -> None:
    for source, refs in (("coingecko", REFS), ("coingecko", ["retry"]), ("cmc", [])):
        quarantine.store(_report(), RUN, source, refs, NOW)
    stored = quarantine.read()
    assert stored["served_by"].tolist() == ["coingecko", "coingecko", "cmc"]
    assert stored["batch_digest"].nunique() == 3


def test_runs_and_datasets_have_files_of_their_own(quarantine: Quarantine, tmp_path: Path) -> None:
    bad_close = changed(equity_frame(), "close_points", -1.0)
    equity = gate(bad_close, "equity_daily")
    quarantine.store(_report(), "run-1", "coingecko", REFS, NOW)
    quarantine.store(_report(0.0), "run-2", "coingecko", REFS, NOW)
    quarantine.store(equity, "run-1", "cboe", ["RUT_History"], NOW)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "2026-03-11-run-1.parquet",
        "2026-03-11-run-1.parquet",
        "2026-03-11-run-2.parquet",
    ]
    assert len(quarantine.read()) == 3
    assert quarantine.read("equity_daily")["session_date"].tolist() == [
        bad_close["session_date"][7]
    ]


def test_rows_with_nulls_in_the_key_and_datetime_days_are_kept(quarantine: Quarantine) -> None:
    frame = market_frame()
    frame["market_date"] = pd.to_datetime(frame["market_date"])
    report = gate(changed(frame, "market_date", pd.NaT))
    quarantine.store(report, RUN, "coingecko", REFS, NOW)
    (stored,) = quarantine.read()["market_date"]
    assert stored is None
    report = gate(changed(frame, "source", None))
    quarantine.store(report, RUN, "coingecko", REFS, NOW)
    assert quarantine.read()["market_date"].tolist() == [None, date(2026, 3, 11)]


def test_every_dataset_can_be_stored(quarantine: Quarantine) -> None:
    dataset = get_dataset("positioning_daily")
    frame = changed(dataset_frame(dataset), "long_short_account_ratio", -1.0)
    path = quarantine.store(gate(frame, dataset.name), RUN, "binance", REFS, NOW)
    assert path is not None
    assert quarantine.read(dataset.name)["long_short_account_ratio"].tolist() == [-1.0]


def test_refused_frame_is_quarantined_without_its_good_rows(quarantine: Quarantine) -> None:
    report = gate(changed(market_frame(), "coin_id", "coin-1"))
    quarantine.store(report, RUN, "coingecko", REFS, NOW)
    assert quarantine.read()["coin_id"].tolist() == ["coin-1", "coin-1"]


def test_a_run_gets_its_own_rows_though_another_shares_its_file(quarantine: Quarantine) -> None:
    runs = {"night:1": -1.0, "night+1": -2.0, "night:11": -3.0}
    paths = {
        run: quarantine.store(_report(price), run, "coingecko", REFS, NOW)
        for run, price in runs.items()
    }
    assert paths["night:1"] == paths["night+1"] != paths["night:11"]
    for run, price in runs.items():
        (row,) = quarantine.of_run("market_daily", run, ["coin_id", "price_usd"])
        assert row == {"coin_id": "coin-8", "price_usd": price, "run_id": run}
    assert quarantine.of_run("market_daily", "night", ["coin_id"]) == []
    assert quarantine.of_run("equity_daily", "night:1", ["ticker"]) == []
