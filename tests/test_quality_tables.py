"""What the runs did, as tables of the published file; and nights that lack a source."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from nights import LAST_HISTORY_DAY, NIGHTS, Home, copy_home, import_older_moods, run_time

from pipeline import fetching, run_log, steps
from pipeline.alerts.findings import collect
from pipeline.errors import BlockedNightError
from pipeline.folded import FOLD_AFTER_DAYS
from pipeline.journal import AT_LEAST
from pipeline.models import load_project
from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.server import Sandbox
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

TABLES = sorted(
    name
    for name, model in load_project(Settings().sql_dir).models.items()
    if name.startswith("quality.") and model.doc.is_published
)
ALWAYS_FULL = set(TABLES) - {"quality.quarantine_release", "quality.quarantine_summary"}


def row(home: Home, sql: str) -> dict[str, Any]:
    """Return the one row of a query by its columns."""
    (found,) = home.query(f"select to_json(t) from ({sql}) as t")
    return dict(json.loads(found[0]))


@pytest.fixture(scope="module")
def lacking(loaded_home: Any, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after a good night, one without sentiment, and one without prices."""
    folder = tmp_path_factory.mktemp("lacking")
    home = copy_home(loaded_home, folder / "home", sandbox)
    sandbox.faults.clear()
    import_older_moods(home, folder / "moods")
    home.refresh(NIGHTS[0])
    try:
        sandbox.faults["alternative_me"] = "status_404"
        home.refresh(NIGHTS[1])
        for vendor in ("coingecko", "coinmarketcap", "coinpaprika"):
            sandbox.faults[vendor] = "status_404"
        before = home.published_bytes()
        with pytest.raises(BlockedNightError):
            home.refresh(NIGHTS[2])
        assert home.published_bytes() == before
    finally:
        sandbox.faults.clear()
    return home


def test_the_tables_about_the_runs_are_keyed_and_have_rows(three_nights: Home) -> None:
    models = load_project(Settings().sql_dir).models
    for table in TABLES:
        grain = ", ".join(models[table].doc.grain)
        twice = f"select {grain} from {table} group by all having count(*) > 1"
        assert three_nights.query(twice) == [], table
        if table in ALWAYS_FULL:
            assert three_nights.query(f"select count(*) from {table}") != [(0,)], table


def test_every_published_table_and_column_says_what_it_is(three_nights: Home) -> None:
    for kind in ("tables", "columns"):
        of_ours = f"from duckdb_{kind}() where not internal"
        assert three_nights.query(f"select count(*) > 50 {of_ours}") == [(True,)]
        assert three_nights.query(f"select * {of_ours} and coalesce(comment, '') = ''") == []


def test_each_run_is_told_with_what_it_brought(three_nights: Home) -> None:
    runs = three_nights.query(
        "select kind, market_date, status, ended_at is not null, build_id is not null, "
        "feed_count, served_feed_count, added_count > 100 from quality.run "
        "order by started_at, kind"
    )
    assert runs == [
        ("build", LAST_HISTORY_DAY, "published", True, True, 0, 0, False),
        ("import", LAST_HISTORY_DAY, "loaded", True, False, 0, 0, True),
        ("nightly", NIGHTS[0], "published", True, True, 3, 3, True),
        ("nightly", NIGHTS[1], "published", True, True, 3, 3, True),
        # The run that made this file had not ended, but its file is what is read here.
        ("nightly", NIGHTS[2], "published", False, False, 3, 3, True),
    ]


def test_the_audits_of_every_build_are_kept(three_nights: Home) -> None:
    counts = three_nights.query(
        "select market_date, count(*) from quality.audit_result group by all order by all"
    )
    assert [day for day, _ in counts] == [LAST_HISTORY_DAY, *NIGHTS[:3]]
    assert len({count for _, count in counts}) == 1
    assert three_nights.query(
        "select count(distinct build_id) from quality.audit_result "
        "where run_id = (select run_id from main.about)"
    ) == [(1,)]


def test_the_same_night_again_is_told_as_kept(three_nights: Home) -> None:
    three_nights.refresh(NIGHTS[2], hour=3, run_id="again")
    settings = three_nights.settings(NIGHTS[2], hour=4)
    (again,) = [r for r in run_log.records(settings, "other") if r["run_id"] == "again"]
    assert (again["status"], again["build_id"]) == ("kept", None)


def test_a_night_without_a_degrading_source_is_published_and_names_it(lacking: Home) -> None:
    manifest = Warehouse(lacking.settings(NIGHTS[1])).published_manifest()
    assert manifest is not None
    assert manifest["market_date"] == str(NIGHTS[1])
    assert manifest["degraded_feeds"] == ["sentiment_daily"]
    assert lacking.query("select degraded_feeds from main.about") == [("sentiment_daily",)]
    night = row(lacking, "from quality.run where run_id = (select run_id from main.about)")
    assert (night["status"], night["degraded_feeds"]) == ("published", "sentiment_daily")
    assert (night["feed_count"], night["served_feed_count"]) == (3, 2)
    assert night["failed_steps"] == "extract sentiment_daily"
    fresh = row(lacking, "from quality.freshness where source = 'alternative_me'")
    assert (fresh["state"], fresh["age_days"], fresh["is_due"]) == ("late", 1, True)
    assert fresh["newest_date"] == str(NIGHTS[0])
    assert "S30" in fresh["signal_ids"]
    prices = row(
        lacking, "from quality.freshness where source = 'coingecko' and dataset = 'market_daily'"
    )
    assert (prices["state"], prices["age_days"]) == ("fresh", 0)


