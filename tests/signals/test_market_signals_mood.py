"""What others say, risk aversion, and the composite with what it lacks."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from given_tables import build, days_from, percentile_of_last, raw_row
from harness import Row, shipped_rows

START = date(2023, 1, 1)


def calendar(days: list[date]) -> list[Row]:
    return [{"market_date": day} for day in days]


def moods(rows: list[Row], day_count: int = 20) -> list[Row]:
    given = {
        "raw.sentiment_daily": rows,
        "staging.market_calendar": calendar(days_from(START, day_count)),
    }
    with build("signals.external_sentiment_daily", given) as built:
        return built.rows("signals.external_sentiment_daily")


def mood(place: int, score: float | None, source: str = "alternative_me", **values: object) -> Row:
    return raw_row(START + timedelta(days=place), source, score=score, **values)


def test_missing_score_is_carried_for_two_days_and_no_more() -> None:
    rows = moods([mood(0, 40), mood(4, 60), mood(5, None)], day_count=7)
    told = {(row["market_date"] - START).days: (row["score"], row["stale_days"]) for row in rows}
    assert told == {0: (40, 0), 1: (40, 1), 2: (40, 2), 4: (60, 0), 5: (60, 1), 6: (60, 2)}


def test_score_of_a_day_beyond_the_market_is_not_told() -> None:
    assert len(moods([mood(0, 40), mood(1, 50), mood(2, 60)], day_count=2)) == 2


@pytest.mark.parametrize(
    ("score", "state"),
    [(24, "extreme_fear"), (25, "fear"), (45, "neutral"), (56, "greed"), (75, "extreme_greed")],
)
def test_state_is_the_vendors_word_or_else_that_of_the_score(score: float, state: str) -> None:
    assert moods([mood(0, score)], 1)[0]["state"] == state
    assert moods([mood(0, score, label="Extreme Greed")], 1)[0]["state"] == "extreme_greed"


def test_vendors_stay_apart_and_their_gap_is_told() -> None:
    rows = moods([mood(0, 40), mood(0, 55, "cmc_fear_greed")], 1)
    assert {row["source"]: row["score"] for row in rows} == {
        "alternative_me": 40,
        "cmc_fear_greed": 55,
    }
    assert [row["source_gap_score"] for row in rows] == [15, 15]
    assert moods([mood(0, 40)], 1)[0]["source_gap_score"] is None
    assert moods([mood(0, 40, "cmc_altcoin_season")], 1) == []


def aversion_tables(day_count: int) -> dict[str, list[Row]]:
    """Return chance figures for four of the eight parts."""
    chance = random.Random(8)
    days = days_from(START, day_count)
    return {
        "signals.market_cap_daily": [
            {"market_date": day, "source": "own_top100", "drawdown_fraction": -chance.random()}
            for day in days
        ],
        "signals.bitcoin_daily": [
            {"market_date": day, "volatility_30d_fraction": chance.random()} for day in days
        ],
        "signals.index_spread_daily": [
            {
                "market_date": day,
                "pair_id": "small_over_large",
                "spread_30d_fraction": chance.uniform(-1, 1),
            }
            for day in days
        ],
        "signals.breadth_daily": [
            {
                "market_date": day,
                "index_id": "top100_ex_btc",
                "positive_30d_fraction": chance.random(),
            }
            for day in days
        ],
        "signals.external_sentiment_daily": [],
        "staging.funding_daily": [],
        "staging.equity_close_daily": [],
    }


def fear(days: list[date], chance: random.Random) -> list[Row]:
    return [
        {
            "market_date": day,
            "source": "alternative_me",
            "score": chance.uniform(0, 100),
            "stale_days": 0,
        }
        for day in days
    ]


def test_risk_aversion_needs_five_parts_and_names_the_missing() -> None:
    given = aversion_tables(365)
    with build("signals.risk_aversion_daily", given) as built:
        four = built.rows("signals.risk_aversion_daily")[-1]
    given["signals.external_sentiment_daily"] = fear(days_from(START, 365), random.Random(3))
    with build("signals.risk_aversion_daily", given) as built:
        rows = built.rows("signals.risk_aversion_daily")
        parts = built.rows(
            "signals.risk_aversion_component_daily", market_date=rows[-1]["market_date"]
        )
    five = rows[-1]
    assert (four["component_count"], four["risk_aversion_score"]) == (4, None)
    assert four["state"] == "insufficient"
    assert rows[-2]["risk_aversion_score"] is None  # 364 days of history
    told = [part["percentile_pct"] for part in parts if part["percentile_pct"] is not None]
    assert five["risk_aversion_score"] == pytest.approx(sum(told) / 5)
    assert five["missing_components"] == "funding, stablecoin_share, vix"


def test_parts_are_turned_so_that_more_is_more_averse() -> None:
    given = aversion_tables(365)
    given["signals.external_sentiment_daily"] = fear(days_from(START, 365), random.Random(3))
    series = {
        "drawdown": [-r["drawdown_fraction"] for r in given["signals.market_cap_daily"]],
        "size_spread": [-r["spread_30d_fraction"] for r in given["signals.index_spread_daily"]],
        "falling_altcoins": [
            1 - r["positive_30d_fraction"] for r in given["signals.breadth_daily"]
        ],
        "fear_greed": [-r["score"] for r in given["signals.external_sentiment_daily"]],
        "bitcoin_volatility": [
            r["volatility_30d_fraction"] for r in given["signals.bitcoin_daily"]
        ],
    }
    with build("signals.risk_aversion_daily", given) as built:
        row = built.rows("signals.risk_aversion_daily")[-1]
    for name, values in series.items():
        assert row[f"{name}_pct"] == pytest.approx(percentile_of_last(values)), name


def test_vix_carries_over_four_days_and_no_more() -> None:
    given = aversion_tables(10)
    friday = START + timedelta(days=3)
    given["staging.equity_close_daily"] = [
        {"session_date": friday, "ticker": "VIX", "close_points": 20.0}
    ]
    with build("signals.risk_aversion_component_daily", given) as built:
        rows = built.rows("signals.risk_aversion_component_daily", component_id="vix")
    stale = {(r["market_date"] - friday).days: r["stale_days"] for r in rows if r["value"]}
    assert stale == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}


def components(oriented: dict[str, float]) -> list[Row]:
    """Return one day's rows of the shipped components; those not named have no figure."""
    shipped = shipped_rows("reference.sentiment_component")
    assert set(oriented) <= {row["component_id"] for row in shipped}
    sizes = {
        pillar: sum(row["pillar"] == pillar for row in shipped)
        for pillar in {row["pillar"] for row in shipped}
    }
    return [
        {
            "market_date": START,
            "component_id": row["component_id"],
            "pillar": row["pillar"],
            "oriented_pct": oriented.get(row["component_id"]),
            "weight_fraction": 1 / len(sizes) / sizes[row["pillar"]],
            "is_available": row["component_id"] in oriented,
        }
        for row in shipped
    ]


