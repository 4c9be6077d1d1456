"""What the commands print with: two consoles, tables, progress."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment

from pipeline.cli.tables import plain_lines, rows_view
from pipeline.text import visible_lines

PIPED_WIDTH = 10_000
"""Columns where nobody looks: what `grep` reads is not folded."""
CLOSED_PIPE_STATUS = 141
"""What a shell says of a command whose reader has gone."""
MOST_COLOURED_CHARACTERS = 200_000
MOST_ROWS_LAID_OUT = 1000


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

    def on_broken_pipe(self) -> None:
        """End without a word when the reader has gone, as after ``| head``."""
        stop_writing()


def stop_writing() -> NoReturn:
    """End the program as one that nobody listens to any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    sys.exit(CLOSED_PIPE_STATUS)


def make_console(*, stderr: bool = False) -> PlainConsole:
    """Return a console as wide as the terminal is now; ``:skull:`` in a name is no picture."""
    made = PlainConsole(stderr=stderr, emoji=False)
    if not made.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        made.width = PIPED_WIDTH
    return made


out = make_console()
err = make_console(stderr=True)


@contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done while the block runs; yields a function that changes the text."""
    with err.status(escape(text)) as status:
        yield lambda step: status.update(escape(step))


@contextmanager
def counting(text: str) -> Iterator[Callable[..., None]]:
    """Show how many of a known number of things are done.

    Yields:
        A function of what is done now and, while things are counted, of how many there are.
    """
    with progress("") as bar:
        task = bar.add_task(escape(text), total=None)

        def show(what: str, total: int | None = None) -> None:
            bar.update(task, description=escape(what), total=total)
            if total is None:
                bar.update(task, completed=0)
            else:
                bar.advance(task)

        yield show


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
        disable=not err.is_terminal,
    )


def print_rows(
    title: str,
    columns: list[str],
    rows: list[list[Any]],
    as_json: bool,
    *,
    keys: list[str] | None = None,
) -> None:
    """Print rows as a table under a title, or as a JSON list of objects.

    Args:
        title: A line above the table.
        columns: Heads of the columns.
        rows: Values, one for each column.
        as_json: Print JSON; its keys are the same in every release.
        keys: Names in the JSON, where the heads are words for people.
    """
    if as_json:
        print_json([dict(zip(keys or columns, row, strict=True)) for row in rows])
        return
    out.print(title, soft_wrap=True)
    # Laying out a table takes a millisecond for each row.
    if rows and out.width < PIPED_WIDTH and len(rows) <= MOST_ROWS_LAID_OUT:
        out.print(rows_view(columns, rows, out.width))
    elif rows:
        for line in plain_lines(columns, rows):
            typer.echo(line)


def print_json(content: Any) -> None:
    """Print JSON that any reader takes: finite numbers, ASCII only, no colour but on a terminal."""
    text = json.dumps(finite(content), default=str, indent=2)
    # Colours cost a second for each megabyte.
    if out.is_terminal and len(text) < MOST_COLOURED_CHARACTERS:
        out.print_json(text, ensure_ascii=True)
    else:
        typer.echo(text)


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
