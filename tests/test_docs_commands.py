"""Every command that the pages show is run, or is in a list that says who runs it or why not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import Run
from nights import LAST_HISTORY_DAY, Home
from test_docs import PAGES, README, ROOT, blocks, read, run_program

_BLOCK = re.compile(r"^ *```(bash|console)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# The pages show a day of the demo; the home of the tests ends earlier.
_SHOWN_DAY = re.compile(r"2026-11-\d\d")

# What is not run here, by how it begins, and why.
ELSEWHERE = {
    "tidemark refresh": "asks vendors; test_cli runs it against simulated ones",
    "tidemark -v refresh": "as refresh",
    "tidemark import": "test_the_tutorial_works runs it, and test_cli",
    "tidemark build": "test_the_tutorial_works runs it, and test_cli",
    "tidemark sandbox export": "test_the_tutorial_works runs it",
    "tidemark backfill": "asks vendors; test_cli and test_backfill run it against simulated ones",
    "tidemark backup": "test_backup runs it with and without --check and --keep",
    "tidemark restore": "test_backup runs it",
    "tidemark rollback": "test_cli runs it, on a home of its own",
    "tidemark upkeep": "test_upkeep runs it with and without --dry-run",
    "tidemark quarantine release": "test_cli_quarantine runs it on rows that there are",
    "tidemark doctor --online": "asks a vendor, sends a mail; test_doctor does both",
    "tidemark replay --feed positioning_daily --from 2026-11-01 --apply": "test_cli does",
}
NO_TIDEMARK = {
    "make install": "made the interpreter that runs this test",
    "make try": "tests/test_demo.py runs it",
    "make demo": "minutes; tests/dags runs the same DAG, tests/test_demo.py the rest of it",
    "make test": "this is it",
    "cp .env.example .env": "test_project looks at every line of the file",
    "export ": "sets what the tests set in their own way",
    "echo ": "test_a_pipe_into_query",
    "airflow ": "services of a machine; `make test-airflow` runs them on PostgreSQL",
    "docker compose": "needs an engine; `make test-compose` runs it, test_compose_file reads it",
    "duckdb ": "a program of its own; test_readme_query_runs asks the same file the same way",
    "npm ": "needs a registry; docs/bi.md says that it was not run",
    "git pull": "needs a remote",
    "umask ": "of the shell",
    "TIDEMARK_LOG_FORMAT=json tidemark -v refresh": "asks vendors; see refresh",
}


def shown_commands(page: str) -> Iterator[str]:
    """Yield each command of the page's blocks, whole where it goes over several lines."""
    for language, body in _BLOCK.findall(read(page)):
        pending = ""
        for line in body.splitlines():
            if language == "console" and not pending and not line.strip().startswith("$ "):
                continue
            text = line.strip().removeprefix("$ ") if not pending else line
            pending = f"{pending}\n{text}" if pending else text
            if pending.endswith("\\") or pending.count('"') % 2:
                continue
            if pending and not pending.startswith("#"):
                yield pending.removeprefix(".venv/bin/")
            pending = ""


ALL = [(page, command) for page in PAGES for command in shown_commands(page)]


def left_out(command: str) -> str | None:
    lists = ELSEWHERE | NO_TIDEMARK
    return next((why for start, why in lists.items() if command.startswith(start)), None)


RUN_HERE = sorted({command for _, command in ALL if left_out(command) is None})


def test_commands_are_found() -> None:
    assert len(ALL) > 80
    assert len(RUN_HERE) > 20


def test_every_command_is_one_of_ours_or_has_a_reason() -> None:
    assert [command for command in RUN_HERE if not command.startswith("tidemark ")] == []


@pytest.mark.parametrize("start", [*ELSEWHERE, *NO_TIDEMARK])
def test_no_reason_is_left_over(start: str) -> None:
    assert any(command.startswith(start) for _, command in ALL)


@pytest.mark.parametrize("command", RUN_HERE)
def test_a_shown_command_runs(
    run: Run,
    loaded_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    today = _SHOWN_DAY.sub(str(LAST_HISTORY_DAY), command)
    words, _, file = today.partition(" > ")
    arguments = shlex.split(words)[1:]
    # A vendor that was never refused is reopened without harm, but not in a shared home.
    home = Home(tmp_path / "home") if "--reopen" in arguments else Home(loaded_home)
    outcome = run(*arguments, home=home)
    assert outcome.code == 0 or arguments[0] == "doctor", outcome.err
    assert outcome.out
    assert not file or outcome.out.count("\n") >= 1


def test_a_pipe_into_query(run: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    (piped,) = [command for _, command in ALL if command.startswith("echo ")]
    sent, _, received = piped.partition(" | ")
    monkeypatch.setattr("sys.stdin", io.StringIO(shlex.split(sent)[1]))
    assert run(*shlex.split(received)[1:], home=Home(loaded_home)).code == 0


@pytest.mark.slow
def test_the_tutorial_works(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the page from its first command to its chart, in the order in which it shows them."""
    page = "docs/tutorial.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "data"))
    for command in shown_commands(page):
        if command.startswith("tidemark "):
            outcome = run(*shlex.split(command)[1:])
            assert outcome.code == 0, (command, outcome.err)
    (program,) = blocks(read(page), "python")
    assert int(run_program(program, tmp_path).split()[0]) > 25
    drawn = (tmp_path / "size_ratio.html").read_text()
    assert "2024-04-29" in drawn
    assert "<script src=" not in drawn
    assert (tmp_path / "size_ratio.png").read_bytes().startswith(b"\x89PNG")


def test_the_readme_shows_what_it_takes_to_begin() -> None:
    first_screen = README.partition("\n## ")[0]
    assert "make try" in first_screen
    assert "tidemark query" in first_screen
    assert (ROOT / "docs" / "images" / "report.png").exists()
