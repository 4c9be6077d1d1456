"""The raw archive: typed, append-only, idempotent, and the same after a compaction."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from crashes import CrashError, crash_at
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import DATASETS, LINEAGE_COLUMNS, Vintage
from pipeline.errors import ConfigurationError
from pipeline.raw_store import AppendReport, RawStore

EQUITY = DATASETS["equity_daily"]
MARKET = DATASETS["market_daily"]
DAY = date(2026, 3, 11)
NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)


def closes(*points: float | None, source: str = "cboe", first: date = DAY) -> pd.DataFrame:
    """Return one close a day from ``first`` on."""
    return pd.DataFrame(
        {
            "session_date": [first + timedelta(days=n) for n in range(len(points))],
            "source": source,
            "ticker": "RUT",
            "close_points": pd.array(points, dtype="Float64").to_numpy("float64", na_value=np.nan),
        }
    )


def append(
    store: RawStore,
    frame: pd.DataFrame,
    *,
    hours: float = 0,
    run_id: str = "a-run",
    vintage: Vintage = "live",
    known_at: datetime = NOON,
) -> AppendReport:
    return store.append(
        EQUITY, frame, run_id=run_id, known_at=known_at + timedelta(hours=hours), vintage=vintage
    )


def rows(store: RawStore, *, known_by: datetime | None = None) -> list[tuple[Any, ...]]:
    """Return every stored row of ``EQUITY``; instants in seconds since 1970."""
    with duckdb.connect() as connection:
        return connection.execute(
            "select * replace (epoch(known_at) as known_at) "
            f"from ({store.select(EQUITY, known_by)}) order by all"
        ).fetchall()


def latest(store: RawStore) -> list[float | None]:
    frame = store.read(EQUITY, "cboe", since=date.min, before=date(9999, 1, 1))
    return [None if np.isnan(value) else value for value in frame["close_points"]]


@pytest.fixture
def store(tmp_path: Path) -> RawStore:
    return RawStore(tmp_path / "raw", threads=1)


# Types


@pytest.mark.parametrize("name", DATASETS)
def test_select_of_an_empty_archive_has_the_columns_and_types_of_the_dataset(
    store: RawStore, name: str
) -> None:
    dataset = DATASETS[name]
    with duckdb.connect() as connection:
        described = connection.execute(f"describe {store.select(dataset)}").fetchall()
    long = {"timestamptz": "timestamp with time zone"}
    assert [(row[0], row[1].lower()) for row in described] == [
        (column.name, long.get(column.type, column.type))
        for column in (*dataset.columns, *LINEAGE_COLUMNS)
    ]


def test_append_stores_the_types_of_the_dataset_whatever_pandas_made_of_them(
    store: RawStore,
) -> None:
    frame = pd.DataFrame(
        {
            "market_date": pd.to_datetime(["2026-03-11", "2026-03-11"]),
            "source": "coingecko",
            "coin_id": ["one", "two"],
            "symbol": ["ONE", None],
            "name": pd.array(["One", None], dtype="string"),
            "price_usd": [1, 2],
            "market_cap_usd": [1.5, np.nan],
            "circulating_supply": [np.inf, -np.inf],
            "volume_24h_usd": pd.array([None, 5.0], dtype="Float64"),
            "provider_rank": [1.0, np.nan],
        }
    )
    store.append(MARKET, frame, run_id="r", known_at=NOON, vintage="live")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        stored = connection.execute(
            f"select * replace (known_at::varchar as known_at) from ({store.select(MARKET)}) "
            "order by coin_id"
        ).fetchall()
        types = connection.execute(f"describe {store.select(MARKET)}").fetchall()
    lineage = ("2026-03-12 12:00:00+00", "r", "live")
    assert stored == [
        (DAY, "coingecko", "one", "ONE", "One", 1.0, 1.5, None, None, 1, *lineage),
        (DAY, "coingecko", "two", None, None, 2.0, None, None, 5.0, None, *lineage),
    ]
    assert [row[1] for row in types][:6] == ["DATE", *["VARCHAR"] * 4, "DOUBLE"]


def test_append_keeps_every_bit_of_a_number(store: RawStore) -> None:
    points = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3]
    append(store, closes(*points))
    assert latest(store) == points


def test_append_wants_every_column_and_a_time_zone(store: RawStore) -> None:
    with pytest.raises(ConfigurationError, match="close_points"):
        append(store, closes(1.0).drop(columns="close_points"))
    with pytest.raises(ConfigurationError, match="time zone"):
        append(store, closes(1.0), known_at=datetime(2026, 3, 12))  # noqa: DTZ001


def test_append_of_nothing_writes_nothing(store: RawStore) -> None:
    assert append(store, closes()) == AppendReport(0, 0, 0)
    assert store.files(EQUITY) == []


# News, revisions, repeats


def test_append_of_the_same_frame_adds_nothing(store: RawStore) -> None:
    assert append(store, closes(1.0, None, 3.0)) == AppendReport(3, 0, 0)
    before = rows(store)
    assert append(store, closes(1.0, None, 3.0), hours=1, run_id="again") == AppendReport(0, 0, 3)
    assert rows(store) == before
    assert len(store.files(EQUITY)) == 1


def test_append_keeps_both_words_of_a_revision(store: RawStore) -> None:
    append(store, closes(1.0, 2.0))
    assert append(store, closes(1.0, 2.5, 3.0), hours=1) == AppendReport(1, 1, 1)
    assert len(rows(store)) == 4
    assert latest(store) == [1.0, 2.5, 3.0]


def test_append_of_a_value_that_comes_back_is_a_revision_again(store: RawStore) -> None:
    append(store, closes(1.0))
    append(store, closes(2.0), hours=1)
    assert append(store, closes(1.0), hours=2) == AppendReport(0, 1, 0)
    assert latest(store) == [1.0]


def test_append_of_null_after_a_value_and_back_is_a_revision(store: RawStore) -> None:
    append(store, closes(1.0))
    assert append(store, closes(None), hours=1).revised == 1
    assert append(store, closes(None), hours=2).unchanged == 1
    assert append(store, closes(1.0), hours=3).revised == 1


def test_append_of_an_older_payload_after_its_revision_adds_nothing(store: RawStore) -> None:
    append(store, closes(1.0))
    append(store, closes(2.0), hours=24)
    assert append(store, closes(1.0)) == AppendReport(0, 0, 1)
    assert latest(store) == [2.0]


def test_append_of_what_was_known_earlier_is_kept_and_does_not_become_the_latest(
    store: RawStore,
) -> None:
    append(store, closes(2.0), hours=24)
    assert append(store, closes(1.0)) == AppendReport(1, 0, 0)
    assert append(store, closes(1.0)) == AppendReport(0, 0, 1)
    assert latest(store) == [2.0]


def test_append_knows_live_and_reconstructed_rows_apart_and_reads_the_live_one(
    store: RawStore,
) -> None:
    append(store, closes(1.0), vintage="live")
    assert append(store, closes(1.0), hours=1, vintage="reconstructed").added == 1
    assert append(store, closes(9.0), hours=2, vintage="reconstructed").revised == 1
    assert latest(store) == [1.0]
    counts = store.row_counts(EQUITY, "cboe", since=DAY, vintage="live")
    assert counts == store.row_counts(EQUITY, "cboe", since=DAY) == {DAY: 1}


def test_append_puts_each_source_in_a_folder_of_its_own(store: RawStore, tmp_path: Path) -> None:
    both = pd.concat([closes(1.0), closes(1.5, source="my broker / export")])
    assert append(store, both).added == 2
    assert {file.parent.name for file in store.files(EQUITY)} == {"cboe", "my-broker-export"}
    assert store.row_counts(EQUITY, "my broker / export", since=DAY) == {DAY: 1}


def test_append_keeps_sources_apart_whose_folders_have_one_name(store: RawStore) -> None:
    append(store, closes(1.0, source="a b"))
    assert append(store, closes(1.0, source="a-b")).added == 1
    assert append(store, closes(1.0, source="a b"), hours=1).unchanged == 1


def test_select_leaves_out_what_was_not_known_yet(store: RawStore) -> None:
    append(store, closes(1.0))
    append(store, closes(2.0), hours=5)
    assert len(rows(store, known_by=NOON)) == 1
    assert len(rows(store, known_by=NOON - timedelta(seconds=1))) == 0
    assert len(rows(store, known_by=NOON + timedelta(hours=5))) == 2


# Compaction


def small_files(store: RawStore, count: int = 9) -> None:
    for number in range(count):
        append(store, closes(1.0, None, float(number)), hours=number, run_id=f"run-{number}")


def test_compact_leaves_few_files_alone(store: RawStore) -> None:
    small_files(store, 7)
    assert store.compact(EQUITY) == 0
    assert len(store.files(EQUITY)) == 7


def test_compact_folds_files_and_changes_no_row_and_no_part(store: RawStore) -> None:
    small_files(store)
    append(store, closes(7.0, source="other"))
    before, parts = rows(store), store.parts(EQUITY)
    schema = pq.read_schema(store.files(EQUITY)[0]).remove_metadata()

    assert store.compact(EQUITY) == 9

    assert [file.parent.name for file in store.files(EQUITY)] == ["cboe", "other"]
    assert rows(store) == before
    assert store.parts(EQUITY) == parts
    assert pq.read_schema(store.files(EQUITY)[0]).remove_metadata() == schema
    assert store.compact(EQUITY) == 0


def test_compact_folds_a_compacted_file_again(store: RawStore) -> None:
    small_files(store)
    store.compact(EQUITY)
    append(store, closes(50.0), hours=50)
    before, parts = rows(store), store.parts(EQUITY)
    assert store.compact(EQUITY, at_least=2) == 2
    assert (rows(store), store.parts(EQUITY)) == (before, parts)


def test_append_after_a_compaction_still_adds_nothing_twice(store: RawStore) -> None:
    small_files(store)
    store.compact(EQUITY)
    assert append(store, closes(1.0, None, 8.0), hours=20) == AppendReport(0, 0, 3)


def test_a_crash_at_any_point_of_a_compaction_is_mended_by_recover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 0
    while True:
        store = RawStore(tmp_path / str(number), threads=1)
        small_files(store, 4)
        before, parts = rows(store), store.parts(EQUITY)
        with monkeypatch.context() as patch:
            done = crash_at(number, patch)
            try:
                store.compact(EQUITY, at_least=2)
            except CrashError:
                pass
            else:
                break
        assert (rows(store), store.parts(EQUITY)) == (before, parts), done
        store.recover()
        assert rows(store) == before, done
        assert store.parts(EQUITY) == parts, done
        store.recover()
        store.compact(EQUITY, at_least=2)
        assert (rows(store), store.parts(EQUITY)) == (before, parts), done
        assert [file.name for file in (tmp_path / str(number)).rglob("*") if file.is_file()] == [
            store.files(EQUITY)[0].name
        ]
        number += 1
    # The journal, the new file, four old ones, and the journal again.
    assert number == 7


def test_recover_clears_what_a_crash_left_of_a_write(store: RawStore) -> None:
    append(store, closes(1.0))
    half = store.files(EQUITY)[0].with_name(".half.parquet.0a1b2c3d.tmp")
    half.write_bytes(b"half")
    assert len(rows(store)) == 1
    store.recover()
    assert not half.exists()


def test_recover_of_an_archive_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    RawStore(tmp_path / "nowhere").recover()


# Any sequence of appends


Word = tuple[int, float | None]
EVENTS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.one_of(st.none(), st.sampled_from([1.0, 2.0, float("nan"), float("inf")])),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda word: word[0],
        ),
        st.integers(0, 3),
        st.sampled_from(["run-a", "run-b"]),
        st.sampled_from(["live", "reconstructed"]),
    ),
    min_size=1,
    max_size=5,
)


def event_frame(words: list[Word]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session_date": [DAY + timedelta(days=offset) for offset, _ in words],
            "source": "cboe",
            "ticker": "RUT",
            "close_points": np.array([np.nan if v is None else v for _, v in words]),
        }
    )


@settings(max_examples=15, deadline=None)
@given(events=EVENTS, compact_after=st.integers(0, 5))
def test_any_sequence_of_appends_only_grows_repeats_add_nothing_and_compaction_is_invisible(
    events: list[tuple[list[Word], int, str, Vintage]], compact_after: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = RawStore(Path(folder), threads=1)
        for number, (words, hours, run_id, vintage) in enumerate(events):
            before = rows(store)
            frame = event_frame(words)
            report = append(store, frame, hours=hours, run_id=run_id, vintage=vintage)
            after = rows(store)
            assert report.added + report.revised + report.unchanged == len(frame)
            assert len(after) == len(before) + report.added + report.revised
            assert set(before) <= set(after)

            again = append(store, frame, hours=hours, run_id=run_id, vintage=vintage)
            assert again == AppendReport(0, 0, len(frame))

            if number == compact_after:
                parts, seen = store.parts(EQUITY), latest(store)
                store.compact(EQUITY, at_least=2)
                assert rows(store) == after
                assert store.parts(EQUITY) == parts
                assert latest(store) == seen
        assert all(value is None or np.isfinite(value) for *_, value, _, _, _ in rows(store))
