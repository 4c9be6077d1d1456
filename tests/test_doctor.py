"""``tidemark doctor`` and ``tidemark alerts``: what they find, print, and never print."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import responses
from alert_scenes import NIGHT, at, make_alert_settings, make_rule, publish, run_night
from cli_runner import Run
from smtp_server import Inbox, free_port, serving

from pipeline import doctor, run_log
from pipeline.alerts.outbox import Outbox
from pipeline.doctor import clock, machine, places
from pipeline.doctor.permissions import permissions
from pipeline.lock import run_lock
from pipeline.settings import Settings

DAY = timedelta(days=1)
MORNING = 6.5
KEYS = {"coingecko_demo_key": "CG-secret-key", "coinalyze_key": "secret-too"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = make_alert_settings(tmp_path / "home", smtp_timeout_seconds=5)
    made.home.mkdir()
    return made


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings, as a command finds them in its environment."""
    for name in ("home", "alert_to", "alert_from"):
        monkeypatch.setenv(f"TIDEMARK_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("TIDEMARK_NOW", at(settings, NIGHT, MORNING).now().isoformat())
    monkeypatch.chdir(settings.home)
    return settings


def look(settings: Settings, **overrides: Any) -> dict[str, tuple[str, str]]:
    found = doctor.examine(at(settings, NIGHT, MORNING, **overrides))
    return {finding.part: (finding.status, finding.detail) for finding in found}


def test_a_home_in_order_is_ok_but_for_the_pretended_time(settings: Settings) -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        run_night(settings, NIGHT)
        found = look(settings, smtp_host="127.0.0.1", smtp_port=port, **secret(KEYS))
    wrong = {part: found[part] for part in found if found[part][0] != "ok"}
    assert set(wrong) - {"clock", "disk", "filesystem"} == {"settings"}
    assert "pretends that it is 2026-03-19" in wrong["settings"][1]
    assert "readers see 2026-03-18" in found["night"][1]
    assert inbox.envelopes == []


def secret(values: dict[str, str]) -> dict[str, Any]:
    from pydantic import SecretStr

    return {name: SecretStr(value) for name, value in values.items()}


def test_a_home_that_is_not_there_fails_and_nothing_breaks(settings: Settings) -> None:
    gone = settings.model_copy(update={"home": settings.home / "gone"})
    found = look(gone)
    assert found["home"][0] == found["night"][0] == "fail"
    assert not any("could not be looked at" in detail for _, detail in found.values())
    assert not gone.home.exists()


def test_a_night_that_did_not_happen_is_told_from_one_that_failed(settings: Settings) -> None:
    publish(settings, NIGHT - DAY)
    assert "did not happen" in look(settings)["night"][1]
    run_night(settings, NIGHT, make_rule(severity="critical"), is_published=False)
    found = look(settings)
    assert found["night"][0] == "fail"
    assert "the night failed" in found["night"][1]
    assert found["problems"] == (
        "fail",
        "1 critical and 0 warnings are open: market_daily.cap_is_price_times_supply",
    )


def test_alerts_that_wait_and_a_server_that_is_away_fail(settings: Settings) -> None:
    run_night(settings, NIGHT, make_rule())
    found = look(settings, smtp_host="127.0.0.1", smtp_port=free_port())
    assert found["alerts"][0] == "fail"
    assert "ops@example.org" in found["alerts"][1]
    assert "ConnectionRefusedError" in found["mail server"][1]


def test_the_holder_of_the_lock_is_named(settings: Settings) -> None:
    with run_lock(settings.home, run_id="the-night"):
        status, detail = look(settings)["lock"]
    assert status == "ok"
    assert "run the-night, process" in detail
    assert look(settings)["lock"] == ("ok", "free")


def test_little_room_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"total": 100 * 1024**3, "free": 5 * 1024**3})
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _path: usage)
    assert look(settings)["disk"][0] == "warn"
    usage.free = 1024**2
    assert look(settings)["disk"][0] == "fail"


@pytest.mark.parametrize(
    ("mount", "status"),
    [("server:/x {home} nfs4 rw 0 0", "warn"), ("/dev/sda1 {home} ext4 rw 0 0", "ok")],
)
def test_a_home_on_the_network_is_told(
    settings: Settings, tmp_path: Path, mount: str, status: str
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/root / ext4 rw 0 0\n{mount.format(home=settings.home.resolve())}\n")
    (found,) = places.filesystem(settings, mounts)
    assert found.status == status


def test_settings_that_make_no_sense_are_named(settings: Settings) -> None:
    found = look(settings, feeds="nothing_daily", alert_to="nobody")
    assert found["settings"][0] == "fail"
    assert "nothing_daily" in found["settings"][1]
    assert "nobody" in found["settings"][1]


def test_a_package_of_another_version_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine.version
    monkeypatch.setattr(machine, "version", lambda name: "0.1" if name == "duckdb" else real(name))
    (found,) = machine.versions(settings)
    assert found.status == "fail"
    assert found.detail.startswith("duckdb is 0.1, not ")


@responses.activate
@pytest.mark.parametrize(("seconds", "status"), [(1, "ok"), (60, "warn"), (4_000, "fail")])
def test_the_clock_is_held_against_a_vendors(settings: Settings, seconds: int, status: str) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=seconds), usegmt=True)
    responses.head("https://api.coingecko.com", headers={"Date": date}, status=403)
    (found,) = clock.online(settings)
    assert found.status == status


