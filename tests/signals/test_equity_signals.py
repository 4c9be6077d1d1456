"""Closes, records and runs of equity indices."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import Row, close, closes_of, run_signals, sessions

CLOSES = "staging.equity_close_daily"
RECORDS = "signals.equity_index_daily"
PAIRS = "signals.equity_pair_daily"
MONDAY = date(2024, 1, 1)

# Published daily returns in percent, RUT and SPX, and the run and year to date they make.
GOLDEN = [
    (date(2026, 1, 2), 1.06, 0.19, 1, 1.06, 0.19),
    (date(2026, 1, 5), 1.58, 0.64, 2, 2.66, 0.83),
    (date(2026, 1, 6), 1.37, 0.62, 3, 4.06, 1.46),
    (date(2026, 1, 7), -0.29, -0.34, 4, 3.76, 1.11),
    (date(2026, 1, 8), 1.11, 0.01, 5, 4.91, 1.12),
    (date(2026, 1, 9), 0.78, 0.65, 6, 5.73, 1.78),
    (date(2026, 1, 12), 0.44, 0.16, 7, 6.20, 1.94),
    (date(2026, 1, 13), -0.10, -0.19, 8, 6.09, 1.75),
    (date(2026, 1, 14), 0.70, -0.53, 9, 6.83, 1.21),
    (date(2026, 1, 15), 0.86, 0.26, 10, 7.75, 1.47),
    (date(2026, 1, 16), 0.12, -0.06, 11, 7.88, 1.41),
    (date(2026, 1, 20), -1.21, -2.06, 12, 6.58, -0.68),
    (date(2026, 1, 21), 2.02, 1.16, 13, 8.73, 0.47),
]


def golden_closes(rut_base: float = 2481.91, spx_base: float = 6845.50) -> list[Row]:
    days = [date(2025, 12, 31), *(row[0] for row in GOLDEN)]
    rows = []
    for ticker, base, place in (("RUT", rut_base, 1), ("SPX", spx_base, 2)):
        growth = np.cumprod([1.0, *(1 + row[place] / 100 for row in GOLDEN)])
        rows += closes_of(ticker, days, base * growth)
    return rows


def test_golden_run_is_9_on_14_january_and_13_on_the_21st() -> None:
    found = run_signals([PAIRS], closes=golden_closes()).rows(PAIRS, pair_id="rut_over_spx")
    runs = {row["session_date"]: row["streak_sessions"] for row in found}
    assert runs == {date(2025, 12, 31): 0} | {row[0]: row[3] for row in GOLDEN}
    states = {row["session_date"]: row["state"] for row in found}
    assert states[date(2026, 1, 14)] == "notable"
    assert states[date(2026, 1, 21)] == "historic"
    # 7 January was won by five hundredths of a percent
    assert found[-1]["streak_min_margin_fraction"] == pytest.approx(0.0005, abs=1e-9)


def test_golden_year_to_date_to_a_hundredth_of_a_point() -> None:
    tables = run_signals([RECORDS], closes=golden_closes())
    for ticker, place in (("RUT", 4), ("SPX", 5)):
        found = {
            r["session_date"]: r["return_ytd_fraction"] for r in tables.rows(RECORDS, ticker=ticker)
        }
        for row in GOLDEN:
            assert 100 * found[row[0]] == pytest.approx(row[place], abs=0.0101)


def test_golden_added_value_is_an_estimate_near_the_articles() -> None:
    found = run_signals([RECORDS], closes=golden_closes()).rows(RECORDS, ticker="RUT")
    added = {row["session_date"]: row["estimated_added_value_usd"] for row in found}
    assert added[date(2026, 1, 14)] == pytest.approx(0.0683 * 3.1e12, rel=0.01)
    assert added[date(2025, 12, 31)] is None


def test_one_close_per_session_from_the_first_source_that_has_it() -> None:
    rows = [
        close(MONDAY, "RUT", 100.0, source="fred"),
        close(MONDAY, "RUT", 101.0, source="yahoo"),
        close(MONDAY, "SPX", 50.0, source="zzz"),
        close(MONDAY, "SPX", 50.0, source="aaa"),
        close(MONDAY, "VIX", 14.0),
        close(MONDAY, "DAX", 9.0),
    ]
    found = {row["ticker"]: row for row in run_signals([CLOSES], closes=rows).rows(CLOSES)}
    assert (found["RUT"]["source"], found["RUT"]["close_points"]) == ("yahoo", 101.0)
    assert found["RUT"]["source_disagreement_fraction"] == pytest.approx(0.01)
    assert (found["SPX"]["source"], found["SPX"]["source_count"]) == ("aaa", 2)
    kinds = {ticker: row["ticker_kind"] for ticker, row in found.items()}
    assert kinds == {"RUT": "index", "SPX": "index", "VIX": "volatility", "DAX": "other"}


def test_later_word_replaces_the_earlier_but_history_never_what_we_saw() -> None:
    def at(hour: int) -> datetime:
        return datetime(2024, 1, 2, hour, tzinfo=UTC)

    rows = [
        close(MONDAY, "RUT", 100.0),
        close(MONDAY, "RUT", 102.0, known_at=at(3)),
        close(MONDAY, "RUT", 999.0, known_at=at(9), vintage="reconstructed"),
        close(MONDAY, "SPX", 50.0),
        close(MONDAY, "SPX", None, known_at=at(3)),
    ]
    (found,) = run_signals([CLOSES], closes=rows).rows(CLOSES)
    assert (found["ticker"], found["close_points"], found["is_reconstructed"]) == (
        "RUT",
        102.0,
        False,
    )


def test_record_is_strictly_above_every_close_before() -> None:
    days = sessions(MONDAY, 6)
    rows = closes_of("RUT", days, [100, 101, 101, 99, 102, 103])
    found = run_signals([RECORDS], closes=rows).rows(RECORDS, ticker="RUT")
    assert [row["is_record_close"] for row in found] == [False, True, False, False, True, True]
    assert [row["record_ytd_count"] for row in found] == [0, 1, 1, 1, 2, 3]
    assert [row["sessions_without_record"] for row in found] == [None, 0, 0, 1, 2, 0]
    assert found[3]["distance_from_record_fraction"] == pytest.approx(99 / 101 - 1)
    assert {row["state"] for row in found} == {"insufficient"}
    assert {row["history_start_date"] for row in found} == {days[0]}


@pytest.mark.parametrize(("quiet", "is_breakout"), [(62, False), (63, True)])
def test_breakout_needs_63_sessions_without_a_record(quiet: int, is_breakout: bool) -> None:
    days = sessions(date(2022, 1, 3), 302 + quiet)
    prices = [*np.linspace(100, 200, 300), 201.0, *[150.0] * quiet, 202.0]
    found = run_signals([RECORDS], closes=closes_of("RUT", days, prices)).rows(RECORDS)
    assert found[-1]["sessions_without_record"] == quiet
    assert found[-1]["is_breakout"] is is_breakout
    assert found[-1]["state"] == ("breakout" if is_breakout else "record")


def test_year_without_a_close_in_its_last_week_is_no_base() -> None:
    days = [date(2023, 12, 20), date(2024, 12, 27), date(2025, 1, 2)]
    found = run_signals([RECORDS], closes=closes_of("SPX", days, [100, 110, 121])).rows(RECORDS)
    assert found[0]["return_ytd_fraction"] is None
    assert found[1]["return_ytd_fraction"] is None
    assert found[2]["return_ytd_fraction"] == pytest.approx(0.1)


def test_fund_is_a_proxy_in_rows_of_its_own() -> None:
    rows = closes_of("IWM", sessions(MONDAY, 3), [1, 2, 3])
    rows += closes_of("RUT", sessions(MONDAY, 2), [10, 9]) + closes_of("VIX", [MONDAY], [12])
    found = run_signals([RECORDS], closes=rows).rows(RECORDS)
    assert [(row["ticker"], row["is_proxy"]) for row in found if row["session_date"] == MONDAY] == [
        ("IWM", True),
        ("RUT", False),
    ]


def pair_of(rut: list[float], spx: list[float]) -> list[Row]:
    days = sessions(MONDAY, len(rut))
    rows = closes_of("RUT", days, rut) + closes_of("SPX", days, spx)
    return run_signals([PAIRS], closes=rows).rows(PAIRS)


def test_tie_ends_a_run() -> None:
    found = pair_of([100, 101, 102, 204, 205], [100, 100, 100, 200, 200])
    assert [row["streak_sessions"] for row in found] == [0, 1, 2, 0, 1]
    assert [row["state"] for row in found][:2] == ["insufficient", "outperforming"]
    assert found[3]["return_difference_fraction"] == 0


def test_session_that_only_one_has_is_left_out_of_both() -> None:
    days = sessions(MONDAY, 4)
    rows = closes_of("RUT", days, [100, 90, 103, 104])
    rows += closes_of("SPX", [days[0], days[2], days[3]], [100, 101, 101])
    found = run_signals([PAIRS], closes=rows).rows(PAIRS)
    assert [row["session_date"] for row in found] == [days[0], days[2], days[3]]
    assert found[1]["numerator_return_fraction"] == pytest.approx(0.03)
    assert [row["streak_sessions"] for row in found] == [0, 1, 2]


def test_longest_since_is_the_end_of_the_last_run_as_long() -> None:
    wins = [1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1]
    found = pair_of([*np.cumprod([100, *(1.01 if win else 0.99 for win in wins)])], [100.0] * 12)
    days = sessions(MONDAY, 12)
    assert [row["streak_longest_since_date"] for row in found] == [
        None, None, None, None, None, days[3], days[3], None, days[6], days[6], days[3], None,
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=60))
def test_runs_are_those_of_a_plain_loop(moves: list[tuple[int, int]]) -> None:
    rut, spx = (np.cumprod([100.0, *(1 + m[n] / 64 for m in moves)]) for n in (0, 1))
    found = pair_of(list(rut), list(spx))
    run, ended, expected = 0, [], []
    for place, _ in enumerate(found):
        won = place > 0 and rut[place] / rut[place - 1] > spx[place] / spx[place - 1]
        if not won and run:
            ended.append((place - 1, run))
        run = run + 1 if won else 0
        since = [end for end, length in ended if length >= run] if run else []
        expected.append((run, found[max(since)]["session_date"] if since else None))
    assert [(r["streak_sessions"], r["streak_longest_since_date"]) for r in found] == expected


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), known=st.integers(2, 79))
def test_rows_of_a_session_do_not_depend_on_later_ones(seed: int, known: int) -> None:
    chance = np.random.default_rng(seed)
    days = sessions(date(2023, 11, 1), 80)
    rows = [
        row
        for ticker in ("RUT", "SPX")
        for row in closes_of(ticker, days, 100 * np.exp(0.01 * chance.standard_normal(80).cumsum()))
    ]
    past = [row for row in rows if row["session_date"] < days[known]]
    everything = run_signals([RECORDS, PAIRS], closes=rows)
    until_then = run_signals([RECORDS, PAIRS], closes=past)
    for table in (RECORDS, PAIRS):
        kept = [row for row in everything.rows(table) if row["session_date"] < days[known]]
        assert until_then.rows(table) == kept
        assert not any(
            isinstance(value, float) and not math.isfinite(value)
            for row in kept
            for value in row.values()
        )
