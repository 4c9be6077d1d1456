"""Our figures beside those of others, and for how long they have been apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from given_tables import build, days_from
from harness import Row, audits

TABLE = "signals.twin_difference_daily"
FIRST = date(2024, 3, 4)  # a Monday
DAYS = days_from(FIRST, 6)
EMPTY: dict[str, Sequence[Row]] = dict.fromkeys(
    (
        "signals.altcoin_season_daily",
        "staging.coin_price_daily",
        "staging.market_observation",
        "staging.global_daily",
        "staging.equity_close_daily",
    ),
    (),
)


def seasons(published: Sequence[float | None]) -> dict[str, Sequence[Row]]:
    rows = [
        {
            "market_date": day,
            "variant_id": "top100_90d",
            "altcoin_season_score": 30.0,
            "published_score": score,
        }
        for day, score in zip(DAYS, published, strict=True)
    ]
    return EMPTY | {"signals.altcoin_season_daily": rows}


def told(given: dict[str, Sequence[Row]]) -> list[tuple[object, ...]]:
    with build(TABLE, given) as built:
        return [(row["twin_source"], row["apart_count"], row["state"]) for row in built.rows(TABLE)]


def test_three_days_in_a_row_beyond_the_tolerance_are_apart() -> None:
    assert [row[1:] for row in told(seasons([30, 38, 39, 21, 50, 31]))] == [
        (0, "agree"),
        (0, "agree"),
        (1, "beyond_tolerance"),
        (2, "beyond_tolerance"),
        (3, "apart"),
        (0, "agree"),
    ]


def test_day_without_the_other_figure_neither_counts_nor_ends_it() -> None:
    assert [row[1] for row in told(seasons([60, None, 60, None, 60, 30]))] == [1, 2, 3, 0]


def test_every_other_source_of_a_price_is_a_twin() -> None:
    given = EMPTY | {
        "staging.coin_price_daily": [
            {"market_date": day, "coin_id": "bitcoin", "price_usd": 100.0, "is_held": False}
            for day in DAYS
        ],
        "staging.market_observation": [
            {
                "market_date": day,
                "coin_id": "bitcoin",
                "source": source,
                "price_usd": price,
                "known_to": None,
            }
            for day in DAYS
            for source, price in (("near", 101.9), ("far", 103.0))
        ],
    }
    assert {row[0]: row[2] for row in told(given)} == {"near": "agree", "far": "apart"}


def test_two_vendors_totals_and_two_sources_of_a_close() -> None:
    given = EMPTY | {
        "staging.global_daily": [
            {"market_date": FIRST, "source": source, "total_market_cap_usd": total}
            for source, total in (("cmc", 2.00e12), ("coingecko", 2.05e12), ("zzz", 2.5e12))
        ],
        "staging.equity_close_daily": [
            {
                "session_date": FIRST,
                "ticker": ticker,
                "ticker_kind": kind,
                "close_points": 5000.0,
                "source_count": count,
                "source_disagreement_fraction": apart,
            }
            for ticker, kind, count, apart in (
                ("SPX", "index", 2, 0.002),
                ("RUT", "index", 1, 0.0),
                ("VIX", "volatility", 2, 0.5),
            )
        ],
    }
    with build(TABLE, given) as built:
        found = {
            (r["twin_id"], r["own_value"], r["twin_value"]): r["state"] for r in built.rows(TABLE)
        }
    assert found == {
        ("market_cap", 2.00e12, 2.05e12): "agree",
        ("market_cap", 2.00e12, 2.5e12): "beyond_tolerance",
        ("market_cap", 2.05e12, 2.5e12): "beyond_tolerance",
        ("equity_close", 5000.0, None): "beyond_tolerance",
    }


@pytest.mark.parametrize(
    ("published", "is_warned"),
    [([30, 30, 30, 50, 50, 50], True), ([50, 50, 50, 50, 50, 30], False)],
)
def test_audit_warns_of_what_is_apart_now(published: list[float], is_warned: bool) -> None:
    with build(TABLE, seasons(published)) as built:
        built.connection.execute("create schema if not exists staging")
        built.connection.execute(
            f"create table staging.market_calendar as select date '{DAYS[-1]}' as market_date"
        )
        rows = built.connection.execute(audits()["twins_do_not_stay_apart"].sql).fetchall()
    assert bool(rows) is is_warned
