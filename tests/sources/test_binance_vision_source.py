"""Binance's bulk archive: checksums, gaps, the trailing days, and what the zips hold."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_vendor import (
    Answer,
    FakeClient,
    milliseconds,
    night_of,
    settings_at,
    try_parse,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import DATASETS
from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.landing import Landing
from pipeline.raw_store import RawStore
from pipeline.settings import Settings
from pipeline.sources.binance_vision import (
    BinanceVisionFunding,
    BinanceVisionOpenInterest,
    BinanceVisionPositioning,
)
from pipeline.sources.binance_vision_klines import BinanceSpot, BinanceVisionPerp
from pipeline.sources.http import HttpStatusError
from pipeline.sources.vision_archive import VisionSource
from pipeline.sources.vision_files import MAX_CSV_BYTES, read_checksum

DAY = date(2026, 7, 10)
METRICS = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,"
    "count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
FUNDING = "calc_time,funding_interval_hours,last_funding_rate"
SEED = "venue,perp_symbol,coin_id,multiplier,valid_from,valid_to,note\n"


def zipped(lines: Iterable[str], name: str = "file.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), "\n".join(lines) + "\n")
    return buffer.getvalue()


def checksum(body: bytes, name: str) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode()


def landed(name: str, body: bytes) -> list[tuple[str, bytes]]:
    return [(f"{name}.CHECKSUM", checksum(body, name.rpartition("__")[2])), (name, body)]


def metrics(
    day: date = DAY,
    symbol: str = "BTCUSDT",
    count: int = 288,
    starts: bool = True,
    last: str = "98666.163,2236289208.197,0.7666,1.1363,0.8333,0.9253",
) -> list[str]:
    """A day of five-minute rows, stamped at their starts or at their ends."""
    opens = datetime(day.year, day.month, day.day, tzinfo=UTC)
    offset = timedelta(minutes=0 if starts else 5)
    stamps = [
        f"{opens + offset + timedelta(minutes=5 * number):%Y-%m-%d %H:%M:%S}"
        for number in range(count)
    ]
    values = ["1.5,3.5,2.1,2.2,2.3,2.4"] * (count - 1) + [last]
    return [METRICS, *(f"{s},{symbol},{v}" for s, v in zip(stamps, values, strict=True))]


def metrics_body(
    day: date = DAY, symbol: str = "BTCUSDT", **options: Any
) -> list[tuple[str, bytes]]:
    body = zipped(metrics(day, symbol, **options))
    return landed(f"{symbol}-metrics-{day}.zip", body)


def parse(bodies: list[tuple[str, bytes]], day: date = DAY, **options: Any) -> pd.DataFrame:
    return BinanceVisionPositioning().parse(bodies, day, **options)


@pytest.mark.parametrize("starts", [True, False], ids=["period-start", "period-end"])
def test_metrics_give_the_last_row_of_the_files_day(starts: bool) -> None:
    frame = parse(metrics_body(starts=starts))
    assert tuple(frame.columns) == DATASETS["positioning_daily"].column_names
    assert frame.to_dict("records") == [
        {
            "market_date": DAY,
            "source": "binance_vision",
            "venue": "binance",
            "perp_symbol": "BTCUSDT",
            "long_short_account_ratio": 0.8333,
            "top_account_ratio": 0.7666,
            "top_position_ratio": 1.1363,
            "taker_buy_sell_ratio": 0.9253,
        }
    ]


def wider(lines: list[str]) -> list[str]:
    """The same lines with a column more before the others and one behind them."""
    return [
        f"{'before' if not line[:1].isdigit() else 9},{line},{'behind' if index == 0 else 8}"
        for index, line in enumerate(lines)
    ]


def test_columns_are_found_by_the_header() -> None:
    name, month = f"BTCUSDT-metrics-{DAY}.zip", date(2026, 6, 1)
    pd.testing.assert_frame_equal(
        parse(landed(name, zipped(wider(metrics())))), parse(metrics_body())
    )
    lines = [KLINES, kline(DAY)]
    candles = [
        BinanceVisionPerp().parse(landed(f"BTCUSDT-1d-{DAY}.zip", zipped(some)), DAY)
        for some in (lines, wider(lines))
    ]
    pd.testing.assert_frame_equal(*candles)
    lines = [FUNDING, f"{milliseconds(month)},8,0.0001"]
    rates = [
        BinanceVisionFunding().parse(
            landed("BTCUSDT-fundingRate-2026-06.zip", zipped(some)), month, since=month
        )
        for some in (lines, wider(lines))
    ]
    pd.testing.assert_frame_equal(*rates)


def test_metrics_feed_open_interest_from_the_same_files() -> None:
    source = BinanceVisionOpenInterest()
    assert source.payloads_of == "positioning_daily"
    frame = source.parse(metrics_body(), DAY)
    assert frame["open_interest_units"].tolist() == [98666.163]
    assert frame["open_interest_usd"].tolist() == [2236289208.197]


def test_metrics_row_order_and_a_repeated_stamp_at_the_seam_do_not_matter() -> None:
    header, *rows = metrics()
    shuffled = zipped([header, *reversed(rows), rows[0]])
    frame = parse(landed(f"BTCUSDT-metrics-{DAY}.zip", shuffled))
    assert frame["long_short_account_ratio"].tolist() == [0.8333]


def test_metrics_blank_and_zero_are_null() -> None:
    frame = parse(metrics_body(last=",0,0.7666,,0,0.9253"))
    (row,) = frame.to_dict("records")
    assert pd.isna(row["long_short_account_ratio"])
    assert pd.isna(row["top_position_ratio"])
    assert (row["top_account_ratio"], row["taker_buy_sell_ratio"]) == (0.7666, 0.9253)
    with pytest.raises(NotYetAvailableError):
        BinanceVisionOpenInterest().parse(metrics_body(last=",0,0.7666,,0,0.9253"), DAY)


@pytest.mark.parametrize(("count", "is_kept"), [(199, False), (200, True), (1, False)])
def test_metrics_of_a_short_day_are_left_out(count: int, is_kept: bool) -> None:
    bodies = metrics_body(count=count) + metrics_body(symbol="ETHUSDT")
    assert ("BTCUSDT" in set(parse(bodies)["perp_symbol"])) == is_kept


def test_metrics_of_one_row_count_in_the_early_era() -> None:
    day = date(2021, 3, 1)
    assert len(parse(metrics_body(day, count=1), day)) == 1


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [METRICS.replace("count_long", "long")],
        [KLINES],
        metrics(symbol="ETHUSDT"),
        metrics(DAY + timedelta(days=1)),
        metrics(DAY - timedelta(days=1)),
        [*metrics(), "2026-07-10 23:59:00,BTCUSDT,1"],
        [*metrics(), "2026-07-10T23:59:00Z,BTCUSDT,1,1,1,1,1,1"],
        [*metrics(), "2026-02-30 23:59:00,BTCUSDT,1,1,1,1,1,1"],
        metrics(last="1,1,1,1,-1,1"),
        metrics(last="1,1,1,1,nan,1"),
    ],
    ids=range(11),
)
def test_metrics_file_that_is_not_as_documented_is_left_out(
    lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    name = f"BTCUSDT-metrics-{DAY}.zip"
    bodies = landed(name, zipped(lines)) + metrics_body(symbol="ETHUSDT")
    assert parse(bodies)["perp_symbol"].tolist() == ["ETHUSDT"]
    assert f"{name} is left out" in caplog.text
    with pytest.raises(PayloadError, match="1 of 1 files cannot be used"):
        parse(landed(name, zipped(lines)))


def test_file_that_does_not_fit_its_checksum_is_left_out_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = f"BTCUSDT-metrics-{DAY}.zip"
    wrong = [(f"{name}.CHECKSUM", checksum(b"other", name)), (name, zipped(metrics()))]
    assert parse(wrong + metrics_body(symbol="ETHUSDT"))["perp_symbol"].tolist() == ["ETHUSDT"]
    assert f"{name} is left out: its sha256" in caplog.text
    alone = [(name, zipped(metrics()))]
    with pytest.raises(PayloadError, match="no checksum of it"):
        parse(alone)


def test_zip_bombs_and_zips_of_more_files_are_refused() -> None:
    name = f"BTCUSDT-metrics-{DAY}.zip"
    with pytest.raises(PayloadError, match="unpacks to more"):
        parse(landed(name, zipped(["0" * (MAX_CSV_BYTES + 1)])))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")
    with pytest.raises(PayloadError, match="2 files instead of one"):
        parse(landed(name, buffer.getvalue()))


@pytest.mark.parametrize(
    "name",
    [f"BTCUSDT-1d-{DAY}.zip", "BTCUSDT-metrics-2026-7-1.zip", "x", "a/b-metrics-2026-07.zip"],
)
def test_bodies_of_another_fetch_are_refused(name: str) -> None:
    with pytest.raises(PayloadError, match="not of this fetch"):
        parse(landed(name, zipped(metrics())))
    with pytest.raises(PayloadError, match="comes twice"):
        parse(metrics_body() * 2)


@pytest.mark.parametrize(
    "body", [b"", b"abc", b"0" * 64, b"<html>", b"0" * 63 + b"g  x.zip", b"0" * 64 + b"  y.zip"]
)
def test_checksum_of_another_shape_or_file_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        read_checksum(body, "x.zip")


def kline(day: date, close: str = "2", unit: int = 1, **cells: Any) -> str:
    opened = milliseconds(day) * unit
    closed = opened + 86_400_000 * unit - 1
    row = [opened, "1", "3", "0.5", close, "10", closed, "20.5", 7, "5", "10", "0"]
    for index, value in cells.items():
        row[int(index.removeprefix("c"))] = value
    return ",".join(map(str, row))


@pytest.mark.parametrize("header", [[], [KLINES]], ids=["bare", "header"])
@pytest.mark.parametrize("unit", [1, 1000], ids=["ms", "us"])
def test_klines_are_told_by_what_is_there(header: list[str], unit: int) -> None:
    body = zipped([*header, kline(DAY, unit=unit)])
    frame = BinanceVisionPerp().parse(landed(f"BTCUSDT-1d-{DAY}.zip", body), DAY)
    assert frame.to_dict("records") == [
        {
            "market_date": DAY,
            "source": "binance_vision",
            "venue": "binance",
            "perp_symbol": "BTCUSDT",
            "close_usd": 2.0,
            "high_usd": 3.0,
            "low_usd": 0.5,
            "volume_usd": 20.5,
        }
    ]


def test_klines_of_a_month_are_cut_to_the_window() -> None:
    month = [date(2026, 6, number) for number in range(1, 31)]
    idle = kline(date(2026, 6, 29), c5="0", c7="0")
    body = zipped([KLINES, *(idle if day.day == 29 else kline(day) for day in month)])
    bodies = landed("BTCUSDT-1d-2026-06.zip", body)
    frame = BinanceVisionPerp().parse(bodies, date(2026, 6, 30), since=date(2026, 6, 27))
    assert [day.day for day in frame["market_date"]] == [27, 28, 30]


@pytest.mark.parametrize(
    "lines",
    [
        [kline(DAY - timedelta(days=1))],
        [kline(DAY), kline(DAY)],
        [kline(DAY, c4="9")],
        [kline(DAY, c0=milliseconds(DAY, 1))],
        [kline(DAY)[:-2]],
        [kline(DAY) + ",0"],
        [KLINES.replace("quote_volume", "quote_volume_v2"), kline(DAY)],
        [KLINES, KLINES],
        ["Open_time", kline(DAY)],
    ],
    ids=range(9),
)
def test_klines_that_are_not_as_documented_are_left_out(lines: list[str]) -> None:
    with pytest.raises(PayloadError, match="1 of 1 files"):
        BinanceVisionPerp().parse(landed(f"BTCUSDT-1d-{DAY}.zip", zipped(lines)), DAY)


def test_spot_closes_are_prices_of_our_coins() -> None:
    body = zipped([kline(DAY, unit=1000)])
    frame = BinanceSpot().parse(landed(f"bitcoin__BTCUSDT-1d-{DAY}.zip", body), DAY)
    assert tuple(frame.columns) == DATASETS["market_daily"].column_names
    (row,) = frame.to_dict("records")
    assert (row["source"], row["coin_id"], row["symbol"]) == ("binance_spot", "bitcoin", "BTC")
    assert row["price_usd"] == 2.0
    assert all(pd.isna(row[c]) for c in ("market_cap_usd", "circulating_supply", "volume_24h_usd"))
    with pytest.raises(PayloadError, match="names no coin"):
        BinanceSpot().parse(landed(f"BTCUSDT-1d-{DAY}.zip", body), DAY)


def test_funding_of_a_month_is_summed_per_day() -> None:
    june = date(2026, 6, 1)
    lines = [
        FUNDING,
        f"{milliseconds(june) + 3},8,0.0001",
        f"{milliseconds(june, 8)},8,0.0002",
        f"{milliseconds(june, 12) - 9},4,-0.0005",
        f"{milliseconds(date(2026, 6, 30), 16)},8,0.0004",
    ]
    bodies = landed("BTCUSDT-fundingRate-2026-06.zip", zipped(lines))
    frame = BinanceVisionFunding().parse(bodies, date(2026, 6, 30), since=june)
    assert frame["market_date"].tolist() == [june, date(2026, 6, 30)]
    assert frame["funding_rate_fraction"].tolist() == pytest.approx([-0.0002, 0.0004])


@pytest.mark.parametrize(
    "line",
    ["1,8,0.1", f"{milliseconds(DAY)},8,0.1", f"{milliseconds(date(2026, 6, 2))},8,", "x,8,1"],
)
def test_funding_of_another_month_or_without_a_rate_is_left_out(line: str) -> None:
    bodies = landed("BTCUSDT-fundingRate-2026-06.zip", zipped([FUNDING, line]))
    with pytest.raises(PayloadError, match="1 of 1 files"):
        BinanceVisionFunding().parse(bodies, date(2026, 6, 30))


# Asking -----------------------------------------------------------------------------------


Archive = dict[str, bytes]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "AAVEUSDT")


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a home whose seed knows a few symbols."""

    def make(now: datetime, symbols: Iterable[str] = SYMBOLS) -> Settings:
        reference = tmp_path / "sql" / "reference"
        reference.mkdir(parents=True, exist_ok=True)
        coins = {"BTCUSDT": "bitcoin", "ETHUSDT": "ethereum"}
        (reference / "perp_symbol.csv").write_text(
            SEED + "".join(f"binance,{s},{coins.get(s, s.lower())},1,,,\n" for s in symbols)
        )
        return settings_at(now, tmp_path / "home", sql_dir=tmp_path / "sql")

    return make


