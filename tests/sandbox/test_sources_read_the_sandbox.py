"""Every extractor fetches from the sandbox and reads there what the market's history holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from every_source import DAY, SOURCES, ask, source_id
from pandas.api.types import is_numeric_dtype

from pipeline.datasets import get_dataset
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.raw_frames import FRAMES
from pipeline.sandbox.references import export_references
from pipeline.sandbox.registry import VENDOR_NAMES
from pipeline.sandbox.server import Sandbox, create_server
from pipeline.sandbox.truths import Truths
from pipeline.sandbox.vendors.bybit import bybit_symbols
from pipeline.sandbox.vendors.coinmetrics_series import asset_numbers
from pipeline.sandbox.vendors.coinpaprika import paprika_id
from pipeline.sandbox.vendors.gate import gate_contracts
from pipeline.sandbox.vendors.okx import okx_currencies
from pipeline.settings import Settings
from pipeline.sources import registry
from pipeline.sources.base import Source
from pipeline.sources.vendors import VENDORS

FIRST_DAY = date(2024, 1, 1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with create_server(market=GrowingMarket(7, FIRST_DAY, 160)) as running:
        running.market.until(DAY + timedelta(days=40))
        yield running


@pytest.fixture(scope="module")
def home(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home")
    (path / "reference").mkdir()
    now = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), UTC)
    world = World(sandbox.market, now)
    export_references(world, path / "reference", Settings(_env_file=None).sql_dir)
    return path


def names_of(growing: GrowingMarket, source: type[Source], day: date) -> dict[str, str]:
    """Return our name of a coin or perpetual by the vendor's, where they differ."""
    world = World(growing, datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC))
    market = world.market
    perps = market.derivatives.perps
    if source.name == "bybit":
        return {name: perps[n].symbol for name, n in bybit_symbols(world).items()}
    if source.name == "okx":
        return {name: perps[n].symbol for name, n in okx_currencies(world).items()}
    if source.name == "gate":
        return {name: perps[n].symbol for name, n in gate_contracts(world).items()}
    if source.name == "coinpaprika":
        return {paprika_id(coin.symbol, coin.name): coin.coin_id for coin in market.coins}
    if source.name == "coinmetrics" and source.dataset == "market_daily":
        return {name: market.coins[n].coin_id for name, n in asset_numbers(market).items()}
    return {}


# Shares come with four decimals, and a vendor's shown price with six digits.
TOLERANCE = {"binance_futures": 1e-3, "bybit": 1e-3, "gate": 1e-3, "okx": 1e-3}


def scale(source: type[Source], measure: str, truths: Truths) -> float:
    """Return what a venue's figure is of Binance's."""
    if measure == "long_short_account_ratio":
        return math.exp(truths.venue_log_offset.get(source.name, 0.0))
    return 0.1 if source.name == "gate" and measure in ("long_usd", "short_usd") else 1.0


@pytest.mark.parametrize("source", SOURCES, ids=source_id)
def test_source_reads_in_the_sandbox_what_the_history_holds(
    source: type[Source], sandbox: Sandbox, home: Path
) -> None:
    asked = ask(source, sandbox, home)
    day, frame = asked.day, asked.parse()
    dataset = get_dataset(source.dataset)
    rows = frame[frame[dataset.date_column] == day]
    assert len(rows) > 0
    assert set(rows["source"]) == {source.name}
    assert not rows.duplicated(list(dataset.key)).any()
    market = sandbox.market.until(day)
    histories = [make for name, make in FRAMES.items() if name.startswith(source.dataset)]
    wanted = pd.concat([make(market, day, day) for make in histories])
    subject = [name for name in dataset.key if name not in (dataset.date_column, "source", "venue")]
    if source.dataset == "sentiment_daily":
        wanted = wanted[wanted["source"] == source.name]
    if subject:
        names = names_of(sandbox.market, source, day)
        rows = rows.assign(**{subject[0]: rows[subject[0]].replace(names)})
        both = rows.merge(wanted, on=subject, suffixes=("", "_known"))
        assert len(both) == len(rows)
    else:
        both = rows.merge(wanted, how="cross", suffixes=("", "_known"))
        assert len(both) == 1
    compared = 0
    for measure in dataset.measures:
        known = both[f"{measure}_known"]
        if not is_numeric_dtype(both[measure]) or measure == "provider_rank":
            continue
        is_given = both[measure].notna() & known.notna()
        factor = scale(source, measure, market.truths)
        compared += int(is_given.sum())
        np.testing.assert_allclose(
            both[measure][is_given].astype(float),
            known[is_given].astype(float) * factor,
            rtol=TOLERANCE.get(source.name, 6e-5),
            err_msg=measure,
        )
    assert compared >= len(both)


def test_every_vendor_is_read_by_a_source() -> None:
    assert {source.vendor for source in SOURCES} == set(VENDORS) == set(VENDOR_NAMES)


def test_every_source_of_the_registry_is_asked() -> None:
    assert {type(source) for source in registry.SOURCES} == set(SOURCES)
