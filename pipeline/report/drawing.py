"""Charts as Vega-Lite, in the report's colours; the rows come from the page as ``rows``.

Colours are names of the style sheet's variables, so that one drawing serves light, dark and
paper. Days are UTC. Lines are named at their end, not in a legend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

HEIGHT_PIXELS = 300
GAP_DAYS = 14
LABEL_GAP = 0.062
"""Least distance of two names at the lines' ends, as a part of the chart's height."""

COLOURS = {
    "large": "var(--large)",
    "mid": "var(--mid)",
    "small": "var(--small)",
    "top100": "var(--ink)",
    "top100_ex_btc": "var(--ink)",
    "large_ex_btc": "var(--large)",
    "large_capped": "var(--large)",
    "small_equal": "var(--small)",
    "small_capped": "var(--small)",
    "bitcoin": "var(--bitcoin)",
    "RUT": "var(--equity)",
    "IWM": "var(--equity)",
}
NAMES = {
    "large": "Large",
    "mid": "Mid",
    "small": "Small",
    "top100": "Top 100",
    "top100_ex_btc": "Top 100 without Bitcoin",
    "large_ex_btc": "Large without Bitcoin",
    "large_capped": "Large, capped",
    "small_equal": "Small, equal weights",
    "small_capped": "Small, capped",
    "bitcoin": "Bitcoin",
    "RUT": "Russell 2000",
    "IWM": "Russell 2000 fund",
}
_OTHERS = (
    "var(--ink)",
    "var(--large)",
    "var(--small)",
    "var(--mid)",
    "var(--equity)",
    "var(--bitcoin)",
)
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True)
class Series:
    """How the lines of a chart are told apart.

    Attributes:
        column: The column that names the series, or None with a single one.
        order: The series, first drawn first.
        names: What each is called at its end.
        colours: A colour for each.
    """

    column: str | None
    order: Sequence[str]
    names: Mapping[str, str]
    colours: Mapping[str, str]


def series_of(frame: pd.DataFrame, column: str, order: Sequence[str] | None = None) -> Series:
    """Return the series of a frame with their names and colours."""
    present = list(dict.fromkeys(frame[column]))
    kept = [each for each in order if each in present] if order else present
    free = iter(_OTHERS * (1 + len(kept) // len(_OTHERS)))
    return Series(
        column,
        kept,
        {each: NAMES.get(each, str(each).replace("_", " ")) for each in kept},
        {each: COLOURS[each] if each in COLOURS else next(free) for each in kept},
    )


def single(name: str, colour: str) -> Series:
    """Return the only series of a chart."""
    return Series(None, [name], {name: name}, {name: colour})


def time_axis(column: str, title: str | None = None) -> alt.X:
    """Return a horizontal axis of UTC days."""
    return alt.X(
        f"{column}:T",
        title=title,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(grid=False, tickCount=6, labelOverlap=True),
    )


def value_axis(
    column: str,
    axis_format: str,
    *,
    is_log: bool = False,
    zero: bool = False,
    domain: Sequence[float] | None = None,
) -> alt.Y:
    """Return a vertical axis; ``axis_format`` is d3's, such as ``,.0f`` or ``.0%``."""
    scale = (
        alt.Scale(type="log", nice=False, domain=list(domain) if domain else alt.Undefined)
        if is_log
        else alt.Scale(zero=zero, nice=True)
    )
    return alt.Y(
        f"{column}:Q",
        title=None,
        scale=scale,
        axis=axis_of(axis_format, domain=False, ticks=False, labelPadding=6),
    )


def axis_of(axis_format: str, **options: Any) -> alt.Axis:
    """Return an axis in d3's format, with m, bn and tn where d3 writes M, G and T."""
    if axis_format.endswith("s"):
        options["labelExpr"] = (
            "replace(replace(replace(datum.label, 'M', ' m'), 'G', ' bn'), 'T', ' tn')"
        )
    return alt.Axis(format=axis_format, tickCount=5, **options)


