"""The command line: what it prints, and how it ends when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from canned import DATASET, Canned, scores_of, use_feeds, use_first_sources
from cli_runner import Run, one_sentence
from nights import NIGHTS, Home, build_ids
from small_project import write_small_project

from pipeline import __version__, cli
from pipeline.errors import SourceError
from pipeline.sandbox.faults import FaultBoard
from pipeline.settings import Settings
from pipeline.sources.alternative_me import AlternativeMe
from pipeline.sources.registry import Feed


def commands_of(group: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return every command below ``group`` by the words that call it."""
    found = {path}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands_of(command, (*path, name))
    return found


COMMANDS = commands_of(typer.main.get_command(cli.app))


@pytest.fixture
def nowhere(tmp_path: Path) -> Home:
    """A home in which nothing was ever done."""
    return Home(tmp_path / "nowhere")


# Help


def test_the_commands_of_a_night_are_there() -> None:
    nightly = {"refresh", "backfill", "import", "build", "rollback", "compact", "query", "status"}
    nightly |= {"probe", "replay", "vendors"}
    assert {(name,) for name in (*nightly, "demo", "sandbox")} <= COMMANDS
    assert {("sandbox", "serve"), ("sandbox", "export")} <= COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS), ids=" ".join)
def test_every_command_explains_itself(run: Run, command: tuple[str, ...]) -> None:
    outcome = run(*command, "--help")
    assert outcome.code == 0
    assert "Usage:" in outcome.out


def test_version_is_printed(run: Run) -> None:
    assert run("--version").out == f"tidemark {__version__}\n"


