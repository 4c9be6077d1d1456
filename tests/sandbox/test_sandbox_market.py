"""What must be true of the simulated market, whatever the seed."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError
from pipeline.sandbox.cast import CLASSIFIED_COINS, Kind, Scenario
from pipeline.sandbox.market import GrowingMarket, SimulatedMarket, classify_sentiment

FIRST_DAY = date(2022, 1, 1)
LAST_DAY = date(2026, 10, 31)
ONE_DAY = timedelta(days=1)
NOT_RANKED_AS_CRYPTO = {coin.coin_id for coin in CLASSIFIED_COINS if coin.kind is not Kind.FREE}


def simulate(
    seed: int = 7,
    first_day: date = FIRST_DAY,
    last_day: date = FIRST_DAY + timedelta(days=99),
    coin_count: int = 60,
    scenario: Scenario | None = None,
) -> SimulatedMarket:
    return SimulatedMarket(seed, first_day, last_day, coin_count, scenario)


@pytest.fixture(scope="module", params=[7, 42])
def market(request: pytest.FixtureRequest) -> SimulatedMarket:
    return SimulatedMarket(request.param, FIRST_DAY, LAST_DAY)


@pytest.fixture(scope="module")
def history(market: SimulatedMarket) -> pd.DataFrame:
    return market.market_history(FIRST_DAY, LAST_DAY)


@pytest.fixture(scope="module")
def caps(history: pd.DataFrame) -> pd.DataFrame:
    """Caps of coins that are not pegged to something: a row per day, a column per coin."""
    crypto = history[~history["coin_id"].isin(NOT_RANKED_AS_CRYPTO)]
    return crypto.pivot(index="market_date", columns="coin_id", values="market_cap_usd")


@pytest.fixture(scope="module")
def prices(history: pd.DataFrame) -> pd.DataFrame:
    return history.pivot(index="market_date", columns="coin_id", values="price_usd")


def histories(market: SimulatedMarket, last_day: date) -> list[pd.DataFrame]:
    span = (market.first_day, last_day)
    return [
        market.market_history(*span),
        market.equity_history(*span),
        market.sentiment_history(*span),
    ]


def test_market_is_the_same_to_the_bit_for_the_same_seed() -> None:
    last_day = FIRST_DAY + timedelta(days=99)
    for once, again in zip(
        histories(simulate(), last_day), histories(simulate(), last_day), strict=True
    ):
        assert_frame_equal(once, again, check_exact=True)


def test_market_differs_between_seeds() -> None:
    prices = [simulate(seed=seed).coins_on(FIRST_DAY + ONE_DAY)["price_usd"] for seed in (1, 2)]
    assert prices[0][0] != prices[1][0]


@pytest.mark.parametrize("later_days", [1, 29, 157, 700])
def test_market_extension_leaves_the_past_alone_to_the_bit(later_days: int) -> None:
    last_day = FIRST_DAY + timedelta(days=254)
    short = simulate(last_day=last_day, coin_count=90)
    long = simulate(last_day=last_day + timedelta(days=later_days), coin_count=90)
    for once, extended in zip(histories(short, last_day), histories(long, last_day), strict=True):
        assert_frame_equal(once, extended, check_exact=True)
    assert_frame_equal(
        short.vendor_snapshot(last_day), long.vendor_snapshot(last_day), check_exact=True
    )


def test_market_frames_have_the_columns_and_keys_of_the_raw_datasets() -> None:
    names = ("market_daily", "equity_daily", "sentiment_daily")
    for name, frame in zip(names, histories(simulate(), FIRST_DAY + ONE_DAY * 30), strict=True):
        dataset = get_dataset(name)
        assert tuple(frame.columns) == dataset.column_names
        assert not frame.duplicated(list(dataset.key)).any()
        assert isinstance(frame[dataset.date_column].iloc[0], date)


def test_market_shares_look_like_the_real_ones(caps: pd.DataFrame) -> None:
    total = caps.sum(axis="columns")
    by_size = -np.sort(-caps.fillna(0).to_numpy(), axis=1)
    top_20_share = by_size[:, :20].sum(axis=1) / total.to_numpy()
    assert 0.55 <= (caps["bitcoin"] / total).median() <= 0.65
    assert 0.12 <= (caps["ethereum"] / total).median() <= 0.18
    assert (caps["bitcoin"] / total).between(0.5, 0.75).all()
    assert top_20_share.min() > 0.9
    assert (by_size[:, 50:100].sum(axis=1) / total.to_numpy()).max() < 0.03


def test_market_keeps_a_few_hundred_coins_by_births_and_deaths(history: pd.DataFrame) -> None:
    listed_count = history.groupby("market_date").size()
    lives = history.groupby("coin_id")["market_date"].agg(["min", "max"])
    assert listed_count.iloc[0] == 300
    assert listed_count.between(240, 380).all()
    assert (lives["min"] > FIRST_DAY).sum() > 100
    assert (lives["max"] < LAST_DAY).sum() > 100


def test_market_coins_die_near_zero_and_do_not_come_back(
    history: pd.DataFrame, prices: pd.DataFrame
) -> None:
    for coin_id, days in history.groupby("coin_id")["market_date"]:
        assert len(days) == (days.iloc[-1] - days.iloc[0]).days + 1
        if days.iloc[-1] < LAST_DAY and len(days) > 30:
            path = prices[coin_id].dropna()
            assert path.iloc[-1] < 0.12 * path.iloc[-20]


def test_market_newcomers_begin_small(history: pd.DataFrame) -> None:
    first_rows = history.drop_duplicates("coin_id")
    newcomers = first_rows[
        (first_rows["market_date"] > FIRST_DAY) & first_rows["coin_id"].str.startswith("sim-")
    ]
    assert newcomers["provider_rank"].min() > 30


def test_market_crash_hits_small_coins_harder(
    market: SimulatedMarket, caps: pd.DataFrame, prices: pd.DataFrame
) -> None:
    assert market.crash_day == date(2025, 10, 10)
    eve = market.crash_day - ONE_DAY
    weight = caps.loc[eve].sort_values(ascending=False)
    fall = 1 - prices.loc[market.crash_day] / prices.loc[eve]

    def weighted(ids: pd.Index[str]) -> float:
        return float(np.average(fall[ids], weights=weight[ids]))

    assert 0.12 < weighted(weight.index[:20]) < 0.15
    assert 0.25 < weighted(weight.index[50:100]) < 0.35
    assert fall[weight.index[60:100]].between(0.25, 0.35).all()


def test_market_has_a_top_ten_coin_that_collapses(
    market: SimulatedMarket, history: pd.DataFrame
) -> None:
    path = history[history["coin_id"] == market.collapsing_coin_id].set_index("market_date")
    eve = market.collapse_day - ONE_DAY
    assert market.collapse_day == date(2022, 5, 9)
    assert path.loc[eve, "provider_rank"] <= 10
    ratio = path.loc[market.collapse_day + 4 * ONE_DAY, "price_usd"] / path.loc[eve, "price_usd"]
    assert ratio < 0.001
    assert path.index[-1] == market.collapse_day + 15 * ONE_DAY


def test_market_small_coins_lose_to_large_ones_in_the_last_two_years(
    caps: pd.DataFrame, prices: pd.DataFrame
) -> None:
    start, stop = date(2024, 10, 31), date(2026, 10, 31)
    ranked = caps.loc[start].sort_values(ascending=False).index
    growth = (prices.loc[stop] / prices.loc[start]).fillna(0)
    weight = caps.loc[start]
    large, small = (
        np.average(growth[ids], weights=weight[ids]) for ids in (ranked[:20], ranked[50:100])
    )
    assert small < 0.7 * large


def test_market_noise_grows_as_caps_fall(caps: pd.DataFrame, prices: pd.DataFrame) -> None:
    year = prices.loc[date(2023, 1, 1) : date(2023, 12, 31)].dropna(axis="columns")
    volatility = np.log(year).diff().std()
    ranked = caps.loc[date(2023, 1, 1)].reindex(year.columns).sort_values(ascending=False).index
    assert volatility["bitcoin"] < volatility[ranked[2:20]].median()
    assert volatility[ranked[2:20]].median() < volatility[ranked[60:150]].median()


def test_market_returns_have_fat_tails_and_clustered_volatility(prices: pd.DataFrame) -> None:
    returns = np.log(prices["bitcoin"]).diff().dropna()
    size = returns.abs()
    assert returns.kurt() > 1
    assert size.rolling(20).mean().autocorr(20) > 0.1


def test_market_pegged_coins_keep_their_peg(prices: pd.DataFrame, history: pd.DataFrame) -> None:
    for coin_id in ("tether", "usd-coin", "dai", "ethena-usde", "first-digital-usd"):
        assert prices[coin_id].dropna().between(0.99, 1.01).all()
    assert (prices["wrapped-bitcoin"] / prices["bitcoin"]).between(0.99, 1.01).all()
    assert (prices["staked-ether"] / prices["ethereum"]).between(0.99, 1.01).all()
    assert (prices["wrapped-steth"] / prices["ethereum"]).between(1.05, 1.3).all()
    assert prices["pax-gold"].between(900, 9000).all()
    tether = history[history["coin_id"] == "tether"]
    assert (tether["provider_rank"] <= 5).all()


def test_market_equities_move_with_crypto(market: SimulatedMarket, prices: pd.DataFrame) -> None:
    equity = market.equity_history(FIRST_DAY, LAST_DAY)
    returns = np.log(equity.pivot(index="session_date", columns="ticker", values="close_points"))
    bitcoin = np.log(prices["bitcoin"]).diff().reindex(returns.index)
    for ticker in ("RUT", "SPX"):
        assert 0.28 < returns[ticker].diff().corr(bitcoin) < 0.55
    assert 0.7 < returns["RUT"].diff().corr(returns["SPX"].diff()) < 0.95


def test_market_sentiment_is_whole_and_follows_the_market(market: SimulatedMarket) -> None:
    sentiment = market.sentiment_history(FIRST_DAY, LAST_DAY)
    assert sentiment["score"].between(0, 100).all()
    assert (sentiment["score"] % 1 == 0).all()
    assert set(sentiment["label"]) == {
        "Extreme Fear",
        "Fear",
        "Neutral",
        "Greed",
        "Extreme Greed",
    }
    scores = sentiment.set_index("market_date")["score"]
    assert scores[market.crash_day + ONE_DAY] < scores[market.crash_day]


@pytest.mark.parametrize(
    ("score", "label"),
    [(0, "Extreme Fear"), (25, "Fear"), (47, "Neutral"), (55, "Greed"), (100, "Extreme Greed")],
)
def test_sentiment_label_follows_the_score(score: float, label: str) -> None:
    assert classify_sentiment(score) == label


def test_market_cap_is_price_times_supply(history: pd.DataFrame) -> None:
    known = history.dropna(subset="market_cap_usd")
    product = known["price_usd"] * known["circulating_supply"]
    assert np.allclose(known["market_cap_usd"], product, rtol=1e-9, atol=0.5)
    assert (known["volume_24h_usd"] >= 0).all()


def test_market_has_two_coins_of_unknown_supply_and_one_shared_ticker() -> None:
    coins = simulate().coins_on(FIRST_DAY)
    assert coins["market_cap_usd"].isna().sum() == 2
    assert coins["circulating_supply"].isna().sum() == 2
    assert coins["symbol"].duplicated().sum() == 1
    assert coins["coin_id"].is_unique
    assert coins["market_cap_usd"].dropna().is_monotonic_decreasing


def test_market_invented_coins_are_marked_and_classified_ones_are_all_there() -> None:
    ids = set(
        simulate(last_day=FIRST_DAY + 150 * ONE_DAY).coins_on(FIRST_DAY + 150 * ONE_DAY)["coin_id"]
    )
    classified = {coin.coin_id for coin in CLASSIFIED_COINS}
    assert classified <= ids
    assert all(coin_id.startswith("sim-") for coin_id in ids - classified)


def test_market_history_writes_symbols_in_capitals_as_the_raw_archive_does() -> None:
    history = simulate().market_history(FIRST_DAY, FIRST_DAY)
    assert history.set_index("coin_id").loc["wrapped-bitcoin", "symbol"] == "WBTC"


def test_market_copies_have_no_provider_rank_and_the_others_rank_without_gaps() -> None:
    coins = simulate().market_history(FIRST_DAY, FIRST_DAY).set_index("coin_id")
    copies = ["wrapped-bitcoin", "staked-ether", "wrapped-steth"]
    assert coins.loc[copies, "provider_rank"].isna().all()
    ranks = coins["provider_rank"].dropna().sort_values()
    assert ranks.tolist() == list(range(1, len(ranks) + 1))


def test_market_scenario_moves_the_planted_events() -> None:
    market = simulate(scenario=Scenario(collapse_index=10, crash_index=40))
    assert market.collapse_day == FIRST_DAY + 10 * ONE_DAY
    before, after = (
        market.coins_on(FIRST_DAY + n * ONE_DAY).set_index("coin_id")["price_usd"] for n in (39, 40)
    )
    assert 0.12 < 1 - after["bitcoin"] / before["bitcoin"] < 0.15


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": -1}, "seed"),
        ({"coin_count": 5}, "at least 40 coins"),
        ({"last_day": FIRST_DAY - ONE_DAY}, "empty"),
        ({"last_day": date(2090, 1, 1)}, "30 years"),
    ],
)
def test_market_refuses_arguments_that_make_no_market(
    arguments: dict[str, int | date], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        simulate(**arguments)  # type: ignore[arg-type]


def test_market_refuses_days_outside_its_span() -> None:
    market = simulate()
    for day in (FIRST_DAY - ONE_DAY, market.last_day + ONE_DAY):
        with pytest.raises(ConfigurationError, match=str(day)):
            market.coins_on(day)


def test_growing_market_is_simulated_again_only_when_it_must_grow() -> None:
    growing = GrowingMarket(7, FIRST_DAY, 60)
    first = growing.until(FIRST_DAY)
    assert growing.until(FIRST_DAY + 200 * ONE_DAY) is first
    grown = growing.until(FIRST_DAY + 300 * ONE_DAY)
    assert grown is not first
    assert growing.until(FIRST_DAY) is grown
    assert_frame_equal(first.coins_on(FIRST_DAY), grown.coins_on(FIRST_DAY), check_exact=True)
