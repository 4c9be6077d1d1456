"""Every log line of a night says which run and day it is of, as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from cli_runner import Run
from nights import NIGHTS, Home

from pipeline import steps
from pipeline.log_context import LogFormat, log_context, make_handler

DAY = date(2026, 3, 18)


@contextmanager
def logged(log_format: LogFormat) -> Iterator[io.StringIO]:
    """Collect what is logged below ``pipeline`` while the block runs."""
    handler = make_handler(log_format)
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    logger = logging.getLogger("pipeline")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield written
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_every_line_of_a_night_says_its_run_and_day(small_home: Home) -> None:
    with logged("json") as written:
        small_home.refresh(NIGHTS[0], run_id="the-night")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) > 20
    assert {(line["run_id"], line["market_date"]) for line in lines} == {
        ("the-night", str(NIGHTS[0]))
    }
    steps_named = {line.get("step") for line in lines}
    assert {"extract market_daily", "load equity_daily", "build", "audit"} <= steps_named
    assert {"timestamp", "level", "logger", "event"} <= set(lines[0])
    # What came after is of no run.
    with logged("json") as written:
        logging.getLogger("pipeline.x").warning("later")
    assert set(json.loads(written.getvalue())) == {"timestamp", "level", "logger", "event"}


def test_a_line_of_text_names_them_behind_the_message_and_stays_one_line() -> None:
    with logged("text") as written, log_context("a\nb", DAY, "load x"):
        logging.getLogger("pipeline.x").warning("what \x1b[31m happened\n2026 ERROR no")
    (line,) = written.getvalue().splitlines()
    assert line.endswith("[run_id=a\\nb market_date=2026-03-18 step=load x]")
    assert "\x1b" not in line


def test_an_object_a_line_whatever_the_text_and_the_traceback() -> None:
    with logged("json") as written, log_context("a", DAY):
        error = ValueError("\u202ebad\n{")
        logging.getLogger("pipeline.x").error("it %s", "broke\nhere", exc_info=error)
    (line,) = written.getvalue().splitlines()
    assert line.isascii()
    told = json.loads(line)
    assert told["event"] == "it broke\nhere"
    assert told["exception"].endswith("ValueError: \u202ebad\n{")


def test_a_step_in_a_step_gives_its_words_back() -> None:
    with logged("json") as written, log_context("a", DAY):
        with log_context("a", DAY, "build"):
            logging.getLogger("pipeline.x").warning("in")
        logging.getLogger("pipeline.x").warning("out")
    inner, outer = (json.loads(line) for line in written.getvalue().splitlines())
    assert (inner["step"], "step" in outer) == ("build", False)


def test_the_command_line_logs_as_the_setting_says(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.environment(NIGHTS[0]).items():
        if name.startswith("TIDEMARK_"):
            monkeypatch.setenv(name, value)
    seen: list[str] = []
    monkeypatch.setattr(
        "pipeline.cli.make_handler", lambda chosen: seen.append(chosen) or logging.NullHandler()
    )
    monkeypatch.setattr(steps, "refresh", lambda *_, **__: {"market_date": "2024-04-30"})
    run("refresh")
    monkeypatch.setenv("TIDEMARK_LOG_FORMAT", "json")
    run("refresh")
    monkeypatch.setenv("TIDEMARK_LOG_FORMAT", "xml")
    assert run("refresh").code == 2
    assert seen == ["text", "json", "text"]
