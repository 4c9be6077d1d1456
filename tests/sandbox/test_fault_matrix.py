"""Every fault at every endpoint changes what it says, and what it changes is the right thing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pipeline.errors import ConfigurationError
from pipeline.sandbox.endpoints import Endpoint
from pipeline.sandbox.fault_names import ALL_BODY_FAULTS, ALL_STATUS_FAULTS, FAULT_NAMES, faults_for
from pipeline.sandbox.faults import Fault, FaultBoard, chaos_rule
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import Response, parse_request
from pipeline.sandbox.registry import ENDPOINTS, get_endpoint
from pipeline.sandbox.routes import Router, Timing, example_request
from pipeline.sandbox.spoiled_bodies import BOMB_BYTES

FIRST_DAY = date(2024, 1, 1)
NOW = datetime(2024, 4, 17, 12, 10, tzinfo=UTC)
# What asks an endpoint for its second page.
SECOND_PAGE = {
    "coingecko:coins/markets": "per_page=40&page=2",
    "coinmarketcap:listings/latest": "start=41&limit=40",
    "coinmarketcap:fear-and-greed": "start=41&limit=40",
    "coinmetrics:asset-metrics": "page_size=40&next_page_token=NDA=",
    "bybit:account-ratio": "limit=40&cursor=40",
}
PAIRS = [(endpoint.key, fault) for endpoint in ENDPOINTS for fault in faults_for(endpoint)]


@pytest.fixture(scope="module")
def growing() -> GrowingMarket:
    return GrowingMarket(7, FIRST_DAY, 90)


@pytest.fixture
def router(growing: GrowingMarket) -> Router:
    return Router(growing, FaultBoard(), Timing(slow_seconds=0.1))


def say(router: Router, target: str) -> Response:
    return router.answer(parse_request(target, lambda: NOW, {"Host": "vendors", "api_key": "any"}))


def target_of(endpoint: Endpoint, fault: str = "") -> str:
    target = example_request(endpoint, NOW)
    if endpoint.page_parameter is not None and fault in ("repeat_page", "missing_page"):
        return f"{target}&{SECOND_PAGE[endpoint.key]}"
    if fault == "wrong_checksum":
        return f"{target}.CHECKSUM"
    return target


def ask(router: Router, key: str, fault: str) -> tuple[Response, Response]:
    """Return the good answer and the spoilt one."""
    endpoint = get_endpoint(key)
    good = say(router, target_of(endpoint, fault))
    router.faults[key] = fault
    bad = say(router, target_of(endpoint, fault))
    assert good.status == 200
    return good, bad


def text_of(response: Response) -> str:
    """Return a body as text, a zip's as that of the file in it."""
    if response.body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
            return archive.read(archive.namelist()[0]).decode()
    return response.body.decode()


@pytest.mark.parametrize(("key", "fault"), PAIRS)
def test_every_fault_at_every_endpoint_changes_what_it_says(
    router: Router, key: str, fault: str
) -> None:
    good, bad = ask(router, key, fault)
    assert bad != good
    if fault in ALL_STATUS_FAULTS:
        assert bad.status == ALL_STATUS_FAULTS[fault]
        assert bad.body
    elif fault in ALL_BODY_FAULTS and fault != "cut_connection":
        assert bad.body != good.body
    router.faults.clear()
    assert say(router, target_of(get_endpoint(key), fault)) == good


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.key)
def test_faults_keep_a_body_readable_unless_they_are_meant_to_break_it(
    router: Router, endpoint: Endpoint
) -> None:
    broken = {"html_200", "truncated", "gzip_bomb", "wrong_checksum"}
    for fault in set(faults_for(endpoint)) & (ALL_BODY_FAULTS.keys() - broken):
        _, bad = ask(router, endpoint.key, fault)
        text = text_of(bad)
        if endpoint.shape.kind == "json":
            json.loads(text)
        else:
            assert "\n" in text or fault in ("partial_last_row", "empty_list")
        router.faults.clear()


def test_every_endpoint_has_the_faults_of_status_and_wire() -> None:
    for endpoint in ENDPOINTS:
        assert {*ALL_STATUS_FAULTS, "timeout", "reset", "slow_drip", "slow"} <= set(
            faults_for(endpoint)
        )


def test_every_fault_is_possible_somewhere() -> None:
    assert {fault for endpoint in ENDPOINTS for fault in faults_for(endpoint)} == set(FAULT_NAMES)


