"""Cross-sections of coins: breadth, dispersion, the altcoin season, weekly factors."""

from __future__ import annotations

import statistics
from datetime import date, timedelta

import numpy as np
import pytest
from given_tables import build, days_from, raw_row
from harness import Row

DAY = date(2025, 6, 30)


def members(
    market_date: date, caps: dict[str, float], index_id: str = "top100", **changes: object
) -> list[Row]:
    """Return the members of an index with their caps, largest first."""
    total = sum(caps.values())
    return [
        {
            "market_date": market_date,
            "index_id": index_id,
            "coin_id": coin_id,
            "cap_rank": rank,
            "is_fresh": True,
            "price_usd": 1.0,
            "market_cap_usd": cap,
            "weight_fraction": cap / total,
            "stale_days": 0,
        }
        | changes
        for rank, (coin_id, cap) in enumerate(
            sorted(caps.items(), key=lambda item: -item[1]), start=1
        )
    ]


def returned(market_date: date, coin_id: str, **values: float | None) -> Row:
    return {
        "market_date": market_date,
        "coin_id": coin_id,
        "price_usd": 1.0,
        "stale_days": 0,
        "is_reconstructed": False,
    } | values


def cross_section(returns: dict[str, float | None]) -> dict[str, list[Row]]:
    """Return a day's members, each with one return over every horizon, and Bitcoin."""
    caps = {coin_id: 100.0 - place for place, coin_id in enumerate(returns)}
    rows = [
        returned(
            DAY, coin_id, return_30d_fraction=move, return_90d_fraction=move, average_200d_usd=1.1
        )
        for coin_id, move in returns.items()
        if move is not None
    ]
    return {"signals.member_daily": members(DAY, caps), "signals.coin_return_daily": rows}


def breadth(returns: dict[str, float | None]) -> Row:
    with build("signals.breadth_daily", cross_section(returns)) as built:
        return built.row("signals.breadth_daily")


def test_shares_leave_out_what_cannot_be_compared() -> None:
    row = breadth({"bitcoin": 0.2, "a": 0.3, "b": 0.1, "c": -0.1, "d": 0.2})
    assert row["positive_30d_fraction"] == 0.8
    assert row["beating_btc_30d_fraction"] == 0.25  # a tie does not beat, Bitcoin is not asked
    assert row["beating_btc_90d_fraction"] == 0.25
    assert row["above_200d_average_fraction"] == 0


def test_share_needs_four_fifths_of_the_coins() -> None:
    enough: dict[str, float | None] = {"bitcoin": 0.0, "a": 0.1, "b": 0.1, "c": 0.1, "d": None}
    assert breadth(enough)["positive_30d_fraction"] == 0.75
    assert breadth(enough)["coverage_fraction"] == 0.8
    assert breadth(enough)["beating_btc_30d_fraction"] is None  # 3 of 4 altcoins
    row = breadth({**enough, "c": None})
    assert row["positive_30d_fraction"] is None
    assert row["state"] == "insufficient"


def test_dispersion_is_that_of_the_returns_with_tails_drawn_in() -> None:
    chance = np.random.default_rng(2)
    moves = chance.normal(0, 0.2, 60)
    moves[0] = 25.0
    named: dict[str, float | None] = {f"c{n}": float(move) for n, move in enumerate(moves)}
    named["missing"] = None
    row = breadth(named)
    low, high = np.quantile(moves, [0.005, 0.995])
    assert row["dispersion_30d_fraction"] == pytest.approx(
        float(np.std(np.clip(moves, low, high), ddof=1))
    )
    middle = statistics.median(moves)
    assert row["dispersion_30d_mad_fraction"] == pytest.approx(
        statistics.median(abs(moves - middle))
    )
    gains = sorted((move for move in moves if move > 0), reverse=True)
    assert row["top_quintile_gain_fraction"] == pytest.approx(sum(gains[:12]) / sum(gains))


def test_no_gain_has_no_share() -> None:
    row = breadth({f"c{n}": -0.1 for n in range(10)})
    assert row["top_quintile_gain_fraction"] is None
    assert row["dispersion_30d_fraction"] == 0


def altcoin_seasons(given: dict[str, list[Row]], **equals: object) -> dict[str, Row]:
    with build("signals.altcoin_season_daily", given) as built:
        rows = built.rows("signals.altcoin_season_daily", market_date=DAY, **equals)
    return {row["variant_id"]: row for row in rows}


