"""Every signal, one by one: too few values, each input late or gone, and what is too good."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest
from given_tables import Built, build, days_from
from harness import Row, audits, shipped_rows
from test_signal_daily import ALL_DAYS, DEFINITIONS, START, UNIONS, given_inputs, value_row

INPUTS = {row["input_id"]: row for row in shipped_rows("reference.signal_input")}
DAILY = sorted(key for key, definition in DEFINITIONS.items() if definition["is_daily"])
NEEDED = sorted({name for key in DAILY for name in DEFINITIONS[key]["required_inputs"].split(";")})
LATE_DAYS = 8  # the longest grace is four days, the longest life after it three
TABLE = "signals.signal_daily"
Told = dict[str, dict[date, Row]]


def needs(signal_id: str) -> set[str]:
    return set(DEFINITIONS[signal_id]["required_inputs"].split(";"))


@functools.cache
def told(late: str = "", late_days: int = 0) -> Told:
    """Return every daily signal with a value a day, and one input that stops before the end."""
    chance = random.Random(4)
    rows = [value_row(day, key, chance.random()) for key in DAILY for day in ALL_DAYS]
    observed: dict[str, Sequence[date]] = dict.fromkeys(INPUTS, ALL_DAYS)
    if late:
        observed[late] = ALL_DAYS[: len(ALL_DAYS) - late_days]
    given = given_inputs(observed) | {UNIONS[0]: rows, "signals.signal_quality": []}
    found: Told = {key: {} for key in DAILY}
    with build(TABLE, given) as built:
        for row in built.rows(TABLE):
            found[row["signal_id"]][row["market_date"]] = row
    return found


@pytest.mark.parametrize("signal_id", DAILY)
def test_signal_is_insufficient_below_its_minimum_of_values(signal_id: str) -> None:
    minimum = DEFINITIONS[signal_id]["minimum_observations"]
    assert 1 <= minimum <= DEFINITIONS[signal_id]["full_observations"]
    rows = [told()[signal_id][day] for day in ALL_DAYS]
    for row in rows[: minimum - 1]:
        assert (row["value"], row["percentile_pct"], row["robust_z"]) == (None, None, None)
        assert (row["state"], row["confidence_score"]) == ("insufficient", 0)
    first = rows[minimum - 1]
    assert first["value"] is not None
    assert (first["state"], first["observation_count"]) == ("normal", minimum)
    assert first["confidence_score"] >= 0.3


@pytest.mark.parametrize("signal_id", DAILY)
def test_signal_grows_surer_with_its_history(signal_id: str) -> None:
    scores = [told()[signal_id][day]["confidence_score"] for day in ALL_DAYS]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(0.9)


@pytest.mark.parametrize("signal_id", DAILY)
def test_percentile_waits_for_the_definitions_number_of_values(signal_id: str) -> None:
    count = DEFINITIONS[signal_id]["percentile_observations"]
    rows = [told()[signal_id][day] for day in ALL_DAYS]
    assert {row["percentile_pct"] for row in rows[: count - 1]} == {None}
    assert rows[count - 1]["percentile_pct"] is not None


@pytest.mark.parametrize(
    ("signal_id", "late"), [(key, name) for key in DAILY for name in sorted(needs(key))]
)
def test_late_input_lowers_confidence_and_then_withholds(signal_id: str, late: str) -> None:
    fresh, stale = told()[signal_id], told(late, LATE_DAYS)[signal_id]
    grace, life = INPUTS[late]["grace_days"], INPUTS[late]["ttl_days"]
    for age in range(LATE_DAYS + 1):
        row = stale[ALL_DAYS[len(ALL_DAYS) - 1 - LATE_DAYS + age]]
        before = fresh[row["market_date"]]
        expected = max(0.0, 1 - max(0, age - grace) / life)
        assert row["freshness_fraction"] == pytest.approx(expected)
        assert row["confidence_score"] == pytest.approx(before["confidence_score"] * expected)
        if age > grace:
            assert row["confidence_score"] < before["confidence_score"]
        if row["confidence_score"] < 0.3:
            assert (row["value"], row["state"]) == (None, "withheld")
        else:
            assert row["value"] == before["value"]
    assert (row["value"], row["state"], row["confidence_label"]) == (None, "withheld", "none")


@pytest.mark.parametrize("late", NEEDED)
def test_input_that_never_came_withholds_what_needs_it_and_nothing_else(late: str) -> None:
    fresh, without = told(), told(late, len(ALL_DAYS))
    for key in DAILY:
        last = without[key][ALL_DAYS[-1]]
        if late in needs(key):
            assert (last["value"], last["state"], last["confidence_score"]) == (None, "withheld", 0)
        else:
            assert last == fresh[key][ALL_DAYS[-1]]


@functools.cache
def resting() -> tuple[Told, list[Row]]:
    """Return every daily signal with one value on its last eight days, and what is warned of."""
    chance = random.Random(5)
    rows = [value_row(day, key, chance.random()) for key in DAILY for day in ALL_DAYS]
    for row in rows:
        if row["market_date"] in ALL_DAYS[-8:]:
            row["value"] = 0.5
    observed: dict[str, Sequence[date]] = dict.fromkeys(INPUTS, ALL_DAYS)
    given = given_inputs(observed) | {UNIONS[0]: rows, "signals.signal_quality": []}
    with build(TABLE, given) as built:
        found = {
            key: {row["market_date"]: row for row in built.rows(TABLE, signal_id=key)}
            for key in DAILY
        }
        return found, run_audit(built)


@pytest.mark.parametrize("signal_id", DAILY)
def test_same_value_too_often_is_a_frozen_source(signal_id: str) -> None:
    allowed = DEFINITIONS[signal_id]["identical_days"]
    found, broken = resting()
    last = [found[signal_id][day] for day in ALL_DAYS[-8:]]
    warned = [row["reason"] for row in broken if row["signal_id"] == signal_id]
    if allowed is None:  # a count or a share of a few coins may rest
        assert {row["value"] for row in last} == {0.5}
        assert warned == []
    else:
        assert [row["value"] for row in last] == [0.5] * allowed + [None] * (8 - allowed)
        assert [row["state"] for row in last[allowed:]] == ["implausible"] * (8 - allowed)
        assert {row["confidence_score"] for row in last[allowed:]} == {0}
        assert warned == ["frozen"]


def test_frozen_source_that_moves_again_is_believed_again() -> None:
    rows = [value_row(day, "S30", float(n)) for n, day in enumerate(ALL_DAYS)]
    for row in rows[-10:-2]:
        row["value"] = 50.0
    observed = {"sentiment": ALL_DAYS}
    given = given_inputs(observed) | {UNIONS[0]: rows, "signals.signal_quality": []}
    with build(TABLE, given) as built:
        last = built.rows(TABLE)[-3:]
        assert run_audit(built) == []
    assert [row["state"] for row in last] == ["implausible", "normal", "normal"]


def run_audit(built: Built) -> list[Row]:
    cursor = built.connection.execute(audits()["signals_are_plausible"].sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def slipped(is_slipped: bool) -> dict[str, list[Row]]:
    """Return two series of one signal and a market; the first may know tomorrow's return."""
    days = days_from(START, 900)
    chance = np.random.default_rng(8)
    returns = 0.03 * chance.standard_normal(len(days))
    noise = 0.03 * chance.standard_normal((2, len(days)))
    # An outcome of a day runs from the next close to the one after it.
    knowing = noise[0] + (0.4 * np.roll(returns, -2) if is_slipped else 0)
    values = [
        value_row(day, "S03", float(series[n]), entity=entity)
        for entity, series in (("slipped", knowing), ("honest", noise[1]))
        for n, day in enumerate(days)
    ]
    outcomes = [
        {
            "market_date": day,
            "target_id": "small",
            "horizon_days": 1,
            "entry_date": day,
            "exit_date": day,
            "outcome_fraction": float(returns[n + 2]),
        }
        for n, day in enumerate(days[:-2])
    ]
    return {UNIONS[0]: values, "signals.forward_outcome_daily": outcomes}


