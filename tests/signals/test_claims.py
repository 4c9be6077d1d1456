"""The ledger of claims: every verdict follows from rows, none from a constant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from given_tables import build
from harness import SQL_DIR, Row, shipped_project, shipped_rows

from pipeline.database import open_scratch, quote_name
from pipeline.errors import ConfigurationError
from pipeline.models import load_project, parents_of, run_models

CLAIMS = {row["claim_id"]: row for row in shipped_rows("reference.claim")}
FILES = {path.stem: path for path in (SQL_DIR / "signals" / "claims").glob("*.sql")}
LATER = [{"market_date": date(2027, 1, 1)}]
CALENDAR = "staging.market_calendar"


def own_claim(**overrides: object) -> Row:
    return {
        "claim_id": "own",
        "claim_date": date(2026, 1, 1),
        "kind": "fact",
        "comparison": "within",
        "expected": 10.0,
        "tolerance": 1.0,
        "refutation_margin": 2.0,
        "needed_input_count": 10,
        "resolves_on": date(2026, 1, 1),
    } | overrides


def finding(**overrides: object) -> Row:
    return {
        "claim_id": "own",
        "actual_value": 10.0,
        "input_count": 10,
        "is_supported": True,
    } | overrides


def judge(claims: Sequence[Row], findings: Sequence[Row]) -> list[Row]:
    given = {"reference.claim": claims, "signals.claim_evidence": findings, CALENDAR: LATER}
    with build("signals.claim_check", given) as built:
        return built.rows("signals.claim_check")


def check(claim_id: str, given: dict[str, list[Row]], day: date = date(2027, 1, 1)) -> Row:
    """Return a claim's row where its tables hold these rows and all others none."""
    read = shipped_project().models["signals.claim_evidence"].parents
    tables = {name: given.get(name, []) for name in read}
    assert set(given) <= set(read)
    with build("signals.claim_check", tables | {CALENDAR: [{"market_date": day}]}) as built:
        return built.row("signals.claim_check", claim_id=claim_id)


def test_every_claim_of_the_articles_is_there() -> None:
    stems = {re.sub(r"(?<=\d)[A-Z]$", "", claim_id) for claim_id in CLAIMS}
    assert stems == {f"A{n}" for n in range(1, 16)} | {f"B{n}" for n in range(1, 25)}


def test_every_claim_has_its_own_select() -> None:
    assert set(FILES) == set(CLAIMS)


@pytest.mark.parametrize("claim_id", sorted(CLAIMS))
def test_claim_names_the_tables_that_it_reads(claim_id: str) -> None:
    read = parents_of(FILES[claim_id].read_text(), where=claim_id)
    assert sorted(CLAIMS[claim_id]["needs"].split(";")) == list(read)


@pytest.mark.parametrize("claim_id", sorted(CLAIMS))
def test_claim_row_can_be_judged(claim_id: str) -> None:
    claim = CLAIMS[claim_id]
    assert claim["kind"] in {"fact", "rule", "forecast", "definition"}
    assert claim["comparison"] in {"within", "at_least", "at_most"}
    assert claim["tolerance"] >= 0
    assert claim["needed_input_count"] > 0
    assert claim["resolves_on"] >= claim["claim_date"]
    assert all(claim[name] for name in ("wording", "reading", "unit", "source"))


@pytest.fixture(scope="module")
def without_input() -> dict[date, list[Row]]:
    read = shipped_project().models["signals.claim_evidence"].parents
    found = {}
    for day in (date(2025, 1, 1), date(2027, 1, 1)):
        given = {name: [] for name in read} | {CALENDAR: [{"market_date": day}]}
        with build("signals.claim_check", given) as built:
            found[day] = built.rows("signals.claim_check")
    return found


def test_without_input_no_claim_can_be_verified(without_input: dict[date, list[Row]]) -> None:
    rows = without_input[date(2027, 1, 1)]
    assert {row["claim_id"] for row in rows} == set(CLAIMS)
    assert {row["verdict"] for row in rows} == {"unverifiable_with_free_data"}
    assert {row["actual_value"] for row in rows} == {None}
    assert {row["evidence"] for row in rows} == {None}


def test_before_its_day_a_claim_is_pending(without_input: dict[date, list[Row]]) -> None:
    assert {row["verdict"] for row in without_input[date(2025, 1, 1)]} == {"pending"}


