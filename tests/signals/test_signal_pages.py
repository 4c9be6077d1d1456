"""Pages about signals and claims: the committed ones are generated, the printed ones are true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from given_tables import _fill
from harness import Row, run_market, shipped_project, shipped_rows
from rich.console import Console

from pipeline.claims import VERDICTS, claims_view, format_figure, read_claims, summary
from pipeline.database import open_read_only
from pipeline.errors import ConfigurationError
from pipeline.signal_docs import SHARED_TABLES, related_tables, render_pages
from pipeline.signal_page import SignalPage, read_signal
from pipeline.signal_text import BARS, definition_lines, quality_view, sparkline, values_view

DOCS = Path(__file__).parents[2] / "docs" / "signals"
SIGNALS = shipped_rows("reference.signal_definition")
LAST = date(2026, 3, 1)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return render_pages(shipped_project())


def test_committed_pages_are_what_the_code_generates(pages: dict[str, str]) -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in DOCS.iterdir()}
    assert sorted(committed) == sorted(pages), "run: python -m pipeline.signal_docs docs/signals"
    stale = [name for name, text in pages.items() if committed[name] != text]
    assert stale == [], "run: python -m pipeline.signal_docs docs/signals"


def test_every_signal_has_a_page_that_the_index_links_to(pages: dict[str, str]) -> None:
    linked = re.findall(r"^\| \[(\w+)\]\((\S+)\)", pages["README.md"], re.MULTILINE)
    assert [signal_id for signal_id, _ in linked] == [row["signal_id"] for row in SIGNALS]
    assert {name for _, name in linked} | {"README.md"} == set(pages)


@pytest.mark.parametrize("signal", SIGNALS, ids=[row["signal_id"] for row in SIGNALS])
def test_page_has_every_column_of_the_table(pages: dict[str, str], signal: Row) -> None:
    page = pages[f"{signal['signal_id'].lower()}_{signal['slug']}.md"]
    model = shipped_project().models[signal["table_name"]]
    documented = page.partition("## Columns")[2].partition("## Quality")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", documented, re.MULTILINE)
    assert rows == [(column.name, column.type) for column in model.doc.columns]
    assert f"| `{signal['value_column']}` |" in documented
    assert signal["title"] in page.splitlines()[0]
    assert ("Not tested" in page) == (not signal["is_daily"] or signal["orientation"] == 0)


def test_every_published_table_of_signals_is_on_a_page(pages: dict[str, str]) -> None:
    project = shipped_project()
    published = {
        name
        for name, model in project.models.items()
        if name.startswith("signals.") and model.doc.is_published
    }
    own = {row["table_name"] for row in SIGNALS}
    beside = {name for table in own for name in related_tables(project.models[table], project)}
    assert published - own - beside - set(SHARED_TABLES) == set()
    text = "\n".join(pages.values())
    assert [name for name in beside if f"- `{name}`: " not in text] == []


def test_every_column_of_signals_has_its_meaning_in_the_database() -> None:
    models = {
        name: model
        for name, model in shipped_project().models.items()
        if name.startswith("signals.") and model.doc.is_published
    }
    with run_market([], only=models, with_comments=True) as market:
        comments = {
            (f"signals.{table}", column): comment
            for table, column, comment in market.connection.execute(
                "select table_name, column_name, comment from duckdb_columns() "
                "where schema_name = 'signals'"
            ).fetchall()
        }
    for name, model in models.items():
        for column in model.doc.columns:
            comment = comments[name, column.name]
            assert comment is not None, (name, column.name)
            assert " ".join(column.meaning.split()) in " ".join(comment.split())


def claim(claim_id: str, verdict: str, **overrides: Any) -> Row:
    return {
        "claim_id": claim_id,
        "verdict": verdict,
        "wording": f"Said {claim_id}",
        "evidence": f"Found {claim_id} [1]",
        "actual_value": 1.5,
        "expected": 1.0,
        "tolerance": 0.5,
        "comparison": "within",
        "unit": "fraction",
        "evaluated_for_date": LAST,
    } | overrides


def quality(target_id: str, p_value: float | None, **overrides: Any) -> Row:
    return {
        "signal_id": "S03",
        "entity": "small_over_large",
        "target_id": target_id,
        "horizon_days": 7,
        "last_date": LAST,
        "sample": "all",
        "bucket": "all",
        "observation_count": 700,
        "effective_count": 100.0,
        "rank_information": 0.123,
        "p_value": p_value,
        "p_value_adjusted": p_value,
        "verdict": "no_evidence",
    } | overrides


def daily(entity: str, day: date, value: float | None) -> Row:
    return {
        "market_date": day,
        "signal_id": "S03",
        "entity": entity,
        "value": value,
        "percentile_pct": 42.0,
        "state": "risk_on",
        "confidence_label": "high",
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a published file of a few rows."""
    days = [LAST - timedelta(days=n) for n in reversed(range(400))]
    tables: dict[str, list[Row]] = {
        "reference.signal_definition": list(SIGNALS),
        "signals.claim_check": [
            claim("A10", "refuted"),
            claim("A2", "confirmed"),
            claim("own", "pending", actual_value=None, evidence=None),
            claim("B1", "not_confirmed", actual_value=4.4e11),
            claim("A10D", "confirmed_with_caveat", caveat="A caveat"),
        ],
        "signals.signal_daily": [
            *(daily("small_over_large", day, float(n)) for n, day in enumerate(days)),
            daily("mid_over_large", LAST, None),
        ],
        "signals.signal_quality": [
            quality("small", 0.5),
            quality("top100", 0.01),
            quality("small", None, horizon_days=90),
            quality("small", 0.001, bucket="1_of_5"),
            quality("small", 0.001, sample="pre_etp"),
            quality("small", 0.001, signal_id="S04"),
        ],
        "signals.turning_point": [
            {"series_id": "RUT", "pivot_date": LAST, "pivot_kind": "peak", "level": 2000.0},
        ],
    }
    folder = tmp_path_factory.mktemp("home")
    (folder / "published").mkdir()
    with duckdb.connect(str(folder / "published" / "tidemark.duckdb")) as connection:
        for name, rows in tables.items():
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            columns = [(c.name, c.type) for c in shipped_project().models[name].doc.columns]
            _fill(connection, name, columns, rows)
    return folder


