"""Nights that went wrong in every way a mail can tell, made without running one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from pipeline.alerts import compose, weekly
from pipeline.alerts.compose import compose_night, read_state
from pipeline.alerts.deadman import compose_missing_night
from pipeline.alerts.outbox import Entry, Outbox
from pipeline.alerts.problem import Findings, Problem
from pipeline.journal import Journal
from pipeline.quality import data_docs
from pipeline.settings import Settings

NIGHT = date(2026, 3, 18)
LOG_URL = "https://airflow.example.org/dags/market_nightly/runs/scheduled__2026-03-19"
RUN_ID = "scheduled__2026-03-19T01:00:00+00:00"


def make_problem(name: str = "market_daily", **overrides: Any) -> Problem:
    """Return a feed of which nothing came, with overrides."""
    values: dict[str, Any] = {
        "key": f"feed/{name}",
        "family": "feed",
        "subject": name,
        "severity": "warning",
        "kind": "errored",
        "sentence": "no source has it: nobody answered",
        "anchor": "sourceerror",
        "dataset": name.partition(".")[0],
        "rerun": f"tidemark refresh --market-date {NIGHT}",
    }
    return Problem(**values | overrides)


def make_rule(rule: str = "market_daily.cap_is_price_times_supply", **overrides: Any) -> Problem:
    """Return a rule of the gate that a few rows broke."""
    values: dict[str, Any] = {
        "key": f"gate/{rule}",
        "family": "gate",
        "subject": rule,
        "kind": "failed",
        "sentence": "4 rows are in quarantine, against the rule “The cap is price times supply”",
        "anchor": rule,
        "dataset": rule.partition(".")[0],
        "bad_count": 4,
        "total_count": 300,
        "examples": ("wrapped-thing: cap 5,000,000 is not 2 x 1,000,000",),
        "rerun": "tidemark build",
    }
    return make_problem(**values | overrides)


REFUSED = make_problem(
    severity="critical",
    kind="failed",
    sentence="it is refused, as it breaks the rule “At least half of the caps are there”",
    anchor="market_daily.caps_present",
    bad_count=177,
    total_count=300,
    examples=(
        "bitcoin: market_cap_usd is null",
        "ethereum: market_cap_usd is null",
        "<script>alert(1)</script> \u202egnp.exe: market_cap_usd is null",
        "tether: market_cap_usd is null",
        "a-coin-with-a-very-long-identifier-that-somebody-has-registered-to-break-tables: "
        "market_cap_usd is null",
    ),
)
SILENT = make_problem(
    severity="critical",
    sentence="no source has it: coingecko: no answer in 60 seconds",
    examples=(
        "coingecko is unavailable: no answer in 60 seconds",
        "cmc_listings is unavailable: status 503 at every try",
        "coinpaprika is unavailable: the connection was reset",
    ),
)
FALLBACK = make_problem(
    "global_daily",
    key="fallback/global_daily",
    family="fallback",
    severity="info",
    sentence="global_daily came from cmc, as coingecko is unavailable: status 503",
    anchor="alert-fallback",
    rerun="tidemark probe",
)
UNMAPPED = make_problem(
    key="audit/perp_symbols_are_mapped",
    family="audit",
    subject="audit perp_symbols_are_mapped",
    kind="failed",
    sentence="the build breaks the rule “No venue has more than 2 % of its open interest in "
    "perpetuals that are led to no coin”",
    anchor="perp_symbols_are_mapped",
    dataset=None,
    bad_count=1,
    examples=("venue = binance, unmapped_open_interest_fraction = 0.031",),
    rerun="tidemark build",
    task="audit",
)


def at(settings: Settings, day: date, hour: float = 1.5, **overrides: Any) -> Settings:
    """Return the settings at an hour of the night after ``day``."""
    now = datetime.combine(day + timedelta(days=1), time(), UTC) + timedelta(hours=hour)
    return settings.model_copy(update={"now_override": now, **overrides})


def publish(settings: Settings, day: date) -> None:
    """Write a manifest, which is all that says what readers see."""
    settings.published_dir.mkdir(parents=True, exist_ok=True)
    content = {"market_date": day.isoformat(), "build_id": f"build-{day}"}
    (settings.published_dir / "manifest.json").write_text(json.dumps(content))


def run_night(
    settings: Settings,
    day: date,
    *problems: Problem,
    checked: tuple[str, ...] = (),
    is_published: bool = True,
) -> Settings:
    """Compose the alerts of a night that found ``problems`` and looked at ``checked`` too."""
    tonight = at(settings, day)
    if is_published:
        publish(tonight, day)
    findings = Findings(problems, frozenset(checked) | {p.key for p in problems})
    original, compose.collect = compose.collect, lambda *_a, **_k: findings
    try:
        compose_night(tonight, day, RUN_ID, is_published=is_published, log_url=LOG_URL)
    finally:
        compose.collect = original
    return tonight


def last_entry(settings: Settings) -> Entry:
    """Return the alert that was composed last."""
    return Outbox(settings).entries()[-1]


def record_loads(settings: Settings, dataset: str, *counts: int) -> None:
    """Keep in the journal how many rows of a dataset the last nights stored."""
    for back, count in enumerate(reversed(counts), start=1):
        day = NIGHT - timedelta(days=back)
        loaded_at = datetime.combine(day, time(2), UTC)
        row = {
            "run_id": f"run-{day}",
            "loaded_at": loaded_at,
            "market_date": day,
            "dataset": dataset,
            "source": "coingecko",
            "added_count": count,
            "revised_count": 0,
            "unchanged_count": 0,
            "quarantined_count": 0,
        }
        Journal(settings.journal_dir).write(
            "load_result", f"run-{day}", f"{dataset}-coingecko", pd.DataFrame([row])
        )


def critical_failed(settings: Settings) -> None:
    record_loads(settings, "market_daily", *(300 + n % 3 for n in range(20)))
    publish(settings, NIGHT - timedelta(days=1))
    docs = data_docs._folder(settings, RUN_ID) / "index.html"
    docs.parent.mkdir(parents=True)
    docs.write_text("docs")
    run_night(settings, NIGHT, REFUSED, FALLBACK, is_published=False)


def critical_errored(settings: Settings) -> None:
    publish(settings, NIGHT - timedelta(days=1))
    run_night(settings, NIGHT, SILENT, is_published=False)


def warnings(settings: Settings) -> None:
    run_night(settings, NIGHT, make_problem("sentiment_daily"), make_rule(), UNMAPPED, FALLBACK)


def changed(settings: Settings) -> None:
    run_night(settings, NIGHT - timedelta(days=2), make_rule(), UNMAPPED)
    run_night(settings, NIGHT - timedelta(days=1), make_rule(), UNMAPPED)
    more = make_rule(
        bad_count=41,
        sentence="41 rows are in quarantine, against the rule “The cap is price times supply”",
    )
    run_night(settings, NIGHT, more, UNMAPPED)


def reminded(settings: Settings) -> None:
    for back in range(7, -1, -1):
        run_night(settings, NIGHT - timedelta(days=back), make_rule())


def still_critical(settings: Settings) -> None:
    publish(settings, NIGHT - timedelta(days=2))
    run_night(settings, NIGHT - timedelta(days=1), SILENT, UNMAPPED, is_published=False)
    run_night(settings, NIGHT, SILENT, UNMAPPED, is_published=False)


def worse(settings: Settings) -> None:
    run_night(settings, NIGHT - timedelta(days=1), make_problem())
    run_night(settings, NIGHT, REFUSED, is_published=False)


def back_again(settings: Settings) -> None:
    run_night(settings, NIGHT - timedelta(days=2), REFUSED, is_published=False)
    run_night(settings, NIGHT - timedelta(days=1), checked=(REFUSED.key,))
    run_night(settings, NIGHT, REFUSED, is_published=False)


def recovered(settings: Settings) -> None:
    publish(settings, NIGHT - timedelta(days=2))
    run_night(settings, NIGHT - timedelta(days=1), REFUSED, UNMAPPED, is_published=False)
    run_night(settings, NIGHT, UNMAPPED, checked=(REFUSED.key,))


def recovered_alone(settings: Settings) -> None:
    run_night(settings, NIGHT - timedelta(days=1), make_problem("sentiment_daily"))
    run_night(settings, NIGHT, checked=("feed/sentiment_daily",))


def flood(settings: Settings) -> None:
    publish(settings, NIGHT - timedelta(days=1))
    feeds = [f"feed_{n:02d}_daily" for n in range(1, 28)]
    run_night(settings, NIGHT, SILENT, *map(make_problem, feeds), is_published=False)


def missing_night(settings: Settings) -> None:
    publish(settings, NIGHT - timedelta(days=1))
    compose_missing_night(at(settings, NIGHT, hour=6.5))


def missing_night_over(settings: Settings) -> None:
    missing_night(settings)
    publish(settings, NIGHT + timedelta(days=1))
    compose_missing_night(at(settings, NIGHT + timedelta(days=1), hour=6.5))


def publish_tables(settings: Settings, day: date) -> None:
    """Write a published file with the tables that a summary reads, and a manifest."""
    publish(settings, day)
    with duckdb.connect(str(settings.published_file)) as connection:
        for schema in ("indices", "quality"):
            connection.execute(f"create schema {schema}")
        connection.execute(f"create table main.about as select date '{day}' as market_date")
        connection.execute(
            f"""
            create table indices.index_statistic_daily as
            select
                date '{day}' as market_date, 'house' as profile, index_id, level,
                move as return_1d_fraction, 3 * move as return_7d_fraction,
                null::double as return_30d_fraction
            from (values
                ('top100', 1234.5, 0.0123), ('large', 1300.25, 0.02),
                ('mid', 900.0, -0.01), ('small', 412.875, -0.0456)
            ) as levels (index_id, level, move);
            create table indices.index_level_daily as
            select
                date '{day}' - n::int as market_date, 'house' as profile,
                'top100' as index_id, 1234.5 - n as level
            from range(90) as days (n);
            create table indices.restatement as
            select
                date '{day}' - 3 as market_date, 'house' as profile, 'small' as index_id,
                410.0 as level_as_published, 410.2 as level_as_restated,
                0.000488 as difference_fraction, 'late or revised input' as cause;
            create table quality.source_health_daily as
            select date '{day}' - n::int as market_date, feed, status, date '{day}' as last_date
            from range(7) as days (n), (values
                ('market_daily', 'answered'), ('equity_daily', 'fell_back')
            ) as feeds (feed, status);
            create table quality.freshness as
            select
                feed, source, is_due, date '{day}' - age as newest_date, age as age_days, state
            from (values
                ('market_daily', 'coingecko', true, 0, 'fresh'),
                ('market_daily', 'coinpaprika', false, 9, 'stale'),
                ('equity_daily', 'cboe', true, 2, 'late'),
                ('sentiment_daily', 'alternative_me', true, 11, 'stale'),
                ('global_daily', 'coingecko_global', true, null, 'never')
            ) as sources (feed, source, is_due, age, state);
            create table quality.load_result as
            select date '{day}' as market_date, 'market_daily' as dataset, 4 as quarantined_count
            """
        )


def weekly_summary(settings: Settings) -> None:
    monday = date(2026, 3, 22)
    publish_tables(settings, monday)
    tonight = at(settings, monday)
    run_night(settings, NIGHT, UNMAPPED)
    publish(tonight, monday)
    mail = weekly.compose_weekly(tonight, read_state(tonight))
    compose.add(tonight, "weekly", mail, ["ops@example.org"])


def quiet_week(settings: Settings) -> None:
    monday = date(2026, 3, 22)
    publish_tables(settings, monday)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("delete from indices.restatement; delete from quality.load_result")
        connection.execute("delete from quality.freshness where state <> 'fresh'")
    report = settings.published_dir / "report" / "index.html"
    report.parent.mkdir()
    report.write_text("report")
    tonight = at(settings, monday)
    mail = weekly.compose_weekly(tonight, read_state(tonight))
    compose.add(tonight, "weekly", mail, ["ops@example.org"])


SCENES: dict[str, Callable[[Settings], None]] = {
    scene.__name__: scene
    for scene in (
        critical_failed,
        critical_errored,
        warnings,
        changed,
        reminded,
        still_critical,
        worse,
        back_again,
        recovered,
        recovered_alone,
        flood,
        weekly_summary,
        quiet_week,
        missing_night,
        missing_night_over,
    )
}


def make_alert_settings(home: Path, **overrides: Any) -> Settings:
    """Return settings of a home of one's own, with pages to link to."""
    values: dict[str, Any] = {
        "home": home,
        "alert_to": "ops@example.org",
        "alert_from": "Tidemark <tidemark@example.org>",
        "docs_url": "https://docs.example.org/tidemark",
        "site_url": "https://files.example.org/tidemark",
        "now_override": datetime(2026, 3, 19, 1, 30, tzinfo=UTC),
    }
    return Settings(_env_file=None, **(values | overrides))
