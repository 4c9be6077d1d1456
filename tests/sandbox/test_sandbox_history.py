"""The exported history is what ``tidemark import`` expects."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError
from pipeline.sandbox.history import export_history
from pipeline.sandbox.market import SimulatedMarket

FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2024, 2, 29)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(7, FIRST_DAY, LAST_DAY, 60)


def test_history_files_have_the_raw_columns_and_types(
    market: SimulatedMarket, tmp_path: Path
) -> None:
    paths = export_history(market, tmp_path, FIRST_DAY, LAST_DAY)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "asset_class.csv",
        "equity_daily_sandbox.parquet",
        "market_daily_sandbox.parquet",
        "sentiment_daily_sandbox.parquet",
    ]
    types = {"date": pa.date32(), "varchar": pa.string(), "double": pa.float64()}
    for path in paths:
        if path.suffix == ".csv":
            continue
        dataset = get_dataset(path.name.removesuffix("_sandbox.parquet"))
        schema = pq.read_schema(path)
        assert tuple(schema.names) == dataset.column_names
        for column in dataset.columns:
            assert schema.field(column.name).type == types.get(column.type, pa.int64())
            assert schema.field(column.name).nullable == column.nullable


def test_history_files_hold_the_markets_rows_and_nulls(
    market: SimulatedMarket, tmp_path: Path
) -> None:
    export_history(market, tmp_path, FIRST_DAY, LAST_DAY)
    table = pq.read_table(tmp_path / "market_daily_sandbox.parquet")
    frame = market.market_history(FIRST_DAY, LAST_DAY)
    assert table.column("price_usd").to_pylist() == frame["price_usd"].tolist()
    assert table.column("market_date").to_pylist() == frame["market_date"].tolist()
    assert table.column("market_cap_usd").null_count == frame["market_cap_usd"].isna().sum() > 0
    assert table.column("provider_rank").null_count == frame["provider_rank"].isna().sum() > 0


def test_history_export_twice_gives_the_same_bytes(market: SimulatedMarket, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in export_history(market, tmp_path, FIRST_DAY, LAST_DAY)]
    again = [path.read_bytes() for path in export_history(market, tmp_path, FIRST_DAY, LAST_DAY)]
    assert first == again


def test_history_outside_the_market_is_refused(market: SimulatedMarket, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="2024-03-01"):
        export_history(market, tmp_path, FIRST_DAY, date(2024, 3, 1))
    assert list(tmp_path.iterdir()) == []


def test_history_brings_a_class_for_every_simulated_coin(
    market: SimulatedMarket, tmp_path: Path
) -> None:
    export_history(market, tmp_path, FIRST_DAY, LAST_DAY)
    lines = (tmp_path / "asset_class.csv").read_text().splitlines()
    coin_ids = set(market.market_history(FIRST_DAY, LAST_DAY)["coin_id"])
    assert {line.split(",")[0] for line in lines[1:]} == {
        coin_id for coin_id in coin_ids if coin_id.startswith("sim-")
    }
    assert {line.split(",")[1] for line in lines[1:]} == {"coin"}
