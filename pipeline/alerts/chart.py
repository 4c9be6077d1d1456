"""The one picture of a mail: rows of a dataset night by night, or the level of an index."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from pipeline.alerts.mail import Chart
from pipeline.alerts.problem import Problem
from pipeline.alerts.state import Change
from pipeline.journal import Journal
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

NIGHTS_SHOWN = 30
LEVEL_DAYS_SHOWN = 90
WIDTH_PIXELS, HEIGHT_PIXELS, SCALE = 480, 170, 2
LABEL_POINTS, TITLE_POINTS = 13, 15
_INK, _MARK, _QUIET = "#24292f", "#b3261e", "#57606a"

Points = Sequence[tuple[date, float]]


def draw_for(settings: Settings, changes: Sequence[Change], night: date) -> Chart | None:
    """Return the picture that helps with the worst problem of a mail, or None.

    A mail goes out without its picture rather than not at all: whatever keeps the picture
    from being drawn is logged.

    Args:
        settings: Where the journal and the published file are.
        changes: What the mail tells, worst first.
        night: The UTC day that it is about, which the picture marks.
    """
    opened = [change for change in changes if change.transition != "recovered"]
    try:
        for change in opened:
            chart = _rows_chart(settings, change.record.problem, night)
            if chart is not None:
                return chart
        return level_chart(settings, night) if opened else None
    except Exception:
        logger.exception("the mail about %s goes without its chart", night)
        return None


def _rows_chart(settings: Settings, problem: Problem, night: date) -> Chart | None:
    if problem.dataset is None:
        return None
    counts = _rows_by_night(settings, problem.dataset, night)
    if len(counts) < 3:
        return None
    # A night that is not in the journal has loaded nothing.
    points = [(day, float(counts.get(day, 0))) for day in _days(min(counts), night)]
    last = [f"{int(count):,}" for _, count in points[-5:]]
    return Chart(
        draw(points, night, f"Rows of {problem.dataset} that were stored, night by night", "bar"),
        f"Rows of {problem.dataset} stored on the last {len(last)} nights up to {night}: "
        + ", ".join(last),
    )


def _rows_by_night(settings: Settings, dataset: str, night: date) -> dict[date, int]:
    first = night - timedelta(days=NIGHTS_SHOWN - 1)
    latest: dict[tuple[date, str], tuple[Any, int]] = {}
    for row in Journal(settings.journal_dir).since("load_result", dataset, first):
        if row["dataset"] != dataset or not first <= row["market_date"] <= night:
            continue
        count = sum(int(row[f"{kind}_count"]) for kind in ("added", "revised", "unchanged"))
        key = (row["market_date"], row["source"])
        if key not in latest or row["loaded_at"] >= latest[key][0]:
            latest[key] = (row["loaded_at"], count)
    counts: dict[date, int] = {}
    for (day, _), (_, count) in latest.items():
        counts[day] = counts.get(day, 0) + count
    return counts


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def level_chart(settings: Settings, night: date) -> Chart | None:
    """Return the level of the top 100 up to the newest published day, or None without any."""
    from pipeline.database import open_read_only

    if not settings.published_file.exists():
        return None
    with open_read_only(settings.published_file) as connection:
        rows = connection.execute(
            """
            select market_date, level
            from indices.index_level_daily
            where profile = 'house' and index_id = 'top100'
                and market_date > (select max(market_date) from indices.index_level_daily) - ?
            order by market_date
            """,
            [LEVEL_DAYS_SHOWN],
        ).fetchall()
    if len(rows) < 3:
        return None
    rows = [(day, float(level)) for day, level in rows]
    first, last = rows[0], rows[-1]
    return Chart(
        draw(rows, night, "Level of the top 100 (house), as published", "line"),
        f"Level of the top 100 from {first[1]:,.2f} on {first[0]} to {last[1]:,.2f} on {last[0]}",
    )


def draw(points: Points, marked: date, title: str, mark: str) -> bytes:
    """Return a PNG of one series with one day marked; it needs no browser and no network.

    Args:
        points: Day and value, oldest first.
        marked: The day to mark; it may lie outside of the series.
        title: One line above it.
        mark: ``bar`` or ``line``.
    """
    import vl_convert

    png: bytes = vl_convert.vegalite_to_png(specification(points, marked, title, mark), scale=SCALE)
    return png


def specification(points: Points, marked: date, title: str, mark: str) -> dict[str, Any]:
    """Return the Vega-Lite specification of ``draw``."""
    import altair

    rows = [
        {"day": day.isoformat(), "value": value, "is_marked": day == marked}
        for day, value in points
    ]
    day = altair.X(
        "day:T",
        title=None,
        axis=altair.Axis(
            format="%d %b", labelColor=_QUIET, labelFontSize=LABEL_POINTS, grid=False, tickCount=5
        ),
    )
    value = altair.Y(
        "value:Q",
        title=None,
        scale=altair.Scale(zero=mark == "bar"),
        axis=altair.Axis(
            labelColor=_QUIET,
            labelFontSize=LABEL_POINTS,
            gridColor="#e6eaef",
            domain=False,
            tickCount=4,
        ),
    )
    colour = altair.condition("datum.is_marked", altair.value(_MARK), altair.value(_INK))
    base = altair.Chart(altair.InlineData(values=rows))
    if mark == "bar":
        drawn = base.mark_bar(width=max(4, WIDTH_PIXELS // (2 * len(rows)))).encode(
            x=day, y=value, color=colour
        )
    else:
        drawn = base.mark_line(color=_INK, strokeWidth=1.5).encode(x=day, y=value)
    mark_line = (
        altair.Chart(altair.InlineData(values=[{"day": marked.isoformat()}]))
        .mark_rule(color=_MARK, strokeDash=[3, 3])
        .encode(x="day:T")
    )
    chart = altair.layer(drawn, mark_line).properties(
        width=WIDTH_PIXELS,
        height=HEIGHT_PIXELS,
        title=altair.Title(title, anchor="start", fontSize=TITLE_POINTS, color=_INK, offset=10),
        background="#ffffff",
        padding=12,
    )
    found: dict[str, Any] = chart.configure_view(stroke=None).to_dict()
    return found
