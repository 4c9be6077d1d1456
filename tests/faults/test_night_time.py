"""How long a whole night over all feeds takes on the simulated vendors."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from nights import NIGHTS, Home

from pipeline import steps
from pipeline.sources.registry import nightly_feeds


@pytest.mark.slow
def test_a_night_over_all_feeds_is_published_and_says_how_long_it_took(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = home.settings(NIGHTS[0], 3, feeds="", coinalyze_key="any", is_yahoo_enabled=True)
    marks: list[tuple[str, float, float]] = []

    def mark(step: str) -> None:
        marks.append((step, time.monotonic(), time.process_time()))

    steps.refresh(settings, NIGHTS[0], "timed", on_step=mark)
    mark("done")

    assert home.last_day() == NIGHTS[0]
    assert steps.failures(settings, "timed") == []
    assert len(marks) == len(nightly_feeds(settings)) + 4
    with capsys.disabled():
        # The processor's time is ours and the simulated vendors' together.
        print()
        for (step, began, busy), (_, ended, later) in pairwise(marks):
            print(f"{step:52} {ended - began:6.1f} s, {later - busy:6.1f} s of processor")
        _, began, busy = marks[0]
        _, ended, later = marks[-1]
        print(f"{'a whole night':52} {ended - began:6.1f} s, {later - busy:6.1f} s of processor")
