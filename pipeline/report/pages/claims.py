"""The claim ledger."""

from __future__ import annotations

import pandas as pd

from pipeline.report.blocks import Column, Page, Table
from pipeline.report.figures import plural, words
from pipeline.report.reading import Reader

_KINDS = {"fact": "Claims of fact", "rule": "Rules of thumb", "definition": "Definitions"}


def claims(reader: Reader) -> Page:
    """Return the page of the claim ledger."""
    frame = reader.rows("claim")
    counts = frame["verdict"].value_counts()
    parts = ", ".join(f"{count} {words(verdict)}" for verdict, count in counts.items())
    return Page(
        "claims",
        "Claims",
        f"Of {plural(len(frame), 'claim')} of the market press and of dashboards: {parts}.",
        [
            _ledger(reader, frame[frame["kind"] == kind], str(kind))
            for kind in frame["kind"].unique()
        ],
        menu="Claims",
    )


def _ledger(reader: Reader, rows: pd.DataFrame, kind: str) -> Table:
    title = _KINDS.get(kind, words(kind).capitalize())
    confirmed = int(rows["verdict"].str.startswith("confirmed").sum())
    return Table(
        f"claim_{kind}",
        f"{title}: {confirmed} of {len(rows)} confirmed",
        "As it was worded, how we read it, what the tables find",
        [
            Column("claim_id", "Id", "code"),
            Column("wording", "Claim"),
            Column("reading", "As we read it"),
            Column("verdict", "Verdict", "words"),
            Column("evidence", "What the tables find"),
            Column("caveat", "But"),
            Column("source", "Who"),
        ],
        rows,
        reader.origin("claim", as_of=rows["evaluated_for_date"].max()),
    )
