"""The equity signals over the real archive, against what was published about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from planted import Row, Tables, run_signals
from test_equity_signals import golden_closes

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "archive"

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason="the real archive is not beside the checkout"),
]


def archived() -> list[Row]:
    frame = duckdb.sql(
        f"select session_date, source, ticker, close_points from '{ARCHIVE}/equity_daily*.parquet'"
    ).df()
    frame["vintage"], frame["run_id"] = "reconstructed", "archive"
    frame["known_at"] = datetime(2026, 10, 1, tzinfo=UTC)
    return frame.to_dict("records")


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    """The archive, to which January 2026 is joined where its Russell 2000 ends."""
    rows = archived()
    last = {
        ticker: next(
            r["close_points"]
            for r in rows
            if (r["ticker"], r["source"]) == (ticker, "yahoo")
            and str(r["session_date"])[:10] == "2025-09-24"
        )
        for ticker in ("RUT", "SPX")
    }
    kept = [r for r in rows if r["ticker"] != "SPX" or str(r["session_date"])[:10] <= "2025-09-24"]
    golden = golden_closes(last["RUT"], last["SPX"])
    found = run_signals(
        ["signals.equity_index_daily", "signals.equity_pair_daily"], closes=kept + golden
    )
    yield found
    found.connection.close()


def test_record_of_september_2025_is_the_first_in_967_sessions(tables: Tables) -> None:
    (row,) = tables.rows("signals.equity_index_daily", ticker="RUT", session_date=date(2025, 9, 18))
    assert row["is_record_close"]
    assert row["is_breakout"]
    assert row["sessions_without_record"] == 967


def test_run_of_nine_is_the_longest_since_2017_and_of_ten_since_2008(tables: Tables) -> None:
    rows = tables.rows("signals.equity_pair_daily", pair_id="rut_over_spx")
    since = {row["session_date"]: row["streak_longest_since_date"] for row in rows}
    assert since[date(2026, 1, 14)].year == 2017
    assert (since[date(2026, 1, 15)].year, since[date(2026, 1, 15)].month) == (2008, 6)


def test_funds_show_the_run_of_fourteen_sessions(tables: Tables) -> None:
    rows = tables.rows("signals.equity_pair_daily", pair_id="iwm_over_spy")
    runs = {row["session_date"]: row["streak_sessions"] for row in rows}
    assert runs[date(2026, 1, 14)] == 9
    assert runs[date(2026, 1, 22)] == 14
    assert runs[date(2026, 1, 23)] == 0
    assert all(row["is_proxy"] for row in rows)
