"""The page of the fault matrix is whole, and a few faults of every vendor end as it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_bench import Bench, Place, faults_of, nightly, open_bench
from fault_matrix import (
    KNOWN_LIMITS,
    MARKET_FEEDS,
    VENUE_FEEDS,
    complaints,
    read_page,
    render,
    words_of,
)

from pipeline.sandbox.fault_names import FAULT_NAMES

QUICK_FAULTS = ("html_200", "truncated", "nan", "renamed_field", "unit_slip", "status_503:1")
# The feed of each vendor that is loaded soonest.
QUICK_FEEDS = {
    "alternative_me": "sentiment_daily",
    "binance_futures": "open_interest_daily",
    "binance_vision": "perp_daily.archive",
    "bybit": "positioning_daily.bybit",
    "cboe": "equity_daily",
    "coinalyze": "liquidation_daily",
    "coingecko": "global_daily",
    "coinmarketcap": "sentiment_daily.cmc_fear_greed",
    "coinmetrics": "onchain_daily",
    "coinmetrics_archive": "onchain_daily",
    "coinpaprika": "market_daily",
    "defillama": "exchange_flow_daily",
    "defillama_stablecoins": "stablecoin_daily",
    "fred": "equity_daily.fred",
    "gate": "liquidation_daily.gate",
    "okx": "positioning_daily.okx",
    "yahoo": "equity_daily",
}
QUICK_PLACES = {
    vendor: next(place for place, _ in read_page() if (place.feed, place.vendor) == (feed, vendor))
    for vendor, feed in QUICK_FEEDS.items()
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(tmp_path_factory.mktemp("bench"), tuple(QUICK_FEEDS.values())) as ready:
        yield ready


@pytest.mark.parametrize("vendor", QUICK_PLACES)
def test_the_commonest_faults_of_every_vendor_end_as_the_page_says(
    vendor: str, bench: Bench
) -> None:
    place = QUICK_PLACES[vendor]
    possible = faults_of(place.endpoint)
    found = {(place, name): bench.run(place, name) for name in QUICK_FAULTS if name in possible}
    assert complaints(found) == []
    assert words_of(found) == {key: read_page()[key] for key in found}


def test_the_page_has_every_source_of_every_nightly_feed() -> None:
    sources = {(feed.name, source.name) for feed in nightly() for source in feed.sources}
    assert {(place.feed, place.source) for place, _ in read_page()} == sources


def test_the_page_has_every_fault_of_every_endpoint() -> None:
    faults: dict[Place, set[str]] = {}
    for place, fault in read_page():
        faults.setdefault(place, set()).add(fault)
    for place, listed in faults.items():
        assert listed == set(faults_of(place.endpoint)), place
    assert set(FAULT_NAMES) <= set().union(*faults.values())


def test_every_vendor_that_a_night_asks_has_its_quick_cases() -> None:
    assert QUICK_FEEDS.keys() == {source.vendor for feed in nightly() for source in feed.sources}


def test_the_page_says_as_sent_of_the_known_limits_and_of_nothing_else() -> None:
    as_sent = {
        (place.feed, place.endpoint, fault)
        for (place, fault), word in read_page().items()
        if word == "as sent"
    }
    assert as_sent == KNOWN_LIMITS


def test_the_page_is_rendered_from_its_outcomes() -> None:
    from fault_matrix import PAGE

    assert render(read_page()) == PAGE.read_text(encoding="utf-8")


def test_the_two_slow_modules_have_all_feeds_between_them() -> None:
    assert sorted((*MARKET_FEEDS, *VENUE_FEEDS)) == sorted(feed.name for feed in nightly())
