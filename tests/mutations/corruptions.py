"""Ways in which a good night goes wrong, each with the rule that is meant to see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from nights_at_the_gate import HOLIDAY, NIGHT, Change, GateNight


@dataclass(frozen=True)
class Corruption:
    """One fault of one feed, and the name of the rule that is meant to find it."""

    feed: str
    name: str
    meant: str
    change: Change

    @property
    def id(self) -> str:
        return f"{self.feed}: {self.name}"


# --- the ways ---------------------------------------------------------------------------------


def scaled(factor: float, *columns: str) -> Change:
    """A unit that slipped in every row."""
    return lambda night: night.having(**{name: night.frame[name] * factor for name in columns})


def scaled_tonight(factor: float, *columns: str) -> Change:
    """A unit that slipped in tonight's rows only."""

    def change(night: GateNight) -> GateNight:
        return night.having(
            **{
                name: night.frame[name].mask(night.is_tonight, night.frame[name] * factor)
                for name in columns
            }
        )

    return change


def swapped(first: str, second: str) -> Change:
    """Two columns that changed places."""
    return lambda night: night.having(**{first: night.frame[second], second: night.frame[first]})


def _row(night: GateNight, number: int) -> int:
    """Return the index of one of tonight's rows."""
    return int(night.frame.index[night.is_tonight][number])


def one(column: str, value: Callable[[float], float] | object, number: int = 3) -> Change:
    """One cell of tonight with another value, or a function of the one it had."""

    def change(night: GateNight) -> GateNight:
        frame, row = night.frame.copy(), _row(night, number)
        frame.loc[row, column] = value(frame.loc[row, column]) if callable(value) else value
        return night.with_frame(frame)

    return change


def both(*changes: Change) -> Change:
    """Several changes one after the other."""

    def change(night: GateNight) -> GateNight:
        for each in changes:
            night = each(night)
        return night

    return change


def every(column: str, value: object) -> Change:
    """One value in every row of a column."""
    return lambda night: night.having(**{column: value})


def without_rows(is_gone: Callable[[GateNight], pd.Series]) -> Change:
    """Rows that are not there."""
    return lambda night: night.with_frame(night.frame[~is_gone(night)])


def gone(fraction: float, *, of_all_days: bool = True) -> Change:
    """The last part of the series is not there."""

    def is_gone(night: GateNight) -> pd.Series:
        series = list(night.dataset.key[1:])
        number = night.frame.groupby(series, sort=False).ngroup()
        return number >= (1 - fraction) * (number.max() + 1)

    return without_rows(is_gone)


def largest_gone(column: str) -> Change:
    """The series with the largest figure of tonight is not there."""

    def is_gone(night: GateNight) -> pd.Series:
        series = list(night.dataset.key[1:])
        row = night.frame.loc[night.frame[column].where(night.is_tonight).idxmax()]
        return (night.frame[series] == row[series]).all(axis=1)

    return without_rows(is_gone)


def yesterday_again(night: GateNight) -> GateNight:
    """Tonight's rows are those of the night before under tonight's day."""
    frame = night.frame[~night.is_tonight]
    before = night.before
    last = before[before[night.day] == before[night.day].max()]
    return night.with_frame(pd.concat([frame, last.assign(**{night.day: NIGHT})]))


def _three_days_ago_again(night: GateNight) -> GateNight:
    """Tonight's rows are those of three days ago under tonight's day."""
    before = night.before
    then = before[before[night.day] == NIGHT - timedelta(days=3)]
    return night.with_frame(then.assign(**{night.day: NIGHT}))


def shifted(days: int) -> Change:
    """Every row is said to be of another day."""
    return lambda night: night.having(
        **{night.day: [day + timedelta(days=days) for day in night.frame[night.day]]}
    )


def repeated(night: GateNight) -> GateNight:
    """The last rows come twice."""
    return night.with_frame(pd.concat([night.frame, night.frame.tail(5)]))


def repeated_otherwise(column: str) -> Change:
    """The last rows come twice, with other values."""

    def change(night: GateNight) -> GateNight:
        again = night.frame.tail(5)
        again = again.assign(**{column: again[column] * 1.01})
        return night.with_frame(pd.concat([night.frame, again]))

    return change


def written(column: str, how: Callable[[str], str]) -> Change:
    """Ids in another writing."""
    return lambda night: night.having(**{column: night.frame[column].map(how)})


