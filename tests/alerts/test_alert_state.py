"""What is told and what is not, night by night."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from alert_scenes import make_problem, make_rule
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.problem import Findings, Problem
from pipeline.alerts.state import AlertState, Record, advance, load_state, mailed, save_state

FIRST = date(2026, 3, 1)
KEY = "gate/market_daily.cap_is_price_times_supply"
REMIND = 7

Night = list[Problem] | None
"""What a night found; None for one on which nobody could look."""


def told(*nights: Night, remind: int = REMIND) -> list[list[str]]:
    """Return what is mailed on each of some nights in a row."""
    records: dict[str, Record] = {}
    said = []
    for n, problems in enumerate(nights):
        found = Findings(tuple(problems or ()), frozenset() if problems is None else everything())
        records, changes = advance(records, found, FIRST + timedelta(days=n), remind_nights=remind)
        said.append([change.transition for change in mailed(changes)])
    return said


def everything() -> frozenset[str]:
    return frozenset({KEY, "feed/market_daily"})


def rule(count: int = 4, **overrides: object) -> list[Problem]:
    return [make_rule(bad_count=count, **overrides)]


def critical(**overrides: object) -> list[Problem]:
    return [make_problem(**{"severity": "critical", **overrides})]


def test_an_unchanged_warning_is_told_once_and_again_after_some_nights() -> None:
    assert told(*[rule()] * 9) == [["new"], [], [], [], [], [], [], ["reminder"], []]
    assert told(*[rule()] * 4, remind=2) == [["new"], [], ["reminder"], []]


def test_a_higher_band_of_bad_rows_is_told_and_a_wavering_count_is_not() -> None:
    assert told(rule(4), rule(9), rule(10), rule(7), rule(12), rule(31)) == [
        ["new"],
        [],
        ["changed"],
        [],
        [],
        ["changed"],
    ]


def test_another_severity_or_kind_is_told() -> None:
    assert told(rule(), rule(severity="critical"), rule()) == [["new"], ["changed"], ["changed"]]
    assert told(rule(), rule(kind="errored"), rule(kind="errored")) == [["new"], ["changed"], []]


def test_what_is_critical_is_told_each_night() -> None:
    assert told(critical(), critical(), critical()) == [["new"], ["reminder"], ["reminder"]]


def test_an_outage_is_told_once_however_many_nights_it_lasts() -> None:
    missing = critical(key="night/missing", family="night")
    assert told(*[missing] * 8) == [["new"], *[[]] * 6, ["reminder"]]


def test_the_end_is_told_once_somebody_has_looked() -> None:
    assert told(rule(), None, [], []) == [["new"], [], ["recovered"], []]


def test_what_comes_and_goes_is_told_once() -> None:
    assert told(rule(), [], rule(), [], rule(), []) == [["new"], ["recovered"], [], [], [], []]
    assert told(rule(4), [], rule(40)) == [["new"], ["recovered"], ["back"]]


def test_what_comes_back_after_long_is_told() -> None:
    assert told(rule(), [], *[[]] * 5, rule()) == [["new"], ["recovered"], *[[]] * 5, ["back"]]


def test_what_is_critical_is_told_whenever_it_comes_back() -> None:
    assert told(critical(), [], critical(), []) == [["new"], ["recovered"], ["back"], ["recovered"]]


def test_information_is_told_only_when_it_stays() -> None:
    info = rule(severity="info")
    assert told(info, [], info) == [[], [], []]
    assert told(*[info] * 8, []) == [*[[]] * 7, ["reminder"], ["recovered"]]
    assert told(info, rule()) == [[], ["changed"]]


def test_restated_levels_are_told_when_there_are_more_and_never_again_for_that() -> None:
    standing = [make_rule(family="restatement")]
    assert told(*[standing] * 16) == [["new"], *[[]] * 15]


def test_the_same_night_twice_changes_nothing() -> None:
    found = Findings((make_rule(), *critical()), everything())
    records, first = advance({}, found, FIRST, remind_nights=REMIND)
    again, second = advance(records, found, FIRST, remind_nights=REMIND)
    assert len(mailed(first)) == 2
    assert mailed(second) == []
    assert again == records


def test_an_older_night_that_was_run_again_ends_nothing() -> None:
    records, _ = advance({}, Findings((make_rule(),), everything()), FIRST, remind_nights=REMIND)
    before = FIRST - timedelta(days=3)
    after, changes = advance(records, Findings((), everything()), before, remind_nights=REMIND)
    assert changes == []
    assert after == records


def test_what_nobody_looks_at_any_more_is_forgotten() -> None:
    records, _ = advance({}, Findings((make_rule(),), everything()), FIRST, remind_nights=REMIND)
    later = FIRST + timedelta(days=61)
    after, changes = advance(records, Findings((), frozenset()), later, remind_nights=REMIND)
    assert (after, changes) == ({}, [])


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    records, _ = advance(
        {}, Findings((make_rule(), *critical()), everything()), FIRST, remind_nights=REMIND
    )
    state = AlertState(records, FIRST, FIRST, 3)
    assert load_state(tmp_path / "state.json") == AlertState()
    save_state(tmp_path / "state.json", state)
    assert load_state(tmp_path / "state.json") == state


@pytest.mark.parametrize(("count", "band"), [(0, 0), (1, 1), (2, 1), (3, 2), (10, 3), (299, 5)])
def test_bad_rows_fall_into_bands(count: int, band: int) -> None:
    assert make_rule(bad_count=count).band == band


night = st.sampled_from(["none", "unseen", "warning", "worse", "critical"])


@given(st.lists(night, max_size=25))
def test_every_mail_about_a_beginning_is_followed_by_at_most_one_about_its_end(
    nights: list[str],
) -> None:
    nothing: list[Problem] = []
    found: dict[str, Night] = {
        "none": nothing,
        "unseen": None,
        "warning": rule(4),
        "worse": rule(400),
        "critical": rule(4, severity="critical"),
    }
    is_told = False
    for name, transitions in zip(nights, told(*(found[n] for n in nights)), strict=True):
        assert len(transitions) <= 1
        if name == "critical":
            assert transitions, "a critical problem was kept silent"
        if transitions == ["recovered"]:
            assert is_told
        is_told = transitions not in ([], ["recovered"]) or (is_told and transitions == [])
        if name == "unseen":
            assert not transitions
