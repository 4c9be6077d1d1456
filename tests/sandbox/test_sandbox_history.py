"""The exported history is what ``tidemark import`` expects."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.datasets import DATASETS, get_dataset
from pipeline.errors import ConfigurationError
from pipeline.importing import find_files
from pipeline.models import check_reference
from pipeline.sandbox.history import ALL_DATASETS, export_history
from pipeline.sandbox.market import GrowingMarket, SimulatedMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.settings import Settings
from pipeline.sources.universe import perp_symbols
from pipeline.sources.vendor_ids import vendor_coin_ids

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


def test_history_of_everything_has_a_file_a_name(market: SimulatedMarket, tmp_path: Path) -> None:
    paths = export_history(market, tmp_path, FIRST_DAY, LAST_DAY, ALL_DATASETS)
    names = {path.name.removesuffix("_sandbox.parquet") for path in paths}
    assert names == {*ALL_DATASETS, "asset_class.csv"}
    for file in find_files(tmp_path):
        assert file.row_count > 0
    filled = {name.partition("_daily")[0] + "_daily" for name in ALL_DATASETS}
    assert filled == set(DATASETS)
    for path in paths:
        if path.suffix == ".parquet":
            name = path.name.removesuffix("_sandbox.parquet")
            dataset = get_dataset(name.partition("_daily")[0] + "_daily")
            assert tuple(pq.read_schema(path).names) == dataset.column_names


def test_history_can_be_kept_to_some_datasets(market: SimulatedMarket, tmp_path: Path) -> None:
    export_history(market, tmp_path, FIRST_DAY, LAST_DAY, ["funding_daily"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "asset_class.csv",
        "funding_daily_sandbox.parquet",
    ]
    table = pq.read_table(tmp_path / "funding_daily_sandbox.parquet")
    assert set(table.column("source").to_pylist()) == {"binance_vision"}
    with pytest.raises(ConfigurationError, match="weather_daily"):
        export_history(market, tmp_path, FIRST_DAY, LAST_DAY, ["weather_daily"])


def test_references_let_the_extractors_ask_for_what_is_simulated(
    market: SimulatedMarket, tmp_path: Path
) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    settings.reference_dir.mkdir()
    now = datetime(2024, 2, 20, tzinfo=UTC)
    growing = GrowingMarket(7, FIRST_DAY, 60)
    export_references(World(growing, now), settings.reference_dir, settings.sql_dir)
    listed = {
        perp.symbol
        for perp in market.derivatives.perps
        if perp.is_listed((now.date() - FIRST_DAY).days - 1)
    }
    assert set(perp_symbols(settings, "binance", now.date())) == listed
    for venue in ("bybit", "okx", "gate"):
        assert 20 < len(perp_symbols(settings, venue, now.date())) < len(listed)
    assert "btc-bitcoin" in vendor_coin_ids(settings, "coinpaprika")
    for source in ("coinpaprika", "coinmetrics", "cmc_listings"):
        simulated = vendor_coin_ids(settings, source)
        assert len(simulated) > 40
    assert market.truths.delisted_perps.keys().isdisjoint(listed)


def test_references_pass_the_check_of_an_import(market: SimulatedMarket, tmp_path: Path) -> None:
    settings = Settings(_env_file=None)
    world = World(GrowingMarket(7, FIRST_DAY, 60), datetime(2024, 2, 20, tzinfo=UTC))
    for path in export_references(world, tmp_path, settings.sql_dir):
        check_reference(settings.sql_dir, path.stem, path)
