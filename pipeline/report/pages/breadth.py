"""Breadth, drawdowns by segment, altcoin season."""

from __future__ import annotations

import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Column, Page, Table
from pipeline.report.figures import day, dollars, number, percent, plural, words
from pipeline.report.pages.shared import SEGMENTS, events, last_row, line_chart, shown_or_missing
from pipeline.report.reading import Reader

BUCKETS = ("0-20 %", "20-50 %", "50-80 %", "80-90 %", "90-100 %")
_SHADES = ("var(--deep1)", "var(--deep2)", "var(--deep3)", "var(--deep4)", "var(--deep5)")
VARIANTS = {
    "top50_90d": "Top 50, 90 days",
    "top100_90d": "Top 100, 90 days",
    "top50_90d_lagged": "Top 50, members of 90 days ago",
    "top100_90d_cap_weighted": "Top 100, by cap",
}
NO_PRICES = "It needs constituents with prices of 90 days and more."


def breadth(reader: Reader) -> Page:
    """Return the page of breadth and drawdowns."""
    shares = reader.rows("breadth")
    seasons = reader.rows("altcoin_season")
    return Page(
        "breadth",
        "Breadth and drawdown",
        _lead(reader),
        [
            shown_or_missing(
                "breadth",
                "Coins that beat Bitcoin",
                shares[shares["index_id"].isin(SEGMENTS)],
                NO_PRICES,
                lambda rows: _beating(reader, rows),
            ),
            *(_buckets(reader, segment) for segment in SEGMENTS),
            shown_or_missing(
                "drawdown_coin",
                "Coins furthest below their highs",
                reader.rows("drawdown_coin"),
                NO_PRICES,
                lambda rows: _coins(reader, rows),
            ),
            shown_or_missing(
                "market_event",
                "Crashes",
                reader.rows("market_event"),
                "No day of the history counts as a crash.",
                lambda rows: _crashes(reader, rows),
            ),
            shown_or_missing(
                "altcoin_season",
                "Altcoin season",
                seasons[seasons["variant_id"].isin(VARIANTS)],
                NO_PRICES,
                lambda rows: _season(reader, rows),
            ),
        ],
        menu="Breadth",
    )


def _lead(reader: Reader) -> str:
    row = last_row(reader.rows("breadth"), index_id="small")
    deep = reader.rows("drawdown_bucket")
    deep = deep[(deep["index_id"] == "small") & deep["bucket"].isin(BUCKETS[3:])]
    if not row or deep.empty:
        return "Breadth needs constituents with prices of 90 days and more."
    newest = deep[deep["market_date"] == deep["market_date"].max()]
    return (
        f"{percent(row['beating_btc_90d_fraction'], 0)} of the small coins beat Bitcoin over "
        "90 days, "
        f"and {percent(newest['coin_fraction'].sum(), 0)} are 80 % or more below their high."
    )


def _beating(reader: Reader, rows: pd.DataFrame) -> Chart:
    series = drawing.series_of(rows, "index_id", SEGMENTS)
    drawn = rows[["market_date", "index_id", "beating_btc_90d_fraction"]]
    ends = ", ".join(
        f"{percent(last_row(rows, index_id=each)['beating_btc_90d_fraction'], 0)} of "
        f"{series.names[each].lower()}"
        for each in series.order
    )
    return line_chart(
        "breadth",
        f"Beating Bitcoin over 90 days: {ends}",
        "Share of an index's coins whose return of 90 days is above Bitcoin's",
        drawn,
        f"On {day(rows['market_date'].max())}: {ends}.",
        reader.origin("breadth", "market_daily", signal_id="S07"),
        x="market_date",
        y="beating_btc_90d_fraction",
        series=series,
        axis_format=".0%",
        read_format=".0%",
        events=events(reader),
        rule=0.5,
    )