def composite(oriented: dict[str, float]) -> Row:
    given = {"signals.sentiment_component_daily": components(oriented)}
    with build("signals.sentiment_composite_daily", given) as built:
        return built.row("signals.sentiment_composite_daily")


THREE_PILLARS = {
    "size_spread": 90.0,
    "beating_bitcoin": 60.0,
    "altcoin_season": 60.0,
    "equity_record": 80.0,
    "equity_size_spread": 100.0,
    "fear_greed_alternative_me": 30.0,
    "fear_greed_cmc": 20.0,
}


def test_composite_is_the_mean_of_the_pillars_and_names_what_is_missing() -> None:
    row = composite(THREE_PILLARS)
    assert row["relative_strength_score"] == pytest.approx(70)
    assert row["cross_asset_score"] == pytest.approx(90)
    assert row["external_score"] == pytest.approx(25)
    assert row["positioning_score"] is None
    assert row["composite_score"] == pytest.approx((70 + 90 + 25) / 3)
    assert row["weight_available_fraction"] == pytest.approx(0.6)
    assert row["missing_components"] == (
        "crowding, deep_drawdown, long_share, rank_tilt, risk_aversion, unrealised_gain"
    )
    assert (row["composite_low_score"], row["composite_high_score"]) == (
        pytest.approx((70 + 25) / 2),
        pytest.approx((70 + 90) / 2),
    )


def test_composite_needs_six_tenths_of_the_weight() -> None:
    fewer = {k: v for k, v in THREE_PILLARS.items() if k != "fear_greed_cmc"}
    row = composite(fewer)
    assert row["composite_score"] is None
    assert row["external_score"] == pytest.approx(30)
    assert row["state"] == "insufficient"


def test_composite_needs_three_pillars() -> None:
    row = composite({k: v for k, v in THREE_PILLARS.items() if not k.startswith("fear_greed")})
    assert row["pillar_count"] == 2
    assert row["composite_score"] is None


@pytest.mark.parametrize(("level", "state"), [(75, "greed"), (74.9, "neutral"), (25, "fear")])
def test_composite_says_greed_from_75_and_fear_to_25(level: float, state: str) -> None:
    assert composite(dict.fromkeys(THREE_PILLARS, level))["state"] == state


def test_component_is_turned_by_its_orientation_and_ranked_by_its_own_series() -> None:
    days = days_from(START, 365)
    chance = random.Random(6)
    readings = [
        {
            "market_date": day,
            "component_id": name,
            "series": series,
            "value": chance.uniform(low, low + 1),
            "stale_days": 0,
        }
        for day in days
        for name, series, low in (
            ("deep_drawdown", "top100_ex_btc", 0),
            ("equity_record", "RUT", -1),
            ("equity_record", "IWM", -9),
        )
        if series != "RUT" or day != days[-1]
    ]
    given = {
        "signals.sentiment_reading_daily": readings,
        "signals.market_cap_daily": [{"market_date": day, "source": "own_top100"} for day in days],
    }
    with build("signals.sentiment_component_daily", given) as built:
        rows = {
            row["component_id"]: row
            for row in built.rows("signals.sentiment_component_daily", market_date=days[-1])
        }
        before = built.rows("signals.sentiment_component_daily", market_date=days[-2])
    told = {
        series: [r["value"] for r in readings if r["series"] == series]
        for series in ("top100_ex_btc", "IWM")
    }
    share = percentile_of_last(told["top100_ex_btc"])
    assert rows["deep_drawdown"]["percentile_pct"] == pytest.approx(share)
    assert rows["deep_drawdown"]["oriented_pct"] == pytest.approx(100 - share)
    assert rows["equity_record"]["series"] == "IWM"  # the index has no close that day
    assert rows["equity_record"]["percentile_pct"] == pytest.approx(percentile_of_last(told["IWM"]))
    assert not rows["crowding"]["is_available"]
    assert sum(row["weight_fraction"] for row in rows.values()) == pytest.approx(1)
    assert not any(row["is_available"] for row in before)
