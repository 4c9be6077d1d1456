"""docs/attribution.md shows what the rules and the archive give today."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import attribution
import pandas as pd
import pytest
from archive_home import needs_archive, settings_of
from attribution import PAGE, PROFILE, Variant, measure, render, split_page, variants
from nights import Home

from pipeline.models import load_project
from pipeline.settings import Settings

SQL_DIR = Settings(_env_file=None).sql_dir


def five_years() -> str:
    return split_page(PAGE.read_text(encoding="utf-8"), "five years")[1]


def test_page_has_a_row_for_every_change() -> None:
    alone, steps = variants(SQL_DIR)
    rows = five_years()
    assert [v for v in alone if f"| {v.rule} | {v.change} |" not in rows] == []
    assert [v for v in steps if f"| {v.rule}. {v.change} |" not in rows] == []


def test_no_two_changes_have_one_name() -> None:
    every = [variant.profile for group in variants(SQL_DIR) for variant in group]
    assert len(set(every)) == len(every) <= 20


def test_every_change_names_rules_that_there_are() -> None:
    known = {row["rule"] for row in attribution.shipped_rules(SQL_DIR)}
    for group in variants(SQL_DIR):
        for variant in group:
            assert {rule for rule, _, _ in variant.sets} | set(variant.drops) <= known


def test_overlay_adds_a_profile_with_one_rule_changed(tmp_path: Path) -> None:
    variant = Variant("buffer", "none", (("buffer_fraction.small", "0", ""),))
    attribution.write_overlay(tmp_path, SQL_DIR, [variant])
    model = load_project(SQL_DIR, tmp_path).models["reference.rulebook"]
    with attribution.open_scratch(1) as connection:
        rows = connection.execute(f"select * exclude (version) from ({model.sql})").fetchall()
    rules: dict[str, dict[tuple[object, ...], str]] = {}
    for profile, rule, value, *span in rows:
        rules.setdefault(profile, {})[rule, *span] = value
    ours, theirs = rules.pop(variant.profile), rules[PROFILE]
    assert set(rules) == {"house", "mv_compat", "cmc100_compat"}
    assert set(ours) == set(theirs)
    assert {key[0] for key in ours if ours[key] != theirs[key]} == {"buffer_fraction.small"}


@pytest.mark.archive
@pytest.mark.parametrize("index_id", ["large", "small"])
@needs_archive[1]
def test_page_shows_the_five_years_that_are_published(
    published: Home, levels_of: Callable[[str, str], pd.Series], index_id: str
) -> None:
    pattern = rf"^\| \*\*{PROFILE}\*\* \| as shipped \| (.*?) \| (.*?) \|"
    (row,) = re.findall(pattern, five_years(), re.MULTILINE)
    levels = levels_of(PROFILE, index_id)
    growth = levels["2025-11-16"] / levels["2020-11-16"]
    assert dict(zip(("large", "small"), row, strict=True))[index_id] == attribution.percent(growth)
    facts = published.query(
        "select our_value, from_date, to_date from indices.reconciliation "
        f"where fact_id = 'article_{index_id}_5y'"
    )
    assert facts == [(pytest.approx(growth - 1), date(2020, 11, 16), date(2025, 11, 16))]


@pytest.mark.slow
@pytest.mark.archive
@needs_archive[1]
def test_page_is_what_make_attribution_writes(archive_path: Path) -> None:
    settings = settings_of(archive_path)
    page = PAGE.read_text(encoding="utf-8")
    for name, content in render(measure(settings), settings.sql_dir).items():
        assert split_page(page, name)[1] == content, "run `make attribution`"