def shuffled(*columns: str) -> Change:
    """Columns whose values belong to other rows of the same night."""

    def change(night: GateNight) -> GateNight:
        frame = night.frame.copy()
        rows = frame.index[night.is_tonight]
        for column in columns:
            frame.loc[rows, column] = frame.loc[np.roll(rows, 7), column].to_numpy()
        return night.with_frame(frame)

    return change


def exchanged(column: str, first: int, second: int) -> Change:
    """Two of tonight's rows with each other's value."""

    def change(night: GateNight) -> GateNight:
        frame, a, b = night.frame.copy(), _row(night, first), _row(night, second)
        frame.loc[[a, b], column] = frame.loc[[b, a], column].to_numpy()
        return night.with_frame(frame)

    return change


def frozen(column: str) -> Change:
    """The first of tonight's series has said the same on every stored day."""

    def change(night: GateNight) -> GateNight:
        series = list(night.dataset.key[1:])
        row = night.frame.loc[_row(night, 0)]

        def hold(frame: pd.DataFrame) -> pd.DataFrame:
            is_it = (frame[series] == row[series]).all(axis=1)
            return frame.assign(**{column: frame[column].mask(is_it, row[column])})

        return night.with_frame(hold(night.frame)).with_before(hold(night.before))

    return change


def contradicted(column: str, factor: float, fraction: float = 1.0) -> Change:
    """Another source says something else of the same rows."""

    def change(night: GateNight) -> GateNight:
        other = night.frame.assign(source="another")
        is_off = np.arange(len(other)) < fraction * len(other)
        return night.with_others(
            other.assign(**{column: other[column].where(~is_off, other[column] * factor)})
        )

    return change


# --- the datasets -----------------------------------------------------------------------------

RATIOS = (
    "long_short_account_ratio",
    "top_account_ratio",
    "top_position_ratio",
    "taker_buy_sell_ratio",
)
_CANDLE = ("close_usd", "high_usd", "low_usd")


def _missing_page(night: GateNight) -> pd.Series:
    return night.frame["provider_rank"].between(40, 100)


def _holiday_session(night: GateNight) -> GateNight:
    row = night.frame[night.is_tonight].assign(session_date=HOLIDAY)
    return night.with_frame(pd.concat([night.frame, row]))


def _saturday_session(night: GateNight) -> GateNight:
    row = night.frame[night.is_tonight].assign(session_date=HOLIDAY - timedelta(days=2))
    return night.with_frame(pd.concat([night.frame, row]))


def _of(ticker: str, change: Callable[[pd.DataFrame, pd.Series], pd.DataFrame]) -> Change:
    return lambda night: night.with_frame(
        change(night.frame, night.is_tonight & (night.frame["ticker"] == ticker))
    )


def _times(factor: float) -> Callable[[pd.DataFrame, pd.Series], pd.DataFrame]:
    return lambda frame, which: frame.assign(
        close_points=frame["close_points"].mask(which, frame["close_points"] * factor)
    )


def _without_session_before(night: GateNight) -> pd.Series:
    days = sorted(night.frame["session_date"].unique())
    return night.frame["session_date"] == days[-2]


def _stands_still(night: GateNight) -> pd.Series:
    is_new = night.frame["session_date"] >= NIGHT - timedelta(days=5)
    return is_new & (night.frame["ticker"] == "RUT")


def _turned(night: GateNight) -> GateNight:
    """Shorts over longs, tonight only."""
    frame = night.frame.copy()
    frame.loc[night.is_tonight, list(RATIOS[:3])] = (
        1 / frame.loc[night.is_tonight, list(RATIOS[:3])]
    )
    return night.with_frame(frame)


def _swap_tickers(night: GateNight) -> GateNight:
    names = {"SPX": "RUT", "RUT": "SPX"}
    return night.having(
        ticker=night.frame["ticker"].map(names).where(night.is_tonight, night.frame["ticker"])
    )


def _share(night: GateNight) -> GateNight:
    """Long shares where long over short is meant."""
    return night.having(
        **{name: night.frame[name] / (1 + night.frame[name]) for name in RATIOS[:3]}
    )


def _one_day_late(night: GateNight) -> GateNight:
    """The score of each day is that of the day before."""
    ordered = night.frame.sort_values("market_date")
    return night.with_frame(
        ordered.assign(score=ordered["score"].shift(fill_value=50.0), label=None)
    )


