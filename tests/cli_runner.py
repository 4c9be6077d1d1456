"""``tidemark`` run inside a test, as a shell would run it. ``run`` is a fixture of all tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from nights import NIGHTS, Home

from pipeline import cli


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def parsed(self) -> Any:
        """Return the output as JSON, with nothing in it that JSON does not have."""

        def refuse(word: str) -> Any:
            raise AssertionError(f"{word} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``tidemark`` with arguments in a home, as a shell would."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    # A console keeps the width that it found when it was made, perhaps by another test.
    monkeypatch.setattr(cli.console, "out", cli.console.make_console())
    monkeypatch.setattr(cli.console, "err", cli.console.make_console(stderr=True))

    def invoke(*arguments: str, home: Home | None = None, hour: float = 1) -> Outcome:
        if home is not None:
            for name, value in home.environment(NIGHTS[0], hour).items():
                if name.startswith("TIDEMARK_"):
                    monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["tidemark", *arguments])
        capsys.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        captured = capsys.readouterr()
        assert isinstance(code, int)
        return Outcome(code, captured.out, captured.err)

    return invoke


def one_sentence(outcome: Outcome, code: int) -> str:
    """Return the error of a command that ended as it should."""
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.out + outcome.err
    assert outcome.out == ""
    assert outcome.err.strip()
    return " ".join(outcome.err.split())
