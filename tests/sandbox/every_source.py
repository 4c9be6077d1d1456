"""Every source class, and what the sandbox sends each of them on a night."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

import pipeline.sources
from pipeline.sandbox.server import Sandbox
from pipeline.settings import Settings
from pipeline.sources.base import Source
from pipeline.sources.http import HttpClient

DAY = date(2024, 4, 10)
NIGHT_HOURS, NEXT_NIGHT_HOURS = 2.0, 26.0
# A monthly file comes out on the first Monday after its month.
MONTH_END = date(2024, 3, 31)
MONTHLY_HOURS = 10 * 24.0

Bodies = Sequence[tuple[str, bytes]]


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


def source_id(source: type[Source]) -> str:
    return f"{source.name}-{source.dataset}"


def night(source: type[Source]) -> tuple[date, float]:
    """Return the day to ask for, and how many hours after its close."""
    if source.dataset == "funding_daily" and source.vendor == "binance_vision":
        return MONTH_END, MONTHLY_HOURS
    hours = NIGHT_HOURS if source.available_hours < NIGHT_HOURS + 1 else NEXT_NIGHT_HOURS
    return DAY, hours


@dataclass(frozen=True)
class Night:
    """The bodies that a source was sent for a day, and the day."""

    source: Source
    day: date
    bodies: Bodies

    def parse(self, bodies: Bodies | None = None) -> pd.DataFrame:
        since = self.day - timedelta(days=1)
        return self.source.parse(self.bodies if bodies is None else bodies, self.day, since=since)


def ask(source: type[Source], sandbox: Sandbox, home: Path) -> Night:
    """Ask the sandbox what a source asks its vendor for on a night."""
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
    if source.payloads_of is not None:
        asked = next(
            other()
            for other in SOURCES
            if other.dataset == source.payloads_of and other.name == source.name
        )
    with HttpClient(settings, source.vendor) as client:
        since = day - timedelta(days=1)
        bodies = [
            (name, response.body)
            for name, response in asked.fetch(client, settings, day, since=since)
        ]
    return Night(source(), day, bodies)