def test_series_that_knows_tomorrow_is_withheld_as_a_whole_and_warned_of() -> None:
    days = days_from(START, 900)
    given = given_inputs({"price": days}, len(days)) | slipped(is_slipped=True)
    with build(TABLE, given) as built:
        told_of = built.rows(TABLE, entity="slipped")
        honest = built.rows(TABLE, entity="honest")
        quality = built.rows("signals.signal_quality", entity="slipped")
        broken = run_audit(built)
    assert {row["value"] for row in told_of} == {None}
    assert {row["state"] for row in told_of} == {"insufficient", "implausible"}
    assert {row["confidence_score"] for row in told_of} == {0}
    assert honest[-1]["value"] is not None
    assert {row["verdict"] for row in quality} == {"implausible", "withheld"}
    (row,) = broken
    assert (row["signal_id"], row["entity"], row["reason"]) == ("S03", "slipped", "too_good")
    assert "rank correlation" in row["evidence"]


def test_honest_series_is_not_withheld() -> None:
    days = days_from(START, 900)
    given = given_inputs({"price": days}, len(days)) | slipped(is_slipped=False)
    with build(TABLE, given) as built:
        assert built.rows("signals.signal_block") == []
        assert {row["state"] for row in built.rows(TABLE)} == {"insufficient", "normal"}
        assert run_audit(built) == []
