"""The notebook on the real market: its own figures are those of the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_home import needs_archive
from nights import Home
from notebook_runner import run_cells

pytestmark = [*needs_archive, pytest.mark.slow]


def test_what_it_works_out_is_what_the_ledger_says(
    published: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, shown = run_cells(Path(published.path), monkeypatch)
    both = names["both"].dropna()
    assert set(both.index) == {"A1", "A3H", "A7", "A7H"}
    assert sum(not isinstance(each, str) for each in shown) >= 2
