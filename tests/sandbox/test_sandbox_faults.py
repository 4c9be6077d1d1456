"""Each fault does what its name says, and only to its endpoint."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from pipeline.errors import ConfigurationError
from pipeline.sandbox.faults import BODY_FAULTS, STATUS_FAULTS, Fault, FaultBoard
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.server import Sandbox, create_server

FIRST_DAY = date(2024, 1, 1)
NOW = datetime(2024, 3, 15, 1, 10, tzinfo=UTC)
PATHS = {
    "coingecko": "/coingecko/api/v3/coins/markets?vs_currency=usd&per_page=30",
    "cboe": "/cboe/api/global/us_indices/daily_prices/RUT_History.csv",
    "alternative_me": "/alternative_me/fng/?limit=0",
}


@pytest.fixture(scope="module")
def growing() -> GrowingMarket:
    return GrowingMarket(7, FIRST_DAY, 60)


@pytest.fixture(scope="module")
def shared_sandbox(growing: GrowingMarket) -> Iterator[Sandbox]:
    with create_server(market=growing, clock=lambda: NOW, slow_seconds=0.2) as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    yield shared_sandbox
    shared_sandbox.faults.clear()


def get(sandbox: Sandbox, endpoint: str, extra: str = "") -> requests.Response:
    return requests.get(sandbox.base_url + PATHS[endpoint] + extra, timeout=10)


def good_and_bad(sandbox: Sandbox, endpoint: str, fault: str) -> tuple[str, str]:
    good = get(sandbox, endpoint).text
    sandbox.faults[endpoint] = fault
    return good, get(sandbox, endpoint).text


@pytest.mark.parametrize("endpoint", PATHS)
@pytest.mark.parametrize(
    "fault", [*(name for name in BODY_FAULTS if name != "cut_connection"), *STATUS_FAULTS, "slow"]
)
def test_fault_changes_the_answer_until_it_is_cleared(
    sandbox: Sandbox, endpoint: str, fault: str
) -> None:
    good = get(sandbox, endpoint)
    sandbox.faults[endpoint] = fault
    bad = get(sandbox, endpoint)
    if fault not in ("slow", "repeat_page"):
        assert (bad.status_code, bad.content) != (200, good.content)
    del sandbox.faults[endpoint]
    assert get(sandbox, endpoint).content == good.content


@pytest.mark.parametrize("endpoint", PATHS)
def test_fault_html_is_a_page_with_status_200(sandbox: Sandbox, endpoint: str) -> None:
    sandbox.faults[endpoint] = "html_200"
    answer = get(sandbox, endpoint)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("endpoint", PATHS)
def test_fault_truncated_is_the_first_half(sandbox: Sandbox, endpoint: str) -> None:
    good, bad = good_and_bad(sandbox, endpoint, "truncated")
    assert bad == good[: len(good) // 2]


@pytest.mark.parametrize("endpoint", PATHS)
def test_fault_cut_connection_ends_before_the_promised_length(
    sandbox: Sandbox, endpoint: str
) -> None:
    sandbox.faults[endpoint] = "cut_connection"
    with pytest.raises(requests.exceptions.RequestException):
        get(sandbox, endpoint)


def test_fault_429_says_when_to_come_back(sandbox: Sandbox) -> None:
    sandbox.faults["coingecko"] = "status_429"
    answer = get(sandbox, "coingecko")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["status"]["error_code"] == 429


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_fault_status_is_sent(sandbox: Sandbox, status: int) -> None:
    sandbox.faults["cboe"] = f"status_{status}"
    assert get(sandbox, "cboe").status_code == status


def test_fault_empty_list_keeps_the_shape(sandbox: Sandbox) -> None:
    for endpoint in PATHS:
        sandbox.faults[endpoint] = "empty_list"
    assert get(sandbox, "coingecko").json() == []
    assert get(sandbox, "cboe").text == "DATE,RUT\n"
    assert get(sandbox, "alternative_me").json()["data"] == []


def test_fault_nan_is_in_the_body(sandbox: Sandbox) -> None:
    for endpoint in PATHS:
        sandbox.faults[endpoint] = "nan"
    assert math.isnan(json.loads(get(sandbox, "coingecko").text)[0]["current_price"])
    assert get(sandbox, "cboe").text.endswith("03/14/2024,nan\n")
    assert get(sandbox, "alternative_me").json()["data"][0]["value"] == "NaN"


def test_fault_null_caps_takes_every_third_figure(sandbox: Sandbox) -> None:
    for endpoint in PATHS:
        sandbox.faults[endpoint] = "null_caps"
    caps = [row["market_cap"] for row in get(sandbox, "coingecko").json()]
    assert caps.count(None) == 10
    assert get(sandbox, "cboe").text.endswith("03/14/2024,\n")
    assert get(sandbox, "alternative_me").json()["data"][0]["value"] is None


def test_fault_repeat_page_gives_page_1_again(sandbox: Sandbox) -> None:
    first = get(sandbox, "coingecko").json()
    assert get(sandbox, "coingecko", "&page=2").json() != first
    for endpoint in PATHS:
        sandbox.faults[endpoint] = "repeat_page"
    assert get(sandbox, "coingecko", "&page=2").json() == first
    *_, before_last, last = get(sandbox, "cboe").text.splitlines()
    assert before_last == last
    rows = get(sandbox, "alternative_me").json()["data"]
    assert rows[0]["timestamp"] == rows[1]["timestamp"]


def test_fault_unit_slip_is_a_factor_of_a_thousand(sandbox: Sandbox) -> None:
    good, bad = (json.loads(text)[0] for text in good_and_bad(sandbox, "coingecko", "unit_slip"))
    assert bad["current_price"] == good["current_price"] * 1000
    assert bad["market_cap"] == good["market_cap"] * 1000
    good_lines, bad_lines = (
        text.splitlines() for text in good_and_bad(sandbox, "cboe", "unit_slip")
    )
    assert bad_lines[:-1] == good_lines[:-1]
    levels = [float(lines[-1].split(",")[1]) for lines in (good_lines, bad_lines)]
    assert levels[1] == pytest.approx(levels[0] * 1000)


def test_fault_stale_stamp_is_the_answer_of_three_days_ago(sandbox: Sandbox) -> None:
    for endpoint in PATHS:
        sandbox.faults[endpoint] = "stale_stamp"
    stamp = datetime.fromisoformat(get(sandbox, "coingecko").json()[0]["last_updated"])
    assert NOW - stamp > timedelta(days=3)
    assert get(sandbox, "cboe").text.splitlines()[-1].startswith("03/11/2024,")
    newest = int(get(sandbox, "alternative_me").json()["data"][0]["timestamp"])
    assert datetime.fromtimestamp(newest, UTC).date() == date(2024, 3, 12)


def test_fault_slow_waits_and_then_answers(sandbox: Sandbox) -> None:
    sandbox.faults["cboe"] = "slow"
    start = time.monotonic()
    assert get(sandbox, "cboe").ok
    assert time.monotonic() - start >= 0.2


def test_fault_slow_does_not_hold_up_closing(growing: GrowingMarket) -> None:
    sandbox = create_server(market=growing, faults={"cboe": "slow"}, slow_seconds=60).start()
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(sandbox.url("cboe", NOW) + PATHS["cboe"][5:], timeout=0.1)
    start = time.monotonic()
    sandbox.close()
    assert time.monotonic() - start < 5


def test_fault_timeout_never_answers_and_does_not_hold_up_closing(growing: GrowingMarket) -> None:
    sandbox = create_server(market=growing, faults={"alternative_me:fng": "timeout"}).start()
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(sandbox.url("alternative_me", NOW) + "/fng/", timeout=0.3)
    start = time.monotonic()
    sandbox.close()
    assert time.monotonic() - start < 5


def test_fault_slow_drip_never_pauses_long_and_takes_long(sandbox: Sandbox) -> None:
    good = get(sandbox, "cboe").content
    sandbox.faults["cboe"] = "slow_drip"
    start = time.monotonic()
    # A pause is shorter than the time-out, which therefore does not end it.
    answer = requests.get(sandbox.base_url + PATHS["cboe"], timeout=0.5)
    assert answer.content == good
    assert time.monotonic() - start > 0.8


def test_fault_reset_is_a_reset_and_not_an_end(sandbox: Sandbox) -> None:
    sandbox.faults["cboe"] = "reset"
    with socket.create_connection(address_of(sandbox)) as client:
        client.sendall(f"GET {PATHS['cboe']} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            read_to_the_end(client)
    del sandbox.faults["cboe"]
    assert get(sandbox, "cboe").ok


def read_to_the_end(client: socket.socket) -> None:
    while client.recv(1 << 16):
        pass


def address_of(sandbox: Sandbox) -> tuple[str, int]:
    host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
    return host, int(port)


@pytest.mark.parametrize("endpoint", PATHS)
def test_fault_gzip_bomb_goes_out_as_it_is(sandbox: Sandbox, endpoint: str) -> None:
    sandbox.faults[endpoint] = "gzip_bomb"
    with requests.get(sandbox.base_url + PATHS[endpoint], timeout=10, stream=True) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.raw.read(decode_content=False)) < 1_000_000


def test_fault_with_a_count_ends_by_itself(sandbox: Sandbox) -> None:
    sandbox.faults["coingecko"] = "status_500:2"
    assert [get(sandbox, "coingecko").status_code for _ in range(3)] == [500, 500, 200]
    assert dict(sandbox.faults) == {}


def test_fault_of_one_endpoint_leaves_the_others_alone(sandbox: Sandbox) -> None:
    sandbox.faults["cboe-rut"] = "status_503"
    assert get(sandbox, "cboe").status_code == 503
    spx = PATHS["cboe"].replace("RUT", "SPX")
    assert requests.get(sandbox.base_url + spx, timeout=10).ok
    assert get(sandbox, "coingecko").ok


def test_fault_rule_sees_the_path_and_the_count(growing: GrowingMarket) -> None:
    def fail_second(path: str, count: int) -> Fault | None:
        return Fault("status_500") if path.endswith("/markets") and count == 1 else None

    with create_server(market=growing, clock=lambda: NOW, faults=fail_second) as sandbox:
        assert [get(sandbox, "coingecko").status_code for _ in range(3)] == [200, 500, 200]
        assert get(sandbox, "cboe").ok
        assert sandbox.faults.request_counts() == {"coingecko:coins/markets": 3, "cboe:RUT": 1}


def test_faults_can_be_put_read_and_deleted_over_http(sandbox: Sandbox) -> None:
    url = sandbox.base_url + "/_sandbox/faults"
    wanted: dict[str, Any] = {"coingecko:coins/markets": "html_200", "cboe": "status_500:2"}
    assert requests.put(url, json=wanted, timeout=10).json() == wanted
    assert requests.get(url, timeout=10).json() == wanted
    assert sandbox.faults["coingecko:coins/markets"] == "html_200"
    left = requests.put(url, json={"cboe": None}, timeout=10).json()
    assert left == {"coingecko:coins/markets": "html_200"}
    assert requests.delete(url, timeout=10).json() == {}


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"coingecko": 3}',
        b'{"coingecko": "on_fire"}',
        b'{"cboe": "slow", "nasdaq": "slow"}',
        b'{"coingecko": "slow:x"}',
        b'{"coingecko": "slow:0"}',
    ],
)
def test_faults_that_make_no_sense_are_refused_whole(sandbox: Sandbox, body: bytes) -> None:
    answer = requests.put(sandbox.base_url + "/_sandbox/faults", data=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert dict(sandbox.faults) == {}


def test_faults_are_put_only_where_they_live(sandbox: Sandbox) -> None:
    assert requests.put(sandbox.base_url + "/elsewhere", data=b"{}", timeout=10).status_code == 404
    assert requests.delete(sandbox.base_url + "/elsewhere", timeout=10).status_code == 404


def test_fault_board_refuses_unknown_names() -> None:
    with pytest.raises(ConfigurationError, match="html_200"):
        FaultBoard({"coingecko": "on_fire"})
    with pytest.raises(ConfigurationError, match="alternative_me"):
        FaultBoard({"nasdaq": "slow"})
