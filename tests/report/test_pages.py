"""What the pages hold: whole links, valid charts, figures that are those of the tables."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hostile_names import HOSTILE_NAMES, faults_in_csv, faults_in_html
from published_tables import tables_of
from sqlglot import exp

from pipeline.database import open_read_only
from pipeline.models import Project
from pipeline.report.blocks import Chart, Missing, Page, Table, Words
from pipeline.report.pages.data import data
from pipeline.report.pages.flows import flows
from pipeline.report.pages.today import today
from pipeline.report.reading import Reader
from pipeline.report.site import all_pages, render_report

Change = Callable[..., Path]
MENU = {
    "index",
    "indices",
    "breadth",
    "positioning",
    "markets",
    "flows",
    "claims",
    "signals",
    "quality",
    "data",
}


@pytest.fixture(scope="module")
def reader(published_file: Path, sql_dir: Path) -> Iterator[Reader]:
    with open_read_only(published_file) as connection:
        yield Reader(connection, sql_dir)


@pytest.fixture(scope="module")
def pages(reader: Reader, project: Project) -> dict[str, Page]:
    """Every page; each part of each chart is held against Vega-Lite's schema here."""
    return {page.name: page for page in all_pages(reader, project)}


@pytest.fixture(scope="module")
def files(published_file: Path, sql_dir: Path, project: Project) -> dict[str, bytes]:
    with open_read_only(published_file) as connection:
        return render_report(connection, project, sql_dir)


def render(file: Path, sql_dir: Path, project: Project) -> dict[str, bytes]:
    with open_read_only(file) as connection:
        return render_report(connection, project, sql_dir)


