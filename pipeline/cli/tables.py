"""Rows for a reader: a table where it fits, and a record under another where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pipeline.text import visible

MOST_CELL_CHARACTERS = 300
GAP = 2
"""Blanks between two columns."""
NARROWEST_TEXT = 24
"""A longer text may be folded to this width; anything shorter stays on one line."""


def rows_view(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> RenderableType:
    """Return rows as they can be read in a terminal.

    Args:
        columns: Names of the columns.
        rows: Values, one for each column.
        width: Columns of the terminal.

    Returns:
        A table if every figure, day and name fits on one line of it, with longer texts folded;
        else each row as a block of lines.
    """
    shown = [[cell(value) for value in row] for row in rows]
    is_text = [_is_text(index, rows) for index in range(len(columns))]
    widths = [
        max([cell_len(visible(name)), *(cell_len(row[index]) for row in shown)])
        for index, name in enumerate(columns)
    ]
    narrowest = [
        max(min(wide, NARROWEST_TEXT), cell_len(visible(name))) if foldable else wide
        for name, wide, foldable in zip(columns, widths, is_text, strict=True)
    ]
    if len(columns) > 1 and sum(narrowest) + GAP * (len(columns) - 1) > width:
        return Group(*_records(columns, shown))
    table = Table(header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        is_number = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(
            escape(visible(name)),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=not is_text[index],
            min_width=narrowest[index] if len(columns) > 1 else None,
        )
    for row in shown:
        table.add_row(*(escape(text) for text in row))
    return table


def plain_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield a table line by line, one row on each, for a program that reads it."""
    shown = [[visible(name) for name in columns], *([cell(value) for value in row] for row in rows)]
    widths = [max(cell_len(row[index]) for row in shown) for index in range(len(columns))]
    is_number = [
        any(isinstance(row[index], int | float) for row in rows) for index in range(len(columns))
    ]
    for row in shown:
        aligned = (
            set_cell_size(text, width) if not number else " " * (width - cell_len(text)) + text
            for text, width, number in zip(row, widths, is_number, strict=True)
        )
        yield (" " * GAP).join(aligned).rstrip()


def _is_text(index: int, rows: Sequence[Sequence[Any]]) -> bool:
    return any(isinstance(row[index], str | list | tuple | dict) for row in rows)


def _records(columns: Sequence[str], shown: Sequence[Sequence[str]]) -> Iterator[RenderableType]:
    names = [visible(name) for name in columns]
    widest = max(cell_len(name) for name in names)
    for place, row in enumerate(shown, start=1):
        yield f"[bold]row {place}[/]"
        lines = Table(box=None, show_header=False, pad_edge=False)
        lines.add_column(no_wrap=True, min_width=widest)
        lines.add_column(overflow="fold")
        for name, text in zip(names, row, strict=True):
            lines.add_row(escape(name), escape(text))
        yield Padding(lines, (0, 0, 0, 2), expand=False)


def cell(value: Any) -> str:
    """Return a value as a person reads it, on one line in which nothing acts."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _figure(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    items = value if isinstance(value, list | tuple) else (value,)
    return visible(", ".join(str(item) for item in items), MOST_CELL_CHARACTERS)


def _figure(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.2f}"
    # Four places would make 0 of a price in millionths.
    return f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:,.4f}"
