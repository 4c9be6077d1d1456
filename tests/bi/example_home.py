"""The home whose figures ``docs/bi.md`` shows: two simulated years of everything, and a night."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from nights import Home, run_time

from pipeline import steps
from pipeline.importing import find_files, import_file
from pipeline.sandbox.history import ALL_DATASETS, export_history
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.sandbox.server import create_server

SEED = 7
COIN_COUNT = 125
FIRST_DAY = date(2022, 4, 20)
LAST_HISTORY_DAY = date(2024, 5, 8)
FEEDS = (
    "market_daily,global_daily,stablecoin_daily,equity_daily,sentiment_daily,positioning_daily,"
    "exchange_balance_daily"
)
NIGHT = LAST_HISTORY_DAY + timedelta(days=1)


def make_example_home(path: Path) -> Path:
    """Fill an empty folder: a history of every dataset, and one night; return the published file.

    Every figure in it is the same each time.
    """
    history = path / "history"
    history.mkdir(parents=True)
    with create_server(SEED, first_day=FIRST_DAY, coin_count=COIN_COUNT, slow_seconds=2) as sandbox:
        home = Home(path / "home", sandbox, {"feeds": FEEDS})
        settings = home.settings(LAST_HISTORY_DAY)
        market = sandbox.market.until(NIGHT + timedelta(days=1))
        export_history(market, history, FIRST_DAY, LAST_HISTORY_DAY, ALL_DATASETS)
        world = World(sandbox.market, run_time(LAST_HISTORY_DAY))
        export_references(world, history, settings.sql_dir)
        for file in find_files(history):
            report = import_file(settings, file, "import")
            if report.error is not None:
                raise RuntimeError(report.error)
        steps.refresh(home.settings(NIGHT), NIGHT, "night")
    return home.file
