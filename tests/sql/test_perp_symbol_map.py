"""Which coin a perpetual is of: reviewed rows, prices, false friends, and the share unmapped."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from harness import Result, Row, run_market, seen_at, series, shipped_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DAY = date(2026, 7, 10)
MODELS = ("staging.perp_symbol_map", "staging.perp_symbol_unmapped_daily")


def listed(symbol: str, coin_id: str | None, price: float | None, **overrides: Any) -> Row:
    row: Row = {
        "market_date": DAY,
        "source": "coingecko",
        "venue": "binance",
        "perp_symbol": symbol,
        "base_symbol": symbol.removesuffix("USDT"),
        "quote_symbol": "USDT",
        "coin_id": coin_id,
        "last_price_usd": price,
        "index_price_usd": price,
        "open_interest_usd": 1e6,
        "volume_24h_usd": None,
        "known_at": seen_at(overrides.get("market_date", DAY)),
        "run_id": "night",
        "vintage": "live",
    }
    return row | overrides


def closed(symbol: str, price: float, **overrides: Any) -> Row:
    row: Row = {
        "market_date": DAY,
        "source": "binance_vision",
        "venue": "binance",
        "perp_symbol": symbol,
        "close_usd": price,
        "high_usd": price,
        "low_usd": price,
        "volume_usd": 1e6,
        "known_at": seen_at(overrides.get("market_date", DAY)),
        "run_id": "night",
        "vintage": "live",
    }
    return row | overrides


def mapped(
    prices: dict[str, list[float | None]],
    listings: list[Row],
    *,
    closes: list[Row] | None = None,
    reviewed: list[Row] | None = None,
    xrefs: list[Row] | None = None,
    raw: dict[str, list[Row]] | None = None,
) -> Result:
    """Run the map; ``prices`` are coins' closes up to ``DAY``."""
    rows = [
        row
        for coin_id, closes_usd in prices.items()
        for row in series(coin_id, DAY - timedelta(days=len(closes_usd) - 1), closes_usd)
    ]
    return run_market(
        rows,
        xrefs=xrefs or [],
        reference={"perp_symbol": reviewed or []},
        raw={"perp_listing_daily": listings, "perp_daily": closes or [], **(raw or {})},
        only=MODELS,
    )


def row_of(market: Result, symbol: str, day: date = DAY) -> Row:
    (row,) = market.rows("staging.perp_symbol_map", perp_symbol=symbol, market_date=day)
    return row


@pytest.mark.parametrize("multiplier", [1, 1000, 10_000, 1_000_000])
@pytest.mark.parametrize("slip", [0.96, 1.0, 1.04])
def test_multiplier_is_told_by_the_price(multiplier: int, slip: float) -> None:
    with mapped(
        {"coin": [0.0123]}, [listed("XUSDT", "coin", 0.0123 * multiplier * slip)]
    ) as market:
        row = row_of(market, "XUSDT")
    assert (row["coin_id"], row["multiplier"], row["method"]) == ("coin", multiplier, "price")
    assert row["price_deviation_fraction"] == pytest.approx(abs(slip - 1))


@pytest.mark.parametrize("factor", [0.1, 0.94, 1.06, 100, 1060])
def test_price_that_fits_no_multiplier_is_unmapped(factor: float) -> None:
    with mapped({"coin": [2.0]}, [listed("1000XUSDT", "coin", 2.0 * factor)]) as market:
        row = row_of(market, "1000XUSDT")
    assert (row["coin_id"], row["multiplier"], row["method"]) == (None, None, "unmapped")


def test_name_decides_nothing() -> None:
    listings = [
        listed("1INCHUSDT", "1inch", 0.2),
        listed("1000SATSUSDT", "1000sats", 0.0002),
        listed("1000CATUSDT", "simons-cat", 0.02),
        listed("PEPE2USDT", "pepe", 0.01),
    ]
    prices = {"1inch": [0.2], "1000sats": [0.0002], "simons-cat": [0.00002], "pepe": [0.00001]}
    with mapped({coin: [*given] for coin, given in prices.items()}, listings) as market:
        found = {row["perp_symbol"]: row["multiplier"] for row in market.rows(MODELS[0])}
    assert found == {"1INCHUSDT": 1, "1000SATSUSDT": 1, "1000CATUSDT": 1000, "PEPE2USDT": 1000}


