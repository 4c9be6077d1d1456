"""All signals, and a page for each."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.models import Model, Project
from pipeline.report import drawing
from pipeline.report.blocks import Block, Column, Page, Table, Words
from pipeline.report.figures import day, is_known, number, plural, words
from pipeline.report.pages.evidence import TEST_COLUMNS
from pipeline.report.pages.shared import events, last_row, line_chart, shown_or_missing
from pipeline.report.reading import Reader

MOST_LINES = 4
_DIRECTIONS = {
    1: "More is more appetite for risk.",
    -1: "More is less appetite for risk.",
    0: "It has no direction, so it is not tested as a forecast.",
}


def signals(reader: Reader) -> Page:
    """Return the page that lists the signals."""
    frame = reader.rows("definition")
    newest = reader.rows("signal_today")
    known = set(newest[newest["value"].notna()]["signal_id"])
    silent = [each for each in frame[frame["is_daily"]]["signal_id"] if each not in known]
    missing = f" Without a value on their last day: {', '.join(silent)}." if silent else ""
    return Page(
        "signals",
        "Signals",
        f"{plural(len(frame), 'signal')}, each with its formula, its inputs and what it was "
        f"worth.{missing}",
        [
            Table(
                "definition",
                "All signals",
                "A page each, with the SQL that makes it",
                [
                    Column("signal_id", "Signal", "signal"),
                    Column("title", "What it is"),
                    Column("entity_kind", "One series per", "words"),
                    Column("unit", "Unit"),
                    Column("required_inputs", "Inputs", "words"),
                    Column("version", "Version"),
                ],
                frame,
                reader.origin("definition"),
            ),
            shown_or_missing(
                "signal_today",
                "Newest readings",
                newest,
                "No signal has a reading yet.",
                lambda rows: Table(
                    "signal_today",
                    "The newest reading of each",
                    "Value in the signal's unit, its place in its own past, and how far to "
                    "trust it",
                    [
                        Column("signal_id", "Signal", "signal"),
                        Column("entity", "Of", "words"),
                        Column("market_date", "Day", "day"),
                        Column("value", "Value", "number"),
                        Column("unit", "Unit"),
                        Column("percentile_pct", "Percentile", "whole"),
                        Column("state", "State", "words"),
                        Column("confidence_label", "Confidence", "words"),
                    ],
                    rows,
                    reader.origin("signal_today"),
                    most_rows=200,
                ),
            ),
        ],
        menu="Signals",
    )


def signal_pages(reader: Reader, project: Project) -> list[Page]:
    """Return a page for each signal."""
    return [
        _signal_page(reader, project, dict(row)) for _, row in reader.rows("definition").iterrows()
    ]


def _signal_page(reader: Reader, project: Project, definition: dict[str, Any]) -> Page:
    signal_id = str(definition["signal_id"])
    model = project.models[str(definition["table_name"])]
    values = reader.rows("signal_weekly")
    own = values[values["signal_id"] == signal_id]
    tests = reader.rows("signal_quality")
    return Page(
        f"signal-{signal_id.lower()}",
        f"{signal_id}: {definition['title']}",
        _lead(reader, definition),
        [
            shown_or_missing(
                f"values_{signal_id.lower()}",
                "Values",
                own,
                f"There is no value yet; it needs {words(definition['required_inputs'])}."
                if definition["is_daily"]
                else f"It is no figure of every day; its rows are in {model.name}.",
                lambda rows: _values(reader, definition, rows),
            ),
            _definition(definition, model),
            shown_or_missing(
                f"tests_{signal_id.lower()}",
                "What followed",
                tests[tests["signal_id"] == signal_id],
                "It was not tested: it has no direction, is no figure of every day, or its history "
                "is too short.",
                lambda rows: Table(
                    f"tests_{signal_id.lower()}",
                    f"{plural(len(rows), 'test')} of what followed, the strongest first",
                    "Return from the close of the next day on in a bucket, less that of all days",
                    TEST_COLUMNS[1:],
                    rows.head(200),
                    reader.origin("signal_quality", signal_id=signal_id),
                    most_rows=15,
                ),
            ),
        ],
    )


def _lead(reader: Reader, definition: dict[str, Any]) -> str:
    newest = reader.rows("signal_today")
    own = newest[(newest["signal_id"] == definition["signal_id"]) & newest["value"].notna()]
    if own.empty:
        return f"{definition['title']}; no value on the last day."
    row = own.iloc[0]
    place = (
        f", higher than on {number(row['percentile_pct'], 0)} % of its days"
        if is_known(row["percentile_pct"])
        else ""
    )
    return (
        f"{definition['title']}: {number(row['value'])} ({row['unit']}) for "
        f"{words(row['entity'])} on "
        f"{day(row['market_date'])}{place}; state {words(row['state'])}."
    )


def _values(reader: Reader, definition: dict[str, Any], rows: pd.DataFrame) -> Block:
    signal_id = str(definition["signal_id"])
    counts = rows["entity"].value_counts()
    ranked = sorted(
        counts.index, key=lambda name: (name not in drawing.COLOURS, -counts[name], name)
    )
    chosen = ranked[:MOST_LINES]
    drawn = rows[rows["entity"].isin(chosen)][["market_date", "entity", "value"]]
    series = drawing.series_of(drawn, "entity", chosen)
    others = len(counts) - len(chosen)
    more = (
        f"; {plural(others, 'other series', 'other series')} in signals.signal_daily"
        if others
        else ""
    )
    ends = ", ".join(
        f"{series.names[each]} {number(last_row(drawn, entity=each)['value'])}" for each in chosen
    )
    return line_chart(
        f"values_{signal_id.lower()}",
        ends,
        f"{definition['title']}, {definition['unit']}; a value a week, its last{more}",
        drawn,
        f"On {day(drawn['market_date'].max())}: {ends}.",
        reader.origin("signal_weekly", signal_id=signal_id, as_of=drawn["market_date"].max()),
        x="market_date",
        y="value",
        series=series,
        axis_format=",.4~g",
        read_format=",.4~g",
        events=events(reader),
    )


def _definition(definition: dict[str, Any], model: Model) -> Words:
    (value,) = [c for c in model.doc.columns if c.name == definition["value_column"]]
    window = definition["window_days"]
    back = (
        "Looks back over all history."
        if not is_known(window)
        else "Looks at the day alone."
        if int(window) == 0
        else f"Looks back {plural(int(window), 'day')}."
    )
    made_by = []
    if model.computation is not None:
        read = ", ".join(model.computation.parents)
        made_by = [f"Computed by pipeline.statistics.{model.computation.function} from {read}."]
    inputs = str(definition["required_inputs"]).replace(";", ", ")
    return Words(
        f"definition_{str(definition['signal_id']).lower()}",
        "How it is made",
        [
            " ".join(model.doc.description.split()),
            f"{value.meaning} ({value.unit}). {_DIRECTIONS[int(definition['orientation'])]} {back}",
            *made_by,
            f"Needs {inputs}. Insufficient below {definition['minimum_observations']} "
            f"observations, fully trusted from {definition['full_observations']} on. States: "
            f"{definition['thresholds']}. Version {definition['version']}.",
        ],
        code=model.sql if model.computation is None else None,
        code_label=f"The SQL of {model.name}",
    )