def test_a_night_without_a_degrading_source_trusts_its_signals_less(lacking: Home) -> None:
    full, less = lacking.query(
        "select market_date, freshness_fraction, confidence_score, value is not null, state "
        f"from signals.signal_daily where signal_id = 'S30' and market_date >= '{NIGHTS[0]}' "
        "order by market_date"
    )
    # Coverage 1, freshness 1, history 1, and the agreement of a single source.
    assert full[:4] == (NIGHTS[0], 1.0, pytest.approx(0.9), True)
    assert full[4] != "withheld"
    # A score of the day before covers half a day and is half as fresh: below 0.3, so withheld.
    assert less == (NIGHTS[1], 0.5, pytest.approx(0.9 * 0.5 * 0.5), False, "withheld")


def test_a_night_without_a_degrading_source_is_a_problem_that_names_it(lacking: Home) -> None:
    ((run_id,),) = lacking.query("select run_id from main.about")
    found = collect(lacking.settings(NIGHTS[1]), NIGHTS[1], run_id, is_published=True)
    (problem,) = [problem for problem in found.problems if problem.family == "feed"]
    assert (problem.severity, problem.dataset) == ("warning", "sentiment_daily")
    assert "sentiment_daily" in problem.subject


def test_a_night_without_a_blocking_source_keeps_the_file_and_is_told_by_the_next(
    lacking: Home, tmp_path: Any, sandbox: Sandbox, faults: FaultBoard
) -> None:
    assert not faults
    home = copy_home(lacking.path, tmp_path / "home", sandbox)
    assert home.last_day() == NIGHTS[1]
    home.refresh(NIGHTS[3])
    missed = row(home, f"from quality.run where market_date = '{NIGHTS[2]}'")
    assert (missed["kind"], missed["status"]) == ("nightly", "failed")
    assert "extract market_daily" in missed["failed_steps"]
    assert "build" in missed["failed_steps"]
    assert missed["ended_at"] is not None
    assert home.query("select degraded_feeds from main.about") == [(None,)]
    states = dict(home.query("select source, state from quality.freshness where is_due"))
    assert states["alternative_me"] == states["coingecko"] == "fresh"


def test_a_feed_whose_tasks_were_killed_is_named_too(small_home: Home) -> None:
    night, run_id = NIGHTS[0], "killed"
    settings = small_home.settings(night)
    loaded = [
        steps.validate_and_load(settings, steps.extract(settings, feed, night, run_id), run_id)
        for feed in ("market_daily", "equity_daily")
    ]
    built = steps.audit(settings, steps.build(settings, night, run_id, loaded))
    manifest = steps.publish(settings, built)
    assert manifest["degraded_feeds"] == ["sentiment_daily"]
    ((reason,),) = small_home.query(
        "select reason from quality.source_health_daily where feed = 'sentiment_daily' "
        f"and market_date = '{night}'"
    )
    assert "without saying why" in reason


def test_a_run_that_was_killed_is_told_as_unfinished(home: Home) -> None:
    settings = home.settings(NIGHTS[0])
    run_log.begin(settings, "killed", "nightly", NIGHTS[0])
    (killed,) = [r for r in run_log.records(settings, "other") if r["run_id"] == "killed"]
    assert (killed["status"], killed["ended_at"]) == ("unfinished", None)


def test_what_is_in_quarantine_is_counted_in_the_file(small_home: Home) -> None:
    night = NIGHTS[0]
    settings = small_home.settings(night)
    extracted = steps.extract(settings, "market_daily", night, "a-run")
    read = fetching.read_frame

    def spoil(*arguments: Any, **options: Any) -> Any:
        frame = read(*arguments, **options)
        frame.loc[frame.index[-2:], "volume_24h_usd"] = -1.0
        return frame

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "read_frame", spoil)
        loaded = [steps.validate_and_load(settings, extracted, "a-run")]
    built = steps.audit(settings, steps.build(settings, night, "a-run", loaded))
    steps.publish(settings, built)
    found = row(small_home, "from quality.quarantine_summary")
    assert found["rule_id"] == "market_daily.volume_24h_usd_in_range"
    assert (found["status"], found["row_count"], found["open_count"]) == ("open", 2, 2)
    assert found["kept_out_fraction"] == pytest.approx(2 / found["checked_count"])
    assert found["checked_count"] > 100


def test_a_build_folds_the_old_files_of_the_journal(small_home: Home) -> None:
    night = NIGHTS[0]
    folder = small_home.path / "journal" / "load_result"
    young = sorted(folder.iterdir())
    old = (run_time(night) - timedelta(days=FOLD_AFTER_DAYS + 1)).timestamp()
    for number in range(AT_LEAST):
        copy = folder / f"older-{number}.parquet"
        shutil.copyfile(young[number % len(young)], copy)
        os.utime(copy, (old, old))

    settings = small_home.settings(night)
    steps.publish(settings, steps.audit(settings, steps.build(settings, night, "later")))

    assert sorted(folder.iterdir()) == young
    words = sum(pq.read_metadata(path).num_rows for path in young)
    assert small_home.query("select count(*) from quality.load_result") == [(words,)]
