"""The long table: how far to trust a value, and when it is withheld."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from given_tables import build, days_from, percentile_of_last, raw_row
from harness import SQL_DIR, Row, shipped_project, shipped_rows

START = date(2023, 1, 1)
COUNT = 400
UNIONS = (
    "signals.signal_value_market_daily",
    "signals.signal_value_equity_daily",
    "signals.signal_value_asset_daily",
    "signals.signal_value_mood_daily",
)
DEFINITIONS = {row["signal_id"]: row for row in shipped_rows("reference.signal_definition")}


def value_row(day: date, signal_id: str, value: float | None, **values: object) -> Row:
    return {
        "market_date": day,
        "signal_id": signal_id,
        "entity": "market",
        "value": value,
        "state": "normal",
        "coverage_fraction": 1.0,
    } | values


def signals(
    rows: Sequence[Row],
    observed: dict[str, Sequence[date]],
    table: str = "signals.signal_value_market_daily",
    quality: Sequence[Row] = (),
) -> dict[date, Row]:
    """Return the long table's rows of values that a test gives, on days with these inputs."""
    given = given_inputs(observed) | {table: rows, "signals.signal_quality": quality}
    with build("signals.signal_daily", given) as built:
        return {row["market_date"]: row for row in built.rows("signals.signal_daily")}


def given_inputs(
    observed: dict[str, Sequence[date]], day_count: int = COUNT
) -> dict[str, Sequence[Row]]:
    """Return the tables under the long one: no values yet, and inputs on these days."""
    given: dict[str, Sequence[Row]] = dict.fromkeys(UNIONS, ()) | {
        "staging.market_calendar": [{"market_date": day} for day in days_from(START, day_count)],
        "staging.coin_price_daily": [
            {
                "market_date": day,
                "coin_id": "bitcoin",
                "is_reconstructed": False,
                "known_at": raw_row(day)["known_at"],
            }
            for day in observed.get("price", ())
        ],
        "staging.equity_close_daily": [
            {"session_date": day, "ticker": ticker, "ticker_kind": kind}
            for name, ticker, kind in (("equity", "RUT", "index"), ("vix", "VIX", "volatility"))
            for day in observed.get(name, ())
        ],
    }
    return given | {
        f"raw.{name}_daily": [raw_row(day) for day in days]
        for name, days in observed.items()
        if name not in {"price", "equity", "vix"}
    }


ALL_DAYS = days_from(START, COUNT)


def test_fresh_full_and_old_enough_is_as_sure_as_one_source_gets() -> None:
    chance = random.Random(1)
    values = [chance.random() for _ in range(COUNT)]
    rows = [value_row(day, "S03", v) for day, v in zip(ALL_DAYS, values, strict=True)]
    row = signals(rows, {"price": ALL_DAYS})[ALL_DAYS[-1]]
    assert row["confidence_score"] == pytest.approx(0.9)
    assert row["confidence_label"] == "high"
    assert row["value"] == values[-1]
    assert row["unit"] == "fraction"
    assert row["percentile_pct"] == pytest.approx(percentile_of_last(values))
    last_year = sorted(values[-365:])
    median = last_year[182]
    deviation = sorted(abs(v - median) for v in last_year)[182]
    assert row["robust_z"] == pytest.approx((values[-1] - median) / (1.4826 * deviation))
    assert row["known_at"] == raw_row(ALL_DAYS[-1])["known_at"]
    assert row["is_reconstructed"] is False


def test_young_series_is_insufficient_and_then_trusted_more() -> None:
    rows = [value_row(day, "S03", float(n)) for n, day in enumerate(ALL_DAYS)]
    told = signals(rows, {"price": ALL_DAYS})
    young = told[ALL_DAYS[178]]
    assert (young["value"], young["percentile_pct"], young["robust_z"]) == (None, None, None)
    assert young["state"] == "insufficient"
    assert (young["confidence_score"], young["confidence_label"]) == (0, "none")
    assert young["observation_count"] == 179
    older = told[ALL_DAYS[179]]
    assert (older["value"], older["state"]) == (179, "normal")
    assert older["confidence_score"] == pytest.approx(180 / 365 * 0.9)
    assert older["confidence_label"] == "low"
    assert older["robust_z"] is not None
    assert told[ALL_DAYS[363]]["percentile_pct"] is None
    assert told[ALL_DAYS[364]]["percentile_pct"] == 100
    assert told[ALL_DAYS[364]]["confidence_label"] == "high"