def season_tables(today: dict[str, float], before: dict[str, float]) -> dict[str, list[Row]]:
    """Return today's members and those of 90 days ago, with the return of each coin."""
    earlier = DAY - timedelta(days=90)
    caps = {coin_id: 10.0 + place for place, coin_id in enumerate(today)}
    moves = {"bitcoin": 0.0} | before | today
    return {
        "signals.member_daily": members(DAY, caps, "top100_ex_btc")
        + members(earlier, dict.fromkeys(before, 1.0), "top100_ex_btc"),
        "signals.coin_return_daily": [
            returned(DAY, coin_id, return_90d_fraction=move) for coin_id, move in moves.items()
        ],
        "raw.sentiment_daily": [raw_row(DAY, "cmc_altcoin_season", score=29.0)],
    }


def test_season_of_todays_members_is_flattered_and_the_lagged_one_is_not() -> None:
    seasons = altcoin_seasons(
        season_tables({"a": 0.5, "b": 0.4, "c": 0.3, "d": -0.2}, {"a": 0.5, "x": -0.9, "y": -0.8})
    )
    assert seasons["top100_90d"]["altcoin_season_score"] == 75
    assert seasons["top100_90d"]["state"] == "altcoin_season"
    assert seasons["top100_90d_lagged"]["altcoin_season_score"] == pytest.approx(100 / 3)
    assert {row["published_score"] for row in seasons.values()} == {29}


def test_season_weighted_by_cap_counts_caps() -> None:
    seasons = altcoin_seasons(season_tables({"a": 0.5, "b": -0.1, "c": -0.2}, {}))
    weighted = seasons["top100_90d_cap_weighted"]["altcoin_season_score"]
    assert weighted == pytest.approx(100 * 10 / (10 + 11 + 12))


def test_season_with_nobody_ahead_is_zero_and_bitcoins() -> None:
    row = altcoin_seasons(season_tables({"a": -0.5, "b": 0.0}, {}))["top50_90d"]
    assert row["altcoin_season_score"] == 0
    assert row["state"] == "bitcoin_season"


def test_season_takes_the_fifty_largest() -> None:
    today = {f"c{n}": (0.1 if n >= 30 else -0.1) for n in range(80)}  # the last is the largest
    seasons = altcoin_seasons(season_tables(today, {}))
    assert seasons["top50_90d"]["altcoin_season_score"] == 100
    assert seasons["top100_90d"]["altcoin_season_score"] == 62.5


def test_season_with_too_few_returns_says_nothing() -> None:
    given = season_tables({f"c{n}": 0.1 for n in range(10)}, {})
    given["signals.coin_return_daily"] = given["signals.coin_return_daily"][:8]  # bitcoin and 7
    row = altcoin_seasons(given)["top100_90d"]
    assert row["altcoin_season_score"] is None
    assert row["observed_count"] == 7
    assert row["state"] == "insufficient"


def priced(prices: dict[date, float], **changes: object) -> list[Row]:
    """Return the carried prices of a coin on every day from its first to its last."""
    days = days_from(min(prices), (max(prices) - min(prices)).days + 1)
    rows, seen = [], min(prices)
    for day in days:
        seen = day if day in prices else seen
        rows.append(
            {
                "market_date": day,
                "coin_id": "coin",
                "price_usd": prices[seen],
                "observed_date": seen,
                "stale_days": (day - seen).days,
                "is_reconstructed": False,
            }
            | changes
        )
    return rows


def coin_returns(prices: dict[date, float]) -> dict[date, Row]:
    given = {
        "signals.member_daily": members(max(prices), {"coin": 1.0}),
        "indices.constituent_price_daily": priced(prices),
    }
    with build("signals.coin_return_daily", given) as built:
        return {row["market_date"]: row for row in built.rows("signals.coin_return_daily")}


def test_returns_go_by_days_and_over_a_leap_day() -> None:
    days = days_from(date(2024, 1, 31), 31)  # to 1 March
    rows = coin_returns({day: 100.0 + place for place, day in enumerate(days)})
    assert rows[date(2024, 3, 1)]["return_30d_fraction"] == pytest.approx(0.3)
    assert rows[date(2024, 2, 29)]["return_30d_fraction"] is None
    assert rows[date(2024, 2, 29)]["return_1d_fraction"] == pytest.approx(129 / 128 - 1)


def test_price_carried_for_more_than_three_days_gives_no_return() -> None:
    first = date(2025, 1, 1)
    rows = coin_returns({first: 100.0, first + timedelta(days=30): 150.0})
    assert set(rows) == {*days_from(first, 4), first + timedelta(days=30)}
    assert rows[first + timedelta(days=30)]["return_30d_fraction"] == pytest.approx(0.5)