def test_reviewed_row_wins_over_vendor_and_price() -> None:
    reviewed = [
        {"venue": "binance", "perp_symbol": "XUSDT", "coin_id": "right", "multiplier": 1},
        {"venue": "bybit", "perp_symbol": "YUSDT", "coin_id": "right", "multiplier": 1},
    ]
    listings = [listed("XUSDT", "wrong", 5.0), listed("YUSDT", "wrong", 5.0)]
    with mapped({"wrong": [5.0], "right": [7.0]}, listings, reviewed=reviewed) as market:
        row, other = row_of(market, "XUSDT"), row_of(market, "YUSDT")
    assert (row["coin_id"], row["method"]) == ("right", "reviewed")
    assert row["price_deviation_fraction"] == pytest.approx(2 / 7)
    assert (other["coin_id"], other["method"]) == ("wrong", "price")


def test_reviewed_row_counts_while_it_is_valid() -> None:
    days = [DAY - timedelta(days=back) for back in (2, 1, 0)]
    reviewed = [
        {
            "venue": "binance",
            "perp_symbol": "LUNAUSDT",
            "coin_id": "terra-classic",
            "multiplier": 1,
            "valid_to": days[1],
        },
        {
            "venue": "binance",
            "perp_symbol": "LUNAUSDT",
            "coin_id": "terra",
            "multiplier": 1,
            "valid_from": days[1],
        },
    ]
    closes = [closed("LUNAUSDT", 1.0, market_date=day) for day in days]
    with mapped({"bitcoin": [1.0]}, [], closes=closes, reviewed=reviewed) as market:
        found = [row["coin_id"] for row in market.rows(MODELS[0])]
    assert found == ["terra-classic", "terra", "terra"]


def test_reviewed_coin_without_multiplier_gets_it_from_the_price() -> None:
    reviewed = [{"venue": "binance", "perp_symbol": "XUSDT", "coin_id": "coin"}]
    with mapped({"coin": [0.5]}, [listed("XUSDT", None, 500.0)], reviewed=reviewed) as market:
        row = row_of(market, "XUSDT")
    assert (row["coin_id"], row["multiplier"], row["method"]) == ("coin", 1000, "price")


def test_what_is_no_coin_is_neither_mapped_nor_counted() -> None:
    reviewed = [{"venue": "binance", "perp_symbol": "XAUUSDT"}]
    listings = [
        listed("XAUUSDT", "gold", 4000.0, open_interest_usd=1e9),
        listed("BTCUSDT", "bitcoin", 100.0),
    ]
    prices: dict[str, list[float | None]] = {"gold": [4000.0], "bitcoin": [100.0]}
    with mapped(prices, listings, reviewed=reviewed) as market:
        row = row_of(market, "XAUUSDT")
        (day,) = market.rows(MODELS[1])
        assert market.run_audit("perp_symbols_are_mapped") == []
    assert (row["coin_id"], row["multiplier"], row["method"]) == (None, None, "no coin")
    assert (day["perp_count"], day["open_interest_usd"]) == (1, 1e6)


def test_vendor_id_is_read_through_the_cross_reference_of_its_day() -> None:
    xrefs = [{"source": "coingecko", "source_coin_id": "ripple", "coin_id": "xrp"}]
    with mapped({"xrp": [2.0]}, [listed("XRPUSDT", "ripple", 2.0)], xrefs=xrefs) as market:
        assert row_of(market, "XRPUSDT")["coin_id"] == "xrp"


def test_close_counts_more_than_the_listing() -> None:
    closes = [closed("XUSDT", 3000.0)]
    with mapped({"coin": [3.0]}, [listed("XUSDT", "coin", 3.0)], closes=closes) as market:
        assert row_of(market, "XUSDT")["multiplier"] == 1000


