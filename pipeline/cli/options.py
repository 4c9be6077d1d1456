"""Options that several commands share, and what they mean."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from pipeline.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
MarketDate = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="UTC day; the last complete one by default."),
]
FromDay = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")]
ToDay = Annotated[
    datetime | None,
    typer.Option(
        "--to", formats=["%Y-%m-%d"], help="Last UTC day; the last complete one by default."
    ),
]


def new_run_id(settings: Settings, command: str) -> str:
    """Return the id of a run that a command starts now."""
    return f"{command}-{settings.now().strftime('%Y%m%dT%H%M%SZ')}"


def chosen_day(given: datetime | None, settings: Settings) -> date:
    """Return the day that was given, or the last complete one."""
    return given.date() if given is not None else settings.default_market_date()
