"""Turning points of planted levels, and their match."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from planted import Tables, closes_of, on_sessions, run_signals, sessions

POINTS = "signals.turning_point"
MATCHES = "signals.turning_point_match"
FIRST = date(2022, 1, 3)


def zigzag(count: int, half: int, shift: int = 0, height: float = 0.3) -> np.ndarray:
    """Return levels that rise and fall by ``height`` in turn, every ``half`` sessions."""
    place = (np.arange(count) - shift) % (2 * half)
    return 100 * (1 + height * np.minimum(place, 2 * half - place) / half)


def market(equity: np.ndarray, crypto: np.ndarray, only: str) -> Tables:
    days = sessions(FIRST, len(equity))
    return run_signals(
        [only],
        closes=closes_of("RUT", days, equity),
        levels={"top100": on_sessions(days, crypto)},
    )


def uneven(seed: int, count: int = 620) -> np.ndarray:
    return 100 * np.exp(0.025 * np.random.default_rng(seed).standard_normal(count).cumsum())


def test_planted_turns_are_found_and_known_ten_sessions_later() -> None:
    days = sessions(FIRST, 200)
    rows = market(zigzag(200, 30), zigzag(200, 40), POINTS).rows(POINTS, series_id="RUT")
    assert [(row["pivot_date"], row["pivot_kind"]) for row in rows] == [
        (days[30], "peak"),
        (days[60], "trough"),
        (days[90], "peak"),
        (days[120], "trough"),
        (days[150], "peak"),
        (days[180], "trough"),
    ]
    assert [row["confirmed_date"] for row in rows][:2] == [days[40], days[70]]
    assert rows[1]["amplitude_fraction"] == pytest.approx(1 - 100 / 130)
    assert rows[1]["phase_sessions"] == 30
    assert {row["superseded_date"] for row in rows} == {None}
    assert rows[0]["amplitude_fraction"] is None


@pytest.mark.parametrize(("height", "equity", "crypto"), [(0.08, 5, 1), (0.12, 5, 5), (0.04, 1, 1)])
def test_crypto_must_move_twice_as_far_as_equities(height: float, equity: int, crypto: int) -> None:
    levels = zigzag(170, 30, height=height)
    tables = market(levels, levels, POINTS)
    for series_id, count in (("RUT", equity), ("top100", crypto)):
        rows = tables.rows(POINTS, series_id=series_id)
        assert len([row for row in rows if row["superseded_date"] is None]) == count


def test_series_of_one_rhythm_match_with_their_lead() -> None:
    levels = uneven(3)
    later = np.concatenate([np.full(5, levels[0]), levels])[:620] ** 2
    last = market(levels, later, MATCHES).rows(MATCHES)[-1]
    assert last["match_rate_fraction"] >= 0.9
    assert last["mean_lead_sessions"] == pytest.approx(5, abs=1.5)
    assert last["match_rate_fraction"] > last["null_p95_fraction"]
    assert last["concordance_fraction"] > last["expected_concordance_fraction"]
    assert last["state"] == "synchronised"


def test_unrelated_series_match_as_by_chance() -> None:
    last = market(uneven(1), uneven(7), MATCHES).rows(MATCHES)[-1]
    assert last["state"] == "as_by_chance"
    assert last["match_p_value"] > 0.05
    assert 0 < last["null_mean_fraction"] < last["null_p95_fraction"] < 1


def test_few_turns_are_insufficient() -> None:
    rows = market(zigzag(620, 120), uneven(7), MATCHES).rows(MATCHES)
    assert {row["state"] for row in rows} == {"insufficient"}
    assert {row["match_p_value"] for row in rows} == {None}
    assert max(row["equity_pivot_count"] for row in rows) < 6


def test_first_row_is_that_of_four_fifths_of_the_window() -> None:
    rows = market(uneven(3), uneven(5), MATCHES).rows(MATCHES)
    days = sessions(FIRST, 620)
    assert [row["session_date"] for row in rows] == days[403:]


def test_match_of_a_session_does_not_depend_on_later_ones() -> None:
    equity, crypto = uneven(3, 560), uneven(5, 560)
    longer = market(equity, crypto, MATCHES).rows(MATCHES)
    shorter = market(equity[:500], crypto[:500], MATCHES).rows(MATCHES)
    assert len(shorter) == 97
    assert shorter == longer[: len(shorter)]
    assert {row["state"] for row in longer} != {"insufficient"}


def test_point_is_not_counted_before_it_is_confirmed() -> None:
    tables = market(zigzag(520, 25), zigzag(520, 25), MATCHES)
    days = sessions(FIRST, 520)
    counts = {row["session_date"]: row["equity_pivot_count"] for row in tables.rows(MATCHES)}
    # the 18th turn is on session 450
    assert counts[days[459]] == 17
    assert counts[days[460]] == 18
    assert counts[days[484]] == 18
