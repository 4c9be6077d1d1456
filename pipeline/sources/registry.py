"""Which vendor serves which dataset, and in which order. Cheap to import: a DAG does."""

from __future__ import annotations

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError
from pipeline.sources.alternative_me import AlternativeMe
from pipeline.sources.base import Source
from pipeline.sources.cboe import Cboe
from pipeline.sources.coingecko import CoinGecko

SOURCES: tuple[Source, ...] = (CoinGecko(), Cboe(), AlternativeMe())
"""Every source; of two for one dataset, the preferred one first."""

NIGHTLY_DATASETS: tuple[str, ...] = tuple(dict.fromkeys(source.dataset for source in SOURCES))
"""The datasets that the nightly run refreshes, those that a night cannot do without first."""


def nightly_datasets() -> tuple[str, ...]:
    """Return the datasets that the nightly run refreshes."""
    return NIGHTLY_DATASETS


def sources_for(dataset: str) -> tuple[Source, ...]:
    """Return the sources of a dataset in order of preference; none for imported history.

    Raises:
        ConfigurationError: There is no such dataset.
    """
    get_dataset(dataset)
    return tuple(source for source in SOURCES if source.dataset == dataset)


def get_source(name: str) -> Source:
    """Return the source of that name.

    Raises:
        ConfigurationError: There is no such source; the message lists those there are.
    """
    for source in SOURCES:
        if source.name == name:
            return source
    raise ConfigurationError(
        f"there is no source {name!r}; there are: {', '.join(source.name for source in SOURCES)}"
    )
