"""What the commands print with: two consoles, tables, progress."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table

from pipeline.text import visible, visible_lines

MOST_CELL_CHARACTERS = 300


class PlainConsole(Console):
    """A console on which nothing that was printed as text can act on the terminal.

    Whatever a renderable makes of a text, each piece passes here before it is written; only
    rich's own movements of the cursor are left as they are.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, with what acts, hides or reorders spelt out."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible_lines(text), style, control)


def make_console(*, stderr: bool = False) -> PlainConsole:
    """Return a console as wide as the terminal is now; ``:skull:`` in a name is no picture."""
    return PlainConsole(stderr=stderr, emoji=False)


out = make_console()
err = make_console(stderr=True)


@contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done while the block runs; yields a function that changes the text."""
    with err.status(escape(text)) as status:
        yield lambda step: status.update(escape(step))


def progress(unit: str) -> Progress:
    """Return a progress bar that says how much is left and how long it will take."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )


def print_rows(title: str, columns: list[str], rows: list[list[Any]], as_json: bool) -> None:
    if as_json:
        records = [dict(zip(columns, finite(row), strict=True)) for row in rows]
        print_json(records)
        return
    out.print(title, soft_wrap=True)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        is_number = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(cell(column), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    out.print(table)


def print_json(content: Any) -> None:
    """Print JSON that any reader takes: finite numbers, ASCII only, no colour but on a terminal."""
    out.print_json(json.dumps(finite(content), default=str), ensure_ascii=True)


def plain(value: Any) -> Any:
    """Return a value of a query with decimals as the numbers that they are."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def finite(value: Any) -> Any:
    """Return a value with NaN and infinity as null, which JSON has no other word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return value


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.2f}"
    return escape(visible(str(value), MOST_CELL_CHARACTERS))
