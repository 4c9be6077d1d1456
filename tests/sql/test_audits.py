"""Every audit lets a good build pass, and stops a build that breaks its rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from harness import Result, audits, run_market, series, small_baskets

START = date(2024, 1, 29)
DAYS = 35
LAST = "(select max(market_date) from staging.market_calendar)"
ONE_DAY = "date '2024-02-10'"

# Per audit the ways to break its rule. Each is undone before the next.
BREACHES = {
    "perp_symbols_are_mapped": [
        "insert into staging.perp_symbol_unmapped_daily "
        "values (date '2024-02-10', 'binance', 2, 1, 100, 0.03)"
    ],
    "contributions_explain_the_move": [
        "update indices.constituent_daily set contribution_1d_fraction = 0.5 "
        f"where market_date = {ONE_DAY} and coin_id = 'coin-07'",
        "update indices.constituent_daily set contribution_1d_fraction = null "
        f"where market_date = {ONE_DAY}",
        "update indices.index_statistic_daily set return_1d_fraction = 'nan' "
        f"where market_date = {ONE_DAY} and index_id = 'mid'",
    ],
    "divisor_leaves_the_level_unchanged": [
        "update indices.divisor_ledger set divisor_after = divisor_after * (1 + 1e-8) "
        "where event_kind = 'review' and index_id = 'small_equal'",
        "update indices.divisor_ledger set market_value_before_usd = null "
        "where event_kind = 'review' and index_id = 'large'",
    ],
    "every_candidate_has_a_decision": [
        "update indices.review_decision set reason = null where coin_id = 'coin-07'",
        "update indices.review_decision set is_in = false where coin_id = 'coin-07'",
        "update indices.review_decision set is_withdrawn = true where coin_id = 'coin-07'",
    ],
    "first_review_has_been_held": [
        "delete from indices.review_status where profile = 'house'",
        "update indices.review_status set status = 'not held'",
    ],
    "index_days_have_no_gap": [
        f"delete from indices.index_level_daily where market_date = {ONE_DAY}",
        f"delete from indices.index_level_daily where market_date = {LAST} and index_id = 'mid'",
        f"delete from indices.index_level_daily where market_date < {ONE_DAY} and index_id = 'mid'",
        "delete from indices.index_level_daily where index_id = 'mid'",
        "delete from indices.index_level_daily",
    ],
    "last_review_was_held": [
        "update indices.review_status set is_held = false, status = 'blocked' "
        "where effective_date = (select max(effective_date) from indices.review_status)",
    ],
    "levels_are_positive_numbers": [
        f"update indices.index_level_daily set level = {value} where market_date = {ONE_DAY}"
        for value in ("0", "-1", "null", "'nan'", "'inf'")
    ],
    "live_night_has_fresh_prices": [
        "update indices.index_level_daily set coverage_fraction = 0.949 "
        f"where market_date = {LAST} and index_id = 'top100'",
    ],
    "no_heavy_constituent_is_stale": [
        "update indices.constituent_daily set stale_days = 3, weight_fraction = 0.01 "
        f"where market_date = {LAST} and coin_id = 'coin-20'",
    ],
    "no_review_input_is_from_the_future": [
        "update indices.constituent set supply_date = weighting_date + 1 where coin_id = 'coin-07'",
        "update indices.review_candidate set last_observed_date = last_observed_date + 9 "
        "where coin_id = 'coin-07'",
    ],
    "published_facts_reconcile": [
        "insert into indices.reconciliation by name select 'made-up' as fact_id, 'somebody' as "
        "provider, 'house' as profile, 'large' as index_id, 'return' as metric, "
        f"{ONE_DAY} as from_date, {ONE_DAY} as to_date, 0.5 as published_value, 1.5 as our_value, "
        "1.0 as difference, 0.1 as tolerance, 'absolute' as tolerance_kind, "
        "'beyond tolerance' as verdict, 'a page' as source",
    ],
    "published_tables_do_not_shrink": [
        "insert into quality.published_row_count "
        f"select '{table}', count(*) * 1.02 + 1, 'last-build', false from {table}"
        for table in ("indices.index_level_daily", "signals.signal_daily", "main.about")
    ],
    "published_tables_keep_their_contract": [
        "alter table indices.index_level_daily add column surprise double",
        "alter table indices.index_level_daily drop column coverage_fraction",
        "alter table signals.signal_daily alter column value type varchar",
        "drop table signals.breadth_daily",
        *(
            f"insert into quality.published_column values ({column}, '1.0.0')"
            for column in (
                "'indices.index_level_daily', 'a_column_that_was', 'double'",
                "'indices.index_level_daily', 'level', 'float'",
                "'indices.a_table_that_was', 'level', 'double'",
            )
        ),
    ],
    "readers_find_their_columns": [
        "insert into quality.exposure values "
        f"('a wall', 'dashboard', 'research', 'Levels', {column})"
        for column in (
            "'indices.index_level_daily', 'a_column_that_was', null",
            "'indices.index_level_daily', 'level', 'float'",
            "'indices.a_table_that_was', '*', null",
            "'indices.basket', 'coin_id', 'varchar'",
        )
    ],
    "published_figures_are_finite_numbers": [
        f"update {table} set {column} = '{value}' where rowid = 0"
        for table, column in (
            ("indices.index_statistic_daily", "volatility_30d_fraction"),
            ("signals.signal_daily", "value"),
        )
        for value in ("nan", "inf", "-inf")
    ],
    "segments_add_up_to_the_top100": [
        "update indices.index_level_daily set market_value_usd = market_value_usd * (1 + 1e-8) "
        f"where market_date = {ONE_DAY} and index_id = 'top100'",
        f"delete from indices.index_level_daily where market_date = {ONE_DAY} and index_id = 'mid'",
        "update indices.index_level_daily set market_value_usd = null "
        f"where market_date = {ONE_DAY} and index_id = 'top100'",
    ],
    "signals_are_plausible": [
        "insert into signals.signal_block "
        f"values ('S03', 'small_over_large', '{reason}', 'A figure', {ONE_DAY})"
        for reason in ("too_good", "frozen")
    ],
    "small_keeps_enough_members": [
        "insert into indices.member_shortfall select distinct profile, effective_date, "
        f"{ONE_DAY}, 21, 22 from indices.constituent "
        "where effective_date = (select max(effective_date) from indices.constituent)",
    ],
    "top100_prices_are_fresh": [
        "update indices.index_level_daily set coverage_fraction = 0.949 "
        f"where market_date = {LAST} and index_id = 'top100'",
    ],
    "twins_do_not_stay_apart": [
        "insert into signals.twin_difference_daily select max(market_date), 'altcoin_season', "
        "'cmc_altcoin_season', 30, 60, 30, 8, 3, 'apart' from staging.market_calendar",
    ],
    "weight_caps_are_feasible": [
        "update indices.constituent set is_cap_infeasible = true where index_id = 'small_capped'",
    ],
    "weights_sum_to_one": [
        "update indices.constituent_daily set weight_fraction = weight_fraction + 1e-8 "
        f"where market_date = {ONE_DAY} and coin_id = 'coin-07'",
        "update indices.constituent_daily set weight_fraction = null "
        f"where market_date = {ONE_DAY}",
    ],
}


@pytest.fixture(scope="module")
def good_build() -> Iterator[Result]:
    """Thirty coins: enough names in ``large`` and ``small`` for their caps."""
    rows = [
        row
        for number in range(30)
        for row in series(
            f"coin-{number:02d}",
            START,
            [(number + 2) * (1 + 0.01 * ((day * (number + 3)) % 7)) for day in range(DAYS)],
            1e6 * (40 - number),
        )
    ]
    with run_market(rows, rulebook_overrides=small_baskets(5, 8, 30)) as market:
        yield market


def test_every_audit_has_a_breach() -> None:
    assert set(BREACHES) == set(audits())


@pytest.mark.parametrize("name", sorted(audits()))
def test_audit_passes_a_good_build(good_build: Result, name: str) -> None:
    assert good_build.run_audit(name) == []


@pytest.mark.parametrize(
    ("name", "breach"), [(name, sql) for name, breaches in BREACHES.items() for sql in breaches]
)
def test_audit_stops_a_broken_build(good_build: Result, name: str, breach: str) -> None:
    connection = good_build.connection
    connection.execute("begin")
    try:
        connection.execute(breach)
        assert good_build.run_audit(name) != []
    finally:
        connection.execute("rollback")


@pytest.mark.parametrize("name", sorted(audits()))
def test_audit_runs_on_a_warehouse_without_prices(name: str) -> None:
    with run_market([]) as market:
        market.run_audit(name)


@pytest.mark.parametrize("name", sorted(audits()))
def test_audit_says_its_rule_in_a_sentence(name: str) -> None:
    sentence = audits()[name].sentence
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence.split()) > 4