def lines(
    frame: pd.DataFrame,
    x: str,
    y: str,
    series: Series,
    axis_format: str,
    *,
    is_log: bool = False,
    zero: bool = False,
    spans: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    band: tuple[str, str] | None = None,
    rule: float | None = None,
) -> dict[str, Any]:
    """Return a chart of one or more lines over days.

    Args:
        frame: The rows that are drawn; none of ``y`` is missing.
        x: Column of the day.
        y: Column of the value.
        series: How lines are told apart.
        axis_format: d3's format of the vertical axis.
        is_log: Whether equal steps are equal ratios.
        zero: Whether the axis begins at 0.
        spans: Spans to shade: ``first_date``, ``last_date``, ``word``.
        events: Days to mark: ``event_date``, ``word``.
        band: Columns of an interval around the line.
        rule: A value that means something, such as 0 or 1.
    """
    layers: list[Any] = []
    first, last = frame[x].min(), frame[x].max()
    if spans is not None and not spans.empty:
        layers += _span_layers(spans, first, last)
    if events is not None:
        layers += _event_layers(
            events[(events["event_date"] >= first) & (events["event_date"] <= last)]
        )
    base = alt.Chart(alt.NamedData("rows"))
    if rule is not None:
        layers.append(
            alt.Chart(_inline([{"value": rule}]))
            .mark_rule(color="var(--quiet)", strokeWidth=1, aria=False)
            .encode(y=alt.Y("value:Q"))
        )
    colour = _colour(series)
    if band is not None:
        layers.append(
            base.mark_area(opacity=0.18, aria=False, line=False).encode(
                x=time_axis(x), y=value_axis(band[0], axis_format), y2=f"{band[1]}:Q", color=colour
            )
        )
    domain = log_domain(frame[y]) if is_log else None
    height = value_axis(y, axis_format, is_log=is_log, zero=zero, domain=domain)
    line = base.mark_line(strokeWidth=1.7, aria=False).encode(
        x=time_axis(x), y=height, color=colour
    )
    layers.append(line)
    if len(frame) <= 2 * len(series.order):
        layers.append(
            base.mark_point(filled=True, size=50, opacity=1, aria=False).encode(
                x=time_axis(x), y=height, color=colour
            )
        )
    layers.append(_end_labels(frame, x, y, series, is_log=is_log))
    return finish(alt.layer(*layers))


def stacked(
    frame: pd.DataFrame, x: str, y: str, part: str, order: Sequence[str], colours: Sequence[str]
) -> dict[str, Any]:
    """Return shares of a whole over days, the first of ``order`` at the bottom."""
    ranked = frame.assign(place=frame[part].map({name: i for i, name in enumerate(order)}))
    last = ranked[ranked[x] == ranked[x].max()].sort_values("place")
    ends = (last[y].cumsum() - last[y] / 2).tolist()
    labels = [
        {"day": _iso(day), "at": end, "word": name}
        for day, end, name, share in zip(last[x], ends, last[part], last[y], strict=True)
        if share >= LABEL_GAP
    ]
    area = (
        alt.Chart(alt.NamedData("rows"))
        .mark_area(aria=False)
        .encode(
            x=time_axis(x),
            y=alt.Y(
                f"{y}:Q",
                stack="zero",
                title=None,
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False),
            ),
            color=alt.Color(
                f"{part}:N", scale=alt.Scale(domain=list(order), range=list(colours)), legend=None
            ),
            order=alt.Order("place:Q"),
        )
    )
    names = (
        alt.Chart(_inline(labels))
        .mark_text(align="left", dx=6, fontSize=11.5, color="var(--ink)", clip=False, aria=False)
        .encode(x=time_axis("day"), y="at:Q", text="word:N")
    )
    return finish(alt.layer(area, names))


def bars(
    frame: pd.DataFrame, category: str, value: str, axis_format: str, *, row_pixels: int = 22
) -> dict[str, Any]:
    """Return horizontal bars in the frame's order, blue to the right of 0 and orange left of it."""
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_bar(aria=False, height={"band": 0.72})
        .encode(
            x=alt.X(
                f"{value}:Q",
                title=None,
                axis=axis_of(axis_format, domain=False),
            ),
            y=alt.Y(
                f"{category}:N",
                sort=None,
                title=None,
                axis=alt.Axis(domain=False, ticks=False, labelLimit=150, labelPadding=6),
            ),
            color=alt.condition(
                f"datum['{value}'] < 0", alt.value("var(--down)"), alt.value("var(--up)")
            ),
        )
    )
    return finish(chart, height=max(60, row_pixels * len(frame)))


def finish(chart: Any, height: int = HEIGHT_PIXELS, right: int = 96) -> dict[str, Any]:
    """Return the specification with the house's size, fonts and quiet axes."""
    configured = (
        chart.properties(
            width="container",
            height=height,
            background="transparent",
            padding={"left": 4, "top": 32, "right": right, "bottom": 4},
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="var(--soft)",
            titleColor="var(--soft)",
            gridColor="var(--line)",
            domainColor="var(--quiet)",
            tickColor="var(--quiet)",
            labelFontSize=11.5,
            titleFontSize=11.5,
            titleFontWeight="normal",
        )
        .configure(font=_FONT)
    )
    found: dict[str, Any] = configured.to_dict()
    return found


def with_gaps(
    rows: pd.DataFrame, x: str, y: str, series: str | None, most_days: int = GAP_DAYS
) -> pd.DataFrame:
    """Return rows with one without a value in every gap, so that a line is broken there.

    Args:
        rows: Rows of days, each series in order.
        x: Column of the day.
        y: Column of the value.
        series: Column that names the series, or None.
        most_days: Days without a row that are no gap yet, such as those between two weeks.
    """
    before = rows[x].shift() if series is None else rows.groupby(series, sort=False)[x].shift()
    is_after_gap = (rows[x] - before) > pd.Timedelta(days=most_days)
    holes = rows.loc[is_after_gap, [x] if series is None else [x, series]]
    holes = holes.assign(**{x: before[is_after_gap] + pd.Timedelta(days=1)})
    if holes.empty:
        return rows
    joined = pd.concat(
        [
            rows.assign(_place=range(len(rows))),
            holes.assign(_place=[place - 0.5 for place in is_after_gap.to_numpy().nonzero()[0]]),
        ]
    )
    return joined.sort_values("_place").drop(columns="_place").reset_index(drop=True)


