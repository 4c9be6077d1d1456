"""Our broad indices beside the CCi30, which is made from other data by other rules.

The CCi30 holds 30 coins by the square root of a smoothed cap, reviews its members by the
quarter and has no stablecoins. Bitcoin is about a fifth of it, as in no index of ours by
cap; the nearest is ``large_capped``.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from archive_home import needs_archive
from attribution import beside_cci30, likeness, read_cci30

pytestmark = needs_archive


@pytest.fixture(scope="module")
def side_by_side(levels_of: Callable[[str, str], pd.Series]) -> Callable[[str], pd.DataFrame]:
    cci30 = read_cci30()

    def join(index_id: str) -> pd.DataFrame:
        both = beside_cci30(levels_of("house", index_id), cci30)
        assert len(both) > 700
        return both

    return join


@pytest.mark.parametrize(
    ("index_id", "least_correlation", "most_tracking_error", "least_beta", "most_beta"),
    [
        ("top100", 0.95, 0.28, 0.80, 0.95),
        ("large", 0.95, 0.30, 0.80, 0.95),
        ("large_capped", 0.98, 0.16, 0.93, 1.03),
    ],
)
def test_daily_returns_move_with_the_cci30(
    side_by_side: Callable[[str], pd.DataFrame],
    index_id: str,
    least_correlation: float,
    most_tracking_error: float,
    least_beta: float,
    most_beta: float,
) -> None:
    found = likeness(side_by_side(index_id))
    assert found.correlation > least_correlation
    assert found.tracking_error < most_tracking_error
    assert least_beta < found.beta < most_beta


@pytest.mark.parametrize("index_id", ["top100", "large", "large_capped"])
def test_days_are_the_same_days(side_by_side: Callable[[str], pd.DataFrame], index_id: str) -> None:
    """A day's shift in either series would leave next to no correlation."""
    returns = side_by_side(index_id).pct_change().dropna()
    for days in (-1, 1):
        assert abs(returns["ours"].shift(days).corr(returns["theirs"])) < 0.2


@pytest.mark.parametrize(
    ("first", "last", "most_apart"),
    [
        ("2020-01-31", "2020-12-31", 0.15),
        ("2020-12-31", "2021-12-31", 0.35),
        ("2020-03-12", "2020-12-31", 0.15),
        ("2020-12-31", "2021-05-09", 0.15),
    ],
)
def test_capped_large_grows_as_the_cci30_does(
    side_by_side: Callable[[str], pd.DataFrame], first: str, last: str, most_apart: float
) -> None:
    both = side_by_side("large_capped")
    growth = both.loc[last] / both.loc[first]
    assert growth["ours"] / growth["theirs"] - 1 == pytest.approx(0, abs=most_apart)


def test_bitcoin_makes_the_difference_of_the_years(
    side_by_side: Callable[[str], pd.DataFrame],
) -> None:
    """It led in 2020 and lagged in 2021, so an index by cap is above the CCi30, then below."""
    both = side_by_side("top100")
    in_2020 = both.loc["2020-12-31"] / both.loc["2020-01-31"]
    in_2021 = both.loc["2021-12-31"] / both.loc["2020-12-31"]
    assert in_2020["ours"] > in_2020["theirs"]
    assert in_2021["ours"] < in_2021["theirs"]


def test_the_crash_of_march_2020_is_as_deep(
    side_by_side: Callable[[str], pd.DataFrame],
) -> None:
    for index_id in ("top100", "large", "large_capped"):
        both = side_by_side(index_id)
        fall = both.loc["2020-03-12"] / both.loc["2020-02-29"] - 1
        assert fall["ours"] == pytest.approx(fall["theirs"], abs=0.04)
