"""What each signal was worth."""

from __future__ import annotations

import pandas as pd

from pipeline.report.blocks import Column, Page, Table
from pipeline.report.figures import plural
from pipeline.report.pages.shared import shown_or_missing
from pipeline.report.reading import Reader

NO_TESTS = "It needs signals with a year of history and what followed them."
TEST_COLUMNS = (
    Column("signal_id", "Signal", "signal"),
    Column("entity", "Of", "words"),
    Column("target_id", "What followed in", "words"),
    Column("horizon_days", "Days", "whole"),
    Column("sample", "Sample", "words"),
    Column("bucket", "Bucket", "words"),
    Column("observation_count", "Days tested", "whole"),
    Column("effective_count", "Effective", "whole"),
    Column("difference_fraction", "Difference", "change"),
    Column("difference_low_fraction", "From", "change"),
    Column("difference_high_fraction", "To", "change"),
    Column("hac_t_value", "t", "number"),
    Column("p_value", "p", "p_value"),
    Column("p_value_adjusted", "p, adjusted", "p_value"),
    Column("verdict", "Verdict", "words"),
)


def evidence(reader: Reader) -> Page:
    """Return the page of signal quality."""
    tests = reader.rows("signal_quality")
    return Page(
        "quality",
        "Signal quality",
        _lead(tests),
        [
            shown_or_missing(
                "signal_verdict",
                "Verdicts by signal",
                reader.rows("signal_verdict"),
                NO_TESTS,
                lambda rows: _verdicts(reader, rows),
            ),
            shown_or_missing(
                "signal_quality",
                "The strongest tests",
                tests,
                NO_TESTS,
                lambda rows: Table(
                    "signal_quality",
                    "The forty lowest p-values, before and after they are corrected",
                    "Return from the close of the next day on in a bucket of the signal, less that "
                    "of all days; t by Newey and West, interval by block bootstrap, p "
                    "adjusted over "
                    "all tests by Benjamini and Hochberg",
                    TEST_COLUMNS,
                    rows.head(400),
                    reader.origin("signal_quality", signal_id="S32"),
                    most_rows=40,
                ),
            ),
        ],
        menu="Signal quality",
    )


def _lead(tests: pd.DataFrame) -> str:
    if tests.empty:
        return "No signal has been there for long enough to say what it was worth."
    proved = int((tests["verdict"] != "no_evidence").sum())
    raw = int((tests["p_value"] < 0.05).sum())
    return (
        f"Of {plural(len(tests), 'test')} of what followed a signal, {raw:,} look unusual "
        "one by one; "
        f"corrected for how many were made, {proved:,} do."
    )


def _verdicts(reader: Reader, rows: pd.DataFrame) -> Table:
    wide = rows.pivot(index="signal_id", columns="verdict", values="test_count").fillna(0)
    titles = reader.rows("definition").set_index("signal_id")["title"]
    shown = wide.reset_index().assign(title=lambda frame: frame["signal_id"].map(titles))
    return Table(
        "signal_verdict",
        "Tests of each signal by verdict",
        "Buckets, horizons and targets that were tested",
        [
            Column("signal_id", "Signal", "signal"),
            Column("title", "What it is"),
            *(
                Column(verdict, verdict.replace("_", " ").capitalize(), "whole")
                for verdict in wide.columns
            ),
        ],
        shown,
        reader.origin("signal_verdict", signal_id="S32"),
    )
