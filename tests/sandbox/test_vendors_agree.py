"""The vendors tell of one market, nothing of its future, and complain in their own words."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asking import FIRST_DAY, LAST_CLOSE, NOW, get, make_router, milliseconds, say, seconds

from pipeline.sandbox.cast import Scenario
from pipeline.sandbox.messages import World
from pipeline.sandbox.registry import ENDPOINTS
from pipeline.sandbox.routes import Router, example_request
from pipeline.sandbox.vendors.binance_vision import answer_metrics
from pipeline.sandbox.vendors.coinpaprika import paprika_id

LAST_INDEX = (LAST_CLOSE - FIRST_DAY).days


@pytest.fixture(scope="module")
def router() -> Router:
    return make_router()


def prices_by_vendor(router: Router) -> dict[str, dict[str, float]]:
    """Return each vendor's closing prices of ``LAST_CLOSE`` by our ids."""
    market = router.market.until(LAST_CLOSE)
    ids = [coin.coin_id for coin in market.coins]
    paprika = {paprika_id(coin.symbol, coin.name): coin.coin_id for coin in market.coins}
    pairs = {
        f"{perp.coin_symbol}USDT": perp.coin_id
        for perp in market.derivatives.perps
        if perp.is_listed(LAST_INDEX)
    }
    listings = "/coinmarketcap/public-api/v3/cryptocurrency/listings/latest?limit=5000"
    chart = "/defillama_coins/chart/" + ",".join(f"coingecko:{coin_id}" for coin_id in ids[:60])
    chart = get(router, f"{chart}?start={seconds(NOW.date())}&span=1&period=1d")["coins"]
    spot = "/binance_vision/data/spot/daily/klines/{0}/1d/{0}-1d-{1}.zip"
    metrics = (
        "/coinmetrics/v4/timeseries/asset-metrics?assets=btc,eth&metrics=PriceUSD"
        f"&start_time={LAST_CLOSE}&end_time={LAST_CLOSE}"
    )
    return {
        "coingecko": {
            row["id"]: row["current_price"]
            for row in get(
                router,
                "/coingecko/api/v3/coins/markets?vs_currency=usd&per_page=250&precision=full"
                "&include_rehypothecated=true",
            )
        },
        "coinmarketcap": {
            row["slug"]: row["quote"][0]["price"] for row in get(router, listings)["data"]
        },
        "coinpaprika": {
            paprika[row["id"]]: row["quotes"]["USD"]["price"]
            for row in get(router, "/coinpaprika/v1/tickers")
        },
        "defillama": {
            name.removeprefix("coingecko:"): entry["prices"][0]["price"]
            for name, entry in chart.items()
        },
        "binance_vision": {
            coin_id: float(get(router, spot.format(pair, LAST_CLOSE))[0][4])
            for pair, coin_id in pairs.items()
        },
        "coinmetrics": {
            {"btc": "bitcoin", "eth": "ethereum"}[row["asset"]]: float(row["PriceUSD"])
            for row in get(router, metrics)["data"]
        },
    }


def test_vendors_give_one_price_of_a_coin_for_one_close(router: Router) -> None:
    market = router.market.until(LAST_CLOSE)
    known = market.coins_on(LAST_CLOSE).set_index("coin_id")["price_usd"]
    quoted = prices_by_vendor(router)
    assert all(len(prices) >= 2 for prices in quoted.values())
    for vendor, prices in quoted.items():
        for coin_id, price in prices.items():
            assert price == pytest.approx(known[coin_id], rel=1e-7), (vendor, coin_id)


def test_vendors_give_one_total_and_one_share_of_bitcoin(router: Router) -> None:
    gecko = get(router, "/coingecko/api/v3/global")["data"]
    cmc = get(router, "/coinmarketcap/public-api/v1/global-metrics/quotes/latest")["data"]
    coins = get(router, "/coingecko/api/v3/coins/markets?vs_currency=usd&per_page=250")
    total = math.fsum(coin["market_cap"] for coin in coins)
    assert gecko["total_market_cap"]["usd"] == cmc["quote"]["USD"]["total_market_cap"] == total
    assert gecko["market_cap_percentage"]["btc"] == pytest.approx(cmc["btc_dominance"])


