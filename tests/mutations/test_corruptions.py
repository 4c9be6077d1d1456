"""Every corruption of a good night is found by the rule that is meant for it."""

from __future__ import annotations

from collections import Counter

import pytest
from corruptions import CORRUPTIONS, Corruption
from fast_judge import judging_fast
from nights_at_the_gate import FEEDS, GateNight, dataset_of, errored, failed, stored_nights

from pipeline.quality.suites import all_rules

SEED = 7
QUICK_PER_FEED = 2

# Broken in every dataset by tests/quality/test_shared_rules.py.
SHARED = {
    "columns_exact",
    "types_exact",
    "not_empty",
    "row_count_usual",
    "key_not_null",
    "key_unique",
    "key_well_formed",
    "no_later_day",
    "has_market_date",
    "has_measure",
}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GateNight]:
    """A good night of every feed, with the nights before it in a home."""
    return stored_nights(SEED, tmp_path_factory.mktemp("home"))


def _cases(quick: int = QUICK_PER_FEED) -> list[object]:
    """Return every corruption, all but the first ones of a feed for the slow run."""
    number: Counter[str] = Counter()
    cases = []
    for corruption in CORRUPTIONS:
        number[corruption.feed] += 1
        of_feed = quick * (3 if corruption.feed == "market_daily" else 1)
        marks = [] if number[corruption.feed] <= of_feed else [pytest.mark.long]
        cases.append(pytest.param(corruption, marks=marks, id=corruption.id))
    return cases


def test_every_corruption_has_a_name_of_its_own() -> None:
    assert len({corruption.id for corruption in CORRUPTIONS}) == len(CORRUPTIONS)
    assert {dataset_of(c.feed).name for c in CORRUPTIONS} == {dataset_of(f).name for f in FEEDS}


def test_every_rule_is_meant_for_some_corruption() -> None:
    meant = {f"{dataset_of(c.feed).name}.{c.meant}" for c in CORRUPTIONS}
    rules = {rule.id for rule in all_rules() if rule.name not in SHARED}
    assert rules - meant == set(), "give each a corruption that it is meant for"


@pytest.mark.parametrize("feed", FEEDS)
def test_good_night_passes_every_rule(nights: dict[str, GateNight], feed: str) -> None:
    report = nights[feed].check()
    assert errored(report) == set()
    assert failed(report) == set()


@pytest.mark.parametrize("corruption", _cases())
def test_corruption_is_found_by_the_rule_meant_for_it(
    nights: dict[str, GateNight], corruption: Corruption
) -> None:
    with judging_fast():
        report = corruption.change(nights[corruption.feed]).check()
    fired = failed(report)
    print(f"{corruption.id}: meant {corruption.meant}; fired {', '.join(sorted(fired))}")
    assert errored(report) == set()
    assert corruption.meant in fired


@pytest.mark.parametrize("corruption", _cases(quick=1))
def test_great_expectations_judges_as_the_fast_judge_does(
    nights: dict[str, GateNight], corruption: Corruption
) -> None:
    night = corruption.change(nights[corruption.feed])
    with judging_fast():
        quick = night.check()
    assert [r.status for r in night.check().results] == [r.status for r in quick.results]
