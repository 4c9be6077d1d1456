"""Which vendor serves which dataset, and in which order. Cheap to import: a DAG does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError
from pipeline.sources.alternative_me import AlternativeMe
from pipeline.sources.base import Source
from pipeline.sources.binance_futures import BinanceFuturesOpenInterest, BinanceFuturesPositioning
from pipeline.sources.binance_futures_trades import BinanceFuturesFunding, BinanceFuturesPerp
from pipeline.sources.binance_vision import (
    BinanceVisionFunding,
    BinanceVisionOpenInterest,
    BinanceVisionPositioning,
)
from pipeline.sources.binance_vision_klines import BinanceSpot, BinanceVisionPerp
from pipeline.sources.bybit import BybitFunding, BybitPositioning
from pipeline.sources.cboe import Cboe
from pipeline.sources.coinalyze import Coinalyze
from pipeline.sources.coingecko import CoinGecko
from pipeline.sources.coingecko_derivatives import CoinGeckoDerivatives
from pipeline.sources.coingecko_global import CoinGeckoGlobal
from pipeline.sources.coinmarketcap import CoinMarketCapGlobal, CoinMarketCapListings
from pipeline.sources.coinmarketcap_sentiment import (
    CoinMarketCapAltcoinSeason,
    CoinMarketCapFearGreed,
)
from pipeline.sources.coinmetrics import CoinMetrics
from pipeline.sources.coinmetrics_archive import CoinMetricsArchive, CoinMetricsArchiveFlows
from pipeline.sources.coinpaprika import CoinPaprika
from pipeline.sources.defillama import DefiLlamaPrices, DefiLlamaStablecoins
from pipeline.sources.defillama_cex import DefiLlamaExchangeBalances
from pipeline.sources.defillama_flows import DefiLlamaExchangeFlows
from pipeline.sources.fred import Fred
from pipeline.sources.gate import GateLiquidations, GatePositioning
from pipeline.sources.okx import Okx
from pipeline.sources.vendors import Vendor, get_vendor
from pipeline.sources.yahoo import Yahoo

if TYPE_CHECKING:
    from pipeline.settings import Settings


@dataclass(frozen=True)
class Feed:
    """One thing to fetch: a dataset from the first of its sources that has it.

    Args:
        name: The dataset, with a suffix where several feeds fill one dataset.
        sources: In order of preference; the later ones are asked only when those before
            them have nothing that passes.
        is_blocking: Whether there is no night without it; any other degrades the night.
        lag_days: How many days before the night's market date it is asked for, where its
            sources have a day only long after its close.
        is_nightly: Whether each night fetches it; otherwise a backfill does.
    """

    name: str
    sources: tuple[Source, ...]
    is_blocking: bool = False
    lag_days: int = 0
    is_nightly: bool = True

    @property
    def dataset(self) -> str:
        """The raw dataset that it fills."""
        return self.sources[0].dataset

    @property
    def reads_landed_files(self) -> bool:
        """Whether it reads what another feed landed, and so has to come after it."""
        return any(source.payloads_of is not None for source in self.sources)


FEEDS: tuple[Feed, ...] = (
    Feed("market_daily", (CoinGecko(), CoinMarketCapListings(), CoinPaprika()), is_blocking=True),
    Feed("global_daily", (CoinGeckoGlobal(), CoinMarketCapGlobal())),
    Feed("stablecoin_daily", (DefiLlamaStablecoins(),)),
    Feed("equity_daily", (Cboe(), Yahoo())),
    Feed("equity_daily.fred", (Fred(),), lag_days=1),
    Feed("sentiment_daily", (AlternativeMe(),)),
    Feed("sentiment_daily.cmc_fear_greed", (CoinMarketCapFearGreed(),)),
    Feed("sentiment_daily.cmc_altcoin_season", (CoinMarketCapAltcoinSeason(),)),
    Feed("perp_listing_daily", (CoinGeckoDerivatives(),)),
    Feed("positioning_daily", (BinanceFuturesPositioning(),)),
    Feed("positioning_daily.archive", (BinanceVisionPositioning(),), lag_days=1),
    Feed("positioning_daily.bybit", (BybitPositioning(),)),
    Feed("positioning_daily.okx", (Okx(),)),
    Feed("open_interest_daily", (BinanceFuturesOpenInterest(),)),
    Feed("perp_daily", (BinanceFuturesPerp(),)),
    Feed("perp_daily.archive", (BinanceVisionPerp(),), lag_days=1),
    Feed("funding_daily", (BinanceFuturesFunding(),)),
    Feed("funding_daily.bybit", (BybitFunding(),)),
    Feed("liquidation_daily", (Coinalyze(),)),
    Feed("liquidation_daily.gate", (GateLiquidations(),)),
    Feed("exchange_balance_daily", (DefiLlamaExchangeBalances(),)),
    Feed("exchange_flow_daily", (DefiLlamaExchangeFlows(),)),
    Feed("onchain_daily", (CoinMetrics(), CoinMetricsArchiveFlows()), lag_days=1),
    Feed("open_interest_daily.archive", (BinanceVisionOpenInterest(),), lag_days=1),
    Feed("positioning_daily.gate", (GatePositioning(),)),
    Feed("market_daily.coinmetrics", (CoinMetricsArchive(),), is_nightly=False),
    Feed("market_daily.binance_spot", (BinanceSpot(),), is_nightly=False),
    Feed("market_daily.defillama", (DefiLlamaPrices(),), is_nightly=False),
    Feed("funding_daily.archive", (BinanceVisionFunding(),), is_nightly=False),
)
"""Every feed, those first that others build on."""

NIGHTLY_FEEDS: tuple[str, ...] = tuple(feed.name for feed in FEEDS if feed.is_nightly)
"""What the nightly run refreshes, by name."""

SOURCES: tuple[Source, ...] = tuple(source for feed in FEEDS for source in feed.sources)
"""Every source."""


def nightly_feeds_by_vendor(*, reading: bool) -> dict[Vendor, list[str]]:
    """Return the names of the nightly feeds, for each vendor that is first asked for some.

    Args:
        reading: Those that read what other feeds landed, or else those that ask vendors.
    """
    feeds: dict[Vendor, list[str]] = {}
    for feed in FEEDS:
        if feed.is_nightly and feed.reads_landed_files == reading:
            feeds.setdefault(get_vendor(feed.sources[0].vendor), []).append(feed.name)
    return feeds


def nightly_feeds(settings: Settings) -> tuple[Feed, ...]:
    """Return the feeds of a night: those that the settings choose and that can be asked.

    A feed of which no source is set up, as for want of a key, is left out.

    Raises:
        ConfigurationError: A feed is unknown or not a nightly one, or a blocking one is not
            chosen.
    """
    feeds = tuple(feed for feed in FEEDS if feed.is_nightly)
    chosen = {name.strip() for name in settings.feeds.split(",") if name.strip()}
    if chosen:
        nightly = {feed.name for feed in feeds}
        if unknown := sorted(chosen - nightly):
            raise ConfigurationError(
                f"TIDEMARK_FEEDS: there is no nightly feed {unknown[0]!r}; there are: "
                f"{', '.join(sorted(nightly))}"
            )
        if missing := [f.name for f in feeds if f.is_blocking and f.name not in chosen]:
            raise ConfigurationError(
                f"TIDEMARK_FEEDS leaves out {missing[0]}, and there is no night without it"
            )
        feeds = tuple(feed for feed in feeds if feed.name in chosen)
    return tuple(
        feed for feed in feeds if any(source.is_usable(settings) for source in feed.sources)
    )


def get_feed(name: str) -> Feed:
    """Return the feed of that name.

    Raises:
        ConfigurationError: There is no such feed; the message lists those there are.
    """
    for feed in FEEDS:
        if feed.name == name:
            return feed
    raise ConfigurationError(
        f"there is no feed {name!r}; there are: {', '.join(feed.name for feed in FEEDS)}"
    )


def is_blocking(name: str) -> bool:
    """Return whether there is no night without a feed; one that is there no more blocks none."""
    return any(feed.is_blocking for feed in FEEDS if feed.name == name)


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
