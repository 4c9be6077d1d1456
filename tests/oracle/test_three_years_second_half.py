"""The shipped models against a second implementation: the second half of fifty long markets.

The halves are two files because the test runner gives each of its processes whole files.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from comparison import LEVEL_TOLERANCE, compare
from random_markets import RandomMarket


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25, 50))
def test_models_agree_with_the_oracle_over_three_years(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    verdict = compare(RandomMarket(seed))
    record_property("level_count", verdict.level_count)
    record_property("largest_difference", verdict.largest_difference)
    assert verdict.differences[:20] == []
    assert verdict.largest_difference <= LEVEL_TOLERANCE