@pytest.fixture(scope="module")
def published(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_read_only(home / "published" / "tidemark.duckdb") as connection:
        yield connection


def printed_by(home: Path, *arguments: str) -> str:
    """Return what the installed program prints in a home."""
    environment = {**os.environ, "TIDEMARK_HOME": str(home), "COLUMNS": "200"}
    ended = subprocess.run(
        [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_command_claims_prints_the_ledger(home: Path) -> None:
    assert re.search(r"A10\s+refuted", printed_by(home, "claims"))
    (row,) = json.loads(printed_by(home, "claims", "--verdict", "refuted", "--json"))
    assert (row["claim_id"], row["actual_value"]) == ("A10", 1.5)


def test_command_signal_prints_the_signal(home: Path) -> None:
    text = printed_by(home, "signal", "S03")
    assert "size_spread" in text
    assert "▁" in text
    page = json.loads(printed_by(home, "signal", "S03", "--json"))
    assert page["series"][1]["market_date"] == str(LAST)
    assert len(page["quality"]) == 3


def text_of(*printed: object, width: int = 160) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        for item in printed:
            console.print(item)
    return capture.get()


def test_ledger_is_in_the_order_of_the_articles(published: duckdb.DuckDBPyConnection) -> None:
    rows = read_claims(published)
    assert [row["claim_id"] for row in rows] == ["A2", "A10", "A10D", "B1", "own"]
    text = text_of(claims_view(rows, 160))
    assert re.search(r"A10D\s+confirmed with caveat\s+1\.5\s+1 ± 0\.5 fraction", text)
    assert "Found A2 [1]" in text
    assert re.search(r"B1\s+not confirmed\s+440\.0 bn", text)
    assert re.search(r"own\s+pending\s+-\s", text)
    assert summary(rows) == (
        "4 claims in 5 readings by 2026-03-01: 1 confirmed, 1 confirmed with caveat, "
        "1 not confirmed, 1 refuted, 1 pending"
    )


def test_ledger_can_be_asked_for_one_verdict(published: duckdb.DuckDBPyConnection) -> None:
    assert [row["claim_id"] for row in read_claims(published, "refuted")] == ["A10"]
    with pytest.raises(ConfigurationError, match="there are: confirmed"):
        read_claims(published, "wrong")


def test_every_verdict_of_the_model_can_be_printed() -> None:
    sql = shipped_project().models["signals.claim_check"].sql
    judged = sql.partition("end as verdict")[0].rpartition("case")[2]
    assert set(re.findall(r"(?:then|else) '(\w+)'", judged)) == set(VERDICTS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (50.0, "50"),
        (-0.24393, "-0.2439"),
        (96920.7, "96,921"),
        (3.69e11, "369.0 bn"),
    ],
)
def test_figure_is_short(value: float | None, text: str) -> None:
    assert format_figure(value) == text


@pytest.mark.parametrize("name", ["S03", "s03", "size_spread"])
def test_signal_is_found_by_id_and_slug(published: duckdb.DuckDBPyConnection, name: str) -> None:
    page = read_signal(published, shipped_project(), name)
    assert page.definition["signal_id"] == "S03"
    assert [row["entity"] for row in page.series] == ["mid_over_large", "small_over_large"]
    assert page.series[1]["value"] == 399.0
    assert page.series[1]["history"] == [float(n) for n in range(35, 400)]


def test_quality_is_of_the_whole_sample_the_surest_first(
    published: duckdb.DuckDBPyConnection,
) -> None:
    page = read_signal(published, shipped_project(), "S03")
    assert [row["p_value"] for row in page.quality] == [0.01, 0.5, None]


def test_signal_prints_definition_values_and_quality(
    published: duckdb.DuckDBPyConnection,
) -> None:
    page = read_signal(published, shipped_project(), "S03", "small_over_large")
    text = text_of(*definition_lines(page), values_view(page, 9, 160), quality_view(page, 9, 160))
    assert "more is more appetite for risk" in text
    assert re.search(r"small_over_large\s+2026-03-01\s+399\s+42\s+risk_on\s+high\s+▁", text)
    assert "+0.123" in text
    assert "mid_over_large" not in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_narrow_terminal_loses_nothing(published: duckdb.DuckDBPyConnection, width: int) -> None:
    page = read_signal(published, shipped_project(), "S03", "small_over_large")
    text = text_of(values_view(page, 9, width), quality_view(page, 9, width), width=width)
    ledger = text_of(claims_view(read_claims(published), width), width=width)
    assert max(map(len, (text + ledger).splitlines())) <= width
    assert "…" not in text + ledger
    told = " ".join(text.split())
    assert "2026-03-01, 399, percentile 42, risk_on, confidence high" in told
    assert "then small in 7 days: no evidence (rank IC +0.123, adjusted p 0.50)" in told
    claims = " ".join(ledger.split())
    assert "A10D confirmed with caveat: found 1.5, claimed 1 ± 0.5 fraction" in claims
    assert "Said A10D. Found A10D [1]. A caveat" in claims


def test_signal_without_values_says_why(published: duckdb.DuckDBPyConnection) -> None:
    page = read_signal(published, shipped_project(), "S21")
    assert page.series == []
    text = " ".join(text_of(values_view(page, 9, 160), quality_view(page, 9, 160)).split())
    assert "no values yet: of positioning there is too little" in text
    assert "takes 365 values" in text
    without_direction = SignalPage(page.definition | {"orientation": 0}, [], [])
    assert "no direction" in text_of(quality_view(without_direction, 9, 160))


def test_quality_itself_is_a_signal_to_look_at(published: duckdb.DuckDBPyConnection) -> None:
    series = read_signal(published, shipped_project(), "S32").series
    assert {row["value"] for row in series} == {0.123}
    assert "S03 / small_over_large / small / 7 / all / all" in {r["entity"] for r in series}


def test_slow_statistic_is_read_from_its_own_table(published: duckdb.DuckDBPyConnection) -> None:
    (row,) = read_signal(published, shipped_project(), "S17").series
    assert (row["entity"], row["market_date"], row["value"]) == ("RUT / peak", LAST, 2000.0)


@pytest.mark.parametrize(
    ("name", "entity", "message"),
    [("S99", None, "there are: S01, S02"), ("S03", "x", "there are: mid_over_large")],
)
def test_unknown_signal_or_series_says_what_there_is(
    published: duckdb.DuckDBPyConnection, name: str, entity: str | None, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_signal(published, shipped_project(), name, entity)


@pytest.mark.parametrize(
    ("values", "width", "bars"),
    [
        ([], 5, ""),
        ([None, None], 5, "  "),
        ([1.0, 1.0], 5, BARS[4] * 2),
        ([0.0, 7.0], 5, BARS[0] + BARS[-1]),
        ([0.0, None, 7.0], 5, f"{BARS[0]} {BARS[-1]}"),
        ([float(n) for n in range(8)], 8, BARS),
        ([0.0, 0.0, 7.0, 7.0], 2, BARS[0] + BARS[-1]),
    ],
)
def test_sparkline_rises_with_the_values(values: list[float | None], width: int, bars: str) -> None:
    assert sparkline(values, width) == bars
