"""Who is long: account ratios against cap, crowding, funding, open interest, liquidations."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Page
from pipeline.report.figures import change, day, dollars, number, percent, plural, words
from pipeline.report.pages.shared import SEGMENTS, events, last_row, line_chart, shown_or_missing
from pipeline.report.reading import Reader

NO_RATIOS = (
    "It needs long/short account ratios of enough coins on one day: the venues give the last weeks "
    "only, so the series grows night by night, or with tidemark backfill."
)
NO_VENUE = "No venue has served it yet; docs/sources.md says which can, and which key it takes."


def positioning(reader: Reader) -> Page:
    """Return the page of positioning."""
    return Page(
        "positioning",
        "Positioning",
        _lead(reader),
        [
            shown_or_missing(
                "account_ratio_coin",
                "Cap against account ratio",
                reader.rows("account_ratio_coin"),
                NO_RATIOS,
                lambda rows: _scatter(reader, rows),
            ),
            shown_or_missing(
                "rank_tilt",
                "Rank correlation over time",
                reader.rows("rank_tilt"),
                NO_RATIOS,
                lambda rows: _tilt(reader, rows),
            ),
            _segments(
                reader,
                "account_ratio",
                "median_ratio",
                "Middle account ratio",
                "Long over short accounts, the middle one of an index's coins; 1 is balanced",
                ",.1f",
                1.0,
                "S22",
            ),
            _segments(
                reader,
                "crowding",
                "crowding_score",
                "Crowding of longs",
                "0 to 100, from account ratios, open interest and funding against their own past",
                ",.0f",
                None,
                "S25",
            ),
            shown_or_missing(
                "funding",
                "Funding",
                reader.rows("funding"),
                NO_VENUE,
                lambda rows: _funding(reader, rows),
            ),
            shown_or_missing(
                "open_interest",
                "Open interest",
                reader.rows("open_interest"),
                NO_VENUE,
                lambda rows: _open_interest(reader, rows),
            ),
            shown_or_missing(
                "liquidation",
                "Liquidations",
                reader.rows("liquidation"),
                NO_VENUE,
                lambda rows: _liquidations(reader, rows),
            ),
        ],
        menu="Positioning",
    )


def _lead(reader: Reader) -> str:
    row = reader.row("rank_tilt")
    if not row:
        return "How long traders are by size of coin is not known yet: too few coins have a ratio."
    small = float(row["rank_correlation"]) < 0
    return (
        f"On {day(row['market_date'])} accounts were {'longer' if small else 'shorter'} the "
        "smaller a "
        f"coin is: rank correlation {number(row['rank_correlation'])} over "
        f"{plural(int(row['observation_count']), 'coin')}."
    )


def _scatter(reader: Reader, rows: pd.DataFrame) -> Chart:
    tilt = last_row(reader.rows("rank_tilt"), market_date=rows["market_date"].max())
    slope, low, high = (
        float(tilt[name])
        for name in ("tilt_slope_log", "tilt_slope_low_log", "tilt_slope_high_log")
    )
    drawn = rows[["coin_name", "coin_id", "segment", "market_cap_usd", "long_short_account_ratio"]]
    per_tenfold = math.exp(slope * math.log(10)) - 1
    return Chart(
        "account_ratio_coin",
        f"Ten times the cap goes with {change(per_tenfold, 0)} in the account ratio",
        "Each coin's market cap in US dollars against its long over short accounts, both "
        "logarithmic; the line is the Theil-Sen slope, the band its 95 % interval; without Bitcoin",
        _scatter_spec(drawn, slope, low, high),
        drawn,
        f"{plural(len(rows), 'coin')} on {day(rows['market_date'].max())}: slope "
        f"{number(slope, 3)} in "
        f"logs, between {number(low, 3)} and {number(high, 3)}; rank correlation "
        f"{number(tilt['rank_correlation'])}.",
        reader.origin("account_ratio_coin", "positioning_daily", "market_daily", signal_id="S23"),
        hover={"x": "market_cap_usd", "y": "long_short_account_ratio", "point": "coin_name"},
    )


def _scatter_spec(rows: pd.DataFrame, slope: float, low: float, high: float) -> dict[str, Any]:
    logs = rows[["market_cap_usd", "long_short_account_ratio"]].map(math.log)
    middle_x = float(logs["market_cap_usd"].median())
    middle_y = float(
        (logs["long_short_account_ratio"] - slope * (logs["market_cap_usd"] - middle_x)).median()
    )
    ends = (float(logs["market_cap_usd"].min()), float(logs["market_cap_usd"].max()))
    steps = [ends[0] + (ends[1] - ends[0]) * part / 24 for part in range(25)]
    fit = []
    for at in steps:
        moved = at - middle_x
        bounds = sorted(math.exp(middle_y + each * moved) for each in (low, high))
        fit.append(
            {
                "cap": math.exp(at),
                "fitted": math.exp(middle_y + slope * moved),
                "low": bounds[0],
                "high": bounds[1],
            }
        )
    line = alt.Chart(alt.InlineData(values=fit))
    cap = alt.X(
        "cap:Q",
        title="market cap",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=drawing.axis_of("$.1s", grid=False, labelOverlap=True),
    )
    ratio_scale = alt.Scale(type="log", nice=False, padding=12)
    axis = alt.Axis(format=",.2~f", tickCount=6, domain=False, ticks=False)
    band = line.mark_area(opacity=0.15, color="var(--ink)", aria=False).encode(
        x=cap, y=alt.Y("low:Q", scale=ratio_scale, axis=axis, title=None), y2="high:Q"
    )
    fitted = line.mark_line(color="var(--ink)", strokeWidth=1.4, aria=False).encode(
        x=cap, y="fitted:Q"
    )
    points = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(filled=True, size=46, opacity=0.85, aria=False)
        .encode(
            x=alt.X("market_cap_usd:Q"),
            y=alt.Y("long_short_account_ratio:Q"),
            color=alt.Color(
                "segment:N",
                scale=alt.Scale(
                    domain=list(SEGMENTS), range=[drawing.COLOURS[each] for each in SEGMENTS]
                ),
                legend=alt.Legend(
                    title=None, orient="top", labelColor="var(--ink)", symbolSize=60, offset=4
                ),
            ),
            shape=alt.Shape(
                "segment:N",
                scale=alt.Scale(domain=list(SEGMENTS), range=["circle", "square", "triangle-up"]),
            ),
        )
    )
    return drawing.finish(alt.layer(band, fitted, points), height=360, right=16)


def _tilt(reader: Reader, rows: pd.DataFrame) -> Chart:
    drawn = rows[["market_date", "rank_correlation_7d"]].dropna()
    if drawn.empty:
        drawn = rows[["market_date", "rank_correlation"]].rename(
            columns={"rank_correlation": "rank_correlation_7d"}
        )
    last = last_row(rows)
    return line_chart(
        "rank_tilt",
        f"The tilt is {number(last['rank_correlation'])} today: {words(last['state'])}",
        "Spearman's correlation of cap and account ratio, mean of 7 days; below 0, the smaller the "
        "coin the longer its accounts",
        drawn,
        f"{number(last['rank_correlation'])} on {day(last['market_date'])} over "
        f"{plural(int(last['observation_count']), 'coin')}.",
        reader.origin("rank_tilt", "positioning_daily", "market_daily", signal_id="S23"),
        x="market_date",
        y="rank_correlation_7d",
        series=drawing.single("Correlation", "var(--ink)"),
        axis_format="+.1f",
        read_format="+.2f",
        events=events(reader),
        rule=0.0,
    )


def _segments(
    reader: Reader,
    query: str,
    value: str,
    title: str,
    subtitle: str,
    axis_format: str,
    rule: float | None,
    signal_id: str,
) -> Block:
    frame = reader.rows(query)

    def draw(rows: pd.DataFrame) -> Block:
        series = drawing.series_of(rows, "index_id", SEGMENTS)
        drawn = rows[["market_date", "index_id", value]]
        digits = 0 if axis_format == ",.0f" else 2
        ends = ", ".join(
            f"{series.names[each].lower()} {number(last_row(rows, index_id=each)[value], digits)}"
            for each in series.order
        )
        return line_chart(
            query,
            f"{title}: {ends}",
            subtitle,
            drawn,
            f"On {day(rows['market_date'].max())}: {ends}.",
            reader.origin(query, "positioning_daily", signal_id=signal_id),
            x="market_date",
            y=value,
            series=series,
            axis_format=axis_format,
            read_format=",.2f",
            events=events(reader),
            rule=rule,
        )

    return shown_or_missing(query, title, frame[frame["index_id"].isin(SEGMENTS)], NO_RATIOS, draw)


def _funding(reader: Reader, rows: pd.DataFrame) -> Chart:
    last = last_row(rows)
    drawn = rows[["market_date", "funding_7d_annual_fraction"]]
    return line_chart(
        "funding",
        f"Longs pay {percent(last['funding_7d_annual_fraction'])} a year"
        if last["funding_7d_annual_fraction"] >= 0
        else f"Shorts pay {percent(-last['funding_7d_annual_fraction'])} a year",
        f"Funding of the last 7 days at a yearly rate, the middle one of "
        f"{plural(int(last['observed_count']), 'coin')}",
        drawn,
        f"{percent(last['funding_7d_annual_fraction'])} on {day(last['market_date'])}.",
        reader.origin("funding", "funding_daily", signal_id="S25"),
        x="market_date",
        y="funding_7d_annual_fraction",
        series=drawing.single("Funding", "var(--ink)"),
        axis_format="+.0%",
        read_format="+.1%",
        events=events(reader),
        rule=0.0,
    )


def _open_interest(reader: Reader, rows: pd.DataFrame) -> Chart:
    last = last_row(rows)
    drawn = rows[["market_date", "open_interest_usd"]]
    return line_chart(
        "open_interest",
        f"Open interest is {dollars(last['open_interest_usd'])}",
        f"US dollars, {plural(int(last['perp_count']), 'perpetual')} of the venues that we see",
        drawn,
        f"{dollars(last['open_interest_usd'])} on {day(last['market_date'])}.",
        reader.origin("open_interest", "open_interest_daily", signal_id="S11"),
        x="market_date",
        y="open_interest_usd",
        series=drawing.single("Open interest", "var(--ink)"),
        axis_format="$.2s",
        read_format="$.3s",
        zero=True,
        events=events(reader),
    )


def _liquidations(reader: Reader, rows: pd.DataFrame) -> Chart:
    reported = rows[rows["quality"] == "reported_floor"]
    used = reported if not reported.empty else rows
    is_floor = not reported.empty
    largest = used.sort_values("total_usd").iloc[-1]
    drawn = used[["market_date", "total_usd"]]
    return line_chart(
        "liquidation",
        f"The most in a day was {dollars(largest['total_usd'])}, on {day(largest['market_date'])}",
        "US dollars a day, as venues report them: a floor, as they report one liquidation a second"
        if is_floor
        else "US dollars a day, a proxy: what open interest lost beyond the move of prices",
        drawn,
        f"{dollars(last_row(used)['total_usd'])} on {day(used['market_date'].max())}.",
        reader.origin("liquidation", "liquidation_daily", "open_interest_daily", signal_id="S11"),
        x="market_date",
        y="total_usd",
        series=drawing.single("At least" if is_floor else "Proxy", "var(--ink)"),
        axis_format="$.2s",
        read_format="$.3s",
        zero=True,
        events=events(reader),
    )