def test_stablecoins_are_the_sum_of_the_listed_ones(router: Router) -> None:
    points = get(router, "/defillama_stablecoins/stablecoincharts/all")
    coins = {
        coin["id"]: coin["market_cap"]
        for coin in get(router, "/coingecko/api/v3/coins/markets?vs_currency=usd&per_page=250")
    }
    stable = ("tether", "usd-coin", "dai", "ethena-usde", "first-digital-usd")
    supply = sum(coins.get(coin_id, 0) for coin_id in stable)
    assert points[-2]["totalCirculatingUSD"]["peggedUSD"] == supply


def test_equities_are_the_same_at_cboe_fred_and_yahoo(router: Router) -> None:
    _, *cboe = get(router, "/cboe/api/global/us_indices/daily_prices/SPX_History.csv")
    _, *fred = get(router, "/fred/graph/fredgraph.csv?id=SP500")
    (chart,) = get(router, "/yahoo/v8/finance/chart/%5EGSPC?interval=1d&period1=0")["chart"][
        "result"
    ]
    levels = [float(level) for _, level in cboe]
    assert [float(level) for _, level in fred if level] == pytest.approx(levels, abs=0.01)
    assert chart["indicators"]["quote"][0]["close"] == pytest.approx(levels, abs=1e-4)


def test_positioning_is_the_same_in_the_archive_and_at_the_venues(router: Router) -> None:
    market = router.market.until(LAST_CLOSE)
    offsets = market.truths.venue_log_offset
    archive = "/binance_vision/data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-{}.zip"
    *_, last = get(router, archive.format(LAST_CLOSE))
    ratio = float(last[6])
    start, end = milliseconds(LAST_CLOSE), milliseconds(NOW.date()) - 1
    span = f"startTime={start}&endTime={end}"
    (api,) = get(
        router,
        "/binance_futures/futures/data/globalLongShortAccountRatio?symbol=BTCUSDT&period=1d&"
        + span,
    )
    (bybit,) = get(
        router,
        f"/bybit/v5/market/account-ratio?category=linear&symbol=BTCUSDT&period=1d&{span}",
    )["result"]["list"]
    ((_, okx),) = get(
        router,
        "/okx/api/v5/rubik/stat/contracts/long-short-account-ratio?ccy=BTC&period=1Dutc"
        f"&begin={start}&end={end}",
    )["data"]
    gate, *_ = get(
        router,
        "/gate/api/v4/futures/usdt/contract_stats?contract=BTC_USDT&interval=1d"
        f"&from={seconds(LAST_CLOSE)}&limit=1",
    )
    assert float(api["longShortRatio"]) == pytest.approx(ratio, abs=1e-4)
    for venue, said in (
        ("bybit", float(bybit["buyRatio"]) / float(bybit["sellRatio"])),
        ("okx", float(okx)),
        ("gate", gate["lsr_account"]),
    ):
        assert said == pytest.approx(ratio * math.exp(offsets[venue]), rel=1e-3), venue


def test_fundings_of_the_archive_are_those_of_the_api_and_of_bybit(router: Router) -> None:
    folder = "/binance_vision/data/futures/um/monthly/fundingRate/BTCUSDT"
    _, *rows = get(router, f"{folder}/BTCUSDT-fundingRate-2024-03.zip")
    start = milliseconds(datetime(2024, 3, 1, tzinfo=UTC).date())
    end = milliseconds(datetime(2024, 4, 1, tzinfo=UTC).date()) - 1
    api = get(
        router,
        f"/binance_futures/fapi/v1/fundingRate?symbol=BTCUSDT&startTime={start}&endTime={end}"
        "&limit=1000",
    )
    bybit = get(
        router,
        "/bybit/v5/market/funding/history?category=linear&symbol=BTCUSDT&limit=200"
        f"&startTime={start}&endTime={end}",
    )["result"]["list"]
    rates = [float(row[2]) for row in rows]
    assert rates == [float(row["fundingRate"]) for row in api]
    assert rates == [float(row["fundingRate"]) for row in reversed(bybit)]


