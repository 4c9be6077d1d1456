"""What a page is made of: charts, tables, tiles, words, and what could not be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.report.figures import day


@dataclass(frozen=True)
class Origin:
    """Where a block's figures are from, and how far to trust them.

    Attributes:
        query: Name of its select in ``sql/report/``.
        as_of: The newest day in it, as text.
        sources: The vendors and their datasets.
        signal_id: The signal that explains it, or None.
        confidence: The signal's confidence when it is below high, else None.
    """

    query: str
    as_of: str
    sources: str
    signal_id: str | None = None
    confidence: str | None = None


@dataclass(frozen=True)
class Chart:
    """A chart: what it finds, what it shows in which unit, and the rows that it draws.

    Attributes:
        name: Unique on the site; also the name of its CSV.
        title: What it finds, as a sentence without a stop.
        subtitle: What is drawn, and its unit.
        spec: Vega-Lite, with the drawn rows as the data named ``rows``.
        frame: The rows drawn.
        text: What a person sees in it, with figures, for those who cannot.
        hover: Columns for the reading under the pointer: ``x``, ``y``, and ``series`` or None.
        alternative: The same on another scale, and what to call the two.
    """

    name: str
    title: str
    subtitle: str
    spec: Mapping[str, Any]
    frame: pd.DataFrame
    text: str
    origin: Origin
    hover: Mapping[str, Any] | None = None
    alternative: tuple[str, str, Mapping[str, Any]] | None = None
    kind: str = field(default="chart", init=False)

    @property
    def as_of(self) -> str:
        """The newest day that is drawn, as text."""
        if self.hover is None or "series" not in self.hover:
            return self.origin.as_of
        return day(self.frame[self.hover["x"]].max())


@dataclass(frozen=True)
class Column:
    """A column of a table: its place in the frame, its head, and how its cells are written.

    ``style`` is one of ``text``, ``words``, ``number``, ``whole``, ``percent``, ``change``,
    ``price``, ``dollars``, ``day``, ``instant``, ``p_value``, ``code``, ``index`` and ``signal``.
    """

    name: str
    head: str
    style: str = "text"


@dataclass(frozen=True)
class Table:
    """A table of rows of a frame; ``most_rows`` are shown, all are in the CSV."""

    name: str
    title: str
    subtitle: str
    columns: Sequence[Column]
    frame: pd.DataFrame
    origin: Origin
    most_rows: int = 100
    kind: str = field(default="table", init=False)

    @property
    def as_of(self) -> str:
        """The newest day of the select, as text."""
        return self.origin.as_of

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the shown rows."""
        shown = self.frame.head(self.most_rows)
        return [
            {str(name): value for name, value in row.items()} for row in shown.to_dict("records")
        ]


@dataclass(frozen=True)
class Tile:
    """An index or a signal at a glance: a figure, its changes, and its last months."""

    label: str
    figure: str
    facts: Sequence[tuple[str, str, str]]
    history: Sequence[float | None]
    link: str
    colour: str
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """A row of tiles."""

    name: str
    title: str
    tiles: Sequence[Tile]
    kind: str = field(default="tiles", init=False)


@dataclass(frozen=True)
class Words:
    """Sentences under a heading; ``code`` is shown as it stands, folded away."""

    name: str
    title: str
    sentences: Sequence[str]
    code: str | None = None
    code_label: str = ""
    kind: str = field(default="words", init=False)


@dataclass(frozen=True)
class Missing:
    """What would have been here, and why it is not."""

    name: str
    title: str
    reason: str
    kind: str = field(default="missing", init=False)


Block = Chart | Table | Tiles | Words | Missing


@dataclass(frozen=True)
class Page:
    """A page: its file, its title, one sentence that a person could say aloud, its blocks.

    ``menu`` is what the menu calls it, and empty for a page that another one leads to.
    """

    name: str
    title: str
    lead: str
    blocks: Sequence[Block]
    menu: str = ""
