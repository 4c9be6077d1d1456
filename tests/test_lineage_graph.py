"""The picture of what a table is made from."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from pipeline.lineage_graph import TableGraph, draw_table, read_graph
from pipeline.models import Project, load_project
from pipeline.settings import Settings

SMALL = TableGraph({("b", "a"): 2, ("c", "b"): 1, ("c", "x"): 0, ("d", "c"): 3, ("e", "d"): 1})


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(Settings(_env_file=None).sql_dir)


def test_two_steps_of_origins_and_one_of_readers_are_drawn() -> None:
    svg = draw_table(SMALL, "c", {"b": "#b"})
    tree = ElementTree.fromstring(svg)
    names = [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(name or "" for name in names) == ["a", "b", "c", "d", "x"]
    assert re.findall(r'href="([^"]+)"', svg) == ["#b"]
    assert "c is made from b, x" in svg


def test_a_table_that_only_chooses_rows_is_drawn_apart() -> None:
    svg = draw_table(SMALL, "c", {})
    assert svg.count("stroke-dasharray") == 1
    assert svg.count("chooses rows only") == 1
    assert "1 columns" in svg


def test_a_name_cannot_break_out_of_the_picture() -> None:
    svg = draw_table(TableGraph({("<b>", '"a"'): 1}), "<b>", {"<b>": '#"x'})
    assert len(list(ElementTree.fromstring(svg))) == 4
    assert "<b>" not in svg


def test_every_table_has_a_picture_of_what_its_sql_reads(project: Project) -> None:
    graph = read_graph(project)
    for name, model in project.models.items():
        assert set(model.parents) <= set(graph.parents.get(name, ()))
        ElementTree.fromstring(draw_table(graph, name, {}))
    assert graph.columns["indices.index_pair_daily", "indices.index_level_daily"] > 0
