"""What goes to exchanges, what stablecoins are worth, and who is under water."""

from __future__ import annotations

import pandas as pd

from pipeline.report import drawing
from pipeline.report.blocks import Block, Chart, Column, Page, Table
from pipeline.report.figures import day, dollars, number, percent, plural
from pipeline.report.pages.shared import events, last_row, line_chart, shown_or_missing
from pipeline.report.reading import Reader

MOST_TOKENS = 24
NO_BALANCES = (
    "It needs two nights and more of exchange balances; DefiLlama serves them without a key."
)


def flows(reader: Reader) -> Page:
    """Return the page of flows and holders."""
    return Page(
        "flows",
        "Flows and holders",
        _lead(reader),
        [
            shown_or_missing(
                "exchange_flow_token",
                "Flow by token",
                reader.rows("exchange_flow_token"),
                NO_BALANCES,
                lambda rows: _tokens(reader, rows),
            ),
            shown_or_missing(
                "exchange_flow_token_table",
                "Accumulated and distributed",
                reader.rows("exchange_flow_token"),
                NO_BALANCES,
                lambda rows: _token_table(reader, rows),
            ),
            shown_or_missing(
                "exchange_flow",
                "Flow of all coins",
                reader.rows("exchange_flow"),
                NO_BALANCES,
                lambda rows: _market(reader, rows),
            ),
            _stablecoins(reader),
            shown_or_missing(
                "holder",
                "Holders under water",
                reader.rows("holder"),
                "It needs a year of volumes and prices.",
                lambda rows: _holders(reader, rows),
            ),
        ],
        menu="Flows",
    )


def _lead(reader: Reader) -> str:
    row = reader.row("exchange_flow")
    if not row:
        return "What went to exchanges is not known yet: there are no balances of two nights."
    amount = float(row["net_flow_7d_usd"])
    what = "came to" if amount >= 0 else "left"
    return (
        f"In the week to {day(row['market_date'])} coins worth {dollars(abs(amount))} {what} "
        f"{str(row['exchange']).title()}, stablecoins and its own token not counted."
    )


def _tokens(reader: Reader, rows: pd.DataFrame) -> Chart:
    coins = rows[rows["token_kind"].isin(["coin"])].head(MOST_TOKENS).sort_values("flow_7d_usd")
    used = coins if len(coins) else rows.head(MOST_TOKENS)
    drawn = used[["token_symbol", "flow_7d_usd", "flow_7d_fraction"]]
    out, into = used.iloc[0], used.iloc[-1]
    return Chart(
        "exchange_flow_token",
        f"Most came of {into['token_symbol']} ({dollars(into['flow_7d_usd'])}), most left of "
        f"{out['token_symbol']} ({dollars(out['flow_7d_usd'])})",
        f"US dollars in a week at today's price, the {len(used)} largest; right is to the exchange "
        "(distributed), left is away from it (accumulated)",
        drawing.bars(drawn, "token_symbol", "flow_7d_usd", "$.2s"),
        drawn,
        ", ".join(f"{row.token_symbol} {dollars(row.flow_7d_usd)}" for row in drawn.itertuples())
        + ".",
        reader.origin("exchange_flow_token", "exchange_balance_daily", signal_id="S28"),
    )


def _token_table(reader: Reader, rows: pd.DataFrame) -> Table:
    counts = rows["state"].value_counts()
    return Table(
        "exchange_flow_token_table",
        f"{plural(int(counts.get('accumulated', 0)), 'token')} accumulated, "
        f"{int(counts.get('distributed', 0))} distributed",
        "A week's flow over the balance, against its own past; days on which wallets were added "
        "or taken off are suspect and count in no state",
        [
            Column("token_symbol", "Token"),
            Column("token_kind", "Kind", "words"),
            Column("flow_7d_usd", "7 days", "dollars"),
            Column("flow_7d_fraction", "Of the balance", "change"),
            Column("flow_7d_robust_z", "Robust z", "number"),
            Column("suspect_days", "Suspect days", "whole"),
            Column("state", "State", "words"),
        ],
        rows,
        reader.origin("exchange_flow_token", "exchange_balance_daily", signal_id="S28"),
        most_rows=60,
    )


def _market(reader: Reader, rows: pd.DataFrame) -> Chart:
    last = last_row(rows)
    drawn = rows[["market_date", "exchange", "net_flow_7d_usd"]]
    return line_chart(
        "exchange_flow",
        f"{dollars(last['net_flow_7d_usd'])} in the week",
        "US dollars of coins that came to the exchange in 7 days, less what left; steps of wallets "
        "taken out",
        drawn,
        f"{dollars(last['net_flow_7d_usd'])} in the week to {day(last['market_date'])}, "
        f"{percent(last['coverage_fraction'], 0)} of balances covered.",
        reader.origin("exchange_flow", "exchange_balance_daily", signal_id="S28M"),
        x="market_date",
        y="net_flow_7d_usd",
        series=drawing.series_of(drawn, "exchange"),
        axis_format="$.2s",
        read_format="$.3s",
        events=events(reader),
        rule=0.0,
    )


def _stablecoins(reader: Reader) -> Block:
    def draw(rows: pd.DataFrame) -> Block:
        last = last_row(rows)
        drawn = rows[["market_date", "stablecoin_share_fraction", "stablecoin_supply_usd"]]
        return line_chart(
            "stablecoin",
            f"Stablecoins are worth {percent(last['stablecoin_share_fraction'])} of the market",
            "Supply of stablecoins over the worth of the top 100",
            drawn,
            f"{dollars(last['stablecoin_supply_usd'])} on {day(last['market_date'])}.",
            reader.origin("stablecoin", "stablecoin_daily", "market_daily", signal_id="S12"),
            x="market_date",
            y="stablecoin_share_fraction",
            series=drawing.single("Share", "var(--ink)"),
            axis_format=".0%",
            read_format=".1%",
            zero=True,
            events=events(reader),
        )

    return shown_or_missing(
        "stablecoin",
        "Stablecoins",
        reader.rows("stablecoin"),
        "It needs the supply of stablecoins and the worth of the market on the same day.",
        draw,
    )


def _holders(reader: Reader, rows: pd.DataFrame) -> Chart:
    last = last_row(rows)
    drawn = rows[["market_date", "underwater_fraction"]]
    return line_chart(
        "holder",
        f"In {percent(last['underwater_fraction'], 0)} of coins the middle holder is under water, "
        "by estimate",
        "Share of the top 100 whose price is below the estimated price paid, from prices and "
        "volumes; where it is known from the chain, that is used",
        drawn,
        f"{percent(last['underwater_fraction'], 0)} on {day(last['market_date'])}, of "
        f"{number(last['observed_count'], 0)} coins with an estimate.",
        reader.origin("holder", "market_daily", "onchain_daily", signal_id="S27"),
        x="market_date",
        y="underwater_fraction",
        series=drawing.single("Under water", "var(--ink)"),
        axis_format=".0%",
        read_format=".0%",
        events=events(reader),
        rule=0.5,
    )
