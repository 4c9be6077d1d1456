"""Claims that take several rows: each is met by one set of rows and missed by another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from harness import Row, shipped_rows
from test_claims import EVE, FLIPS, SUNDAY, check

Given = dict[str, list[Row]]
BEFORE = date(2025, 10, 9)
MET = {"confirmed", "confirmed_with_caveat"}
MISSED = {"refuted", "not_confirmed"}


def members(small_count: int) -> Given:
    counts = {"large": 20, "mid": 30, "small": small_count}
    rows = [
        {
            "profile": "mv_compat",
            "index_id": index_id,
            "effective_date": date(2025, 11, 1),
            "coin_id": f"{index_id}-{n}",
        }
        for index_id, count in counts.items()
        for n in range(count)
    ]
    return {"indices.constituent": rows}


def rises(small_growth: float) -> Given:
    """Four rises of the top 100, in which large doubles and small grows by this."""
    turns, levels = [], []
    for n in range(8):
        day, is_peak = date(2020, 2, 1) + timedelta(days=30 * n), n % 2 == 1
        turns.append(
            {
                "series_id": "top100",
                "pivot_date": day,
                "pivot_kind": "peak" if is_peak else "trough",
                "level": 200.0 if is_peak else 100.0,
            }
        )
        for index_id, growth in (("large", 2.0), ("small", small_growth)):
            level = 100.0 * growth if is_peak else 100.0
            levels.append(
                {"market_date": day, "profile": "house", "index_id": index_id, "level": level}
            )
    return {"signals.turning_point": turns, "indices.index_level_daily": levels}


def regime(distance_days: int) -> Given:
    key = {"pair_id": "small_over_large", "as_of_date": date(2025, 10, 31)}
    return {
        "signals.regime_statistic": [key | {"regime": "post_etp", "difference_hac_t_value": -3.0}],
        "signals.regime_break": [
            key
            | {
                "distance_days": distance_days,
                "p_value": 0.01,
                "break_date": date(2024, 1, 11) + timedelta(days=distance_days),
            }
        ],
    }


def five_years(profile: str, small: float, large: float) -> Given:
    rows = [
        {
            "profile": profile,
            "index_id": index_id,
            "market_date": SUNDAY,
            "return_5y_fraction": value,
        }
        for index_id, value in (("small", small), ("large", large))
    ]
    return {"indices.index_statistic_daily": rows}


def breadth(share: float, dispersion: float = 0.3) -> Given:
    """Return coins that beat Bitcoin, and how far they go apart; before 2024 it was 0.2.

    A wild month before 2024 makes the mean of then the larger one, and the median no larger.
    """
    days = [date(2023, 6, 1) + timedelta(days=n) for n in range(800)]
    rows = [
        {
            "index_id": "top100",
            "market_date": day,
            "beating_btc_90d_fraction": share,
            "dispersion_30d_fraction": dispersion
            if day >= date(2024, 1, 11)
            else 9.0
            if day < date(2023, 7, 1)
            else 0.2,
        }
        for day in days
    ]
    return {"signals.breadth_daily": rows}


def totals(first_loss_day: int) -> Given:
    rows = [
        {
            "source": "own_top100",
            "market_date": date(2025, 10, 6) + timedelta(days=n),
            "drawdown_usd": 1.1e12 if n >= first_loss_day else 1e11,
        }
        for n in range(42)
    ]
    return {"signals.market_cap_daily": rows}


def recovery(total: float, recovered_date: date | None = None) -> Given:
    rows = [
        {"source": "own_top100", "market_date": day, "total_market_cap_usd": value}
        for day, value in ((BEFORE, 4e12), (SUNDAY, total))
    ]
    event = {"start_date": date(2025, 10, 10), "recovered_date": recovered_date}
    return {"signals.market_cap_daily": rows, "signals.market_event": [event]}


def aversion(after: float) -> Given:
    days = [date(2025, 8, 1) + timedelta(days=n) for n in range(108)]
    rows = [
        {"market_date": day, "percentile_pct": after if day > date(2025, 10, 10) else 30.0}
        for day in days
    ]
    return {"signals.risk_aversion_daily": rows}


def falls(mid: float) -> Given:
    """Small loses half, large a tenth, mid this."""
    rows = [
        {"profile": "house", "index_id": index_id, "market_date": day, "level": level}
        for index_id, left in (("small", 0.5), ("mid", 1 - mid), ("large", 0.9))
        for day, level in ((BEFORE, 100.0), (SUNDAY, 100 * left))
    ]
    return {"indices.index_level_daily": rows}


def records(count: int) -> Given:
    rows = [
        {
            "ticker": "RUT",
            "is_proxy": False,
            "session_date": date(2026, 1, 2) + timedelta(days=n),
            "is_record_close": n < count,
        }
        for n in range(11)
    ]
    return {"signals.equity_index_daily": rows}


def run_since(year: int) -> Given:
    row = {
        "pair_id": "rut_over_spx",
        "session_date": date(2026, 1, 14),
        "streak_sessions": 9,
        "streak_longest_since_date": date(year, 6, 1),
    }
    return {"signals.equity_pair_daily": [row]}


def study(kind: str, subject: str, horizon: int, target: str) -> Callable[..., Given]:
    def rows(difference: float | None, p_value: float | None, count: int = 20) -> Given:
        row = {
            "as_of_date": date(2025, 12, 31),
            "event_kind": kind,
            "subject": subject,
            "horizon_days": horizon,
            "target_id": target,
            "event_count": count,
            "difference_fraction": difference,
            "p_value": p_value,
        }
        newer = row | {"as_of_date": date(2026, 1, 31), "difference_fraction": 9.9}
        return {"signals.event_study": [row, newer]}

    return rows


streaks = study("small_cap_streak", "rut_over_spx", 30, "top100_ex_btc")
record_days = study("equity_record", "RUT", 90, "top100_new_record")


def gains(rising_count: int) -> Given:
    day = date(2026, 1, 16)
    basket = [
        {
            "market_date": day,
            "index_id": "top100_ex_btc",
            "coin_id": f"coin-{n}",
            "is_fresh": True,
            "price_usd": 1.0,
        }
        for n in range(50)
    ]
    prices = [
        {
            "market_date": day + timedelta(days=days),
            "coin_id": f"coin-{n}",
            "price_usd": 1.3 if n < rising_count else 1.1,
        }
        for n in range(50)
        for days in (10, 20)
    ]
    return {"signals.member_daily": basket, "staging.coin_price_daily": prices}


def positions(column: str, of: Callable[[int], float]) -> Given:
    rows = [
        {
            "market_date": EVE - timedelta(days=n % 300),
            "venue": "pooled",
            "coin_id": f"coin-{n}",
            "long_short_account_ratio": 1.5 if n % 2 else 0.5,
            column: of(n),
        }
        for n in range(1000)
    ]
    return {"signals.positioning_asset_daily": rows}


def quality_of(signal_id: str, entity: str, target: str, horizon: int) -> Callable[..., Given]:
    def rows(correlation: float, p_value: float = 0.01) -> Given:
        row = {
            "signal_id": signal_id,
            "entity": entity,
            "target_id": target,
            "horizon_days": horizon,
            "sample": "all",
            "bucket": "all",
            "observation_count": 500,
            "rank_information": correlation,
            "p_value_adjusted": p_value,
        }
        return {"signals.signal_quality": [row]}

    return rows


tilt = quality_of("S23", "market", "small_volatility", 7)
long_breadth = quality_of("S22", "top100_ex_btc", "small", 30)
net_flow = quality_of("S28M", "binance", "top100_ex_btc", 30)


def turnover(ratio: float) -> Given:
    drawdowns, turnovers = [], []
    for n in range(300):
        day = EVE - timedelta(days=n)
        for place in range(12):
            key = {"market_date": day, "coin_id": f"coin-{place}"}
            is_deep = place < 6
            drawdowns.append(key | {"drawdown_fraction": -0.9 if is_deep else -0.2})
            turnovers.append(key | {"turnover_fraction": 0.1 * (ratio if is_deep else 1.0)})
    return {"signals.drawdown_asset_daily": drawdowns, "signals.coin_turnover_daily": turnovers}


def flows(leaving_count: int) -> Given:
    key = {"market_date": EVE, "exchange": "binance", "token_kind": "coin"}
    rows = [
        key
        | {
            "coin_id": f"coin-{n}",
            "token_symbol": f"C{n}",
            "flow_7d_units": -5.0 if n < leaving_count else 5.0,
        }
        for n in range(12)
    ]
    lost = [
        {"market_date": EVE, "coin_id": f"coin-{n}", "drawdown_fraction": -0.85} for n in range(12)
    ]
    return {"signals.exchange_flow_asset_daily": rows, "signals.drawdown_asset_daily": lost}


def named_flows(enj: float, link: float) -> Given:
    key = {"market_date": EVE, "exchange": "binance"}
    rows = [
        key | {"token_symbol": symbol, "flow_7d_units": units}
        for symbol, units in (("ENJ", enj), ("LINK", link), ("FET", 9.0))
    ]
    return {"signals.exchange_flow_asset_daily": rows}


def equity_returns(size: float) -> Given:
    rows = [
        {
            "pair_id": "rut_over_spx",
            "session_date": date(2026, 1, 16) - timedelta(days=n),
            "numerator_return_fraction": size * (-1) ** n,
            "denominator_return_fraction": 0.01 * (-1) ** n,
        }
        for n in range(252)
    ]
    return {"signals.equity_pair_daily": rows}


def mood(score: float, before: float | None = 11.0) -> Given:
    rows = [
        {"market_date": day, "source": "alternative_me", "stale_days": 0, "score": value}
        for day, value in ((EVE - timedelta(days=30), before), (EVE, score))
    ]
    return {"signals.external_sentiment_daily": rows}


def bitcoin_high(close: float, perp_high: float | None) -> Given:
    row = {"market_date": EVE, "price_usd": close, "perp_high_usd": perp_high}
    return {"signals.bitcoin_daily": [row]}


def lows(profile: str, since: date) -> Given:
    row = {
        "profile": profile,
        "index_id": "small",
        "market_date": SUNDAY,
        "low_since_date": since,
    }
    return {"indices.index_statistic_daily": [row]}


CASES: list[tuple[str, Given, Given]] = [
    ("A1", lows("house", date(2020, 11, 3)), lows("house", date(2025, 11, 4))),
    ("A1M", lows("mv_compat", date(2020, 11, 3)), lows("mv_compat", date(2025, 11, 4))),
    ("A2", members(50), members(49)),
    ("A5", rises(3.0), rises(1.5)),
    ("A6", regime(30), regime(-700)),
    ("A7", five_years("mv_compat", -0.08, 3.8), five_years("mv_compat", 2.0, 3.8)),
    ("A7H", five_years("house", -0.08, 3.8), five_years("house", 2.0, 3.8)),
    ("A7L", five_years("mv_compat", -0.08, 3.8), five_years("mv_compat", -0.08, 1.0)),
    ("A7S", five_years("mv_compat", -0.08, 3.8), five_years("mv_compat", 3.0, 3.8)),
    ("A8", breadth(0.3), breadth(0.7)),
    ("A8", breadth(0.3), breadth(0.3, 0.19)),
    ("A10D", totals(30), totals(40)),
    ("A11", recovery(3e12), recovery(5e12)),
    ("A11", recovery(3e12), recovery(3e12, date(2025, 11, 1))),
    ("A12", aversion(70.0), aversion(35.0)),
    ("A13", falls(0.3), falls(0.05)),
    ("B3", records(1), records(0)),
    ("B6L", run_since(2017), run_since(2008)),
    ("B7", streaks(0.1, 0.01), streaks(0.1, 0.5)),
    ("B7", streaks(0.1, 0.01), streaks(None, None, 2)),
    ("B9", record_days(0.1, 0.01), record_days(-0.2, 0.01)),
    ("B9", record_days(0.1, 0.01), record_days(0.1, 0.01, 9)),
    ("B10A", gains(30), gains(5)),
    ("B10B", gains(30), gains(5)),
    ("B10C", gains(30), gains(5)),
    (
        "B12",
        positions("top_position_ratio", lambda n: 2.0 if n % 2 else 0.4),
        positions("top_position_ratio", lambda n: 2.0),
    ),
    ("B14", tilt(-0.2), tilt(0.2)),
    ("B14", tilt(-0.2), tilt(-0.2, 0.5)),
    ("B15", long_breadth(0.2), long_breadth(0.2, 0.5)),
    ("B17", turnover(0.5), turnover(2.0)),
    ("B18", flows(9), flows(3)),
    ("B20", named_flows(-1.0, -1.0), named_flows(-1.0, 1.0)),
    ("B21", net_flow(-0.2), net_flow(0.2)),
    ("B2", bitcoin_high(95_000.0, 97_900.0), bitcoin_high(97_000.0, 99_000.0)),
    ("B2", bitcoin_high(97_000.0, None), bitcoin_high(95_000.0, None)),
    ("B22", mood(61.0), mood(40.0)),
    ("B22", mood(61.0), mood(61.0, 70.0)),
    ("B22", mood(61.0), mood(61.0, None)),
    ("B23", equity_returns(0.02), equity_returns(0.005)),
    (
        "B24",
        positions("taker_buy_sell_ratio", lambda n: 1.2 if n % 2 else 0.8),
        positions("taker_buy_sell_ratio", lambda n: 1.2 if n % 3 else 0.8),
    ),
]


@pytest.mark.parametrize(
    ("claim_id", "met", "missed"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_claim_turns_with_its_rows(claim_id: str, met: Given, missed: Given) -> None:
    held, broken = check(claim_id, met), check(claim_id, missed)
    assert held["verdict"] in MET, held
    assert broken["verdict"] in MISSED, broken
    assert broken["input_count"] > 0


def test_every_claim_is_turned_by_a_test() -> None:
    turned: set[Any] = {case[0] for case in CASES} | {case[0] for case in FLIPS}
    quarter = {"B1"}  # test_forecast_of_a_record_resolves_at_the_end_of_the_quarter
    assert turned | quarter == {row["claim_id"] for row in shipped_rows("reference.claim")}
