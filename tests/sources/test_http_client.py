"""The client against canned answers, and against a real local server where bytes matter."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import responses
from pydantic import SecretStr

from pipeline import __version__
from pipeline.errors import ConfigurationError, PayloadError, RateLimitedError, SourceError
from pipeline.settings import Settings
from pipeline.sources.http import (
    RETRIED_STATUSES,
    HttpClient,
    HttpResponse,
    HttpStatusError,
    Traffic,
)
from pipeline.sources.vendors import VENDORS

URL = "https://vendor.example/api/v1/things"
KEY = "CG-5up3r5ecretKey"
NOW = datetime(2026, 1, 2, 1, 10, tzinfo=UTC)


def make_settings(**overrides: Any) -> Settings:
    return Settings.model_validate({"_env_file": None, "TIDEMARK_NOW": NOW} | overrides)


class Waits(list[float]):
    """A sleep that takes no time and remembers."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@contextmanager
def make_client(waits: Waits | None = None, **overrides: Any) -> Iterator[HttpClient]:
    with HttpClient(
        make_settings(**overrides),
        sleep=Waits() if waits is None else waits,
        jitter=lambda low, high: high,
    ) as client:
        yield client


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_get_returns_the_body_and_what_may_be_stored(mocked: responses.RequestsMock) -> None:
    mocked.get(
        URL,
        body=b'{"a": 1}',
        content_type="application/json",
        headers={"ETag": "x", "Set-Cookie": "session=1", "X-Api-Key": KEY, "X-Echo": f"k={KEY}"},
    )
    with make_client() as client:
        response = client.get(
            URL, params={"page": "1", "api_key": "oops"}, secret_headers={"x-key": SecretStr(KEY)}
        )
    assert response == HttpResponse(
        url=f"{URL}?page=1&api_key=***",
        status=200,
        headers={"content-type": "application/json", "etag": "x", "x-echo": "k=***"},
        body=b'{"a": 1}',
        fetched_at=NOW,
        body_format="json",
    )
    sent = mocked.calls[0].request.headers
    assert sent["User-Agent"] == f"tidemark/{__version__}"
    assert sent["x-key"] == KEY


@pytest.mark.parametrize("status", sorted(RETRIED_STATUSES))
def test_get_tries_a_passing_failure_again(mocked: responses.RequestsMock, status: int) -> None:
    mocked.get(URL, status=status)
    mocked.get(URL, json=[1])
    with make_client() as client:
        assert client.get(URL).body == b"[1]"


def test_get_backs_off_exponentially_and_gives_up(mocked: responses.RequestsMock) -> None:
    mocked.get(URL, status=503, body="resting")
    waits = Waits()
    with (
        make_client(waits, http_attempts=9) as client,
        pytest.raises(HttpStatusError, match=r"vendor\.example/api/v1/things: HTTP 503.*resting"),
    ):
        client.get(URL)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert len(mocked.calls) == 9


@pytest.mark.parametrize("status", [204, 400, 401, 402, 403, 404, 410, 418, 451, 501])
def test_get_takes_other_statuses_for_final(mocked: responses.RequestsMock, status: int) -> None:
    mocked.get(URL, status=status, body="<html>no</html>")
    with make_client() as client, pytest.raises(HttpStatusError, match=str(status)) as caught:
        client.get(URL)
    assert caught.value.status == status
    assert len(mocked.calls) == 1


@pytest.mark.parametrize(
    ("headers", "wait_seconds"),
    [
        ({"Retry-After": "119"}, 119),
        ({"Retry-After": "12.5"}, 12.5),
        ({"Retry-After": "Fri, 02 Jan 2026 01:10:30 GMT"}, 30),
        (
            {
                "Retry-After": "Fri, 02 Jan 2026 09:00:07 GMT",
                "Date": "Fri, 02 Jan 2026 09:00:00 GMT",
            },
            7,
        ),
        ({"x-ratelimit-reset": "6"}, 6),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "soon"}, 1),
        ({"Retry-After": "nan"}, 1),
        ({}, 1),
    ],
)
def test_get_waits_what_a_429_says(
    mocked: responses.RequestsMock, headers: dict[str, str], wait_seconds: float
) -> None:
    mocked.get(URL, status=429, headers=headers, body="<html>slow down</html>")
    mocked.get(URL, json=[])
    waits = Waits()
    with make_client(waits) as client:
        client.get(URL)
    assert waits == [wait_seconds]