@pytest.mark.parametrize(
    ("claim", "found", "verdict"),
    [
        ({}, {}, "confirmed"),
        ({}, {"actual_value": 11.0}, "confirmed"),
        ({}, {"actual_value": 9.0}, "confirmed"),
        ({}, {"actual_value": 11.01}, "not_confirmed"),
        ({}, {"actual_value": 8.99}, "not_confirmed"),
        ({}, {"actual_value": 13.0}, "not_confirmed"),
        ({}, {"actual_value": 13.01}, "refuted"),
        ({}, {"actual_value": 6.9}, "refuted"),
        ({"refutation_margin": None}, {"actual_value": 1e6}, "not_confirmed"),
        ({"refutation_margin": 0.0}, {"actual_value": 11.01}, "refuted"),
        ({"comparison": "at_least"}, {"actual_value": 1e6}, "confirmed"),
        ({"comparison": "at_least"}, {"actual_value": 8.9}, "not_confirmed"),
        ({"comparison": "at_least"}, {"actual_value": 6.9}, "refuted"),
        ({"comparison": "at_most"}, {"actual_value": -1e6}, "confirmed"),
        ({"comparison": "at_most"}, {"actual_value": 13.1}, "refuted"),
        ({}, {"is_supported": False}, "not_confirmed"),
        ({}, {"is_supported": None}, "not_confirmed"),
        ({}, {"caveat": "by a fund"}, "confirmed_with_caveat"),
        ({}, {"input_count": 7}, "confirmed_with_caveat"),
        ({}, {"input_count": 8}, "confirmed"),
        ({}, {"actual_value": None}, "not_confirmed"),
        ({}, {"input_count": 0}, "unverifiable_with_free_data"),
        ({"resolves_on": date(2027, 1, 1)}, {}, "confirmed"),
        ({"resolves_on": date(2027, 1, 2)}, {}, "pending"),
        ({"resolves_on": date(2027, 1, 2)}, {"input_count": 0}, "pending"),
    ],
)
def test_verdict_follows_from_the_figure(claim: Row, found: Row, verdict: str) -> None:
    (row,) = judge([own_claim(**claim)], [finding(**found)])
    assert row["verdict"] == verdict


