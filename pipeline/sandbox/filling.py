"""A home full of simulated history, as if Tidemark had run for long."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.errors import ConfigurationError, PublishError
from pipeline.files import replacing
from pipeline.importing import ImportFile, find_files, import_file
from pipeline.sandbox.history import ALL_DATASETS, export_history
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.settings import Settings
from pipeline.sources.coinalyze import SYMBOLS_ASKED, VENUE
from pipeline.sources.universe import perp_symbols

_LIQUIDATIONS = "liquidation_daily"


def night_after(day: date) -> datetime:
    """Return one o'clock in the night after a day."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=1)


def _keep_asked(file: ImportFile, symbols: Sequence[str]) -> ImportFile:
    """Keep of a Parquet file the perpetuals that a night asks for: it would seem to lack others."""
    table = pq.read_table(file.path, filters=[("perp_symbol", "in", list(symbols))])
    with replacing(file.path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return replace(file, row_count=table.num_rows)


def load_history(
    settings: Settings,
    market: GrowingMarket,
    first: date,
    last: date,
    folder: Path,
    tell: Callable[[str], None],
) -> None:
    """Write the market's history and import it, with the references that its coins need.

    Args:
        settings: Of the home that gets it.
        market: The same as the sandbox's, or the nights after do not fit.
        first: First day of the market.
        last: Last day of the history.
        folder: Gets the files that are imported.
        tell: Called with a line about each dataset.

    Raises:
        PublishError: The gate refused the history.
    """
    export_history(market.until(last), folder, first, last, ALL_DATASETS)
    export_references(World(market, night_after(last)), folder, settings.sql_dir)
    # Last, as what has been imported decides which perpetuals the nights ask for.
    files = sorted(find_files(folder), key=lambda file: file.target_name == _LIQUIDATIONS)
    for file in files:
        if file.target_name == _LIQUIDATIONS:
            asked = perp_symbols(settings, VENUE, last)[:SYMBOLS_ASKED]
            file = _keep_asked(file, asked)
        report = import_file(settings, file, "sandbox-history")
        if report.error:
            raise PublishError(f"the simulated history did not pass the gate: {report.error}")
        tell(f"Imported {report.added:,} rows of {report.dataset} up to {last}")


def fill_home(
    settings: Settings, seed: int, first: date, coin_count: int, tell: Callable[[str], None]
) -> bool:
    """Give a home that never published the history up to the day before the last complete one.

    One that was interrupted is simply started again: what is stored is not stored twice.

    Args:
        settings: Of the home, and of the clock.
        seed: Of the market, as of the sandbox that the nights ask.
        first: First day of the market.
        coin_count: Coins listed on the first day.
        tell: Called with a line about each dataset.

    Returns:
        Whether there was anything to do: a home that has published is left alone.

    Raises:
        ConfigurationError: The home asks real vendors, or the market begins too late to have
            a history.
        PublishError: The gate refused the history.
    """
    if settings.vendor_root_url is None:
        raise ConfigurationError(
            "the nights of this home ask real vendors, and simulated rows carry the vendors' "
            "names; set TIDEMARK_VENDOR_ROOT_URL to the sandbox's address, in a home of its own"
        )
    if settings.published_file.exists():
        return False
    last = settings.default_market_date() - timedelta(days=1)
    if last <= first:
        raise ConfigurationError(f"a market from {first} on has no history up to {last}")
    market = GrowingMarket(seed, first, coin_count)
    with tempfile.TemporaryDirectory(prefix="tidemark-history-") as folder:
        load_history(settings, market, first, last, Path(folder), tell)
    return True