def metrics_path(symbol: str, day: date) -> str:
    return f"binance_vision/data/futures/um/daily/metrics/{symbol}/{symbol}-metrics-{day}.zip"


def put(archive: Archive, path: str, body: bytes) -> None:
    archive[path] = body
    archive[f"{path}.CHECKSUM"] = checksum(body, path.rpartition("/")[2])


def full_archive(*days: date, symbols: Iterable[str] = SYMBOLS) -> Archive:
    archive: Archive = {}
    for day in days:
        for symbol in symbols:
            put(archive, metrics_path(symbol, day), zipped(metrics(day, symbol)))
    return archive


def serve(archive: Archive) -> FakeClient:
    def respond(path: str, params: Mapping[str, str]) -> Answer:
        return archive.get(path, 404)

    return FakeClient(respond)


def night(
    settings: Settings, client: FakeClient, day: date, *, is_stored: bool = True
) -> tuple[list[str], pd.DataFrame]:
    """Fetch, land, parse and store as a night does; return names and rows."""
    source = BinanceVisionPositioning()
    landing = Landing(settings.landing_dir)
    bodies = []
    for name, response in source.fetch(client, settings, day):
        landing.land(
            response,
            source=source.name,
            dataset=source.dataset,
            market_date=day,
            name=name,
            run_id=f"night-{day}",
            fetched_at=settings.now(),
        )
        bodies.append((name, response.body))
    frame = source.parse(bodies, day)
    if is_stored:
        RawStore(settings.raw_dir, 1).append(
            DATASETS[source.dataset], frame, run_id="n", known_at=settings.now(), vintage="live"
        )
    return [name for name, _ in bodies], frame