def _buckets(reader: Reader, segment: str) -> Block:
    frame = reader.rows("drawdown_bucket")
    frame = frame[frame["index_id"] == segment]
    name = drawing.NAMES[segment]

    def draw(rows: pd.DataFrame) -> Block:
        last = rows[rows["market_date"] == rows["market_date"].max()]
        share = dict(zip(last["bucket"], last["coin_fraction"], strict=True))
        places = {bucket: place for place, bucket in enumerate(BUCKETS)}
        drawn = rows[["market_date", "bucket", "coin_fraction"]].assign(
            place=rows["bucket"].map(places)
        )
        parts = ", ".join(f"{bucket}: {percent(share.get(bucket), 0)}" for bucket in BUCKETS)
        return Chart(
            f"drawdown_{segment}",
            f"{name}: {percent(share.get('80-90 %'), 0)} of coins are 80-90 % below their high, "
            f"{percent(share.get('90-100 %'), 0)} more than that",
            f"Share of the {plural(int(last['observed_count'].max()), 'coin')} by how far each is "
            "below its high so far; a value a week",
            drawing.stacked(drawn, "market_date", "coin_fraction", "bucket", BUCKETS, _SHADES),
            drawn,
            f"On {day(rows['market_date'].max())}, {parts}.",
            reader.origin("drawdown_bucket", "market_daily", signal_id="S26", entity=segment),
        )

    return shown_or_missing(
        f"drawdown_{segment}",
        f"{name}: drawdowns",
        frame.dropna(subset=["coin_fraction"]),
        NO_PRICES,
        draw,
    )


def _coins(reader: Reader, rows: pd.DataFrame) -> Table:
    deep = int((rows["drawdown_fraction"] <= -0.8).sum())
    return Table(
        "drawdown_coin",
        f"{deep} of {plural(len(rows), 'coin')} with a price today are 80 % or more below "
        "their high",
        "Constituents of the house segments; the high is the highest close that we have",
        [
            Column("coin_name", "Coin"),
            Column("index_id", "Segment", "words"),
            Column("drawdown_fraction", "Below high", "percent"),
            Column("high_date", "High on", "day"),
            Column("market_cap_usd", "Market cap", "dollars"),
        ],
        rows,
        reader.origin("drawdown_coin", "market_daily", signal_id="S26"),
        most_rows=30,
    )


def _crashes(reader: Reader, rows: pd.DataFrame) -> Table:
    worst = rows.sort_values("max_loss_1d_usd").iloc[-1]
    return Table(
        "market_event",
        f"{plural(len(rows), 'crash', 'crashes')}; the dearest day cost "
        f"{dollars(worst['max_loss_1d_usd'])}, in the one of {day(worst['start_date'])}",
        "Days on which the worth of the top 100 broke down, newest first; a day may be one for its "
        "fall, its liquidations or its open interest",
        [
            Column("start_date", "Began", "day"),
            Column("max_loss_1d_fraction", "Worst day", "change"),
            Column("max_loss_1d_usd", "Lost that day", "dollars"),
            Column("trough_fraction", "To the trough", "change"),
            Column("trough_loss_usd", "Lost to the trough", "dollars"),
            Column("recovered_date", "Recovered", "day"),
            Column("days_to_recover", "Days to recover", "whole"),
            Column("state", "State", "words"),
        ],
        rows,
        reader.origin("market_event", "market_daily", signal_id="S10"),
        most_rows=30,
    )


def _season(reader: Reader, rows: pd.DataFrame) -> Chart:
    series = drawing.Series(
        "variant_id",
        [each for each in VARIANTS if each in set(rows["variant_id"])],
        {each: VARIANTS[each] for each in VARIANTS},
        dict(
            zip(VARIANTS, ("var(--ink)", "var(--large)", "var(--mid)", "var(--small)"), strict=True)
        ),
    )
    drawn = rows[["market_date", "variant_id", "altcoin_season_score"]]
    last = last_row(rows, variant_id=series.order[0])
    return line_chart(
        "altcoin_season",
        f"{number(last['altcoin_season_score'], 0)} of 100: {words(last['state'])}",
        "Share of the largest coins that beat Bitcoin, 0 to 100, in four ways of counting; "
        "above 75 "
        "is called altcoin season, below 25 Bitcoin season",
        drawn,
        ", ".join(
            f"{VARIANTS[each]}: "
            f"{number(last_row(rows, variant_id=each)['altcoin_season_score'], 0)}"
            for each in series.order
        )
        + ".",
        reader.origin("altcoin_season", "market_daily", signal_id="S29"),
        x="market_date",
        y="altcoin_season_score",
        series=series,
        axis_format=",.0f",
        read_format=",.0f",
        events=events(reader),
        rule=75.0,
    )
