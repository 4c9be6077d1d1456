"""The report in a browser: from disk, at three widths, in both themes, by hand and by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_names import HOSTILE_NAMES
from visits import WIDTHS, Report, Visit

pytestmark = pytest.mark.browser

Visits = Callable[..., Visit]
PAGES = (
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
    "index-small",
    "signal-s03",
)


def pages_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.html"))


def assert_quiet(visit: Visit, file: Path) -> None:
    assert visit.said == [], file.name
    assert [url for url in visit.asked if not url.startswith(("file://", "data:"))] == []


def test_every_page_opens_from_disk_and_draws_every_chart(visit: Visits, report: Report) -> None:
    reader = visit()
    for file in pages_of(report()):
        reader.open(file)
        assert_quiet(reader, file)
        for chart in reader.page.query_selector_all("[data-chart]"):
            marks = chart.query_selector_all("svg g.mark-line path, svg g.mark-area path")
            points = chart.query_selector_all("svg g.mark-symbol path, svg g.mark-rect path")
            drawn = [mark.get_attribute("d") for mark in (*marks, *points)]
            assert any(shape and "NaN" not in shape for shape in drawn), file.name
            assert not any("NaN" in (shape or "") for shape in drawn), file.name


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_no_page_is_wider_than_its_window(visit: Visits, report: Report, width: int) -> None:
    reader = visit(width)
    for name in PAGES:
        reader.open(report() / f"{name}.html")
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_hold(visit: Visits, report: Report, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    reader = visit(scheme=scheme)
    for name in PAGES:
        reader.open(report() / f"{name}.html")
        found = axe.run(reader.page, options={"preload": False}).response
        broken = {rule["id"]: rule["nodes"][0]["html"] for rule in found["violations"]}
        assert broken == {}, name
        assert len(found["passes"]) > 20


def test_a_value_is_read_under_the_pointer_and_by_key(visit: Visits, report: Report) -> None:
    reader = visit()
    reader.open(report() / "indices.html")
    chart = reader.page.locator("[data-chart=levels]")
    reading = reader.page.locator("#levels .reading")
    chart.focus()
    chart.press("End")
    last = reading.inner_text()
    day = reader.page.evaluate(
        "JSON.parse(document.getElementById('levels-data').textContent).rows.market_date.at(-1)"
    )
    assert last.startswith(f"{day}: ")
    assert all(name in last for name in ("large", "mid", "small"))
    chart.press("ArrowLeft")
    assert reading.inner_text() < last
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    assert reading.inner_text() < last
    reader.page.mouse.move(5, 5)
    assert reading.inner_text() == ""


def test_scale_table_and_theme_can_be_changed(visit: Visits, report: Report) -> None:
    reader = visit()
    reader.open(report() / "indices.html")
    ticks = "#levels svg g.role-axis-label text"
    before = reader.page.locator(ticks).all_inner_texts()
    reader.page.get_by_role("button", name="Linear").first.click()
    reader.page.wait_for_function(
        "([ticks, before]) => [...document.querySelectorAll(ticks)].map(t => t.textContent)"
        ".join() !== before.join()",
        arg=[ticks, before],
    )
    rows = reader.page.locator("#index_today tbody tr td:nth-child(2)")
    head = reader.page.locator("#index_today").get_by_role("button", name="Level")
    head.click()
    values = [float(each.replace(",", "")) for each in rows.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    head.click()
    assert [float(each.replace(",", "")) for each in rows.all_inner_texts()] == sorted(values)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = reader.page.evaluate(colour)
    reader.page.locator("#theme").click()
    assert reader.page.evaluate(colour) != light


def test_paper_is_white_and_has_no_buttons(visit: Visits, report: Report) -> None:
    reader = visit(scheme="dark")
    reader.open(report() / "index.html")
    reader.page.emulate_media(media="print", color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert reader.page.evaluate(colour) == "rgb(255, 255, 255)"
    assert not reader.page.locator("#theme").is_visible()


def test_hostile_names_do_nothing(visit: Visits, report: Report) -> None:
    names = [name.encode(errors="replace").decode() for name in HOSTILE_NAMES.values()]
    pick = f"list_extract($names, 1 + cast(hash(coin_id) % {len(names)} as integer))"
    folder = report(
        "hostile", (f"update staging.coin set name = {pick}, symbol = {pick}",), names=names
    )
    reader = visit()
    for file in pages_of(folder):
        reader.open(file)
        assert_quiet(reader, file)


def test_pages_without_history_and_with_one_day_open(visit: Visits, report: Report) -> None:
    empty = (
        "indices.index_level_daily",
        "indices.index_statistic_daily",
        "indices.index_pair_daily",
    )
    last = "(select max(market_date) from main.about)"
    reader: Any = visit(WIDTHS["phone"])
    for folder in (
        report("empty", tuple(f"delete from {table}" for table in empty)),
        report(
            "one_day", tuple(f"delete from {table} where market_date < {last}" for table in empty)
        ),
    ):
        for name in ("index", "indices", "index-small"):
            if (folder / f"{name}.html").exists():
                reader.open(folder / f"{name}.html")
                assert_quiet(reader, folder / name)
