"""What differs between two published files, on changes that are known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest
from cli_runner import Run, one_sentence
from hostile_names import faults_in_terminal_text
from nights import LAST_HISTORY_DAY, Home, build_ids

from pipeline.diff import diff_files, find_file
from pipeline.errors import ConfigurationError

GRAINS = {
    "indices.index_level_daily": ("market_date", "profile", "index_id"),
    "indices.constituent_daily": ("market_date", "profile", "index_id", "coin_id"),
}
BEFORE = (
    "create schema indices",
    "create schema quality",
    """create table indices.index_level_daily as select * from (values
        (date '2024-01-01', 'house', 'small', 100.0::double, 'a', null::timestamptz),
        (date '2024-01-02', 'house', 'small', 101.0, 'a', null)
    ) as t (market_date, profile, index_id, level, build_id, known_at)""",
    """create table indices.constituent_daily as select * from (values
        (date '2024-01-02', 'house', 'small', 'old-coin', 1.0),
        (date '2024-01-02', 'house', 'small', 'staying-coin', 1.0)
    ) as t (market_date, profile, index_id, coin_id, weight_fraction)""",
    "create table indices.keyless as select unnest([1, 1, 2]) as figure",
    "create table quality.run as select 1 as figure",
)


def make_file(path: Path, changes: Sequence[str] = ()) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in (*BEFORE, *changes):
            connection.execute(statement)
    return path


def test_a_file_differs_in_nothing_from_its_copy(tmp_path: Path) -> None:
    old, new = make_file(tmp_path / "old.duckdb"), make_file(tmp_path / "new.duckdb")
    found = diff_files(old, new, GRAINS)
    assert (found.tables, found.added_tables, found.removed_tables) == ((), (), ())
    assert found.constituents == ()
    assert len(found.same_tables) == 3


def test_what_belongs_to_a_run_is_no_difference(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    changes = (
        "update indices.index_level_daily set build_id = 'b'",
        "update quality.run set figure = 2",
    )
    assert diff_files(old, make_file(tmp_path / "new.duckdb", changes), GRAINS).tables == ()


def test_changed_added_and_removed_rows_are_found_by_their_key(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    changes = (
        "delete from indices.index_level_daily where market_date = '2024-01-01'",
        "update indices.index_level_daily set level = 102.5",
        """insert into indices.index_level_daily values
            ('2024-01-03', 'house', 'small', null, 'b', null),
            ('2024-01-04', 'house', 'small', 1, 'b', null)""",
    )
    new = make_file(tmp_path / "new.duckdb", changes)
    (table,) = diff_files(old, new, GRAINS, limit=1).tables
    assert (table.old_count, table.new_count) == (2, 3)
    assert (table.added_count, table.removed_count) == (2, 1)
    assert table.added == (
        {"market_date": date(2024, 1, 4), "profile": "house", "index_id": "small"},
    )
    assert table.removed == (
        {"market_date": date(2024, 1, 1), "profile": "house", "index_id": "small"},
    )
    (change,) = table.changes
    assert (change.column, change.changed_count) == ("level", 1)
    assert change.largest_difference == 1.5
    assert change.examples == (
        {
            "market_date": date(2024, 1, 2),
            "profile": "house",
            "index_id": "small",
            "old": 101.0,
            "new": 102.5,
        },
    )


def test_a_figure_that_became_null_is_changed(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        ["update indices.index_level_daily set level = null where market_date = '2024-01-02'"],
    )
    ((change,),) = [table.changes for table in diff_files(old, new, GRAINS).tables]
    assert [example["new"] for example in change.examples] == [None]


def test_the_schema_is_compared(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    changes = (
        "alter table indices.index_level_daily add column note varchar",
        "alter table indices.index_level_daily drop column known_at",
        "alter table indices.index_level_daily alter level type float",
        "create table indices.fresh as select 1 as figure",
        "drop table indices.keyless",
    )
    found = diff_files(old, make_file(tmp_path / "new.duckdb", changes), GRAINS)
    assert (found.added_tables, found.removed_tables) == (("indices.fresh",), ("indices.keyless",))
    (table,) = found.tables
    assert set(table.columns) == {
        "note is new (VARCHAR)",
        "known_at is gone (TIMESTAMP WITH TIME ZONE)",
        "level was DOUBLE and is FLOAT",
    }


def test_the_columns_of_tables_about_the_runs_are_compared_and_their_rows_are_not(
    tmp_path: Path,
) -> None:
    old = make_file(tmp_path / "old.duckdb")
    changes = (
        "alter table quality.run add column note varchar",
        "create table main.about as select '2.0.0' as schema_version",
        "insert into quality.run values (7, null)",
    )
    found = diff_files(old, make_file(tmp_path / "new.duckdb", changes), GRAINS)
    (table,) = found.tables
    assert (table.table, table.columns) == ("quality.run", ("note is new (VARCHAR)",))
    assert (table.added_count, table.changes) == (0, ())
    assert found.added_tables == ("main.about",)
    assert (found.old_schema_version, found.new_schema_version) == (None, "2.0.0")


def test_the_figures_that_differ_most_are_shown_first(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        ["update indices.index_level_daily set level = level + day(market_date) ** 3"],
    )
    ((change,),) = [table.changes for table in diff_files(old, new, GRAINS, limit=1).tables]
    assert (change.changed_count, change.largest_difference) == (2, 8.0)
    assert [example["market_date"] for example in change.examples] == [date(2024, 1, 2)]


def test_a_change_of_the_last_digits_is_told_from_others(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        [
            "update indices.index_level_daily set level = "
            "case when day(market_date) = 1 then level + 1e-12 else level + 1e-6 end"
        ],
    )
    ((change,),) = [table.changes for table in diff_files(old, new, GRAINS).tables]
    assert (change.changed_count, change.rounding_count) == (2, 1)


def test_what_is_no_number_changes_without_a_difference(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        ["update indices.index_level_daily set known_at = '2024-01-03T00:00:00Z'"],
    )
    ((change,),) = [table.changes for table in diff_files(old, new, GRAINS).tables]
    assert (change.column, change.changed_count, change.largest_difference) == ("known_at", 2, None)


def test_a_table_without_a_key_is_compared_by_whole_rows(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        ["delete from indices.keyless", "insert into indices.keyless values (1), (3)"],
    )
    (table,) = diff_files(old, new, GRAINS).tables
    assert (table.key, table.added_count, table.removed_count) == ((), 1, 2)


def test_constituents_that_joined_or_left_are_named(tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        ["update indices.constituent_daily set coin_id = 'new-coin' where coin_id = 'old-coin'"],
    )
    assert diff_files(old, new, GRAINS).constituents == (
        {"change": "joined", "profile": "house", "index_id": "small", "coin_id": "new-coin"},
        {"change": "left", "profile": "house", "index_id": "small", "coin_id": "old-coin"},
    )


def test_a_file_is_named_by_path_build_day_or_as_published(loaded_home: Path) -> None:
    home = Home(loaded_home)
    settings = home.settings(LAST_HISTORY_DAY)
    (build_id,) = build_ids(home)
    kept = home.path / "builds" / build_id / "tidemark.duckdb"
    assert find_file(settings, "published") == home.file
    assert find_file(settings, str(kept)) == kept
    assert find_file(settings, build_id) == kept
    assert find_file(settings, str(LAST_HISTORY_DAY)) == kept
    with pytest.raises(ConfigurationError, match=build_id):
        find_file(settings, "2020-01-01")


def test_diff_prints_a_table_and_json(run: Run, tmp_path: Path) -> None:
    old = make_file(tmp_path / "old.duckdb")
    new = make_file(
        tmp_path / "new.duckdb",
        [
            "update indices.index_level_daily set level = 7 where market_date = '2024-01-02'",
            "update indices.constituent_daily set coin_id = '[red]' || chr(27) where "
            "coin_id = 'old-coin'",
        ],
    )
    shown = run("diff", str(old), str(new))
    assert shown.code == 0, shown.err
    assert "2 tables differ, 1 are the same" in shown.out
    for said in ("indices.index_level_daily.level: 1 changed", "101  7", "[red]\\x1b"):
        assert said in shown.out
    assert faults_in_terminal_text(shown.out) == []
    parsed = run("diff", str(old), str(new), "--json").parsed()
    assert parsed["constituents"][0]["change"] == "joined"
    assert "no file" in one_sentence(run("diff", str(old), "2020-01-01"), 2)
