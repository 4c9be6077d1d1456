"""Good frames of every dataset, with overrides, and a gate call that needs no ceremony."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from pipeline.datasets import Dataset, get_dataset
from pipeline.quality.gate import GateContext, GateReport, run_gate

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
    """Return daily closes of three tickers up to the market date."""
    parts = [
        pd.DataFrame(
            {
                "session_date": [MARKET_DATE - timedelta(days=n) for n in range(sessions)],
                "source": "cboe",
                "ticker": ticker,
                "close_points": [level * (1 + 0.001 * n) for n in range(sessions)],
            }
        )
        for ticker, level in (("SPX", 6000.0), ("RUT", 2400.0), ("VIX", 20.0))
    ]
    return pd.concat(parts, ignore_index=True)


def dataset_frame(dataset: Dataset, rows: int = 40) -> pd.DataFrame:
    """Return good rows of any dataset; of several days where the key has no other part."""
    is_daily = dataset.key == (dataset.date_column, "source")
    columns: dict[str, Any] = {}
    for column in dataset.columns:
        if column.type == "date":
            columns[column.name] = [
                MARKET_DATE - timedelta(days=n if is_daily else 0) for n in range(rows)
            ]
        elif column.name == "source":
            columns[column.name] = "vendor"
        elif column.type == "varchar":
            columns[column.name] = [f"{column.name}-{n}" for n in range(rows)]
        else:
            columns[column.name] = 0.01 if column.name == "funding_rate_fraction" else 0.5
    return pd.DataFrame(columns)


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
            for name in ("recent_row_counts", "previous", "max_quarantine_fraction")
            if name in overrides
        }
    )
    return run_gate(frame, get_dataset(dataset), context=context, **(arguments | overrides))


def failed_rules(report: GateReport) -> set[str]:
    """Return the ids of the rules that did not pass."""
    return {result.rule_id for result in report.results if not result.is_passed}