def test_fetch_gives_every_file_behind_its_checksum(make_home: Callable[..., Settings]) -> None:
    client = serve(full_archive(DAY))
    names, frame = night(make_home(night_of(DAY, 12)), client, DAY)
    assert names[:2] == [f"BTCUSDT-metrics-{DAY}.zip.CHECKSUM", f"BTCUSDT-metrics-{DAY}.zip"]
    assert sorted(frame["perp_symbol"]) == sorted(SYMBOLS)
    assert client.asked[0][0] == metrics_path("BTCUSDT", DAY) + ".CHECKSUM"


def test_trailing_days_cost_a_checksum_each_and_bring_what_changed(
    make_home: Callable[..., Settings],
) -> None:
    before, after = DAY - timedelta(days=1), DAY + timedelta(days=1)
    archive = full_archive(before, DAY)
    night(make_home(night_of(DAY, 12)), serve(archive), DAY)
    put(
        archive, metrics_path("AAVEUSDT", DAY), zipped(metrics(DAY, "AAVEUSDT", last="1,1,9,9,9,9"))
    )
    archive |= full_archive(after)
    client = serve(archive)
    names, frame = night(make_home(night_of(after, 12)), client, after)
    zips = [name for name in names if name.endswith(".zip")]
    assert zips == [
        *(f"{symbol}-metrics-{after}.zip" for symbol in SYMBOLS),
        f"AAVEUSDT-metrics-{DAY}.zip",
    ]
    revised = frame[frame["market_date"] == DAY]
    assert revised["long_short_account_ratio"].tolist() == [9.0]
    asked = [path for path, _ in client.asked]
    assert sum(path.endswith(".zip") for path in asked) == 4
    # Three symbols on three known days, and none of them has the fourth.
    assert sum(path.endswith(".CHECKSUM") for path in asked) == 4 * len(SYMBOLS)