@pytest.mark.parametrize(
    ("claims", "findings", "message"),
    [
        ([own_claim()], [], "claim own has no select"),
        ([], [finding()], "own.sql answers no claim"),
        ([own_claim()], [finding(), finding()], "own.sql gives more than one row"),
    ],
)
def test_claim_and_select_must_match(claims: list[Row], findings: list[Row], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        judge(claims, findings)


SUNDAY, EVE = date(2025, 11, 16), date(2026, 1, 15)
FLIPS = [
    ("A3", "signals.bitcoin_daily", {"market_date": SUNDAY}, "giveback_fraction", 1.0, 0.5),
    ("A3L", "signals.bitcoin_daily", {"market_date": SUNDAY}, "giveback_fraction", 0.3, 0.9),
    ("A3H", "signals.bitcoin_daily", {"market_date": SUNDAY}, "drawdown_fraction", -0.31, -0.2),
    ("A3B", "signals.bitcoin_daily", {"market_date": SUNDAY}, "days_since_high", 42, 60),
    (
        "A4",
        "signals.index_spread_daily",
        {"market_date": SUNDAY, "pair_id": "small_over_large", "spread_since_etp_fraction": -1.0},
        "spread_ytd_fraction",
        -0.3,
        0.1,
    ),
    (
        "A9",
        "signals.liquidation_market_daily",
        {"market_date": date(2025, 10, 10), "venue": "all", "quality": "reported_floor"},
        "total_usd",
        6e9,
        1e9,
    ),
    (
        "A10",
        "signals.market_cap_daily",
        {"market_date": SUNDAY, "source": "own_top100"},
        "drawdown_usd",
        1e12,
        1e11,
    ),
    (
        "A10O",
        "signals.market_event",
        {"start_date": date(2025, 10, 10)},
        "max_loss_2d_usd",
        1.1e12,
        5e11,
    ),
    (
        "A14",
        "signals.external_sentiment_daily",
        {"market_date": SUNDAY, "source": "alternative_me", "stale_days": 0},
        "score",
        20.0,
        60.0,
    ),
    (
        "A15",
        "staging.onchain_daily",
        {"market_date": SUNDAY, "metric": "etp_net_flow_usd"},
        "value",
        1e9,
        -1e9,
    ),
    ("B2", "signals.bitcoin_daily", {"market_date": EVE}, "price_usd", 97_000.0, 80_000.0),
    (
        "B3S",
        "signals.equity_index_daily",
        {
            "session_date": date(2025, 9, 18),
            "ticker": "RUT",
            "is_proxy": False,
            "is_record_close": True,
            "close_points": 2467.7,
        },
        "sessions_without_record",
        967,
        966,
    ),
    (
        "B4",
        "signals.equity_index_daily",
        {"session_date": EVE, "ticker": "RUT", "is_proxy": False},
        "return_ytd_fraction",
        0.0775,
        0.03,
    ),
    (
        "B5",
        "signals.equity_index_daily",
        {"session_date": EVE, "ticker": "RUT", "is_proxy": False},
        "estimated_added_value_usd",
        2.2e11,
        5e11,
    ),
    (
        "B6",
        "signals.equity_pair_daily",
        {"session_date": date(2026, 1, 14), "pair_id": "rut_over_spx"},
        "streak_sessions",
        9,
        8,
    ),
    (
        "B7L",
        "signals.lead_lag",
        {"as_of_date": date(2025, 12, 31), "pair_id": "rut_top100", "state": "equities_lead"},
        "lead_sessions",
        2,
        -2,
    ),
    (
        "B8",
        "signals.turning_point_match",
        {
            "session_date": date(2026, 1, 16),
            "pair_id": "rut_top100",
            "match_p_value": 0.01,
            "null_p95_fraction": 0.5,
        },
        "match_rate_fraction",
        0.6,
        0.4,
    ),
    (
        "B11",
        "signals.positioning_market_daily",
        {"market_date": EVE, "index_id": "top100_ex_btc"},
        "above_1_fraction",
        0.7,
        0.3,
    ),
    (
        "B13",
        "signals.rank_tilt_daily",
        {"market_date": EVE, "rank_correlation_p_value": 0.01, "observation_count": 50},
        "rank_correlation",
        -0.3,
        0.3,
    ),
    (
        "B15",
        "signals.signal_quality",
        {
            "signal_id": "S22",
            "entity": "top100_ex_btc",
            "target_id": "small",
            "horizon_days": 30,
            "sample": "all",
            "bucket": "all",
            "observation_count": 500,
            "p_value_adjusted": 0.01,
        },
        "rank_information",
        0.2,
        -0.2,
    ),
    (
        "B16",
        "signals.drawdown_market_daily",
        {"market_date": EVE, "index_id": "top100_ex_btc", "median_drawdown_fraction": -0.8},
        "down_80_90_fraction",
        0.3,
        0.05,
    ),
    (
        "B19",
        "signals.altcoin_season_daily",
        {"market_date": EVE, "variant_id": "top100_90d"},
        "altcoin_season_score",
        25.0,
        70.0,
    ),
    (
        "B22F",
        "signals.external_sentiment_daily",
        {"market_date": date(2026, 1, 21), "source": "alternative_me", "stale_days": 0},
        "score",
        55.0,
        24.0,
    ),
]


@pytest.mark.parametrize("case", FLIPS, ids=[case[0] for case in FLIPS])
def test_claim_turns_with_its_figure(case: tuple[str, str, Row, str, float, float]) -> None:
    claim_id, table, row, column, met, missed = case
    held = check(claim_id, {table: [row | {column: met}]})
    assert held["verdict"] in {"confirmed", "confirmed_with_caveat"}
    broken = check(claim_id, {table: [row | {column: missed}]})
    assert broken["verdict"] in {"refuted", "not_confirmed"}
    assert broken["actual_value"] == pytest.approx(missed - 0.5 if claim_id == "B8" else missed)


@pytest.mark.parametrize(("high", "verdict"), [(5e12, "confirmed_with_caveat"), (3e12, "refuted")])
def test_forecast_of_a_record_resolves_at_the_end_of_the_quarter(high: float, verdict: str) -> None:
    total = {"source": "own_top100"}
    rows = [
        total | {"market_date": date(2025, 10, 6), "total_market_cap_usd": 4e12},
        total | {"market_date": date(2026, 2, 1), "total_market_cap_usd": high},
    ]
    given = {"signals.market_cap_daily": rows}
    assert check("B1", given, date(2026, 3, 30))["verdict"] == "pending"
    assert check("B1", given, date(2026, 3, 31))["verdict"] == verdict


def test_funds_do_not_stand_in_where_the_index_is_there() -> None:
    base = {"session_date": EVE, "return_ytd_fraction": 0.0}
    rows = [
        base | {"ticker": "IWM", "is_proxy": True, "return_ytd_fraction": 0.02},
        base | {"ticker": "RUT", "is_proxy": False, "return_ytd_fraction": 0.0775},
    ]
    both = check("B4", {"signals.equity_index_daily": rows})
    assert (both["actual_value"], both["caveat"]) == (0.0775, None)
    fund = check("B4", {"signals.equity_index_daily": rows[:1]})
    assert fund["actual_value"] == 0.02
    assert "IWM" in fund["caveat"]


def test_lowest_close_of_the_five_days_decides() -> None:
    base = {"profile": "house", "index_id": "small"}
    rows = [
        base | {"market_date": date(2020, 1, 1), "low_since_date": None},
        base | {"market_date": SUNDAY, "low_since_date": date(2025, 11, 4)},
        base | {"market_date": date(2025, 11, 17), "low_since_date": date(2020, 11, 3)},
    ]
    row = check("A1", {"indices.index_statistic_daily": rows})
    assert row["actual_value"] == (SUNDAY - date(2020, 11, 3)).days
    assert row["verdict"] == "confirmed_with_caveat"
    assert "2025-11-04" in row["caveat"]


def own_files(home: Path, sql: str, claim_id: str = "mine") -> Path:
    """Write a user's claim into a home; return its folder of reference rows."""
    reference = home / "reference"
    reference.mkdir()
    (home / "claims").mkdir()
    header = ",".join(c.name for c in shipped_project().models["reference.claim"].doc.columns)
    row = f"{claim_id},2026-01-01,fact,More,More,at_least,2,0,0,count,1,{CALENDAR},2026-01-01,me"
    (reference / "claim.csv").write_text(f"{header}\n{row}\n")
    (home / "claims" / f"{claim_id}.sql").write_text(sql)
    return reference


OWN_SQL = """
select
    3 as actual_value, count(*) as input_count, min(market_date) as first_input_date,
    max(market_date) as last_input_date, true as is_supported,
    cast(null as varchar) as caveat, 'Three' as evidence
from staging.market_calendar
"""


def test_claim_of_a_user_joins_the_shipped_ones(tmp_path: Path) -> None:
    project = load_project(SQL_DIR, own_files(tmp_path, OWN_SQL))
    model = project.models["signals.claim_evidence"]
    assert CALENDAR in model.parents
    assert tmp_path / "claims" / "mine.sql" in model.inputs
    assert len(model.parts) == len(FILES) + 1


def test_users_select_replaces_the_shipped_one(tmp_path: Path) -> None:
    project = load_project(SQL_DIR, own_files(tmp_path, OWN_SQL, "A1"))
    parts = project.models["signals.claim_evidence"].parts
    assert len(parts) == len(FILES)
    assert tmp_path / "claims" / "A1.sql" in parts


def run_evidence(reference: Path) -> list[tuple[Any, ...]]:
    """Return the evidence of all claims, a user's among them, over tables without rows."""
    model = load_project(SQL_DIR, reference).models["signals.claim_evidence"]
    with open_scratch(1) as connection:
        connection.execute("attach ':memory:' as tidemark")
        connection.execute("use tidemark")
        for name in model.parents:
            columns = ", ".join(
                f"{quote_name(c.name)} {c.type}" for c in shipped_project().models[name].doc.columns
            )
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            connection.execute(f"create table {name} ({columns})")
        run_models(connection, [model])
        return connection.execute(
            "select claim_id, actual_value, evidence from signals.claim_evidence"
        ).fetchall()


def test_claim_of_a_user_is_evaluated_with_the_others(tmp_path: Path) -> None:
    rows = run_evidence(own_files(tmp_path, OWN_SQL))
    assert ("mine", 3.0, "Three") in rows
    assert len(rows) == len(FILES) + 1


@pytest.mark.parametrize(
    "sql", ["select no_such_column from staging.market_calendar", "select from", "select 1 from x"]
)
def test_broken_claim_of_a_user_is_named(tmp_path: Path, sql: str) -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.sql"):
        run_evidence(own_files(tmp_path, sql))
