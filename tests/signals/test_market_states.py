"""The kind of market, the strength of a coin, and the days that the market's figures mark."""

from __future__ import annotations

import random
from datetime import date, timedelta

import numpy as np
import pytest
from given_tables import build, days_from, percentile_of_last

FIRST = date(2023, 11, 1)
REGIMES = "signals.regime_daily"
STRENGTHS = "signals.coin_strength_daily"
EVENTS = "signals.market_signal_event"


def regimes(levels: list[float], volatilities: list[float] | None = None) -> list[dict]:
    high, rows = 0.0, []
    for n, (day, level) in enumerate(zip(days_from(FIRST, len(levels)), levels, strict=True)):
        high = max(high, level)
        rows.append(
            {
                "market_date": day,
                "profile": "house",
                "index_id": "top100",
                "level": level,
                "drawdown_fraction": level / high - 1,
                "volatility_30d_fraction": volatilities[n] if volatilities else None,
            }
        )
    launches = [
        {"event_date": date(2024, 1, 11), "event_kind": "etp_launch", "subject": "bitcoin"},
        {"event_date": date(2024, 7, 23), "event_kind": "etp_launch", "subject": "ethereum"},
    ]
    ratios = [
        {"market_date": row["market_date"], "profile": "house", "pair_id": "a", "ratio": 1.0}
        for row in rows
    ]
    given = {
        "indices.index_statistic_daily": rows,
        "indices.index_pair_daily": ratios,
        "reference.event_calendar": launches,
    }
    with build(REGIMES, given) as built:
        return built.rows(REGIMES)


def test_bull_and_bear_need_both_the_average_and_the_high() -> None:
    rising, cliff, low = list(np.linspace(50, 200, 250)), [155.0], [90.0] * 10
    back = [140.0]  # above the average by then, and 30 % below the high
    told = regimes([*rising, *cliff, *low, *[120.0] * 200, *back])
    states = [row["trend_state"] for row in told]
    assert set(states[:159]) == {"insufficient"}
    assert set(states[159:250]) == {"bull"}
    # 155 is 22 % below the high but above the average of 200 days, 140
    assert told[250]["average_200d_level"] == pytest.approx(np.mean([*rising[-199:], 155]))
    assert states[250] == "mixed"
    assert set(states[251:261]) == {"bear"}
    assert states[-1] == "mixed"


def test_wild_and_calm_are_by_the_days_own_past() -> None:
    chance = random.Random(3)
    volatilities = [chance.random() for _ in range(400)]
    told = regimes([100.0] * 400, [*volatilities[:-1], 0.99])
    assert told[363]["volatility_state"] == "insufficient"
    assert told[-1]["volatility_percentile_pct"] == pytest.approx(
        percentile_of_last([*volatilities[:-1], 0.99])
    )
    assert told[-1]["volatility_state"] == "wild"
    assert regimes([100.0] * 400, [*volatilities[:-1], 0.01])[-1]["volatility_state"] == "calm"


def test_products_are_known_from_their_first_day() -> None:
    told = {row["market_date"]: row["etp_regime"] for row in regimes([100.0] * 300)}
    assert told[FIRST] == "unknown"
    assert told[date(2024, 1, 10)] == "pre_etp"
    assert told[date(2024, 1, 11)] == told[date(2024, 7, 22)] == "btc_etp"
    assert told[date(2024, 7, 23)] == "btc_eth_etp"


def strengths(prices: list[float | None]) -> dict[int, float | None]:
    rows, before = [], None
    for n, price in enumerate(prices):
        if price is not None:
            rows.append(
                {
                    "market_date": FIRST + timedelta(days=n),
                    "coin_id": "bitcoin",
                    "price_usd": price,
                    "return_1d_fraction": None if before is None else price / before - 1,
                    "stale_days": 0,
                }
            )
        before = price
    with build(STRENGTHS, {"signals.coin_return_daily": rows}) as built:
        found = built.rows(STRENGTHS)
    return {(row["market_date"] - FIRST).days: row["strength_14d_score"] for row in found}