def test_page_faults_belong_to_the_endpoints_with_pages() -> None:
    paged = {endpoint.key for endpoint in ENDPOINTS if "missing_page" in faults_for(endpoint)}
    assert paged == set(SECOND_PAGE)


@pytest.mark.parametrize(
    ("fault", "header", "value"),
    [
        ("status_429", "Retry-After", "1"),
        ("status_429_float", "Retry-After", "0.75"),
        ("status_429_date", "Retry-After", "Wed, 17 Apr 2024 12:10:01 GMT"),
        ("status_429_reset", "x-ratelimit-reset", "1"),
        ("status_418", "Retry-After", "120"),
    ],
)
def test_refusals_say_when_to_come_back_in_each_form(
    router: Router, fault: str, header: str, value: str
) -> None:
    _, bad = ask(router, "binance_futures:klines", fault)
    assert bad.headers == {header: value}


def test_a_refusal_may_not_say_when_to_come_back(router: Router) -> None:
    _, bad = ask(router, "bybit:account-ratio", "status_429_none")
    assert (bad.status, bad.headers) == (429, {})


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("coingecko:coins/markets", 429, '"error_code": 429'),
        ("coinmarketcap:listings/latest", 429, '"error_code":1008'),
        ("coinpaprika:tickers", 402, '"error":"payment required'),
        ("coinmetrics:asset-metrics", 403, '"type":"forbidden"'),
        ("binance_futures:klines", 451, "restricted location"),
        ("binance_futures:klines", 403, "<html>"),
        ("binance_vision:um/metrics", 404, "<Code>NoSuchKey</Code>"),
        ("bybit:account-ratio", 429, '"retCode":10006'),
        ("okx:long-short-account-ratio", 429, '"code":"50011"'),
        ("gate:contract_stats", 429, '"label":"TOO_MANY_REQUESTS"'),
        ("coinalyze:liquidation-history", 429, '"message":"Too Many'),
        ("yahoo:chart", 404, '"code":"Not Found"'),
        ("fred:fredgraph", 404, "<html>"),
    ],
)
def test_refusals_are_in_the_vendors_own_words(
    router: Router, key: str, status: int, words: str
) -> None:
    _, bad = ask(router, key, f"status_{status}")
    assert words in bad.body.decode()


FIGURES: dict[str, Any] = {
    "coinmarketcap:listings/latest": lambda body: body["data"][0]["quote"][0]["market_cap"],
    "coinpaprika:tickers": lambda body: body[0]["quotes"]["USD"]["market_cap"],
    "coinmetrics:asset-metrics": lambda body: float(body["data"][-1]["PriceUSD"]),
    "binance_futures:openInterestHist": lambda body: float(body[-1]["sumOpenInterestValue"]),
    "binance_futures:klines": lambda body: float(body[-1][4]),
    "bybit:account-ratio": lambda body: float(body["result"]["list"][0]["buyRatio"]),
    "okx:open-interest-volume": lambda body: float(body["data"][0][1]),
    "gate:contract_stats": lambda body: body[-1]["lsr_account"],
    "coinalyze:liquidation-history": lambda body: body[1]["history"][-1]["l"],
    "defillama:protocol": lambda body: body["chainTvls"]["BSC"]["tokens"][-1]["tokens"]["BNB"],
    "defillama_coins:chart": lambda body: body["coins"]["coingecko:ethereum"]["prices"][-1][
        "price"
    ],
    "defillama_stablecoins:stablecoincharts": lambda body: body[-1]["totalCirculatingUSD"][
        "peggedUSD"
    ],
    "yahoo:chart": lambda body: body["chart"]["result"][0]["indicators"]["quote"][0]["close"][-1],
}


@pytest.mark.parametrize("key", FIGURES)
def test_unit_slip_is_a_factor_of_a_thousand_on_the_newest_figure(router: Router, key: str) -> None:
    good, bad = ask(router, key, "unit_slip")
    figure = FIGURES[key]
    assert figure(json.loads(bad.body)) == pytest.approx(figure(json.loads(good.body)) * 1000)


@pytest.mark.parametrize("key", FIGURES)
def test_nan_is_the_newest_figure(router: Router, key: str) -> None:
    _, bad = ask(router, key, "nan")
    figure = FIGURES[key](json.loads(bad.body))
    assert figure != figure


def caps(body: bytes) -> list[Any]:
    return [row["quote"][0]["market_cap"] for row in json.loads(body)["data"]]