def test_average_of_200_days_needs_160_closes() -> None:
    first = date(2025, 1, 1)
    rows = coin_returns(dict.fromkeys(days_from(first, 170), 2.0))
    assert rows[first + timedelta(days=158)]["average_200d_usd"] is None
    assert rows[first + timedelta(days=159)]["average_200d_usd"] == pytest.approx(2)


def factor_tables(
    week_end: date, moves: dict[str, float], momenta: dict[str, float]
) -> dict[str, list[Row]]:
    """Return ten coins, of which ``c0`` is the largest, over five weeks of a year's middle."""
    formation, start = week_end - timedelta(days=7), week_end - timedelta(days=28)
    caps = {coin_id: 1000.0 / 2**place for place, coin_id in enumerate(moves)}
    prices = []
    for coin_id, move in moves.items():
        known = {
            start: 1 / (1 + momenta[coin_id]),
            formation: 1.0,
            week_end: 1 + move,
        }
        prices += priced(known, coin_id=coin_id)
    return {
        "staging.market_calendar": [
            {"market_date": day} for day in days_from(date(week_end.year, 1, 1), 365)
        ],
        "signals.member_daily": members(formation, caps),
        "indices.constituent_price_daily": prices,
    }


def test_size_factor_is_small_less_big_and_momentum_winner_less_loser() -> None:
    week_end = date(2025, 6, 24)  # day 175 of the year: 25 weeks of seven days
    coins = [f"c{n}" for n in range(10)]
    small = {"c7", "c8", "c9"}
    winners = {"c0", "c4", "c9"}
    losers = {"c1", "c5", "c8"}
    moves = {coin: 0.10 if coin in small else 0.02 for coin in coins}
    momenta = {
        coin: 0.5 if coin in winners else (-0.5 if coin in losers else 0.0) for coin in coins
    }
    momenta |= {"c0": 0.6, "c1": -0.6}
    with build("signals.factor_weekly", factor_tables(week_end, moves, momenta)) as built:
        row = built.row("signals.factor_weekly", week_end_date=week_end)
        assets = {r["coin_id"]: r for r in built.rows("signals.factor_asset_weekly")}
    assert {c for c, r in assets.items() if r["size_group"] == "small"} == small
    assert {c for c, r in assets.items() if r["momentum_group"] == "winner"} == winners
    assert row["size_return_fraction"] == pytest.approx(0.08)
    # Big winners and losers all return 2 %; of the small halves only c9 and c8, both 10 %,
    # and c5, 2 %, whose cap is eight times that of c8.
    caps = {coin: 1000.0 / 2**place for place, coin in enumerate(coins)}
    small_loser = (0.02 * caps["c5"] + 0.10 * caps["c8"]) / (caps["c5"] + caps["c8"])
    assert row["momentum_return_fraction"] == pytest.approx((0.10 - small_loser) / 2)
    assert row["state"] == "measured"


def test_coin_without_a_price_in_the_week_is_left_out_and_too_many_stop_the_week() -> None:
    week_end = date(2025, 6, 24)
    moves = {f"c{n}": 0.01 for n in range(10)}
    given = factor_tables(week_end, moves, dict.fromkeys(moves, 0.0))
    gone = {f"c{n}" for n in range(3)}
    for row in given["indices.constituent_price_daily"]:
        if row["coin_id"] in gone and row["market_date"] == week_end:
            row["stale_days"] = 7
    with build("signals.factor_weekly", given) as built:
        row = built.row("signals.factor_weekly", week_end_date=week_end)
    assert (row["constituent_count"], row["observed_count"]) == (10, 7)
    assert row["market_return_fraction"] is None
    assert row["state"] == "insufficient"


@pytest.mark.parametrize("year", [2023, 2024])
def test_year_has_52_weeks_and_the_last_ends_it(year: int) -> None:
    days = days_from(date(year, 1, 1), 366 if year == 2024 else 365)
    rows = [r for day in days for r in members(day, {"coin": 1.0})]
    given = {
        "staging.market_calendar": [{"market_date": day} for day in days],
        "signals.member_daily": rows,
        "indices.constituent_price_daily": priced(dict.fromkeys(days, 1.0)),
    }
    with build("signals.factor_asset_weekly", given) as built:
        ends = [row["week_end_date"] for row in built.rows("signals.factor_asset_weekly")]
    assert len(ends) == 51  # the first has no week before
    assert ends[-1] == date(year, 12, 31)
    assert (ends[-1] - ends[-2]).days == (9 if year == 2024 else 8)
