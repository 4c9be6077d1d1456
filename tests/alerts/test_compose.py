"""From findings to the outbox: who gets what, crashes, the dead man, the week."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_scenes import (
    FALLBACK,
    NIGHT,
    REFUSED,
    SILENT,
    UNMAPPED,
    at,
    last_entry,
    make_alert_settings,
    make_problem,
    make_rule,
    publish,
    publish_tables,
    record_loads,
    run_night,
)
from smtp_server import Inbox, serving

from pipeline.alerts import chart, compose, deadline
from pipeline.alerts.compose import read_state
from pipeline.alerts.deadman import compose_late_night, compose_missing_night
from pipeline.alerts.delivery import deliver
from pipeline.alerts.outbox import Outbox
from pipeline.alerts.problem import Findings
from pipeline.alerts.routes import addressees, read_routes
from pipeline.alerts.state import advance, mailed
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

DAY = timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_alert_settings(tmp_path / "home")


def subjects(settings: Settings) -> list[str]:
    return [entry.subject for entry in Outbox(settings).entries()]


# Who gets what


def test_severity_and_datasets_choose_the_recipients() -> None:
    routes = read_routes(
        "ops@example.org, boss@example.org critical, "
        "Desk <desk@example.org> warning equity_daily sentiment_daily"
    )
    assert addressees(routes, REFUSED) == ("ops@example.org", "boss@example.org")
    assert addressees(routes, FALLBACK) == ("ops@example.org",)
    equity = make_problem("equity_daily")
    assert addressees(routes, equity) == ("ops@example.org", "Desk <desk@example.org>")
    assert addressees(routes, UNMAPPED) == ("ops@example.org",)


def test_a_critical_problem_that_is_nobodys_is_everybodys() -> None:
    routes = read_routes("a@example.org equity_daily, b@example.org sentiment_daily")
    assert addressees(routes, REFUSED) == ("a@example.org", "b@example.org")
    assert addressees(routes, UNMAPPED) == ()


@pytest.mark.parametrize("words", ["ops@example.org urgent", "ops@example.org info nothing_daily"])
def test_a_word_that_means_nothing_is_a_wrong_setting(words: str) -> None:
    with pytest.raises(ConfigurationError, match="neither a severity"):
        read_routes(words)


def test_recipients_of_the_same_problems_share_a_mail(settings: Settings) -> None:
    to = "a@example.org, b@example.org, c@example.org critical, d@example.org equity_daily"
    chosen = settings.model_copy(update={"alert_to": to})
    run_night(chosen, NIGHT, make_problem("equity_daily"), make_rule())
    mails = {entry.recipients: entry for entry in Outbox(chosen).entries()}
    assert set(mails) == {("a@example.org", "b@example.org"), ("d@example.org",)}
    assert "and 1 more" in mails["a@example.org", "b@example.org"].subject
    assert "cap_is_price_times_supply" not in mails[("d@example.org",)].text


def test_who_heard_that_it_was_critical_hears_that_it_is_not(settings: Settings) -> None:
    chosen = settings.model_copy(update={"alert_to": "boss@example.org critical"})
    publish(chosen, NIGHT - 2 * DAY)
    run_night(chosen, NIGHT - DAY, SILENT, is_published=False)
    run_night(chosen, NIGHT, make_problem())
    assert [subject.split()[1] for subject in subjects(chosen)] == ["CRITICAL", "WARNING"]


# Quiet nights, and many problems


def test_a_good_night_composes_nothing(settings: Settings) -> None:
    run_night(settings, NIGHT)
    run_night(settings, NIGHT + DAY, FALLBACK)
    assert subjects(settings) == []


def test_many_problems_of_one_kind_become_one_line(settings: Settings) -> None:
    feeds = [make_problem(f"feed_{n}_daily") for n in range(6)]
    run_night(settings, NIGHT, *feeds[:5])
    assert "feeds have no rows" not in last_entry(settings).text
    run_night(settings, NIGHT + 8 * DAY, *feeds)
    assert "6 feeds have no rows" in last_entry(settings).text
    assert "5 still open, 1 new" in last_entry(settings).text


# Crashes


def test_a_crash_before_the_state_is_saved_tells_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(BaseException):
        pass

    def cut(*_arguments: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(compose, "save_state", cut)
        with pytest.raises(PowerCutError):
            run_night(settings, NIGHT, make_rule())
    assert read_state(settings).records == {}
    run_night(settings, NIGHT, make_rule())
    run_night(settings, NIGHT, make_rule())
    assert len(subjects(settings)) == 1


def test_a_wrong_recipient_stops_before_anything_is_told(settings: Settings) -> None:
    wrong = settings.model_copy(update={"alert_to": "nobody"})
    with pytest.raises(ConfigurationError):
        run_night(wrong, NIGHT, make_rule())
    assert subjects(settings) == []
    run_night(settings, NIGHT, make_rule())
    assert len(subjects(settings)) == 1


def test_a_mail_goes_out_without_a_chart_that_cannot_be_drawn(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> bytes:
        raise ValueError("no fonts")

    record_loads(settings, "market_daily", 300, 300, 300)
    monkeypatch.setattr(chart, "draw", fail)
    run_night(settings, NIGHT, make_rule())
    assert last_entry(settings).chart_png is None
    assert "goes without its chart" in caplog.text


def test_the_chart_shows_each_night_and_marks_the_one_that_failed(settings: Settings) -> None:
    record_loads(settings, "market_daily", 310, 290, 300)
    _, changes = advance({}, Findings((REFUSED,), frozenset()), NIGHT, remind_nights=7)
    drawn = chart.draw_for(settings, mailed(changes), NIGHT)
    assert drawn is not None
    assert drawn.png.startswith(b"\x89PNG")
    assert drawn.alt.endswith(f"up to {NIGHT}: 310, 290, 300, 0")
    points = [(NIGHT - DAY, 300.0), (NIGHT, 0.0)]
    shown = chart.specification(points, NIGHT, "rows", "bar")["datasets"].values()
    assert [[row.get("value") for row in rows] for rows in shown] == [[300.0, 0.0], [None]]
    assert [rows[-1]["day"] for rows in shown] == [NIGHT.isoformat()] * 2


# The dead man


def look(settings: Settings, day: date, hour: float = 6.5) -> None:
    compose_missing_night(at(settings, day, hour))


def test_a_night_that_did_not_happen_is_told_once_then_weekly_and_at_its_end(
    settings: Settings,
) -> None:
    publish(settings, NIGHT)
    for back in range(10):
        look(settings, NIGHT + back * DAY)
    assert [s.split()[1] for s in subjects(settings)] == ["CRITICAL", "CRITICAL"]
    publish(settings, NIGHT + 10 * DAY)
    look(settings, NIGHT + 10 * DAY)
    look(settings, NIGHT + 10 * DAY)
    assert [s.split()[1] for s in subjects(settings)[2:]] == ["RECOVERED"]


def test_the_next_good_night_ends_the_outage_too(settings: Settings) -> None:
    publish(settings, NIGHT - DAY)
    look(settings, NIGHT)
    run_night(settings, NIGHT + DAY, checked=("night/missing",))
    assert [s.split()[1] for s in subjects(settings)] == ["CRITICAL", "RECOVERED"]


def test_the_dead_man_keeps_silent_before_the_hour_and_about_a_night_that_told(
    settings: Settings,
) -> None:
    publish(settings, NIGHT - DAY)
    look(settings, NIGHT, hour=4.9)
    assert subjects(settings) == []
    run_night(settings, NIGHT, SILENT, is_published=False)
    look(settings, NIGHT)
    assert len(subjects(settings)) == 1


def test_a_home_that_is_gone_is_told(settings: Settings) -> None:
    look(settings, NIGHT)
    assert "nothing is published in" in last_entry(settings).text


def test_the_dead_man_opens_no_warehouse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> Any:
        raise AssertionError("DuckDB was opened")

    monkeypatch.setattr("duckdb.connect", refuse)
    publish(settings, NIGHT - DAY)
    look(settings, NIGHT)
    assert len(subjects(settings)) == 1


def test_a_late_night_is_told_once_and_ends_with_its_publication(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, NIGHT - DAY)
    inbox = Inbox()
    with serving(inbox) as port:
        tonight = at(settings, NIGHT, 4.0, smtp_host="127.0.0.1", smtp_port=port)
        monkeypatch.setattr("pipeline.settings.load_settings", lambda: tonight)
        deadline.tell_late_night()
        deadline.tell_late_night()
        run_night(tonight, NIGHT, checked=("night/late",))
        deliver(tonight)
    late, over = (str(message["Subject"]) for message in inbox.messages())
    assert late.startswith("[Tidemark] WARNING errored night")
    assert over.startswith("[Tidemark] RECOVERED night")
    assert compose_late_night(tonight) == 0


def test_a_night_that_has_failed_and_said_so_is_not_late(settings: Settings) -> None:
    publish(settings, NIGHT - DAY)
    run_night(settings, NIGHT, make_rule(severity="critical"), is_published=False)
    assert compose_late_night(at(settings, NIGHT, 4.0)) == 0
    assert compose_late_night(at(settings, NIGHT + DAY, 4.0)) == 1


# The week


def test_the_week_is_told_once_on_its_day_and_not_before_a_first_night(
    settings: Settings,
) -> None:
    sunday = date(2026, 3, 22)
    publish_tables(settings, sunday)
    run_night(settings, NIGHT)
    assert subjects(settings) == []
    for day in (sunday - DAY, sunday, sunday, sunday + DAY):
        run_night(settings, day)
    assert [s.split()[1] for s in subjects(settings)] == ["WEEKLY"]


def test_a_week_whose_day_had_no_night_is_told_by_the_next(settings: Settings) -> None:
    sunday = date(2026, 3, 22)
    publish_tables(settings, sunday)
    run_night(settings, NIGHT)
    run_night(settings, sunday + 2 * DAY)
    assert [s.split()[1] for s in subjects(settings)] == ["WEEKLY"]
    never = settings.model_copy(update={"alert_weekly_day": ""})
    run_night(never, sunday + 9 * DAY)
    assert len(subjects(settings)) == 1


def test_the_week_goes_to_those_who_see_the_whole(settings: Settings) -> None:
    to = "a@example.org, b@example.org critical, c@example.org equity_daily, d@example.org warning"
    chosen = settings.model_copy(update={"alert_to": to})
    sunday = date(2026, 3, 22)
    publish_tables(chosen, sunday)
    run_night(chosen, NIGHT)
    run_night(chosen, sunday)
    assert last_entry(chosen).recipients == ("a@example.org", "d@example.org")


def test_a_summary_that_cannot_be_made_loses_no_alert(settings: Settings) -> None:
    sunday = date(2026, 3, 22)
    run_night(settings, NIGHT)
    settings.published_file.write_bytes(b"no warehouse")
    with pytest.raises(Exception, match="cannot be opened"):
        run_night(settings, sunday, make_rule())
    assert "cap_is_price_times_supply" in last_entry(settings).subject
    assert read_state(settings).open_records


def test_state_is_plain_json(settings: Settings) -> None:
    run_night(settings, NIGHT, make_rule())
    content = json.loads((settings.alerts_dir / "state.json").read_text())
    assert content["last_night"] == NIGHT.isoformat()
