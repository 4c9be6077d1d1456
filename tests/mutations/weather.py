"""What markets really do, put upon a good night: nothing of it is a fault of the data.

Sizes are those of 2020-03-12 (-40 % in a day), 2021-05-19, May 2022, 2022-11-08 and
2025-10-10, or beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from nights_at_the_gate import GateNight

Nights = dict[str, GateNight]
Weather = Callable[[Nights, np.random.Generator], Nights]

_CANDLE = ("close_usd", "high_usd", "low_usd")


def _times(night: GateNight, factor: Any, *columns: str) -> GateNight:
    """Multiply tonight's figures; ``factor`` is a number or one per row."""
    return night.having(
        **{
            name: night.frame[name].mask(night.is_tonight, night.frame[name] * factor)
            for name in columns
        }
    )


def _ranked_again(night: GateNight) -> GateNight:
    """Number the coins by their caps, as the vendor would after the move."""
    frame = night.frame
    ranked = frame["provider_rank"].notna()
    order = frame["market_cap_usd"].where(ranked).rank(ascending=False, method="first")
    return night.having(provider_rank=order.astype("Int64"))


def _changed(nights: Nights, changes: Mapping[str, Callable[[GateNight], GateNight]]) -> Nights:
    return nights | {feed: change(nights[feed]) for feed, change in changes.items()}


def _moved_market(nights: Nights, draw: np.random.Generator, move: float, spread: float) -> Nights:
    """Move every price by about ``move``, and what hangs on prices with them."""
    coins = nights["market_daily"].frame["coin_id"]
    is_peg = nights["market_daily"].frame["price_usd"].between(0.9, 1.1).to_numpy()
    factor = np.where(is_peg, 1.0, move * np.exp(spread * draw.standard_normal(len(coins))))

    def perps(night: GateNight) -> GateNight:
        each = move * np.exp(spread * draw.standard_normal(len(night.frame)))
        night = _times(night, each, *_CANDLE)
        wide = max(1.0, 1 / move)
        return _times(_times(night, wide, "high_usd"), 3.0, "volume_usd")

    def listings(night: GateNight) -> GateNight:
        each = move * np.exp(spread * draw.standard_normal(len(night.frame)))
        night = _times(night, each, "last_price_usd", "index_price_usd", "open_interest_usd")
        return _times(night, 3.0, "volume_24h_usd")

    return _changed(
        nights,
        {
            "market_daily": lambda night: _ranked_again(
                _times(_times(night, factor, "price_usd", "market_cap_usd"), 4.0, "volume_24h_usd")
            ),
            "perp_daily": perps,
            "perp_listing_daily": listings,
            "open_interest_daily": lambda night: _times(night, move, "open_interest_usd"),
            "exchange_balance_daily": lambda night: _times(night, move, "balance_usd"),
            "exchange_flow_daily": lambda night: _times(
                _times(
                    night, move, "balance_usd", "balance_without_own_token_usd", "inflow_24h_usd"
                ),
                4.0,
                "spot_volume_24h_usd",
            ),
            "global_daily": lambda night: _times(
                _times(night, move, "total_market_cap_usd"), 2.0, "volume_24h_usd"
            ),
        },
    )


def calm(nights: Nights, draw: np.random.Generator) -> Nights:
    """Nothing but what the simulated market did."""
    return nights


def crash(nights: Nights, draw: np.random.Generator) -> Nights:
    """-40 % in a day, half of the open interest gone, longs liquidated, funding turned."""
    nights = _moved_market(nights, draw, 0.6, 0.12)
    return _changed(
        nights,
        {
            "open_interest_daily": lambda n: _times(
                n, 0.7, "open_interest_units", "open_interest_usd"
            ),
            "liquidation_daily": lambda n: _times(_times(n, 40.0, "long_usd"), 3.0, "short_usd"),
            "funding_daily": lambda n: _times(n, -8.0, "funding_rate_fraction"),
            "positioning_daily": lambda n: _times(
                n, 1.6, "long_short_account_ratio", "top_account_ratio", "taker_buy_sell_ratio"
            ),
            "global_daily": lambda n: _times(n, 1.08, "btc_dominance_fraction"),
            "stablecoin_daily": lambda n: _times(n, 0.97, "total_supply_usd"),
            "equity_daily": lambda n: n.having(
                close_points=n.frame["close_points"].mask(
                    n.is_tonight,
                    n.frame["close_points"] * np.where(n.frame["ticker"] == "VIX", 2.1, 0.88),
                )
            ),
        },
    )


def rally(nights: Nights, draw: np.random.Generator) -> Nights:
    """+25 % in a day, with funding at ten times the usual."""
    nights = _moved_market(nights, draw, 1.25, 0.1)
    return _changed(
        nights,
        {
            "funding_daily": lambda n: _times(n, 10.0, "funding_rate_fraction"),
            "liquidation_daily": lambda n: _times(n, 40.0, "short_usd"),
            "positioning_daily": lambda n: _times(n, 0.6, "long_short_account_ratio"),
        },
    )


def depeg(nights: Nights, draw: np.random.Generator) -> Nights:
    """A large stablecoin at 87 cents, with a tenth of it redeemed."""
    night = nights["market_daily"]
    pegs = night.frame.index[night.frame["price_usd"].between(0.99, 1.01)]
    factor = np.where(night.frame.index == pegs[int(draw.integers(min(2, len(pegs))))], 0.87, 1.0)
    supply = np.where(factor < 1, 0.9, 1.0)
    night = _times(night, factor, "price_usd")
    night = _times(night, supply, "circulating_supply")
    night = _ranked_again(_times(night, factor * supply, "market_cap_usd"))
    return nights | {
        "market_daily": night,
        "stablecoin_daily": _times(nights["stablecoin_daily"], 0.93, "total_supply_usd"),
    }