def test_missing_coverage_lowers_confidence() -> None:
    rows = [value_row(day, "S03", float(n % 7)) for n, day in enumerate(ALL_DAYS)]
    rows[-1]["coverage_fraction"] = 0.5
    row = signals(rows, {"price": ALL_DAYS})[ALL_DAYS[-1]]
    assert row["confidence_score"] == pytest.approx(0.45)
    rows[-1]["coverage_fraction"] = 0.3
    row = signals(rows, {"price": ALL_DAYS})[ALL_DAYS[-1]]
    assert (row["value"], row["state"]) == (None, "withheld")


def test_stale_input_withholds_the_value() -> None:
    rows = [value_row(day, "S30", 50.0 + n % 9) for n, day in enumerate(ALL_DAYS)]
    told = signals(rows, {"sentiment": ALL_DAYS[:-2]})
    fresh, one, two = (told[day] for day in ALL_DAYS[-3:])
    assert fresh["freshness_fraction"] == 1
    assert one["freshness_fraction"] == 0.5
    assert one["confidence_score"] == pytest.approx(0.45)
    assert one["known_at"] == raw_row(ALL_DAYS[-3])["known_at"]
    assert (two["value"], two["state"], two["freshness_fraction"]) == (None, "withheld", 0)


def test_signal_is_as_fresh_as_its_stalest_input() -> None:
    rows = [value_row(day, "S16", 0.001 * n) for n, day in enumerate(ALL_DAYS)]
    told = signals(rows, {"price": ALL_DAYS, "equity": ALL_DAYS[:-5]})
    assert told[ALL_DAYS[-2]]["freshness_fraction"] == 1  # four days without a session
    assert told[ALL_DAYS[-1]]["freshness_fraction"] == 0
    never = signals(rows, {"price": ALL_DAYS})[ALL_DAYS[-1]]
    assert (never["freshness_fraction"], never["value"]) == (0, None)


def test_insufficient_value_has_no_confidence_and_keeps_its_word() -> None:
    rows = [value_row(day, "S03", None, state="insufficient") for day in ALL_DAYS[:3]]
    rows.append(value_row(ALL_DAYS[3], "S02", None, state="measured"))
    told = signals(rows, {"price": ALL_DAYS})
    assert {row["state"] for row in told.values()} == {"insufficient"}
    assert {row["confidence_score"] for row in told.values()} == {0}


def test_word_of_its_own_table_for_no_value_stays() -> None:
    rows = [value_row(day, "S05", None, state="no_gain") for day in ALL_DAYS[:3]]
    told = signals(rows, {"price": ALL_DAYS})
    assert {row["state"] for row in told.values()} == {"no_gain"}


def test_insufficient_in_its_own_table_is_no_value_here() -> None:
    rows = [value_row(day, "S03", 0.01 * n) for n, day in enumerate(ALL_DAYS)]
    rows[-1]["state"] = "insufficient"
    row = signals(rows, {"price": ALL_DAYS})[ALL_DAYS[-1]]
    assert (row["value"], row["state"], row["confidence_score"]) == (None, "insufficient", 0)


@pytest.mark.parametrize(("gap", "agreement"), [(0, 1.0), (5, 0.75), (30, 0.0), (None, 0.9)])
def test_sources_that_disagree_lower_confidence(gap: float | None, agreement: float) -> None:
    moods = [
        {
            "market_date": day,
            "source": "alternative_me",
            "score": 50.0 + n % 9,
            "stale_days": 0,
            "source_gap_score": gap,
            "state": "neutral",
        }
        for n, day in enumerate(ALL_DAYS)
    ]
    given = {
        "signals.external_sentiment_daily": moods,
        "signals.altcoin_season_daily": [],
        "signals.sentiment_composite_daily": [],
    }
    with build("signals.signal_value_mood_daily", given) as built:
        rows = built.rows("signals.signal_value_mood_daily")
    row = signals(rows, {"sentiment": ALL_DAYS}, "signals.signal_value_mood_daily")[ALL_DAYS[-1]]
    assert row["confidence_score"] == pytest.approx(agreement)
    assert (row["value"] is None) is (agreement < 0.3)