def log_domain(values: pd.Series) -> tuple[float, float]:
    """Return the ends of a logarithmic axis: the values', and 5 % of their span beyond."""
    known = values[values > 0].dropna()
    low, high = math.log(float(known.min())), math.log(float(known.max()))
    margin = 0.05 * (high - low) or 0.1
    return math.exp(low - margin), math.exp(high + margin)


def spread_labels(values: Sequence[float], low: float, high: float, *, is_log: bool) -> list[float]:
    """Return where names of lines are written, so that none covers another.

    Args:
        values: The lines' ends; more than 0 with ``is_log``.
        low: Least value of the axis.
        high: Greatest value of the axis.
        is_log: Whether the axis is logarithmic.

    Returns:
        A value for each, in the order given, moved as little as a sweep from below needs.
    """
    to = math.log if is_log else float
    back = math.exp if is_log else float
    gap = LABEL_GAP * ((to(high) - to(low)) or 1.0)
    order = sorted(range(len(values)), key=lambda place: values[place])
    places: list[float] = []
    for index in order:
        at = to(values[index])
        places.append(max(at, places[-1] + gap) if places else at)
    over = max(0.0, places[-1] - max(to(high), to(values[order[-1]]))) if places else 0.0
    for position in range(len(places) - 1, -1, -1):
        ceiling = places[position + 1] - gap if position + 1 < len(places) else places[-1] - over
        places[position] = min(places[position], ceiling)
    found = [0.0] * len(values)
    for position, index in enumerate(order):
        found[index] = back(places[position])
    return found


def _end_labels(frame: pd.DataFrame, x: str, y: str, series: Series, *, is_log: bool) -> Any:
    ends = []
    for name in series.order:
        rows = frame if series.column is None else frame[frame[series.column] == name]
        rows = rows[rows[y].notna()]
        if not rows.empty:
            ends.append((name, rows.iloc[-1]))
    values = [float(row[y]) for _, row in ends]
    known = frame[y][frame[y] > 0] if is_log else frame[y]
    places = spread_labels(values, float(known.min()), float(known.max()), is_log=is_log)
    last = frame[x].max()
    labels = [
        {"day": _iso(last), "at": at, "word": series.names[name], "colour": series.colours[name]}
        for (name, _), at in zip(ends, places, strict=True)
    ]
    return (
        alt.Chart(_inline(labels))
        .mark_text(align="left", dx=6, fontSize=12, fontWeight=600, clip=False, aria=False)
        .encode(
            x=time_axis("day"),
            y=alt.Y("at:Q"),
            text="word:N",
            color=alt.Color("colour:N", scale=None, legend=None),
        )
    )


def _span_layers(spans: pd.DataFrame, first: Any, last: Any) -> list[Any]:
    rows = [
        {
            "from": _iso(max(row.first_date, first)),
            "to": _iso(min(row.last_date, last)),
            "word": row.word,
            "shade": place % 2,
        }
        for place, row in enumerate(spans.itertuples())
        if row.first_date <= last and row.last_date >= first
    ]
    data = _inline(rows)
    shade = (
        alt.Chart(data)
        .mark_rect(aria=False)
        .encode(
            x=time_axis("from"),
            x2="to:T",
            color=alt.condition(
                "datum.shade == 1", alt.value("var(--shade)"), alt.value("transparent")
            ),
        )
    )
    words = (
        alt.Chart(data)
        .mark_text(
            align="left", baseline="bottom", dx=4, fontSize=11, color="var(--soft)", aria=False
        )
        .encode(x=time_axis("from"), y=alt.value(HEIGHT_PIXELS - 4), text="word:N")
    )
    return [shade, words]


def _event_layers(events: pd.DataFrame) -> list[Any]:
    if events.empty:
        return []
    rows = [
        {"day": _iso(row.event_date), "word": row.word, "height": -4 - 12 * (place % 2)}
        for place, row in enumerate(events.itertuples())
    ]
    data = _inline(rows)
    rules = (
        alt.Chart(data)
        .mark_rule(color="var(--quiet)", strokeDash=[2, 3], aria=False)
        .encode(x=time_axis("day"))
    )
    words = (
        alt.Chart(data)
        .mark_text(
            align="left", baseline="bottom", dx=-2, fontSize=11, color="var(--soft)", aria=False
        )
        .encode(
            x=time_axis("day"),
            y=alt.Y("height:Q", scale=None, axis=None),
            text="word:N",
        )
    )
    return [rules, words]


def _colour(series: Series) -> Any:
    if series.column is None:
        return alt.value(series.colours[series.order[0]])
    return alt.Color(
        f"{series.column}:N",
        scale=alt.Scale(
            domain=list(series.order), range=[series.colours[name] for name in series.order]
        ),
        legend=None,
    )


def _inline(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _iso(day: Any) -> str:
    return pd.Timestamp(day).strftime("%Y-%m-%d")
