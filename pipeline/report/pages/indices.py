"""The indices together, and a page for each."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Column, Page, Table, Words
from pipeline.report.figures import change, day, is_known, number, percent, plural
from pipeline.report.pages.coming_review import coming_review
from pipeline.report.pages.shared import (
    SEGMENTS,
    events,
    last_row,
    line_chart,
    regimes,
    shown_or_missing,
)
from pipeline.report.reading import Reader

NO_LEVELS = "No index has a level yet; the house indices want 90 days of prices."


def indices(reader: Reader) -> Page:
    """Return the page of all indices."""
    frame = reader.rows("level")
    segments = frame[frame["index_id"].isin(SEGMENTS)]
    return Page(
        "indices",
        "Indices",
        _lead(reader),
        [
            shown_or_missing(
                "levels", "Levels", segments, NO_LEVELS, lambda rows: level_chart(reader, rows)
            ),
            shown_or_missing(
                "drawdowns",
                "Drawdowns",
                segments.dropna(subset=["drawdown_fraction"]),
                NO_LEVELS,
                lambda rows: _drawdowns(reader, rows),
            ),
            shown_or_missing(
                "rolling_returns",
                "Returns over a year",
                segments.dropna(subset=["return_1y_fraction"]),
                "It takes levels of more than a year.",
                lambda rows: _rolling(reader, rows),
            ),
            shown_or_missing(
                "index_today",
                "All indices",
                reader.rows("index_today"),
                NO_LEVELS,
                lambda rows: _table(reader, rows),
            ),
            shown_or_missing(
                "reconciliation",
                "Figures that others published",
                reader.rows("reconciliation").dropna(subset=["our_value"]),
                "None of the published figures falls on days that this file has.",
                lambda rows: _reconciliation(reader, rows),
            ),
        ],
        menu="Indices",
    )


def index_pages(reader: Reader) -> list[Page]:
    """Return a page for each index that has a level."""
    frame = reader.rows("index_today")
    return [_index_page(reader, dict(row)) for _, row in frame.iterrows()]


def _lead(reader: Reader) -> str:
    levels = reader.rows("level")
    large = levels[levels["index_id"] == "large"]
    small = levels[levels["index_id"] == "small"]
    if large.empty or small.empty:
        return NO_LEVELS
    gains = [float(rows["level"].iloc[-1] / rows["level"].iloc[0] - 1) for rows in (large, small)]
    told = [f"{'gained' if gain >= 0 else 'lost'} {percent(abs(gain), 0)}" for gain in gains]
    return (
        f"Since {day(large['market_date'].iloc[0])} large caps {told[0]} and small caps "
        f"{told[1]}, in "
        "US dollars."
    )


def level_chart(reader: Reader, rows: pd.DataFrame, name: str = "levels") -> Chart:
    """Return levels on a logarithmic scale, with a linear one to switch to."""
    order = [
        each for each in (*SEGMENTS, *rows["index_id"].unique()) if each in set(rows["index_id"])
    ]
    series = drawing.series_of(rows, "index_id", list(dict.fromkeys(order)))
    drawn = rows[["market_date", "index_id", "level"]]
    last = {each: last_row(rows, index_id=each) for each in series.order}
    ends = ", ".join(
        f"{series.names[each]} {number(row['level'], 0)}" for each, row in last.items()
    )
    marks: dict[str, Any] = {"spans": regimes(reader), "events": events(reader)}
    return line_chart(
        name,
        _level_finding(last, series),
        "Level, 1,000 on the base day; logarithmic, so equal steps are equal gains",
        drawn,
        f"Levels on {day(rows['market_date'].max())}: {ends}.",
        reader.origin("level", "market_daily", signal_id="S01"),
        x="market_date",
        y="level",
        series=series,
        axis_format=",.0f",
        read_format=",.1f",
        has_log_switch=True,
        **marks,
    )


def _level_finding(last: dict[str, dict[str, Any]], series: drawing.Series) -> str:
    ranked = sorted(last.items(), key=lambda item: -float(item[1]["level"]))
    if len(ranked) < 2:
        return f"{series.names[ranked[0][0]]} stands at {number(ranked[0][1]['level'], 0)}"
    (best, top), (worst, low) = ranked[0], ranked[-1]
    times = float(top["level"]) / float(low["level"]) if float(low["level"]) else float("nan")
    name, other = series.names[best], series.names[worst].lower()
    return f"{name} stands {number(times, 1)} times as high as {other}"


def _drawdowns(reader: Reader, rows: pd.DataFrame) -> Chart:
    series = drawing.series_of(rows, "index_id", SEGMENTS)
    drawn = rows[["market_date", "index_id", "drawdown_fraction"]]
    last = {each: last_row(rows, index_id=each) for each in series.order}
    ends = ", ".join(
        f"{series.names[each].lower()} {percent(row['drawdown_fraction'], 0)}"
        for each, row in last.items()
    )
    return line_chart(
        "drawdowns",
        f"Below their highs: {ends}",
        "Level over its high so far, less 1",
        drawn,
        f"On {day(rows['market_date'].max())}: {ends}.",
        reader.origin("level", "market_daily", signal_id="S01"),
        x="market_date",
        y="drawdown_fraction",
        series=series,
        axis_format=".0%",
        read_format=".1%",
        events=events(reader),
        rule=0.0,
    )


def _rolling(reader: Reader, rows: pd.DataFrame) -> Chart:
    series = drawing.series_of(rows, "index_id", SEGMENTS)
    drawn = rows[["market_date", "index_id", "return_1y_fraction"]]
    last = {each: last_row(rows, index_id=each) for each in series.order}
    ends = ", ".join(
        f"{series.names[each].lower()} {change(row['return_1y_fraction'], 0)}"
        for each, row in last.items()
    )
    return line_chart(
        "rolling_returns",
        f"Over a year: {ends}",
        "Return over the last 365 days, in US dollars",
        drawn,
        f"On {day(rows['market_date'].max())}: {ends}.",
        reader.origin("level", "market_daily", signal_id="S02"),
        x="market_date",
        y="return_1y_fraction",
        series=series,
        axis_format="+.0%",
        read_format="+.1%",
        events=events(reader),
        rule=0.0,
    )


def _table(reader: Reader, rows: pd.DataFrame) -> Table:
    return Table(
        "index_today",
        "Every index on its last day",
        "House profile; returns in US dollars; coverage is the share of weight priced on the day",
        [
            Column("index_id", "Index", "index"),
            Column("level", "Level", "number"),
            Column("return_1d_fraction", "1 day", "change"),
            Column("return_30d_fraction", "30 days", "change"),
            Column("return_ytd_fraction", "This year", "change"),
            Column("return_1y_fraction", "1 year", "change"),
            Column("drawdown_fraction", "Below high", "percent"),
            Column("low_since_date", "Lowest since", "day"),
            Column("volatility_30d_fraction", "Volatility, 30 days", "percent"),
            Column("constituent_count", "Coins", "whole"),
            Column("coverage_fraction", "Coverage", "percent"),
        ],
        rows,
        reader.origin("index_today", "market_daily"),
    )


def _reconciliation(reader: Reader, rows: pd.DataFrame) -> Table:
    within = int((rows["verdict"] == "within tolerance").sum())
    return Table(
        "reconciliation",
        f"{within} of {plural(len(rows), 'published figure')} are within tolerance of ours",
        "What providers and the press published of comparable indices, beside what we compute",
        [
            Column("provider", "Who"),
            Column("profile", "Our profile", "words"),
            Column("index_id", "Index", "words"),
            Column("metric", "Figure", "words"),
            Column("from_date", "From", "day"),
            Column("to_date", "To", "day"),
            Column("published_value", "Theirs", "number"),
            Column("our_value", "Ours", "number"),
            Column("tolerance", "Tolerance", "number"),
            Column("verdict", "Verdict"),
        ],
        rows,
        reader.origin("reconciliation", "market_daily"),
    )


def _index_page(reader: Reader, row: dict[str, Any]) -> Page:
    index_id = str(row["index_id"])
    levels = reader.rows("level")
    own = levels[levels["index_id"] == index_id]
    since = row["low_since_date"]
    low = f" It was last this low on {day(since)}." if is_known(since) else ""
    return Page(
        f"index-{index_id}",
        str(row["title"]),
        f"{row['title']}: {number(row['level'])} on {day(row['market_date'])}, "
        f"{change(row['return_1d_fraction'])} on the day, {percent(row['drawdown_fraction'], 0)} "
        f"from its high of {day(row['high_date'])}.{low}",
        [
            level_chart(reader, own, name=f"level_{index_id}"),
            _constituents(reader, index_id, row),
            _reviews(reader, index_id),
            coming_review(reader, index_id),
            _profiles(reader, index_id),
            _rules(reader, index_id),
            _restatements(reader, index_id),
        ],
    )


def _constituents(reader: Reader, index_id: str, today: dict[str, Any]) -> Block:
    rows = reader.rows("constituent")
    rows = rows[rows["index_id"] == index_id]
    heaviest = percent(rows["weight_fraction"].iloc[0]) if len(rows) else ""
    return shown_or_missing(
        f"constituents_{index_id}",
        "Constituents",
        rows,
        "The index has no constituents on its last day.",
        lambda found: Table(
            f"constituents_{index_id}",
            f"{plural(len(found), 'coin')}, the heaviest with {heaviest}",
            f"In force since {day(today['effective_date'])}; what each added to the index in per "
            "cent of its level",
            [
                Column("coin_name", "Coin", "text"),
                Column("candidate_rank", "Rank at the review", "whole"),
                Column("weight_fraction", "Weight", "percent"),
                Column("price_usd", "Price, US dollars", "price"),
                Column("contribution_1d_fraction", "Added, 1 day", "change"),
                Column("contribution_30d_fraction", "Added, 30 days", "change"),
                Column("stale_days", "Days since a price", "whole"),
            ],
            found,
            reader.origin("constituent", "market_daily"),
        ),
    )


def _reviews(reader: Reader, index_id: str) -> Block:
    rows = reader.rows("review")
    rows = rows[rows["index_id"] == index_id]

    def draw(found: pd.DataFrame) -> Block:
        held = found[found["status"] == "effective"]
        turned = percent(held["turnover_fraction"].median()) if len(held) else "none"
        return Table(
            f"reviews_{index_id}",
            f"{plural(len(held), 'review')} held, {turned} of weight turned over in the middle one",
            "Newest first; a review is not held while a coin near the top has no class, or when "
            "too few coins pass",
            [
                Column("effective_date", "In force from", "day"),
                Column("status", "Status", "words"),
                Column("constituent_count", "Coins", "whole"),
                Column("addition_count", "Added", "whole"),
                Column("removal_count", "Removed", "whole"),
                Column("turnover_fraction", "Turnover", "percent"),
                Column("additions", "Came"),
                Column("removals", "Went"),
            ],
            found,
            reader.origin("review", "market_daily", as_of=found["effective_date"].max()),
            most_rows=24,
        )

    return shown_or_missing(f"reviews_{index_id}", "Reviews", rows, "No review was due yet.", draw)


def _profiles(reader: Reader, index_id: str) -> Block:
    rows = reader.rows("profile_today")
    return Table(
        f"profiles_{index_id}",
        "The same index by other rulebooks",
        "Our own rules, and two that come close to those of index providers",
        [
            Column("profile", "Profile", "words"),
            Column("market_date", "Last day", "day"),
            Column("level", "Level", "number"),
            Column("return_30d_fraction", "30 days", "change"),
            Column("return_1y_fraction", "1 year", "change"),
            Column("drawdown_fraction", "Below high", "percent"),
        ],
        rows[rows["index_id"] == index_id],
        reader.origin("profile_today", "market_daily"),
    )


def _rules(reader: Reader, index_id: str) -> Block:
    return Table(
        f"rules_{index_id}",
        "Rules in force",
        "The house rulebook; what each rule means is in the methodology",
        [
            Column("rule", "Rule", "code"),
            Column("value", "Value", "text"),
            Column("effective_from", "Since", "day"),
            Column("version", "Version"),
        ],
        reader.rows("rule"),
        reader.origin("rule"),
    )


def _restatements(reader: Reader, index_id: str) -> Block:
    rows = reader.rows("restatement")
    rows = rows[rows["index_id"] == index_id]
    if rows.empty:
        return Words(
            f"restatements_{index_id}",
            "Restatements",
            ["No level as first published differs from what we would say today."],
        )
    return Table(
        f"restatements_{index_id}",
        f"{plural(len(rows), 'level')} would be another today",
        "What was said on the night stays said; this is by how much we would differ, and why",
        [
            Column("market_date", "Day", "day"),
            Column("level_as_published", "As published", "number"),
            Column("level_as_restated", "Today", "number"),
            Column("difference_fraction", "Difference", "change"),
            Column("cause", "Why", "words"),
        ],
        rows,
        reader.origin("restatement", "market_daily"),
    )
