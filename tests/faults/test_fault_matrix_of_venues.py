"""Every fault at every endpoint of the feeds of the venues; see ``fault_matrix``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_bench import Bench, open_bench
from fault_matrix import VENUE_FEEDS, complaints, find, read_page, words_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(tmp_path_factory.mktemp("bench"), VENUE_FEEDS) as ready:
        yield ready


@pytest.mark.parametrize("feed", VENUE_FEEDS)
def test_every_fault_ends_as_the_page_says(feed: str, bench: Bench) -> None:
    found = find(bench, feed)
    assert complaints(found) == []
    documented = {key: word for key, word in read_page().items() if key[0].feed == feed}
    assert words_of(found) == documented
