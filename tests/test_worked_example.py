"""The worked example of docs/methodology.md, run through the models.

Every figure of the text is read from it: an input goes into the market, a result is compared
with what the models make of the inputs.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "sql"))

from harness import Result, Row, run_market, series, small_baskets  # noqa: E402

BASE_DATE = date(2023, 1, 31)
REVIEW_DATE = date(2023, 2, 28)
LAST_DATE = date(2023, 3, 1)
BASE_LEVEL = 1000

# The text with a name in the place of each figure.
EXAMPLE = """
Units A {units_a}, B {units_b}, C {units_c}; prices {base_a}, {base_b}, {base_c}. V = {base_value},
D = {base_value_again} / {base_level} = {base_divisor}, level {level_at_base}. Next day {review_a},
{review_b}, {review_c}: V = {review_value}, level {review_level}. At that close C leaves and E
(price {review_e}, units {units_e}) comes, and A's units become {new_units_a}: V_new = {new_value},
D = {divisor_before} x {new_value_again} / {review_value_again} = {new_divisor}, level unchanged.
Then A {last_a}, B {last_b}, E {last_e}: V = {last_value}, level {last_level}.
"""
NAMES = re.findall(r"\{(\w+)\}", EXAMPLE)
NUMBER = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True)
class Example:
    """The numbers of the text by name."""

    figures: dict[str, float]

    def __getattr__(self, name: str) -> float:
        try:
            return self.figures[name]
        except KeyError as exc:
            raise AttributeError(name) from exc


def read_example(page: str) -> Example:
    """Return the figures of the section, none of which may be left over.

    Raises:
        ValueError: The section says something else than it did.
    """
    section = page.partition("### A worked example\n")[2].partition("\n#")[0]
    text = " ".join(section.split())
    worded = re.escape(" ".join(EXAMPLE.split()))
    found = re.fullmatch(re.sub(r"\\\{\w+\\\}", lambda _: NUMBER, worded), text)
    if found is None:
        raise ValueError(f"the worked example is worded differently now: {text}")
    return Example(dict(zip(NAMES, map(float, found.groups()), strict=True)))


def run_example(example: Example) -> Result:
    """Run the inputs through the models: a base at one month end, a review at the next."""
    days = (REVIEW_DATE - BASE_DATE).days
    # Before the review E is smaller than C, so that C has the third seat.
    small_e = example.base_c * example.units_c / example.units_e / 2
    told = [
        ("a", example.base_a, example.review_a, example.last_a, example.units_a),
        ("b", example.base_b, example.review_b, example.last_b, example.units_b),
        ("c", example.base_c, example.review_c, example.review_c, example.units_c),
        ("e", small_e, example.review_e, example.last_e, example.units_e),
    ]
    rows: list[Row] = []
    for coin_id, base, review, last, units in told:
        new_units = example.new_units_a if coin_id == "a" else units
        supplies = [units] * days + [new_units] * 2
        rows += series(coin_id, BASE_DATE, [base] * days + [review, last], supplies)
    return run_market(rows, rulebook_overrides=small_baskets(large=3, mid=3, small=3))


@pytest.fixture(scope="module")
def example() -> Example:
    return read_example((ROOT / "docs" / "methodology.md").read_text(encoding="utf-8"))


def exactly(value: float) -> Any:
    return pytest.approx(value, rel=1e-12, abs=0)


def mistakes(example: Example) -> set[str]:
    """Return the names of the figures that the models do not give."""
    with run_example(example) as market:
        levels, divisors = market.levels(), market.divisors()
        values = {
            row["market_date"]: row["market_value_usd"]
            for row in market.rows("indices.index_level_daily", index_id="top100")
        }
        (event,) = market.rows(
            "indices.divisor_ledger",
            index_id="top100",
            effective_date=LAST_DATE,
            event_kind="review",
        )
        members = market.members()
    made = {
        "base_value": values[BASE_DATE],
        "base_value_again": values[BASE_DATE],
        "base_level": BASE_LEVEL,
        "base_divisor": divisors[BASE_DATE],
        "level_at_base": levels[BASE_DATE],
        "review_value": event["market_value_before_usd"],
        "review_value_again": event["market_value_before_usd"],
        "review_level": levels[REVIEW_DATE],
        "new_value": event["market_value_after_usd"],
        "new_value_again": event["market_value_after_usd"],
        "divisor_before": event["divisor_before"],
        "new_divisor": event["divisor_after"],
        "last_value": values[LAST_DATE],
        "last_level": levels[LAST_DATE],
    }
    wrong = {name for name, value in made.items() if example.figures[name] != exactly(value)}
    before = {"a": example.units_a, "b": example.units_b, "c": example.units_c}
    after = {"a": example.new_units_a, "b": example.units_b, "e": example.units_e}
    if (members[BASE_DATE + timedelta(days=1)], members[LAST_DATE]) != (before, after):
        wrong.add("members")
    if event["level"] != exactly(levels[REVIEW_DATE]):
        wrong.add("level unchanged")
    return wrong


def test_worked_example_is_what_the_models_make(example: Example) -> None:
    assert mistakes(example) == set()


@pytest.mark.parametrize("name", NAMES)
def test_another_figure_in_the_worked_example_is_found(example: Example, name: str) -> None:
    changed = Example(example.figures | {name: example.figures[name] * 1.001})
    assert mistakes(changed) != set()


def test_another_wording_of_the_worked_example_is_found() -> None:
    with pytest.raises(ValueError, match="worded differently"):
        read_example("### A worked example\n\nUnits A 1000, and so on.\n")
