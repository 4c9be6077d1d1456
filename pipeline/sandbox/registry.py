"""Every endpoint that the sandbox answers, and which one a path is of."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.sandbox.endpoints import Endpoint
from pipeline.sandbox.vendors import (
    alternative_me,
    binance_futures,
    binance_futures_v1,
    binance_vision,
    bybit,
    cboe,
    coinalyze,
    coingecko,
    coinmarketcap,
    coinmetrics,
    coinmetrics_archive,
    coinpaprika,
    defillama,
    defillama_coins,
    defillama_stablecoins,
    fred,
    gate,
    okx,
    yahoo,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *coingecko.ENDPOINTS,
    *coinmarketcap.ENDPOINTS,
    *coinpaprika.ENDPOINTS,
    *coinmetrics.ENDPOINTS,
    *coinmetrics_archive.ENDPOINTS,
    *binance_vision.ENDPOINTS,
    *binance_futures.ENDPOINTS,
    *binance_futures_v1.ENDPOINTS,
    *bybit.ENDPOINTS,
    *okx.ENDPOINTS,
    *gate.ENDPOINTS,
    *coinalyze.ENDPOINTS,
    *defillama.ENDPOINTS,
    *defillama_coins.ENDPOINTS,
    *defillama_stablecoins.ENDPOINTS,
    *cboe.ENDPOINTS,
    *fred.ENDPOINTS,
    *yahoo.ENDPOINTS,
    *alternative_me.ENDPOINTS,
)
"""Every endpoint of every vendor."""

VENDOR_NAMES: tuple[str, ...] = tuple(dict.fromkeys(endpoint.vendor for endpoint in ENDPOINTS))
"""The vendors' folders."""

_OF_VENDOR: dict[str, tuple[Endpoint, ...]] = {
    vendor: tuple(endpoint for endpoint in ENDPOINTS if endpoint.vendor == vendor)
    for vendor in VENDOR_NAMES
}


def find_endpoint(path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
    """Return the endpoint of ``/<vendor>/...`` and what its pattern found; None for no such."""
    _, _, below = path.partition("/")
    vendor, _, rest = below.rstrip("/").partition("/")
    for endpoint in _OF_VENDOR.get(vendor, ()):
        groups = endpoint.match(f"/{rest}")
        if groups is not None:
            return endpoint, groups
    return None


def get_endpoint(key: str) -> Endpoint:
    """Return the endpoint of a key such as ``coingecko:coins/markets``.

    Raises:
        KeyError: There is no such endpoint.
    """
    for endpoint in ENDPOINTS:
        if endpoint.key == key:
            return endpoint
    raise KeyError(key)
