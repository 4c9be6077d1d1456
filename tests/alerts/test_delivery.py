"""The outbox, sent for real to an SMTP server on loopback."""

from __future__ import annotations

import logging
import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from alert_scenes import NIGHT, SILENT, at, make_alert_settings, publish, run_night
from smtp_server import Inbox, free_port, serving, serving_tls

from pipeline.alerts import delivery
from pipeline.alerts.delivery import deliver
from pipeline.alerts.outbox import Delivery, Entry, Outbox
from pipeline.doctor import mail as doctor_mail
from pipeline.errors import AlertError, ConfigurationError
from pipeline.settings import Settings

# aiosmtpd dislikes a login without TLS, which is what some tests are about
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

TWO = {"alert_to": "ops@example.org, desk@example.org"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def make_entry(settings: Settings, name: str = "one", **overrides: object) -> Entry:
    """Put an alert into the outbox that everybody of the settings gets."""
    values: dict[str, object] = {
        "entry_id": name,
        "created_at": settings.now(),
        "kind": "digest",
        "subject": f"[Tidemark] CRITICAL failed {name}",
        "text": f"Größe {name}\n",
        "html": f"<p>Größe {name}</p>",
        "message_id": f"<{name}@example.org>",
        "deliveries": {a.strip(): Delivery() for a in settings.alert_to.split(",")},
    }
    entry = Entry(**(values | overrides))
    assert Outbox(settings).add(entry)
    return entry


def to_server(home: Path, port: int, **overrides: object) -> Settings:
    fixed = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_timeout_seconds": 5}
    return make_alert_settings(home, **(fixed | overrides))


def statuses(settings: Settings, name: str = "one") -> dict[str, tuple[str, int]]:
    (entry,) = [e for e in Outbox(settings).entries() if e.entry_id == name]
    return {who: (d.status, d.attempts) for who, d in entry.deliveries.items()}


def test_an_alert_arrives_once_with_both_parts_and_is_marked(home: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        settings = to_server(home, port, **TWO)
        make_entry(settings)
        assert deliver(settings) == 2
        assert deliver(settings) == 0
    message = inbox.only_message()
    assert inbox.taken_by == ["ops@example.org", "desk@example.org"]
    assert message["Subject"] == "[Tidemark] CRITICAL failed one"
    assert message["Message-ID"] == "<one@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content().split() == ["Größe", "one"]
    assert statuses(settings) == {
        "ops@example.org": ("sent", 1),
        "desk@example.org": ("sent", 1),
    }


def test_every_byte_of_a_mail_is_ascii(home: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        settings = to_server(home, port)
        make_entry(settings)
        deliver(settings)
    assert isinstance(inbox.envelopes[0].content, bytes)
    assert inbox.envelopes[0].content.isascii()


def test_a_picture_hangs_on_the_page_and_not_beside_it(home: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        settings = to_server(home, port)
        make_entry(settings, chart_png="iVBORw0KGgo=", chart_alt="rows")
        deliver(settings)
    plain, related = inbox.only_message().iter_parts()
    assert plain.get_content_type() == "text/plain"
    page, picture = related.iter_parts()
    assert page.get_content_type() == "text/html"
    assert picture["Content-ID"] == "<chart@tidemark>"
    assert picture.get_content().startswith(b"\x89PNG")


def test_starttls_and_login(
    home: Path, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    inbox = Inbox()
    options = {
        "tls_context": server_tls,
        "require_starttls": True,
        "authenticator": inbox.authenticate,
    }
    with serving(inbox, **options) as port:
        settings = to_server(
            home, port, smtp_starttls=True, smtp_user="tide", smtp_password="right"
        )
        make_entry(settings)
        assert deliver(settings) == 1
    assert inbox.logins == [(b"tide", b"right")]
    assert statuses(settings) == {"ops@example.org": ("sent", 1)}


def doctor_says(settings: Settings) -> tuple[str, str, str]:
    (finding,) = doctor_mail.server(settings)
    return finding.status, finding.detail, finding.next_step


def test_tls_from_the_first_byte_and_login(
    home: Path, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    inbox = Inbox()
    # aiosmtpd knows only of the TLS that STARTTLS has begun
    options = {"authenticator": inbox.authenticate, "auth_require_tls": False}
    with serving_tls(inbox, server_tls, **options) as port:
        settings = to_server(
            home, port, smtp_implicit_tls=True, smtp_user="tide", smtp_password="right"
        )
        make_entry(settings)
        assert deliver(settings) == 1
        status, detail, _ = doctor_says(settings)
    assert (status, detail) == ("ok", f"127.0.0.1:{port} answers, with TLS; 1 recipients")
    assert inbox.logins == [(b"tide", b"right")] * 2
    assert statuses(settings) == {"ops@example.org": ("sent", 1)}


def test_tls_from_the_first_byte_without_a_trusted_certificate_sends_nothing(
    home: Path, server_tls: ssl.SSLContext
) -> None:
    inbox = Inbox()
    with serving_tls(inbox, server_tls) as port:
        settings = to_server(home, port, smtp_implicit_tls=True)
        make_entry(settings)
        with pytest.raises(AlertError, match="certificate"):
            deliver(settings)
    assert not inbox.envelopes
    assert statuses(settings) == {"ops@example.org": ("waiting", 1)}


def test_the_two_kinds_of_tls_exclude_each_other(home: Path) -> None:
    settings = to_server(home, free_port(), smtp_starttls=True, smtp_implicit_tls=True)
    make_entry(settings)
    with pytest.raises(ConfigurationError, match="keep one of them"):
        deliver(settings)


def test_the_doctor_knows_port_465(home: Path) -> None:
    status, _, next_step = doctor_says(to_server(home, 465, smtp_timeout_seconds=0.5))
    assert status == "fail"
    assert "TIDEMARK_SMTP_IMPLICIT_TLS=true" in next_step
    _, _, next_step = doctor_says(to_server(home, free_port()))
    assert "IMPLICIT" not in next_step


def test_starttls_without_a_trusted_certificate_sends_nothing(
    home: Path, server_tls: ssl.SSLContext
) -> None:
    inbox = Inbox()
    with serving(inbox, tls_context=server_tls) as port:
        settings = to_server(home, port, smtp_starttls=True)
        make_entry(settings)
        with pytest.raises(AlertError, match="certificate"):
            deliver(settings)
    assert not inbox.envelopes
    assert statuses(settings) == {"ops@example.org": ("waiting", 1)}


def test_starttls_that_the_server_has_not_sends_nothing(home: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        settings = to_server(home, port, smtp_starttls=True)
        make_entry(settings)
        with pytest.raises(AlertError, match="STARTTLS"):
            deliver(settings)
    assert not inbox.envelopes


def test_login_without_tls_on_this_machine(home: Path) -> None:
    inbox = Inbox()
    options = {"authenticator": inbox.authenticate, "auth_require_tls": False}
    with serving(inbox, auth_required=True, **options) as port:
        settings = to_server(home, port, smtp_user="tide", smtp_password="right")
        make_entry(settings)
        assert deliver(settings) == 1
    assert inbox.logins == [(b"tide", b"right")]


def test_a_wrong_password_keeps_the_alert_and_is_not_told(home: Path) -> None:
    inbox = Inbox()
    options = {"authenticator": inbox.authenticate, "auth_require_tls": False}
    with serving(inbox, auth_required=True, **options) as port:
        settings = to_server(home, port, smtp_user="tide", smtp_password="wr0ng")
        make_entry(settings)
        with pytest.raises(AlertError) as caught:
            deliver(settings)
    assert "wr0ng" not in str(caught.value)
    assert "535" in str(caught.value)
    assert not inbox.envelopes
    assert "wr0ng" not in next((home / "alerts" / "outbox").iterdir()).read_text()


def test_a_password_never_crosses_the_network_in_clear(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    monkeypatch.setattr("pipeline.alerts.mail.is_loopback", lambda _host: False)
    with serving(inbox) as port:
        settings = to_server(home, port, smtp_user="tide", smtp_password="right")
        make_entry(settings)
        with pytest.raises(ConfigurationError, match="SMTP_STARTTLS"):
            deliver(settings)
    assert not inbox.logins


def test_a_server_that_is_down_loses_nothing_and_gets_it_once(home: Path) -> None:
    inbox = Inbox()
    settings = to_server(home, free_port(), **TWO)
    make_entry(settings)
    make_entry(settings, "two")
    for _ in range(2):
        with pytest.raises(AlertError, match=r"4 deliveries .* failed.*ConnectionRefused"):
            deliver(settings)
    assert statuses(settings) == {
        "ops@example.org": ("waiting", 2),
        "desk@example.org": ("waiting", 2),
    }
    with serving(inbox) as port:
        again = to_server(home, port, **TWO)
        assert deliver(again) == 4
        assert deliver(again) == 0
    assert [m["Message-ID"] for m in inbox.messages()] == ["<one@example.org>", "<two@example.org>"]


def test_a_server_that_never_answers_is_left_in_time(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = to_server(home, silent.getsockname()[1], smtp_timeout_seconds=0.1)
        make_entry(settings)
        with pytest.raises(AlertError, match=r"timed? ?out"):
            deliver(settings)
    assert statuses(settings) == {"ops@example.org": ("waiting", 1)}


def test_a_server_too_slow_to_accept_keeps_the_alert_waiting(home: Path) -> None:
    inbox = Inbox(slow_seconds=2)
    with serving(inbox) as port:
        settings = to_server(home, port, smtp_timeout_seconds=0.2)
        make_entry(settings)
        with pytest.raises(AlertError, match=r"timed? ?out"):
            deliver(settings)
    assert statuses(settings) == {"ops@example.org": ("waiting", 1)}


def test_a_refused_recipient_holds_up_no_other_and_nobody_gets_it_twice(home: Path) -> None:
    inbox = Inbox(refused={"desk@example.org"})
    with serving(inbox) as port:
        settings = to_server(home, port, **TWO)
        make_entry(settings)
        for attempt in (1, 2):
            with pytest.raises(AlertError, match=r"desk@example\.org was refused: 550 no such"):
                deliver(settings)
            assert statuses(settings) == {
                "ops@example.org": ("sent", 1),
                "desk@example.org": ("waiting", attempt),
            }
        inbox.refused.clear()
        assert deliver(settings) == 1
    assert inbox.taken_by == ["ops@example.org", "desk@example.org"]
    assert len({m["Message-ID"] for m in inbox.messages()}) == 1


def test_a_recipient_that_is_refused_for_days_is_given_up(home: Path) -> None:
    inbox = Inbox(refused={"desk@example.org"})
    with serving(inbox) as port:
        settings = to_server(home, port, **TWO)
        make_entry(settings)
        later = at(settings, NIGHT + timedelta(days=4))
        with pytest.raises(AlertError):
            deliver(later)
        assert deliver(later) == 0
    assert statuses(settings)["desk@example.org"] == ("given up", 1)
    assert statuses(settings)["ops@example.org"] == ("sent", 1)


def test_an_alert_that_the_server_refuses_holds_up_no_other(home: Path) -> None:
    inbox = Inbox(refused_words=b"<one@example.org>")
    with serving(inbox) as port:
        settings = to_server(home, port)
        make_entry(settings)
        make_entry(settings, "two")
        with pytest.raises(AlertError, match="554 not in these words"):
            deliver(settings)
    assert inbox.only_message()["Message-ID"] == "<two@example.org>"
    assert statuses(settings) == {"ops@example.org": ("waiting", 1)}


def test_a_crash_after_the_server_accepted_sends_it_again_under_the_same_id(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(BaseException):
        pass

    def cut(*_arguments: object) -> None:
        raise PowerCutError

    inbox = Inbox()
    with serving(inbox) as port:
        settings = to_server(home, port)
        make_entry(settings)
        with monkeypatch.context() as patched:
            patched.setattr(delivery.Outbox, "save", cut)
            with pytest.raises(PowerCutError):
                deliver(settings)
        assert statuses(settings) == {"ops@example.org": ("waiting", 0)}
        assert deliver(settings) == 1
        assert deliver(settings) == 0
    first, second = inbox.messages()
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def test_recipients_without_a_server_are_a_wrong_setting(home: Path) -> None:
    settings = make_alert_settings(home)
    make_entry(settings)
    with pytest.raises(ConfigurationError, match="TIDEMARK_SMTP_HOST"):
        deliver(settings)
    assert statuses(settings) == {"ops@example.org": ("waiting", 0)}


def test_nobody_to_tell_is_logged_and_kept_to_be_shown(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_alert_settings(home, alert_to=" , ")
    publish(settings, NIGHT - timedelta(days=1))
    with caplog.at_level(logging.WARNING):
        run_night(settings, NIGHT, SILENT, is_published=False)
    assert "TIDEMARK_ALERT_TO is empty" in caplog.text
    assert deliver(settings) == 0
    (entry,) = Outbox(settings).entries()
    assert entry.deliveries == {}


def test_old_alerts_that_everybody_has_are_deleted(home: Path) -> None:
    inbox = Inbox(refused={"desk@example.org"})
    with serving(inbox) as port:
        settings = to_server(home, port)
        make_entry(settings)
        deliver(settings)
        deliver(at(settings, NIGHT + timedelta(days=89)))
        assert Outbox(settings).entries()
        deliver(at(settings, NIGHT + timedelta(days=92)))
        assert Outbox(settings).entries() == []
