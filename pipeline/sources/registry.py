"""Which vendor serves which dataset, and in which order. Cheap to import: a DAG does."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError
from pipeline.sources.alternative_me import AlternativeMe
from pipeline.sources.base import Source
from pipeline.sources.cboe import Cboe
from pipeline.sources.coingecko import CoinGecko


@dataclass(frozen=True)
class Feed:
    """One thing to fetch each night: a dataset from the first of its sources that has it.

    Args:
        name: The dataset, with a suffix where several feeds fill one dataset.
        sources: In order of preference; the later ones are asked only when those before
            them have nothing that passes.
        is_blocking: Whether there is no night without it; any other degrades the night.
    """

    name: str
    sources: tuple[Source, ...]
    is_blocking: bool = False

    @property
    def dataset(self) -> str:
        """The raw dataset that it fills."""
        return self.sources[0].dataset


FEEDS: tuple[Feed, ...] = (
    Feed("market_daily", (CoinGecko(),), is_blocking=True),
    Feed("equity_daily", (Cboe(),)),
    Feed("sentiment_daily", (AlternativeMe(),)),
)
"""Every feed, those first that others build on."""

NIGHTLY_FEEDS: tuple[str, ...] = tuple(feed.name for feed in FEEDS)
"""What the nightly run refreshes, by name."""

SOURCES: tuple[Source, ...] = tuple(source for feed in FEEDS for source in feed.sources)
"""Every source."""


def get_feed(name: str) -> Feed:
    """Return the feed of that name.

    Raises:
        ConfigurationError: There is no such feed; the message lists those there are.
    """
    for feed in FEEDS:
        if feed.name == name:
            return feed
    raise ConfigurationError(f"there is no feed {name!r}; there are: {', '.join(NIGHTLY_FEEDS)}")


def sources_for(dataset: str) -> tuple[Source, ...]:
    """Return the sources of a dataset, those of a feed in order of preference.

    None for a dataset that is only imported.

    Raises:
        ConfigurationError: There is no such dataset.
    """
    get_dataset(dataset)
    return tuple(source for source in SOURCES if source.dataset == dataset)


def get_source(name: str, dataset: str) -> Source:
    """Return the source of that name that serves a dataset.

    Raises:
        ConfigurationError: There is no such source; the message lists those there are.
    """
    for source in sources_for(dataset):
        if source.name == name:
            return source
    raise ConfigurationError(
        f"there is no source {name!r} of {dataset}; there are: "
        f"{', '.join(source.name for source in sources_for(dataset))}"
    )
