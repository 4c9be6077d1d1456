"""One signal as ``tidemark signal ID`` prints it: definition, values, history, quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from pipeline.database import quote_name
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

    from pipeline.models import Project

Row = dict[str, Any]

BARS = "▁▂▃▄▅▆▇█"
HISTORY_DAYS = 365
SPARKLINE_WIDTH = 60


@dataclass(frozen=True)
class SignalPage:
    """A signal: its definition, one row per series with its last value, and its quality.

    ``series`` rows have entity, market_date, value, percentile_pct, state, confidence_label
    and ``history``, the values of its last year.
    """

    definition: Row
    series: list[Row]
    quality: list[Row]

    def to_dict(self) -> dict[str, Any]:
        """Return the page in plain types."""
        return asdict(self)


def read_signal(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    signal_id: str,
    entity: str | None = None,
) -> SignalPage:
    """Collect what the published file has of a signal.

    Args:
        connection: The published file, open for reading.
        project: The models, for the keys of tables of slow statistics.
        signal_id: Id or slug of the signal.
        entity: Only this series.

    Raises:
        ConfigurationError: There is no such signal or series; the message lists what there is.
    """
    found = _rows(
        connection,
        "select * from reference.signal_definition where lower(?) in (lower(signal_id), slug)",
        [signal_id],
    )
    if not found:
        known = _rows(
            connection, "select signal_id from reference.signal_definition order by signal_id"
        )
        listed = ", ".join(row["signal_id"] for row in known)
        raise ConfigurationError(f"there is no signal {signal_id}; there are: {listed}")
    (definition,) = found
    values = (
        _daily_values(connection, definition["signal_id"])
        if definition["is_daily"]
        else _slow_values(connection, project, definition)
    )
    series = _series(values)
    if entity is not None:
        kept = [row for row in series if row["entity"] == entity]
        if not kept:
            listed = ", ".join(row["entity"] for row in series) or "none yet"
            raise ConfigurationError(
                f"{definition['signal_id']} has no series {entity}; there are: {listed}"
            )
        series = kept
    return SignalPage(definition, series, _quality(connection, definition["signal_id"], entity))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] = ()) -> list[Row]:
    cursor = connection.execute(sql, list(values))
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _daily_values(connection: duckdb.DuckDBPyConnection, signal_id: str) -> list[Row]:
    return _rows(
        connection,
        "select entity, market_date, value, percentile_pct, state, confidence_label "
        "from signals.signal_daily where signal_id = ? order by entity, market_date",
        [signal_id],
    )


def _slow_values(
    connection: duckdb.DuckDBPyConnection, project: Project, definition: Row
) -> list[Row]:
    """Return the values of a table that signals.signal_daily has not, by its own keys."""
    doc = project.models[definition["table_name"]].doc
    types = {column.name: column.type for column in doc.columns}
    # The quality of the signals is as of the newest day: its rows say what they reach to.
    day = next((name for name in doc.grain if types[name] == "date"), "last_date")
    keys = [quote_name(name) for name in doc.grain if name != day]
    entity = " || ' / ' || ".join(f"cast({key} as varchar)" for key in keys) or "'market'"
    state = "state" if "state" in types else "cast(null as varchar)"
    value = quote_name(definition["value_column"])
    return _rows(
        connection,
        f"select {entity} as entity, {quote_name(day)} as market_date, "
        f"cast({value} as double) as value, cast(null as double) as percentile_pct, "
        f"{state} as state, cast(null as varchar) as confidence_label "
        f"from {definition['table_name']} order by all",
    )


def _series(values: Sequence[Row]) -> list[Row]:
    """Return the last row of every series with the values of its last year."""
    by_entity: dict[str, list[Row]] = {}
    for row in values:
        by_entity.setdefault(row["entity"], []).append(row)
    series = []
    for rows in by_entity.values():
        newest = rows[-1]["market_date"]
        history = [
            row["value"] for row in rows if (newest - row["market_date"]).days < HISTORY_DAYS
        ]
        series.append(rows[-1] | {"history": history})
    return series


def _quality(
    connection: duckdb.DuckDBPyConnection, signal_id: str, entity: str | None
) -> list[Row]:
    return _rows(
        connection,
        "select entity, target_id, horizon_days, observation_count, effective_count, "
        "rank_information, hac_t_value, p_value, p_value_adjusted, verdict, state "
        "from signals.signal_quality where signal_id = ? and entity = coalesce(?, entity) "
        "and sample = 'all' and bucket = 'all' "
        "order by p_value nulls last, entity, target_id, horizon_days",
        [signal_id, entity],
    )


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
        f"needs {escape(definition['required_inputs'].replace(';', ', '))} and "
        f"{definition['minimum_observations']} observations",
        f"states: {escape(definition['thresholds'])}",
    ]


def values_table(page: SignalPage, limit: int) -> Table:
    """Return the last value of each series with its last year."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("series", "day", "value", "percentile", "state", "confidence", "last year"):
        is_number = name in {"value", "percentile"}
        table.add_column(
            name, justify="right" if is_number else "left", no_wrap=name == "last year"
        )
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


def quality_table(page: SignalPage, limit: int) -> Table:
    """Return what followed the signal, the surest first."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    names = ("series", "what followed", "days", "windows", "rank IC", "t", "p adjusted", "verdict")
    for name in names:
        is_text = name in {"series", "what followed", "verdict"}
        table.add_column(name, justify="left" if is_text else "right", no_wrap=is_text)
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


def _figure(value: float | None, form: str = "{:,.4g}") -> str:
    return "-" if value is None else form.format(value)
