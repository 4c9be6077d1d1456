"""Today at a glance."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Column, Page, Table, Tile, Tiles, Words
from pipeline.report.figures import (
    change,
    day,
    direction,
    is_known,
    number,
    percent,
    plural,
    rank_in_words,
    words,
)
from pipeline.report.pages.shared import (
    SEGMENTS,
    events,
    last_row,
    line_chart,
    regimes,
    shown_or_missing,
)
from pipeline.report.reading import Reader

SPARK_DAYS = 90
TRAIL_DAYS = 10
MIN_COVERED_FRACTION = 0.5
"""Weight of small coins with a price of the day, below which no sentence is about the day."""
PILLARS = {
    "relative_strength_score": "Relative strength",
    "positioning_score": "Positioning",
    "stress_score": "Stress",
    "cross_asset_score": "Equity markets",
    "external_score": "As others publish it",
}


def today(reader: Reader) -> Page:
    """Return the first page."""
    return Page(
        "index",
        "Today",
        lead_sentence(reader),
        [
            _tiles(reader),
            size_ratio_chart(reader),
            _appetite(reader),
            _pillars(reader),
            _state_changes(reader),
            _health(reader),
        ],
        menu="Today",
    )


def lead_sentence(reader: Reader) -> str:
    """Return the day in one sentence, or what is missing for it."""
    ratio = reader.row("size_ratio")
    small = last_row(reader.rows("index_today"), index_id="small")
    if not ratio or not small or not is_known(small["return_1d_fraction"]):
        return (
            "There are no index levels of small and large coins yet: reviews are monthly and want "
            "90 days of prices. Load history with tidemark import."
        )
    covered = float(small["coverage_fraction"])
    if covered < MIN_COVERED_FRACTION:
        return (
            f"Only {percent(covered, 0)} of the weight of small caps has a price of "
            f"{day(small['market_date'])}, so their level mostly repeats older ones."
        )
    moved = float(small["return_1d_fraction"])
    what = (
        "were unchanged"
        if moved == 0
        else f"{'rose' if moved > 0 else 'fell'} {percent(abs(moved))}"
    )
    trailed, counted = _trailing_days(reader.rows("level"))
    where = rank_in_words(float(ratio["percentile_since_base_pct"]))
    return (
        f"Small caps {what} on {day(small['market_date'])}; they trailed large caps on "
        f"{trailed} of "
        f"the last {counted} days, and small over large is {where} since the base day."
    )


def _trailing_days(levels: pd.DataFrame) -> tuple[int, int]:
    wide = levels.pivot(index="market_date", columns="index_id", values="level")
    returns = wide[["small", "large"]].pct_change(fill_method=None).dropna().tail(TRAIL_DAYS)
    return int((returns["small"] < returns["large"]).sum()), len(returns)


def _tiles(reader: Reader) -> Block:
    levels = reader.rows("level")

    def draw(frame: pd.DataFrame) -> Block:
        tiles = []
        for index_id in SEGMENTS:
            row = last_row(frame, index_id=index_id)
            if row:
                tiles.append(_tile(row, levels[levels["index_id"] == index_id]))
        return Tiles("tiles", "Levels", tiles)

    return shown_or_missing(
        "tiles",
        "Levels",
        reader.rows("index_today"),
        "No index has a level yet; the house indices want 90 days of prices.",
        draw,
    )


def _tile(row: dict[str, Any], levels: pd.DataFrame) -> Tile:
    facts = [
        (label, change(row[column]), direction(row[column]))
        for label, column in (
            ("1 day", "return_1d_fraction"),
            ("30 days", "return_30d_fraction"),
            ("this year", "return_ytd_fraction"),
            ("below high", "drawdown_fraction"),
        )
    ]
    stale = row["stale_weight_fraction"]
    return Tile(
        label=str(row["title"]),
        figure=number(row["level"]),
        facts=facts,
        history=[float(v) for v in levels["level"].tail(SPARK_DAYS)],
        link=f"index-{row['index_id']}.html",
        colour=drawing.COLOURS[row["index_id"]],
        note=(
            f"{percent(stale)} of its weight has an older price"
            if is_known(stale) and stale
            else ""
        ),
    )


def size_ratio_chart(reader: Reader) -> Block:
    """Return small over large since the base day."""

    def draw(frame: pd.DataFrame) -> Block:
        last = last_row(frame)
        where = rank_in_words(float(last["percentile_since_base_pct"]))
        drawn = frame[["market_date", "ratio", "percentile_since_base_pct"]]
        series = drawing.single("Small / large", "var(--small)")
        common: dict[str, Any] = {
            "spans": regimes(reader),
            "events": events(reader),
            "rule": 1.0,
        }
        return line_chart(
            "size_ratio",
            f"Small over large stands at {number(last['ratio'])}, {where}",
            "Level of small over level of large, 1 on the base day; logarithmic",
            drawn,
            f"From {number(frame['ratio'].iloc[0])} on {day(frame['market_date'].iloc[0])} to "
            f"{number(last['ratio'])} on {day(last['market_date'])}; lowest "
            f"{number(frame['ratio'].min())}, highest {number(frame['ratio'].max())}.",
            reader.origin("size_ratio", "market_daily", signal_id="S03", entity="small_over_large"),
            x="market_date",
            y="ratio",
            series=series,
            axis_format=",.2f",
            read_format=",.3f",
            has_log_switch=True,
            **common,
        )

    return shown_or_missing(
        "size_ratio",
        "Small over large",
        reader.rows("size_ratio").dropna(subset=["ratio"]),
        "It needs levels of both indices.",
        draw,
    )


def _appetite(reader: Reader) -> Block:
    def draw(frame: pd.DataFrame) -> Block:
        last = last_row(frame)
        drawn = frame[
            ["market_date", "composite_score", "composite_low_score", "composite_high_score"]
        ]
        return line_chart(
            "appetite",
            f"Appetite for risk is {number(last['composite_score'], 0)} of 100: "
            f"{words(last['state'])}",
            "Composite of five pillars, 0 to 100; the band is its range when one pillar is "
            "left out",
            drawn,
            f"{number(last['composite_score'], 1)} on {day(last['market_date'])}, between "
            f"{number(last['composite_low_score'], 1)} and "
            f"{number(last['composite_high_score'], 1)} "
            "when a pillar is left out.",
            reader.origin(
                "appetite", "market_daily", "positioning_daily", "sentiment_daily", signal_id="S31"
            ),
            x="market_date",
            y="composite_score",
            series=drawing.single("Appetite", "var(--ink)"),
            axis_format=",.0f",
            read_format=",.1f",
            band=("composite_low_score", "composite_high_score"),
            events=events(reader),
            rule=50.0,
        )

    return shown_or_missing(
        "appetite",
        "Appetite for risk",
        reader.rows("appetite").dropna(subset=["composite_score"]),
        "The composite needs at least two pillars with enough history.",
        draw,
    )


def _pillars(reader: Reader) -> Block:
    def draw(frame: pd.DataFrame) -> Block:
        last = last_row(frame)
        parts = pd.DataFrame(
            [
                {"pillar": label, "score": float(last[column]) - 50}
                for column, label in PILLARS.items()
                if is_known(last[column])
            ]
        )
        absent = [label for column, label in PILLARS.items() if not is_known(last[column])]
        missing = f" Missing: {', '.join(absent)}." if absent else ""
        parts_text = ", ".join(
            f"{pillar} {number(score + 50, 0)}"
            for pillar, score in zip(parts["pillar"], parts["score"], strict=True)
        )
        unserved = last["missing_components"]
        without = f" Without: {unserved}." if is_known(unserved) else ""
        return Chart(
            "pillars",
            f"{plural(len(parts), 'pillar')} of 5 {'speaks' if len(parts) == 1 else 'speak'} today",
            "Each pillar's score less 50: right is more appetite than usual, left "
            f"less.{missing}{without}",
            drawing.bars(parts, "pillar", "score", "+,.0f"),
            parts,
            f"{parts_text}.{missing}{without}",
            reader.origin("appetite", signal_id="S31"),
        )

    frame = reader.rows("appetite").dropna(subset=["composite_score"])
    return shown_or_missing(
        "pillars", "The five pillars", frame, "There is no composite to take apart yet.", draw
    )


def _state_changes(reader: Reader) -> Block:
    frame = reader.rows("state_change")
    if frame.empty:
        return Words(
            "state_change",
            "What changed state since the day before",
            [f"No signal changed its state on {reader.last_day}."],
        )
    return Table(
        "state_change",
        f"{plural(len(frame), 'signal')} changed state on {reader.last_day}",
        "State the day before and now; the value is in the signal's own unit",
        [
            Column("signal_id", "Signal", "signal"),
            Column("title", "What it is"),
            Column("entity", "Of", "words"),
            Column("state_before", "Before", "words"),
            Column("state", "Now", "words"),
            Column("value", "Value", "number"),
            Column("unit", "Unit"),
        ],
        frame,
        reader.origin("state_change"),
        most_rows=40,
    )


def _health(reader: Reader) -> Block:
    about = reader.row("about")
    late = reader.rows("freshness")
    late = late[late["is_due"] & ~late["state"].isin(["fresh", "not_due"])]
    failed = reader.rows("audit_failed")
    degraded = about.get("degraded_feeds")
    sentences = [
        f"Missing last night: {degraded}."
        if is_known(degraded)
        else "No feed was missing last night.",
        f"{plural(len(late), 'source')} that {'is' if len(late) == 1 else 'are'} due "
        f"{'is' if len(late) == 1 else 'are'} not fresh."
        if len(late)
        else "Every source that is due is fresh.",
        f"{plural(len(failed), 'audit')} did not pass; none of them critical, or this file would "
        "not be here."
        if len(failed)
        else "Every audit of the file passed.",
    ]
    return Words("health", "Data health", [" ".join(sentences), "More on the page Data."])
