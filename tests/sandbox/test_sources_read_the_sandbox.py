"""Every extractor fetches from the sandbox and reads there what the market's history holds."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.api.types import is_numeric_dtype

import pipeline.sources
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
from pipeline.sources.base import Source
from pipeline.sources.http import HttpClient
from pipeline.sources.vendors import VENDORS

FIRST_DAY = date(2024, 1, 1)
DAY = date(2024, 4, 10)
NIGHT_HOURS, NEXT_NIGHT_HOURS = 2.0, 26.0
# A monthly file comes out on the first Monday after its month.
MONTH_END = date(2024, 3, 31)
MONTHLY_HOURS = 10 * 24.0


def every_source() -> list[type[Source]]:
    """Return every source class that can be asked, from every module of the sources."""
    found: dict[str, type[Source]] = {}
    for module_info in pkgutil.iter_modules(pipeline.sources.__path__):
        module = importlib.import_module(f"pipeline.sources.{module_info.name}")
        for name, thing in vars(module).items():
            is_source = inspect.isclass(thing) and issubclass(thing, Source)
            is_whole = all(hasattr(thing, field) for field in ("name", "vendor", "dataset"))
            if is_source and is_whole and not name.startswith("_"):
                found[f"{thing.__module__}.{name}"] = thing
    return [found[name] for name in sorted(found)]


SOURCES = every_source()


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


def night(source: type[Source]) -> tuple[date, float]:
    """Return the day to ask for, and how many hours after its close."""
    if source.dataset == "funding_daily" and source.vendor == "binance_vision":
        return MONTH_END, MONTHLY_HOURS
    hours = NIGHT_HOURS if source.available_hours < NIGHT_HOURS + 1 else NEXT_NIGHT_HOURS
    return DAY, hours


def ask(source: type[Source], sandbox: Sandbox, home: Path) -> tuple[date, pd.DataFrame]:
    day, hours = night(source)
    now = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    now += timedelta(hours=hours)
    settings = Settings(
        _env_file=None,
        home=home,
        vendor_root_url=sandbox.url(now=now),
        vendor_pace=0,
        now_override=now,
        coinalyze_key="any",
        is_yahoo_enabled=True,
        http_attempts=1,
    )
    asked = source()
    options: dict[str, Any] = {"since": day - timedelta(days=1)}
    if source.payloads_of is not None:
        asked = next(
            other()
            for other in SOURCES
            if other.dataset == source.payloads_of and other.name == source.name
        )
    with HttpClient(settings, source.vendor) as client:
        bodies = [
            (name, response.body)
            for name, response in asked.fetch(client, settings, day, **options)
        ]
    return day, source().parse(bodies, day, **options)


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


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.name}-{source.dataset}")
def test_source_reads_in_the_sandbox_what_the_history_holds(
    source: type[Source], sandbox: Sandbox, home: Path
) -> None:
    day, frame = ask(source, sandbox, home)
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
