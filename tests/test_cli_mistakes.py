"""Whatever people type, and whatever state their home is in: a sentence, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from cli_runner import Outcome, Run
from nights import NIGHTS, Home

from pipeline import cli
from pipeline.cli import reading

ANY_DAY = str(NIGHTS[0])

# Every command that ends by itself, as somebody would call it who does nothing wrong. Those of the
# sandbox know no home, and `demo` runs for minutes; they have tests of their own.
CALLS: dict[str, tuple[str, ...]] = {
    "alerts list": (),
    "alerts send": (),
    "alerts show": (),
    "backfill": ("sentiment_daily", "--from", ANY_DAY),
    "backup": ("{tmp}/backup",),
    "build": (),
    "claims": (),
    "compact": (),
    "diff": ("published",),
    "doctor": (),
    "explain": ("small", ANY_DAY),
    "import": ("{tmp}",),
    "probe": ("--vendor", "cboe"),
    "quarantine list": (),
    "quarantine release": ("--reason", "right", "--reviewer", "me", "--day", ANY_DAY, "--yes"),
    "quarantine show": (),
    "query": ("from main.about",),
    "refresh": ("--market-date", ANY_DAY),
    "replay": (),
    "report": (),
    "restore": ("{tmp}/backup",),
    "rollback": (),
    "signal": ("S03",),
    "status": (),
    "tables": (),
    "upkeep": (),
    "vendors": (),
}
APART = ("demo", "sandbox serve", "sandbox export", "sandbox fill")


def leaves(group: object, path: tuple[str, ...] = ()) -> set[str]:
    below = getattr(group, "commands", {})
    if not below:
        return {" ".join(path)}
    return set().union(*(leaves(command, (*path, name)) for name, command in below.items()))


def told(outcome: Outcome) -> str:
    """Return what a command said about a mistake: words, and no inside of the program."""
    said = " ".join((outcome.out + outcome.err).split())
    for word in ("Traceback", 'File "', "NoneType", "KeyError", "Errno 22"):
        assert word not in said
    assert outcome.code in (0, 1, 2), outcome
    if outcome.code:
        # The doctor's findings are its output.
        assert outcome.err.strip() or outcome.out.startswith("     ")
    return said


def call(run: Run, command: str, home: Home, tmp_path: Path) -> Outcome:
    arguments = (argument.format(tmp=tmp_path) for argument in CALLS[command])
    return run(*command.split(), *arguments, home=home)


def test_every_command_is_in_the_table() -> None:
    assert leaves(typer.main.get_command(cli.app)) == {*CALLS, *APART}


@pytest.fixture
def deaf(tmp_path: Path) -> Home:
    """A home in which nothing was ever done, and whose vendors do not answer."""
    deaf_vendors = {
        "vendor_root_url": "http://127.0.0.1:9",
        "vendor_pace": 0,
        "http_attempts": 1,
        "feeds": "market_daily,equity_daily",
    }
    return Home(tmp_path / "home", overrides=deaf_vendors)


@pytest.mark.parametrize("command", CALLS)
def test_in_an_empty_home(run: Run, deaf: Home, tmp_path: Path, command: str) -> None:
    told(call(run, command, deaf, tmp_path))


@pytest.mark.parametrize("command", CALLS)
def test_in_a_home_of_damaged_files(run: Run, deaf: Home, tmp_path: Path, command: str) -> None:
    deaf.published.mkdir(parents=True)
    deaf.file.write_bytes(b"no database" * 1000)
    (deaf.published / "manifest.json").write_text("{half of i")
    outcome = call(run, command, deaf, tmp_path)
    said = told(outcome)
    if command in {"status", "rollback"}:
        assert "manifest.json is damaged" in said
    if command in {"claims", "explain", "query", "signal", "tables"}:
        assert outcome.code == 1
        assert "tidemark rollback" in said


@pytest.mark.parametrize("command", CALLS)
def test_in_a_home_that_is_a_file(run: Run, deaf: Home, tmp_path: Path, command: str) -> None:
    deaf.path.write_text("a file")
    told(call(run, command, deaf, tmp_path))


@pytest.mark.parametrize("command", CALLS)
def test_in_a_home_that_cannot_be_made(run: Run, deaf: Home, tmp_path: Path, command: str) -> None:
    # Not even root may make a folder there.
    told(call(run, command, Home(Path("/proc/tidemark"), None, deaf.overrides), tmp_path))


@pytest.mark.parametrize("command", sorted(set(CALLS) - {"demo"}))
def test_with_a_wrong_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("TIDEMARK_THREADS", "many")
    arguments = [argument.format(tmp=tmp_path) for argument in CALLS[command]]
    outcome = run(*command.split(), *arguments)
    assert "TIDEMARK_THREADS" in told(outcome)
    assert outcome.code == 2


@pytest.mark.parametrize("command", [*CALLS, *APART])
def test_with_an_option_that_there_is_not(run: Run, command: str) -> None:
    outcome = run(*command.split(), "--jsno")
    assert "No such option: --jsno" in told(outcome)
    assert outcome.code == 2


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("statsu", 2, "Did you mean 'status'?"),
        ("explain small yesterday", 2, "'yesterday' is no day; write it as 2026-11-20"),
        ("explain small 2024-02-30", 2, "2024-02-30 is no day"),
        ("explain small 20240430", 2, "write it as 2026-11-20"),
        ("explain smal 2024-04-29", 2, "no index smal (did you mean small?)"),
        ("explain small 2016-01-01", 2, "small has levels from"),
        ("explain small 2024-04-29 --profile hose", 2, "no profile hose (did you mean house?)"),
        ("explain small 2024-04-29 --top 0", 2, "--top"),
        ("signal S99", 2, "there is no signal S99"),
        ("signal size_spred", 2, "did you mean size_spread?"),
        ("signal S03 --entity nothing", 2, "has no series nothing"),
        ("claims --verdict wrong", 2, "there is no verdict wrong"),
        ("tables indices.index_level", 2, "did you mean indices.index_level_daily"),
        ("query selct", 2, "syntax error"),
        ("query from_indices.nothing", 2, "syntax error"),
        ("query select_levl", 2, "syntax error"),
        ("diff 2020-01-01", 2, "name a file, 'published' or one of"),
        ("backfill nothing --from 2024-04-01", 2, "there is no feed 'nothing'"),
        ("backfill sentiment_daily --from 2024-13-01", 2, "2024-13-01 is no day"),
        ("backfill sentiment_daily --from 2024-04-09 --to 2024-04-01", 2, "--from comes first"),
        ("build --only indices.index_level_daly", 2, "did you mean indices.index_level_daily"),
        (
            "build --accept-shrink indices.nothing",
            2,
            "is no published table that must not",
        ),
        ("import /nowhere", 2, "there is no folder /nowhere"),
        ("restore /nowhere", 2, "there is no whole backup in /nowhere"),
        ("rollback nothing", 1, "kept builds"),
        ("quarantine show nothing", 0, "no such row is in quarantine"),
        ("quarantine list --status opn", 2, "open, released or superseded"),
        ("quarantine release --reason x --reviewer y", 2, "say which rows"),
        ("alerts show nothing", 2, "no alert"),
        ("alerts show --html --json", 2, "not both"),
        ("replay --feed nothing", 2, "there is no feed 'nothing'"),
        ("replay --dataset nothing", 2, "there is no raw dataset 'nothing'"),
        ("probe --vendor coingeko", 2, "there is no vendor 'coingeko'"),
        ("upkeep --only nothing --dry-run", 2, "there is no chore nothing"),
        ("sandbox serve --port 99999", 2, "--port"),
    ],
)
def test_a_mistake_is_named(
    run: Run, loaded_home: Path, tmp_path: Path, command: str, code: int, said: str
) -> None:
    home = Home(loaded_home)
    outcome = run(*command.split(), home=home)
    assert said in told(outcome)
    assert outcome.code == code


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from indices.index_lvel_daily", 'Did you mean "index_level_daily"'),
        ("select levl from indices.index_level_daily", '"level"'),
        ("drop table main.about", "read-only"),
        ("", "tidemark tables"),
    ],
)
def test_a_mistake_in_sql_is_named(run: Run, loaded_home: Path, sql: str, said: str) -> None:
    outcome = run("query", sql, home=Home(loaded_home))
    assert said in told(outcome)
    assert outcome.code == 2


def test_a_file_of_another_kind_is_named(run: Run, deaf: Home) -> None:
    import duckdb

    deaf.published.mkdir(parents=True)
    with duckdb.connect(str(deaf.file)) as connection:
        connection.execute("create table mine (a integer)")
    for command in ("claims", "signal S03", f"explain small {ANY_DAY}"):
        outcome = run(*command.split(), home=deaf)
        assert "is no published file of this version" in told(outcome)
        assert outcome.code == 1


# Pipes and signals


def start(home: Path, *arguments: str, columns: str = "") -> subprocess.Popen[bytes]:
    environment = Home(home).environment(NIGHTS[0])
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        env={**environment, "COLUMNS": columns, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(("option", "columns"), [("", ""), ("", "200"), ("--csv", "")])
def test_a_reader_that_goes_early_is_no_error(loaded_home: Path, option: str, columns: str) -> None:
    sql = "from indices.constituent_daily union all from indices.constituent_daily"
    with start(loaded_home, "query", sql, *option.split(), columns=columns) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == cli.console.CLOSED_PIPE_STATUS


def test_ctrl_c_ends_in_a_sentence(
    run: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(reading, "load_settings", interrupt)
    outcome = run("claims", home=Home(loaded_home))
    assert outcome.code == 130
    assert "interrupted" in outcome.err
    assert "Traceback" not in outcome.err
