"""What `--json` prints is what docs/cli_output.schema.json says, key for key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Run
from jsonschema import Draft202012Validator
from nights import NIGHTS, Home
from test_cli_mistakes import APART, CALLS

ROOT = Path(__file__).resolve().parent.parent
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "cli_output.schema.json").read_text())
LAST_DAY = "2024-04-29"

# What each command is asked to print; those that want vendors or change a home are below.
READING: dict[str, tuple[str, ...]] = {
    "alerts list": (),
    "claims": (),
    "diff": ("published",),
    "doctor": (),
    "explain": ("small", LAST_DAY),
    "quarantine list": (),
    "quarantine show": (),
    "query": ("select market_date, 1.5 as a, null as b from main.about",),
    "signal": ("S03",),
    "status": (),
    "tables": (),
    "vendors": (),
}


def check(command: str, printed: Any) -> None:
    """Fail where something printed is not in the schema, or has a key more or less."""
    schema = {**SCHEMA, "$ref": f"#/$defs/{command.replace(' ', '_')}"}
    problems = [
        f"{'/'.join(map(str, each.absolute_path))}: {each.message}"
        for each in Draft202012Validator(schema).iter_errors(printed)
    ]
    assert problems == []


def test_the_schema_is_one_and_has_every_command() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    without = {*APART} | {"import"}
    named = {name.replace("_", " ") for name in SCHEMA["$defs"]}
    assert set(CALLS) - without <= named
    for definition in SCHEMA["$defs"].values():
        assert definition["description"]


def test_a_key_more_or_less_is_found() -> None:
    with pytest.raises(AssertionError, match="folded_files"):
        check("compact", {})
    with pytest.raises(AssertionError, match="more"):
        check("compact", {"folded_files": 1, "more": 2})


@pytest.mark.parametrize("command", READING)
def test_what_reading_commands_print(run: Run, loaded_home: Path, command: str) -> None:
    outcome = run(*command.split(), *READING[command], "--json", home=Home(loaded_home))
    assert outcome.code in (0, 1), outcome.err
    printed = outcome.parsed()
    assert printed or command in {"quarantine list", "quarantine show"}
    check(command, printed)


def test_what_the_columns_of_a_table_print(run: Run, loaded_home: Path) -> None:
    table = "indices.index_level_daily"
    printed = run("tables", table, "--json", home=Home(loaded_home)).parsed()
    check("tables_table", printed)
    assert {"column": "market_date", "type": "date"}.items() <= printed[0].items()


@pytest.mark.slow
def test_what_writing_commands_print(run: Run, small_home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "sentiment_daily.csv").write_text("market_date,score\n2024-01-02,5\n")

    def printed(command: str, *arguments: str) -> Any:
        outcome = run(*command.split(), *arguments, "--json", home=small_home)
        assert outcome.code == 0, outcome.err
        check(command, outcome.parsed())
        return outcome.parsed()

    assert printed("import", str(folder))[0]["new"] == 1
    assert printed("build")["market_date"] == LAST_DAY
    assert printed("build")["is_unchanged"]
    assert printed("rollback")["build_id"]
    assert printed("compact")["folded_files"] >= 0
    assert printed("backup", str(tmp_path / "backup"), "--check")["is_checked"]
    assert printed("upkeep", "--dry-run")[0]["chore"]
    assert printed("probe", "--vendor", "cboe")[0]["outcome"] == "ok"
    assert printed("backfill", "sentiment_daily", "--from", "2024-04-25")["added"] >= 0
    assert printed("refresh", "--market-date", str(NIGHTS[0]))["market_date"] == str(NIGHTS[0])
    assert printed("replay", "--dataset", "market_daily")[0]["fetches"] >= 1
    assert printed("alerts send")["accepted"] == 0
    shown = run("alerts", "show", "--json", home=small_home)
    if shown.code == 0:
        check("alerts show", shown.parsed())
    empty = Home(tmp_path / "empty")
    restored = run("restore", str(tmp_path / "backup"), "--json", home=empty)
    check("restore", restored.parsed())
