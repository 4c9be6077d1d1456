"""Every shipped table: documented in full, and its grain a key."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from harness import (
    SQL_DIR,
    Result,
    observed,
    run_market,
    seen_at,
    series,
    shipped_project,
    shipped_rows,
    small_baskets,
)
from markets import DAYS, START, Recipe, migrate_a_coin

from pipeline.models import REPORT_FOLDER


def _raw_datasets(name: str) -> set[str]:
    """Return the raw datasets that a model is made of, through all its parents."""
    models = shipped_project().models
    pending, found = [name], set()
    while pending:
        parents = set(models[pending.pop()].parents) - found
        found |= parents
        pending += [parent for parent in parents if parent in models]
    return {parent for parent in found if parent.startswith("raw.")}


MODELS = sorted(shipped_project().models)
# The report's selects make no table, and say their grain in words.
SELECTS = sorted(path for path in SQL_DIR.glob("*/*.sql") if path.parent.name != REPORT_FOLDER)
REFERENCES = [name for name in MODELS if shipped_project().models[name].path.suffix == ".csv"]
FILLED = [name for name in MODELS if shipped_project().models[name].path.suffix == ".yml"]
# The signals, and what else needs more than coins, have contracts of their own in tests/signals,
# what the runs have noted in tests/test_quality_tables.py.
MADE_OF_COINS = [
    name
    for name in MODELS
    if not name.startswith(("signals.", "quality."))
    and name not in FILLED
    and _raw_datasets(name) <= {"raw.market_daily"}
]
PROFILES = ("house", "mv_compat", "cmc100_compat")
# A figure of any kind, whose unit another column of its row tells.
UNITLESS = {"value", "our_value", "tolerance", "difference"}
WORDS = ("text", "name", "names", "id")
UNFINISHED = re.compile(r"\b(todo|tbd|fixme|xxx|lorem)\b|\?\?", re.IGNORECASE)


@pytest.fixture(scope="module")
def eventful() -> Iterator[Result]:
    """A build in which every table has rows: deaths, migrations, redenominations, revisions."""
    rules = {k: v for profile in PROFILES for k, v in small_baskets(5, 8, 15, profile).items()}
    rules["house", "min_small_member_count"] = "7"
    # Its cut-off of April is the day before the last, so that a review is pro forma.
    rules["cmc100_compat", "cutoff_days_before_month_end"] = "28"
    recipe = Recipe(
        seed=11,
        coin_count=16,
        rules=tuple(
            (rule, value) for (profile, rule), value in rules.items() if profile == "house"
        ),
        gaps=8,
        deaths=2,
        births=2,
        revisions=60,
        source_count=2,
        reconstructed_days=12,
    )
    market = migrate_a_coin(recipe.make(), random.Random(3))
    published = {
        "market_date": START + timedelta(days=10),
        "profile": "house",
        "index_id": "top100",
        "level": 1234.5,
        "is_reconstructed": False,
        "rulebook_version": "0.9.0",
        "published_at": seen_at(START + timedelta(days=10), hours=2),
        "build_id": "a-build",
        "tidemark_version": "0.0.1",
    }
    fading = series("fading", START, [1.0] * 40, 2.5e6)
    with run_market(
        [*market.rows, *series("dollar", START, [1.0] * DAYS, 1e9), *fading],
        rulebook_overrides=rules,
        profiles=PROFILES,
        links=market.links,
        reference={
            "redenomination": [
                {
                    "coin_id": market.coin_ids[0],
                    "effective_date": START + timedelta(days=20),
                    "new_units_per_old_unit": 1000,
                }
            ],
            "supply_confirmation": [
                {"coin_id": market.coin_ids[1], "effective_date": START.replace(month=3, day=1)}
            ],
        },
        ledger={"index_level_daily": [published]},
        only=MADE_OF_COINS,
    ) as built:
        yield built


@pytest.mark.parametrize("name", MODELS)
def test_every_column_has_a_meaning_and_a_unit(name: str) -> None:
    doc = shipped_project().models[name].doc
    assert doc.description
    assert doc.columns
    texts = [doc.description]
    for column in doc.columns:
        assert column.meaning, column.name
        assert column.unit, column.name
        texts += [column.meaning, column.unit]
    assert [text for text in texts if UNFINISHED.search(text)] == []


@pytest.mark.parametrize("path", SELECTS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_file_begins_with_its_grain(path: Path) -> None:
    text = re.sub(r"\s*\n--\s*", " ", path.read_text(encoding="utf-8"))
    comment = re.match(r"-- Grain: one row per ([a-z0-9_, ]+?)( that breaks the rule)?\.", text)
    assert comment, "the first line says what one row is"
    if path.parent.name != "audits":
        said = re.split(r", | and ", comment[1])
        name = f"{path.parent.name}.{path.stem}"
        assert tuple(said) == shipped_project().models[name].doc.grain


@pytest.mark.parametrize("name", MADE_OF_COINS)
def test_grain_is_a_key(eventful: Result, name: str) -> None:
    rows = [dict(row) for row in shipped_rows(name)] if name in REFERENCES else eventful.rows(name)
    grain = shipped_project().models[name].doc.grain
    keys = [tuple(row[column] for column in grain) for row in rows]
    assert len(keys) == len(set(keys))
    if name not in REFERENCES:  # there an open start is null
        assert rows, f"the eventful market makes no row of {name}"
        assert [key for key in keys if None in key] == []


@pytest.mark.parametrize("name", MADE_OF_COINS)
def test_flags_are_never_null(eventful: Result, name: str) -> None:
    doc = shipped_project().models[name].doc
    flags = [c.name for c in doc.columns if c.type == "boolean"]
    unknown = [flag for row in eventful.rows(name) for flag in flags if row[flag] is None]
    assert unknown == []


def test_same_column_has_the_same_type_and_unit_everywhere() -> None:
    seen: dict[str, dict[tuple[str, str], list[str]]] = {}
    for model in shipped_project().models.values():
        for column in model.doc.columns:
            if column.name not in UNITLESS:
                unit = WORDS if column.unit in WORDS else column.unit
                kind = (column.type, str(unit))
                seen.setdefault(column.name, {}).setdefault(kind, []).append(model.name)
    assert {name: kinds for name, kinds in seen.items() if len(kinds) > 1} == {}


def test_eventful_market_has_an_event_of_each_kind(eventful: Result) -> None:
    kinds = {row["event_kind"] for row in eventful.rows("indices.event_log")}
    assert kinds >= {
        "base",
        "deletion",
        "extraordinary review due",
        "migration",
        "redenomination",
        "review effective",
        "withdrawal",
    }


def test_warehouse_without_prices_is_built_empty() -> None:
    with run_market([]) as market:
        assert market.rows("indices.index_level_daily") == []


def test_warehouse_of_a_single_day_has_its_base() -> None:
    rows = [observed(date(2024, 1, 31), f"c{n}", 1.0, n + 1.0) for n in range(8)]
    with run_market(rows, rulebook_overrides=small_baskets(2, 4, 8)) as market:
        assert market.levels() == {date(2024, 1, 31): pytest.approx(1000)}
