"""``low_since_date`` of small on 16 November 2025, recomputed from the levels alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from archive_home import needs_archive
from nights import Home

pytestmark = needs_archive

ARTICLE_DATE = date(2025, 11, 16)


def last_lower_days(levels: pd.Series) -> list[date | None]:
    """Return, for each day, the latest earlier day with a lower level."""
    candidates: list[tuple[date, float]] = []
    found: list[date | None] = []
    for stamp, level in levels.items():
        while candidates and candidates[-1][1] >= level:
            candidates.pop()
        found.append(candidates[-1][0] if candidates else None)
        candidates.append((stamp.date(), level))
    return found


@pytest.mark.parametrize(
    ("profile", "low_since"),
    [("house", date(2025, 11, 4)), ("mv_compat", date(2025, 11, 14))],
)
def test_low_since_date_is_the_last_day_with_a_lower_level(
    published: Home, levels_of: Callable[[str, str], pd.Series], profile: str, low_since: date
) -> None:
    levels = levels_of(profile, "small")
    expected = dict(zip(levels.index.date, last_lower_days(levels), strict=True))
    stated = dict(
        published.query(
            "select market_date, low_since_date from indices.index_statistic_daily "
            f"where profile = '{profile}' and index_id = 'small' order by market_date"
        )
    )
    assert len(stated) > 2000
    assert stated == expected
    assert stated[ARTICLE_DATE] == low_since


def test_small_falls_below_all_since_february_2021_the_day_after_the_press(
    levels_of: Callable[[str, str], pd.Series],
) -> None:
    """The press: on Sunday the 16th at its lowest since (November) 2020."""
    levels = levels_of("house", "small")
    monday = levels["2025-11-17"]
    assert monday < levels["2021-02-05":"2025-11-16"].min()  # type: ignore[misc]
    assert monday > levels["2020-11-01":"2020-11-30"].min()  # type: ignore[misc]
