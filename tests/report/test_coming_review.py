"""What the page of an index says of the review to come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipeline.database import open_read_only
from pipeline.report.blocks import Block, Table, Words
from pipeline.report.figures import percent
from pipeline.report.pages.coming_review import coming_review
from pipeline.report.reading import Reader

Change = Callable[..., Path]

# The end of the month whose review is coming, whatever the nights' days are.
COMING = (
    "create or replace temp macro weighting() as (select last_day(max(market_date) + 1) "
    "from staging.market_calendar)"
)
MEMBERS = """
    insert into indices.pro_forma_constituent by name
    select
        'house' as profile, 'small' as index_id, coin_id, weighting() + 1 as effective_date,
        weighting() - 4 as cutoff_date, weighting() as weighting_date,
        weighting() - 2 as valuation_date, change, 'enters by rank' as reason,
        was as weight_in_force_fraction, will as weight_fraction,
        will - was as weight_change_fraction
    from (values
        ('comes', 'joins', 0.0, 0.25), ('goes', 'leaves', 0.2, 0.0), ('here', 'stays', 0.8, 0.75)
    ) as members (coin_id, change, was, will)
"""
REVIEW = """
    insert into indices.review by name
    select
        'house' as profile, 'small' as index_id, weighting() + 1 as effective_date,
        weighting() - 4 as cutoff_date, weighting() as weighting_date,
        $status as status, 32 as eligible_count, $unclassified as unclassified_coin_ids
"""


@pytest.fixture
def told(changed_file: Change, sql_dir: Path) -> Callable[..., Block]:
    """Say what the page of small shows after statements were run on the file."""

    def tell(*statements: str, **parameters: object) -> Block:
        emptied = (
            "delete from indices.pro_forma_constituent",
            "delete from indices.review where effective_date > "
            "(select max(market_date) from staging.market_calendar)",
        )
        file = changed_file(emptied)
        with duckdb.connect(str(file)) as connection:
            connection.execute(COMING)
            for statement in statements:
                connection.execute(statement, parameters)
        with open_read_only(file) as connection:
            return coming_review(Reader(connection, sql_dir), "small")

    return tell


def test_the_coming_members_are_shown_with_both_weights(told: Callable[..., Block]) -> None:
    block = told(MEMBERS)
    assert isinstance(block, Table)
    assert "1 coin will join and 1 will leave" in block.title
    assert f"{percent(0.25)} of the weight turns over" in block.title
    assert [row["change"] for row in block.rows] == ["joins", "leaves", "stays"]
    assert {"weight_in_force_fraction", "weight_fraction"} <= {c.name for c in block.columns}


def test_before_the_cut_off_its_day_is_said(told: Callable[..., Block]) -> None:
    block = told()
    assert isinstance(block, Words)
    assert "has its cut-off on" in block.sentences[0]


@pytest.mark.parametrize(
    ("status", "unclassified", "reason"),
    [
        ("not held", None, "only 32 coins pass the screens"),
        ("blocked", "newcoin", "these have no class: newcoin"),
    ],
)
def test_why_a_review_is_not_held_is_said(
    told: Callable[..., Block], status: str, unclassified: str | None, reason: str
) -> None:
    block = told(REVIEW, status=status, unclassified=unclassified)
    assert isinstance(block, Words)
    assert "will not be held as things stand" in block.sentences[0]
    assert reason in block.sentences[0]