def test_strength_is_the_mean_rise_over_the_mean_move() -> None:
    prices = [100.0, 102, 101, 104, 103, 103, 107, 106, 109, 108, 110, 112, 111, 115, 116]
    moves = np.diff(prices)
    expected = 100 * moves[moves > 0].sum() / np.abs(moves).sum()
    assert strengths(prices) == {14: pytest.approx(expected)}


@pytest.mark.parametrize(("step", "expected"), [(1.0, 100), (-1.0, 0)])
def test_strength_of_a_coin_that_only_moves_one_way(step: float, expected: float) -> None:
    assert strengths([100 + step * n for n in range(15)]) == {14: pytest.approx(expected)}


def test_strength_needs_all_fourteen_moves_and_a_price_that_moves() -> None:
    assert strengths([100.0 + n for n in range(14)]) == {}
    gap: list[float | None] = [100.0 + n for n in range(30)]
    gap[20] = None
    assert set(strengths(gap)) == set(range(14, 20))
    assert strengths([100.0] * 15) == {14: None}


def test_days_that_the_markets_figures_mark() -> None:
    days = days_from(FIRST, 6)
    states = ["mixed", "altcoin_season", "altcoin_season", "mixed", "bitcoin_season", "mixed"]
    scores = [21, 20, 15, 79, 80, 90]
    given = {
        "signals.altcoin_season_daily": [
            {"market_date": day, "variant_id": variant, "state": state}
            for variant in ("top100_90d", "top50_90d")
            for day, state in zip(days, states, strict=True)
        ],
        "signals.external_sentiment_daily": [
            {"market_date": day, "source": "vendor", "score": float(score), "stale_days": 0}
            for day, score in zip(days, scores, strict=True)
        ]
        + [{"market_date": days[-1], "source": "late", "score": 1.0, "stale_days": 1}],
        "signals.market_event_span": [{"event_id": "crash", "start_date": days[2]}],
    }
    with build(EVENTS, given) as built:
        told = [tuple(row.values()) for row in built.rows(EVENTS)]
    assert told == [
        (days[1], "altcoin_season_begins", "top100_90d"),
        (days[1], "fear_begins", "vendor"),
        (days[2], "market_crash", "top100"),
        (days[4], "bitcoin_season_begins", "top100_90d"),
        (days[4], "greed_begins", "vendor"),
    ]


def test_first_day_of_a_history_begins_nothing() -> None:
    given = {
        "signals.altcoin_season_daily": [
            {"market_date": FIRST, "variant_id": "top100_90d", "state": "altcoin_season"}
        ],
        "signals.external_sentiment_daily": [
            {"market_date": FIRST, "source": "vendor", "score": 5.0, "stale_days": 0}
        ],
        "signals.market_event_span": [],
    }
    with build(EVENTS, given) as built:
        assert built.rows(EVENTS) == []


def test_high_within_the_day_is_that_of_the_perpetual_traded_most() -> None:
    days = days_from(FIRST, 2)
    given = {
        "staging.coin_price_daily": [
            {"market_date": day, "coin_id": "bitcoin", "price_usd": 100.0, "is_held": False}
            for day in days
        ],
        "staging.perp_daily": [
            {
                "market_date": days[0],
                "venue": "binance",
                "perp_symbol": symbol,
                "high_usd": high,
                "volume_usd": volume,
            }
            for symbol, high, volume in (
                ("BTCUSDT", 103.0, 9e9),
                ("BTCUSDC", 150.0, 1e3),
                ("BTCDOMUSDT", 999.0, 9e10),
                ("KBTCUSDT", 999.0, 9e10),
            )
        ],
        "staging.perp_symbol_map": [
            {
                "market_date": days[0],
                "venue": "binance",
                "perp_symbol": symbol,
                "coin_id": coin_id,
                "multiplier": multiplier,
            }
            for symbol, coin_id, multiplier in (
                ("BTCUSDT", "bitcoin", 1),
                ("BTCUSDC", "bitcoin", 1),
                ("BTCDOMUSDT", None, None),
                ("KBTCUSDT", "bitcoin", 1000),
            )
        ],
    }
    with build("signals.bitcoin_daily", given) as built:
        told = built.rows("signals.bitcoin_daily")
    assert [row["perp_high_usd"] for row in told] == [103.0, None]
