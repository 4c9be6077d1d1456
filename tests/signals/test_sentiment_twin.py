"""The composite's twin: weights of the past only, for what is there only."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from harness import shipped_project

from pipeline.statistics.principal import component_weights, first_component
from pipeline.statistics.tables.sentiment_twin import sentiment_twin_daily

FIRST = date(2022, 1, 1)
NAMES = ("a", "b", "c", "d")


def percentiles(day_count: int = 800, seed: int = 1) -> pd.DataFrame:
    """Return four components a day; three share a part, the fourth goes against it."""
    chance = np.random.default_rng(seed)
    common = chance.standard_normal(day_count)
    frames = []
    for name, share in zip(NAMES, (2.0, 1.0, 0.7, -1.0), strict=True):
        ranks = pd.Series(share * common + chance.standard_normal(day_count)).rank(pct=True)
        frames.append(
            pd.DataFrame(
                {
                    "market_date": pd.date_range(FIRST, periods=day_count),
                    "component_id": name,
                    "oriented_pct": 100 * ranks,
                }
            )
        )
    return pd.concat(frames)


def wide(components: pd.DataFrame) -> pd.DataFrame:
    return components.pivot(index="market_date", columns="component_id", values="oriented_pct")


def test_weights_of_a_month_are_those_of_the_days_before_it() -> None:
    components = percentiles()
    told = sentiment_twin_daily(components).set_index("market_date")
    day = pd.Timestamp("2023-08-17")
    known = wide(components)[: pd.Timestamp("2023-07-31")].to_numpy()
    loadings, explained = first_component(known)
    weights = component_weights(loadings)
    row = told.loc[day]
    assert row["weights_date"] == pd.Timestamp("2023-07-31")
    assert row["explained_fraction"] == pytest.approx(explained)
    assert row["twin_score"] == pytest.approx(weights @ wide(components).loc[day].to_numpy())
    assert (row["component_count"], row["state"]) == (3, "measured")
    assert row["weights"].split()[0] == "a"
    assert "d " not in row["weights"]


def test_window_is_four_years() -> None:
    components = percentiles(2000)
    told = sentiment_twin_daily(components).set_index("market_date")
    last = told.iloc[-1]
    known = wide(components)[: last["weights_date"]].to_numpy()[-1460:]
    assert last["explained_fraction"] == pytest.approx(first_component(known)[1])


def test_deleting_the_future_leaves_every_row_as_it_was() -> None:
    components = percentiles()
    told = sentiment_twin_daily(components)
    last = pd.Timestamp("2023-09-10")
    cut = sentiment_twin_daily(components[components["market_date"] <= last])
    pd.testing.assert_frame_equal(cut, told[told["market_date"] <= last], check_dtype=False)


def test_nothing_before_a_year_in_common() -> None:
    told = sentiment_twin_daily(percentiles()).set_index("market_date")
    assert told.loc["2022-12-31", "state"] == "insufficient"
    assert np.isnan(told.loc["2022-12-31", "twin_score"])
    assert told.loc["2023-01-01", "state"] == "measured"


def test_short_component_is_left_out_rather_than_waited_for() -> None:
    components = percentiles()
    is_short = (components["component_id"] == "c") & (components["market_date"] < "2023-03-01")
    told = sentiment_twin_daily(
        components.assign(oriented_pct=components["oriented_pct"].mask(is_short))
    ).set_index("market_date")
    assert "c " not in told.loc["2023-06-01", "weights"]
    assert told.loc["2024-03-10", "weights"].count(",") == 2


def test_missing_components_share_their_weight_out_until_too_little_is_left() -> None:
    components = percentiles()
    day = pd.Timestamp("2024-02-20")
    is_gone = (components["component_id"] == "a") & (components["market_date"] == day)
    told = sentiment_twin_daily(
        components.assign(oriented_pct=components["oriented_pct"].mask(is_gone))
    ).set_index("market_date")
    row = told.loc[day]
    assert row["weight_available_fraction"] < 0.7
    assert (row["component_count"], row["state"]) == (2, "insufficient")
    assert np.isnan(row["twin_score"])


def test_constant_component_has_no_weight() -> None:
    components = percentiles()
    is_b = components["component_id"] == "b"
    told = sentiment_twin_daily(
        components.assign(oriented_pct=components["oriented_pct"].mask(is_b, 50.0))
    ).set_index("market_date")
    assert "b " not in told.loc["2024-02-20", "weights"]


def test_score_keeps_its_range_and_the_table_its_columns() -> None:
    told = sentiment_twin_daily(percentiles())
    known = told["twin_score"].dropna()
    assert ((known >= 0) & (known <= 100)).all()
    doc = shipped_project().models["signals.sentiment_twin_daily"].doc
    assert [column.name for column in doc.columns] == list(told.columns)
    assert sentiment_twin_daily(percentiles()[:0]).empty
