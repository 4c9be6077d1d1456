"""What the tasks read and write, as Airflow's assets. Cheap to import: the DAGs do.

A task of many feeds says when it runs which dataset it has written, under one of two aliases;
so an asset has an event only when something of it is new. How OpenLineage names them is in
``pipeline.airflow_provider``.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow.sdk import Asset, AssetAlias

from pipeline.airflow_provider import SCHEME
from pipeline.datasets import DATASETS

PUBLISHED_SCHEMAS = ("staging", "indices", "signals", "quality", "reference", "main")


def _asset(*parts: str) -> Asset:
    return Asset(
        name="_".join((SCHEME, *(part.partition(".")[0] for part in parts))),
        uri=f"{SCHEME}://{'/'.join(parts)}",
    )


LANDED = AssetAlias(name="tidemark_landing")
LOADED = AssetAlias(name="tidemark_raw")
LANDING = {dataset: _asset("landing", dataset) for dataset in DATASETS}
RAW = {dataset: _asset("raw", dataset) for dataset in DATASETS}
LEDGER = _asset("ledger", "levels")
BUILD = _asset("builds", "newest")
PUBLISHED = Asset(name="tidemark_published", uri=f"{SCHEME}://published/tidemark.duckdb")
SCHEMAS = [_asset("published", schema) for schema in PUBLISHED_SCHEMAS]
REPORT = _asset("published", "report")
ARCHIVES = [*LANDING.values(), *RAW.values(), LEDGER]


def landing_of(feeds: Iterable[str]) -> list[Asset]:
    """Return what the feeds land, each dataset once."""
    from pipeline.sources.registry import get_feed

    return [LANDING[name] for name in dict.fromkeys(get_feed(feed).dataset for feed in feeds)]


def landing_read_by(feeds: Iterable[str]) -> list[Asset]:
    """Return what feeds read that was landed by others, each dataset once."""
    from pipeline.sources.registry import get_feed

    sources = [source for feed in feeds for source in get_feed(feed).sources]
    names = dict.fromkeys(source.payloads_of for source in sources if source.payloads_of)
    return [LANDING[name] for name in names]
