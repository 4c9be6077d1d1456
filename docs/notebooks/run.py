"""Run a notebook on a home: ``make notebook``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("article_check.ipynb")


def run_notebook(home: Path, target: Path, seconds: int = 600) -> nbformat.NotebookNode:
    """Run every cell on what a home has published, and write the notebook with its output.

    Raises:
        CellExecutionError: A cell failed; nothing is written.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    os.environ["TIDEMARK_HOME"] = str(home.resolve())
    NotebookClient(notebook, timeout=seconds, kernel_name="python3").execute()
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return notebook


def main() -> None:
    """Run the notebook on ``TIDEMARK_HOME``, or on the home of the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=Path("build/article_check.ipynb"))
    given = parser.parse_args()
    run_notebook(Path(os.environ.get("TIDEMARK_HOME", "demo/home")), given.target)
    print(f"{given.target} has every figure and chart")


if __name__ == "__main__":
    main()
