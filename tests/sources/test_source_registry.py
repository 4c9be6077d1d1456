"""Which source serves what, and that asking is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.datasets import DATASETS
from pipeline.errors import ConfigurationError
from pipeline.sources.base import join_url
from pipeline.sources.registry import (
    NIGHTLY_DATASETS,
    SOURCES,
    get_source,
    nightly_datasets,
    sources_for,
)


def test_registry_names_each_source_once_and_known_datasets_only() -> None:
    assert [source.name for source in SOURCES] == ["coingecko", "cboe", "alternative_me"]
    assert nightly_datasets() == NIGHTLY_DATASETS
    assert NIGHTLY_DATASETS == ("market_daily", "equity_daily", "sentiment_daily")
    assert set(NIGHTLY_DATASETS) <= DATASETS.keys()
    assert [source.name for source in SOURCES if source.is_blocking] == ["coingecko"]
    assert [source.name for source in SOURCES if source.kind == "now_only"] == ["coingecko"]
    assert all(source.licence for source in SOURCES)


def test_sources_for_a_dataset_come_in_order_of_preference() -> None:
    assert [source.name for source in sources_for("market_daily")] == ["coingecko"]
    assert sources_for("funding_daily") == ()
    with pytest.raises(ConfigurationError, match="no raw dataset 'nonsense'"):
        sources_for("nonsense")


def test_get_source_lists_the_names_when_there_is_no_such_source() -> None:
    assert get_source("cboe").dataset == "equity_daily"
    with pytest.raises(ConfigurationError, match="there are: coingecko, cboe"):
        get_source("nonsense")


def test_registry_import_is_cheap() -> None:
    code = (
        "import sys, pipeline.sources.registry;"
        "print(sorted({'pandas', 'numpy', 'requests', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("base", "joined"),
    [
        ("https://h.example", "https://h.example/api/v3"),
        ("https://h.example/", "https://h.example/api/v3"),
        ("http://h:1/at/2026-01-01T01:10:00Z/x", "http://h:1/at/2026-01-01T01:10:00Z/x/api/v3"),
        ("http://h:1/x/", "http://h:1/x/api/v3"),
    ],
)
def test_join_url_keeps_the_path_of_the_base(base: str, joined: str) -> None:
    assert join_url(base, "/api/v3") == joined == join_url(base, "api/v3")