def test_file_that_was_landed_but_never_stored_is_fetched_again(
    make_home: Callable[..., Settings],
) -> None:
    after = DAY + timedelta(days=1)
    archive = full_archive(DAY, after)
    night(make_home(night_of(DAY, 12)), serve(archive), DAY, is_stored=False)
    names, _ = night(make_home(night_of(after, 12)), serve(archive), after)
    assert f"BTCUSDT-metrics-{DAY}.zip" in names


def test_symbol_without_a_file_is_left_out(make_home: Callable[..., Settings]) -> None:
    _, frame = night(
        make_home(night_of(DAY, 12)), serve(full_archive(DAY, symbols=SYMBOLS[:2])), DAY
    )
    assert sorted(frame["perp_symbol"]) == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    ("days_later", "error"),
    [(0, NotYetAvailableError), (2, NotYetAvailableError), (3, UnobtainableError)],
)
def test_day_that_is_not_there_is_not_yet_or_never(
    make_home: Callable[..., Settings], status: int, days_later: int, error: type[Exception]
) -> None:
    symbols = [f"S{number}USDT" for number in range(40)]
    client = FakeClient(lambda path, params: status)
    configured = make_home(night_of(DAY, 24 * days_later + 1), symbols)
    with pytest.raises(error):
        list(BinanceVisionPositioning().fetch(client, configured, DAY))
    assert len(client.asked) == 10


