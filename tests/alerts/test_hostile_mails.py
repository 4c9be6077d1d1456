"""The corpus of hostile names through every mail: page, text, headers, outbox file, webhook."""

from __future__ import annotations

import json
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from alert_scenes import (
    NIGHT,
    UNMAPPED,
    at,
    make_alert_settings,
    make_rule,
    publish_tables,
    run_night,
)
from cli_runner import Run
from hostile_names import (
    HOSTILE_NAMES,
    faults_in_html,
    faults_in_one_line,
    faults_in_terminal_text,
)
from nights import Home

from pipeline.alerts import compose, weekly
from pipeline.alerts.compose import read_state
from pipeline.alerts.mail import compose_message
from pipeline.alerts.outbox import Entry, Outbox
from pipeline.alerts.problem import Problem
from pipeline.alerts.webhook import payload
from pipeline.settings import Settings

OURS = frozenset({"meta", "style", "title"})
HEADERS = {
    "Subject",
    "From",
    "To",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
}
NAMES = list(HOSTILE_NAMES.values())


def problem_of(number: int, name: str) -> Problem:
    """Return a problem that has a name wherever one of a stranger may come."""
    return make_rule(
        f"market_daily.rule_{number}",
        subject=name,
        sentence=f"{name} has no cap: {name}",
        examples=(name, f"{name}: market_cap_usd is null"),
        rerun="tidemark build",
    )


def tell_each_alone(settings: Settings) -> None:
    for number, name in enumerate(NAMES):
        run_night(settings, NIGHT, problem_of(number, name), checked=())


def tell_in_a_flood(settings: Settings) -> None:
    problems = [problem_of(number, name) for number, name in enumerate(NAMES)]
    run_night(settings, NIGHT, *problems)
    run_night(settings.model_copy(update={"alert_roll_up_above": 10_000}), NIGHT, *problems)


def tell_that_it_is_over(settings: Settings) -> None:
    problems = [problem_of(number, name) for number, name in enumerate(NAMES)]
    run_night(settings, NIGHT, *problems)
    still_open, over = problems[::2], problems[1::2]
    later = at(settings, NIGHT, hour=5)
    run_night(later, NIGHT, UNMAPPED, *still_open, checked=tuple(p.key for p in over))


def tell_of_the_week(settings: Settings) -> None:
    tell_in_a_flood(settings)
    publish_tables(settings, NIGHT)
    mail = weekly.compose_weekly(settings, read_state(settings))
    compose.add(settings, "weekly", mail, ["ops@example.org"])


SCENES = {
    scene.__name__: scene
    for scene in (tell_each_alone, tell_in_a_flood, tell_that_it_is_over, tell_of_the_week)
}


def received(entry: Entry) -> EmailMessage:
    """Return an alert as a mail program reads it."""
    sent = compose_message(
        sender="Tidemark <tidemark@example.org>",
        recipients=entry.recipients,
        subject=entry.subject,
        text=entry.text,
        html=entry.html,
        message_id=entry.message_id,
        sent_at=entry.created_at,
    ).as_bytes(policy=SMTP)
    assert sent.isascii()
    message = message_from_bytes(sent, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("scene", SCENES)
def test_names_do_nothing_in_any_part_of_a_mail(scene: str, tmp_path: Path) -> None:
    settings = make_alert_settings(tmp_path / "home")
    SCENES[scene](settings)
    entries = Outbox(settings).entries()
    assert len(entries) >= (len(NAMES) if scene == "tell_each_alone" else 1)
    for entry in entries:
        message = received(entry)
        assert set(message.keys()) == HEADERS
        assert message["To"] == "ops@example.org"
        assert faults_in_one_line(str(message["Subject"])) == []
        assert faults_in_terminal_text(str(message["Subject"])) == []
        assert message.defects == []
        parts = [part.get_content() for part in message.iter_parts()]
        text, page = (part.replace("\r\n", "\n") for part in parts)
        assert message.get_content_type() == "multipart/alternative"
        assert faults_in_html(page, OURS) == []
        assert faults_in_terminal_text(text) == []
        # A name begins no line, so that it can pass for none of ours.
        assert not re.search(r"^(Subject|To|Bcc|body|INFO|published)\b", text, re.MULTILINE)


def test_an_outbox_file_is_plain_ascii_and_gives_back_what_was_composed(tmp_path: Path) -> None:
    settings = make_alert_settings(tmp_path / "home")
    tell_each_alone(settings)
    files = [path for path in settings.alerts_dir.rglob("*") if path.is_file()]
    for path in files:
        assert re.fullmatch(r"[\w.-]+", path.name, re.ASCII)
        assert path.read_bytes().isascii()
        if path.suffix == ".json":
            json.loads(path.read_bytes())
    before = Outbox(settings).entries()
    for entry in before:
        Outbox(settings).save(entry)
    assert Outbox(settings).entries() == before
    assert {p.read_text() for p in files if "outbox" in p.parts} == {
        p.read_text() for p in (settings.alerts_dir / "outbox").iterdir()
    }
    known = {record.problem.subject for record in read_state(settings).records.values()}
    assert len(known) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES, ids=HOSTILE_NAMES)
def test_a_webhook_takes_no_name_for_markup(name: str) -> None:
    said = payload(f"[Tidemark] {name}", f"{name}\n - {name}: cap is null")
    text = json.loads(json.dumps(said).encode())["text"]
    assert set(said) == {"text"}
    assert not re.search(r"[<>]", text)
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    assert faults_in_terminal_text(text.replace("\t", " ")) == []
    assert faults_in_one_line(text.split("\n", 1)[0]) == []
    text.encode()


def test_the_commands_show_hostile_alerts_and_nothing_acts(tmp_path: Path, run: Run) -> None:
    settings = make_alert_settings(tmp_path / "home")
    tell_in_a_flood(settings)
    home = Home(tmp_path / "home")
    for command in (("list",), ("list", "--json"), ("show",), ("show", "--html")):
        shown = run("alerts", *command, home=home)
        assert shown.code == 0, shown.err
        assert faults_in_terminal_text(shown.out) == []
    assert run("alerts", "list", "--json").out.isascii()
    assert faults_in_html(run("alerts", "show", "--html").out, OURS) == []
