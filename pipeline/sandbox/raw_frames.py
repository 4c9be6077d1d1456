"""The market's history in the columns of the raw datasets, as the live sources would give it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from pipeline.sandbox.market import SimulatedMarket, classify_sentiment
from pipeline.sandbox.perps import Perp
from pipeline.sandbox.randomness import Floats
from pipeline.sandbox.vendors.coingecko import (
    COINLESS,
    COINLESS_INTEREST_USD,
    COINLESS_VOLUME_USD,
    NEW_DAYS,
)
from pipeline.sandbox.vendors.coinmetrics_series import (
    EXCHANGE_METRICS,
    asset_numbers,
    metrics_of,
    series,
)
from pipeline.sandbox.vendors.defillama import list_exchanges

MakeFrame = Callable[[SimulatedMarket, date, date], pd.DataFrame]

_ONCHAIN_METRICS = ("AdrActCnt", "SplyCur", *EXCHANGE_METRICS)
_VENUE = "binance"


def _days(market: SimulatedMarket, first: date, last: date) -> tuple[slice, Floats]:
    """Return the span of indices, and its days as an array of dates."""
    start, stop = market.index_of(first), market.index_of(last) + 1
    days = [market.first_day + timedelta(days=index) for index in range(start, stop)]
    return slice(start, stop), np.array(days, dtype=object)


def _perp_frame(
    market: SimulatedMarket, first: date, last: date, source: str, measures: dict[str, Floats]
) -> pd.DataFrame:
    """Return one row per day and perpetual that is listed on it."""
    span, days = _days(market, first, last)
    perps = market.derivatives.perps
    symbols = np.array([perp.symbol for perp in perps], dtype=object)
    rows, columns = np.nonzero(~np.isnan(market.derivatives.close_usd[span]))
    return pd.DataFrame(
        {
            "market_date": days[rows],
            "source": source,
            "venue": _VENUE,
            "perp_symbol": symbols[columns],
            **{name: values[span][rows, columns] for name, values in measures.items()},
        }
    )


def _positioning(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    names = (
        "long_short_account_ratio",
        "top_account_ratio",
        "top_position_ratio",
        "taker_buy_sell_ratio",
    )
    measures = {name: getattr(market.derivatives, name) for name in names}
    return _perp_frame(market, first, last, "binance_vision", measures)


def _open_interest(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    figures = market.derivatives
    measures = {
        "open_interest_units": figures.open_interest_units,
        "open_interest_usd": figures.open_interest_usd,
    }
    return _perp_frame(market, first, last, "binance_vision", measures)


def _funding(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    measures = {"funding_rate_fraction": market.derivatives.funding_rate_fraction}
    return _perp_frame(market, first, last, "binance_vision", measures)


def _perps(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    names = ("close_usd", "high_usd", "low_usd", "volume_usd")
    measures = {name: getattr(market.derivatives, name) for name in names}
    return _perp_frame(market, first, last, "binance_vision", measures)


def _liquidations(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    measures = {
        "long_usd": market.derivatives.long_liquidation_usd,
        "short_usd": market.derivatives.short_liquidation_usd,
    }
    return _perp_frame(market, first, last, "coinalyze", measures)


def _spot_of(market: SimulatedMarket, perps: tuple[Perp, ...]) -> Floats:
    multipliers = np.array([float(perp.multiplier) for perp in perps])
    spot: Floats = market.paths.price_usd[:, [perp.coin_number for perp in perps]] * multipliers
    return spot


def _listings(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    figures, perps = market.derivatives, market.derivatives.perps
    measures = {
        "last_price_usd": figures.close_usd,
        "index_price_usd": _spot_of(market, perps),
        "open_interest_usd": figures.open_interest_usd,
        "volume_24h_usd": figures.volume_usd,
    }
    frame = _perp_frame(market, first, last, "coingecko", measures)
    by_symbol = {perp.symbol: perp for perp in perps}
    asked = [by_symbol[symbol] for symbol in frame["perp_symbol"]]
    age = [
        (day - market.first_day).days - perp.onboard_index
        for day, perp in zip(frame["market_date"], asked, strict=True)
    ]
    frame.insert(4, "base_symbol", [perp.base_asset for perp in asked])
    frame.insert(5, "quote_symbol", [perp.quote_asset for perp in asked])
    is_new = [
        perp.onboard_index > 0 and days < NEW_DAYS for perp, days in zip(asked, age, strict=True)
    ]
    coin_ids = [None if new else perp.coin_id for perp, new in zip(asked, is_new, strict=True)]
    frame.insert(6, "coin_id", coin_ids)
    _, days = _days(market, first, last)
    coinless = [
        pd.DataFrame(
            {
                "market_date": days,
                "source": "coingecko",
                "venue": _VENUE,
                "perp_symbol": symbol,
                "base_symbol": base,
                "quote_symbol": "USDT",
                "coin_id": None,
                "last_price_usd": price,
                "index_price_usd": price,
                "open_interest_usd": COINLESS_INTEREST_USD,
                "volume_24h_usd": COINLESS_VOLUME_USD,
            }
        )
        for base, symbol, price in COINLESS
    ]
    return pd.concat([frame, *coinless], ignore_index=True)


def _balances(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    flows = market.flows
    units, usd = (
        np.column_stack(
            [
                sum(chain(column, place)[span] for place in range(len(token.chains)))
                for column, token in enumerate(flows.tokens)
            ]
        )
        for chain in (flows.chain_units, flows.chain_usd)
    )
    rows, columns = np.nonzero(~np.isnan(units))
    symbols = np.array([token.symbol for token in flows.tokens], dtype=object)
    return pd.DataFrame(
        {
            "market_date": days[rows],
            "source": "defillama",
            "exchange": _VENUE,
            "token_symbol": symbols[columns],
            "balance_units": units[rows, columns],
            "balance_usd": usd[rows, columns],
        }
    )


def _exchange_flows(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    rows = [
        {
            "market_date": day,
            "source": "defillama",
            "exchange": (entry.get("slug") or entry["name"]).lower().removesuffix("-cex"),
            "balance_usd": entry.get("currentTvl"),
            "balance_without_own_token_usd": entry.get("cleanAssetsTvl"),
            "inflow_24h_usd": entry.get("inflows_24h"),
            "inflow_7d_usd": entry.get("inflows_1w"),
            "inflow_30d_usd": entry.get("inflows_1m"),
            "spot_volume_24h_usd": entry["spotVolume"],
        }
        for index, day in zip(range(span.start, span.stop), days, strict=True)
        for entry in list_exchanges(market, index)
    ]
    return pd.DataFrame(rows)


def _onchain(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    frames = [
        pd.DataFrame(
            {
                "market_date": days,
                "source": "coinmetrics",
                "coin_id": asset,
                "metric": metric,
                "value": series(market, number, metric)[span],
            }
        )
        for asset, number in asset_numbers(market).items()
        for metric in metrics_of(market, number)
        if metric in _ONCHAIN_METRICS
    ]
    return pd.concat(frames, ignore_index=True).dropna(subset="value")


def _stablecoins(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    supply = market.aggregates.stablecoin_supply_usd[span]
    return pd.DataFrame({"market_date": days, "source": "defillama", "total_supply_usd": supply})


def _totals(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    totals = market.aggregates
    cap = totals.total_market_cap_usd[span]
    return pd.DataFrame(
        {
            "market_date": days,
            "source": "coingecko",
            "total_market_cap_usd": cap,
            # By way of the percent that the vendor writes.
            "btc_dominance_fraction": 100 * totals.btc_cap_usd[span] / cap / 100,
            "volume_24h_usd": totals.total_volume_usd[span],
        }
    )


def _cmc_moods(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    totals = market.aggregates
    scores = totals.cmc_score[span]
    labels = [classify_sentiment(score) for score in scores]
    mood = pd.DataFrame(
        {"market_date": days, "source": "cmc_fear_greed", "score": scores, "label": labels}
    )
    season = mood.assign(
        source="cmc_altcoin_season", score=totals.altcoin_season_score[span], label=None
    )
    return pd.concat([mood, season], ignore_index=True)


def _vix(market: SimulatedMarket, first: date, last: date) -> pd.DataFrame:
    span, days = _days(market, first, last)
    is_session = market.factors.is_session[span]
    return pd.DataFrame(
        {
            "session_date": days[is_session],
            "source": "cboe",
            "ticker": "VIX",
            "close_points": market.aggregates.vix_close[span][is_session],
        }
    )


FRAMES: dict[str, MakeFrame] = {
    "market_daily": SimulatedMarket.market_history,
    "equity_daily": SimulatedMarket.equity_history,
    "sentiment_daily": SimulatedMarket.sentiment_history,
    "equity_daily_vix": _vix,
    "sentiment_daily_cmc": _cmc_moods,
    "positioning_daily": _positioning,
    "open_interest_daily": _open_interest,
    "funding_daily": _funding,
    "perp_daily": _perps,
    "perp_listing_daily": _listings,
    "liquidation_daily": _liquidations,
    "exchange_balance_daily": _balances,
    "exchange_flow_daily": _exchange_flows,
    "onchain_daily": _onchain,
    "stablecoin_daily": _stablecoins,
    "global_daily": _totals,
}
"""What can be exported, by the start of the file's name; the dataset's name comes first."""