def test_young_day_with_few_files_is_not_yet_and_an_old_one_is_taken(
    make_home: Callable[..., Settings],
) -> None:
    archive = full_archive(DAY, symbols=SYMBOLS[:1])
    source = BinanceVisionPositioning()
    with pytest.raises(NotYetAvailableError, match="1 of 3"):
        list(source.fetch(serve(archive), make_home(night_of(DAY)), DAY))
    old = make_home(night_of(DAY, 100))
    assert len(list(source.fetch(serve(archive), old, DAY))) == 2


def test_fetch_before_the_close_asks_nothing(make_home: Callable[..., Settings]) -> None:
    client = serve({})
    with pytest.raises(NotYetAvailableError, match="not over"):
        list(BinanceVisionPositioning().fetch(client, make_home(night_of(DAY, -1)), DAY))
    assert client.asked == []


@pytest.mark.parametrize("status", [418, 451, 500])
def test_fetch_stops_at_any_other_status(make_home: Callable[..., Settings], status: int) -> None:
    client = FakeClient(lambda path, params: status)
    with pytest.raises(HttpStatusError):
        list(BinanceVisionPositioning().fetch(client, make_home(night_of(DAY)), DAY))
    assert len(client.asked) == 1


def test_checksum_that_does_not_fit_is_tried_once_more(make_home: Callable[..., Settings]) -> None:
    archive = full_archive(DAY)
    path = metrics_path("ETHUSDT", DAY)
    old, new = zipped(metrics(DAY, "ETHUSDT")), archive[path]
    served = iter([old[:-1] + b"x", new])

    def respond(asked: str, params: Mapping[str, str]) -> Answer:
        return next(served) if asked == path else archive.get(asked, 404)

    names, frame = night(make_home(night_of(DAY, 12)), FakeClient(respond), DAY)
    assert len(frame) == 3
    assert names.count(f"ETHUSDT-metrics-{DAY}.zip") == 1