def test_get_does_not_wait_longer_than_the_cap(mocked: responses.RequestsMock) -> None:
    mocked.get(URL, status=429, headers={"Retry-After": "181"})
    waits = Waits()
    with make_client(waits) as client, pytest.raises(RateLimitedError, match="181 s"):
        client.get(URL)
    assert waits == []


def test_get_raises_rate_limited_when_attempts_are_used_up(mocked: responses.RequestsMock) -> None:
    mocked.get(URL, status=429, headers={"Retry-After": "1"})
    with make_client() as client, pytest.raises(RateLimitedError, match="429"):
        client.get(URL)
    assert len(mocked.calls) == 5


def test_get_never_follows_a_redirect(mocked: responses.RequestsMock) -> None:
    mocked.get(URL, status=302, headers={"Location": "https://elsewhere.example/x?key=1"})
    with make_client() as client, pytest.raises(HttpStatusError, match=r"elsewhere\.example;"):
        client.get(URL, secret_headers={"x-key": SecretStr(KEY)})


@pytest.mark.parametrize(
    ("body", "content_type", "expect", "error"),
    [
        ("<!DOCTYPE html><title>Just a moment</title>", "application/json", "json", SourceError),
        ("\n <html>Maintenance</html>", "text/csv", "csv", SourceError),
        ("Maintenance", "text/html; charset=utf-8", "csv", SourceError),
        ("", "application/json", "json", PayloadError),
        ("  \n", "text/csv", "csv", PayloadError),
        ("DATE,RUT\n", "text/csv", "json", PayloadError),
        ('{"error":"text"}', "application/json", "csv", PayloadError),
        ('{"error":"text"}', "text/plain", "csv", PayloadError),
        ("[1]", "image/png", "json", PayloadError),
        ("PK\x03\x04\0\0", "application/octet-stream", "csv", PayloadError),
        ("<!DOCTYPE html>", "application/zip", "zip", SourceError),
        ("not a zip", "application/zip", "zip", PayloadError),
        ("", "application/zip", "zip", PayloadError),
        ("PK\x03\x04", "image/png", "zip", PayloadError),
        ("<html>blocked</html>", "text/plain", "text", SourceError),
        ('<?xml version="1.0"?><!DOCTYPE html><html>', "text/xml", "text", SourceError),
        ("PK\x03\x04\0\0", "text/plain", "text", PayloadError),
    ],
)
def test_get_refuses_a_body_that_was_not_asked_for(
    mocked: responses.RequestsMock,
    body: str,
    content_type: str,
    expect: Any,
    error: type[Exception],
) -> None:
    mocked.get(URL, body=body, content_type=content_type)
    with make_client() as client, pytest.raises(error, match=r"vendor\.example") as caught:
        client.get(URL, expect=expect)
    assert len(mocked.calls) == 1
    assert body.strip()[:2] in str(caught.value)


