"""Equity beside crypto: turning points, streak, correlation, who leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Column, Page, Table
from pipeline.report.figures import day, is_known, number, p_value, percent, plural, words
from pipeline.report.pages.shared import events, last_row, line_chart, shown_or_missing
from pipeline.report.reading import Reader

CRYPTO = "top100_ex_btc"
TICKERS = ("RUT", "IWM")
PAIRS = {
    "rut_top100_ex_btc": "the Russell 2000 and crypto without Bitcoin",
    "iwm_top100": "the fund on the Russell 2000 and the top 100",
}
STREAK_PAIRS = ("rut_over_spx", "iwm_over_spy")
NO_EQUITY = "It needs closes of the Russell 2000 and levels of the top 100 on the same days."


def markets(reader: Reader) -> Page:
    """Return the page of both markets."""
    return Page(
        "markets",
        "Cross-market",
        _lead(reader),
        [
            _turning_points(reader),
            _matches(reader),
            _streak(reader),
            _correlation(reader),
            _lead_lag(reader),
        ],
        menu="Cross-market",
    )


def _pair(reader: Reader) -> str:
    """Return the pair of the Russell 2000 with crypto, or of its fund where that is newer."""
    return _newest(reader.rows("correlation"), "pair_id", "session_date", tuple(PAIRS))


def _newest(frame: pd.DataFrame, column: str, day_column: str, wanted: Sequence[str]) -> str:
    """Return which series has the newest day, the first named of those that have it."""
    last = frame[frame[column].isin(wanted)].groupby(column)[day_column].max()
    return "" if last.empty else next(each for each in wanted if last.get(each) == last.max())


def _lead(reader: Reader) -> str:
    row = last_row(reader.rows("correlation"), pair_id=_pair(reader))
    if not row:
        return "There are no sessions yet on which both markets have a return."
    strength = "not more than chance" if not row["is_significant"] else "more than chance"
    return (
        f"Over 60 sessions to {day(row['session_date'])} {PAIRS[row['pair_id']]} correlate by "
        f"{number(row['correlation'])}, which is {strength}."
    )


def _turning_points(reader: Reader) -> Block:
    levels = reader.rows("russell")
    ticker = _newest(levels, "series_id", "market_date", TICKERS)
    levels = levels[levels["series_id"].isin([ticker, CRYPTO])]

    def draw(rows: pd.DataFrame) -> Block:
        start = rows.groupby("series_id")["market_date"].min().max()
        kept = rows[rows["market_date"] >= start].sort_values(["series_id", "market_date"])
        first = kept.groupby("series_id")["level"].transform("first")
        drawn = kept.assign(rebased=100 * kept["level"] / first)[
            ["market_date", "series_id", "rebased"]
        ]
        pivots = reader.rows("turning_point")
        pivots = pivots[
            pivots["series_id"].isin([ticker, CRYPTO]) & (pivots["pivot_date"] >= start)
        ]
        is_matched = _pair(reader).startswith(f"{ticker.lower()}_") and not pivots.empty
        found = _match(reader) if is_matched else {}
        share = (
            f": {percent(found['match_rate_fraction'], 0)} of them met, "
            f"{percent(found['null_mean_fraction'], 0)} "
            "would by chance"
            if found
            else ""
        )
        return Chart(
            "turning_points",
            f"{plural(len(pivots), 'turning point')} of both markets{share}",
            f"100 on {day(start)}, logarithmic; triangles are peaks and troughs, known only some "
            "sessions later",
            _with_pivots(drawn, pivots, drawing.series_of(drawn, "series_id", [ticker, CRYPTO])),
            drawn,
            f"{plural(len(pivots), 'turning point')} between {day(start)} and "
            f"{day(rows['market_date'].max())}.",
            reader.origin("russell", "equity_daily", "market_daily", signal_id="S17"),
            hover={"x": "market_date", "y": "rebased", "series": "series_id", "format": ",.1f"},
        )

    return shown_or_missing("turning_points", "Turning points", levels, NO_EQUITY, draw)


def _with_pivots(
    rows: pd.DataFrame, pivots: pd.DataFrame, series: drawing.Series
) -> dict[str, Any]:
    spec = drawing.lines(rows, "market_date", "rebased", series, ",.0f", is_log=True)
    placed = pivots.merge(
        rows, left_on=["series_id", "pivot_date"], right_on=["series_id", "market_date"]
    )
    marks = [
        {
            "day": day(row.pivot_date),
            "at": row.rebased,
            "kind": row.pivot_kind,
            "colour": series.colours[str(row.series_id)],
        }
        for row in placed.itertuples()
    ]
    if not marks:
        return spec
    layer = (
        alt.Chart(alt.InlineData(values=marks))
        .mark_point(filled=True, size=42, opacity=0.95, aria=False)
        .encode(
            x=drawing.time_axis("day"),
            y="at:Q",
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=["peak", "trough"], range=["triangle-down", "triangle-up"]),
                legend=None,
            ),
            color=alt.Color("colour:N", scale=None, legend=None),
        )
        .to_dict()
    )
    return {
        **spec,
        "datasets": {**spec["datasets"], **layer["datasets"]},
        "layer": [
            *spec["layer"],
            {name: layer[name] for name in ("data", "mark", "encoding")},
        ],
    }


def _match(reader: Reader) -> dict[str, Any]:
    return last_row(reader.rows("turning_point_match"), pair_id=_pair(reader))


def _matches(reader: Reader) -> Block:
    frame = reader.rows("turning_point_match")

    def draw(rows: pd.DataFrame) -> Block:
        last = last_row(rows)
        drawn = rows[
            ["session_date", "match_rate_fraction", "null_mean_fraction", "null_p95_fraction"]
        ]
        return line_chart(
            "turning_point_match",
            f"{percent(last['match_rate_fraction'], 0)} of turning points met, p "
            f"{p_value(last['match_p_value'])}: "
            f"{words(last['state'])}",
            f"Of {PAIRS[last['pair_id']]}: share of equity's turning points with one near "
            "them, in a moving "
            "window; the band is what chance gives, from its mean to its 95th percentile",
            drawn,
            f"{percent(last['match_rate_fraction'], 0)} on {day(last['session_date'])}; "
            "chance gives "
            f"{percent(last['null_mean_fraction'], 0)}, and up to "
            f"{percent(last['null_p95_fraction'], 0)} "
            "once in twenty.",
            reader.origin("turning_point_match", "equity_daily", "market_daily", signal_id="S18"),
            x="session_date",
            y="match_rate_fraction",
            series=drawing.single("Met", "var(--equity)"),
            axis_format=".0%",
            read_format=".0%",
            band=("null_mean_fraction", "null_p95_fraction"),
            events=events(reader),
        )

    return shown_or_missing(
        "turning_point_match",
        "Turning points against chance",
        frame[frame["pair_id"] == _pair(reader)],
        "It needs two years of both markets.",
        draw,
    )


def _streak(reader: Reader) -> Block:
    frame = reader.rows("streak")
    first = reader.rows("level")["market_date"].min()
    kept = frame[frame["pair_id"] == _newest(frame, "pair_id", "session_date", STREAK_PAIRS)]
    if is_known(first):
        kept = kept[kept["session_date"] >= first]

    def draw(rows: pd.DataFrame) -> Block:
        last = last_row(rows)
        longest = rows.sort_values("streak_sessions").iloc[-1]
        drawn = rows[["session_date", "streak_sessions"]]
        count = int(last["streak_sessions"])
        who = "The fund on the Russell 2000" if last["is_proxy"] else "The Russell 2000"
        now = (
            f"{who} has beaten the S&P 500 for {plural(count, 'session')} in a row"
            if count
            else f"{who} did not beat the S&P 500 in the last session"
        )
        return line_chart(
            "streak",
            now,
            "Sessions in a row in which small companies beat large ones",
            drawn,
            f"{now} to {day(last['session_date'])}; the longest shown is "
            f"{plural(int(longest['streak_sessions']), 'session')}, to "
            f"{day(longest['session_date'])}.",
            reader.origin("streak", "equity_daily", signal_id="S14"),
            x="session_date",
            y="streak_sessions",
            series=drawing.single("Streak", "var(--equity)"),
            axis_format=",.0f",
            read_format=",.0f",
            zero=True,
        )

    return shown_or_missing("streak", "Small companies against large", kept, NO_EQUITY, draw)


def _correlation(reader: Reader) -> Block:
    frame = reader.rows("correlation")

    def draw(rows: pd.DataFrame) -> Block:
        last = last_row(rows)
        drawn = rows[["session_date", "correlation", "correlation_low", "correlation_high"]]
        return line_chart(
            "correlation",
            f"Correlation is {number(last['correlation'])}, between "
            f"{number(last['correlation_low'])} "
            f"and {number(last['correlation_high'])}",
            "Pearson's correlation of the sessions' log returns, 60 sessions; the band is its 95 % "
            "interval with the effective number of observations",
            drawn,
            f"{number(last['correlation'])} on {day(last['session_date'])}, adjusted p "
            f"{p_value(last['p_value_bh'])}.",
            reader.origin("correlation", "equity_daily", "market_daily", signal_id="S16"),
            x="session_date",
            y="correlation",
            series=drawing.single("Correlation", "var(--equity)"),
            axis_format="+.1f",
            read_format="+.2f",
            band=("correlation_low", "correlation_high"),
            events=events(reader),
            rule=0.0,
        )

    return shown_or_missing(
        "correlation", "Correlation", frame[frame["pair_id"] == _pair(reader)], NO_EQUITY, draw
    )


def _lead_lag(reader: Reader) -> Block:
    return shown_or_missing(
        "lead_lag",
        "Who leads",
        reader.rows("lead_lag"),
        NO_EQUITY,
        lambda rows: Table(
            "lead_lag",
            _lead_lag_finding(rows),
            "A positive lead means equities move first; p-values by block bootstrap over all leads "
            "looked at. Apart: the strongest lead other than the same session",
            [
                Column("pair_id", "Pair", "words"),
                Column("window_sessions", "Sessions", "whole"),
                Column("lead_sessions", "Lead", "whole"),
                Column("correlation_at_lead", "Correlation there", "number"),
                Column("p_value", "p", "p_value"),
                Column("apart_lead_sessions", "Lead, apart", "whole"),
                Column("apart_correlation", "Correlation", "number"),
                Column("apart_p_value", "p", "p_value"),
                Column("state", "State", "words"),
            ],
            rows,
            reader.origin("lead_lag", "equity_daily", "market_daily", signal_id="S19"),
        ),
    )


def _lead_lag_finding(rows: pd.DataFrame) -> str:
    leads = int((rows["lead_sessions"].abs() > 0).sum())
    if not leads:
        return "Neither market leads: they move in the same session"
    return f"In {leads} of {plural(len(rows), 'pair')} one market moves first"