@pytest.mark.parametrize(("hours", "status"), [(-1, "ok"), (0.05, "ok"), (1, "fail")])
def test_a_clock_behind_the_last_recorded_run_fails_without_asking_anybody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, hours: float, status: str
) -> None:
    monkeypatch.setattr(clock, "is_synchronized", lambda: None)
    now = at(settings, NIGHT, MORNING)
    assert look(settings)["clock"][0] == "ok"
    later = now.model_copy(update={"now_override": now.now() + timedelta(hours=hours)})
    run_log.begin(later, "a-run", "nightly", NIGHT)
    found = look(settings)["clock"]
    assert found[0] == status
    assert ("2026-03-19 07:30" in found[1]) == (status == "fail")


@pytest.mark.parametrize(("kept", "status"), [(True, "ok"), (False, "warn"), (None, "ok")])
def test_a_clock_that_nobody_keeps_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kept: bool | None, status: str
) -> None:
    assert clock.is_synchronized() in {True, False, None}
    monkeypatch.setattr(clock, "is_synchronized", lambda: kept)
    assert look(settings)["clock"][0] == status


@pytest.mark.parametrize(
    ("text", "mode", "status"),
    [
        ("TIDEMARK_COINALYZE_KEY=a-key\n", 0o644, "warn"),
        ("export TIDEMARK_SMTP_PASSWORD='a'\n", 0o640, "warn"),
        ("TIDEMARK_COINALYZE_KEY=a-key\n", 0o600, "ok"),
        ("#TIDEMARK_COINALYZE_KEY=a-key\nTIDEMARK_SMTP_PASSWORD=\n", 0o644, "ok"),
        ("TIDEMARK_HOME=/srv/tidemark\n", 0o644, "ok"),
    ],
)
def test_a_file_of_keys_that_others_may_read_is_told(
    settings: Settings, tmp_path: Path, text: str, mode: int, status: str
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(text)
    env_file.chmod(mode)
    (found,) = permissions(settings, env_file)
    assert found.status == status
    assert "a-key" not in found.detail


def test_a_home_in_which_anybody_may_write_is_told(settings: Settings, tmp_path: Path) -> None:
    (settings.home / "raw").mkdir()
    (settings.home / "raw").chmod(0o777)
    (found,) = permissions(settings, tmp_path / "none")
    assert (found.status, "raw" in found.detail) == ("warn", True)
    (settings.home / "raw").chmod(0o755)
    (found,) = permissions(settings, tmp_path / "none")
    assert found.status == "ok"


def test_a_look_that_breaks_is_a_finding_and_the_others_go_on(
    settings: Settings,
) -> None:
    (settings.home / "published").mkdir()
    manifest = settings.home / "published" / "manifest.json"
    manifest.write_text('{"build_id": "a", "market_date": "yesterday"}')
    found = look(settings)
    assert found["night"][0] == "fail"
    assert "could not be looked at: ValueError" in found["night"][1]
    assert found["versions"][0] == "ok"


def test_a_damaged_manifest_is_a_finding_that_says_what_to_do(settings: Settings) -> None:
    (settings.home / "published").mkdir()
    (settings.home / "published" / "manifest.json").write_text("{")
    found = look(settings)
    assert found["night"][0] == "fail"
    assert "Remove it and run `tidemark build`" in found["night"][1]


# The commands


def test_doctor_prints_a_table_or_json_and_no_secret(
    run: Run, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(f"TIDEMARK_{name.upper()}", value)
    shown = run("doctor")
    assert shown.code == 1
    assert "fail" in shown.out
    assert "tidemark refresh --market-date 2026-03-18" in shown.out
    told = run("doctor", "--json").parsed()
    assert told["status"] == "fail"
    assert {"part", "status", "detail", "next_step"} == set(told["findings"][0])
    for value in KEYS.values():
        assert value not in shown.out + shown.err + json.dumps(told)


def test_doctor_mails_that_the_night_did_not_happen_once(
    run: Run, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(environment, NIGHT - DAY)
    inbox = Inbox()
    with serving(inbox) as port:
        monkeypatch.setenv("TIDEMARK_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("TIDEMARK_SMTP_PORT", str(port))
        assert run("doctor", "--mail").code == 1
        assert run("doctor", "--mail").code == 1
        assert run("doctor", "--send-test").code == 1
    missing, test = (str(message["Subject"]) for message in inbox.messages())
    assert missing.startswith("[Tidemark] CRITICAL errored night 2026-03-18")
    assert test == "[Tidemark] TEST of the alerts"


def test_alerts_are_listed_shown_and_sent(
    run: Run, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no problem is open" in run("alerts", "list").out
    assert "no alert was composed yet" in run("alerts", "show").err
    run_night(environment, NIGHT, make_rule(sentence="a \x1b[31mred\x1b[0m name"))
    told = run("alerts", "list", "--json").parsed()
    assert told["problems"][0]["subject"] == "market_daily.cap_is_price_times_supply"
    assert told["alerts"][0]["waiting"] == 1
    listed = run("alerts", "list")
    assert "\x1b" not in listed.out
    shown = run("alerts", "show", told["alerts"][0]["id"][:6])
    assert "To: ops@example.org, waiting, 0 tries" in shown.out
    assert "What to do" in shown.out
    assert run("alerts", "show", "--html").out.startswith("<!doctype html>")
    assert run("alerts", "show", "zzz").code == 2
    assert run("alerts", "send").code == 2
    inbox = Inbox()
    with serving(inbox) as port:
        monkeypatch.setenv("TIDEMARK_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("TIDEMARK_SMTP_PORT", str(port))
        assert "1 deliveries were accepted" in run("alerts", "send").out
        assert "no alert was waiting" in run("alerts", "send").out
    assert not Outbox(environment).waiting()