def test_checksum_that_never_fits_leaves_the_file_out_but_lands_it(
    make_home: Callable[..., Settings],
) -> None:
    archive = full_archive(DAY)
    path = metrics_path("ETHUSDT", DAY)
    archive[f"{path}.CHECKSUM"] = checksum(b"other", path.rpartition("/")[2])
    client = serve(archive)
    names, frame = night(make_home(night_of(DAY, 12)), client, DAY)
    assert sorted(frame["perp_symbol"]) == ["AAVEUSDT", "BTCUSDT"]
    assert f"ETHUSDT-metrics-{DAY}.zip" in names
    assert [asked for asked, _ in client.asked].count(path) == 2


def test_every_answer_is_landed_before_it_is_judged(
    make_home: Callable[..., Settings],
) -> None:
    archive = full_archive(DAY)
    eth, aave = (f"{symbol}-metrics-{DAY}.zip" for symbol in ("ETHUSDT", "AAVEUSDT"))
    archive[metrics_path("ETHUSDT", DAY) + ".CHECKSUM"] = checksum(b"", "OTHER-metrics.zip")
    archive[metrics_path("AAVEUSDT", DAY) + ".CHECKSUM"] = checksum(b"other", aave)
    settings = make_home(night_of(DAY, 12))
    names, frame = night(settings, serve(archive), DAY)
    assert names[2:] == [
        f"{eth}.CHECKSUM",
        f"{aave}.CHECKSUM",
        aave,
        f"{aave}.CHECKSUM.again",
        f"{aave}.again",
    ]
    assert frame["perp_symbol"].tolist() == ["BTCUSDT"]
    (payloads,) = Landing(settings.landing_dir).find("positioning_daily", "binance_vision", DAY)
    assert {payload.name for payload in payloads} == set(names)


@pytest.mark.parametrize("spoilt", ["zip", "checksum"])
def test_file_that_the_client_refuses_is_left_out(
    make_home: Callable[..., Settings], spoilt: str
) -> None:
    archive: dict[str, Any] = dict(full_archive(DAY))
    path = metrics_path("ETHUSDT", DAY)
    if spoilt == "zip":
        archive[path] = PayloadError("not a zip")
    else:
        archive[f"{path}.CHECKSUM"] = b"nonsense"
    _, frame = night(make_home(night_of(DAY, 12)), serve(archive), DAY)
    assert sorted(frame["perp_symbol"]) == ["AAVEUSDT", "BTCUSDT"]


def asked_zips(source: VisionSource, settings: Settings, day: date, since: date) -> list[str]:
    client = FakeClient(
        lambda path, params: (
            checksum(b"", path.rpartition("/")[2].removesuffix(".CHECKSUM"))
            if path.endswith("CHECKSUM")
            else b""
        )
    )
    list(source.fetch(client, settings, day, since=since))
    return [path.rpartition("/")[2] for path, _ in client.asked if path.endswith(".zip")]


def test_backfill_asks_for_every_day_newest_first(make_home: Callable[..., Settings]) -> None:
    zips = asked_zips(
        BinanceVisionPositioning(), make_home(night_of(DAY, 12), ["BTCUSDT"]), DAY, date(2026, 7, 6)
    )
    assert zips == [f"BTCUSDT-metrics-2026-07-{number:02d}.zip" for number in (10, 9, 8, 7, 6)]


@pytest.mark.parametrize("source", [BinanceVisionPerp(), BinanceSpot()], ids=lambda s: s.name)
def test_klines_backfill_takes_whole_months_where_they_are_over(
    source: VisionSource, make_home: Callable[..., Settings]
) -> None:
    configured = make_home(night_of(date(2026, 8, 2)), ["BTCUSDT"])
    zips = asked_zips(source, configured, date(2026, 8, 2), date(2026, 5, 30))
    assert zips[:2] == ["BTCUSDT-1d-2026-08-02.zip", "BTCUSDT-1d-2026-08-01.zip"]
    assert zips[2] == "BTCUSDT-1d-2026-07-31.zip"
    assert zips[-3:] == [
        "BTCUSDT-1d-2026-06.zip",
        "BTCUSDT-1d-2026-05-31.zip",
        "BTCUSDT-1d-2026-05-30.zip",
    ]
    assert len(zips) == 2 + 31 + 1 + 2


