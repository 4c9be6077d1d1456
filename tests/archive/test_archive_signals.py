"""The market's signals over the real archive, against what the press said of the days."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from archive_home import needs_archive
from nights import Home

pytestmark = needs_archive
SUNDAY = date(2025, 11, 16)
ARTICLE = date(2026, 1, 15)


def one(published: Home, sql: str) -> tuple[Any, ...]:
    (row,) = published.query(sql)
    return row


def test_crash_of_october_2025_is_found_with_its_day_and_loss(published: Home) -> None:
    start, loss_1d, recovered, state = one(
        published,
        "select start_date, max_loss_1d_usd, recovered_date, state from signals.market_event "
        "where event_id = 'crash_2025_10_10'",
    )
    assert start == date(2025, 10, 10)
    assert 0.25e12 < loss_1d < 0.7e12
    assert (recovered, state) == (None, "open")


def test_great_crashes_since_2020_are_among_the_events(published: Home) -> None:
    starts = [row[0] for row in published.query("select start_date from signals.market_event")]
    for day in ("2020-03-08", "2021-05-12", "2022-05-09", "2022-11-08", "2025-10-10"):
        assert date.fromisoformat(day) in starts, day
    assert len(starts) < 40


def test_bitcoin_gave_its_year_back_41_days_after_its_high(published: Home) -> None:
    days, giveback, ytd = one(
        published,
        "select days_since_high, giveback_fraction, return_ytd_fraction "
        f"from signals.bitcoin_daily where market_date = '{SUNDAY}'",
    )
    assert days == 41
    assert giveback > 0.95
    assert -0.02 < ytd < 0.01
    assert one(
        published, "select state from signals.bitcoin_daily where market_date = '2025-11-17'"
    ) == ("ytd_erased",)


def test_total_cap_lost_a_trillion_between_october_and_november(published: Home) -> None:
    (loss,) = one(
        published,
        "select drawdown_usd from signals.market_cap_daily "
        f"where source = 'own_top100' and market_date = '{SUNDAY}'",
    )
    assert 0.9e12 < loss < 1.3e12


def test_small_trailed_large_by_a_wide_margin(published: Home) -> None:
    ytd, since = one(
        published,
        "select spread_ytd_fraction, spread_since_etp_fraction from signals.index_spread_daily "
        f"where pair_id = 'small_over_large' and market_date = '{SUNDAY}'",
    )
    assert ytd < -0.2
    assert since < -0.2


def test_risk_aversion_rose_after_the_crash(published: Home) -> None:
    (rise,) = one(
        published,
        "select avg(percentile_pct) filter (where market_date >= '2025-10-11') "
        "- avg(percentile_pct) filter (where market_date <= '2025-10-09') "
        "from signals.risk_aversion_daily "
        f"where market_date between '2025-08-01' and '{SUNDAY}'",
    )
    assert rise > 15


def test_most_coins_were_down_by_four_fifths(published: Home) -> None:
    share, bucket, median, state = one(
        published,
        "select down_80_fraction, down_80_90_fraction, median_drawdown_fraction, state "
        "from signals.drawdown_market_daily "
        f"where index_id = 'top100_ex_btc' and market_date = '{ARTICLE}'",
    )
    assert share > 0.5
    assert 0.1 < bucket < share
    assert median < -0.7
    assert state == "capitulation"


@pytest.mark.parametrize(("day", "score"), [(SUNDAY, 10), (ARTICLE, 61), (date(2026, 1, 21), 24)])
def test_fear_and_greed_is_as_it_was_published(published: Home, day: date, score: float) -> None:
    assert one(
        published, f"select score from signals.external_sentiment_daily where market_date = '{day}'"
    ) == (score,)


def test_altcoin_season_is_bitcoins_as_published_and_up_to_14_points_lower(
    published: Home,
) -> None:
    """The archive's last caps are of November 2025, so the members are those of December.

    Three of the nine readings are within the 8 points that two such counts should be.
    """
    theirs = {2: 21, 3: 23, 13: 28, 14: 30, 15: 29, 21: 28, 23: 30, 27: 29, 31: 25}
    ours = dict(
        published.query(
            "select day(market_date), altcoin_season_score from signals.altcoin_season_daily "
            "where variant_id = 'top100_90d' and date_trunc('month', market_date) = '2026-01-01'"
        )
    )
    gaps = {day: score - ours[day] for day, score in theirs.items()}
    assert all(0 < gap < 14 for gap in gaps.values()), gaps
    assert sum(gap <= 8 for gap in gaps.values()) >= 3
    assert all(ours[day] <= 25 for day in theirs)


def test_every_signal_with_an_input_has_trusted_values(published: Home) -> None:
    told = {
        row[0]
        for row in published.query(
            "select signal_id from signals.signal_daily where value is not null group by signal_id"
        )
    }
    without_input = {"S11", "S21", "S22", "S23", "S24", "S25", "S27M", "S28", "S28M", "S28C"}
    defined = {
        row[0]
        for row in published.query(
            "select signal_id from reference.signal_definition where is_daily"
        )
    }
    assert defined - told == without_input


def test_nothing_is_not_a_number(published: Home) -> None:
    columns = published.query(
        "select table_name, column_name from duckdb_columns() "
        "where schema_name = 'signals' and data_type = 'DOUBLE'"
    )
    assert len(columns) > 150
    for table, column in columns:
        bad = f"select count(*) from signals.{table} where not isfinite({column})"
        assert one(published, bad) == (0,), (table, column)
