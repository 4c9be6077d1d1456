"""What a gate costs when every row is wrong: ``python benchmarks/gate.py [ROWS]``.

A simulated night is repeated under other ids until it has so many rows (a million), and every
price is below zero. A mass failure must not cost minutes.
"""

from __future__ import annotations

import sys
import time
from datetime import date

import numpy as np
import pandas as pd

from pipeline.datasets import get_dataset
from pipeline.quality.gate import run_gate
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.raw_frames import FRAMES

NIGHT = date(2024, 2, 23)


def spoiled_rows(count: int) -> pd.DataFrame:
    """Return so many coins of one night in the columns of the dataset, each with a bad price."""
    dataset = get_dataset("market_daily")
    market = SimulatedMarket(7, date(2024, 1, 1), NIGHT, 160)
    night = FRAMES["market_daily"](market, NIGHT, NIGHT)[list(dataset.column_names)]
    frame = night.iloc[np.arange(count) % len(night)].reset_index(drop=True)
    copies = pd.Series(np.arange(count) // len(night)).astype("string")
    return frame.assign(coin_id=frame["coin_id"] + "-" + copies, price_usd=-frame["price_usd"])


def main(count: int) -> None:
    """Time the gate on good rows' like and on spoiled ones, and print both."""
    dataset = get_dataset("market_daily")
    spoiled = spoiled_rows(count)
    good = spoiled.assign(price_usd=-spoiled["price_usd"])
    for name, frame in (("right", good), ("wrong", spoiled)):
        wall, cpu = time.perf_counter(), time.process_time()
        report = run_gate(frame, dataset, market_date=NIGHT, mode="history")
        print(
            f"{count:,} rows, each {name}: {time.perf_counter() - wall:.1f} s, "
            f"{time.process_time() - cpu:.1f} s CPU, {len(report.quarantined):,} in quarantine",
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
