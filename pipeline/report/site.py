"""The report as a folder of files: pages, one style sheet, two scripts, a CSV per block."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from pipeline.exporting import csv_lines
from pipeline.report import figures
from pipeline.report.blocks import Chart, Page, Table
from pipeline.report.drawing import with_gaps
from pipeline.report.pages.breadth import breadth
from pipeline.report.pages.claims import claims
from pipeline.report.pages.data import data
from pipeline.report.pages.evidence import evidence
from pipeline.report.pages.flows import flows
from pipeline.report.pages.indices import index_pages, indices
from pipeline.report.pages.markets import markets
from pipeline.report.pages.positioning import positioning
from pipeline.report.pages.signals import signal_pages, signals
from pipeline.report.pages.today import today
from pipeline.report.reading import Reader
from pipeline.templates import template_environment
from pipeline.text import visible, visible_lines

if TYPE_CHECKING:
    import duckdb

    from pipeline.models import Project

STATIC_DIR = Path(__file__).parent / "static"
SIGNIFICANT_DIGITS = 6
"""Digits of a number that a chart is drawn from; its CSV has all."""
_AS_SPELT = frozenset({"text", "code", "index", "signal"})
PLAIN_STYLES = _AS_SPELT | {"words"}
"""Styles of cells that are sorted by what they show."""
SPARK_WIDTH, SPARK_HEIGHT = 120, 28


def render_report(
    connection: duckdb.DuckDBPyConnection, project: Project, sql_dir: Path
) -> dict[str, bytes]:
    """Return the files of the report of a built file, by their path in its folder.

    Args:
        connection: The built or published file, open for reading.
        project: The models that made it, for formulas.
        sql_dir: The folder that has ``report/``.

    Raises:
        ConfigurationError: The file lacks a table that a page reads.
    """
    from altair.utils.schemapi import debug_mode

    # Holding every part of a chart against Vega-Lite's schema takes longer than all the rest;
    # the tests do it.
    with debug_mode(False):
        pages = all_pages(Reader(connection, sql_dir), project)
    return dict(_files(pages))


def all_pages(reader: Reader, project: Project) -> list[Page]:
    """Return every page, those of the menu first."""
    main = [
        page(reader)
        for page in (
            today,
            indices,
            breadth,
            positioning,
            markets,
            flows,
            claims,
            signals,
            evidence,
            data,
        )
    ]
    return [*main, *index_pages(reader), *signal_pages(reader, project)]


def _files(pages: Sequence[Page]) -> Iterable[tuple[str, bytes]]:
    template = _environment().get_template("page.html.j2")
    menu = [page for page in pages if page.menu]
    names = {page.name for page in pages}
    about = next(page for page in pages if page.name == "data").lead
    for page in pages:
        html = template.render(page=page, menu=menu, names=names, about=about)
        yield f"{page.name}.html", html.encode()
        for block in page.blocks:
            if isinstance(block, Chart | Table):
                yield f"data/{block.name}.csv", _csv(block.frame)
    for path in sorted(STATIC_DIR.iterdir()):
        yield f"assets/{path.name}", path.read_bytes()
    yield "assets/vega.js", _vega_script().encode()


def _csv(frame: pd.DataFrame) -> bytes:
    rows = zip(*(_plain(frame[column]) for column in frame.columns), strict=True)
    return "".join(f"{line}\n" for line in csv_lines(list(frame.columns), rows)).encode()


def _plain(column: pd.Series) -> list[Any]:
    """Return a column as Python's own objects; a day is a day, what is missing is None."""
    if pd.api.types.is_datetime64_any_dtype(column) and column.dt.tz is None:
        known = column.dropna()
        if (known == known.dt.normalize()).all():
            return [None if pd.isna(value) else value.date() for value in column]
    return [value if figures.is_known(value) else None for value in column.astype(object)]


@cache
def _vega_script() -> str:
    """Return Vega, Vega-Lite and the embedder as one script, out of the installed package."""
    import vl_convert

    # A module would not load from disk, so the bundle becomes a plain script with its own scope.
    script = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # Its stub asks for more.
    return f"(() => {{{script}}})();\n"


@cache
def _environment() -> Environment:
    environment = template_environment("pipeline.report")
    environment.filters |= {
        "direction": figures.direction,
        "plain": lambda text: escape(visible_lines(text)),
        "cell": cell,
        "sort_key": sort_key,
        "chart_json": chart_json,
        "spark": spark,
    }
    environment.globals |= {"plain_styles": PLAIN_STYLES}
    return environment


def cell(value: Any, style: str) -> str:
    """Return a cell of a table as text."""
    if style in _AS_SPELT:
        return str(value) if figures.is_known(value) else figures.UNKNOWN
    return str(getattr(figures, style)(value))


def sort_key(value: Any) -> str:
    """Return what a table is sorted by: a number as it is, a day as text, nothing as empty."""
    if not figures.is_known(value):
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return repr(float(value))
    return figures.day(value) if hasattr(value, "strftime") else str(value)


def spark(values: Sequence[float | None]) -> str:
    """Return the points of a small line, for an SVG of ``SPARK_WIDTH`` by ``SPARK_HEIGHT``."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if len(known) < 2:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    step = SPARK_WIDTH / (len(values) - 1)
    return " ".join(
        f"{place * step:.1f},{2 + (SPARK_HEIGHT - 4) * (1 - (value - low) / span):.1f}"
        for place, value in enumerate(values)
        if value is not None and math.isfinite(value)
    )


def chart_json(block: Chart) -> Markup:
    """Return what the page's script needs to draw a chart, safe inside of a script element."""
    hover, frame = block.hover, block.frame
    if hover is not None and "series" in hover:
        frame = with_gaps(frame, hover["x"], hover["y"], hover["series"])
    content = {
        "spec": block.spec,
        "alternative": block.alternative[2] if block.alternative else None,
        "hover": hover,
        "rows": {name: _short(frame[name]) for name in frame.columns},
    }
    return htmlsafe_json_dumps(content, dumps=_compact_json)


def _compact_json(content: Any, **_: Any) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def _short(column: pd.Series) -> list[Any]:
    found: list[Any] = []
    for value in _plain(column):
        if isinstance(value, float):
            found.append(float(f"{value:.{SIGNIFICANT_DIGITS}g}"))
        elif value is None or isinstance(value, bool | int):
            found.append(value)
        else:
            found.append(visible(value) if isinstance(value, str) else figures.day(value))
    return found
