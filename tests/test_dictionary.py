"""The data dictionary is what the code generates, and says all that the metadata says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.cli_docs import render_commands, render_settings
from pipeline.datasets import DATASETS
from pipeline.dictionary import render_dictionary
from pipeline.models import Project, load_project
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(Settings(_env_file=None).sql_dir)


@pytest.fixture(scope="module")
def dictionary(project: Project) -> str:
    return render_dictionary(project)


def section(dictionary: str, table: str) -> str:
    found = re.search(
        rf"^### [^\n]*`{re.escape(table)}`\n(.*?)(?=^##|\Z)",
        dictionary,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, table
    return found[1]


def test_committed_dictionary_is_what_the_code_generates(dictionary: str) -> None:
    committed = (ROOT / "docs" / "data_dictionary.md").read_text()
    assert committed == dictionary, "run: make dictionary"


def test_dictionary_has_every_published_table_and_column(project: Project, dictionary: str) -> None:
    published = [model for model in project.models.values() if model.doc.is_published]
    assert len(published) > 20
    for model in published:
        text = section(dictionary, model.name)
        assert " ".join(model.doc.description.split()) in text
        assert "Grain: one row" in text
        rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE)
        assert rows == [(column.name, column.type) for column in model.doc.columns], model.name


def test_every_column_has_a_meaning_and_a_unit(project: Project, dictionary: str) -> None:
    for model in project.models.values():
        assert len(model.doc.description.split()) > 3, model.name
        for column in model.doc.columns:
            where = f"{model.name}.{column.name}"
            assert re.search(r"\w", column.meaning), where
            assert re.search(r"\w", column.unit), where
    rows = re.findall(r"^\| `(\w+)` \| `[^`]+` \| (.*?) \| (.*?) \| ", dictionary, re.MULTILINE)
    assert len(rows) > 900
    assert [name for name, meaning, unit in rows if not meaning.strip(" -") or not unit] == []


@pytest.mark.parametrize("page", ["cli.md", "settings.md"])
def test_committed_reference_is_what_the_code_generates(page: str) -> None:
    example = (ROOT / ".env.example").read_text()
    made = {"cli.md": render_commands(), "settings.md": render_settings(example)}[page]
    assert (ROOT / "docs" / page).read_text() == made, "run: make dictionary"


def test_the_reference_has_every_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias or f"TIDEMARK_{name.upper()}"
        assert f"| `{variable}` |" in page


def test_dictionary_says_from_which_columns_a_figure_is_made(dictionary: str) -> None:
    rows = section(dictionary, "indices.index_pair_daily").splitlines()
    (ratio,) = [row for row in rows if row.startswith("| `ratio` ")]
    assert "[indices.index_level_daily](#indices-index_level_daily): " in ratio
    assert "`level`" in ratio


def test_dictionary_marks_unpublished_tables(project: Project, dictionary: str) -> None:
    working = dictionary.partition("## Working tables")[2].partition("\n## ")[0]
    unpublished = {name for name, model in project.models.items() if not model.doc.is_published}
    assert set(re.findall(r"^\| <a [^>]*></a>\[`([\w.]+)`\]", working, re.MULTILINE)) == unpublished


def test_dictionary_has_every_raw_dataset(dictionary: str) -> None:
    raw = dictionary.partition("## Raw datasets")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| <a [^>]*></a>`(\w+)`", raw, re.MULTILINE)) == set(DATASETS)


def test_every_table_row_has_as_many_cells_as_its_head(dictionary: str) -> None:
    width = 0
    for line in dictionary.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        width = width or cells
        assert cells == width, line
