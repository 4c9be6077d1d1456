"""The coming review of an index: pro forma from its cut-off on, and its dates before that."""

from __future__ import annotations

import pandas as pd

from pipeline.report.blocks import Block, Column, Table, Words
from pipeline.report.figures import day, is_known, percent, plural
from pipeline.report.reading import Reader

TITLE = "The coming review"


def coming_review(reader: Reader, index_id: str) -> Block:
    """Return what the coming review does to an index, or why that is not known yet."""
    name = f"pro_forma_{index_id}"
    rows = reader.rows("pro_forma")
    rows = rows[rows["index_id"] == index_id]
    if not rows.empty:
        return _members(reader, name, rows)
    return Words(name, TITLE, [_why_not(reader, index_id)])


def _members(reader: Reader, name: str, rows: pd.DataFrame) -> Table:
    first = rows.iloc[0]
    joining, leaving = ((rows["change"] == kind).sum() for kind in ("joins", "leaves"))
    turned = rows["weight_change_fraction"].abs().sum() / 2
    return Table(
        name,
        f"On {day(first['effective_date'])} {plural(joining, 'coin')} will join and {leaving} "
        f"will leave, and {percent(turned)} of the weight turns over",
        f"Pro forma: members settled on {day(first['cutoff_date'])} but for a deletion, weights at "
        f"the close of {day(first['valuation_date'])}; they are set on "
        f"{day(first['weighting_date'])}",
        [
            Column("coin_name", "Coin"),
            Column("change", "Change", "words"),
            Column("reason", "Why"),
            Column("candidate_rank", "Rank", "whole"),
            Column("weight_in_force_fraction", "Weight now", "percent"),
            Column("weight_fraction", "Weight to come", "percent"),
            Column("weight_change_fraction", "Difference", "change"),
        ],
        rows,
        reader.origin("pro_forma", "market_daily", as_of=first["valuation_date"]),
        most_rows=30,
    )


def _why_not(reader: Reader, index_id: str) -> str:
    coming = reader.row("next_review")
    if not coming:
        return "There is no market day yet, so that no review is coming."
    due = f"The review of {day(coming['effective_date'])}"
    reviews = reader.rows("review")
    found = reviews[
        (reviews["index_id"] == index_id) & (reviews["effective_date"] == coming["effective_date"])
    ]
    if found.empty:
        return (
            f"{due} has its cut-off on {day(coming['cutoff_date'])}. From then on, who joins and "
            "who leaves is here before it is in force."
        )
    review = found.iloc[0]
    if is_known(review["unclassified_coin_ids"]):
        reason = f"near the top, these have no class: {review['unclassified_coin_ids']}"
    else:
        reason = f"only {plural(int(review['eligible_count']), 'coin')} pass the screens"
    return (
        f"{due} will not be held as things stand: at its cut-off on "
        f"{day(coming['cutoff_date'])}, {reason}. The members stay."
    )
