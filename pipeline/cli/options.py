"""Options that several commands share, what they mean, and what a shell may offer for them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.settings import Settings


def parse_day(text: str | date) -> date:
    """Read a day as people and `date -I` write it.

    Raises:
        typer.BadParameter: It is no day of the calendar; the message shows the form.
    """
    if isinstance(text, date):  # an option's default
        return text
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text} is no day: {exc}") from exc
    raise typer.BadParameter(f"'{text}' is no day; write it as 2026-11-20")


_DAY = "YYYY-MM-DD"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Day = Annotated[
    date,
    typer.Argument(
        parser=parse_day, metavar=_DAY, help="UTC day.", autocompletion=completion.last_days
    ),
]
MarketDate = Annotated[
    date | None,
    typer.Option(parser=parse_day, metavar=_DAY, help="UTC day; the last complete one by default."),
]
FromDay = Annotated[
    date, typer.Option("--from", parser=parse_day, metavar=_DAY, help="First UTC day.")
]
AnyFromDay = Annotated[
    date | None,
    typer.Option("--from", parser=parse_day, metavar=_DAY, help="First UTC day of the rows."),
]
ToDay = Annotated[
    date | None,
    typer.Option(
        "--to",
        parser=parse_day,
        metavar=_DAY,
        help="Last UTC day; the last complete one by default.",
    ),
]
FirstDay = Annotated[
    date,
    typer.Option(parser=parse_day, metavar=_DAY, help="First day of the simulated market."),
]
OfDay = Annotated[
    date | None,
    typer.Option("--day", parser=parse_day, metavar=_DAY, help="Only rows of this UTC day."),
]


def new_run_id(settings: Settings, command: str) -> str:
    """Return the id of a run that a command starts now."""
    return f"{command}-{settings.now().strftime('%Y%m%dT%H%M%SZ')}"


def chosen_day(given: date | None, settings: Settings) -> date:
    """Return the day that was given, or the last complete one."""
    return given if given is not None else settings.default_market_date()