def test_funding_is_asked_for_by_month_once_it_is_over(make_home: Callable[..., Settings]) -> None:
    source, june = BinanceVisionFunding(), date(2026, 6, 30)
    zips = asked_zips(source, make_home(night_of(june, 300), ["BTCUSDT"]), june, date(2026, 5, 5))
    assert zips == ["BTCUSDT-fundingRate-2026-06.zip", "BTCUSDT-fundingRate-2026-05.zip"]
    with pytest.raises(NotYetAvailableError, match="month is over"):
        list(source.fetch(serve({}), make_home(night_of(DAY)), DAY))
    with pytest.raises(NotYetAvailableError, match="0 of 1"):
        list(source.fetch(serve({}), make_home(night_of(june, 100), ["BTCUSDT"]), june))


# Properties -------------------------------------------------------------------------------

SOURCES: list[tuple[VisionSource, str, list[str]]] = [
    (BinanceVisionPositioning(), f"BTCUSDT-metrics-{DAY}.zip", metrics(count=201)),
    (BinanceVisionOpenInterest(), f"BTCUSDT-metrics-{DAY}.zip", metrics(count=201)),
    (BinanceVisionPerp(), f"BTCUSDT-1d-{DAY}.zip", [KLINES, kline(DAY)]),
    (BinanceSpot(), f"bitcoin__BTCUSDT-1d-{DAY}.zip", [kline(DAY, unit=1000)]),
    (
        BinanceVisionFunding(),
        "BTCUSDT-fundingRate-2026-07.zip",
        [FUNDING, *(f"{milliseconds(DAY, hours)},8,0.0001" for hours in (0, 8, 16))],
    ),
]


@given(st.sampled_from(SOURCES), st.binary())
def test_parse_raises_our_errors_only_on_any_bytes(
    case: tuple[VisionSource, str, list[str]], body: bytes
) -> None:
    source, name, _ = case
    assert try_parse(source, landed(name, body), DAY) is None
    assert try_parse(source, landed(name, zipped([body.decode("latin-1")])), DAY) is None


@given(st.sampled_from(SOURCES), st.data())
def test_parse_of_a_damaged_zip_is_never_a_wrong_row(
    case: tuple[VisionSource, str, list[str]], data: st.DataObject
) -> None:
    source, name, lines = case
    whole = zipped(lines)
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:position] + bytes([whole[position] ^ data.draw(st.integers(1, 255))])
    damaged += whole[position + 1 :]
    assert try_parse(source, [landed(name, whole)[0], (name, damaged)], DAY) is None
    frame = try_parse(source, landed(name, damaged), DAY)
    assert frame is None or frame.equals(source.parse(landed(name, whole), DAY))


@given(st.sampled_from(SOURCES), st.data())
def test_parse_of_a_defective_cell_gives_plausible_rows_or_raises(
    case: tuple[VisionSource, str, list[str]], data: st.DataObject
) -> None:
    source, name, lines = case
    number = data.draw(st.integers(max(0, len(lines) - 2), len(lines) - 1))
    cells = lines[number].split(",")
    index = data.draw(st.integers(0, len(cells) - 1))
    odd = ["", "0", "-1", "nan", "inf", "1e999", "x", "1.5", " 2 ", "٣", "9" * 20, "1,1", '"']
    cells[index] = data.draw(st.sampled_from(odd) | st.text(max_size=6))
    changed = [*lines[:number], ",".join(cells), *lines[number + 1 :]]
    frame = try_parse(source, landed(name, zipped(changed)), DAY)
    if frame is None:
        return
    assert set(frame["market_date"]) == {DAY}
    numbers = frame.select_dtypes("float64")
    is_fine = numbers.isna() | ((numbers.abs() < float("inf")) & (numbers > 0))
    assert source.dataset == "funding_daily" or is_fine.all(axis=None)