@pytest.mark.parametrize(
    ("content_type", "expect", "body"),
    [
        ("application/json; charset=utf-8", "json", "[1]"),
        ("application/vnd.api+json", "json", "[1]"),
        ("text/plain", "json", '\ufeff{"a": 1}'),
        ("", "json", "[1]"),
        ("text/csv", "csv", "DATE,RUT\n"),
        ("application/octet-stream", "csv", "DATE,RUT\n"),
        ("application/zip", "zip", "PK\x03\x04..."),
        ("binary/octet-stream", "zip", "PK\x03\x04..."),
        ("binary/octet-stream", "text", "0a1b  file.zip\n"),
        ("application/xml", "text", '<?xml version="1.0"?><ListBucketResult/>'),
    ],
)
def test_get_takes_the_usual_content_types(
    mocked: responses.RequestsMock, content_type: str, expect: Any, body: str
) -> None:
    mocked.get(URL, body=body, content_type=content_type)
    with make_client() as client:
        assert client.get(URL, expect=expect).body == body.encode()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, f"<html>{KEY}"),
        (200, f'["{KEY}"]'),
        (403, f"bad {KEY}"),
        (429, f'{{"said": "{KEY}"}}'),
        (503, "x" * 190 + KEY),
        (302, KEY),
    ],
)
def test_get_never_shows_a_secret(
    mocked: responses.RequestsMock, caplog: pytest.LogCaptureFixture, status: int, body: str
) -> None:
    caplog.set_level(logging.DEBUG)
    mocked.get(URL, status=status, body=body, content_type="application/json")
    with (
        make_client(http_attempts=2) as client,
        pytest.raises((SourceError, PayloadError)) as caught,
    ):
        client.get(URL, secret_headers={"x-key": SecretStr(KEY)})
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY[:8] not in shown


@pytest.mark.parametrize("value", ["", f"{KEY}\n", f" {KEY}", f"{KEY}\u20ac", f"a\r\nb{KEY}"])
def test_get_refuses_a_secret_no_header_may_hold_without_showing_it(value: str) -> None:
    with (
        make_client() as client,
        pytest.raises(ConfigurationError, match="x-key") as caught,
    ):
        client.get(URL, secret_headers={"x-key": SecretStr(value)})
    assert KEY not in "".join(traceback.format_exception(caught.value))


Script = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(*scripts: Script) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Run one script per request, the last one for all further ones; yield URL and peers."""
    peers: list[tuple[str, int]] = []
    queue = itertools.chain(scripts, itertools.repeat(scripts[-1]))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            peers.append(self.client_address)
            try:
                next(queue)(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/x", peers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answering(body: bytes, length: int | None = None, **headers: str) -> Script:
    """Send ``body`` with a Content-Length that may be wrong."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        if length is not None:
            handler.close_connection = True

    return script


def chunked(*pieces: bytes, pause_seconds: float = 0.0, ends: bool = True) -> Script:
    """Send chunks with a pause before each, and the final one only if ``ends``."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            time.sleep(pause_seconds)
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if ends:
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.close_connection = True

    return script


def until_close(body: bytes, **headers: str) -> Script:
    """Send ``body`` with no length, so that only the closed connection ends it."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return script


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


GOOD = answering(b"[1, 2]")
ZIPPED = gzip.compress(b"[" + b"1," * 5000 + b"1]")


@pytest.mark.parametrize(
    "broken",
    [
        answering(b"[1, 2", length=6),
        chunked(b"[1,", b" 2", ends=False),
        until_close(ZIPPED[:-20], Content_Encoding="gzip"),
        until_close(ZIPPED[:-1], Content_Encoding="gzip"),
        answering(b"\x1f\x8bnonsense", Content_Encoding="gzip"),
        answering(ZIPPED + b"more", Content_Encoding="gzip"),
        hanging_up,
    ],
    ids=["length", "chunk", "gzip", "gzip-trailer", "damaged", "trailing", "no-answer"],
)
def test_get_asks_again_after_a_broken_transfer(broken: Script) -> None:
    waits = Waits()
    with serving(broken, GOOD) as (url, peers), make_client(waits) as client:
        assert client.get(url).body == b"[1, 2]"
    assert len(peers) == 2
    assert waits == [1]


def test_get_raises_source_error_when_transfers_stay_broken() -> None:
    with (
        serving(answering(b"[1", length=6)) as (url, peers),
        make_client(http_attempts=3) as client,
        pytest.raises(SourceError, match=r"127\.0\.0\.1/x: the connection failed or broke"),
    ):
        client.get(url)
    assert len(peers) == 3


