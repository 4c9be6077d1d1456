"""Nights on which markets go wild and the data is right raise no critical alarm."""

from __future__ import annotations

from pathlib import Path

import pytest
from nights_at_the_gate import stored_nights
from rates import (
    FIRST_SEED,
    NIGHT_COUNT,
    PAGE,
    SEED,
    WildNight,
    judge_corruptions,
    judge_wild_night,
    render,
)

QUICK_NIGHTS = 3


def judge_wild_nights(count: int) -> list[WildNight]:
    """Return the first nights as judged, and print how many of them raised an alarm."""
    nights = [judge_wild_night(seed) for seed in range(FIRST_SEED, FIRST_SEED + count)]
    alarmed = sum(bool(night.critical) for night in nights)
    print(f"{alarmed} of {len(nights)} good nights raised a critical alarm")
    return nights


def test_wild_nights_raise_no_critical_alarm() -> None:
    assert [night for night in judge_wild_nights(QUICK_NIGHTS) if night.critical] == []


@pytest.mark.long
def test_both_rates_are_perfect_and_as_the_page_says(tmp_path: Path) -> None:
    found = judge_corruptions(stored_nights(SEED, tmp_path))
    print(f"{sum(each.is_caught for each in found)} of {len(found)} corruptions are caught")
    assert [each.corruption.id for each in found if not each.is_caught] == []
    nights = judge_wild_nights(NIGHT_COUNT)
    assert [night for night in nights if night.critical] == []
    assert PAGE.read_text(encoding="utf-8") == render(found, nights), "run `make mutations`"
