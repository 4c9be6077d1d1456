"""What holds for every signal table: keys, flags, no NaN, the same on any number of threads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from harness import observed, run_market, small_baskets
from planted import Tables, closes_of, every_day, run_signals, sessions

from pipeline.computations import find_function

TABLES = (
    "staging.equity_close_daily",
    "signals.equity_index_daily",
    "signals.equity_pair_return_daily",
    "signals.equity_pair_daily",
    "signals.session_level_daily",
    "signals.cross_market_return",
    "signals.cross_market_correlation_daily",
    "signals.lead_lag",
    "signals.turning_point",
    "signals.turning_point_match",
    "signals.regime_spread_daily",
    "signals.regime_statistic",
    "signals.regime_break",
    "signals.event",
    "signals.forward_outcome_daily",
    "signals.event_study",
)
FIRST = date(2023, 9, 1)


def everything(threads: int) -> Tables:
    """Return every table over two and a half years of noise."""
    chance = np.random.default_rng(11)
    days, weekdays = every_day(FIRST, 900), sessions(FIRST, 640)

    def walk(count: int, volatility: float) -> np.ndarray:
        return 100 * np.exp(volatility * chance.standard_normal(count).cumsum())

    return run_signals(
        TABLES,
        closes=[
            row
            for ticker in ("RUT", "SPX", "IWM", "SPY", "VIX")
            for row in closes_of(ticker, weekdays, walk(640, 0.012))
        ],
        levels={
            index_id: dict(zip(days, walk(900, 0.03), strict=True))
            for index_id in ("top100", "top100_ex_btc", "small", "large")
        },
        ratios={
            pair_id: dict(zip(days, walk(900, 0.01), strict=True))
            for pair_id in ("small_over_large", "mid_over_large")
        },
        threads=threads,
    )


@pytest.fixture(scope="module")
def built() -> Iterator[Tables]:
    tables = everything(threads=1)
    yield tables
    tables.connection.close()


@pytest.mark.parametrize("name", TABLES)
def test_grain_is_a_key_and_figures_are_numbers(built: Tables, name: str) -> None:
    doc = built.project.models[name].doc
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
            assert any(value is not None for value in values), column.name


@pytest.mark.parametrize("name", TABLES)
def test_state_is_one_that_the_documentation_lists(built: Tables, name: str) -> None:
    documented = [c.meaning for c in built.project.models[name].doc.columns if c.name == "state"]
    states = {row["state"] for row in built.rows(name)} if documented else set()
    assert {state for state in states if state not in documented[0]} == set()


@pytest.mark.parametrize("name", TABLES)
def test_probabilities_lie_between_0_and_1(built: Tables, name: str) -> None:
    for column in built.project.models[name].doc.columns:
        if column.unit == "probability":
            values = [r[column.name] for r in built.rows(name) if r[column.name] is not None]
            assert all(0 <= value <= 1 for value in values)
            assert values


def test_every_table_is_the_same_on_any_number_of_threads(built: Tables) -> None:
    again = everything(threads=4)
    for name in TABLES:
        assert again.rows(name) == built.rows(name), name


def test_every_function_that_a_model_names_is_there(built: Tables) -> None:
    computed = [m for m in built.project.models.values() if m.computation is not None]
    assert len(computed) >= 7
    for model in computed:
        assert model.computation is not None
        assert callable(find_function(model.computation.function))


def test_market_without_equities_builds_the_tables_empty() -> None:
    rows = [observed(date(2024, 1, 31), f"c{n}", 1.0, n + 1.0) for n in range(8)]
    with run_market(rows, rulebook_overrides=small_baskets(2, 4, 8), only=TABLES) as market:
        assert market.rows("signals.turning_point_match") == []
        assert market.rows("signals.event_study") == []
        assert market.rows("signals.event")


def test_market_of_coins_reaches_the_signals() -> None:
    days = every_day(date(2024, 1, 1), 70)
    rows = [
        observed(day, f"c{n}", 1 + 0.01 * ((place * (n + 3)) % 17), n + 1.0)
        for n in range(8)
        for place, day in enumerate(days)
    ]
    closes = closes_of("RUT", sessions(date(2024, 1, 1), 50), np.linspace(100, 120, 50))
    with run_market(
        rows,
        rulebook_overrides=small_baskets(2, 4, 8),
        raw={"equity_daily": closes},
        only=TABLES,
    ) as market:
        returns = market.rows("signals.cross_market_return", pair_id="rut_top100")
        levels = market.levels("top100")
        assert len(returns) > 10
        for row in returns:
            before, now = row["previous_session_date"], row["session_date"]
            assert row["crypto_return_fraction"] == pytest.approx(
                levels[now] / levels[before] - 1, abs=1e-6
            )