def test_no_vendor_knows_what_happens_later(router: Router) -> None:
    """Two markets that part after ``NOW`` are told of in the very same bytes until then."""
    later = (NOW.date() - FIRST_DAY).days + 15
    other = make_router(
        Scenario(crash_index=later, streaks=((60, 8), (later + 20, 9)), flow_index=40)
    )
    hours = [NOW - timedelta(hours=11), NOW, NOW + timedelta(hours=6)]
    for endpoint in ENDPOINTS:
        for now in hours:
            target = example_request(endpoint, now)
            assert say(router, target, now) == say(other, target, now), (endpoint.key, now)
    crashed = NOW + timedelta(days=20)
    target = "/coingecko/api/v3/global"
    assert say(router, target, crashed) != say(other, target, crashed)


def stamps_in(value: Any) -> list[float]:
    """Return everything in a body that may be a UNIX time of our days, in seconds."""
    if isinstance(value, dict):
        return [
            stamp
            for key, below in value.items()
            if key not in ("deliveryDate", "expired_at", "currentTradingPeriod")
            for stamp in stamps_in(below)
        ]
    if isinstance(value, list):
        return [stamp for below in value for stamp in stamps_in(below)]
    is_digits = isinstance(value, str) and value.isdecimal()
    if isinstance(value, bool) or not (is_digits or isinstance(value, int)):
        return []
    number = float(value)
    return [number / units for units in (1, 1000, 1_000_000) if 1.70e9 < number / units < 1.75e9]


TELLS_TIMES = {
    "coingecko:global",
    "coingecko:derivatives/exchanges",
    "coinmarketcap:fear-and-greed",
    "binance_futures:fundingRate",
    "binance_futures:globalLongShortAccountRatio",
    "bybit:account-ratio",
    "bybit:funding/history",
    "okx:long-short-account-ratio",
    "gate:contract_stats",
    "coinalyze:liquidation-history",
    "defillama_coins:chart",
    "defillama_stablecoins:stablecoincharts",
    "yahoo:chart",
    "alternative_me:fng",
}


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if endpoint.key in TELLS_TIMES],
    ids=lambda endpoint: endpoint.key,
)
def test_stamps_are_not_later_than_now(router: Router, endpoint: Any) -> None:
    for hour in (1, 13, 18, 23):
        now = NOW.replace(hour=hour)
        body = json.loads(say(router, example_request(endpoint, now), now).body)
        stamps = stamps_in(body)
        assert stamps
        assert max(stamps) <= now.timestamp()


