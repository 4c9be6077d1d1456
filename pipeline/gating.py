"""Holding a frame against the gate without storing anything."""

from __future__ import annotations

from datetime import date

import pandas as pd

from pipeline.datasets import Dataset, Vintage
from pipeline.loading import gate_context
from pipeline.quality.gate import GateReport, run_gate
from pipeline.raw_store import RawStore
from pipeline.settings import Settings


def check_frame(
    settings: Settings,
    frame: pd.DataFrame,
    dataset: Dataset,
    source: str,
    market_date: date,
    vintage: Vintage,
) -> GateReport:
    """Return what the gate says of a frame, compared with the nights that are stored.

    Args:
        settings: Where the nights are.
        frame: Rows in the dataset's columns.
        dataset: Which dataset.
        source: Who served it.
        market_date: The UTC day that it is for.
        vintage: ``live``, or ``reconstructed`` for history.
    """
    store = RawStore(settings.raw_dir, settings.threads)
    return run_gate(
        frame,
        dataset,
        market_date=market_date,
        mode="live" if vintage == "live" else "history",
        context=gate_context(store, frame, dataset, source, market_date, vintage),
    )
