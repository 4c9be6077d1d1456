"""A simulated market with planted truths, through import, gate, build, audits and publishing.

One home per seed and kind is made and kept for the session; ``planted`` and its ``control``
differ in nothing but the scenario.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from pipeline import steps
from pipeline.database import quote_name
from pipeline.importing import find_files, import_file
from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.history import ALL_DATASETS, export_history
from pipeline.sandbox.market import GrowingMarket, SimulatedMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.settings import Settings

Row = dict[str, object]

FIRST_DAY = date(2023, 1, 1)
DAY_COUNT = 620
LAST_DAY = FIRST_DAY + timedelta(days=DAY_COUNT - 1)
COIN_COUNT = 110
LAUNCH_DAY = date(2024, 1, 11)

# The lead needs four fifths of 504 sessions, the break a year and the launch inside it.
PLANTED = Scenario(
    crash_index=500,
    streaks=((60, 8), (560, 14)),
    flat_positioning=(400, 459),
    flow_index=300,
    size_break=((LAUNCH_DAY - FIRST_DAY).days, 0.004),
)
_YEARS_LATER = 10 * 365
CONTROL = Scenario(
    crash_index=_YEARS_LATER,
    streaks=(),
    flat_positioning=(0, DAY_COUNT),
    flow_index=_YEARS_LATER,
    lead_coefficient=0.0,
)


@dataclass(frozen=True)
class Published:
    """What was published of a market, and the market."""

    market: SimulatedMarket
    file: Path

    def rows(self, table: str, condition: str = "true") -> list[Row]:
        """Return rows of a published table in the order of its columns."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            cursor = connection.execute(f"select * from {table} where {condition} order by all")
            names = [str(column[0]) for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, table: str, **equals: object) -> Row:
        """Return the only row with these values."""
        condition = " and ".join(f"{quote_name(name)} = '{v}'" for name, v in equals.items())
        (found,) = self.rows(table, condition)
        return found


@functools.cache
def simulate(seed: int, scenario: Scenario = PLANTED) -> GrowingMarket:
    """Return a market that reaches the last day, of which nothing is published."""
    return GrowingMarket(seed, FIRST_DAY, COIN_COUNT, scenario)


@functools.cache
def publish(seed: int, scenario: Scenario = PLANTED) -> Published:
    """Return the published tables of a simulated market; made once a session."""
    folder = Path(tempfile.mkdtemp(prefix=f"tidemark-planted-{seed}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    history = folder / "history"
    history.mkdir()
    growing = simulate(seed, scenario)
    market = growing.until(LAST_DAY)
    now = datetime.combine(LAST_DAY + timedelta(days=1), time(1), UTC)
    settings = Settings(_env_file=None, home=folder / "home", now_override=now, threads=2)
    export_history(market, history, FIRST_DAY, LAST_DAY, ALL_DATASETS)
    export_references(World(growing, now), history, settings.sql_dir)
    for file in find_files(history):
        report = import_file(settings, file, "planted-import")
        assert report.error is None, report.error
    built = steps.build(settings, LAST_DAY, "planted-build")
    steps.publish(settings, steps.audit(settings, built))
    return Published(market, settings.published_dir / "tidemark.duckdb")
