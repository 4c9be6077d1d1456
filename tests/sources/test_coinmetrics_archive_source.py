"""CoinMetrics' archive: which line holds which close, and every defect in a file."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
import responses
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from source_kit import (
    DAY,
    ROOT_URL,
    assert_sound,
    fetch,
    make_settings,
    refuses_everything_else,
)

from pipeline.datasets import DATASETS
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    SourceError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.sources.coinmetrics import assets_asked
from pipeline.sources.coinmetrics_archive import CoinMetricsArchive, CoinMetricsArchiveFlows

NEXT = DAY + timedelta(days=1)
BEFORE = DAY - timedelta(days=1)
FILES = re.compile(rf"{ROOT_URL}/coinmetrics_archive/coinmetrics/data/master/csv/.*\.csv")


def file(lines: list[dict[str, Any]], header: list[str] | None = None) -> bytes:
    """A file with the columns that the lines name, in the order in which they come up."""
    columns = header or list(dict.fromkeys(["time", *(name for line in lines for name in line)]))
    rows = [",".join(str(line.get(name, "")) for name in columns) for line in lines]
    return "\n".join([",".join(columns), *rows, ""]).encode()


def parse(market_date: date = DAY, since: date | None = None, **files: bytes) -> pd.DataFrame:
    return CoinMetricsArchive().parse(list(files.items()), market_date, since=since)


@responses.activate
def test_fetch_asks_for_each_reviewed_asset_and_passes_over_what_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = file([{"time": DAY, "PriceUSD": 5}])
    responses.get(
        re.compile(FILES.pattern.replace(".*", "btc")), body=body, content_type="text/plain"
    )
    responses.get(FILES, status=404)
    configured = make_settings()
    bodies = fetch(CoinMetricsArchive(), configured)
    assert [name for name, _ in bodies] == ["btc"]
    assert len(responses.calls) == len(assets_asked(configured))
    assert "has no file of" in caplog.text
    assert CoinMetricsArchive().parse(bodies, DAY)["price_usd"].tolist() == [5.0]


@responses.activate
def test_fetch_says_that_the_archive_is_gone() -> None:
    responses.get(FILES, status=404)
    with pytest.raises(SourceError, match="none of the files"):
        fetch(CoinMetricsArchive(), make_settings())


@responses.activate
def test_fetch_of_flows_asks_for_bitcoin_and_ether() -> None:
    body = file([{"time": DAY, "FlowInExUSD": 5}])
    responses.get(FILES, body=body, content_type="text/plain")
    assert [name for name, _ in fetch(CoinMetricsArchiveFlows(), make_settings())] == ["btc", "eth"]


@responses.activate
def test_fetch_stops_at_an_error_other_than_a_missing_file() -> None:
    responses.get(FILES, status=403)
    with pytest.raises(SourceError, match="403"):
        fetch(CoinMetricsArchive(), make_settings())


def test_price_of_a_day_is_its_close_and_a_rate_is_the_close_of_the_day_before() -> None:
    both = [
        {"time": DAY, "PriceUSD": 87133.51, "ReferenceRateUSD": 87747.64},
        {"time": NEXT, "ReferenceRateUSD": 87133.51},
    ]
    frame = parse(btc=file(both), ena=file([{"time": NEXT, "ReferenceRateUSD": 0.5}]))
    assert frame[["market_date", "coin_id", "price_usd"]].values.tolist() == [
        [BEFORE, "btc", 87747.64],
        [DAY, "btc", 87133.51],
        [DAY, "ena", 0.5],
    ]


def test_parse_gives_the_columns_of_the_dataset() -> None:
    lines = [
        {
            "time": DAY,
            "PriceUSD": "87747.649",
            "CapMrktEstUSD": "1752174226540.4",
            "CapMrktCurUSD": "1.5",
            "SplyCur": "20",
            "volume_reported_spot_usd_1d": "7.5",
            "AssetEODCompletionTime": "1783728000",
        }
    ]
    frame = parse(ace_fusionist=file(lines))
    assert tuple(frame.columns) == DATASETS["market_daily"].column_names
    row = frame.iloc[0]
    assert row.dropna().to_dict() == {
        "market_date": DAY,
        "source": "coinmetrics",
        "coin_id": "ace_fusionist",
        "symbol": "ACE",
        "price_usd": 87747.649,
        "market_cap_usd": 1752174226540.4,
        "volume_24h_usd": 7.5,
    }


def test_the_partial_last_line_gives_no_row_of_its_own_day() -> None:
    lines = [{"time": DAY, "PriceUSD": 5.0}, {"time": NEXT, "ReferenceRateUSD": 5.0}]
    frame = parse(market_date=DAY, since=BEFORE, btc=file(lines))
    assert frame["market_date"].tolist() == [DAY]
    with pytest.raises(NotYetAvailableError, match="newest is 2026-07-10"):
        parse(market_date=NEXT, btc=file(lines))


def test_blank_and_zero_prices_of_the_first_days_have_no_row() -> None:
    lines = [
        {"time": BEFORE - timedelta(days=1), "PriceUSD": "", "CapMrktEstUSD": "784512248.66"},
        {"time": BEFORE, "PriceUSD": "0"},
        {"time": DAY, "PriceUSD": "1.5", "CapMrktEstUSD": "0"},
    ]
    frame = parse(btc=file(lines))
    assert frame["market_date"].tolist() == [DAY]
    assert frame["market_cap_usd"].isna().all()


def test_an_asset_keeps_to_one_definition_of_its_cap() -> None:
    mixed = [
        {"time": BEFORE, "PriceUSD": 1, "CapMrktCurUSD": 10, "CapMrktEstUSD": ""},
        {"time": DAY, "PriceUSD": 1, "CapMrktCurUSD": 11, "CapMrktEstUSD": 12},
    ]
    current = [{"time": DAY, "PriceUSD": 1, "CapMrktCurUSD": 11}]
    frame = parse(btc=file(mixed), ltc=file(current))
    assert frame["market_cap_usd"].fillna(-1).tolist() == [-1, 12, 11]


def test_columns_are_found_by_name() -> None:
    header = ["time", "x", "ReferenceRateUSD", "CapMrktFFUSD", "PriceUSD"]
    body = file([{"time": DAY, "x": "noise", "PriceUSD": 3, "ReferenceRateUSD": 2}], header)
    assert parse(btc=body)["price_usd"].tolist() == [2.0, 3.0]


def test_a_dead_asset_ends_without_holding_up_the_others() -> None:
    dead = file([{"time": BEFORE, "PriceUSD": 1}])
    assert len(parse(btc=file([{"time": DAY, "PriceUSD": 2}]), ftt=dead)) == 2
    with pytest.raises(NotYetAvailableError, match="newest is 2026-07-09"):
        parse(ftt=dead)
    with pytest.raises(UnobtainableError, match="later days"):
        parse(new=file([{"time": NEXT, "PriceUSD": 1}]))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no complete line"),
        (b"time,PriceUSD\n2026-07-10,1,2\n", "line 2"),
        (b"date,PriceUSD\n2026-07-10,1\n", "header"),
        (b"time,PriceUSD,PriceUSD\n2026-07-10,1,1\n", "header"),
        (b"time,CapMrktEstUSD\n2026-07-10,1\n", "none of the columns"),
        (b"time,PriceUSD\n07/10/2026,1\n", "line 2"),
        (b"time,PriceUSD\n2026-02-30,1\n", "line 2"),
        (b"time,PriceUSD\n2026-07-10,1\n2026-07-10,1\n", "comes twice"),
        (b"time,PriceUSD\n2026-07-10,-1\n", "PriceUSD"),
        (b"time,PriceUSD\n2026-07-10,nan\n", "PriceUSD"),
        (b"time,PriceUSD\n2026-07-10,1 000\n", "PriceUSD"),
        (b"time,PriceUSD\n9999-12-31,1\n", "line 2"),
        (b"time,PriceUSD\n2026-07-10,\xff\n", "UTF-8"),
        (b'time,PriceUSD\n2026-07-10,"1\n', "not CSV"),
    ],
)
def test_a_file_of_another_shape_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        parse(btc=body)


def test_each_file_is_needed_once_and_by_its_asset() -> None:
    body = file([{"time": DAY, "PriceUSD": 1}])
    for names in ([], ["btc", "btc"], ["../btc"], ["BTC"]):
        with pytest.raises(PayloadError, match="one body per asset"):
            CoinMetricsArchive().parse([(name, body) for name in names], DAY)


def test_flows_come_a_row_per_metric() -> None:
    lines = [
        {"time": BEFORE, "FlowInExNtv": "9847.44", "SplyExNtv": "", "TxCnt": 5},
        {"time": DAY, "FlowInExNtv": "0", "SplyExNtv": "2506026.19", "TxCnt": 6},
    ]
    frame = CoinMetricsArchiveFlows().parse([("btc", file(lines))], DAY)
    assert tuple(frame.columns) == DATASETS["onchain_daily"].column_names
    assert frame[["market_date", "coin_id", "metric", "value"]].values.tolist() == [
        [BEFORE, "btc", "FlowInExNtv", 9847.44],
        [DAY, "btc", "FlowInExNtv", 0.0],
        [DAY, "btc", "SplyExNtv", 2506026.19],
    ]
    assert frame["source"].unique().tolist() == ["coinmetrics_archive"]


def test_flows_are_missed_when_their_columns_go() -> None:
    with pytest.raises(PayloadError, match="schema has changed"):
        CoinMetricsArchiveFlows().parse([("btc", file([{"time": DAY, "PriceUSD": 1}]))], DAY)
    partial = file([{"time": DAY, "FlowInExNtv": "", "ReferenceRateUSD": "1"}])
    with pytest.raises(NotYetAvailableError):
        CoinMetricsArchiveFlows().parse([("btc", partial)], DAY)


def test_parse_of_a_file_cut_short_is_never_a_wrong_close() -> None:
    days = [DAY - timedelta(days=back) for back in reversed(range(15))]
    body = file([{"time": day, "PriceUSD": 100.25 + n} for n, day in enumerate(days)])
    whole = parse(btc=body)["price_usd"].tolist()
    counts = set()
    for kept in range(len(body) + 1):
        try:
            closes = parse(btc=body[:kept])["price_usd"].tolist()
        except TidemarkError:
            continue
        assert closes == whole[: len(closes)]
        counts.add(len(closes))
    assert counts == {11}


CELLS = st.sampled_from(
    ["", "0", "1.5", "-1", "nan", "1e3", "x", "2026-07-10", '"', ",", "\n", " "]
)


@hypothesis_settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4))
def test_spoiled_lines_are_refused_or_give_sound_rows(cells: list[tuple[str, str, str]]) -> None:
    lines = [
        f"{DAY - timedelta(days=n)},{','.join(line)}" for n, line in enumerate(reversed(cells))
    ]
    header = "time,PriceUSD,ReferenceRateUSD,CapMrktEstUSD"
    body = "\n".join([header, *lines, f"{NEXT},,7.5,", ""]).encode()
    try:
        frame = parse(btc=body)
    except TidemarkError:
        return
    sent = [*(cell for line in cells for cell in line), "7.5"]
    assert_sound(frame, CoinMetricsArchive(), sent, DAY - timedelta(days=10), DAY)


@given(st.binary())
def test_any_other_body_raises_our_errors_only(body: bytes) -> None:
    refuses_everything_else(CoinMetricsArchive(), ["btc"])(body)
    refuses_everything_else(CoinMetricsArchiveFlows(), ["btc"])(body)
