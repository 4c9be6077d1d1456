"""Names of strangers, made fit to be shown."""

from __future__ import annotations

import csv
import io
import logging
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_names import (
    HOSTILE_NAMES,
    STORABLE_NAMES,
    faults_in_csv,
    faults_in_one_line,
    faults_in_terminal_text,
)

from pipeline.errors import ConfigurationError
from pipeline.exporting import csv_lines, table_rows, write_parquet
from pipeline.text import OneLineFormatter, csv_text, visible, visible_lines

NAMES = list(HOSTILE_NAMES.values())
IDS = list(HOSTILE_NAMES)


@pytest.mark.parametrize("name", NAMES, ids=IDS)
def test_visible_text_acts_on_no_terminal(name: str) -> None:
    shown = visible(name)
    assert faults_in_terminal_text(shown) == []
    assert faults_in_one_line(shown) == []
    assert visible(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    "text",
    [
        "Bitcoin",
        "عملة البيتكوين",
        "比特币",
        "🚀👨‍👩‍👧‍👦",
        "Việt Nam",
        "שָׁלוֹם",
        "น้ำ",
        "= [red] :skull:",
        "a\\nb",
        "",
    ],
)
def test_visible_text_leaves_every_script_and_harmless_sign_alone(text: str) -> None:
    assert visible(text) == text


def test_visible_text_spells_out_what_acts() -> None:
    assert visible("a\x1b[31m\r\n\u202eb\ud800") == r"a\x1b[31m\r\n\u202eb\ud800"
    assert visible("x" * 20, 5) == "xxxxx… (20 characters)"
    assert visible_lines("a\n\x07b") == "a\n\\x07b"


@pytest.mark.parametrize("name", NAMES, ids=IDS)
def test_a_csv_holds_no_formula_for_any_reader(name: str) -> None:
    table = pa.table({"name": [_storable(name)], _storable(name): [1.5]})
    text = "\n".join(csv_of(table))
    assert faults_in_csv(text) == []
    # Where lists are separated otherwise, a spreadsheet cuts the same lines elsewhere.
    for delimiter in ";|\t":
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            assert not [cell for cell in row if cell.lstrip('\n" ').startswith(tuple("=+@＝＋＠"))]
    rows = list(csv.reader(io.StringIO(text)))
    assert [len(row) for row in rows] == [2, 2]
    assert rows[1] == [csv_text(_storable(name)), "1.5"]


def csv_of(table: pa.Table) -> list[str]:
    return list(csv_lines(table.column_names, table_rows(table)))


def _storable(name: str) -> str:
    return name.encode(errors="replace").decode()


def test_a_csv_leaves_figures_alone_and_tells_null_from_empty() -> None:
    table = pa.table(
        {
            "figure": [-1.5, float("nan"), None],
            "count": [-3, None, 0],
            "text": ["-1.5", "", None],
            "flag": [True, None, False],
            "day": [date(2026, 1, 2), None, None],
            "at": [datetime(2026, 1, 2, 3, tzinfo=UTC), None, None],
        }
    )
    assert csv_of(table) == [
        '"figure","count","text","flag","day","at"',
        '-1.5,-3,"-1.5",true,"2026-01-02",2026-01-02T03:00:00+00:00',
        ',,"",,,',
        ",0,,false,,",
    ]


def test_parquet_keeps_every_name_as_it_is_and_replaces_no_file(tmp_path: Path) -> None:
    file = tmp_path / "names.parquet"
    write_parquet(pa.table({"name": list(STORABLE_NAMES.values())}), file)
    assert pq.read_table(file)["name"].to_pylist() == list(STORABLE_NAMES.values())
    with pytest.raises(ConfigurationError, match="exists already"):
        write_parquet(pa.table({"name": ["other"]}), file)


@pytest.mark.parametrize("name", NAMES, ids=IDS)
def test_a_name_forges_no_log_record(name: str) -> None:
    record = logging.LogRecord("tidemark", logging.INFO, "x.py", 1, "saw %s", (name,), None)
    line = OneLineFormatter("%(levelname)s %(name)s: %(message)s").format(record)
    assert line == f"INFO tidemark: saw {visible(name)}"


def test_a_traceback_follows_its_record_indented() -> None:
    try:
        int("bad name\nINFO pipeline.steps: all is well\x1b[2J")
    except ValueError:
        record = logging.LogRecord(
            "tidemark", logging.ERROR, "x.py", 1, "a\nb", (), sys.exc_info(), sinfo="Stack:\nhere"
        )
    first, *following = OneLineFormatter("%(levelname)s: %(message)s").format(record).split("\n")
    assert first == r"ERROR: a\nb"
    assert "Traceback (most recent call last):" in following[0]
    assert all(line.startswith("    ") for line in following)
    assert any("INFO pipeline.steps: all is well" in line for line in following)
    assert following[-1] == "    here"
    assert faults_in_terminal_text("\n".join(following)) == []
