"""The vendors' hosts: where they are, how often they may be asked, what they ask for in return.

One entry per host, as limits, bans and keys are a host's. Figures and licences are explained in
``docs/sources.md``. Cheap to import: a DAG does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pipeline.settings import Settings

HOST_REFUSALS = frozenset({402, 403, 418, 451})
"""Statuses by which a vendor refuses our address or our plan, whatever is asked."""

BANS = frozenset({418, 451})
"""The same of a vendor whose 403 is about one file or one metric."""

CALLS_OF_ONE_TASK_PER_MINUTE = 300
"""What one task gets through that asks one call after another, at a fifth of a second each."""

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Vendor:
    """One host and what may be asked of it.

    Args:
        name: Our name of it; also its folder in the sandbox.
        base_url: Scheme and host, without a path that differs between calls.
        calls_per_minute: Our own budget, below the vendor's limit.
        calls_per_month: Budget of a calendar month; None where there is none.
        licence: What may be done with the data, in one line with the credit.
        max_bytes: Largest body that is taken from it, decoded.
        host_refusals: Statuses after which it is left alone for hours.
        key_setting: Field of ``Settings`` with its key; None where there is none.
        key_header: Header that carries the key.
        needs_key: Whether it answers nothing without a key.
    """

    name: str
    base_url: str
    calls_per_minute: int
    licence: str
    calls_per_month: int | None = None
    max_bytes: int = 16 * _MIB
    host_refusals: frozenset[int] = HOST_REFUSALS
    key_setting: str | None = None
    key_header: str | None = None
    needs_key: bool = False

    @property
    def pool(self) -> str:
        """The Airflow pool in which it is asked."""
        return f"tidemark_{self.name}"

    @property
    def pool_slots(self) -> int:
        """How many tasks may ask it at one time: more would only wait for each other's calls."""
        return max(1, self.calls_per_minute // CALLS_OF_ONE_TASK_PER_MINUTE)

    def url(self, settings: Settings) -> str:
        """Return the address that stands for the host: its own, or one set in its place."""
        if self.name in settings.vendor_urls:
            return str(settings.vendor_urls[self.name])
        if settings.vendor_root_url is not None:
            return f"{str(settings.vendor_root_url).rstrip('/')}/{self.name}"
        return self.base_url

    def secret_headers(self, settings: Settings) -> dict[str, SecretStr] | None:
        """Return the header that carries the key, or None when no key is set."""
        if self.key_setting is None or self.key_header is None:
            return None
        key: SecretStr | None = getattr(settings, self.key_setting)
        return {self.key_header: key} if key and key.get_secret_value() else None


_COINGECKO = (
    "Data provided by CoinGecko (https://www.coingecko.com); attribution required, no "
    "redistribution"
)
_CMC = "CoinMarketCap; internal use, no redistribution of data sets"
_BINANCE = "Binance; internal use, no commercial re-supply without consent"
_DEFILLAMA = "DefiLlama; free with attribution, no bulk republication"
_COINMETRICS = "Source: Coin Metrics; CC BY-NC 4.0"

_ALL = (
    Vendor(
        "coingecko",
        "https://api.coingecko.com",
        calls_per_minute=10,
        calls_per_month=10_000,
        licence=_COINGECKO,
        key_setting="coingecko_demo_key",
        key_header="x-cg-demo-api-key",
    ),
    Vendor(
        "coinmarketcap",
        "https://pro-api.coinmarketcap.com",
        calls_per_minute=12,
        calls_per_month=10_000,
        licence=_CMC,
        max_bytes=64 * _MIB,
    ),
    Vendor(
        "coinpaprika",
        "https://api.coinpaprika.com",
        calls_per_minute=30,
        calls_per_month=20_000,
        licence="CoinPaprika; personal, non-commercial use, no redistribution",
    ),
    Vendor(
        "coinmetrics",
        "https://community-api.coinmetrics.io",
        calls_per_minute=80,
        licence=_COINMETRICS,
        max_bytes=64 * _MIB,
        host_refusals=BANS,
    ),
    Vendor(
        "coinmetrics_archive",
        "https://raw.githubusercontent.com",
        calls_per_minute=60,
        licence=_COINMETRICS,
        max_bytes=64 * _MIB,
        host_refusals=BANS,
    ),
    Vendor(
        "binance_vision",
        "https://data.binance.vision",
        calls_per_minute=600,
        licence=_BINANCE,
        host_refusals=BANS,
    ),
    Vendor(
        "binance_futures",
        "https://fapi.binance.com",
        calls_per_minute=180,
        licence=_BINANCE,
    ),
    Vendor("bybit", "https://api.bybit.com", calls_per_minute=300, licence="Bybit; internal use"),
    Vendor("okx", "https://www.okx.com", calls_per_minute=100, licence="OKX; internal use"),
    Vendor("gate", "https://api.gateio.ws", calls_per_minute=300, licence="Gate; internal use"),
    Vendor(
        "coinalyze",
        "https://api.coinalyze.net",
        calls_per_minute=40,
        licence="Source: Coinalyze (https://coinalyze.net); cite, internal use",
        key_setting="coinalyze_key",
        key_header="api_key",
        needs_key=True,
    ),
    Vendor(
        "defillama",
        "https://api.llama.fi",
        calls_per_minute=200,
        licence=_DEFILLAMA,
        max_bytes=128 * _MIB,
    ),
    Vendor("defillama_coins", "https://coins.llama.fi", calls_per_minute=200, licence=_DEFILLAMA),
    Vendor(
        "defillama_stablecoins",
        "https://stablecoins.llama.fi",
        calls_per_minute=200,
        licence=_DEFILLAMA,
    ),
    Vendor(
        "cboe",
        "https://cdn.cboe.com",
        calls_per_minute=30,
        host_refusals=BANS,
        licence=(
            "Cboe, FTSE Russell and S&P Dow Jones Indices; internal use only, no redistribution"
        ),
    ),
    Vendor(
        "fred",
        "https://fred.stlouisfed.org",
        calls_per_minute=60,
        licence="FRED, Federal Reserve Bank of St. Louis; series are copyright of S&P and Cboe",
    ),
    Vendor(
        "yahoo",
        "https://query1.finance.yahoo.com",
        calls_per_minute=10,
        licence="Yahoo; personal use only, off unless asked for",
    ),
    Vendor(
        "alternative_me",
        "https://api.alternative.me",
        calls_per_minute=30,
        licence="Crypto Fear & Greed Index by alternative.me; attribution beside the data",
    ),
)

VENDORS: dict[str, Vendor] = {vendor.name: vendor for vendor in _ALL}


def get_vendor(name: str) -> Vendor:
    """Return the vendor of that name.

    Raises:
        ConfigurationError: There is no such vendor; the message lists those there are.
    """
    try:
        return VENDORS[name]
    except KeyError:
        raise ConfigurationError(
            f"there is no vendor {name!r}; there are: {', '.join(VENDORS)}"
        ) from None
