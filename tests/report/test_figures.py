from __future__ import annotations

import math
from datetime import UTC, date, datetime
from itertools import pairwise

import pandas as pd
import pytest

from pipeline.report import figures
from pipeline.report.drawing import GAP_DAYS, LABEL_GAP, spread_labels, with_gaps

HARD = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize("value", [None, float("nan"), math.inf, pd.NaT, pd.NA, ""])
def test_what_is_not_known_is_a_dash(value: object) -> None:
    for write in (figures.number, figures.percent, figures.change, figures.dollars, figures.day):
        assert write(value) == figures.UNKNOWN


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0214, "+2.1"), (-0.0214, f"{MINUS}2.1"), (0, "0.0"), (0.0001, "0.0"), (-0.0001, "0.0")],
)
def test_change_has_its_sign(value: float, written: str) -> None:
    assert figures.change(value) == f"{written}{HARD}%"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.234e12, f"$1.2{HARD}tn"),
        (-4.5e9, f"{MINUS}$4.5{HARD}bn"),
        (12_300_000, f"$12.3{HARD}m"),
        (1500, f"$1.5{HARD}k"),
        (12, "$12"),
    ],
)
def test_dollars_are_in_words(value: float, written: str) -> None:
    assert figures.dollars(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0.00"), (64_123.456, "64,123.46"), (1.5, "1.500"), (0.000012348, "0.00001235")],
)
def test_price_has_four_significant_digits(value: float, written: str) -> None:
    assert figures.price(value) == written


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (0.1, "the lowest, or nearly, of all days"),
        (3.9, "lower than on 96 % of days"),
        (49.9, "lower than on 50 % of days"),
        (50.0, "higher than on 50 % of days"),
        (97.4, "higher than on 97 % of days"),
        (100.0, "the highest of all days"),
    ],
)
def test_rank_in_words_never_says_more_than_it_is(percentile: float, words: str) -> None:
    assert figures.rank_in_words(percentile) == words


def test_days_and_instants() -> None:
    assert figures.day(date(2026, 3, 9)) == "2026-03-09"
    assert figures.day(pd.Timestamp("2026-03-09")) == "2026-03-09"
    assert figures.instant(datetime(2026, 3, 9, 1, 2, tzinfo=UTC)) == "2026-03-09 01:02 UTC"


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize(
    "ends", [[5.0, 5.0, 5.0], [1.0, 1.01, 9.0], [9.0, 9.0, 8.99, 1.0], [3.0], []]
)
def test_names_at_the_ends_of_lines_do_not_touch(ends: list[float], is_log: bool) -> None:
    placed = spread_labels(ends, 1.0, 9.0, is_log=is_log)
    scale = math.log if is_log else float
    gap = LABEL_GAP * (scale(9.0) - scale(1.0))
    order = sorted(scale(value) for value in placed)
    assert all(b - a >= gap * 0.999 for a, b in pairwise(order))
    assert sorted(range(len(ends)), key=lambda i: (ends[i], i)) == sorted(
        range(len(ends)), key=lambda i: (placed[i], i)
    )


@pytest.mark.parametrize("series", [None, "name"])
def test_line_is_broken_where_days_are_missing_and_nowhere_else(series: str | None) -> None:
    days = [1, 2, 2 + GAP_DAYS, 3 + 2 * GAP_DAYS, 4 + 2 * GAP_DAYS]
    rows = pd.DataFrame(
        {
            "day": [pd.Timestamp("2026-01-01") + pd.Timedelta(days=each) for each in days],
            "value": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    if series is not None:
        rows = pd.concat([rows.assign(name="a"), rows.head(2).assign(name="b")])
    broken = with_gaps(rows.reset_index(drop=True), "day", "value", series)
    first = broken if series is None else broken[broken["name"] == "a"]
    assert first["value"].isna().tolist() == [False, False, False, True, False, False]
    assert first["day"].is_monotonic_increasing
    assert len(broken) == len(rows) + 1
