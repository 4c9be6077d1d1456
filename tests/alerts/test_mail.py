"""The failure mail, sent for real to an SMTP server on loopback."""

from __future__ import annotations

import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.alerts.failure import FailureMail, compose_failure
from pipeline.alerts.mail import printable, send_failure_mail
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

# aiosmtpd dislikes a login without TLS, which is what some tests are about
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

HOSTILE_NAME = '<img src=x onerror="alert(1)">&\u202egnp.exe\x00\ud800\r\nBcc: all@example.org'


@dataclass
class Inbox:
    """Takes mail like a server, and refuses the addresses it is told to."""

    refused: set[str] = field(default_factory=set)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(
        self,
        _server: object,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(
        self, _server: object, _session: object, _envelope: object, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    def only_message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(inbox: Inbox, **options: object) -> Iterator[int]:
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def make_settings(port: int, **overrides: object) -> Settings:
    values: dict[str, object] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "alert_from": "tidemark@example.org",
        "alert_to": "ops@example.org",
    }
    return Settings(_env_file=None, **(values | overrides))


def make_failure(**overrides: object) -> FailureMail:
    values: dict[str, object] = {
        "run_id": "2026-03-18T01-30-00Z-ab12",
        "market_date": date(2026, 3, 18),
        "step": "market_daily",
        "error": "41 % of caps are missing from coingecko\nrule market_cap_usd is not null",
        "published_as_of": date(2026, 3, 17),
        "what_next": "Wait for the vendor, then: tidemark refresh --date 2026-03-18",
    }
    return compose_failure(**(values | overrides))


def send(settings: Settings, mail: FailureMail | None = None) -> bool:
    return send_failure_mail(settings, **(mail or make_failure())._asdict())


class _Text(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_mail_arrives_with_both_parts_and_the_headers_of_an_automatic_mail() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        assert send(make_settings(port, alert_to="ops@example.org, desk@example.org"))

    message = inbox.only_message()
    assert inbox.envelopes[0].rcpt_tos == ["ops@example.org", "desk@example.org"]
    assert message["Subject"] == (
        "[Tidemark] CRITICAL market_daily 2026-03-18: "
        "41 % of caps are missing from coingecko; last good data stays published"
    )
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.org>")
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_body_says_what_readers_see_what_failed_and_what_to_do() -> None:
    text = make_failure().text
    assert text.startswith("market_daily 2026-03-18: 41 % of caps are missing from coingecko\n")
    assert "complete to 2026-03-17. It is unchanged." in text
    assert "Wait for the vendor, then: tidemark refresh --date 2026-03-18" in text
    assert "rule market_cap_usd is not null" in text
    assert "Run 2026-03-18T01-30-00Z-ab12 · Tidemark" in text


def test_html_and_plain_text_hold_the_same_words() -> None:
    mail = make_failure(error=f"coin {HOSTILE_NAME} has no cap")
    page = mail.html[mail.html.index("<body") :]
    assert _Text(page).words == [word for word in mail.text.split() if word != "--"]


def test_hostile_coin_name_stays_text_in_every_part() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        send(make_settings(port), make_failure(error=f"coin {HOSTILE_NAME} has no cap"))

    message = inbox.only_message()
    html = message.get_body(("html",)).get_content()
    assert "img" not in _Text(html).tags
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;gnp.exe" in html
    assert '<img src=x onerror="alert(1)">&gnp.exe' in message.get_body(("plain",)).get_content()
    assert "\u202e" not in message["Subject"]


def test_line_break_in_a_subject_adds_no_header() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        send_failure_mail(
            make_settings(port),
            subject="late\r\nBcc: all@example.org\n\nbody",
            text="text",
            html="<p>html</p>",
        )

    assert inbox.only_message()["Bcc"] is None
    assert inbox.only_message()["Subject"] == "late Bcc: all@example.org body"
    assert inbox.envelopes[0].rcpt_tos == ["ops@example.org"]


def test_subject_is_cut_before_mail_programs_cut_it() -> None:
    subject = make_failure(error="é" * 5_000).subject
    assert len(subject) <= 200
    assert subject.endswith("…; last good data stays published")


def test_long_error_is_cut_and_says_where_the_rest_is() -> None:
    text = make_failure(error="line\n" * 5_000).text
    assert len(text) < 6_000
    assert "the run's log has the rest" in text


def test_night_published_without_a_part_is_a_warning() -> None:
    mail = make_failure(step="load sentiment_daily", is_published=True)
    assert mail.subject.startswith("[Tidemark] WARNING load sentiment_daily 2026-03-18: ")
    assert mail.subject.endswith("; the rest is published")
    assert "The new build, complete to 2026-03-17, without what failed." in mail.text


def test_nothing_published_yet_is_said() -> None:
    mail = make_failure(published_as_of=None)
    assert mail.subject.endswith("; nothing is published yet")
    assert "no build has been published yet" in mail.text


@pytest.mark.parametrize("error", ["", "  \n \n"])
def test_error_without_words_still_makes_a_mail(error: str) -> None:
    assert "failed without saying why" in make_failure(error=error).subject


def test_printable_keeps_names_of_every_script() -> None:
    assert printable("柴犬 coin é\tß\n") == "柴犬 coin é\tß\n"


def test_no_recipient_sends_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert send(make_settings(1, alert_to=" , ")) is False
    assert "TIDEMARK_ALERT_TO is empty" in caplog.text


@pytest.mark.parametrize("host", [None, ""])
def test_recipient_without_a_server_is_a_configuration_error(host: str | None) -> None:
    with pytest.raises(ConfigurationError, match="TIDEMARK_SMTP_HOST"):
        send(make_settings(1, smtp_host=host))


@pytest.mark.parametrize("address", ["ops", "ops@", "ops@example.org\nBcc: all@example.org"])
def test_address_that_is_none_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="not a mail address"):
        send(make_settings(1, alert_to=address))


def test_server_that_is_away_raises() -> None:
    with pytest.raises(ConnectionRefusedError):
        send(make_settings(free_port()))


def test_server_that_never_answers_raises_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.alerts.mail.TIMEOUT_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(OSError, match="timed out"),
    ):
        send(make_settings(silent.getsockname()[1]))