class Elements(HTMLParser):
    """Ids, addresses and nesting of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "id" in found:
            self.ids.append(str(found["id"]))
        self.addresses += [str(found[name]) for name in ("href", "src") if name in found]
        if tag not in {"meta", "link", "polyline", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "link", "polyline", "path"}:
            assert self.open.pop() == tag


def html_files(files: dict[str, bytes]) -> dict[str, str]:
    return {name: body.decode() for name, body in files.items() if name.endswith(".html")}


def drawn_rows(html: str, name: str) -> list[dict[str, Any]]:
    """Return the rows that a page gives its script for a chart."""
    found = re.search(rf'<script type="application/json" id="{name}-data">(.*?)</script>', html)
    assert found is not None
    columns = json.loads(found[1])["rows"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_there_is_a_page_for_each_topic_index_and_signal(pages: dict[str, Page]) -> None:
    assert set(pages) >= MENU
    assert sum(name.startswith("index-") for name in pages) == 9
    assert sum(name.startswith("signal-") for name in pages) == 35


def test_every_link_leads_to_a_file_of_the_folder(files: dict[str, bytes]) -> None:
    for name, html in html_files(files).items():
        page = Elements(html)
        assert page.open == [], name
        assert [each for each, count in Counter(page.ids).items() if count > 1] == []
        for address in page.addresses:
            assert address.startswith("#") or address in files, (name, address)


def test_no_page_names_an_address_outside(files: dict[str, bytes]) -> None:
    for name, body in files.items():
        if name.endswith((".html", ".css", "report.js", "theme.js")):
            assert not re.search(
                rb"(?:src|href|url|import|fetch)\s*[=(]\s*[\"']?(?:https?:)?//", body
            )


def test_every_chart_and_table_says_where_it_is_from(
    pages: dict[str, Page], files: dict[str, bytes], sql_dir: Path
) -> None:
    names = [block.name for page in pages.values() for block in page.blocks]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    for page in pages.values():
        assert page.lead.endswith(".")
        for block in page.blocks:
            if isinstance(block, Chart | Table):
                assert (sql_dir / "report" / f"{block.origin.query}.sql").is_file()
                assert re.fullmatch(r"\d{4}-\d\d-\d\d", block.origin.as_of), block.name
                assert f"data/{block.name}.csv" in files
                assert not block.title.endswith(".")
            if isinstance(block, Chart):
                assert block.text
                assert block.subtitle


def test_a_csv_has_the_rows_of_its_block_whole(
    pages: dict[str, Page], files: dict[str, bytes]
) -> None:
    for page in pages.values():
        for block in page.blocks:
            if isinstance(block, Chart | Table):
                rows = list(csv.DictReader(io.StringIO(files[f"data/{block.name}.csv"].decode())))
                assert len(rows) == len(block.frame), block.name
                assert not rows or list(rows[0]) == list(block.frame.columns)


def test_levels_on_the_page_are_those_of_the_table(
    files: dict[str, bytes], published_file: Path
) -> None:
    with open_read_only(published_file) as connection:
        levels = {
            (str(day), index_id): level
            for day, index_id, level in connection.execute(
                "select market_date, index_id, level from indices.index_level_daily "
                "where profile = 'house' and index_id in ('large', 'mid', 'small')"
            ).fetchall()
        }
    drawn = drawn_rows(html_files(files)["indices.html"], "levels")
    assert {(row["market_date"], row["index_id"]) for row in drawn} == set(levels)
    for row in drawn:
        assert row["level"] == pytest.approx(levels[row["market_date"], row["index_id"]], rel=1e-5)


def test_the_sentence_of_the_day_is_true(pages: dict[str, Page], published_file: Path) -> None:
    with open_read_only(published_file) as connection:
        small, trailed = connection.execute(
            """
            with returns as (
                select
                    market_date,
                    max(return_1d_fraction) filter (index_id = 'small') as small,
                    max(return_1d_fraction) filter (index_id = 'large') as large
                from indices.index_statistic_daily
                where profile = 'house'
                group by market_date
            )
            select
                (select small from returns order by market_date desc limit 1),
                (
                    select count(*) filter (small < large)
                    from (from returns order by market_date desc limit 10)
                )
            """
        ).fetchall()[0]
    lead = pages["index"].lead
    verb = "rose" if small > 0 else "fell"
    assert f"{verb} {abs(small) * 100:.1f}\N{NO-BREAK SPACE}%" in lead
    assert f"on {trailed} of the last 10 days" in lead


def test_a_day_without_prices_is_not_told_as_a_quiet_one(
    changed_file: Change, sql_dir: Path
) -> None:
    file = changed_file(["update indices.index_level_daily set coverage_fraction = 0.1"])
    with open_read_only(file) as connection:
        lead = today(Reader(connection, sql_dir)).lead
    assert lead.startswith("Only 10\N{NO-BREAK SPACE}% of the weight of small caps has a price")


def test_a_select_of_the_report_reads_published_tables_only(
    sql_dir: Path, project: Project
) -> None:
    published = {name for name, model in project.models.items() if model.doc.is_published}
    for path in sorted((sql_dir / "report").glob("*.sql")):
        text = path.read_text()
        assert text.startswith("-- Grain: "), path.name
        (statement,) = sqlglot.parse(text, read="duckdb")
        assert statement is not None
        names = {cte.alias for cte in statement.find_all(exp.CTE)}
        read = {
            f"{table.db}.{table.name}"
            for table in statement.find_all(exp.Table)
            if table.db or table.name not in names
        }
        assert read <= published, path.name


def test_every_select_of_the_report_is_used(
    reader: Reader, pages: dict[str, Page], sql_dir: Path
) -> None:
    assert pages
    assert {path.stem for path in (sql_dir / "report").glob("*.sql")} == reader.names


def test_hostile_names_stay_text_on_every_page(
    changed_file: Change, sql_dir: Path, project: Project
) -> None:
    names = [name.encode(errors="replace").decode() for name in HOSTILE_NAMES.values()]

    def pick(column: str) -> str:
        return f"list_extract($names, 1 + cast(hash({column}) % {len(names)} as integer))"

    file = changed_file(
        [
            f"update staging.coin set name = {pick('coin_id')}, symbol = {pick('symbol')}",
            f"update indices.review set additions = {pick('effective_date')}, "
            f"removals = {pick('cutoff_date')}",
            f"update quality.audit_result set example = {pick('audit')}, status = 'failed'",
        ],
        names=names,
    )
    files = render(file, sql_dir, project)
    for name, html in html_files(files).items():
        faults = faults_in_html(html, frozenset({"script", "meta", "link", "svg"}))
        assert faults == [], name
        assert html.count("<script") == 3 + html.count("data-chart="), name
    for name, body in files.items():
        if name.endswith(".csv"):
            assert faults_in_csv(body.decode()) == [], name


def test_a_file_without_history_gives_pages_that_say_so(
    changed_file: Change, published_file: Path, sql_dir: Path, project: Project
) -> None:
    file = changed_file([f"delete from {table}" for table in tables_of(published_file)])
    files = render(file, sql_dir, project)
    assert {name.removesuffix(".html") for name in html_files(files)} >= MENU
    assert "Not shown." in files["index.html"].decode()
    assert "no index levels" in files["index.html"].decode()


def test_a_history_of_one_day_gives_pages(
    changed_file: Change, published_file: Path, sql_dir: Path, project: Project
) -> None:
    with open_read_only(published_file) as connection:
        dated = connection.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where schema_name in ('indices', 'signals') "
            "and column_name in ('market_date', 'session_date')"
        ).fetchall()
    file = changed_file(
        [
            f"delete from {table} where {day} < (select max({day}) from {table})"
            for table, day in dated
        ]
    )
    files = render(file, sql_dir, project)
    assert len(drawn_rows(files["indices.html"].decode(), "levels")) == 3


def test_what_a_missing_source_takes_away_is_named_in_its_place(
    changed_file: Change, sql_dir: Path
) -> None:
    file = changed_file(
        [
            "delete from signals.exchange_flow_asset_daily",
            "delete from signals.exchange_flow_market_daily",
            "update main.about set degraded_feeds = 'exchange_balance_daily'",
        ]
    )
    with open_read_only(file) as connection:
        reader = Reader(connection, sql_dir)
        found = {page.name: page for page in (flows(reader), today(reader), data(reader))}
    gone = {block.name for block in found["flows"].blocks if isinstance(block, Missing)}
    assert gone >= {"exchange_flow", "exchange_flow_token", "exchange_flow_token_table"}
    (health,) = [block for block in found["index"].blocks if block.name == "health"]
    assert isinstance(health, Words)
    assert "Missing last night: exchange_balance_daily." in " ".join(health.sentences)
    assert "without exchange_balance_daily" in found["data"].lead
