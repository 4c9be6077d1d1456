"""Which source serves what, and that asking is cheap."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from pipeline.datasets import DATASETS
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.registry import (
    FEEDS,
    NIGHTLY_FEEDS,
    SOURCES,
    get_feed,
    get_source,
    sources_for,
)
from pipeline.sources.vendors import VENDORS, get_vendor


def test_feeds_have_names_of_their_own_and_one_dataset_each() -> None:
    assert max(Counter(NIGHTLY_FEEDS).values()) == 1
    for feed in FEEDS:
        assert feed.name.partition(".")[0] == feed.dataset in DATASETS
        assert {source.dataset for source in feed.sources} == {feed.dataset}


def test_only_the_market_blocks_a_night() -> None:
    assert [feed.name for feed in FEEDS if feed.is_blocking] == ["market_daily"]


def test_a_source_occurs_once_in_a_dataset() -> None:
    assert max(Counter((s.dataset, s.name) for s in SOURCES).values()) == 1


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.dataset}-{source.name}")
def test_every_source_has_a_vendor_with_a_licence_and_a_kind(source: Source) -> None:
    assert source.vendor in VENDORS
    assert source.licence
    assert source.kind in ("by_date", "now_only")
    assert source.available_hours >= 0


def test_a_feed_that_reads_the_files_of_another_comes_after_it() -> None:
    seen: set[tuple[str, str]] = set()
    for feed in FEEDS:
        for source in feed.sources:
            if source.payloads_of is not None:
                assert (source.payloads_of, source.name) in seen
            seen.add((source.dataset, source.name))


def test_sources_for_a_dataset_come_in_order_of_preference() -> None:
    assert sources_for("market_daily")[0].name == "coingecko"
    with pytest.raises(ConfigurationError, match="no raw dataset 'nonsense'"):
        sources_for("nonsense")


def test_what_is_not_there_is_answered_with_what_there_is() -> None:
    assert get_source("cboe", "equity_daily").dataset == "equity_daily"
    with pytest.raises(ConfigurationError, match="there are: cboe"):
        get_source("nonsense", "equity_daily")
    with pytest.raises(ConfigurationError, match="there are: market_daily"):
        get_feed("nonsense")
    with pytest.raises(ConfigurationError, match="there are: coingecko"):
        get_vendor("nonsense")


def test_registry_import_is_cheap() -> None:
    code = (
        "import sys, pipeline.sources.registry;"
        "print(sorted({'pandas', 'numpy', 'requests', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "joined"),
    [
        ({}, "https://cdn.cboe.com/api/v3"),
        ({"vendor_root_url": "http://h:1/at/x"}, "http://h:1/at/x/cboe/api/v3"),
        ({"vendor_root_url": "http://h:1/"}, "http://h:1/cboe/api/v3"),
        (
            {"vendor_root_url": "http://h:1", "vendor_urls": {"cboe": "https://m.example/c/"}},
            "https://m.example/c/api/v3",
        ),
    ],
)
def test_a_vendors_address_can_be_set_for_all_or_for_one(
    settings: dict[str, object], joined: str
) -> None:
    configured = Settings.model_validate({"_env_file": None, **settings})
    assert vendor_url(configured, "cboe", "/api/v3") == joined
    assert vendor_url(configured, "cboe", "api/v3") == joined


def test_a_vendor_without_its_key_is_not_asked_and_no_other_needs_one() -> None:
    without, keyed = Settings(_env_file=None), Settings(_env_file=None, coinalyze_key="a-key")
    for vendor in VENDORS.values():
        if vendor.needs_key:
            assert vendor.secret_headers(without) is None
            assert vendor.secret_headers(keyed) is not None
    assert [vendor.name for vendor in VENDORS.values() if vendor.needs_key] == ["coinalyze"]
