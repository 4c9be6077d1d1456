"""Each endpoint's body has the fields, types, units and order that the vendor documents."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from asking import (
    FIRST_DAY,
    LAST_CLOSE,
    NOW,
    days_before,
    get,
    make_router,
    milliseconds,
    say,
    seconds,
)

from pipeline.sandbox.registry import ENDPOINTS
from pipeline.sandbox.routes import Router, example_request
from pipeline.sources.vendors import VENDORS


@pytest.fixture(scope="module")
def router() -> Router:
    return make_router()


def fields(row: dict[str, Any]) -> set[str]:
    return set(row)


def is_decimal(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None


def is_close(moment: str) -> bool:
    return timedelta(0) <= NOW - datetime.fromisoformat(moment) < timedelta(minutes=10)


def test_every_vendor_has_a_folder_and_every_example_an_answer(router: Router) -> None:
    assert {endpoint.vendor for endpoint in ENDPOINTS} == set(VENDORS)
    for endpoint in ENDPOINTS:
        assert get(router, example_request(endpoint, NOW)), endpoint.key


def test_coingecko_global_counts_in_dollars_percent_and_seconds(router: Router) -> None:
    data = get(router, "/coingecko/api/v3/global")["data"]
    assert data["total_market_cap"]["usd"] > 1e11
    assert 50 < data["market_cap_percentage"]["btc"] < 75
    assert 0 < NOW.timestamp() - data["updated_at"] < 600
    assert {"active_cryptocurrencies", "markets", "total_volume"} <= fields(data)


def test_coingecko_lists_the_perps_with_their_coins(router: Router) -> None:
    path = "/coingecko/api/v3/derivatives/exchanges/binance_futures"
    assert "tickers" not in get(router, path)
    tickers = get(router, f"{path}?include_tickers=unexpired")["tickers"]
    documented = (
        "symbol base target coin_id target_coin_id contract_type last index "
        "index_basis_percentage funding_rate open_interest_usd h24_volume last_traded expired_at"
    )
    for ticker in tickers:
        assert set(documented.split()) <= fields(ticker)
        assert 0 <= NOW.timestamp() - ticker["last_traded"] < 600
    by_symbol = {ticker["symbol"]: ticker for ticker in tickers}
    assert by_symbol["BTCUSDT"]["coin_id"] == "bitcoin"
    assert by_symbol["BTCUSDC"]["target_coin_id"] == "usd-coin"
    assert by_symbol["TSLAUSDT"]["coin_id"] is None
    assert {ticker["contract_type"] for ticker in tickers} == {"perpetual", "futures"}
    multiplied = [t for t in tickers if t["base"].startswith("1000000")]
    assert len(multiplied) == 1
    assert multiplied[0]["coin_id"].startswith("sim-")


def test_coinmarketcap_wraps_everything_in_status_and_data(router: Router) -> None:
    codes = set()
    for endpoint in ENDPOINTS:
        if endpoint.vendor == "coinmarketcap":
            body = get(router, example_request(endpoint, NOW))
            assert fields(body) == {"status", "data"}
            codes.add(body["status"]["error_code"])
    assert codes == {0, "0"}


def test_coinmarketcap_listings_are_in_dollars_by_cap(router: Router) -> None:
    path = "/coinmarketcap/public-api/v3/cryptocurrency/listings/latest"
    rows = get(router, f"{path}?start=1&limit=60&convert=USD")["data"]
    caps = [row["quote"][0]["market_cap"] for row in rows]
    assert caps == sorted(caps, reverse=True)
    assert [row["cmc_rank"] for row in rows] == list(range(1, 61))
    assert rows[0]["slug"] == "bitcoin"
    assert rows[0]["quote"][0]["symbol"] == "USD"
    assert all(is_close(row["last_updated"]) for row in rows)
    assert all(row["symbol"] == row["symbol"].upper() for row in rows)
    more = get(router, f"{path}?start=61&limit=60")["data"]
    assert not {row["slug"] for row in rows} & {row["slug"] for row in more}


def test_coinmarketcap_scores_come_newest_first_with_today(router: Router) -> None:
    path = "/coinmarketcap/public-api/v3/fear-and-greed/historical"
    rows = get(router, f"{path}?start=1&limit=500")["data"]
    stamps = [int(row["timestamp"]) for row in rows]
    assert stamps[0] == seconds(NOW.date())
    assert all(before - after == 86_400 for before, after in pairwise(stamps))
    assert stamps[-1] == seconds(FIRST_DAY)
    assert all(isinstance(row["value"], int) and 0 <= row["value"] <= 100 for row in rows)
    assert get(router, f"{path}?start=3&limit=2")["data"] == rows[2:4]


def test_coinpaprika_ids_are_ticker_and_name_and_the_unranked_have_rank_0(router: Router) -> None:
    rows = get(router, "/coinpaprika/v1/tickers?quotes=USD")
    assert rows[0]["id"] == "btc-bitcoin"
    assert len({row["id"] for row in rows}) == len(rows)
    assert [row["rank"] for row in rows if row["quotes"]["USD"]["market_cap"] == 0] == [0, 0]
    assert "circulating_supply" not in rows[0]
    assert all(is_close(row["last_updated"]) for row in rows)


def test_coinmetrics_numbers_are_text_and_times_have_nanoseconds(router: Router) -> None:
    rows = get(
        router,
        "/coinmetrics/v4/timeseries/asset-metrics?assets=btc,lrl&metrics=PriceUSD,SplyExNtv"
        "&page_size=10000&paging_from=start&ignore_unsupported_errors=true",
    )["data"]
    assert rows[0]["time"] == f"{FIRST_DAY}T00:00:00.000000000Z"
    bitcoin = [row for row in rows if row["asset"] == "btc"]
    others = [row for row in rows if row["asset"] == "lrl"]
    assert all(is_decimal(row["PriceUSD"]) for row in rows)
    assert all(is_decimal(row["SplyExNtv"]) for row in bitcoin)
    # What the vendor does not have of an asset is not there at all.
    assert all("SplyExNtv" not in row for row in others)
    assert bitcoin[-1]["PriceUSD-status"] == "flash"
    assert bitcoin[0]["PriceUSD-status"] == "reviewed"
    assert bitcoin[-1]["time"] == f"{LAST_CLOSE}T00:00:00.000000000Z"


def test_coinmetrics_pages_lead_to_the_end_by_their_own_addresses(router: Router) -> None:
    path = "/coinmetrics/v4/timeseries/asset-metrics?assets=btc,eth&metrics=PriceUSD"
    whole = get(router, f"{path}&page_size=10000&paging_from=start")["data"]
    body = get(router, f"{path}&page_size=70&paging_from=start")
    rows = body["data"]
    while "next_page_url" in body:
        prefix = f"http://vendors/at/{NOW:%Y-%m-%dT%H:%M:%SZ}"
        assert body["next_page_url"].startswith(f"{prefix}/coinmetrics/v4/")
        body = get(router, body["next_page_url"].removeprefix(prefix))
        rows += body["data"]
    assert rows == whole
    newest = get(router, f"{path}&page_size=10")["data"]
    assert newest == whole[-10:]


def test_coinmetrics_rate_of_a_day_is_the_close_of_the_day_before(router: Router) -> None:
    rows = get(
        router,
        "/coinmetrics/v4/timeseries/asset-metrics?assets=btc&metrics=PriceUSD,ReferenceRateUSD"
        "&page_size=10000&paging_from=start",
    )["data"]
    for before, after in pairwise(rows):
        assert after["ReferenceRateUSD"] == before["PriceUSD"]
    assert rows[-1]["time"].startswith(f"{NOW.date()}")
    assert rows[-1]["PriceUSD"] is None


def test_coinmetrics_catalog_says_what_is_free(router: Router) -> None:
    (btc, lrl) = get(router, "/coinmetrics/v4/catalog-v2/asset-metrics?assets=btc,lrl")["data"]
    metrics = {entry["metric"]: entry["frequencies"][0] for entry in btc["metrics"]}
    assert {"FlowInExNtv", "FlowOutExNtv", "SplyExUSD", "CapMVRVCur"} <= metrics.keys()
    assert metrics["PriceUSD"]["community"] is True
    assert metrics["PriceUSD"]["max_time"].startswith(f"{LAST_CLOSE}")
    assert "FlowInExNtv" not in {entry["metric"] for entry in lrl["metrics"]}


def test_coinmetrics_archive_ends_with_a_partial_row(router: Router) -> None:
    header, first, *_, complete, last = get(
        router, "/coinmetrics_archive/coinmetrics/data/master/csv/btc.csv"
    )
    assert header[0] == "time"
    assert {"CapMVRVCur", "FlowInExNtv", "PriceUSD", "ReferenceRateUSD"} <= set(header)
    assert first == [f"{FIRST_DAY - timedelta(days=1)}", *[""] * (len(header) - 1)]
    assert complete[0] == f"{LAST_CLOSE}"
    assert complete[header.index("PriceUSD")] == last[header.index("ReferenceRateUSD")] != ""
    filled = {name for name, cell in zip(header, last, strict=True) if cell}
    assert filled == {"time", "ReferenceRate", "ReferenceRateEUR", "ReferenceRateUSD"}


VISION = "/binance_vision/data/futures/um"


def test_vision_metrics_are_288_rows_that_belong_to_the_files_day(router: Router) -> None:
    day = days_before(1)
    target = f"{VISION}/daily/metrics/ETHUSDT/ETHUSDT-metrics-{day}.zip"
    header, *rows = get(router, target)
    assert ",".join(header) == (
        "create_time,symbol,sum_open_interest,sum_open_interest_value,"
        "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,"
        "count_long_short_ratio,sum_taker_long_short_vol_ratio"
    )
    assert 200 <= len(rows) <= 288
    assert rows[0][:2] == [f"{day} 00:05:00", "ETHUSDT"]
    assert rows[-1][0] == f"{day + timedelta(days=1)} 00:00:00"
    assert all(float(cell) > 0 for row in rows for cell in row[2:] if cell)


def test_vision_stamps_begin_their_five_minutes_since_june_2026() -> None:
    router, now = make_router(), datetime(2026, 6, 27, 12, tzinfo=UTC)
    for day, first, last in (
        ("2026-06-24", "2026-06-24 00:05:00", "2026-06-25 00:00:00"),
        ("2026-06-25", "2026-06-25 00:00:00", "2026-06-25 23:55:00"),
    ):
        target = f"{VISION}/daily/metrics/BTCUSDT/BTCUSDT-metrics-{day}.zip"
        _, *rows = get(router, target, now)
        assert (rows[0][0], rows[-1][0]) == (first, last)


def test_vision_files_come_in_the_course_of_the_next_day(router: Router) -> None:
    target = f"{VISION}/daily/metrics/BTCUSDT/BTCUSDT-metrics-{LAST_CLOSE}.zip"
    midnight = NOW.replace(hour=0, minute=0)
    for hours, status in ((1, 404), (5, 404), (10, 200), (48, 200)):
        assert say(router, target, midnight + timedelta(hours=hours)).status == status
    assert say(router, target.replace(f"{LAST_CLOSE}", "2024-13-01")).status == 404


def test_vision_months_come_on_the_first_monday_after(router: Router) -> None:
    target = f"{VISION}/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-02.zip"
    assert say(router, target, datetime(2024, 3, 3, 12, tzinfo=UTC)).status == 404
    header, *rows = get(router, target, datetime(2024, 3, 4, 12, tzinfo=UTC))
    assert header == ["calc_time", "funding_interval_hours", "last_funding_rate"]
    assert len(rows) == 29 * 3
    assert milliseconds(date(2024, 2, 1)) <= int(rows[0][0]) < milliseconds(date(2024, 2, 2))


def test_vision_checksums_fit_their_files(router: Router) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.vendor == "binance_vision":
            target = example_request(endpoint, NOW)
            digest, name = say(router, f"{target}.CHECKSUM").body.decode().split()
            assert digest == hashlib.sha256(say(router, target).body).hexdigest()
            assert name == target.rpartition("/")[2]


def test_vision_klines_have_a_header_since_may_2022_and_spot_never() -> None:
    router = make_router()
    old = f"{VISION}/monthly/klines/BTCUSDT/1d/BTCUSDT-1d-2024-01.zip"
    header, first, *_ = get(router, old)
    assert header[:5] == ["open_time", "open", "high", "low", "close"]
    assert int(first[6]) == int(first[0]) + 86_400_000 - 1
    spot = "/binance_vision/data/spot/daily/klines/BTCUSDT/1d/BTCUSDT-1d-{}.zip"
    (milli,) = get(router, spot.format("2024-12-31"), datetime(2025, 1, 5, tzinfo=UTC))
    (micro,) = get(router, spot.format("2025-01-01"), datetime(2025, 1, 5, tzinfo=UTC))
    assert int(milli[0]) == milliseconds(date(2024, 12, 31))
    assert int(micro[0]) == milliseconds(date(2025, 1, 1)) * 1000
    assert len(milli) == len(micro) == 12


def test_vision_keeps_what_is_delisted_and_the_api_does_not(router: Router) -> None:
    truths = router.market.until(LAST_CLOSE).truths
    (symbol, gone), *_ = truths.delisted_perps.items()
    day = gone - timedelta(days=1)
    assert len(get(router, f"{VISION}/daily/metrics/{symbol}/{symbol}-metrics-{day}.zip")) > 200
    assert say(router, f"{VISION}/daily/metrics/{symbol}/{symbol}-metrics-{gone}.zip").status == 404
    answer = say(router, f"/binance_futures/fapi/v1/klines?symbol={symbol}&interval=1d")
    assert (answer.status, b"-1121" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ("globalLongShortAccountRatio", "symbol longShortRatio longAccount shortAccount timestamp"),
        ("topLongShortAccountRatio", "symbol longShortRatio longAccount shortAccount timestamp"),
        ("topLongShortPositionRatio", "symbol longShortRatio longAccount shortAccount timestamp"),
        ("takerlongshortRatio", "buySellRatio buyVol sellVol timestamp"),
        (
            "openInterestHist",
            "symbol sumOpenInterest sumOpenInterestValue CMCCirculatingSupply timestamp",
        ),
    ],
)
def test_binance_series_are_text_but_for_the_stamp(
    router: Router, series: str, expected: str
) -> None:
    rows = get(router, f"/binance_futures/futures/data/{series}?symbol=BTCUSDT&period=1d&limit=5")
    assert [row["timestamp"] for row in rows] == [
        milliseconds(days_before(back)) for back in (4, 3, 2, 1, 0)
    ]
    for row in rows:
        assert fields(row) == set(expected.split())
        numbers = {key: value for key, value in row.items() if key not in ("symbol", "timestamp")}
        assert all(is_decimal(value) for value in numbers.values())


def test_binance_series_reach_thirty_days_back_and_no_further(router: Router) -> None:
    path = "/binance_futures/futures/data/openInterestHist?symbol=BTCUSDT&period=1d"
    rows = get(router, f"{path}&startTime={milliseconds(days_before(28))}&limit=500")
    assert len(rows) == 29
    answer = say(router, f"{path}&startTime={milliseconds(days_before(31))}")
    assert (answer.status, b"-1130" in answer.body) == (400, True)


def test_binance_periods_of_a_day_end_with_the_days_figure(router: Router) -> None:
    path = "/binance_futures/futures/data/openInterestHist?symbol=BTCUSDT&limit=500"
    start, end = milliseconds(days_before(1)), milliseconds(LAST_CLOSE) - 1
    day = get(router, f"{path}&period=1d&startTime={start}&endTime={end}")
    for period, count in (("5m", 288), ("1h", 24), ("4h", 6)):
        rows = get(router, f"{path}&period={period}&startTime={start}&endTime={end}")
        assert len(rows) == count
        assert rows[-1]["sumOpenInterest"] == day[-1]["sumOpenInterest"]


def test_binance_candles_end_with_the_running_one(router: Router) -> None:
    rows = get(router, "/binance_futures/fapi/v1/klines?symbol=BTCUSDT&interval=1d&limit=3")
    assert [row[0] for row in rows] == [milliseconds(days_before(back)) for back in (1, 0, -1)]
    assert all(len(row) == 12 and row[6] == row[0] + 86_400_000 - 1 for row in rows)
    assert rows[-1][6] > NOW.timestamp() * 1000
    assert rows[-1][1] == rows[-2][4]
    for row in rows:
        assert float(row[3]) <= float(row[4]) <= float(row[2])


def test_binance_fundings_jitter_and_stop_now(router: Router) -> None:
    start = milliseconds(days_before(1))
    rows = get(router, f"/binance_futures/fapi/v1/fundingRate?symbol=BTCUSDT&startTime={start}")
    stamps = [row["fundingTime"] for row in rows]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= NOW.timestamp() * 1000
    assert [round(stamp / 3_600_000) * 3_600_000 for stamp in stamps] == [
        start + 8 * 3_600_000 * event for event in range(8)
    ]
    assert any(stamp % 60_000 for stamp in stamps)
    assert fields(rows[0]) == {"symbol", "fundingRate", "fundingTime", "markPrice", "rateType"}


def test_binance_contracts_are_not_all_perpetuals_of_coins(router: Router) -> None:
    symbols = get(router, "/binance_futures/fapi/v1/exchangeInfo")["symbols"]
    assert {row["underlyingType"] for row in symbols} == {"COIN", "INDEX", "EQUITY"}
    assert {row["contractType"] for row in symbols} == {"PERPETUAL", "CURRENT_QUARTER"}
    names = [row["symbol"] for row in symbols]
    assert len(set(names)) == len(names)


def test_bybit_comes_newest_first_in_an_envelope(router: Router) -> None:
    path = "/bybit/v5/market/account-ratio?category=linear&symbol=BTCUSDT&period=1d"
    body = get(router, f"{path}&limit=40")
    assert (body["retCode"], body["retMsg"], body["retExtInfo"]) == (0, "OK", {})
    rows = body["result"]["list"]
    assert rows[0]["timestamp"] == str(milliseconds(NOW.date()))
    assert all(float(row["buyRatio"]) + float(row["sellRatio"]) == pytest.approx(1) for row in rows)
    following = get(router, f"{path}&limit=40&cursor={body['result']['nextPageCursor']}")
    assert (
        int(following["result"]["list"][0]["timestamp"]) == int(rows[-1]["timestamp"]) - 86_400_000
    )


def test_bybit_puts_some_multipliers_behind_the_coin(router: Router) -> None:
    from pipeline.sandbox.messages import World
    from pipeline.sandbox.vendors.bybit import bybit_symbols

    names = bybit_symbols(World(router.market, NOW))
    assert any(re.fullmatch(r"[A-Z]+1000(000)?USDT", name) for name in names)
    assert any(re.fullmatch(r"1000(000)?[A-Z]+USDT", name) for name in names)


def test_okx_bars_begin_at_16_utc_unless_asked_otherwise(router: Router) -> None:
    path = "/okx/api/v5/rubik/stat/contracts/long-short-account-ratio?ccy=BTC&period="
    body = get(router, f"{path}1D")
    assert (body["code"], body["msg"]) == ("0", "")
    stamps = [int(row[0]) for row in body["data"]]
    assert stamps == sorted(stamps, reverse=True)
    assert {stamp % 86_400_000 for stamp in stamps} == {16 * 3_600_000}
    assert {int(row[0]) % 86_400_000 for row in get(router, f"{path}1Dutc")["data"]} == {0}
    assert all(is_decimal(cell) for row in body["data"] for cell in row)


def test_gate_counts_in_seconds_with_the_running_day(router: Router) -> None:
    rows = get(
        router,
        "/gate/api/v4/futures/usdt/contract_stats?contract=BTC_USDT&interval=1d"
        f"&from={seconds(days_before(2))}&limit=100",
    )
    assert [row["time"] for row in rows] == [seconds(days_before(n)) for n in (2, 1, 0, -1)]
    assert {"lsr_taker", "lsr_account", "long_liq_usd", "short_liq_usd", "top_lsr_size"} <= fields(
        rows[0]
    )
    assert rows[-1]["long_liq_usd"] == 0


def test_coinalyze_histories_are_ascending_and_in_dollars_when_asked(router: Router) -> None:
    path = (
        "/coinalyze/v1/liquidation-history?symbols=BTCUSDT_PERP.A,NOSUCHUSDT_PERP.A"
        f"&interval=daily&from={seconds(days_before(3))}&to={seconds(NOW.date()) - 1}"
    )
    (dollars,) = get(router, f"{path}&convert_to_usd=true")
    assert [point["t"] for point in dollars["history"]] == [
        seconds(days_before(back)) for back in (3, 2, 1, 0)
    ]
    (units,) = get(router, path)
    assert units["history"][0]["l"] < dollars["history"][0]["l"] / 1000


def test_defillama_balances_are_by_chain_token_and_midnight(router: Router) -> None:
    chains = get(router, "/defillama/protocol/binance-cex")["chainTvls"]
    assert {"Bitcoin", "Ethereum", "BSC", "Tron"} <= chains.keys()
    for parts in chains.values():
        assert fields(parts) == {"tvl", "tokens", "tokensInUsd"}
        *points, running = parts["tokens"]
        assert points[0]["date"] == seconds(FIRST_DAY + timedelta(days=1))
        assert points[-1]["date"] == seconds(NOW.date())
        assert running["date"] % 86_400
        assert running["tokens"] == points[-1]["tokens"]
    assert "BNB" in chains["BSC"]["tokens"][-1]["tokens"]
    assert "USDT" in chains["Tron"]["tokens"][-1]["tokens"]
    assert "USDT" in chains["Ethereum"]["tokens"][-1]["tokens"]


def test_defillama_exchanges_may_have_no_wallets(router: Router) -> None:
    exchanges = get(router, "/defillama/cexs")["cexs"]
    by_name = {entry["name"]: entry for entry in exchanges}
    assert by_name["Binance"]["slug"] == "binance-cex"
    assert by_name["Binance"]["currentTvl"] > by_name["Binance"]["cleanAssetsTvl"] > 0
    assert "slug" not in by_name["Coinbase"]
    assert "currentTvl" not in by_name["Coinbase"]
    assert all(entry["tvl"] == 0 for entry in exchanges)


def test_defillama_prices_are_near_the_instants_and_unknown_coins_absent(router: Router) -> None:
    start = seconds(days_before(3))
    coins = get(
        router,
        f"/defillama_coins/chart/coingecko:bitcoin,coingecko:nothing?start={start}&span=9&period=1d",
    )["coins"]
    assert coins.keys() == {"coingecko:bitcoin"}
    points = coins["coingecko:bitcoin"]["prices"]
    assert len(points) == 5
    assert all(0 <= p["timestamp"] - start - 86_400 * n < 900 for n, p in enumerate(points))


def test_defillama_stablecoin_days_are_text(router: Router) -> None:
    points = get(router, "/defillama_stablecoins/stablecoincharts/all")
    assert points[0]["date"] == str(seconds(FIRST_DAY))
    assert points[-2]["date"] == str(seconds(LAST_CLOSE))
    assert int(points[-1]["date"]) % 86_400
    assert points[-2]["totalCirculatingUSD"]["peggedUSD"] > 1e10


def test_cboe_vix_has_four_prices(router: Router) -> None:
    header, *rows = get(router, "/cboe/api/global/us_indices/daily_prices/VIX_History.csv")
    assert header == ["DATE", "OPEN", "HIGH", "LOW", "CLOSE"]
    assert rows[-1][0] == f"{LAST_CLOSE:%m/%d/%Y}"
    for _, opening, high, low, close in rows:
        assert float(low) <= min(float(opening), float(close))
        assert float(high) >= max(float(opening), float(close))


def test_fred_lists_holidays_empty_and_is_a_day_late(router: Router) -> None:
    header, *rows = get(router, "/fred/graph/fredgraph.csv?id=SP500")
    assert header == ["observation_date", "SP500"]
    values = dict(rows)
    assert values["2024-01-15"] == values["2024-03-29"] == ""
    assert "2024-01-13" not in values
    assert rows[-1][0] == f"{LAST_CLOSE}"
    early = get(router, "/fred/graph/fredgraph.csv?id=SP500", NOW.replace(hour=2))
    assert early[-1][0] == f"{days_before(1)}"


def test_yahoo_bars_carry_the_opening_and_the_running_one_comes_twice(router: Router) -> None:
    path = "/yahoo/v8/finance/chart/%5EGSPC?interval=1d&period1=0"
    (result,) = get(router, path)["chart"]["result"]
    assert result["meta"]["symbol"] == "^GSPC"
    opens = datetime.fromtimestamp(result["timestamp"][-1], UTC)
    assert opens == datetime(2024, 4, 16, 13, 30, tzinfo=UTC)
    close = result["indicators"]["quote"][0]["close"]
    assert len(close) == len(result["timestamp"])
    (running,) = get(router, path, NOW.replace(hour=15))["chart"]["result"]
    assert running["timestamp"][-2:] == [
        int(datetime(2024, 4, 17, 13, 30, tzinfo=UTC).timestamp()),
        int(NOW.replace(hour=15).timestamp()),
    ]
    regular = running["meta"]["currentTradingPeriod"]["regular"]
    assert running["meta"]["regularMarketTime"] < regular["end"]