@pytest.mark.parametrize(
    "script",
    [answering(ZIPPED, Content_Encoding="gzip"), until_close(ZIPPED, Content_Encoding="gzip")],
)
def test_get_undoes_gzip(script: Script) -> None:
    with serving(script) as (url, _), make_client() as client:
        assert client.get(url).body == gzip.decompress(ZIPPED)


def test_get_reuses_its_connection() -> None:
    with serving(GOOD, chunked(b"[1]"), GOOD) as (url, peers), make_client() as client:
        for _ in range(3):
            client.get(url)
    assert len(set(peers)) == 1


@pytest.mark.parametrize(
    "script",
    [
        answering(b"[" + b" " * 5000 + b"]"),
        chunked(b"[" + b" " * 5000 + b"]"),
        answering(gzip.compress(b"[" + b" " * 50_000_000 + b"]"), Content_Encoding="gzip"),
    ],
    ids=["plain", "chunked", "gzip-bomb"],
)
def test_get_refuses_a_body_over_the_limit_as_decoded(script: Script) -> None:
    with (
        serving(script) as (url, peers),
        make_client(http_max_bytes=1000) as client,
        pytest.raises(PayloadError, match="larger than 1000 bytes"),
    ):
        client.get(url)
    assert len(peers) == 1


def test_get_takes_a_body_exactly_at_the_limit() -> None:
    script = answering(b"[%s]" % (b" " * 998))
    with serving(script) as (url, _), make_client(http_max_bytes=1000) as client:
        assert len(client.get(url).body) == 1000


def test_get_refuses_an_encoding_it_did_not_ask_for() -> None:
    with (
        serving(answering(b"[1]", Content_Encoding="br")) as (url, _),
        make_client() as client,
        pytest.raises(PayloadError, match="'br'"),
    ):
        client.get(url)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.01)


@pytest.mark.parametrize(
    "script", [dripping, chunked(*[b" "] * 1000, pause_seconds=0.01)], ids=["length", "chunked"]
)
def test_get_gives_up_on_a_body_that_drips_in(script: Script) -> None:
    started = time.monotonic()
    with (
        serving(script) as (url, peers),
        make_client(http_total_timeout_seconds=0.1, http_attempts=2) as client,
        pytest.raises(SourceError, match="no answer in time"),
    ):
        client.get(url)
    assert len(peers) == 2
    assert time.monotonic() - started < 3


