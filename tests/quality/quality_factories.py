"""Good frames of every dataset, with overrides, and a gate call that needs no ceremony."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pipeline.datasets import Dataset, get_dataset
from pipeline.quality.gate import GateContext, GateReport, run_gate
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.raw_frames import FRAMES
from pipeline.sessions import is_session

MARKET_DATE = date(2026, 3, 11)
DAY_BEFORE = MARKET_DATE - timedelta(days=1)
ROW_COUNT = 120


def market_frame(rows: int = ROW_COUNT, **overrides: Any) -> pd.DataFrame:
    """Return one row per coin of the market date; an override replaces a column."""
    number = np.arange(1, rows + 1)
    price = 100.0 / number
    frame = pd.DataFrame(
        {
            "market_date": MARKET_DATE,
            "source": "coingecko",
            "coin_id": [f"coin-{n}" for n in number],
            "symbol": [f"C{n}" for n in number],
            "name": [f"Coin {n}" for n in number],
            "price_usd": price,
            "market_cap_usd": price * 1e6,
            "circulating_supply": 1e6,
            "volume_24h_usd": 5e4,
            "provider_rank": number,
        }
    )
    return frame.assign(**overrides)


def previous_market_frame(**overrides: Any) -> pd.DataFrame:
    """Return the night before: every price 1 % lower."""
    frame = market_frame()
    values = {
        "market_date": DAY_BEFORE,
        "price_usd": frame["price_usd"] * 0.99,
        "market_cap_usd": frame["market_cap_usd"] * 0.99,
    }
    return frame.assign(**(values | overrides))


def equity_frame(sessions: int = 20) -> pd.DataFrame:
    """Return daily closes of three tickers on the sessions up to the market date."""
    days = [MARKET_DATE - timedelta(days=n) for n in range(2 * sessions)]
    days = [day for day in days if is_session(day)][:sessions]
    parts = [
        pd.DataFrame(
            {
                "session_date": days,
                "source": "cboe",
                "ticker": ticker,
                "close_points": [level * (1 + 0.001 * n) for n in range(sessions)],
            }
        )
        for ticker, level in (("SPX", 6000.0), ("RUT", 2400.0), ("VIX", 20.0))
    ]
    return pd.concat(parts, ignore_index=True)


@cache
def _market() -> SimulatedMarket:
    return SimulatedMarket(7, MARKET_DATE - timedelta(days=100), MARKET_DATE, 160)


def dataset_frame(dataset: Dataset, days: int = 3) -> pd.DataFrame:
    """Return good rows of any dataset, of the last days or sessions up to the market date.

    They are of a simulated market, so that they agree with each other as real ones do.
    """
    frame = FRAMES[dataset.name](_market(), MARKET_DATE - timedelta(days=days - 1), MARKET_DATE)
    return frame[list(dataset.column_names)].reset_index(drop=True)


def changed(frame: pd.DataFrame, column: str, value: Any, row: int = 7) -> pd.DataFrame:
    """Return a copy with one cell replaced."""
    copy = frame.copy()
    copy.loc[row, column] = value
    return copy


def gate(frame: pd.DataFrame, dataset: str = "market_daily", **overrides: Any) -> GateReport:
    """Run the gate live on the market date unless told otherwise."""
    arguments: dict[str, Any] = {"market_date": MARKET_DATE, "mode": "live"}
    context = GateContext(
        **{
            name: overrides.pop(name)
            for name in ("recent_row_counts", "previous", "others", "max_quarantine_fraction")
            if name in overrides
        }
    )
    return run_gate(frame, get_dataset(dataset), context=context, **(arguments | overrides))


def failed_rules(report: GateReport) -> set[str]:
    """Return the ids of the rules that did not pass."""
    return {result.rule_id for result in report.results if not result.is_passed}
