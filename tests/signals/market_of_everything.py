"""A small market that has every kind of input, so that every signal table has rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import numpy as np
from given_tables import days_from, raw_row
from harness import Result, Row, observed, run_market, small_baskets

FIRST = date(2023, 6, 1)
DAY_COUNT = 560
STABLECOIN = "tether"
COINS = ("bitcoin", "ethereum", *(f"coin-{n}" for n in range(50)))
TICKERS = {"RUT": 2000.0, "SPX": 4000.0, "IWM": 200.0, "SPY": 400.0, "VIX": 20.0}


def raw_market(
    first: date = FIRST, day_count: int = DAY_COUNT, seed: int = 3
) -> dict[str, list[Row]]:
    """Return rows of every raw dataset that a signal reads, by dataset."""
    chance = np.random.default_rng(seed)
    days = days_from(first, day_count)

    def walk(start: float, volatility: float) -> np.ndarray:
        return start * np.exp(volatility * chance.standard_normal(day_count).cumsum())

    tables: dict[str, list[Row]] = {
        name: []
        for name in (
            "market_daily",
            "equity_daily",
            "positioning_daily",
            "open_interest_daily",
            "funding_daily",
            "perp_daily",
            "liquidation_daily",
            "exchange_balance_daily",
            "onchain_daily",
        )
    }
    for place, coin_id in enumerate(COINS):
        prices, held_units = walk(100.0, 0.04), walk(1e5, 0.004)
        supply = 1e8 / (place + 1)
        symbol = coin_id.upper().replace("-", "")
        perp = {"venue": "binance", "perp_symbol": f"{symbol}USDT"}
        for n, day in enumerate(days):
            price, lean = float(prices[n]), float(chance.normal(0.3 + 0.01 * place, 0.2))
            volume = float(price * supply * chance.uniform(0.01, 0.1))
            tables["market_daily"].append(
                observed(day, coin_id, price, supply, symbol=symbol, volume_24h_usd=volume)
            )
            perps = {
                "positioning_daily": {
                    "long_short_account_ratio": float(np.exp(lean)),
                    "top_account_ratio": 1.1,
                    "top_position_ratio": 1.2,
                    "taker_buy_sell_ratio": float(np.exp(lean / 5)),
                },
                "open_interest_daily": {
                    "open_interest_units": (units := float(chance.uniform(1e4, 1.1e4))),
                    "open_interest_usd": units * price,
                },
                "funding_daily": {"funding_rate_fraction": float(chance.normal(1e-4, 1e-4))},
                "perp_daily": {
                    "close_usd": price,
                    "high_usd": 1.02 * price,
                    "low_usd": 0.98 * price,
                    "volume_usd": volume,
                },
                "liquidation_daily": {
                    "long_usd": float(chance.lognormal(12, 1)),
                    "short_usd": float(chance.lognormal(12, 1)),
                },
            }
            for dataset, values in perps.items():
                tables[dataset].append(raw_row(day, "binance", **perp, **values))
            if place < 12:
                units = float(held_units[n])
                tables["exchange_balance_daily"].append(
                    raw_row(
                        day,
                        exchange="binance",
                        token_symbol=symbol,
                        balance_units=units,
                        balance_usd=units * price,
                    )
                )
            if place < 2:
                for metric, value in (
                    ("CapMVRVCur", float(chance.uniform(0.8, 2))),
                    ("FlowInExUSD", float(chance.uniform(1e8, 2e8))),
                    ("FlowOutExUSD", float(chance.uniform(1e8, 2e8))),
                    ("SplyExNtv", 2e6),
                    ("SplyExUSD", 2e6 * price),
                ):
                    tables["onchain_daily"].append(
                        raw_row(day, coin_id=coin_id, metric=metric, value=value)
                    )
    tethers = walk(1e9, 0.003)
    for n, day in enumerate(days):
        held = float(tethers[n])
        tables["market_daily"].append(observed(day, STABLECOIN, 1.0, 1e11, symbol="usdt"))
        tables["exchange_balance_daily"].append(
            raw_row(
                day, exchange="binance", token_symbol="USDT", balance_units=held, balance_usd=held
            )
        )
    for ticker, start in TICKERS.items():
        closes = walk(start, 0.012)
        tables["equity_daily"] += [
            {
                "session_date": day,
                "source": "cboe",
                "ticker": ticker,
                "close_points": float(closes[n]),
            }
            | {k: v for k, v in raw_row(day).items() if k in ("known_at", "run_id", "vintage")}
            for n, day in enumerate(days)
            if day.weekday() < 5
        ]
    total, stable = walk(2e12, 0.02), walk(2e11, 0.002)
    tables["global_daily"] = [
        raw_row(
            day,
            total_market_cap_usd=float(total[n]),
            btc_dominance_fraction=0.5,
            volume_24h_usd=1e11,
        )
        for n, day in enumerate(days)
    ]
    tables["stablecoin_daily"] = [
        raw_row(day, total_supply_usd=float(stable[n])) for n, day in enumerate(days)
    ]
    tables["sentiment_daily"] = [
        raw_row(day, source, score=float(chance.integers(5, 95)), label=None)
        for day in days
        for source in ("alternative_me", "cmc_fear_greed", "cmc_altcoin_season")
    ]
    return tables


def build_market(
    tables: Mapping[str, Sequence[Row]],
    only: Sequence[str],
    *,
    keep: Callable[[date], bool] = lambda _: True,
    threads: int = 1,
    is_split: bool = False,
    known_by: datetime | None = None,
) -> Result:
    """Run the shipped models on the rows of days that ``keep`` says yes to, known by then."""
    kept = {
        name: [row for row in rows if keep(row.get("market_date") or row["session_date"])]
        for name, rows in tables.items()
    }
    symbols = [
        {
            "venue": "binance",
            "perp_symbol": f"{coin_id.upper().replace('-', '')}USDT",
            "coin_id": coin_id,
            "multiplier": 1,
        }
        for coin_id in COINS
    ]
    return run_market(
        kept["market_daily"],
        asset_classes={STABLECOIN: "fiat_stablecoin"},
        rulebook_overrides=small_baskets(12, 30, 48, min_small_member_count=0),
        raw={name: rows for name, rows in kept.items() if name != "market_daily"},
        reference={"perp_symbol": symbols},
        only=only,
        threads=threads,
        is_split=is_split,
        known_by=known_by,
    )
