"""One signal as ``tidemark signal ID`` prints it, in a wide terminal or a narrow one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from pipeline.signal_page import SignalPage

Row = dict[str, Any]

BARS = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH = 60
TABLE_MIN_WIDTH = 110


def sparkline(values: Sequence[float | None], width: int = SPARKLINE_WIDTH) -> str:
    """Return values as a row of bars, the newest on the right.

    Args:
        values: In time order; a missing value is a blank.
        width: Bars at most; more values are averaged into them.
    """
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(place * len(values) / count) for place in range(count + 1)]
    means: list[float | None] = []
    for start, end in pairwise(edges):
        known = [v for v in values[start:end] if v is not None and math.isfinite(v)]
        means.append(sum(known) / len(known) if known else None)
    levels = [mean for mean in means if mean is not None]
    if not levels:
        return " " * count
    low, span = min(levels), max(levels) - min(levels)
    return "".join(
        " "
        if mean is None
        else BARS[len(BARS) // 2]
        if span == 0
        else BARS[min(int((mean - low) / span * len(BARS)), len(BARS) - 1)]
        for mean in means
    )


def definition_lines(page: SignalPage) -> list[str]:
    """Return what the signal is, line by line, for a terminal."""
    definition = page.definition
    reading = {1: "more is more appetite for risk", -1: "more is less appetite for risk"}
    return [
        f"[bold]{definition['signal_id']}[/] {escape(definition['title'])} "
        f"({escape(definition['slug'])}, version {definition['version']})",
        f"{escape(definition['table_name'])}.{escape(definition['value_column'])}, in "
        f"{escape(definition['unit'])}; {reading.get(definition['orientation'], 'no direction')}",
        f"needs {escape(_inputs(page))}; sufficient from {definition['minimum_observations']} "
        f"values on, fully trusted from {definition['full_observations']}",
        f"states: {escape(definition['thresholds'])}",
    ]


def values_view(page: SignalPage, limit: int, width: int) -> RenderableType:
    """Return the last value of each series with its last year.

    Args:
        page: The signal.
        limit: Series at most.
        width: Columns of the terminal; a table does not fit into a narrow one.
    """
    if not page.series:
        return f"no values yet: of {_inputs(page)} there is too little in the published file"
    if width < TABLE_MIN_WIDTH:
        return Group(*(_value_lines(row, width) for row in page.series[:limit]))
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("series", "day", "value", "percentile", "state", "confidence", "last year"):
        is_number = name in {"value", "percentile"}
        table.add_column(name, justify="right" if is_number else "left", no_wrap=name != "series")
    for row in page.series[:limit]:
        table.add_row(
            escape(row["entity"]),
            str(row["market_date"]),
            _figure(row["value"]),
            _figure(row["percentile_pct"], "{:.0f}"),
            row["state"] or "",
            row["confidence_label"] or "",
            sparkline(row["history"], 30),
        )
    return table


def _value_lines(row: Row, width: int) -> str:
    said = [str(row["market_date"]), _figure(row["value"])]
    if row["percentile_pct"] is not None:
        said.append(f"percentile {row['percentile_pct']:.0f}")
    said += [row["state"] or ""]
    if row["confidence_label"]:
        said.append(f"confidence {row['confidence_label']}")
    told = ", ".join(word for word in said if word)
    return f"[bold]{escape(row['entity'])}[/]\n{told}\n{sparkline(row['history'], width)}"


def quality_view(page: SignalPage, limit: int, width: int) -> RenderableType:
    """Return what followed the signal, the surest first. See ``values_view``."""
    if not page.quality:
        return _why_untested(page)
    if width < TABLE_MIN_WIDTH:
        return Group(*(_quality_lines(row) for row in page.quality[:limit]))
    table = Table(header_style="bold", box=None, pad_edge=False)
    names = ("series", "what followed", "days", "windows", "rank IC", "t", "p adjusted", "verdict")
    for name in names:
        is_text = name in {"series", "what followed", "verdict"}
        table.add_column(name, justify="left" if is_text else "right", no_wrap=name != "series")
    for row in page.quality[:limit]:
        table.add_row(
            escape(row["entity"]),
            row["target_id"],
            str(row["horizon_days"]),
            _figure(row["effective_count"], "{:.0f}"),
            _figure(row["rank_information"], "{:+.3f}"),
            _figure(row["hac_t_value"], "{:+.1f}"),
            _figure(row["p_value_adjusted"], "{:.2f}"),
            row["verdict"].replace("_", " "),
        )
    return table


def _quality_lines(row: Row) -> str:
    days = row["horizon_days"]
    return (
        f"[bold]{escape(row['entity'])}[/], then {row['target_id']} in {days} "
        f"day{'s' if days > 1 else ''}: {row['verdict'].replace('_', ' ')} "
        f"(rank IC {_figure(row['rank_information'], '{:+.3f}')}, "
        f"adjusted p {_figure(row['p_value_adjusted'], '{:.2f}')})"
    )


def _why_untested(page: SignalPage) -> str:
    if page.definition["orientation"] == 0 or not page.definition["is_daily"]:
        return "what followed is not tested: the signal has no direction, or is not daily"
    return "what followed is not tested yet: that takes 365 values of a series"


def _inputs(page: SignalPage) -> str:
    return str(page.definition["required_inputs"]).replace(";", ", ")


def _figure(value: float | None, form: str = "{:,.4g}") -> str:
    return "-" if value is None else form.format(value)