def test_caps_are_null_zero_or_below_zero_in_every_third_row(router: Router) -> None:
    for fault, is_spoilt in (
        ("null_caps", lambda cap: cap is None),
        ("zero_caps", lambda cap: cap == 0),
        ("negative_caps", lambda cap: cap is not None and cap < 0),
    ):
        _, bad = ask(router, "coinmarketcap:listings/latest", fault)
        third = caps(bad.body)[::3]
        assert third
        assert all(is_spoilt(cap) for cap in third)
        assert not any(is_spoilt(cap) for cap in caps(bad.body)[1:60:3])


def test_missing_page_ends_the_list_after_the_first(router: Router) -> None:
    for key in SECOND_PAGE:
        _, bad = ask(router, key, "missing_page")
        body = json.loads(bad.body)
        rows = body if isinstance(body, list) else body.get("data", body.get("result"))
        assert rows in ([], {"list": [], "nextPageCursor": "80"})
        router.faults.clear()


def test_missing_page_leaves_the_first_page_alone(router: Router) -> None:
    target = target_of(get_endpoint("coingecko:coins/markets"))
    good = say(router, target)
    router.faults["coingecko"] = "missing_page"
    assert say(router, target) == good


def test_duplicate_ids_are_the_same_thing_with_other_figures(router: Router) -> None:
    _, bad = ask(router, "coinpaprika:tickers", "duplicate_ids")
    first, second, *_ = json.loads(bad.body)
    assert first["id"] == second["id"]
    assert first["quotes"] != second["quotes"]


def test_renamed_field_takes_the_name_from_every_row(router: Router) -> None:
    good, bad = ask(router, "defillama_stablecoins:stablecoincharts", "renamed_field")
    assert all("peggedUSD" in row["totalCirculatingUSD"] for row in json.loads(good.body))
    assert all("peggedUSD" not in row["totalCirculatingUSD"] for row in json.loads(bad.body))


def test_extra_field_changes_nothing_else(router: Router) -> None:
    good, bad = ask(router, "gate:contract_stats", "extra_field")
    for row, plain in zip(json.loads(bad.body), json.loads(good.body), strict=True):
        assert row.pop("sandbox_extra") == "0"
        assert row == plain


def test_yesterdays_body_is_the_one_that_was_sent_yesterday(router: Router) -> None:
    for key in ("defillama:cexs", "coinmarketcap:listings/latest", "cboe:SPX"):
        endpoint = get_endpoint(key)
        before = NOW - timedelta(days=1)
        sent = say(router, f"/at/{before:%Y-%m-%dT%H:%M:%SZ}{example_request(endpoint, NOW)}")
        router.faults[key] = "yesterday_body"
        assert say(router, example_request(endpoint, NOW)).body == sent.body


def test_yesterdays_file_is_that_of_the_day_before(router: Router) -> None:
    good, bad = ask(router, "binance_vision:um/metrics", "yesterday_body")
    assert "2024-04-15 00:05:00" in text_of(good)
    assert "2024-04-14 00:05:00" in text_of(bad)


def test_wrong_date_is_a_year_early_in_every_unit(router: Router) -> None:
    def milliseconds(day: int, hour: int = 0) -> str:
        return str(int(datetime(2023, 4, day, hour, tzinfo=UTC).timestamp()) * 1000)

    for key, written in (
        ("cboe:VIX", "04/17/2023"),
        ("fred:fredgraph", "2023-04-17"),
        ("coinmetrics_archive:csv", "2023-04-18"),
        ("binance_vision:um/metrics", "2023-04-16 00:05:00"),
        ("coingecko:coins/markets", "2023-04-18T12:0"),
        ("binance_futures:klines", milliseconds(18)),
        ("okx:open-interest-volume", milliseconds(17, 16)),
        ("coinalyze:liquidation-history", f'"t": {milliseconds(18)[:-3]}'),
    ):
        good, bad = ask(router, key, "wrong_date")
        assert written in text_of(bad), key
        assert written not in text_of(good), key
        router.faults.clear()