def _metrics_swapped(night: GateNight) -> GateNight:
    names = {"SplyCur": "AdrActCnt", "AdrActCnt": "SplyCur"}
    metric = night.frame["metric"]
    return night.having(metric=metric.map(names).fillna(metric))


def _onchain_ids_swapped(night: GateNight) -> GateNight:
    coins = night.frame["coin_id"].unique()[:2]
    names = {coins[0]: coins[1], coins[1]: coins[0]}
    coin = night.frame["coin_id"]
    return night.having(coin_id=coin.map(names).fillna(coin))


def _one_metric_less(night: GateNight) -> pd.Series:
    return night.frame["metric"] == "SplyCur"


def _market(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("market_daily", name, meant, change)


MARKET = (
    _market(
        "dollars in thousandths",
        "no_market_wide_jump",
        scaled(1000.0, "price_usd", "market_cap_usd", "volume_24h_usd"),
    ),
    _market(
        "supplies and caps x1000",
        "total_steady",
        scaled(1e3, "circulating_supply", "market_cap_usd"),
    ),
    _market(
        "supplies and caps x1e6",
        "total_cap_plausible",
        scaled(1e6, "circulating_supply", "market_cap_usd"),
    ),
    _market("volumes x1000", "volume_steady", scaled(1000.0, "volume_24h_usd")),
    _market(
        "price and cap swapped", "cap_is_price_times_supply", swapped("price_usd", "market_cap_usd")
    ),
    _market(
        "cap and volume swapped",
        "cap_is_price_times_supply",
        swapped("market_cap_usd", "volume_24h_usd"),
    ),
    _market(
        "supply and volume swapped",
        "cap_is_price_times_supply",
        swapped("circulating_supply", "volume_24h_usd"),
    ),
    _market("a page twice", "key_unique", repeated),
    _market("a page twice, with other values", "key_unique", repeated_otherwise("price_usd")),
    _market("a page in the middle missing", "ranks_contiguous", without_rows(_missing_page)),
    _market("the last page missing", "series_return", gone(0.3)),
    _market("half of the rows", "row_count_usual", gone(0.55)),
    _market("ninety coins", "enough_coins", gone(0.5)),
    _market("no rows", "not_empty", lambda night: night.with_frame(night.frame.head(0))),
    _market("yesterday again", "not_yesterday_again", yesterday_again),
    _market("the day before", "has_market_date", shifted(-1)),
    _market("a day too late", "no_later_day", shifted(1)),
    _market("one price x10", "cap_is_price_times_supply", one("price_usd", lambda v: v * 10)),
    _market(
        "one price and cap x10",
        "cap_fits_rank",
        both(one("price_usd", lambda v: v * 10, 20), one("market_cap_usd", lambda v: v * 10, 20)),
    ),
    _market(
        "one supply and cap a tenth",
        "cap_fits_rank",
        both(
            one("circulating_supply", lambda v: v / 10, 5),
            one("market_cap_usd", lambda v: v / 10, 5),
        ),
    ),
    _market(
        "one coin in another unit, its cap unchanged",
        "moves_with_market",
        both(one("price_usd", lambda v: v / 8), one("circulating_supply", lambda v: v * 8)),
    ),
    _market(
        "one coin in thousands, its cap unchanged",
        "price_jump",
        both(one("price_usd", lambda v: v * 1e3), one("circulating_supply", lambda v: v / 1e3)),
    ),
    _market(
        "one supply and cap doubled",
        "cap_moves_with_price",
        both(
            one("circulating_supply", lambda v: v * 1.8, 30),
            one("market_cap_usd", lambda v: v * 1.8, 30),
        ),
    ),
    _market("all caps null", "caps_present", every("market_cap_usd", np.nan)),
    _market("an unknown supply as zero", "unknown_is_null", one("circulating_supply", 0.0)),
    _market("a negative price", "price_positive", one("price_usd", lambda v: -v)),
    _market("a zero price", "price_positive", one("price_usd", 0.0)),
    _market("an infinite price", "price_positive", one("price_usd", np.inf)),
    _market("a coin without a price", "price_present", one("price_usd", np.nan)),
    _market("a negative cap", "market_cap_usd_in_range", one("market_cap_usd", -1.0)),
    _market("a negative supply", "circulating_supply_in_range", one("circulating_supply", -1.0)),
    _market("a negative volume", "volume_24h_usd_in_range", one("volume_24h_usd", -1.0)),
    _market("prices of other coins", "cap_is_price_times_supply", shuffled("price_usd")),
    _market("symbols of other coins", "symbols_stay", shuffled("symbol")),
    _market("ids of other coins", "symbols_stay", shuffled("coin_id")),
    _market("two coins with each other's id", "same_coin", exchanged("coin_id", 2, 9)),
    _market(
        "a coin under the symbol and price of another",
        "same_coin",
        both(
            one("symbol", "BTC", 12),
            one("price_usd", 46_000.0, 12),
            one("circulating_supply", np.nan, 12),
        ),
    ),
    _market(
        "ranks the wrong way round",
        "cap_fits_rank",
        lambda n: n.having(
            provider_rank=n.frame["provider_rank"].max() + 1 - n.frame["provider_rank"]
        ),
    ),
    _market("ids in capitals", "key_well_formed", written("coin_id", str.upper)),
    _market("ids with a space", "key_well_formed", written("coin_id", lambda text: f"{text} ")),
    _market("no Bitcoin", "large_ones_present", largest_gone("market_cap_usd")),
    _market("a price that stands still", "not_frozen", frozen("price_usd")),
    _market(
        "a column under another name",
        "columns_exact",
        lambda n: n.with_frame(n.frame.rename(columns={"price_usd": "price"})),
    ),
    _market(
        "prices as text",
        "types_exact",
        lambda n: n.having(price_usd=n.frame["price_usd"].astype(str)),
    ),
    _market("a coin without an id", "key_not_null", one("coin_id", None)),
    _market(
        "another source 10 % off on two coins",
        "two_sources_agree",
        contradicted("price_usd", 1.1, 0.02),
    ),
    _market(
        "another source off on most coins", "sources_agree_widely", contradicted("price_usd", 1.1)
    ),
)


def _equity(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("equity_daily", name, meant, change)


EQUITY = (
    _equity("an index halved, as by a split", "move_plausible", _of("SPX", _times(0.5))),
    _equity("two indices with each other's closes", "move_plausible", _swap_tickers),
    _equity("a session on a holiday", "session_calendar", _holiday_session),
    _equity("a session on a Saturday", "session_calendar", _saturday_session),
    _equity("an old file", "session_recent", shifted(-7)),
    _equity("a session missing", "no_session_missing", without_rows(_without_session_before)),
    _equity("one index stands still", "ticker_recent", without_rows(_stands_still)),
    _equity("one close for a week", "not_frozen", frozen("close_points")),
    _equity("returns with dividends", "past_days_stand", scaled(1.08, "close_points")),
    _equity("points in thousands", "close_plausible", scaled(1e-3, "close_points")),
    _equity("a close missing", "close_present", one("close_points", np.nan, 0)),
    _equity("two closes of a session", "key_unique", repeated_otherwise("close_points")),
    _equity("a session of tomorrow", "no_later_day", shifted(3)),
    _equity("small letters", "key_well_formed", written("ticker", str.lower)),
    _equity(
        "another source off on one close",
        "two_sources_agree",
        contradicted("close_points", 1.1, 0.05),
    ),
    _equity(
        "another source off on all closes",
        "sources_agree_widely",
        contradicted("close_points", 1.1),
    ),
    _equity("volatility x3", "volatility_move_plausible", _of("VIX", _times(3.0))),
    _equity("volatility as a fraction", "close_plausible", _of("VIX", _times(0.01))),
)


def _positioning(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("positioning_daily", name, meant, change)


POSITIONING = (
    _positioning("percents", "ratios_usual", scaled(100.0, *RATIOS)),
    _positioning("long shares instead of ratios", "past_days_stand", _share),
    _positioning("shorts over longs", "not_upside_down", _turned),
    _positioning(
        "accounts and positions swapped",
        "columns_not_swapped",
        swapped("long_short_account_ratio", "top_position_ratio"),
    ),
    _positioning("yesterday again", "not_yesterday_again", yesterday_again),
    _positioning("x1000", "no_wide_leap", scaled_tonight(1000.0, *RATIOS)),
    _positioning("symbols in small letters", "key_well_formed", written("perp_symbol", str.lower)),
    _positioning("a third of the perpetuals missing", "series_return", gone(0.34)),
    _positioning("half of the rows", "row_count_usual", gone(0.55)),
    _positioning("the day before", "has_market_date", shifted(-1)),
    _positioning("tomorrow", "no_later_day", shifted(1)),
    _positioning(
        "a row without any ratio", "has_measure", both(*(one(name, np.nan) for name in RATIOS))
    ),
    *(_positioning(f"a negative {name}", f"{name}_in_range", one(name, -1.5)) for name in RATIOS),
)


def _interest(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("open_interest_daily", name, meant, change)


INTEREST = (
    _interest("dollars in thousands", "total_steady", scaled_tonight(1e-3, "open_interest_usd")),
    _interest(
        "units and dollars swapped",
        "implied_price_steady",
        swapped("open_interest_units", "open_interest_usd"),
    ),
    _interest(
        "both x1000",
        "no_wide_leap",
        scaled_tonight(1e3, "open_interest_usd", "open_interest_units"),
    ),
    _interest("all days in contracts", "past_days_stand", scaled(10.0, "open_interest_units")),
    _interest("yesterday again", "not_yesterday_again", yesterday_again),
    _interest("no Bitcoin", "large_ones_present", largest_gone("open_interest_usd")),
    _interest("a third of the perpetuals missing", "series_return", gone(0.34)),
    _interest("negative dollars", "open_interest_usd_in_range", one("open_interest_usd", -1.0)),
    _interest("infinite units", "open_interest_units_in_range", one("open_interest_units", np.inf)),
    _interest(
        "rows twice with other values", "key_unique", repeated_otherwise("open_interest_usd")
    ),
)


def _funding(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("funding_daily", name, meant, change)


FUNDING = (
    _funding("percents", "size_steady", scaled_tonight(100.0, "funding_rate_fraction")),
    _funding("a year's rate", "size_steady", scaled(365.0, "funding_rate_fraction")),
    _funding("basis points", "rates_usual", scaled(1e4, "funding_rate_fraction")),
    _funding("shorts pay longs", "past_days_stand", scaled(-1.0, "funding_rate_fraction")),
    _funding("yesterday again", "not_yesterday_again", yesterday_again),
    _funding(
        "a rate of 500 %", "funding_rate_fraction_in_range", one("funding_rate_fraction", 5.0)
    ),
    _funding("a third of the perpetuals missing", "series_return", gone(0.34)),
    _funding("symbols with a space", "key_well_formed", written("perp_symbol", lambda t: f" {t}")),
)


def _perp(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("perp_daily", name, meant, change)


PERP = (
    _perp("high and low swapped", "close_within_day", swapped("high_usd", "low_usd")),
    _perp("close and volume swapped", "no_wide_leap", swapped("close_usd", "volume_usd")),
    _perp("prices x1000", "no_wide_leap", scaled_tonight(1e3, *_CANDLE)),
    _perp("volumes in thousands", "volume_steady", scaled_tonight(1e-3, "volume_usd")),
    _perp("volumes of all days in coins", "past_days_stand", scaled(0.5, "volume_usd")),
    _perp("one candle x20", "price_jump", both(*(one(name, lambda v: v * 20) for name in _CANDLE))),
    _perp("yesterday again", "not_yesterday_again", yesterday_again),
    _perp("no Bitcoin", "large_ones_present", largest_gone("volume_usd")),
    _perp("a third of the perpetuals missing", "series_return", gone(0.34)),
    *(_perp(f"a {name} of zero", f"{name}_in_range", one(name, 0.0)) for name in _CANDLE),
    _perp("a negative volume", "volume_usd_in_range", one("volume_usd", -1.0)),
    _perp(
        "another source off on a few closes",
        "two_sources_agree",
        contradicted("close_usd", 1.1, 0.1),
    ),
    _perp(
        "another source off on all closes", "sources_agree_widely", contradicted("close_usd", 1.1)
    ),
)


def _listing(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("perp_listing_daily", name, meant, change)


LISTING = (
    _listing("one last price x1000", "last_near_index", one("last_price_usd", lambda v: v * 1e3)),
    _listing(
        "last price and open interest swapped",
        "last_near_index",
        swapped("last_price_usd", "open_interest_usd"),
    ),
    _listing("coins of other perpetuals", "coins_stay", shuffled("coin_id")),
    _listing("prices x1000", "no_wide_leap", scaled(1e3, "last_price_usd", "index_price_usd")),
    _listing("open interest in thousands", "total_steady", scaled(1e-3, "open_interest_usd")),
    _listing("volumes x1000", "volume_steady", scaled(1e3, "volume_24h_usd")),
    _listing("yesterday again", "not_yesterday_again", yesterday_again),
    _listing("no Bitcoin", "large_ones_present", largest_gone("open_interest_usd")),
    _listing("a third of the perpetuals missing", "series_return", gone(0.34)),
    _listing("a last price of zero", "last_price_usd_in_range", one("last_price_usd", 0.0)),
    _listing("an index price of zero", "index_price_usd_in_range", one("index_price_usd", 0.0)),
    _listing(
        "negative open interest", "open_interest_usd_in_range", one("open_interest_usd", -1.0)
    ),
    _listing("a negative volume", "volume_24h_usd_in_range", one("volume_24h_usd", -1.0)),
)


def _liquidation(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("liquidation_daily", name, meant, change)


LIQUIDATION = (
    _liquidation("longs and shorts swapped", "past_days_stand", swapped("long_usd", "short_usd")),
    _liquidation(
        "nothing but zeros",
        "total_plausible",
        both(every("long_usd", 0.0), every("short_usd", 0.0)),
    ),
    _liquidation("x1000", "no_wide_leap", scaled_tonight(1e3, "long_usd", "short_usd")),
    _liquidation("cents", "past_days_stand", scaled(100.0, "long_usd", "short_usd")),
    _liquidation("yesterday again", "not_yesterday_again", yesterday_again),
    _liquidation("a third of the perpetuals missing", "series_return", gone(0.34)),
    _liquidation("negative longs", "long_usd_in_range", one("long_usd", -1.0)),
    _liquidation("negative shorts", "short_usd_in_range", one("short_usd", -1.0)),
)


def _balance(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("exchange_balance_daily", name, meant, change)


BALANCE = (
    _balance("the largest token missing", "large_ones_present", largest_gone("balance_usd")),
    _balance(
        "units and dollars swapped", "implied_price_steady", swapped("balance_units", "balance_usd")
    ),
    _balance("both x1000", "no_wide_leap", scaled_tonight(1e3, "balance_units", "balance_usd")),
    _balance("dollars x10", "total_steady", scaled_tonight(10.0, "balance_usd")),
    _balance("all days twice", "past_days_stand", scaled(2.0, "balance_units", "balance_usd")),
    _balance("half of the tokens", "row_count_usual", gone(0.55)),
    _balance("a third of the tokens missing", "series_return", gone(0.34)),
    _balance("yesterday again", "not_yesterday_again", yesterday_again),
    _balance("tokens in small letters", "key_well_formed", written("token_symbol", str.lower)),
    _balance("negative units", "balance_units_in_range", one("balance_units", -1.0)),
    _balance("infinite dollars", "balance_usd_in_range", one("balance_usd", np.inf)),
)


def _flow(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("exchange_flow_daily", name, meant, change)


FLOW = (
    _flow("the largest exchange missing", "large_ones_present", largest_gone("balance_usd")),
    _flow(
        "balances with and without own token swapped",
        "part_within_whole",
        swapped("balance_usd", "balance_without_own_token_usd"),
    ),
    _flow(
        "an inflow x1000",
        "inflow_within_balance",
        one("inflow_24h_usd", lambda v: abs(v) * 1e3 + 1e13),
    ),
    _flow("yesterday again", "not_yesterday_again", yesterday_again),
    _flow("three days ago again", "not_earlier_again", _three_days_ago_again),
    _flow("x1000", "no_wide_leap", scaled(1e3, "balance_usd", "balance_without_own_token_usd")),
    _flow(
        "balances x5", "total_steady", scaled(5.0, "balance_usd", "balance_without_own_token_usd")
    ),
    _flow("volumes x1000", "volume_steady", scaled(1e3, "spot_volume_24h_usd")),
    _flow("a third of the exchanges missing", "series_return", gone(0.34)),
    _flow("a negative balance", "balance_usd_in_range", one("balance_usd", -1.0)),
    _flow(
        "a negative part",
        "balance_without_own_token_usd_in_range",
        one("balance_without_own_token_usd", -1.0),
    ),
    _flow("a negative volume", "spot_volume_24h_usd_in_range", one("spot_volume_24h_usd", -1.0)),
    *(
        _flow(
            f"an infinite {span} inflow",
            f"inflow_{span}_usd_in_range",
            one(f"inflow_{span}_usd", -np.inf),
        )
        for span in ("24h", "7d", "30d")
    ),
)


def _onchain(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("onchain_daily", name, meant, change)


ONCHAIN = (
    _onchain("two coins with each other's figures", "supply_steady", _onchain_ids_swapped),
    _onchain("two metrics with each other's name", "supply_steady", _metrics_swapped),
    _onchain("x1000", "no_wide_leap", scaled_tonight(1e3, "value")),
    _onchain("all days in thousands", "past_days_stand", scaled(1e-3, "value")),
    _onchain("a metric missing", "series_return", without_rows(_one_metric_less)),
    _onchain("yesterday again", "not_yesterday_again", yesterday_again),
    _onchain("a negative figure", "value_in_range", one("value", -1.0)),
    _onchain("coins in capitals", "key_well_formed", written("coin_id", str.upper)),
)


def _mood(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("sentiment_daily", name, meant, change)


SENTIMENT = (
    _mood("fractions", "score_is_whole", scaled(0.0107, "score")),
    _mood(
        "a label that does not fit",
        "label_fits_score",
        both(one("score", 90.0, 0), one("label", "Extreme Fear", 0)),
    ),
    _mood(
        "a lone score of 0",
        "no_sudden_zero",
        lambda n: both(every("label", None), one("score", 0.0, 0))(
            n.with_before(n.before.assign(score=30.0))
        ),
    ),
    _mood("a score of 250", "score_in_range", one("score", 250.0, 0)),
    _mood("one score for a week", "not_frozen", both(frozen("score"), every("label", None))),
    _mood(
        "from fear to greed in a day",
        "move_plausible",
        lambda n: both(every("label", None), one("score", 99.0, 0))(
            n.with_before(n.before.assign(score=5.0))
        ),
    ),
    _mood("scores of the day before", "past_days_stand", _one_day_late),
    _mood("the day before", "has_market_date", shifted(-1)),
    _mood("a row without a score", "has_measure", one("score", np.nan, 0)),
)


def _global(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("global_daily", name, meant, change)


GLOBAL = (
    _global("percents", "btc_dominance_fraction_in_range", scaled(100.0, "btc_dominance_fraction")),
    _global(
        "cap and volume swapped",
        "volume_below_cap",
        swapped("total_market_cap_usd", "volume_24h_usd"),
    ),
    _global("cap in thousands", "cap_steady", scaled(1e-3, "total_market_cap_usd")),
    _global("cap x1000", "total_market_cap_usd_in_range", scaled(1e3, "total_market_cap_usd")),
    _global("another coin's dominance", "dominance_steady", scaled(0.3, "btc_dominance_fraction")),
    _global("a negative volume", "volume_24h_usd_in_range", scaled(-1.0, "volume_24h_usd")),
    _global("yesterday again", "not_yesterday_again", yesterday_again),
    _global("the day before", "has_market_date", shifted(-1)),
)


def _stable(name: str, meant: str, change: Change) -> Corruption:
    return Corruption("stablecoin_daily", name, meant, change)


STABLECOIN = (
    _stable("x1000", "supply_steady", scaled_tonight(1e3, "total_supply_usd")),
    _stable("the largest coin only", "supply_steady", scaled_tonight(0.6, "total_supply_usd")),
    _stable("another list of coins", "past_days_stand", scaled(1.05, "total_supply_usd")),
    _stable("nothing", "total_supply_usd_in_range", scaled_tonight(0.0, "total_supply_usd")),
    _stable("one figure for days", "not_frozen", frozen("total_supply_usd")),
    _stable("the day before", "has_market_date", shifted(-1)),
)

CORRUPTIONS: tuple[Corruption, ...] = (
    *MARKET,
    *EQUITY,
    *POSITIONING,
    *INTEREST,
    *FUNDING,
    *PERP,
    *LISTING,
    *LIQUIDATION,
    *BALANCE,
    *FLOW,
    *ONCHAIN,
    *SENTIMENT,
    *GLOBAL,
    *STABLECOIN,
)