def test_days_before_the_first_listing_are_told_by_it() -> None:
    closes = [closed("XUSDT", 3000.0, market_date=DAY - timedelta(days=2))]
    with mapped({"coin": [3.0] * 3}, [listed("XUSDT", "coin", 3000.0)], closes=closes) as market:
        row = row_of(market, "XUSDT", DAY - timedelta(days=2))
    assert (row["coin_id"], row["multiplier"]) == ("coin", 1000)


def test_symbol_given_to_another_coin_changes_with_the_listing() -> None:
    days = [DAY - timedelta(days=back) for back in (2, 1, 0)]
    listings = [
        listed("XUSDT", coin, 3.0, market_date=day)
        for coin, day in zip(("old", "old", "new"), days, strict=True)
    ]
    with mapped({"old": [3.0] * 3, "new": [3.0] * 3}, listings) as market:
        assert [row["coin_id"] for row in market.rows(MODELS[0])] == ["old", "old", "new"]


def ratio(symbol: str, day: date) -> Row:
    return {
        "market_date": day,
        "source": "binance_vision",
        "venue": "binance",
        "perp_symbol": symbol,
        "long_short_account_ratio": 1.1,
        "known_at": seen_at(day),
        "run_id": "night",
        "vintage": "live",
    }


@pytest.mark.parametrize(("gap_days", "method"), [(1, "recent price"), (8, "unmapped")])
def test_day_without_price_keeps_what_recent_prices_said(gap_days: int, method: str) -> None:
    before = DAY - timedelta(days=gap_days)
    with mapped(
        {"coin": [3.0] * 10},
        [listed("XUSDT", "coin", 3000.0, market_date=before)],
        raw={"positioning_daily": [ratio("XUSDT", DAY)]},
    ) as market:
        row = row_of(market, "XUSDT")
    assert row["method"] == method
    assert (row["coin_id"], row["multiplier"]) == (
        ("coin", 1000) if method == "recent price" else (None, None)
    )


@pytest.mark.parametrize(("price", "method"), [(4.4, "recent price"), (6.0, "unmapped")])
def test_crash_keeps_the_coin_but_another_price_altogether_does_not(
    price: float, method: str
) -> None:
    listings = [
        listed("XUSDT", "coin", 3.0, market_date=DAY - timedelta(days=1)),
        listed("XUSDT", "coin", price),
    ]
    with mapped({"coin": [3.0, 3.0]}, listings) as market:
        row = row_of(market, "XUSDT")
        (day,) = market.rows(MODELS[1], market_date=DAY)
    assert row["method"] == method
    assert day["unmapped_perp_count"] == 1


def test_latest_word_of_a_listing_counts() -> None:
    listings = [
        listed("XUSDT", "wrong", 3.0),
        listed("XUSDT", "right", 3.0, known_at=seen_at(DAY, hours=3)),
    ]
    with mapped({"wrong": [3.0], "right": [3.0]}, listings) as market:
        assert row_of(market, "XUSDT")["coin_id"] == "right"


def shares(unmapped_usd: float) -> list[Row]:
    return [
        listed("AUSDT", "coin", 3.0, open_interest_usd=1e8 - unmapped_usd),
        listed("BUSDT", None, 5.0, open_interest_usd=unmapped_usd),
    ]


@pytest.mark.parametrize(("unmapped_usd", "breaks"), [(2e6, False), (2.01e6, True)])
def test_audit_warns_beyond_two_percent_of_open_interest(unmapped_usd: float, breaks: bool) -> None:
    with mapped({"coin": [3.0]}, shares(unmapped_usd)) as market:
        (day,) = market.rows(MODELS[1])
        assert day["unmapped_open_interest_fraction"] == pytest.approx(unmapped_usd / 1e8)
        assert (day["perp_count"], day["unmapped_perp_count"]) == (2, 1)
        assert bool(market.run_audit("perp_symbols_are_mapped")) == breaks


