"""What holds for every market signal: keys, flags, numbers, threads, and no look-ahead."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from harness import Result, Row, run_market, shipped_project, shipped_rows
from market_of_everything import DAY_COUNT, FIRST, build_market, raw_market

TABLES = (
    "staging.exchange_balance_daily",
    "staging.funding_daily",
    "staging.global_daily",
    "staging.liquidation_daily",
    "staging.onchain_daily",
    "staging.open_interest_daily",
    "staging.perp_daily",
    "staging.positioning_daily",
    "staging.sentiment_daily",
    "staging.stablecoin_daily",
    "signals.altcoin_season_daily",
    "signals.bitcoin_daily",
    "signals.breadth_daily",
    "signals.coin_return_daily",
    "signals.coin_strength_daily",
    "signals.coin_turnover_daily",
    "signals.crash_trigger_daily",
    "signals.crowding_asset_daily",
    "signals.crowding_market_daily",
    "signals.dispersion_daily",
    "signals.drawdown_asset_daily",
    "signals.drawdown_market_daily",
    "signals.exchange_flow_asset_daily",
    "signals.exchange_flow_daily",
    "signals.exchange_flow_market_daily",
    "signals.exchange_token_daily",
    "signals.external_sentiment_daily",
    "signals.factor_asset_weekly",
    "signals.factor_weekly",
    "signals.holder_stress_daily",
    "signals.holder_stress_market_daily",
    "signals.index_extreme_daily",
    "signals.index_spread_daily",
    "signals.input_daily",
    "signals.liquidation_market_daily",
    "signals.market_cap_daily",
    "signals.market_event",
    "signals.market_event_span",
    "signals.market_signal_event",
    "signals.member_daily",
    "signals.onchain_flow_daily",
    "signals.open_interest_market_daily",
    "signals.positioning_asset_daily",
    "signals.positioning_market_daily",
    "signals.positioning_pool_daily",
    "signals.positioning_venue_daily",
    "signals.rank_tilt_daily",
    "signals.rank_tilt_input_daily",
    "signals.reference_price_daily",
    "signals.regime_daily",
    "signals.risk_aversion_component_daily",
    "signals.risk_aversion_daily",
    "signals.sentiment_component_daily",
    "signals.sentiment_composite_daily",
    "signals.sentiment_reading_daily",
    "signals.sentiment_twin_daily",
    "signals.signal_daily",
    "signals.signal_repeat_daily",
    "signals.signal_trust_daily",
    "signals.signal_value_asset_daily",
    "signals.signal_value_daily",
    "signals.signal_value_equity_daily",
    "signals.signal_value_market_daily",
    "signals.signal_value_mood_daily",
)
# What became of an event is filled in by later days.
FILLED_LATER = {"signals.market_event", "signals.market_event_span"}
# The market lasts less than the two years that this takes.
EMPTY_COLUMNS = {
    ("signals.risk_aversion_daily", "percentile_pct"),
    ("signals.risk_aversion_daily", "drawdown_pct"),
    ("signals.sentiment_composite_daily", "composite_twin_score"),
    ("signals.sentiment_twin_daily", "twin_score"),
    ("signals.sentiment_twin_daily", "explained_fraction"),
}
LAST = FIRST + timedelta(days=DAY_COUNT - 1)


@functools.cache
def raw_rows() -> dict[str, list[Row]]:
    return raw_market()


@pytest.fixture(scope="module")
def built() -> Iterator[Result]:
    with build_market(raw_rows(), TABLES) as market:
        yield market


@pytest.mark.parametrize("name", TABLES)
def test_grain_is_a_key_and_figures_are_numbers(built: Result, name: str) -> None:
    doc = shipped_project().models[name].doc
    rows = built.rows(name)
    assert rows
    keys = [tuple(row[column] for column in doc.grain) for row in rows]
    assert len(keys) == len(set(keys))
    assert [key for key in keys if None in key] == []
    for column in doc.columns:
        values = [row[column.name] for row in rows]
        if column.type == "boolean" or column.name == "state":
            assert None not in values, column.name
        if column.type == "double":
            assert all(value is None or math.isfinite(value) for value in values), column.name
            is_known = any(value is not None for value in values)
            assert is_known or (name, column.name) in EMPTY_COLUMNS, column.name


@pytest.mark.parametrize("name", TABLES)
def test_shares_scores_and_percentiles_keep_their_range(built: Result, name: str) -> None:
    limits = {"percent": (0, 100), "score 0 to 100": (0, 100), "score 0 to 1": (0, 1)}
    limits |= {"probability": (0, 1), "-1 to 1": (-1, 1)}
    rows = built.rows(name)
    for column in shipped_project().models[name].doc.columns:
        if column.unit in limits:
            low, high = limits[column.unit]
            values = [row[column.name] for row in rows if row[column.name] is not None]
            assert all(low - 1e-9 <= value <= high + 1e-9 for value in values), column.name


@pytest.mark.parametrize("name", TABLES)
def test_state_is_one_that_the_documentation_lists(built: Result, name: str) -> None:
    documented = [
        column.meaning
        for column in shipped_project().models[name].doc.columns
        if column.name == "state" and "insufficient" in column.meaning
    ]
    if documented and not name.startswith("signals.signal_"):
        unlisted = {r["state"] for r in built.rows(name) if r["state"] not in documented[0]}
        assert unlisted == set()


def test_null_value_and_insufficient_state_go_together(built: Result) -> None:
    pairs = {
        "signals.index_spread_daily": "spread_30d_percentile_pct",
        "signals.market_cap_daily": "drawdown_usd",
        "signals.risk_aversion_daily": "risk_aversion_score",
        "signals.positioning_market_daily": "above_1_fraction",
        "signals.crowding_market_daily": "crowding_score",
        "signals.drawdown_market_daily": "down_80_fraction",
        "signals.altcoin_season_daily": "altcoin_season_score",
        "signals.sentiment_composite_daily": "composite_score",
        "signals.rank_tilt_daily": "rank_correlation",
    }
    for name, column in pairs.items():
        rows = built.rows(name)
        assert {row["state"] == "insufficient" for row in rows} >= {False}, name
        for row in rows:
            assert (row[column] is None) is (row["state"] == "insufficient"), (name, row)


def assert_same(found: list[Row], expected: list[Row], name: str) -> None:
    """Compare rows; a sum over a window depends in its last digits on where the window lies."""
    assert len(found) == len(expected), name
    for one, other in zip(found, expected, strict=True):
        for column, value in one.items():
            if isinstance(value, float) and other[column] is not None:
                is_same = math.isclose(value, other[column], rel_tol=1e-9, abs_tol=1e-9)
            else:
                is_same = value == other[column]
            assert is_same, (name, column, one, other)


def dated(rows: list[Row], last: date) -> list[Row]:
    """Return the rows of days up to ``last``; a day is the first of its columns that is one."""
    day = next(name for name in ("market_date", "week_end_date", "event_date") if name in rows[0])
    return [row for row in rows if row[day] <= last]


def test_every_daily_signal_has_values_that_the_cut_offs_below_test(built: Result) -> None:
    daily = {
        row["signal_id"] for row in shipped_rows("reference.signal_definition") if row["is_daily"]
    }
    with_values = {
        row["signal_id"] for row in built.rows("signals.signal_daily") if row["value"] is not None
    }
    # The base of S15's estimate is the end of 2025; test_equity_signals takes its future away.
    assert with_values == daily - {"S15"}
    # Statements about the whole sample have tests of their own, in the modules of their names.
    others = {row["signal_id"] for row in shipped_rows("reference.signal_definition")} - daily
    assert others == {"S17", "S18", "S19", "S20", "S32"}


@pytest.mark.parametrize(
    ("days_taken", "is_by_knowledge"),
    [pytest.param(1, False, marks=pytest.mark.slow), (45, True)],
)
def test_deleting_the_future_leaves_every_row_as_it_was(
    built: Result, days_taken: int, is_by_knowledge: bool
) -> None:
    """Rebuild without later days, and as of an instant after which the later days were known."""
    last = LAST - timedelta(days=days_taken)
    night = datetime.combine(last + timedelta(days=1), time(1), UTC)
    cut_off = {"known_by": night} if is_by_knowledge else {"keep": lambda day: day <= last}
    with build_market(raw_rows(), TABLES, **cut_off) as cut:
        for name in TABLES:
            if name not in FILLED_LATER:
                assert_same(cut.rows(name), dated(built.rows(name), last), name)
        known = {row["event_id"]: row["start_date"] for row in built.rows("signals.market_event")}
        told = {row["event_id"]: row["start_date"] for row in cut.rows("signals.market_event")}
    assert told == {event: start for event, start in known.items() if start <= last}


def test_every_table_is_the_same_on_any_number_of_threads(built: Result) -> None:
    with build_market(raw_rows(), TABLES, threads=4, is_split=True) as again:
        for name in TABLES:
            assert again.rows(name) == built.rows(name), name


def test_market_without_anything_builds_the_tables_empty() -> None:
    with run_market([], only=TABLES) as market:
        filled = {name for name in TABLES if market.rows(name)}
    assert filled == set()
