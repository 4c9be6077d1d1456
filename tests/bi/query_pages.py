"""The twenty example queries and their output, as ``docs/bi.md`` shows them.

``python tests/bi/query_pages.py docs/bi.md`` writes the page anew; ``make queries`` does that.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline.database import open_read_only
from pipeline.files import write_bytes_atomically

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "queries"
BEGIN, END = "<!-- queries: written by `make queries` -->", "<!-- end of queries -->"
_COMMENT = re.compile(r"-- Grain: one row per ([a-z_, ]+?)\.\n((?:-- .*\n)+)")


@dataclass(frozen=True)
class Query:
    """One file of ``docs/queries``: its number and title, grain, question and select."""

    path: Path
    grain: tuple[str, ...]
    question: str
    sql: str

    @property
    def title(self) -> str:
        number, _, words = self.path.stem.partition("_")
        return f"{int(number)}. {words.replace('_', ' ').capitalize()}"


def read_queries() -> list[Query]:
    """Return the example queries in their order."""
    return [_read(path) for path in sorted(FOLDER.glob("*.sql"))]


def _read(path: Path) -> Query:
    sql = path.read_text(encoding="utf-8")
    comment = _COMMENT.match(sql)
    if comment is None:
        raise ValueError(f"{path} begins with its grain, and then says what it answers")
    question = " ".join(line.removeprefix("-- ") for line in comment[2].splitlines())
    return Query(path, tuple(re.split(r", | and ", comment[1])), question, sql)


def render_queries(connection: duckdb.DuckDBPyConnection) -> str:
    """Return every query with its output as Markdown, between the markers."""
    parts = [BEGIN, ""]
    for query in read_queries():
        cursor = connection.execute(query.sql)
        names = [str(column[0]) for column in cursor.description or ()]
        parts += [
            f"### {query.title}",
            "",
            f"[{query.path.name}](queries/{query.path.name})",
            "",
            f"```sql\n{query.sql.strip()}\n```",
            "",
            f"```text\n{text_table(names, cursor.fetchall())}\n```",
            "",
        ]
    return "\n".join([*parts, END])


def replace_queries(page: str, rendered: str) -> str:
    """Return a page with the text between the markers renewed."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    return before + rendered + after


def text_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as text in columns: numbers to the right, everything else to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[n]) for row in cells), 0) for n, name in enumerate(names)]
    is_number = [
        any(isinstance(row[n], int | float) and not isinstance(row[n], bool) for row in rows)
        for n in range(len(names))
    ]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in (list(names), *cells)
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Make the example home and write the page that is named on the command line."""
    from example_home import make_example_home

    page = Path(sys.argv[1])
    with (
        tempfile.TemporaryDirectory() as folder,
        open_read_only(make_example_home(Path(folder))) as connection,
    ):
        text = replace_queries(page.read_text(encoding="utf-8"), render_queries(connection))
    write_bytes_atomically(page, text.encode())


if __name__ == "__main__":
    main()