def test_get_times_out_on_a_silent_server() -> None:
    def silent(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        handler.close_connection = True

    with (
        serving(silent) as (url, peers),
        make_client(http_read_timeout_seconds=0.05, http_attempts=2) as client,
        pytest.raises(SourceError, match="no answer in time"),
    ):
        client.get(url)
    assert len(peers) == 2


def test_get_asks_again_when_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        waits = Waits()
        with make_client(waits) as client, pytest.raises(SourceError, match="check the network"):
            client.get(url)
    assert waits == [1, 2, 4, 8]


def test_get_shows_the_start_of_a_huge_error_page_only() -> None:
    def failing(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(404)
        handler.send_header("Content-Length", str(50_000_000))
        handler.end_headers()
        handler.wfile.write(b"nothing here " * 4_000_000)

    with (
        serving(failing) as (url, _),
        make_client() as client,
        pytest.raises(HttpStatusError, match="nothing here") as caught,
    ):
        client.get(url)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://vendor.example/x"])
def test_get_refuses_a_url_that_is_none(url: str) -> None:
    with make_client() as client, pytest.raises(SourceError, match="settings"):
        client.get(url)


# What the processes of a home share


class Clock:
    """Seconds since 1970 that pass when the client sleeps."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@contextmanager
def vendor_client(
    home: Path, clock: Clock, vendor: str = "bybit", **overrides: Any
) -> Iterator[HttpClient]:
    settings = make_settings(**({"home": home, "vendor_pace": 1} | overrides))
    with HttpClient(
        settings, vendor, sleep=clock.sleep, jitter=lambda low, high: high, clock=clock
    ) as client:
        yield client


def test_two_clients_share_the_pace_and_the_count(
    mocked: responses.RequestsMock, tmp_path: Path
) -> None:
    mocked.get(URL, json=[])
    clock = Clock()
    with (
        vendor_client(tmp_path, clock, "coingecko") as first,
        vendor_client(tmp_path, clock, "coingecko") as second,
    ):
        first.get(URL)
        second.get(URL)
        first.get(URL)
    assert clock.slept == [6, 6]
    state = json.loads((tmp_path / "state" / "pacing" / "coingecko.json").read_bytes())
    assert (state["month"], state["calls"]) == ("2026-01", 3)


def test_every_try_counts_and_a_used_up_month_makes_no_call(
    mocked: responses.RequestsMock, tmp_path: Path
) -> None:
    mocked.get(URL, status=503)
    clock = Clock()
    with (
        vendor_client(tmp_path, clock, "coingecko", vendor_pace=0.0003) as client,
        pytest.raises(RateLimitedError, match=r"coingecko: the budget of 3 calls for 2026-01"),
    ):
        client.get(URL)
    assert len(mocked.calls) == client.traffic.calls == 3


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_429_holds_up_the_other_processes_too(
    mocked: responses.RequestsMock, tmp_path: Path, attempts: int
) -> None:
    mocked.get(URL, status=429, headers={"Retry-After": "100"})
    clock = Clock()
    with (
        vendor_client(tmp_path, clock, http_attempts=attempts) as client,
        pytest.raises(RateLimitedError),
    ):
        client.get(URL)
    other = Clock()
    other.now = clock.now + 40
    mocked.replace(responses.GET, URL, json=[])
    with vendor_client(tmp_path, other) as client:
        client.get(URL)
    assert other.slept == [pytest.approx(60)]


def test_pace_0_shares_nothing(mocked: responses.RequestsMock, tmp_path: Path) -> None:
    mocked.get(URL, status=418)
    clock = Clock()
    for _ in range(2):
        with (
            vendor_client(tmp_path, clock, vendor_pace=0) as client,
            pytest.raises(HttpStatusError, match="HTTP 418, the vendor has banned"),
        ):
            client.get(URL)
    assert len(mocked.calls) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("vendor", "status", "headers", "seconds"),
    [
        ("binance_futures", 418, {"Retry-After": "300"}, 300),
        ("binance_futures", 451, {}, 6 * 3600),
        ("bybit", 403, {}, 6 * 3600),
        ("coinpaprika", 402, {}, 6 * 3600),
        ("bybit", 429, {"Retry-After": "4000"}, 4000),
    ],
)
def test_a_vendor_that_refuses_us_is_left_alone_by_every_client_until_then(
    mocked: responses.RequestsMock,
    tmp_path: Path,
    vendor: str,
    status: int,
    headers: dict[str, str],
    seconds: float,
) -> None:
    mocked.get(URL, status=status, headers=headers, body="not you")
    clock = Clock()
    with (
        vendor_client(tmp_path, clock, vendor) as client,
        pytest.raises(SourceError, match=f"HTTP {status}"),
    ):
        client.get(URL)
    assert len(mocked.calls) == 1
    for _ in range(2):
        with (
            vendor_client(tmp_path, clock, vendor) as client,
            pytest.raises(SourceError, match=f"{vendor} is left alone until .*not you") as caught,
        ):
            client.get(URL)
        if status != 429:
            assert isinstance(caught.value, HttpStatusError)
            assert caught.value.status == status
    assert len(mocked.calls) == 1
    assert client.traffic.calls == 0

    clock.now += seconds
    mocked.replace(responses.GET, URL, json=[])
    with vendor_client(tmp_path, clock, vendor) as client:
        client.get(URL)
        client.get(URL)


def test_a_trial_after_a_pause_is_one_call(mocked: responses.RequestsMock, tmp_path: Path) -> None:
    mocked.get(URL, status=451)
    clock = Clock()
    with vendor_client(tmp_path, clock) as client:
        with pytest.raises(HttpStatusError):
            client.get(URL)
        clock.now += 6 * 3600
        mocked.replace(responses.GET, URL, status=503)
        with pytest.raises(HttpStatusError, match="503"):
            client.get(URL)
        with pytest.raises(SourceError, match="left alone"):
            client.get(URL)
    assert len(mocked.calls) == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503},
        {"body": "<html>Just a moment</html>", "content_type": "text/html"},
        {"body": ConnectionError()},
    ],
    ids=["server", "web-page", "network"],
)
def test_failures_in_a_row_end_in_a_pause(
    mocked: responses.RequestsMock, tmp_path: Path, answer: dict[str, Any]
) -> None:
    mocked.get(URL, **answer)
    clock = Clock()
    with vendor_client(tmp_path, clock, http_attempts=1) as client:
        for _ in range(5):
            with pytest.raises(SourceError, match=r"vendor\.example"):
                client.get(URL)
        with pytest.raises(SourceError, match=r"left alone until .*5 calls in a row failed"):
            client.get(URL)
    assert len(mocked.calls) == 5


@pytest.mark.parametrize("answer", [{"status": 404}, {"body": "", "status": 200}, {"json": []}])
def test_a_vendor_that_answers_anything_is_not_failing(
    mocked: responses.RequestsMock, tmp_path: Path, answer: dict[str, Any]
) -> None:
    clock = Clock()
    with vendor_client(tmp_path, clock, http_attempts=1) as client:
        for _ in range(3):
            mocked.upsert(responses.GET, URL, status=500)
            for _ in range(4):
                with pytest.raises(HttpStatusError):
                    client.get(URL)
            mocked.upsert(responses.GET, URL, **answer)
            with suppress(HttpStatusError, PayloadError):
                client.get(URL)
    assert len(mocked.calls) == 15


def test_a_missing_file_of_the_archive_does_not_stop_the_archive(
    mocked: responses.RequestsMock, tmp_path: Path
) -> None:
    mocked.get(URL, status=403)
    clock = Clock()
    with vendor_client(tmp_path, clock, "binance_vision") as client:
        for _ in range(8):
            with pytest.raises(HttpStatusError, match="HTTP 403"):
                client.get(URL)


def test_no_shared_file_holds_a_secret(mocked: responses.RequestsMock, tmp_path: Path) -> None:
    mocked.get(URL, status=403, body=f"the key {KEY} and {KEY.upper()} are refused")
    with (
        vendor_client(tmp_path, Clock()) as client,
        pytest.raises(HttpStatusError) as caught,
    ):
        client.get(URL, secret_headers={"x-key": SecretStr(KEY)})
    shared = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any("are refused" in text for text in shared)
    assert KEY[:8].lower() not in ("".join(shared) + str(caught.value)).lower()


def test_a_redirect_does_not_tell_the_key(mocked: responses.RequestsMock) -> None:
    mocked.get(URL, status=302, headers={"Location": f"https://{KEY}.elsewhere.example/"})
    with make_client() as client, pytest.raises(HttpStatusError, match=r"\*\*\*\.elsewhere"):
        client.get(URL, secret_headers={"x-key": SecretStr(KEY)})


def test_a_body_may_be_as_large_as_the_vendor_allows(
    mocked: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(VENDORS["bybit"], max_bytes=10)
    monkeypatch.setitem(VENDORS, "bybit", small)
    mocked.get(URL, body="[" + " " * 20 + "]")
    with (
        vendor_client(tmp_path, Clock()) as client,
        pytest.raises(PayloadError, match="larger than 10 bytes"),
    ):
        client.get(URL)


def test_traffic_counts_calls_and_decoded_bytes(
    mocked: responses.RequestsMock, tmp_path: Path
) -> None:
    mocked.get(URL, status=500)
    mocked.get(URL, body="[1, 2]")
    with vendor_client(tmp_path, Clock()) as client:
        client.get(URL)
    assert client.traffic == Traffic(calls=2, body_bytes=6, last_status=200)
