"""Nights on which markets go wild and the data is right raise no critical alarm."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from fast_judge import judging_fast
from nights_at_the_gate import NIGHT, alarms, good_nights
from weather import WEATHERS

QUICK_NIGHTS = 11
ALL_NIGHTS = 200
FIRST_SEED = 1000


def alarms_of_night(seed: int) -> tuple[str, dict[str, set[str]]]:
    """Return what the market did on a seed's night, and each feed's critical alarms."""
    weather = WEATHERS[seed % len(WEATHERS)]
    night = NIGHT + timedelta(days=seed % 7)
    nights = weather(good_nights(seed, night), np.random.default_rng(seed))
    found = {feed: alarms(each.check()) for feed, each in nights.items()}
    return weather.__name__, {feed: ids for feed, ids in found.items() if ids}


def false_alarms(seeds: range) -> dict[str, dict[str, set[str]]]:
    """Return the alarms of the seeds' nights, and print how many of them had any."""
    with judging_fast():
        told = {seed: alarms_of_night(seed) for seed in seeds}
    weathers = Counter(weather for weather, _ in told.values())
    wrong = {f"seed {seed}, {weather}": ids for seed, (weather, ids) in told.items() if ids}
    print(f"{len(wrong)} of {len(told)} good nights raised a critical alarm; nights: {weathers}")
    return wrong


def test_wild_nights_raise_no_critical_alarm() -> None:
    assert false_alarms(range(FIRST_SEED, FIRST_SEED + QUICK_NIGHTS)) == {}


@pytest.mark.slow
def test_two_hundred_wild_nights_raise_no_critical_alarm() -> None:
    assert false_alarms(range(FIRST_SEED, FIRST_SEED + ALL_NIGHTS)) == {}