def collapse(nights: Nights, draw: np.random.Generator) -> Nights:
    """A top-20 coin falls by 99.9 % in a day, its supply growing a thousand times, as LUNA's."""
    night = nights["market_daily"]
    chosen = night.frame["provider_rank"].fillna(0) == int(draw.integers(4, 20))
    price, supply = np.where(chosen, 1e-3, 1.0), np.where(chosen, 1e3, 1.0)
    night = _times(_times(night, price, "price_usd"), supply, "circulating_supply")
    night = _times(night, np.where(chosen, 0.5, 1.0), "market_cap_usd", "circulating_supply")
    return nights | {"market_daily": _ranked_again(night)}


def listings_come_and_go(nights: Nights, draw: np.random.Generator) -> Nights:
    """Coins and perpetuals are gone, others are new, one has another symbol."""
    night = nights["market_daily"]
    small = night.frame.index[night.frame["provider_rank"].fillna(999) > 30]
    gone = draw.choice(small, size=8, replace=False)
    frame = night.frame.drop(index=gone)
    born = night.frame.loc[gone[:5]].assign(
        coin_id=[f"sim-born-{n}" for n in range(5)], symbol=[f"BORN{n}" for n in range(5)]
    )
    renamed = frame["coin_id"] == night.frame["coin_id"].loc[small[0]]
    frame = frame.assign(symbol=frame["symbol"].mask(renamed, "RENAMED"))
    market = _ranked_again(night.with_frame(pd.concat([frame, born])))
    changed = {"market_daily": market}
    for feed in ("perp_daily", "positioning_daily", "open_interest_daily", "funding_daily"):
        perps = nights[feed]
        symbols = perps.frame["perp_symbol"].unique()
        out = draw.choice(symbols[10:], size=4, replace=False)
        changed[feed] = perps.with_frame(perps.frame[~perps.frame["perp_symbol"].isin(out)])
    return nights | changed


def halved_interest(nights: Nights, draw: np.random.Generator) -> Nights:
    """Open interest halves while prices hardly move."""
    units = ("open_interest_units", "open_interest_usd")
    return _changed(
        nights,
        {
            "open_interest_daily": lambda n: _times(n, 0.45, *units),
            "perp_listing_daily": lambda n: _times(n, 0.45, "open_interest_usd"),
        },
    )


def funding_spike(nights: Nights, draw: np.random.Generator) -> Nights:
    """A third of the perpetuals pay two per cent a day, most of them to longs."""
    night = nights["funding_daily"]
    is_hot = draw.random(len(night.frame)) < 0.33
    rate = np.where(draw.random(len(night.frame)) < 0.7, -0.025, 0.02)
    frame = night.frame
    hot = frame["funding_rate_fraction"].mask(night.is_tonight & is_hot, pd.Series(rate))
    return nights | {"funding_daily": night.having(funding_rate_fraction=hot)}


def run_on_an_exchange(nights: Nights, draw: np.random.Generator) -> Nights:
    """The largest exchange loses a third in a day, others gain."""
    night = nights["exchange_flow_daily"]
    is_largest = night.frame["balance_usd"] == night.frame["balance_usd"].max()
    factor = np.where(is_largest, 0.66, 1.1)
    columns = ("balance_usd", "balance_without_own_token_usd")
    night = _times(night, factor, *columns)
    inflow = night.frame["balance_usd"] * np.where(is_largest, -0.5, 0.09)
    balance = _times(nights["exchange_balance_daily"], 0.66, "balance_units", "balance_usd")
    return nights | {
        "exchange_flow_daily": night.having(inflow_24h_usd=inflow),
        "exchange_balance_daily": balance,
    }


def quiet_sunday(nights: Nights, draw: np.random.Generator) -> Nights:
    """A fifth of the volume, and funding at rest for most perpetuals."""
    funding = nights["funding_daily"]
    before = funding.before.drop_duplicates(["perp_symbol"], keep="last")
    known = funding.frame["perp_symbol"].map(
        before.set_index("perp_symbol")["funding_rate_fraction"]
    )
    is_rest = funding.is_tonight & (draw.random(len(funding.frame)) < 0.8) & known.notna()
    rates = funding.frame["funding_rate_fraction"].mask(is_rest, known)
    return _changed(
        nights,
        {
            "funding_daily": lambda n: n.having(funding_rate_fraction=rates),
            "market_daily": lambda n: _times(n, 0.2, "volume_24h_usd"),
            "perp_daily": lambda n: _times(n, 0.2, "volume_usd"),
            "liquidation_daily": lambda n: _times(n, 0.05, "long_usd", "short_usd"),
            "exchange_flow_daily": lambda n: _times(n, 0.2, "spot_volume_24h_usd"),
        },
    )


def late_revisions(nights: Nights, draw: np.random.Generator) -> Nights:
    """Vendors mend a tenth of their last days, by a fifth."""
    changed = {}
    for feed, column in (
        ("onchain_daily", "value"),
        ("liquidation_daily", "long_usd"),
        ("open_interest_daily", "open_interest_usd"),
        ("exchange_balance_daily", "balance_units"),
    ):
        night = nights[feed]
        is_mended = ~night.is_tonight & (draw.random(len(night.frame)) < 0.1)
        values = night.frame[column].mask(is_mended, night.frame[column] * 1.2)
        changed[feed] = replace(night, frame=night.frame.assign(**{column: values}))
    return nights | changed


WEATHERS: tuple[Weather, ...] = (
    calm,
    crash,
    rally,
    depeg,
    collapse,
    listings_come_and_go,
    halved_interest,
    funding_spike,
    run_on_an_exchange,
    quiet_sunday,
    late_revisions,
)
