"""Every published p-value keeps its level on noise, and the page that says so is complete."""

from __future__ import annotations

import pytest
from false_alarm_cases import Case, cases
from false_alarms import PAGE, accepted, count_all, is_nominal, render

from pipeline.models import load_project
from pipeline.settings import Settings


def counted_on_the_page() -> list[tuple[Case, int, int]]:
    by_name = {case.name: case for case in cases()}
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    found = [row.strip("| ").split(" | ") for row in rows]
    return [
        (by_name[f"{column.strip('`')} | {noise}"], int(draws), int(alarms))
        for column, noise, draws, alarms, _ in found
    ]


def test_every_published_probability_has_a_case() -> None:
    published = {
        f"{name.removeprefix('signals.')}.{column.name}"
        for name, model in load_project(Settings(_env_file=None).sql_dir).models.items()
        for column in model.doc.columns
        if column.unit == "probability"
    }
    assert published == {case.column for case in cases()}


def test_names_of_the_cases_differ() -> None:
    names = [case.name for case in cases()]
    assert len(names) == len(set(names))


def test_page_has_every_case_and_is_as_it_is_written() -> None:
    counted = counted_on_the_page()
    assert [case.name for case, _, _ in counted] == [case.name for case in cases()]
    assert render(counted) == PAGE.read_text(), "run make false-alarms"


def test_every_rate_on_the_page_is_nominal() -> None:
    wrong = [
        case.name
        for case, draws, alarms in counted_on_the_page()
        if not is_nominal(case, draws, alarms)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("draws", "alarms", "is_family", "expected"),
    [
        (500, 25, False, True),
        (500, 50, False, False),
        (500, 2, False, False),
        (500, 2, True, True),
        (500, 50, True, False),
        (300, 15, False, False),
        (0, 0, True, False),
    ],
)
def test_too_many_too_few_and_too_rare_draws_are_not_nominal(
    draws: int, alarms: int, is_family: bool, expected: bool
) -> None:
    case = Case("t.p_value", "noise", lambda _: 0.5, is_family)
    assert is_nominal(case, draws, alarms) is expected


def test_what_is_accepted_is_about_the_level() -> None:
    assert accepted() == (11, 42)


@pytest.mark.long
def test_rates_drawn_again_are_those_of_the_page() -> None:
    told = {case.name: (draws, alarms) for case, draws, alarms in counted_on_the_page()}
    for case, draws, alarms in count_all():
        print(f"{case.name}: {alarms} of {draws}")
        assert is_nominal(case, draws, alarms), case.name
        # another build of numpy or BLAS may round a draw over the line
        assert abs(draws - told[case.name][0]) <= 2, case.name
        assert abs(alarms - told[case.name][1]) <= 2, case.name
