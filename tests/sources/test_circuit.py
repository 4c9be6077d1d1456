"""Leaving a vendor alone that has refused us."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.sources.circuit import (
    FAILURE_COOL_SECONDS,
    FAILURES_ALLOWED,
    GROWN_COOL_SECONDS,
    LONGEST_COOL_SECONDS,
    TRIAL_SECONDS,
    Circuit,
)
from pipeline.sources.transfer import HttpStatusError

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class Clock:
    """Seconds since 1970 that pass only when told to."""

    def __init__(self) -> None:
        self.now = NEW_YEAR

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(tmp_path: Path, clock: Clock) -> Circuit:
    return Circuit(tmp_path, "bybit", clock)


def test_a_vendor_that_was_never_asked_may_be(circuit: Circuit, tmp_path: Path) -> None:
    assert circuit.check() is False
    assert circuit.opening() is None
    circuit.answered()
    assert list(tmp_path.iterdir()) == []


def test_an_open_circuit_says_until_when_and_why_and_what_to_do(
    circuit: Circuit, tmp_path: Path, clock: Clock
) -> None:
    circuit.open("api.bybit.com/x: HTTP 403, go away", 3600, 403)
    other_process = Circuit(tmp_path, "bybit", clock)
    with pytest.raises(HttpStatusError) as caught:
        other_process.check()
    assert caught.value.status == 403
    said = str(caught.value)
    assert "bybit is left alone until 2026-01-01 01:00:00 UTC" in said
    assert "HTTP 403, go away" in said
    assert "`tidemark vendors --reopen bybit`" in said
    opening = other_process.opening()
    assert opening is not None
    assert opening.until == datetime(2026, 1, 1, 1, tzinfo=UTC)
    Circuit(tmp_path, "okx", clock).check()


def test_after_the_pause_one_caller_tries_and_the_others_wait(
    circuit: Circuit, tmp_path: Path, clock: Clock
) -> None:
    circuit.open("a ban", 60, 418)
    clock.now += 60
    assert circuit.opening() is None
    assert circuit.check() is True
    with pytest.raises(SourceError, match="another process is trying"):
        Circuit(tmp_path, "bybit", clock).check()
    # A process that died while it tried does not stop the others.
    clock.now += TRIAL_SECONDS
    assert Circuit(tmp_path, "bybit", clock).check() is True


def test_an_answer_closes_it(circuit: Circuit, clock: Clock) -> None:
    circuit.open("a ban", 60, 418)
    clock.now += 60
    circuit.check()
    circuit.answered()
    assert circuit.check() is False
    circuit.open("another ban", 60, 418)
    assert circuit.opening() is not None
    assert clock.now + 60 == pytest.approx(circuit.opening().until.timestamp())


def test_a_trial_that_fails_opens_it_for_longer_but_not_for_nights(
    circuit: Circuit, clock: Clock
) -> None:
    circuit.open("no", 6 * 3600, 451)
    pauses = []
    for _ in range(4):
        opening = circuit.opening()
        assert opening is not None
        pauses.append(opening.until.timestamp() - clock.now)
        clock.now = opening.until.timestamp()
        assert circuit.check() is True
        circuit.open("no", 6 * 3600, 451)
    assert pauses == [6 * 3600, 12 * 3600, GROWN_COOL_SECONDS, GROWN_COOL_SECONDS]


def test_failures_in_a_row_open_it_and_an_answer_between_does_not(
    circuit: Circuit, clock: Clock
) -> None:
    for _ in range(FAILURES_ALLOWED - 1):
        circuit.failed("no answer in time")
    circuit.answered()
    for _ in range(FAILURES_ALLOWED - 1):
        circuit.failed("no answer in time")
        assert circuit.check() is False
    circuit.failed("no answer in time")
    with pytest.raises(SourceError, match="5 calls in a row failed, the last: no answer") as caught:
        circuit.check()
    assert not isinstance(caught.value, HttpStatusError)
    clock.now += FAILURE_COOL_SECONDS
    assert circuit.check() is True
    circuit.failed("still no answer")
    with pytest.raises(SourceError, match="still no answer"):
        circuit.check()


def test_no_word_of_a_vendor_shuts_it_out_for_ever(circuit: Circuit, clock: Clock) -> None:
    circuit.open("ten years", 10 * 365 * 86_400.0, 418)
    clock.now += LONGEST_COOL_SECONDS
    assert circuit.check() is True


def test_a_clock_that_was_set_back_does_not_keep_it_open(circuit: Circuit, clock: Clock) -> None:
    circuit.open("a ban", LONGEST_COOL_SECONDS, 418)
    clock.now -= 365 * 86_400
    assert circuit.opening() is None
    assert circuit.check() is True


def test_it_can_be_cleared(circuit: Circuit) -> None:
    assert circuit.clear() is False
    circuit.open("a ban", 60, 418)
    assert circuit.clear() is True
    assert circuit.check() is False