def test_partial_last_row_ends_before_its_figures(router: Router) -> None:
    good, bad = ask(router, "binance_vision:um/metrics", "partial_last_row")
    *before, last = text_of(good).splitlines()
    *same, half = text_of(bad).splitlines()
    assert (same, half) == (before, last[: len(last) // 2])
    _, bad = ask(router, "bybit:account-ratio", "partial_last_row")
    newest, *others = json.loads(bad.body)["result"]["list"]
    assert len(newest) == 2
    assert all(len(row) == 4 for row in others)


def test_gzip_bomb_is_small_until_it_is_unpacked(router: Router) -> None:
    _, bad = ask(router, "defillama:cexs", "gzip_bomb")
    assert bad.headers["Content-Encoding"] == "gzip"
    assert len(bad.body) < BOMB_BYTES / 500
    with gzip.GzipFile(fileobj=io.BytesIO(bad.body)) as packed:
        unpacked = sum(len(piece) for piece in iter(lambda: packed.read(1 << 24), b""))
    assert unpacked == BOMB_BYTES


def test_zip_bomb_is_within_the_zip(router: Router) -> None:
    _, bad = ask(router, "binance_vision:spot/klines", "gzip_bomb")
    with zipfile.ZipFile(io.BytesIO(bad.body)) as archive:
        (member,) = archive.infolist()
        assert member.file_size == BOMB_BYTES
        with archive.open(member) as handle:
            assert sum(len(p) for p in iter(lambda: handle.read(1 << 24), b"")) == BOMB_BYTES
    assert len(bad.body) < BOMB_BYTES / 500


@pytest.mark.parametrize("fault", ["nan", "unit_slip", "wrong_date", "partial_last_row"])
def test_checksums_fit_what_is_wrong_inside(router: Router, fault: str) -> None:
    target = target_of(get_endpoint("binance_vision:um/klines"))
    router.faults["binance_vision"] = fault
    body, checksum = say(router, target).body, say(router, f"{target}.CHECKSUM").body
    assert checksum.split()[0].decode() == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("fault", ["wrong_checksum", "truncated"])
def test_checksums_do_not_fit_a_file_that_was_damaged(router: Router, fault: str) -> None:
    target = target_of(get_endpoint("binance_vision:um/klines"))
    router.faults["binance_vision"] = fault
    body, checksum = say(router, target).body, say(router, f"{target}.CHECKSUM").body
    assert len(checksum.split()[0]) == 64
    assert checksum.split()[0].decode() != hashlib.sha256(body).hexdigest()


def test_an_endpoints_own_fault_goes_before_its_vendors(router: Router) -> None:
    router.faults["cboe"] = "status_500"
    router.faults["cboe-rut"] = "status_503"
    assert say(router, target_of(get_endpoint("cboe:RUT"))).status == 503
    router.faults["cboe:RUT"] = "status_404"
    assert say(router, target_of(get_endpoint("cboe:RUT"))).status == 404
    assert say(router, target_of(get_endpoint("cboe:VIX"))).status == 500


def test_chaos_spoils_the_share_that_was_asked_for_and_the_same_requests_again() -> None:
    paths = [example_request(endpoint, NOW).partition("?")[0] for endpoint in ENDPOINTS]
    rule, again, other = chaos_rule(3, 0.2), chaos_rule(3, 0.2), chaos_rule(4, 0.2)
    requests = [(path, count) for path in paths for count in range(50)]
    spoilt = [rule(*request) for request in requests]
    assert spoilt == [again(*request) for request in requests]
    assert spoilt != [other(*request) for request in requests]
    assert 0.17 < sum(fault is not None for fault in spoilt) / len(requests) < 0.23
    assert len({fault.name for fault in spoilt if fault is not None}) > 20


def test_chaos_chooses_only_what_the_endpoint_can_have() -> None:
    rule = chaos_rule(1, 1.0)
    for endpoint in ENDPOINTS:
        path = example_request(endpoint, NOW).partition("?")[0]
        faults = [rule(path, count) for count in range(30)]
        assert {fault.name for fault in faults if fault} <= set(faults_for(endpoint))
    assert rule("/nowhere", 0) is None


def test_chaos_can_be_kept_to_some_faults(router: Router, growing: GrowingMarket) -> None:
    chaotic = Router(growing, FaultBoard(chaos_rule(5, 0.5, ["status_500"])), Timing(0.1))
    target = target_of(get_endpoint("defillama:cexs"))
    assert {say(chaotic, target).status for _ in range(20)} == {200, 500}


@pytest.mark.parametrize(
    ("rate", "names", "complaint"), [(1.5, None, "0 to 1"), (0.5, ["on_fire"], "on_fire")]
)
def test_chaos_refuses_what_makes_no_sense(
    rate: float, names: list[str] | None, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        chaos_rule(1, rate, names)


def test_fault_names_are_known_to_the_board() -> None:
    for name in FAULT_NAMES:
        assert str(Fault.parse(f"{name}:2")) == f"{name}:2"
