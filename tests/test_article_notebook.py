"""The notebook that replays the two articles: every cell runs, and both ways agree."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from notebook_runner import NOTEBOOK, run_cells


def test_it_is_kept_without_output() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    assert all(cell.get("execution_count") is None for cell in cells)


def test_every_cell_runs_on_a_simulated_home(
    loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, shown = run_cells(loaded_home, monkeypatch)
    tables = [each for each in shown if isinstance(each, str) and each.startswith("| claim |")]
    said = "\n".join(tables)
    for claim_id in names["claims"].index:
        assert f"\n| {claim_id} | " in said
    assert set(names["claims"]["verdict"]) >= {"pending"}


@pytest.mark.docs
def test_jupyter_runs_it_whole(loaded_home: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(NOTEBOOK.parents[2]))
    from docs.notebooks.run import run_notebook

    made = run_notebook(loaded_home, tmp_path / "made.ipynb")
    outputs = [output for cell in made.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    drawn = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(drawn) >= 4
    assert (tmp_path / "made.ipynb").stat().st_size > 20_000
