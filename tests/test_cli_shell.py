"""What a shell and a terminal get: completion, and output that fits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import Run
from nights import NIGHTS, Home

from pipeline import cli
from pipeline.cli import completion
from pipeline.cli.tables import cell, plain_lines

PROGRAM = Path(sys.executable).with_name("tidemark")


def complete(shell: str, words: str, home: Path) -> str:
    """Return what the program offers a shell behind ``words``."""
    typed = words.split(" ")
    environment = {
        "_TIDEMARK_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(typed) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": typed[-1],
    }
    done = subprocess.run(
        [str(PROGRAM)],
        env={**os.environ, **Home(home).environment(NIGHTS[0]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_values(loaded_home: Path, shell: str) -> None:
    offered = complete(shell, "tidemark sta", loaded_home) + complete(
        shell, "tidemark signal S0", loaded_home
    )
    assert "status" in offered
    assert "S03" in offered
    assert "S31" not in offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(run: Run, shell: str) -> None:
    done = subprocess.run(
        [str(PROGRAM)],
        env={**os.environ, "_TIDEMARK_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "_TIDEMARK_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("offer", "word"),
    [
        (completion.indices, "small_capped"),
        (completion.profiles, "house"),
        (completion.verdicts, "refuted"),
        (completion.feeds, "market_daily"),
        (completion.datasets, "onchain_daily"),
        (completion.vendors, "coingecko"),
        (completion.chores, "compact"),
        (completion.models, "indices.index_level_daily"),
        (completion.published_tables, "main.about"),
        (completion.published_and_builds, "published"),
        (completion.last_days, "2024-04-29"),
    ],
)
def test_values_are_offered_by_how_they_begin(
    loaded_home: Path, monkeypatch: pytest.MonkeyPatch, offer: object, word: str
) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(loaded_home))
    assert callable(offer)
    assert word in [name for name, _ in offer(word[:-1])]
    assert offer("no such thing") == []


def test_completion_is_silent_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "nowhere"))
    assert completion.last_days("") == completion.published_tables("") == []
    monkeypatch.setenv("TIDEMARK_THREADS", "many")
    assert completion.signals("") == []


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "command",
    [
        "status",
        "doctor",
        "claims",
        "signal S03",
        "explain small 2024-04-29",
        "vendors",
        "tables",
        "tables indices.index_level_daily",
        "alerts list",
    ],
)
def test_output_keeps_to_the_width_of_the_terminal(
    run: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(cli.console, "out", cli.console.make_console())
    out = run(*command.split(), home=Home(loaded_home)).out
    # A path is printed whole, so that it can be copied.
    wide = [line for line in out.splitlines() if len(line.rstrip()) > width and "/" not in line]
    assert [line for line in wide if " by run " not in line and "vers" not in line] == []


def test_a_wide_row_is_shown_under_the_other(
    run: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(cli.console, "out", cli.console.make_console())
    out = run("query", "from indices.index_level_daily limit 2", home=Home(loaded_home)).out
    assert "row 2" in out
    assert "  market_value_usd " in out


def test_a_pipe_gets_each_row_on_one_line(
    run: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(cli.console, "out", cli.console.make_console())
    out = run("query", "from indices.index_level_daily limit 7", home=Home(loaded_home)).out
    title, head, *rows = out.splitlines()
    assert title == "7 rows"
    assert head.split()[:2] == ["market_date", "profile"]
    assert len(rows) == 7


def test_progress_is_shown_on_a_terminal_only(run: Run, loaded_home: Path) -> None:
    outcome = run("doctor", home=Home(loaded_home))
    assert outcome.err == ""


def test_sql_may_come_from_standard_input(
    run: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("select 41 + 1 as answer"))
    assert run("query", "-", "--json", home=Home(loaded_home)).parsed() == [{"answer": 42}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0000023, "2.3e-06"),
        (0.0, "0.0000"),
        (0.5, "0.5000"),
        (-1234.5, "-1,234.50"),
        (1234567, "1,234,567"),
        (None, "-"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        ("a\x1bb", "a\\x1bb"),
    ],
)
def test_a_value_is_shown_as_a_person_reads_it(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_figures_stand_under_each_other_in_a_pipe() -> None:
    assert list(plain_lines(["coin", "n"], [["a", 5], ["bitcoin", 10]])) == [
        "coin      n",
        "a         5",
        "bitcoin  10",
    ]
