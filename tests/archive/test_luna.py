"""LUNA's collapse in May 2022 costs ``large`` LUNA's whole weight, for ever.

Recomputed from units and prices of the constituents, without the divisor.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from archive_home import needs_archive
from nights import Home

pytestmark = needs_archive

LUNA = "terra-classic"
BEFORE = date(2022, 5, 5)
REMOVED = date(2022, 5, 18)
REVIEWED = date(2022, 5, 31)
PROFILES = ("house", "mv_compat", "cmc100_compat")


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def positions(published: Home, profile: str) -> pd.DataFrame:
    """Every position of ``large`` from the day before the fall to the next review."""
    names = ["day", "coin_id", "units", "price_usd", "weight", "contribution"]
    rows = published.query(
        "select market_date, coin_id, units, price_usd, weight_fraction, contribution_1d_fraction "
        f"from indices.constituent_daily where profile = '{profile}' and index_id = 'large' "
        f"and market_date between '{BEFORE}' and '{REVIEWED}'"
    )
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def levels(levels_of: Callable[[str, str], pd.Series], profile: str) -> pd.Series:
    found = levels_of(profile, "large")[str(BEFORE) : str(REVIEWED)]
    return found.set_axis(found.index.date)


def weight_before(positions: pd.DataFrame) -> float:
    row = positions[(positions["day"] == BEFORE) & (positions["coin_id"] == LUNA)]
    return float(row["weight"].item())


def worth_without_luna(positions: pd.DataFrame) -> pd.Series:
    others = positions[positions["coin_id"] != LUNA]
    return (others["units"] * others["price_usd"]).groupby(others["day"]).sum()


def test_luna_had_about_two_hundredths_of_large(positions: pd.DataFrame) -> None:
    assert 0.019 < weight_before(positions) < 0.024


def test_luna_contributions_add_up_to_its_whole_weight(
    positions: pd.DataFrame, levels: pd.Series
) -> None:
    fall = positions[
        (positions["coin_id"] == LUNA) & (positions["day"] > BEFORE) & (positions["day"] <= REMOVED)
    ].set_index("day")["contribution"]
    assert len(fall) == (REMOVED - BEFORE).days
    start_of_day = levels.shift(1)[fall.index] / levels[BEFORE]
    assert (fall * start_of_day).sum() == pytest.approx(-weight_before(positions), rel=1e-6)


def test_large_is_short_of_a_basket_without_luna_by_its_weight(
    positions: pd.DataFrame, levels: pd.Series
) -> None:
    without = worth_without_luna(positions)
    of_others = without[REMOVED] / without[BEFORE]
    of_index = levels[REMOVED] / levels[BEFORE]
    assert of_index / of_others - 1 == pytest.approx(-weight_before(positions), rel=1e-6)


def test_the_loss_stays_after_the_removal(positions: pd.DataFrame, levels: pd.Series) -> None:
    without = worth_without_luna(positions)
    assert LUNA not in set(positions.loc[positions["day"] > REMOVED, "coin_id"])
    assert levels[REVIEWED] / levels[REMOVED] == pytest.approx(
        without[REVIEWED] / without[REMOVED], rel=1e-8
    )


def test_luna_left_at_zero_and_nobody_took_its_place(
    published: Home, positions: pd.DataFrame, profile: str
) -> None:
    removal = published.query(
        "select deletion_date, removal_price_usd from indices.deletion "
        f"where profile = '{profile}' and coin_id = '{LUNA}'"
    )
    assert removal == [(REMOVED, 0.0)]
    counts = positions.groupby("day")["coin_id"].count()
    assert (counts[REMOVED], counts[REVIEWED]) == (20, 19)