def test_an_unknown_command_is_a_mistake_of_usage(run: Run) -> None:
    outcome = run("publish-now")
    assert outcome.code == 2
    assert "No such command" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("refresh", "--market-date", "2024-02-30"),
        ("backfill",),
        ("query",),
        ("demo", "--nights", "-1"),
    ],
)
def test_wrong_arguments_are_a_mistake_of_usage(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


def test_the_installed_program_ends_with_the_same_code_and_no_traceback(nowhere: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "status"],
        env={**nowhere.environment(NIGHTS[0]), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ConfigurationError: nothing is published")
    assert "Traceback" not in done.stderr


# From history to a published file


def test_export_import_build_status_query(run: Run, nowhere: Home, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    exported = run(
        "sandbox",
        "export",
        str(folder),
        "--first-day",
        "2024-02-25",
        "--last-day",
        "2024-04-29",
        "--coins",
        "150",
        home=nowhere,
    )
    assert exported.code == 0
    assert exported.out.count("wrote ") == len(list(folder.iterdir())) >= 3

    imported = run("import", str(folder), "--json")
    assert {row["outcome"] for row in imported.parsed()} == {"imported"}
    assert all(row["new"] > 0 for row in imported.parsed())
    again = run("import", str(folder))
    assert again.code == 0
    assert again.out.count("imported before") == len(imported.parsed())

    built = run("build")
    assert built.code == 0, built.err
    assert "up to 2024-04-29" in built.out
    unchanged = run("build")
    assert "nothing new since build" in unchanged.out

    facts = run("status", "--json").parsed()
    assert facts["market_date"] == "2024-04-29"
    assert Path(facts["file"]) == nowhere.file
    assert "2024-04-29" in run("status").out

    sql = "select count(*) as level_count from indices.index_level_daily"
    ((count,),) = nowhere.query(sql)
    assert run("query", sql, "--json").parsed() == [{"level_count": count}]
    assert f"{count:,}" in run("query", sql).out


def test_a_home_too_young_for_a_review_is_published_with_a_warning(
    run: Run, nowhere: Home, tmp_path: Path
) -> None:
    write_small_project(Settings(_env_file=None).sql_dir, tmp_path / "sql")
    young = Home(nowhere.path, overrides={"sql_dir": tmp_path / "sql"})
    folder = tmp_path / "history"
    span = ("--first-day", "2024-03-02", "--last-day", "2024-03-08", "--coins", "60")
    assert run("sandbox", "export", str(folder), *span, home=young).code == 0
    assert run("import", str(folder)).code == 0

    built = run("build")

    assert built.code == 0, built.err
    assert "up to 2024-03-08" in built.out
    said = " ".join(built.err.split())
    assert "audit first_review_has_been_held failed" in said
    assert "first_date = 2024-03-02" in said
    assert young.query("select count(*) from indices.index_level_daily") == [(0,)]
    ((status, examples),) = young.query(
        "select status, examples from quality.audit_result "
        "where audit = 'first_review_has_been_held'"
    )
    assert status == "failed"
    assert len(examples.splitlines()) == 3


def test_build_of_one_model_says_where_it_is(run: Run, home: Home) -> None:
    outcome = run("build", "--only", "staging.coin", home=home)
    assert outcome.code == 0
    assert "staging.coin" in outcome.out
    assert "0001-01-01" not in outcome.out
    assert "build.duckdb" in outcome.out.replace("\n", "")


def test_build_without_publishing_of_nothing_new_names_the_published_file(
    run: Run, home: Home
) -> None:
    outcome = run("build", "--no-publish", home=home)
    assert outcome.code == 0
    assert "tidemark.duckdb" in outcome.out.replace("\n", "")


def test_refresh_runs_the_night_and_rollback_takes_it_back(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_first_sources(monkeypatch, "market_daily", "equity_daily", "sentiment_daily")
    outcome = run("refresh", "--market-date", str(NIGHTS[0]), home=home)
    assert outcome.code == 0, outcome.err
    assert f"up to {NIGHTS[0]}" in outcome.out
    first, second = build_ids(home)

    back = run("rollback")
    assert back.code == 0
    assert first in back.out
    forward = run("rollback", second)
    assert second in forward.out
    assert home.last_day() == NIGHTS[0]


def test_refresh_of_a_bad_night_ends_in_a_sentence(
    run: Run, home: Home, faults: FaultBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_first_sources(monkeypatch, "market_daily", "equity_daily", "sentiment_daily")
    faults["coingecko"] = "html_200"
    sentence = one_sentence(run("refresh", "--market-date", str(NIGHTS[0]), home=home), 1)
    assert sentence.count("BlockedNightError") == 1
    assert f"tidemark refresh --market-date {NIGHTS[0]}" in sentence


def test_a_night_that_fell_back_says_so(
    run: Run, small_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [NIGHTS[0] - timedelta(days=back) for back in range(12)]
    silent = Canned("silent", fetch_error=SourceError("no [answer] in time"))
    feed = Feed(DATASET, (silent, Canned("good", scores_of(days))))
    use_feeds(monkeypatch, feed, keep=["market_daily", "equity_daily"])
    outcome = run("refresh", "--market-date", str(NIGHTS[0]), home=small_home)
    assert outcome.code == 0, outcome.err
    last = outcome.out.splitlines()[-1]
    assert last == f"{DATASET} came from good, as silent is unavailable: no [answer] in time"


def test_backfill_prints_what_it_loaded(run: Run, empty_home: Home) -> None:
    arguments = ("--from", "2024-04-01", "--chunk-days", "10")
    outcome = run("backfill", "equity_daily", *arguments, home=empty_home)
    assert outcome.code == 0, outcome.err
    assert "cboe" in outcome.out
    assert "chunks" in outcome.out
    sentence = one_sentence(run("backfill", "market_daily", "--from", "2024-04-01"), 1)
    assert "tidemark import DIR" in sentence
    sentence = one_sentence(
        run("backfill", "equity_daily", "--from", "2024-04-01", "--source", "stooq"), 1
    )
    assert "stooq of equity_daily is not one" in sentence


def test_replay_shows_first_and_stores_when_told(
    run: Run, empty_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backfill", "sentiment_daily", "--from", "2024-04-25", home=empty_home)
    read_rows = AlternativeMe.read_rows
    monkeypatch.setattr(
        AlternativeMe,
        "read_rows",
        lambda *arguments: [{**row, "label": "mended"} for row in read_rows(*arguments)],
    )
    arguments = ("replay", "--feed", "sentiment_daily", "--from", "2024-04-28")
    dry = run(*arguments, hour=2, home=empty_home)
    assert dry.code == 0, dry.err
    assert "Would store; --apply does" in dry.out
    assert "-> mended" in dry.out
    dry_again = run(*arguments, "--json", hour=2).parsed()
    assert [(row["fetches"], row["revised"]) for row in dry_again] == [(1, 3)]
    assert run(*arguments, "--apply", "--json", hour=2).parsed()[0]["revised"] == 3
    assert run(*arguments, "--json", hour=3, home=empty_home).parsed()[0]["revised"] == 0
    both = run("replay", "--feed", "sentiment_daily", "--dataset", "sentiment_daily")
    assert "not both" in one_sentence(both, 2)


def test_replay_of_an_empty_home_finds_nothing(run: Run, nowhere: Home) -> None:
    outcome = run("replay", "--dataset", "market_daily", home=nowhere)
    assert outcome.code == 0
    assert run("replay", "--json").parsed() == []


def test_probe_prints_a_table_and_fails_when_a_needed_source_does(
    run: Run, empty_home: Home, faults: FaultBoard
) -> None:
    good = run("probe", "--vendor", "coingecko", home=empty_home)
    assert good.code == 0, good.err
    assert "ok" in good.out
    faults["coingecko"] = faults["cboe"] = "status_403"
    bad = run("probe", "--vendor", "coingecko", "--json")
    assert bad.code == 1
    assert bad.parsed()[0]["outcome"] == "blocked"
    assert "coingecko of market_daily is blocked" in bad.err
    assert run("probe", "--vendor", "cboe").code == 0
    assert "there is no vendor" in one_sentence(run("probe", "--vendor", "nobody"), 2)


def test_vendors_shows_who_is_left_alone_and_can_end_it(
    run: Run, empty_home: Home, faults: FaultBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults["coingecko"] = "status_403"
    run("vendors", home=empty_home)
    monkeypatch.setenv("TIDEMARK_VENDOR_PACE", "1000")
    run("probe", "--vendor", "coingecko")
    row = next(r for r in run("vendors", "--json").parsed() if r["vendor"] == "coingecko")
    assert row["calls_this_month"] == 1
    assert row["left_alone_until"].endswith("UTC")
    assert "HTTP 403" in row["reason"]
    assert "HTTP 403" in run("vendors").out
    assert run("vendors", "--reopen", "coingecko").out == "coingecko is asked again\n"
    assert run("vendors", "--reopen", "coingecko").out == "coingecko was not left alone\n"
    assert "there is no vendor" in one_sentence(run("vendors", "--reopen", "nobody"), 2)
    faults.clear()
    assert run("probe", "--vendor", "coingecko").code == 0


def test_compact_folds_files(run: Run, home: Home) -> None:
    assert run("compact", home=home).out == "folded 0 files\n"


# Query


def test_query_shows_instants_numbers_and_nulls(run: Run, home: Home) -> None:
    sql = (
        "select built_at, 'NaN'::double as nan, ['Infinity'::double] as list, null as nothing, "
        "12345678901234567890::hugeint as huge, 1.50::decimal(9, 2) as price from main.about"
    )
    ((built_at,),) = home.query("select built_at from main.about")
    assert run("query", sql, "--json", home=home).parsed() == [
        {
            "built_at": str(built_at),
            "nan": None,
            "list": [None],
            "nothing": None,
            "huge": 12345678901234567890,
            "price": 1.5,
        }
    ]
    assert "1.5000" in run("query", sql).out


@pytest.mark.parametrize("sql", ["show all tables", "describe main.about", "explain select 1"])
def test_query_takes_whatever_duckdb_answers(run: Run, home: Home, sql: str) -> None:
    assert run("query", sql, home=home).code == 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "no SQL"),
        (" ; ", "no SQL"),
        ("selct 1", "syntax error"),
        ("select * from indices.nowhere", "does not exist"),
        ("delete from main.about", "read-only"),
        ("create table main.mine (a int)", "read-only"),
    ],
)
def test_query_that_cannot_be_run_ends_in_a_sentence(
    run: Run, home: Home, sql: str, said: str
) -> None:
    before = home.published_bytes()
    assert said in one_sentence(run("query", sql, home=home), 2)
    assert home.published_bytes() == before


def test_query_writes_csv_for_spreadsheets_and_parquet_as_it_is(
    run: Run, home: Home, tmp_path: Path
) -> None:
    sql = """select '=1+1' as "-name", 1.5 as figure, null as nothing, 'x' || chr(27) as text"""
    asked = run("query", sql, "--csv", home=home)
    assert asked.out == '"\'-name","figure","nothing","text"\n"\'=1+1",1.5,,"x\\x1b"\n'
    file = tmp_path / "rows.parquet"
    assert "wrote 1 rows" in run("query", sql, "--parquet", str(file)).out
    assert pq.read_table(file).to_pylist() == [
        {"-name": "=1+1", "figure": Decimal("1.5"), "nothing": None, "text": "x\x1b"}
    ]
    assert "exists already" in one_sentence(run("query", sql, "--parquet", str(file)), 2)
    assert "choose one" in one_sentence(run("query", sql, "--parquet", "x", "--json"), 2)


def test_query_prints_markup_as_it_is(run: Run, home: Home) -> None:
    assert "[bold]x[/bold]" in run("query", "select '[bold]x[/bold]' as text", home=home).out


# Mistakes


def test_status_and_query_of_an_empty_home_say_how_to_begin(run: Run, nowhere: Home) -> None:
    assert "tidemark import DIR" in one_sentence(run("status", home=nowhere), 2)
    assert "tidemark import DIR" in one_sentence(run("query", "select 1"), 1)
    assert "nothing to build" in one_sentence(run("build"), 2)
    assert not list((nowhere.path / "builds").glob("*"))
    assert not nowhere.published.exists()
    assert "kept builds: none" in one_sentence(run("rollback"), 1)


def test_query_of_a_damaged_file_says_how_to_go_back(run: Run, home: Home) -> None:
    home.file.write_bytes(b"not a database" * 1000)
    assert "tidemark rollback" in one_sentence(run("query", "select 1", home=home), 1)


def test_import_of_a_folder_that_is_not_there_ends_in_a_sentence(
    run: Run, nowhere: Home, tmp_path: Path
) -> None:
    sentence = one_sentence(run("import", str(tmp_path / "missing"), home=nowhere), 2)
    assert "there is no folder" in sentence


def test_import_of_a_bad_file_names_it_and_still_brings_the_others(
    run: Run, nowhere: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "equity_daily.csv").write_text("session_date,close_points\n2024-01-02,5\n")
    (folder / "sentiment_daily.csv").write_text("market_date,score\n2024-01-02,5\n")
    outcome = run("import", str(folder), "--json", home=nowhere)
    assert outcome.code == 1
    assert {row["file"]: row["outcome"] for row in outcome.parsed()} == {
        "equity_daily.csv": "stopped",
        "sentiment_daily.csv": "imported",
    }
    assert "has no column ticker" in outcome.err.replace("\n", " ")
    assert "Traceback" not in outcome.err


def test_build_of_a_model_that_there_is_not_lists_those_there_are(run: Run, home: Home) -> None:
    sentence = one_sentence(run("build", "--only", "indices.nothing", home=home), 2)
    assert "there is no model indices.nothing" in sentence
    assert "staging.coin" in sentence


def test_rollback_to_a_build_that_there_is_not_lists_those_there_are(run: Run, home: Home) -> None:
    assert "kept builds" in one_sentence(run("rollback", "yesterday", home=home), 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEMARK_BUILDS_KEPT", "1"),
        ("TIDEMARK_THREADS", "many"),
        ("TIDEMARK_VENDOR_ROOT_URL", "coingecko"),
        ("TIDEMARK_NOW", "2024-05-01"),
    ],
)
def test_a_wrong_setting_is_named(
    run: Run, nowhere: Home, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for variable, shown in nowhere.environment(NIGHTS[0]).items():
        if variable.startswith("TIDEMARK_"):
            monkeypatch.setenv(variable, shown)
    monkeypatch.setenv(name, value)
    assert name in one_sentence(run("status"), 2)


def test_an_export_of_days_that_there_are_not_ends_in_a_sentence(
    run: Run, nowhere: Home, tmp_path: Path
) -> None:
    arguments = ["--first-day", "2024-03-01", "--last-day", "2024-02-01"]
    sentence = one_sentence(
        run("sandbox", "export", str(tmp_path / "out"), *arguments, home=nowhere), 2
    )
    assert "2024-02-01" in sentence


def test_a_port_that_is_taken_ends_in_a_sentence(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.sandbox is not None
    port = home.sandbox.base_url.rpartition(":")[2]
    sentence = one_sentence(run("sandbox", "serve", "--port", port, home=home), 1)
    assert "in use" in sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_home_that_cannot_be_written_ends_in_a_sentence(
    run: Run, nowhere: Home, tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "Permission denied" in one_sentence(run("compact", home=nowhere), 1)
    finally:
        tmp_path.chmod(0o700)


def test_a_home_that_is_a_file_ends_in_a_sentence(run: Run, nowhere: Home) -> None:
    nowhere.path.write_text("a file")
    assert "nowhere" in one_sentence(run("compact", home=nowhere), 1)
