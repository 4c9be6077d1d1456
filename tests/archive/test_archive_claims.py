"""The ledger of claims over the real archive: verdict and figure of each."""

from __future__ import annotations

from typing import Any

import pytest
from archive_home import needs_archive
from nights import Home

pytestmark = needs_archive

CONFIRMED, CAVEAT = "confirmed", "confirmed_with_caveat"
MISSED, REFUTED = "not_confirmed", "refuted"
# claim, verdict, figure, how far it may move with a revision of the archive
DECIDED = [
    ("A1", MISSED, 1746, 0),
    ("A1M", MISSED, 12, 0),
    ("A2", CONFIRMED, 50, 0),
    ("A3", CONFIRMED, 0.975, 0.01),
    ("A3B", CONFIRMED, 41, 0),
    ("A3H", REFUTED, -0.244, 0.005),
    ("A3L", REFUTED, 0.975, 0.01),
    ("A4", CONFIRMED, -0.526, 0.02),
    ("A5", CAVEAT, 0.75, 0.01),
    ("A6", MISSED, -2.26, 0.1),
    ("A7", CAVEAT, 0.380, 0.02),
    ("A7H", MISSED, 1.966, 0.05),
    ("A7L", CAVEAT, 4.439, 0.05),
    ("A7S", CAVEAT, -0.746, 0.01),
    ("A8", MISSED, 0.289, 0.01),
    ("A10", CAVEAT, 1.062e12, 1e10),
    ("A10D", MISSED, 39, 0),
    ("A10O", REFUTED, 4.37e11, 1e10),
    ("A11", CONFIRMED, -0.246, 0.005),
    ("A12", CONFIRMED, 40.5, 2),
    ("A13", MISSED, -0.047, 0.005),
    ("A14", CONFIRMED, 10, 0),
    ("B2", CAVEAT, 97_932, 1),
    ("B3", CAVEAT, 6, 0),
    ("B3S", CONFIRMED, 967, 0),
    ("B4", CAVEAT, 0.0786, 0.0005),
    ("B5", CAVEAT, 2.44e11, 2e9),
    ("B7", MISSED, None, 0),
    ("B7L", MISSED, 0, 0),
    ("B8", MISSED, -0.071, 0.01),
    ("B9", MISSED, 0.625, 0.02),
    ("B10A", REFUTED, 0.035, 0.01),
    ("B16", CAVEAT, 0.238, 0.01),
    ("B17", MISSED, 1.138, 0.02),
    ("B19", MISSED, 18.6, 0.5),
    ("B22", CONFIRMED, 61, 0),
    ("B22F", REFUTED, 24, 0),
    ("B23", CAVEAT, 1.172, 0.005),
]
PENDING = {"B1", "B10B", "B10C"}
NO_INPUT = {
    *("A9", "A15", "B6", "B6L", "B11", "B12", "B13", "B14", "B15", "B18", "B20", "B21", "B24"),
}


@pytest.fixture(scope="module")
def ledger(published: Home) -> dict[str, tuple[Any, ...]]:
    return {
        row[0]: row[1:]
        for row in published.query(
            "select claim_id, verdict, actual_value, input_count, evidence from signals.claim_check"
        )
    }


@pytest.mark.parametrize(("claim_id", "verdict", "figure", "distance"), DECIDED)
def test_claim_is_decided(
    ledger: dict[str, tuple[Any, ...]],
    claim_id: str,
    verdict: str,
    figure: float | None,
    distance: float,
) -> None:
    found, actual, input_count, evidence = ledger[claim_id]
    assert found == verdict
    assert actual == (None if figure is None else pytest.approx(figure, abs=distance))
    assert input_count > 0
    assert evidence


def test_claims_after_the_last_day_are_pending(ledger: dict[str, tuple[Any, ...]]) -> None:
    assert {name for name, row in ledger.items() if row[0] == "pending"} == PENDING


def test_claims_without_a_row_are_unverifiable(ledger: dict[str, tuple[Any, ...]]) -> None:
    found = {name for name, row in ledger.items() if row[0] == "unverifiable_with_free_data"}
    assert found == NO_INPUT
    assert {ledger[name][1:] for name in found} == {(None, 0, None)}


def test_every_claim_has_a_verdict(ledger: dict[str, tuple[Any, ...]]) -> None:
    assert set(ledger) == {row[0] for row in DECIDED} | PENDING | NO_INPUT