def test_reconstructed_input_marks_the_signal() -> None:
    days = days_from(START, 3)
    given: dict[str, Sequence[Row]] = {
        "staging.market_calendar": [{"market_date": day} for day in days],
        "raw.sentiment_daily": [
            raw_row(
                days[0],
                score=1.0,
                vintage="reconstructed",
                known_at=datetime(2030, 1, 1, tzinfo=UTC),
            )
        ],
        "staging.coin_price_daily": [],
        "staging.equity_close_daily": [],
    }
    with build("signals.input_daily", given) as built:
        row = built.row("signals.input_daily", input_id="sentiment", market_date=days[0])
        never = built.row("signals.input_daily", input_id="price", market_date=days[2])
    assert row["is_reconstructed"]
    assert row["known_at"] == datetime(2023, 1, 2, tzinfo=UTC)  # the end of its own day
    assert (never["lag_days"], never["freshness_fraction"]) == (None, 0)


def test_live_word_is_not_replaced_by_history_loaded_later() -> None:
    live = raw_row(START, score=40.0)
    later = raw_row(
        START, score=60.0, vintage="reconstructed", known_at=live["known_at"] + timedelta(days=9)
    )
    revision = raw_row(START, score=41.0, known_at=live["known_at"] + timedelta(hours=1))
    with build("staging.sentiment_daily", {"raw.sentiment_daily": [later, live]}) as built:
        assert built.row("staging.sentiment_daily")["score"] == 40
    with build("staging.sentiment_daily", {"raw.sentiment_daily": [revision, live]}) as built:
        assert built.row("staging.sentiment_daily")["score"] == 41


def test_vendors_ids_on_chain_become_ours() -> None:
    given = {
        "raw.onchain_daily": [
            raw_row(START, "coinmetrics", coin_id="btc", metric="CapMVRVCur", value=2.0)
        ],
        "reference.coin_xref": [
            {"source": "coinmetrics", "source_coin_id": "btc", "coin_id": "bitcoin"}
        ],
    }
    with build("staging.onchain_daily", given) as built:
        assert built.row("staging.onchain_daily")["coin_id"] == "bitcoin"


@pytest.mark.parametrize("signal_id", sorted(DEFINITIONS))
def test_definition_names_a_column_that_is_there(signal_id: str) -> None:
    definition = DEFINITIONS[signal_id]
    models = shipped_project().models
    columns = {column.name for column in models[definition["table_name"]].doc.columns}
    assert definition["value_column"] in columns
    inputs = {row["input_id"] for row in shipped_rows("reference.signal_input")}
    assert set(definition["required_inputs"].split(";")) <= inputs
    assert definition["orientation"] in (-1, 0, 1)


def test_every_daily_signal_is_in_one_of_the_unions_with_its_table_and_column() -> None:
    texts = [
        (SQL_DIR / f"{name.replace('.', '/')}.sql").read_text(encoding="utf-8") for name in UNIONS
    ]
    selects = [select for text in texts for select in text.split("union all")]
    for signal_id, definition in DEFINITIONS.items():
        found = [select for select in selects if f"'{signal_id}' as signal_id" in select]
        assert len(found) == int(definition["is_daily"]), signal_id
        if found:
            assert definition["value_column"] in found[0], signal_id
    told = {select.split("' as signal_id")[0].split("'")[-1] for select in selects}
    assert told == {key for key, definition in DEFINITIONS.items() if definition["is_daily"]}


def test_components_of_the_composite_are_defined_signals() -> None:
    rows = shipped_rows("reference.sentiment_component")
    assert len({row["pillar"] for row in rows}) == 5
    for row in rows:
        definition = DEFINITIONS[row["signal_id"]]
        assert row["orientation"] == definition["orientation"], row["component_id"]
