"""The call budget that all processes of a home share."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LockedError, RateLimitedError
from pipeline.sources import shared_state
from pipeline.sources.pacing import MAX_AHEAD_SECONDS, Pacer
from pipeline.sources.shared_state import locked_state, read_state
from pipeline.sources.vendors import VENDORS, Vendor

NEW_YEAR = 1_767_225_600.0  # 2026-01-01 00:00 UTC


class Clock:
    """Seconds since 1970 that pass only when told to."""

    def __init__(self, now: float = NEW_YEAR) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_vendor(**overrides: Any) -> Vendor:
    defaults = {
        "name": "somebody",
        "base_url": "https://vendor.example",
        "calls_per_minute": 6,
        "licence": "none",
    }
    return Vendor(**(defaults | overrides))


def test_calls_come_at_even_distances(tmp_path: Path) -> None:
    clock = Clock()
    pacer = Pacer(tmp_path, make_vendor(), 1.0, clock)
    assert [pacer.reserve() for _ in range(3)] == [0, 10, 20]
    clock.now += 25
    assert pacer.reserve() == 5


def test_a_few_calls_may_come_at_once_after_a_rest(tmp_path: Path) -> None:
    clock = Clock()
    pacer = Pacer(tmp_path, make_vendor(calls_per_minute=60), 1.0, clock)
    assert [pacer.reserve() for _ in range(7)] == [0, 0, 0, 0, 0, 1, 2]
    clock.now += 3600
    assert [pacer.reserve() for _ in range(6)] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_no_minute_has_many_more_calls_than_the_budget(vendor: Vendor, tmp_path: Path) -> None:
    clock = Clock()
    pacer = Pacer(tmp_path, vendor, 1.0, clock)
    made = 0
    while pacer.reserve() < 60 and made < 1000:
        made += 1
    assert made <= vendor.calls_per_minute * 1.1 + 1


def test_pace_scales_the_budget(tmp_path: Path) -> None:
    vendor = make_vendor(calls_per_month=10)
    pacer = Pacer(tmp_path, vendor, 0.5, Clock())
    assert [pacer.reserve() for _ in range(2)] == [0, 20]
    assert pacer.calls_per_month == 5


def test_two_pacers_of_one_home_share_their_turns(tmp_path: Path) -> None:
    clock = Clock()
    first, second = (Pacer(tmp_path, make_vendor(), 1.0, clock) for _ in range(2))
    assert [first.reserve(), second.reserve(), first.reserve()] == [0, 10, 20]
    other = Pacer(tmp_path, make_vendor(name="another"), 1.0, clock)
    assert other.reserve() == 0


def test_a_pause_that_a_vendor_asks_for_holds_everybody_up(tmp_path: Path) -> None:
    clock = Clock()
    first, second = (
        Pacer(tmp_path, make_vendor(calls_per_minute=60), 1.0, clock) for _ in range(2)
    )
    first.hold(30)
    assert [second.reserve(), first.reserve()] == [30, 31]


def test_a_clock_that_was_set_back_stops_nobody_for_long(tmp_path: Path) -> None:
    clock = Clock()
    pacer = Pacer(tmp_path, make_vendor(), 1.0, clock)
    pacer.reserve()
    clock.now -= 86_400
    assert pacer.reserve() == 0
    pacer.hold(1e9)
    assert pacer.reserve() == MAX_AHEAD_SECONDS


def test_the_budget_of_a_month_is_refused_when_used_up_and_begins_anew(tmp_path: Path) -> None:
    clock = Clock()
    pacer = Pacer(tmp_path, make_vendor(calls_per_month=2), 1.0, clock)
    pacer.reserve()
    pacer.reserve()
    with pytest.raises(RateLimitedError, match=r"budget of 2 calls for 2026-01 is used up"):
        pacer.reserve()
    assert pacer.calls_this_month() == 2
    clock.now += 31 * 86_400
    assert pacer.calls_this_month() == 0
    assert pacer.reserve() == 0


def test_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "pacing" / "somebody.json"
    file.parent.mkdir()
    for damage in (b"{", b"[1]", json.dumps({"full_at": "soon", "calls": None}).encode()):
        file.write_bytes(damage)
        assert Pacer(tmp_path, make_vendor(), 1.0, Clock()).reserve() == 0
        assert read_state(file)["calls"] == 1


def test_a_process_that_hangs_with_the_lock_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_state, "LOCK_TIMEOUT_SECONDS", 0.05)
    file = tmp_path / "somebody.json"
    with (
        locked_state(file),
        pytest.raises(LockedError, match=r"somebody\.json has been in use"),
        locked_state(file),
    ):
        pass


CALLS_EACH = 8
FAST = {"calls_per_minute": 1200}


def make_calls(folder: Path, results: Any) -> None:
    """Run in a process of its own: call at the pace, and tell when each call was made."""
    pacer = Pacer(folder, make_vendor(**FAST), 0.1)
    for _ in range(CALLS_EACH):
        time.sleep(pacer.reserve())
        results.put(time.time())


def test_two_processes_keep_to_one_budget(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=make_calls, args=(tmp_path, results)) for _ in range(2)]
    for process in processes:
        process.start()
    made = sorted(results.get(timeout=60) for _ in range(2 * CALLS_EACH))
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    vendor = make_vendor(**FAST)
    interval, burst = 60 / (vendor.calls_per_minute * 0.1), 10
    assert made[-1] - made[0] >= (len(made) - burst - 1) * interval
    assert Pacer(tmp_path, vendor, 0.1).calls_this_month() == len(made)
