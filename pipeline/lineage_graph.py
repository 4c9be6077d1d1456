"""The lineage of a table as a picture: what it is made from, and what is made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

from pipeline.lineage import trace_columns
from pipeline.models import Project

LEVELS_ABOVE = 2
LEVELS_BELOW = 1
BOX_WIDTH, BOX_HEIGHT = 250, 24
COLUMN_GAP, ROW_GAP, MARGIN = 70, 8, 4


@dataclass(frozen=True)
class TableGraph:
    """Which table reads which, and through how many columns.

    ``columns`` counts, for a table and one that it reads, the columns whose values come from
    there; 0 where it only chooses rows.
    """

    columns: Mapping[tuple[str, str], int]
    parents: Mapping[str, tuple[str, ...]] = field(init=False)
    children: Mapping[str, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parents", _grouped(self.columns))
        object.__setattr__(
            self, "children", _grouped((parent, table) for table, parent in self.columns)
        )


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for one, other in pairs:
        found.setdefault(one, []).append(other)
    return {one: tuple(sorted(others)) for one, others in found.items()}


def read_graph(project: Project) -> TableGraph:
    """Return the tables of a project and what they read, from its SQL."""
    columns = {
        (model.name, parent): 0 for model in project.models.values() for parent in model.parents
    }
    made = {
        (edge.model, edge.parent, edge.column) for edge in trace_columns(project, project.ordered())
    }
    for table, parent, _ in made:
        columns[table, parent] = columns.get((table, parent), 0) + 1
    return TableGraph(columns)


def draw_table(graph: TableGraph, table: str, link: Mapping[str, str]) -> str:
    """Return the neighbourhood of a table as SVG, without script, style sheet or font of its own.

    Args:
        graph: All tables.
        table: Drawn in the middle; two steps of origins on the left, readers on the right.
        link: The address of each table that has a place of its own.
    """
    layers = _layers(graph, table)
    widest = max(len(names) for names in layers.values())
    height = 2 * MARGIN + widest * (BOX_HEIGHT + ROW_GAP)
    first = min(layers)
    places = {
        (level, name): (
            MARGIN + (level - first) * (BOX_WIDTH + COLUMN_GAP),
            (height - len(names) * (BOX_HEIGHT + ROW_GAP)) / 2 + row * (BOX_HEIGHT + ROW_GAP),
        )
        for level, names in layers.items()
        for row, name in enumerate(names)
    }
    width = 2 * MARGIN + (max(layers) - first) * (BOX_WIDTH + COLUMN_GAP) + BOX_WIDTH
    lines = [
        _line(places[level - 1, parent], places[level, name], graph.columns[name, parent])
        for level, name in places
        for parent in graph.parents.get(name, ())
        if (level - 1, parent) in places and (level <= 0 or parent == table)
    ]
    boxes = [
        _box(name, place, name == table, link.get(name)) for (_, name), place in places.items()
    ]
    said = f"{table} is made from {', '.join(graph.parents.get(table, ())) or 'no other table'}"
    return (
        f'<svg class="lineage" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(said)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(lines)}{"".join(boxes)}</svg>'
    )


def _layers(graph: TableGraph, table: str) -> dict[int, list[str]]:
    layers = {0: [table]}
    for level in range(1, LEVELS_ABOVE + 1):
        above = {p for name in layers[1 - level] for p in graph.parents.get(name, ())}
        if not above:
            break
        layers[-level] = sorted(above)
    for level in range(1, LEVELS_BELOW + 1):
        below = {c for name in layers[level - 1] for c in graph.children.get(name, ())}
        if not below:
            break
        layers[level] = sorted(below)
    return layers


def _line(start: tuple[float, float], end: tuple[float, float], column_count: int) -> str:
    x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT / 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT / 2
    middle = (x1 + x2) / 2
    dashes = "" if column_count else ' stroke-dasharray="3 4"'
    told = f"{column_count} columns" if column_count else "chooses rows only"
    return (
        f'<path d="M{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} '
        f'{y2:.0f}" fill="none" stroke="currentColor" stroke-opacity="0.45"{dashes}>'
        f"<title>{told}</title></path>"
    )


def _box(name: str, place: tuple[float, float], is_middle: bool, address: str | None) -> str:
    x, y = place
    weight = ' font-weight="bold"' if is_middle else ""
    box = (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="3" '
        f'fill="currentColor" fill-opacity="{0.18 if is_middle else 0.06}"/>'
        f'<text x="{x + 8:.0f}" y="{y + 16:.0f}" font-size="12" fill="currentColor"{weight}>'
        f"{escape(name)}</text>"
    )
    return box if address is None else f'<a href="{escape(address)}">{box}</a>'