def test_audit_warns_of_a_reviewed_row_that_the_price_contradicts() -> None:
    reviewed = [{"venue": "binance", "perp_symbol": "AUSDT", "coin_id": "coin", "multiplier": 1}]
    with mapped({"coin": [3.0]}, [listed("AUSDT", None, 3000.0)], reviewed=reviewed) as market:
        (broken,) = market.run_audit("perp_symbols_are_mapped")
    assert broken["unmapped_open_interest_fraction"] == 1


def test_audit_looks_at_the_last_day_only() -> None:
    listings = [
        listed("AUSDT", None, 3.0, market_date=DAY - timedelta(days=1)),
        listed("AUSDT", "coin", 3.0),
    ]
    with mapped({"coin": [3.0, 3.0]}, listings) as market:
        assert len(market.rows(MODELS[1])) == 2
        assert market.run_audit("perp_symbols_are_mapped") == []


def test_venue_without_open_interest_has_no_share() -> None:
    with mapped({"coin": [3.0]}, [], raw={"positioning_daily": [ratio("XUSDT", DAY)]}) as market:
        (day,) = market.rows(MODELS[1])
        assert (day["unmapped_perp_count"], day["unmapped_open_interest_fraction"]) == (1, None)
        assert market.run_audit("perp_symbols_are_mapped") == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.floats(1e-9, 1e6),
            st.sampled_from([1, 10, 100, 1000, 10_000, 100_000, 1_000_000]),
            st.floats(0.5, 2.0),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_is_told_by_price_agrees_with_it(perps: list[tuple[float, int, float]]) -> None:
    prices: dict[str, list[float | None]] = {
        f"coin-{number}": [price] for number, (price, _, _) in enumerate(perps)
    }
    listings = [
        listed(f"X{number}USDT", f"coin-{number}", price * factor * slip)
        for number, (price, factor, slip) in enumerate(perps)
    ]
    with mapped(prices, listings) as market:
        rows = {row["perp_symbol"]: row for row in market.rows(MODELS[0])}
    for number, (price, factor, slip) in enumerate(perps):
        row = rows[f"X{number}USDT"]
        fitting = {
            multiplier
            for multiplier in (1, 1000, 10_000, 1_000_000)
            if abs(price * factor * slip / (multiplier * price) - 1) < 0.05 - 1e-9
        }
        if row["method"] == "price":
            assert row["multiplier"] in (1, 1000, 10_000, 1_000_000)
            assert row["price_deviation_fraction"] < 0.05
        else:
            assert fitting == set()


def test_seed_covers_the_large_perpetuals_and_knows_the_traps() -> None:
    rows = shipped_rows("reference.perp_symbol")
    binance = [row for row in rows if row["venue"] == "binance"]
    assert len({row["perp_symbol"] for row in binance}) >= 60
    last = {row["perp_symbol"]: row for row in binance if row["valid_to"] is None}
    assert (last["1000PEPEUSDT"]["coin_id"], last["1000PEPEUSDT"]["multiplier"]) == ("pepe", 1000)
    assert last["1INCHUSDT"]["multiplier"] == 1
    assert "MATICUSDT" not in last
    assert last["LUNA2USDT"]["coin_id"] == "terra"
    assert last["1000LUNCUSDT"]["coin_id"] == "terra-classic"


def test_seed_is_sorted_consistent_and_never_overlaps() -> None:
    rows = shipped_rows("reference.perp_symbol")
    keys = [(r["venue"], r["perp_symbol"], r["valid_from"] or date.min) for r in rows]
    assert keys == sorted(set(keys))
    known = {row["coin_id"] for row in shipped_rows("reference.asset_class")}
    for row in rows:
        assert (row["coin_id"] is None) == (row["multiplier"] is None)
        assert row["coin_id"] is None or row["coin_id"] in known
        assert row["multiplier"] in (None, 1, 1000, 10_000, 1_000_000)
        assert (row["valid_from"] or date.min) < (row["valid_to"] or date.max)
    for before, after in pairwise(rows):
        if (before["venue"], before["perp_symbol"]) == (after["venue"], after["perp_symbol"]):
            assert before["valid_to"] is not None
            assert before["valid_to"] <= after["valid_from"]
