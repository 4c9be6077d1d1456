"""The sandbox answers over HTTP as the vendors do, at a pretended time."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import requests

from pipeline.errors import ConfigurationError
from pipeline.sandbox import server as sandbox_server
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.server import Sandbox, create_server, run_forever

FIRST_DAY = date(2024, 1, 1)
NOW = datetime(2024, 3, 15, 1, 10, tzinfo=UTC)
MARKETS = "/api/v3/coins/markets"
RUT = "/api/global/us_indices/daily_prices/RUT_History.csv"
SPX = "/api/global/us_indices/daily_prices/SPX_History.csv"


@pytest.fixture(scope="module")
def growing() -> GrowingMarket:
    return GrowingMarket(7, FIRST_DAY, 90)


@pytest.fixture(scope="module")
def sandbox(growing: GrowingMarket) -> Iterator[Sandbox]:
    with create_server(market=growing, clock=lambda: NOW) as running:
        yield running


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_server_markets_are_the_close_of_the_last_complete_day(
    sandbox: Sandbox, growing: GrowingMarket, client: requests.Session
) -> None:
    for now in (NOW, NOW + timedelta(days=40), NOW.replace(hour=23)):
        answer = client.get(
            sandbox.url("coingecko", now) + MARKETS,
            params={"vs_currency": "usd", "per_page": 250, "precision": "full"},
            timeout=10,
        )
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        close_day = now.date() - timedelta(days=1)
        close = growing.until(close_day).coins_on(close_day).set_index("coin_id")["price_usd"]
        assert all(row["current_price"] == close[row["id"]] for row in answer.json())
        stamp = datetime.fromisoformat(answer.json()[0]["last_updated"])
        assert timedelta(0) < now - stamp < timedelta(minutes=6)


def test_server_without_a_pretended_time_uses_the_clock(
    sandbox: Sandbox, client: requests.Session
) -> None:
    query = "?vs_currency=usd&per_page=5"
    plain = client.get(sandbox.url("coingecko") + MARKETS + query, timeout=10)
    pretended = client.get(sandbox.url("coingecko", NOW) + MARKETS + query, timeout=10)
    assert plain.content == pretended.content


@pytest.mark.parametrize(("path", "ticker"), [(RUT, "RUT"), (SPX, "SPX")])
def test_server_equity_ends_with_the_last_closed_session(
    sandbox: Sandbox, client: requests.Session, path: str, ticker: str
) -> None:
    answer = client.get(sandbox.url("cboe", NOW) + path, timeout=10)
    lines = answer.text.splitlines()
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.headers["Last-Modified"] == "Thu, 14 Mar 2024 20:00:00 GMT"
    assert lines[0] == f"DATE,{ticker}"
    assert lines[-1].startswith("03/14/2024,")


def test_server_sentiment_includes_today(sandbox: Sandbox, client: requests.Session) -> None:
    answer = client.get(sandbox.url("alternative_me", NOW) + "/fng/?limit=0", timeout=10).json()
    assert answer["data"][0]["timestamp"] == str(int(datetime(2024, 3, 15, tzinfo=UTC).timestamp()))
    assert len(answer["data"]) == (NOW.date() - FIRST_DAY).days + 1
    default = client.get(sandbox.url("alternative_me", NOW) + "/fng/", timeout=10).json()
    assert len(default["data"]) == 1
    broken = client.get(sandbox.url("alternative_me", NOW) + "/fng/?limit=x", timeout=10)
    assert broken.status_code == 200
    assert broken.json()["metadata"]["error"]


def test_server_gives_the_same_bytes_twice(sandbox: Sandbox, client: requests.Session) -> None:
    urls = [
        sandbox.url("coingecko", NOW) + MARKETS + "?vs_currency=usd",
        sandbox.url("cboe", NOW) + RUT,
        sandbox.url("alternative_me", NOW) + "/fng/?limit=0",
    ]
    for url in urls:
        assert client.get(url, timeout=10).content == client.get(url, timeout=10).content


def test_server_compresses_only_when_the_client_accepts_it(
    sandbox: Sandbox, client: requests.Session
) -> None:
    url = sandbox.url("cboe", NOW) + RUT
    packed = client.get(url, timeout=10)
    plain = client.get(url, headers={"Accept-Encoding": "identity"}, timeout=10)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert int(plain.headers["Content-Length"]) == len(plain.content)
    assert packed.content == plain.content


def test_server_keeps_a_connection_alive(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(sandbox.base_url.removeprefix("http://"), timeout=10)
    try:
        for _ in range(3):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert answer.read() == b'{"status":"ok"}'
            assert answer.version == 11
            assert not answer.will_close
    finally:
        connection.close()


def test_server_head_has_the_headers_and_no_body(
    sandbox: Sandbox, client: requests.Session
) -> None:
    answer = client.head(sandbox.url("cboe", NOW) + RUT, timeout=10)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.content == b""


def test_server_index_page_lists_the_endpoints(sandbox: Sandbox, client: requests.Session) -> None:
    answer = client.get(sandbox.base_url + "/", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/html")
    for part in ("Tidemark sandbox", MARKETS, RUT, SPX, "/alternative_me/fng/", "/at/2024-03-15"):
        assert part in answer.text


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/nowhere", 404, "/nowhere"),
        ("/coingecko/api/v3/coins/markets", 422, "vs_currency"),
        ("/coingecko/api/v3/coins/markets?vs_currency=eur", 400, "vs_currency"),
        ("/coingecko/api/v3/coins/markets?vs_currency=usd&precision=x", 400, "precision"),
        ("/at/yesterday/healthz", 400, "yesterday"),
        ("/at/2024-03-15T01:10:00/healthz", 400, "offset"),
        ("/at/2021-03-15T01:10:00Z/coingecko/api/v3/coins/markets?vs_currency=usd", 400, "2024"),
        ("/at/2099-03-15T01:10:00Z/alternative_me/fng/", 400, "30 years"),
    ],
)
def test_server_refuses_what_it_cannot_answer(
    sandbox: Sandbox, client: requests.Session, path: str, status: int, message: str
) -> None:
    answer = client.get(sandbox.base_url + path, timeout=10)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_server_accepts_an_escaped_pretended_time(
    sandbox: Sandbox, client: requests.Session
) -> None:
    path = f"/at/2024-03-15T01%3A10%3A00Z/cboe{RUT}"
    assert client.get(sandbox.base_url + path, timeout=10).text.endswith("\n")


def test_server_answers_many_clients_at_once(sandbox: Sandbox) -> None:
    url = sandbox.url("coingecko", NOW) + MARKETS + "?vs_currency=usd&per_page=20"
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.append(requests.get(url, timeout=10).content))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 8
    assert len(set(bodies)) == 1


def test_server_leaves_no_thread_and_no_port_behind(growing: GrowingMarket) -> None:
    before = set(threading.enumerate())
    with requests.Session() as session:
        with create_server(market=growing) as sandbox:
            url = sandbox.base_url + "/healthz"
            assert session.get(url, timeout=10).ok
        assert set(threading.enumerate()) <= before
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=10)


def test_server_can_be_closed_twice_and_without_a_start(growing: GrowingMarket) -> None:
    sandbox = create_server(market=growing)
    sandbox.close()
    sandbox.close()


def test_url_refuses_an_unknown_vendor_and_a_naive_time(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="no vendor"):
        sandbox.url("nasdaq")
    with pytest.raises(ConfigurationError, match="time zone"):
        sandbox.url("cboe", NOW.replace(tzinfo=None))


def test_run_forever_serves_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def interrupt(self: object, poll_interval: float = 0.5) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sandbox_server, "_utc_now", lambda: NOW)
    monkeypatch.setattr(sandbox_server._HttpServer, "serve_forever", interrupt)
    run_forever("127.0.0.1", 0, 7, FIRST_DAY, 60, on_ready=lambda s: seen.append(s.base_url))
    assert seen[0].startswith("http://127.0.0.1:")
