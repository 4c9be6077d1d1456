"""The ledger of claims as ``tidemark claims`` prints it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

TABLE_MIN_WIDTH = 110
VERDICTS = {
    "confirmed": "green",
    "confirmed_with_caveat": "green",
    "not_confirmed": "yellow",
    "refuted": "red",
    "unverifiable_with_free_data": "dim",
    "pending": "cyan",
}


def read_claims(connection: duckdb.DuckDBPyConnection, verdict: str | None = None) -> list[Row]:
    """Return the ledger in the order of the claims.

    Args:
        connection: The published file, open for reading.
        verdict: Only claims with this verdict.

    Returns:
        One row per claim in the columns of ``signals.claim_check``.

    Raises:
        ConfigurationError: There is no such verdict.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise ConfigurationError(f"there is no verdict {verdict}; there are: {', '.join(VERDICTS)}")
    cursor = connection.execute(
        "select * from signals.claim_check where verdict = coalesce(?, verdict)", [verdict]
    )
    names = [str(column[0]) for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return sorted(rows, key=lambda row: _place(row["claim_id"]))


def _place(claim_id: str) -> tuple[str, int, str]:
    """Return what puts A2 before A10, and A10 before A10D."""
    letters = claim_id.rstrip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    head = letters or claim_id[:1]
    rest = claim_id[len(head) :]
    digits = "".join(character for character in rest if character.isdigit())
    return head, int(digits or 0), rest


def claims_view(rows: Sequence[Row], width: int) -> RenderableType:
    """Return the ledger for a terminal.

    Args:
        rows: Rows of the ledger.
        width: Columns of the terminal; a table does not fit into a narrow one.
    """
    if width < TABLE_MIN_WIDTH:
        return Group(*map(_claim_lines, rows))
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name, justify in (("claim", "left"), ("verdict", "left"), ("found", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("claimed", justify="right", no_wrap=True)
    table.add_column("what was said, and what we found", overflow="fold")
    for row in rows:
        table.add_row(
            escape(row["claim_id"]),
            _verdict(row),
            format_figure(row["actual_value"]),
            escape(claimed(row)),
            _remarks(row),
        )
    return table


def _claim_lines(row: Row) -> RenderableType:
    return Group(
        f"[bold]{escape(row['claim_id'])}[/] {_verdict(row)}: "
        f"found {format_figure(row['actual_value'])}, claimed {escape(claimed(row))}",
        Padding(_remarks(row), (0, 0, 0, 2)),
    )


def _verdict(row: Row) -> str:
    return f"[{VERDICTS[row['verdict']]}]{row['verdict'].replace('_', ' ')}[/]"


def _remarks(row: Row) -> str:
    remarks = [row["wording"], row["evidence"], row["caveat"]]
    return escape(". ".join(str(remark) for remark in remarks if remark))


def claimed(row: Row) -> str:
    """Return what the figure had to be, with its unit."""
    figure, tolerance = format_figure(row["expected"]), row["tolerance"]
    if row["comparison"] == "within":
        figure += f" ± {format_figure(tolerance)}" if tolerance else ""
    else:
        figure = f"{row['comparison'].replace('_', ' ')} {figure}"
    return f"{figure} {row['unit']}"


def format_figure(value: float | None) -> str:
    """Return a figure short enough to compare, large ones in billions."""
    if value is None or not math.isfinite(value):
        return "-"
    if abs(value) >= 1e9:
        return f"{value / 1e9:,.1f} bn"
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def summary(rows: Sequence[Row]) -> str:
    """Return how many claims have which verdict, in a sentence."""
    if not rows:
        return "no claims"
    counted = Counter(row["verdict"] for row in rows)
    said = [f"{counted[name]} {name.replace('_', ' ')}" for name in VERDICTS if counted[name]]
    # A3, A3B and A3H are readings of one sentence.
    claim_count = len({_place(row["claim_id"])[:2] for row in rows})
    return (
        f"{claim_count} claims in {len(rows)} readings by {rows[0]['evaluated_for_date']}: "
        f"{', '.join(said)}"
    )
