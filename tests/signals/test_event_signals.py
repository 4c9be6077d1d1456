"""Events and what followed them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from planted import Row, Tables, closes_of, every_day, run_signals, sessions

EVENTS = "signals.event"
OUTCOMES = "signals.forward_outcome_daily"
STUDIES = "signals.event_study"
FIRST = date(2023, 1, 1)


def calendar(*days: date, kind: str = "planted") -> list[Row]:
    return [
        {"event_id": f"event-{day}", "event_date": day, "event_kind": kind, "subject": "market"}
        for day in days
    ]


def studied(levels: dict[str, dict[date, float]], events: list[Row], only: str = STUDIES) -> Tables:
    return run_signals([only], levels=levels, reference={"event_calendar": events})


def series(values: np.ndarray) -> dict[date, float]:
    return dict(zip(every_day(FIRST, len(values)), map(float, values), strict=True))


def test_outcome_runs_from_the_close_of_the_day_after() -> None:
    levels = {"top100": series(np.array([100, 200, 300, 330, 1.0]))}
    rows = studied(levels, [], OUTCOMES).rows(OUTCOMES, target_id="top100", horizon_days=1)
    by_day = {row["market_date"]: row for row in rows}
    row = by_day[FIRST + timedelta(days=1)]
    assert (row["entry_date"], row["exit_date"]) == (
        FIRST + timedelta(days=2),
        FIRST + timedelta(days=3),
    )
    assert row["outcome_fraction"] == pytest.approx(0.1)
    # the last outcome ends on the last day
    assert max(by_day) == FIRST + timedelta(days=2)


def test_outcome_of_the_spread_is_the_difference_of_two_returns() -> None:
    levels = {
        "small": series(np.array([1, 100, 120, 1.0])),
        "large": series(np.array([1, 100, 105, 1.0])),
    }
    rows = studied(levels, [], OUTCOMES).rows(
        OUTCOMES, target_id="small_minus_large", horizon_days=1
    )
    found = {row["market_date"]: row["outcome_fraction"] for row in rows}
    assert found[FIRST] == pytest.approx(0.15)


def test_new_record_counts_from_the_entry_to_the_exit() -> None:
    values = np.array([100.0] + [50.0] * 9 + [101.0] + [60.0] * 10)
    rows = studied({"top100": series(values)}, [], OUTCOMES).rows(
        OUTCOMES, target_id="top100_new_record", horizon_days=7
    )
    found = {(row["market_date"] - FIRST).days: row["outcome_fraction"] for row in rows}
    # the record falls on day 10: from an entry on day 3 on it is within seven days, and an
    # entry on the day itself comes too late
    assert [found[day] for day in (-1, 1, 2, 8, 9)] == [0, 0, 1, 1, 0]


def test_level_that_is_missing_on_the_exit_makes_no_outcome() -> None:
    levels = series(np.arange(1.0, 10.0))
    del levels[FIRST + timedelta(days=4)]
    rows = studied({"top100": levels}, [], OUTCOMES).rows(OUTCOMES, horizon_days=1)
    days = {(row["market_date"] - FIRST).days for row in rows}
    assert 2 not in days
    assert 3 not in days
    assert {1, 4} <= days


def test_equity_events_come_from_the_figures() -> None:
    days = sessions(date(2022, 1, 3), 400)
    prices = np.concatenate(
        [np.linspace(100, 200, 300), np.full(21, 150.0), [201.0], np.full(63, 150.0), [202.0]]
    )
    prices = np.concatenate([prices, np.full(400 - len(prices), 150.0)])
    rows = closes_of("RUT", days, prices) + closes_of("SPX", days, np.full(400, 100.0))
    tables = run_signals([EVENTS], closes=rows, reference={"event_calendar": []})

    def found(kind: str) -> list[date]:
        return [row["event_date"] for row in tables.rows(EVENTS, event_kind=kind)]

    assert found("equity_record_after_quiet") == [days[321], days[385]]
    assert found("equity_breakout") == [days[385]]
    assert {days[321], days[385]} <= set(found("equity_record"))
    # before a year of history a record means nothing
    assert min(found("equity_record")) == days[251]
    assert found("small_cap_streak") == [days[8]]


def test_calendar_events_are_events() -> None:
    rows = run_signals([EVENTS]).rows(EVENTS)
    kinds = {(row["event_date"], row["event_kind"], row["subject"]) for row in rows}
    assert {
        (date(2024, 1, 11), "etp_launch", "bitcoin"),
        (date(2024, 7, 23), "etp_launch", "ethereum"),
        (date(2025, 10, 10), "crash", "market"),
    } <= kinds


def planted_rises(
    count: int, gap: int = 40, rise: float = 0.10
) -> tuple[dict[date, float], list[date]]:
    """Return a noisy index that rises on the second day after each event."""
    length = gap * (count + 2)
    returns = 0.01 * np.random.default_rng(5).standard_normal(length)
    places = np.arange(gap, gap * (count + 1), gap)
    returns[places + 2] += rise
    days = every_day(FIRST, length)
    return series(100 * np.cumprod(1 + returns)), [days[place] for place in places]


def last_study(tables: Tables, horizon: int, target: str = "top100") -> Row:
    return tables.rows(STUDIES, event_kind="planted", horizon_days=horizon, target_id=target)[-1]


def test_planted_effect_is_found() -> None:
    levels, days = planted_rises(32)
    last = last_study(studied({"top100": levels}, calendar(*days)), 7)
    assert last["event_count"] == 32
    assert last["state"] == "testable"
    assert last["mean_outcome_fraction"] == pytest.approx(0.10, abs=0.02)
    assert last["hit_fraction"] > 0.9
    assert last["difference_low_fraction"] > 0.05
    assert last["difference_low_fraction"] < last["difference_fraction"]
    assert last["difference_fraction"] < last["difference_high_fraction"]
    assert last["p_value"] < 0.05


def test_days_without_meaning_have_no_effect() -> None:
    levels, days = planted_rises(32, rise=0.0)
    last = last_study(studied({"top100": levels}, calendar(*days)), 7)
    assert last["p_value"] > 0.05
    assert last["difference_low_fraction"] < 0 < last["difference_high_fraction"]


def test_events_nearer_than_the_horizon_count_once() -> None:
    levels, days = planted_rises(12)
    doubled = sorted([*days, *(day + timedelta(days=3) for day in days)])
    tables = studied({"top100": levels}, calendar(*doubled))
    assert last_study(tables, 1)["event_count"] == 24
    assert last_study(tables, 7)["event_count"] == 12


@pytest.mark.parametrize(
    ("count", "state"), [(2, "insufficient"), (3, "anecdotal"), (10, "weak"), (30, "testable")]
)
def test_state_says_how_many_events_there_were(count: int, state: str) -> None:
    levels, days = planted_rises(count)
    last = last_study(studied({"top100": levels}, calendar(*days)), 7)
    assert (last["event_count"], last["state"]) == (count, state)
    assert (last["mean_outcome_fraction"] is None) == (count < 3)
    assert (last["difference_low_fraction"] is None) == (count < 10)


def test_study_of_a_day_knows_only_what_was_over() -> None:
    levels, days = planted_rises(12)
    tables = studied({"top100": levels}, calendar(*days))
    cut = FIRST + timedelta(days=300)
    known = {day: level for day, level in levels.items() if day <= cut}
    before = studied({"top100": known}, calendar(*days))

    def months(found: Tables) -> list[Row]:
        return [row for row in found.rows(STUDIES) if row["as_of_date"] < date(2023, 10, 1)]

    assert months(before) == months(tables)
    assert len(months(before)) > 10
    for row in tables.rows(STUDIES, horizon_days=30, target_id="top100"):
        over = [day for day in days if day + timedelta(days=31) <= row["as_of_date"]]
        assert row["event_count"] == len(over)
