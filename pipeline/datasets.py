"""The raw datasets: their columns, types and keys. The one place that names them.

``market_date`` is a UTC day and its value is the 24:00 UTC close; ``session_date`` is a
New York trading session. Every stored row also carries the lineage columns
``LINEAGE_COLUMNS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import ConfigurationError

ColumnType = Literal["date", "varchar", "double", "bigint", "timestamptz", "boolean"]
Vintage = Literal["live", "reconstructed"]


@dataclass(frozen=True)
class Column:
    """One column of a raw dataset: its name (which carries the unit) and DuckDB type."""

    name: str
    type: ColumnType
    nullable: bool = True


@dataclass(frozen=True)
class Dataset:
    """One raw dataset.

    ``key`` identifies an observation; a later row with the same key is a revision of it.
    ``renamed`` maps a column name seen in user history to ours and a factor to apply.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    renamed: tuple[tuple[str, str, float], ...] = ()

    @property
    def date_column(self) -> str:
        """The day column, always the first of the key."""
        return self.key[0]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the dataset's own columns, in order, without lineage."""
        return tuple(column.name for column in self.columns)

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns that are not part of the key."""
        return tuple(name for name in self.column_names if name not in self.key)


LINEAGE_COLUMNS = (
    Column("known_at", "timestamptz", nullable=False),
    Column("run_id", "varchar", nullable=False),
    Column("vintage", "varchar", nullable=False),
)


def _keys(*names: str) -> tuple[Column, ...]:
    return tuple(
        Column(name, "date" if name.endswith("_date") else "varchar", nullable=False)
        for name in names
    )


def _doubles(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "double") for name in names)


_PERP_KEY = ("market_date", "source", "venue", "perp_symbol")

_ALL = (
    Dataset(
        "market_daily",
        ("market_date", "source", "coin_id"),
        (
            *_keys("market_date", "source", "coin_id"),
            Column("symbol", "varchar"),
            Column("name", "varchar"),
            *_doubles("price_usd", "market_cap_usd", "circulating_supply", "volume_24h_usd"),
            Column("provider_rank", "bigint"),
        ),
    ),
    Dataset(
        "equity_daily",
        ("session_date", "source", "ticker"),
        (*_keys("session_date", "source", "ticker"), *_doubles("close_points")),
    ),
    Dataset(
        "positioning_daily",
        _PERP_KEY,
        (
            *_keys(*_PERP_KEY),
            *_doubles(
                "long_short_account_ratio",
                "top_account_ratio",
                "top_position_ratio",
                "taker_buy_sell_ratio",
            ),
        ),
    ),
    Dataset(
        "open_interest_daily",
        _PERP_KEY,
        (*_keys(*_PERP_KEY), *_doubles("open_interest_units", "open_interest_usd")),
    ),
    Dataset(
        "funding_daily",
        _PERP_KEY,
        (*_keys(*_PERP_KEY), *_doubles("funding_rate_fraction")),
    ),
    Dataset(
        "perp_daily",
        _PERP_KEY,
        (*_keys(*_PERP_KEY), *_doubles("close_usd", "high_usd", "low_usd", "volume_usd")),
    ),
    Dataset(
        "perp_listing_daily",
        _PERP_KEY,
        (
            *_keys(*_PERP_KEY),
            Column("base_symbol", "varchar"),
            Column("quote_symbol", "varchar"),
            Column("coin_id", "varchar"),
            *_doubles("last_price_usd", "index_price_usd", "open_interest_usd", "volume_24h_usd"),
        ),
    ),
    Dataset(
        "liquidation_daily",
        _PERP_KEY,
        (*_keys(*_PERP_KEY), *_doubles("long_usd", "short_usd")),
    ),
    Dataset(
        "exchange_balance_daily",
        ("market_date", "source", "exchange", "token_symbol"),
        (
            *_keys("market_date", "source", "exchange", "token_symbol"),
            *_doubles("balance_units", "balance_usd"),
        ),
    ),
    Dataset(
        "exchange_flow_daily",
        ("market_date", "source", "exchange"),
        (
            *_keys("market_date", "source", "exchange"),
            *_doubles(
                "balance_usd",
                "balance_without_own_token_usd",
                "inflow_24h_usd",
                "inflow_7d_usd",
                "inflow_30d_usd",
                "spot_volume_24h_usd",
            ),
        ),
    ),
    Dataset(
        "onchain_daily",
        ("market_date", "source", "coin_id", "metric"),
        (*_keys("market_date", "source", "coin_id", "metric"), *_doubles("value")),
    ),
    Dataset(
        "sentiment_daily",
        ("market_date", "source"),
        (
            *_keys("market_date", "source"),
            Column("score", "double"),
            Column("label", "varchar"),
        ),
    ),
    Dataset(
        "global_daily",
        ("market_date", "source"),
        (
            *_keys("market_date", "source"),
            *_doubles("total_market_cap_usd", "btc_dominance_fraction", "volume_24h_usd"),
        ),
        renamed=(("btc_dominance_pct", "btc_dominance_fraction", 0.01),),
    ),
    Dataset(
        "stablecoin_daily",
        ("market_date", "source"),
        (*_keys("market_date", "source"), *_doubles("total_supply_usd")),
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}


def get_dataset(name: str) -> Dataset:
    """Return the raw dataset of that name.

    Raises:
        ConfigurationError: There is no such dataset; the message lists those there are.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise ConfigurationError(
            f"there is no raw dataset {name!r}; there are: {', '.join(DATASETS)}"
        ) from None
