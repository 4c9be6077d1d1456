"""What the published file has of one signal: definition, values, history, quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.database import quote_name
from pipeline.errors import ConfigurationError
from pipeline.text import did_you_mean

if TYPE_CHECKING:
    import duckdb

    from pipeline.models import Project

Row = dict[str, Any]

HISTORY_DAYS = 365


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
            connection, "select signal_id, slug from reference.signal_definition order by signal_id"
        )
        listed = ", ".join(row["signal_id"] for row in known)
        close = did_you_mean(signal_id, (row["slug"] for row in known))
        raise ConfigurationError(f"there is no signal {signal_id}{close}; there are: {listed}")
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
    condition = f"where {value} is not null " if day == "last_date" else ""
    return _rows(
        connection,
        f"select {entity} as entity, {quote_name(day)} as market_date, "
        f"cast({value} as double) as value, cast(null as double) as percentile_pct, "
        f"{state} as state, cast(null as varchar) as confidence_label "
        f"from {definition['table_name']} {condition}order by all",
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