def test_one_refused_recipient_of_two_raises() -> None:
    inbox = Inbox(refused={"gone@example.org"})
    settings = {"alert_to": "ops@example.org,gone@example.org"}
    with serving(inbox) as port, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(make_settings(port, **settings))
    assert set(caught.value.recipients) == {"gone@example.org"}


def test_login_is_made_when_a_user_is_set() -> None:
    inbox = Inbox()
    options = {
        "authenticator": inbox.authenticate,
        "auth_require_tls": False,
        "auth_required": True,
    }
    with serving(inbox, **options) as port:
        assert send(make_settings(port, smtp_user="tide", smtp_password="right"))
    assert inbox.logins == [(b"tide", b"right")]


def test_wrong_password_raises_and_is_not_in_the_message() -> None:
    inbox = Inbox()
    options = {
        "authenticator": inbox.authenticate,
        "auth_require_tls": False,
        "auth_required": True,
    }
    with (
        serving(inbox, **options) as port,
        pytest.raises(smtplib.SMTPAuthenticationError) as caught,
    ):
        send(make_settings(port, smtp_user="tide", smtp_password="wr0ng"))
    assert "wr0ng" not in str(caught.value)
    assert not inbox.envelopes


def test_password_is_never_sent_in_clear_to_another_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox = Inbox()
    monkeypatch.setattr("pipeline.alerts.mail._is_loopback", lambda _host: False)
    with serving(inbox) as port, pytest.raises(ConfigurationError, match="SMTP_STARTTLS"):
        send(make_settings(port, smtp_user="tide", smtp_password="right"))
    assert not inbox.logins


def test_starttls_with_a_trusted_certificate_sends(
    server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    inbox = Inbox()
    options = {
        "tls_context": server_tls,
        "require_starttls": True,
        "authenticator": inbox.authenticate,
    }
    with serving(inbox, **options) as port:
        assert send(
            make_settings(port, smtp_starttls=True, smtp_user="tide", smtp_password="right")
        )
    assert inbox.logins == [(b"tide", b"right")]
    assert len(inbox.envelopes) == 1


def test_starttls_with_an_unknown_certificate_raises(server_tls: ssl.SSLContext) -> None:
    inbox = Inbox()
    with (
        serving(inbox, tls_context=server_tls) as port,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        send(make_settings(port, smtp_starttls=True))
    assert not inbox.envelopes


def test_starttls_is_not_skipped_where_the_server_lacks_it() -> None:
    inbox = Inbox()
    with serving(inbox) as port, pytest.raises(smtplib.SMTPNotSupportedError):
        send(make_settings(port, smtp_starttls=True))
    assert not inbox.envelopes


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
