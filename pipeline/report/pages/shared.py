"""What several pages need: segments, marked days, and blocks that may have nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Missing, Origin
from pipeline.report.reading import Reader

SEGMENTS = ("large", "mid", "small")
_REGIMES = {
    "pre_etp": "before ETPs",
    "btc_etp": "Bitcoin ETPs",
    "btc_eth_etp": "Bitcoin and Ether ETPs",
}


def events(reader: Reader) -> pd.DataFrame:
    """Return the days that charts mark: ``event_date``, ``word``."""
    return reader.rows("event")


def regimes(reader: Reader) -> pd.DataFrame:
    """Return the spans that charts shade: ``first_date``, ``last_date``, ``word``."""
    frame = reader.rows("regime")
    return frame.assign(word=frame["etp_regime"].map(_REGIMES))


def shown_or_missing(
    name: str, title: str, frame: pd.DataFrame, reason: str, draw: Callable[[pd.DataFrame], Block]
) -> Block:
    """Return what ``draw`` makes of rows, or, without any, a block that says what is missing.

    Args:
        name: The block's name.
        title: What would have been shown.
        frame: The rows.
        reason: Why there may be none, and what brings them.
        draw: Makes the block of at least one row.
    """
    if frame.empty:
        return Missing(name, title, reason)
    return draw(frame)


def last_row(frame: pd.DataFrame, **where: Any) -> dict[str, Any]:
    """Return the last row of a frame in which columns have these values, or an empty one."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return {} if frame.empty else dict(frame.iloc[-1])


def line_chart(
    name: str,
    title: str,
    subtitle: str,
    drawn: pd.DataFrame,
    text: str,
    origin: Origin,
    *,
    x: str,
    y: str,
    series: drawing.Series,
    axis_format: str,
    read_format: str,
    has_log_switch: bool = False,
    **marks: Any,
) -> Chart:
    """Return a chart of lines over days that can be read under the pointer.

    Args:
        name: The block's name.
        title: What it finds.
        subtitle: What is drawn, and its unit.
        drawn: The rows.
        text: What a person sees in it.
        origin: Where the rows are from.
        x: Column of the day.
        y: Column of the value.
        series: How lines are told apart.
        axis_format: d3's format of the axis.
        read_format: d3's format of a value that is read.
        has_log_switch: Whether it is logarithmic at first, and linear by a switch.
        **marks: What else ``drawing.lines`` draws.
    """
    linear = drawing.lines(drawn, x, y, series, axis_format, **marks)
    hover = {"x": x, "y": y, "series": series.column, "format": read_format}
    if not has_log_switch:
        return Chart(name, title, subtitle, linear, drawn, text, origin, hover=hover)
    logarithmic = drawing.lines(drawn, x, y, series, axis_format, is_log=True, **marks)
    return Chart(
        name,
        title,
        subtitle,
        logarithmic,
        drawn,
        text,
        origin,
        hover=hover,
        alternative=("Logarithmic", "Linear", linear),
    )
