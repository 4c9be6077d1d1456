"""Whole nights on which a vendor, an audit or the mail server fails.

What they prove is about the steps, so most of them build few models (``small_project``); the
night that a retry mends builds all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nights import NIGHTS, Home, Mailbox, build_ids, query_file

from pipeline.errors import AuditError, BlockedNightError, PublishError, TidemarkError
from pipeline.sandbox.faults import BODY_FAULTS, STATUS_FAULTS, FaultBoard
from pipeline.warehouse import Warehouse

TESTS = Path(__file__).parent

# A third of the caps missing is no bad night: price and supply are there.
HARMLESS_AT_COINGECKO = {"null_caps"}
SEEN_AT_COINGECKO = sorted({*BODY_FAULTS, *STATUS_FAULTS, "slow"} - HARMLESS_AT_COINGECKO)
EVERY_NIGHT_AT_COINGECKO = {"truncated", "unit_slip", "status_403", "stale_stamp"}
AT_COINGECKO = [
    pytest.param(fault, marks=() if fault in EVERY_NIGHT_AT_COINGECKO else pytest.mark.slow)
    for fault in SEEN_AT_COINGECKO
]
# Cboe's file repeats a line without harm, and three days without a session are a weekend.
HARMLESS_ELSEWHERE = {
    ("cboe", "repeat_page"),
    ("cboe", "stale_stamp"),
    ("alternative_me", "repeat_page"),
}
EVERY_NIGHT_FAULTS = {("cboe", "html_200"), ("cboe", "unit_slip"), ("alternative_me", "truncated")}
DEGRADING = [
    pytest.param(
        vendor, fault, marks=() if (vendor, fault) in EVERY_NIGHT_FAULTS else pytest.mark.slow
    )
    for vendor in ("cboe", "alternative_me")
    for fault in sorted({*BODY_FAULTS, *STATUS_FAULTS, "slow"})
    if (vendor, fault) not in HARMLESS_ELSEWHERE
]


def largest_move(home: Home) -> float:
    """Return the largest move of any level from one day to the next, as a fraction."""
    ((fraction,),) = home.query(
        "select max(abs(level / before - 1)) from (select level, lag(level) over ("
        "partition by profile, index_id order by market_date) as before "
        "from indices.index_level_daily)"
    )
    return float(fraction)


def silence_other_markets(faults: FaultBoard) -> None:
    """Leave CoinGecko as the only vendor of the market."""
    faults["coinmarketcap"] = faults["coinpaprika"] = "status_404"


@pytest.mark.parametrize("fault", AT_COINGECKO)
def test_a_night_falls_back_to_another_vendor_and_is_as_it_would_have_been(
    fault: str, small_home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    faults["coingecko"] = fault

    small_home.refresh(NIGHTS[0], http_read_timeout_seconds=0.5, **mailbox.settings)

    assert small_home.last_day() == NIGHTS[0]
    assert largest_move(small_home) < 0.5
    assert mailbox.subjects() == []
    health = small_home.query(
        "select source, status from quality.source_health_daily "
        f"where market_date = date '{NIGHTS[0]}' and feed = 'market_daily' order by preference_rank"
    )
    assert [status for _, status in health][-1] == "fell_back"
    assert health[0][0] == "coingecko"
    assert health[-1][0] == "cmc_listings"


@pytest.mark.parametrize("fault", AT_COINGECKO)
def test_a_fault_at_the_last_market_stops_the_night_and_leaves_the_published_file_alone(
    fault: str, small_home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    before = small_home.published_bytes()
    silence_other_markets(faults)
    faults["coingecko"] = fault

    with pytest.raises(TidemarkError) as raised:
        small_home.refresh(NIGHTS[0], http_read_timeout_seconds=0.5, **mailbox.settings)

    assert small_home.published_bytes() == before
    assert not isinstance(raised.value.__cause__, KeyError | TypeError | AttributeError)
    (subject,) = mailbox.subjects()
    assert subject.startswith("[Tidemark] CRITICAL")
    assert str(NIGHTS[0]) in subject
    assert "last good data stays published" in subject


@pytest.mark.parametrize("fault", ["truncated", pytest.param("unit_slip", marks=pytest.mark.slow)])
def test_a_stopped_night_is_published_by_the_rerun_after_the_fault_is_cured(
    fault: str, small_home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    silence_other_markets(faults)
    faults["coingecko"] = fault
    with pytest.raises(TidemarkError):
        small_home.refresh(NIGHTS[0], **mailbox.settings)
    mailbox.envelopes.clear()
    faults.clear()

    small_home.refresh(NIGHTS[0], hour=2, **mailbox.settings)

    assert small_home.last_day() == NIGHTS[0]
    assert largest_move(small_home) < 0.5
    (subject,) = mailbox.subjects()
    assert subject.startswith(f"[Tidemark] RECOVERED market_daily {NIGHTS[0]}")


def test_a_fault_that_a_retry_mends_is_no_failure(
    home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    faults["coingecko"] = "status_503:1"
    home.refresh(NIGHTS[0], **mailbox.settings)
    assert home.last_day() == NIGHTS[0]
    assert mailbox.subjects() == []


@pytest.mark.parametrize(("vendor", "fault"), DEGRADING)
def test_a_fault_elsewhere_only_degrades_the_night(
    vendor: str, fault: str, small_home: Home, faults: FaultBoard, mailbox: Mailbox
) -> None:
    faults[vendor] = fault

    small_home.refresh(NIGHTS[0], http_read_timeout_seconds=0.5, **mailbox.settings)

    assert small_home.last_day() == NIGHTS[0]
    (subject,) = mailbox.subjects()
    dataset = {"cboe": "equity_daily", "alternative_me": "sentiment_daily"}[vendor]
    assert subject.startswith("[Tidemark] WARNING")
    assert dataset in subject
    assert "the rest is published" in subject


def test_a_mail_server_that_is_down_does_not_hide_why_the_night_failed(
    small_home: Home, faults: FaultBoard
) -> None:
    silence_other_markets(faults)
    faults["coingecko"] = "html_200"
    nobody = {"smtp_host": "127.0.0.1", "smtp_port": 9, "alert_to": "ops@example.org"}
    with pytest.raises(BlockedNightError) as raised:
        small_home.refresh(NIGHTS[0], **nobody)
    assert any("could not be sent" in note for note in raised.value.__notes__)


def test_a_critical_audit_keeps_the_old_file_until_it_passes(
    small_home: Home, small_sql_dir: Path, mailbox: Mailbox, tmp_path: Path
) -> None:
    home, sql_dir = small_home, tmp_path / "sql"
    shutil.copytree(small_sql_dir, sql_dir)
    audit = sql_dir / "audits" / "nothing_is_ever_published"
    audit.with_suffix(".sql").write_text("select market_date from main.about\n")
    audit.with_suffix(".yml").write_text(
        'severity: critical\nsentence: "Nothing is ever published."\n'
    )
    before = home.published_bytes()

    with pytest.raises(AuditError, match=r"Nothing is ever published\..*1 rows"):
        home.refresh(NIGHTS[0], sql_dir=sql_dir, **mailbox.settings)

    assert home.published_bytes() == before
    (subject,) = mailbox.subjects()
    assert subject.startswith("[Tidemark] CRITICAL failed audit nothing_is_ever_published")
    (failed,) = set(build_ids(home)) - {
        build["build_id"] for build in Warehouse(home.settings(NIGHTS[0])).published_builds()
    }
    kept = query_file(
        home.path / "builds" / failed / "tidemark.duckdb",
        "select audit, bad_count from quality.audit_result where status = 'failed'",
    )
    assert kept == [("nothing_is_ever_published", 1)]
    with pytest.raises(PublishError, match="no earlier build"):
        Warehouse(home.settings(NIGHTS[0])).rollback(failed)

    home.refresh(NIGHTS[0], hour=2)

    assert home.last_day() == NIGHTS[0]
