"""Every command of docs/operations.md is run, or stands under the word for what it needs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cli_runner import Run
from nights import NIGHTS, Home, Mailbox

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()
NEEDS = re.compile(
    r"^<!-- needs (\w+): ([^\n]+) -->\n```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENVIRONMENT = re.compile(r"^(?:[A-Z_]+=\S+ )*")

AIRFLOW = """
import shlex, sys
from airflow.cli import cli_parser
for line in ["dags reserialize", *sys.stdin.read().splitlines()]:
    arguments = cli_parser.get_parser().parse_args(shlex.split(line))
    arguments.func(arguments)
    print("RAN", line)
"""


def blocks() -> list[str]:
    """Return the commands that are run here, block by block."""
    elsewhere = {body for _, _, body in NEEDS.findall(PAGE)}
    return [body for body in BLOCK.findall(PAGE) if body not in elsewhere]


def lines(program: str) -> list[str]:
    """Return what is said to a program, in the order of the page."""
    said = (line for body in blocks() for line in body.splitlines())
    called = (ENVIRONMENT.sub("", line) for line in said)
    return [line for line in called if line.split()[0] == program]


def test_every_command_is_of_a_program_that_is_run_here() -> None:
    assert len(blocks()) > 8
    programs = {
        ENVIRONMENT.sub("", line).split()[0] for body in blocks() for line in body.splitlines()
    }
    assert programs == {"tidemark", "airflow"}


def test_what_is_not_run_here_says_what_it_needs_and_who_runs_it() -> None:
    for need, told, body in NEEDS.findall(PAGE):
        assert need in {"services", "stack", "system"}, body
        for path in re.findall(r"`(tests/[^`]+)`", told):
            assert (ROOT / path).exists(), path
        assert "tests/" in told or need == "system", told


@pytest.mark.slow
def test_the_tidemark_commands_do_what_the_page_says(
    run: Run,
    small_home: Home,
    mailbox: Mailbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in mailbox.settings.items():
        monkeypatch.setenv(f"TIDEMARK_{name.upper()}", str(value))
    monkeypatch.setenv("TIDEMARK_LOG_DIR", str(tmp_path / "logs"))
    days = {
        "2024-01-01": NIGHTS[0] - timedelta(days=1),
        "2024-06-30": NIGHTS[0],
        "2026-11-01": NIGHTS[0] - timedelta(days=1),
        "2026-11-20": NIGHTS[0],
    }
    new_home = Home(tmp_path / "new-home", small_home.sandbox, small_home.overrides)
    ran = []
    for body in blocks():
        home = new_home if "tidemark restore" in body else small_home
        for line in body.splitlines():
            command = ENVIRONMENT.sub("", line).partition(" 2>> ")[0]
            if not command.startswith("tidemark "):
                continue
            for shown, day in days.items():
                command = command.replace(shown, str(day))
            command = command.replace("/mnt/backup", str(tmp_path / "backup"))
            outcome = run(*shlex.split(command)[1:], home=home)
            # A doctor ends with 1 where something fails: this home pretends another time.
            codes = {0, 1} if command.startswith("tidemark doctor") else {0}
            assert outcome.code in codes, (line, outcome)
            assert "Traceback" not in outcome.out + outcome.err, line
            ran += command.split()[1:3]
    assert ran.count("query") >= 2
    assert {"backup", "restore", "rollback", "upkeep", "refresh", "replay"} <= set(ran)
    assert any(subject == "[Tidemark] TEST of the alerts" for subject in mailbox.subjects())


@pytest.mark.slow
@pytest.mark.airflow
def test_the_airflow_commands_are_understood(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    commands = lines("airflow")
    assert len(commands) > 8
    said = [line.removeprefix("airflow ") for line in commands]
    migrate = "db migrate"
    assert migrate in said
    rest_said = [line for line in said if line != migrate]
    for first, rest in ((migrate, None), ("", rest_said)):
        arguments = [sys.executable, "-W", "ignore", "-m", "airflow", *first.split()]
        if rest is not None:
            arguments = [sys.executable, "-W", "ignore", "-c", AIRFLOW]
        done = subprocess.run(
            arguments,
            env=environment,
            input=None if rest is None else "\n".join(rest),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for line in rest_said:
        assert f"RAN {line}" in done.stdout
