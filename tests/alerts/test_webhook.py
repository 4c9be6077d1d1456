"""The webhook, against an HTTP server on loopback: what is posted, and what is kept secret."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from alert_scenes import NIGHT, make_alert_settings, make_rule, run_night
from pydantic import SecretStr
from smtp_server import Inbox, free_port, serving

from pipeline.alerts.delivery import deliver
from pipeline.alerts.outbox import Outbox
from pipeline.alerts.webhook import payload, post
from pipeline.errors import AlertError, ConfigurationError

SECRET = "services/T000/B000/very-secret"


@contextmanager
def chat(*statuses: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Answer posts with some statuses, then with 200; yields the address and what came."""
    came: list[dict[str, str]] = []
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append(json.loads(body))
            self.send_response(left.pop(0) if left else 200)
            self.send_header("Location", "https://elsewhere.example")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{SECRET}", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_slack_reads_as_markup_or_a_mention_is_escaped() -> None:
    text = payload("late", "a <!channel> & <https://evil.example|bank>\u202e")["text"]
    assert text == "*late*\na &lt;!channel&gt; &amp; &lt;https://evil.example|bank&gt;\\u202e"
    assert len(payload("late", "x" * 9_000)["text"]) < 4_000


def test_mail_and_webhook_each_get_it_once(tmp_path: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as port, chat(503) as (url, came):
        settings = make_alert_settings(
            tmp_path / "home", smtp_host="127.0.0.1", smtp_port=port, alert_webhook_url=url
        )
        run_night(settings, NIGHT, make_rule())
        with pytest.raises(AlertError, match="status 503"):
            deliver(settings)
        assert deliver(settings) == 1
        assert deliver(settings) == 0
    assert inbox.taken_by == ["ops@example.org"]
    assert len(came) == 2
    assert came[0] == came[1]
    assert "cap_is_price_times_supply" in came[1]["text"]
    (entry,) = Outbox(settings).entries()
    assert {name: d.attempts for name, d in entry.deliveries.items()} == {
        "ops@example.org": 1,
        "webhook": 2,
    }


def test_a_webhook_alone_is_enough(tmp_path: Path) -> None:
    with chat() as (url, came):
        settings = make_alert_settings(tmp_path / "home", alert_to="", alert_webhook_url=url)
        run_night(settings, NIGHT, make_rule())
        assert deliver(settings) == 1
    assert len(came) == 1


@pytest.mark.parametrize("status", [301, 404, 500])
def test_any_other_answer_is_a_failure_without_the_address(status: int) -> None:
    with chat(status) as (url, came), pytest.raises(OSError, match=str(status)) as caught:
        post(SecretStr(url), payload("a", "b"))
    assert SECRET not in str(caught.value)
    assert len(came) == 1


def test_the_address_is_in_no_message_no_log_and_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{free_port()}/{SECRET}"
    settings = make_alert_settings(tmp_path / "home", alert_to="", alert_webhook_url=url)
    with caplog.at_level(logging.DEBUG):
        run_night(settings, NIGHT, make_rule())
        with pytest.raises(AlertError) as caught:
            deliver(settings)
    said = [str(caught.value), caplog.text, repr(settings)]
    said += [path.read_text() for path in (tmp_path / "home").rglob("*.json")]
    assert not any("very-secret" in text for text in said)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["http://chat.example.org/x", "ftp://127.0.0.1/x", "nonsense"])
def test_an_address_that_is_none_or_is_not_encrypted_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="TIDEMARK_ALERT_WEBHOOK_URL"):
        post(SecretStr(url), payload("a", "b"))
