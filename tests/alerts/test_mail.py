"""Headers and texts of a mail, whatever a stranger put into them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alert_scenes import (
    NIGHT,
    REFUSED,
    last_entry,
    make_alert_settings,
    make_problem,
    publish,
    run_night,
)
from hostile_names import HOSTILE_NAMES, faults_in_html, faults_in_one_line

from pipeline.alerts.mail import compose_message, mail_address, one_line
from pipeline.alerts.routes import read_routes
from pipeline.errors import ConfigurationError


def compose(**overrides: object) -> str:
    values: dict[str, object] = {
        "sender": "tidemark@example.org",
        "recipients": ["ops@example.org"],
        "subject": "late",
        "text": "text",
        "html": "<p>html</p>",
    }
    return compose_message(**(values | overrides)).as_string()  # type: ignore[arg-type]


def test_line_break_in_a_subject_adds_no_header() -> None:
    mail = compose(subject="late\r\nBcc: all@example.org\n\nbody")
    assert "\nBcc:" not in mail
    assert "Subject: late Bcc: all@example.org body\n" in mail


def test_subject_is_cut_before_mail_programs_cut_it() -> None:
    message = compose_message(
        sender="a@example.org", recipients=["b@example.org"], subject="é" * 5_000, text="", html=""
    )
    assert len(message["Subject"]) <= 200
    assert message["Subject"].endswith("…")


def test_a_line_keeps_names_of_every_script_and_spells_out_what_acts() -> None:
    assert one_line(" 柴犬 coin\té\r\nß می‌خواهم 👨‍👩‍👧\n") == "柴犬 coin é ß می‌خواهم 👨‍👩‍👧"
    assert one_line("B\u202eT\x1b[31m\x00C") == r"B\u202eT\x1b[31m\x00C"


@pytest.mark.parametrize("address", ["ops", "ops@", "ops@example.org\nBcc: all@example.org"])
def test_address_that_is_none_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="not a mail address"):
        mail_address(address, "TIDEMARK_ALERT_FROM")
    with pytest.raises(ConfigurationError, match="TIDEMARK_ALERT_TO"):
        read_routes(address)


def test_no_hostile_name_gets_through_a_digest(tmp_path: Path) -> None:
    settings = make_alert_settings(tmp_path / "home")
    publish(settings, NIGHT)
    problems = [
        make_problem(
            f"feed_{n}_daily",
            sentence=f"the coin {name} has no cap",
            subject=name,
            examples=(name,),
            rerun=f"echo {n}",
        )
        for n, name in enumerate(HOSTILE_NAMES.values())
    ]
    many = settings.model_copy(update={"alert_roll_up_above": 10_000})
    run_night(many, NIGHT, replace(REFUSED, severity="warning"), *problems)
    entry = last_entry(settings)
    assert faults_in_html(entry.html, frozenset({"meta", "style", "title"})) == []
    assert faults_in_one_line(entry.subject) == []