FAPI, BYBIT, GATE = "/binance_futures/fapi/v1", "/bybit/v5/market", "/gate/api/v4/futures/usdt"
METRICS = "/coinmetrics/v4/timeseries/asset-metrics"


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/coinmarketcap/public-api/v3/cryptocurrency/listings/latest?limit=9999", 400, "5000"),
        ("/coinmarketcap/public-api/v3/fear-and-greed/historical?limit=501", 400, "500"),
        ("/coinpaprika/v1/tickers?quotes=EUR", 400, '"error"'),
        (f"{METRICS}?assets=nothing&metrics=PriceUSD", 400, "bad_parameter"),
        (f"{METRICS}?assets=btc&metrics=Nonsense", 400, "bad_parameter"),
        (f"{METRICS}?assets=btc&metrics=SOPR", 403, "forbidden"),
        (f"{METRICS}?assets=btc", 400, "metrics"),
        (f"{METRICS}?assets=btc&metrics=PriceUSD&page_size=20000", 400, "page_size"),
        ("/coinmetrics_archive/coinmetrics/data/master/csv/nothing.csv", 404, "404: Not Found"),
        (f"{FAPI}/klines?interval=1d", 400, "-1102"),
        (f"{FAPI}/klines?symbol=NOSUCHUSDT&interval=1d", 400, "-1121"),
        (f"{FAPI}/klines?symbol=BTCUSDT&interval=7y", 400, "-1120"),
        (f"{FAPI}/klines?symbol=BTCUSDT&interval=1d&limit=2000", 400, "-1130"),
        ("/binance_futures/futures/data/openInterestHist?symbol=BTCUSDT", 400, "-1102"),
        (f"{BYBIT}/account-ratio?symbol=BTCUSDT&period=1d", 200, '"retCode":10001'),
        (f"{BYBIT}/account-ratio?category=linear&symbol=NOSUCH&period=1d", 200, "10001"),
        (f"{BYBIT}/account-ratio?category=linear&symbol=BTCUSDT&period=1d&limit=501", 200, "10001"),
        (f"{BYBIT}/funding/history?category=linear&symbol=BTCUSDT&startTime=1", 200, "10001"),
        ("/okx/api/v5/rubik/stat/contracts/long-short-account-ratio?ccy=NOSUCH", 200, '"51000"'),
        (f"{GATE}/contract_stats?interval=1d", 400, "MISSING_REQUIRED_PARAM"),
        (f"{GATE}/contract_stats?contract=NO_USDT&interval=1d", 400, "CONTRACT_NOT_FOUND"),
        (f"{GATE}/contract_stats?contract=BTC_USDT&interval=1d&limit=101", 400, "INVALID_PARAM"),
        ("/coinalyze/v1/liquidation-history?symbols=BTCUSDT_PERP.A", 400, '"message"'),
        ("/defillama/protocol/nothing", 400, "not in our database"),
        ("/defillama_coins/chart/coingecko:bitcoin?start=1&span=501&period=1d", 400, "500"),
        ("/fred/graph/fredgraph.csv?id=RU2000PR", 404, "<html>"),
        ("/yahoo/v8/finance/chart/NOSUCH", 404, '"result":null'),
        ("/coingecko/api/v3/derivatives/exchanges/kraken_futures", 404, "not found"),
    ],
)
def test_bad_parameters_are_refused_in_the_vendors_words(
    router: Router, target: str, status: int, words: str
) -> None:
    answer = say(router, target)
    assert (answer.status, words in answer.body.decode()) == (status, True), answer.body


def test_coinalyze_answers_nothing_without_a_key(router: Router) -> None:
    from pipeline.sandbox.messages import parse_request

    target = f"/at/{NOW:%Y-%m-%dT%H:%M:%SZ}/coinalyze/v1/future-markets"
    refused = router.answer(parse_request(target, lambda: NOW, {}))
    assert (refused.status, json.loads(refused.body)) == (
        401,
        {"message": "Invalid/Missing API key"},
    )
    assert router.answer(parse_request(target, lambda: NOW, {"api_key": "any"})).status == 200


def test_a_file_of_the_archive_is_made_in_a_few_milliseconds(router: Router) -> None:
    symbols = [
        perp.symbol
        for perp in router.market.until(LAST_CLOSE).derivatives.perps
        if perp.is_listed(LAST_INDEX)
    ]
    world = World(router.market, NOW + timedelta(days=1))
    answer_metrics(world, None, {"symbol": symbols[0], "day": f"{LAST_CLOSE}", "sum": ""})  # type: ignore[arg-type]
    times = []
    for symbol in symbols:
        start = time.process_time()
        answer_metrics(world, None, {"symbol": symbol, "day": f"{LAST_CLOSE}", "sum": ""})  # type: ignore[arg-type]
        times.append(time.process_time() - start)
    assert sorted(times)[len(times) // 2] < 0.006
