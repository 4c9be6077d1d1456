"""A scheduled night in containers: published beside a backfill, a vendor's failure mailed, no
secret told. The short part of the proof, which the gate runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from urllib.request import urlopen

import pytest
from stack import CANARY, PORTS, Stack, market_date, running_stack, wait_for

pytestmark = [pytest.mark.compose]

PAST = (market_date() - timedelta(days=45), market_date() - timedelta(days=16))
PAST_FEEDS = ["equity_daily.fred", "funding_daily.bybit"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def runs(stack: Stack) -> dict[str, str]:
    """The ids of a scheduled night, with a vendor that blocks us, and of a backfill."""
    stack.set_faults({"alternative_me": "status_403"})
    stack.unpause("market_nightly")
    stack.unpause("market_backfill")
    started = {"night": stack.nightly_run()}
    started["backfill"] = stack.trigger(
        "market_backfill",
        {"from": str(PAST[0]), "to": str(PAST[1]), "feeds": PAST_FEEDS},
    )
    for run_id in started.values():
        assert stack.wait_for_end(run_id) == "success", stack.tasks(run_id)
    return started


def test_every_part_is_well_or_has_done_its_work(stack: Stack) -> None:
    listed = stack.compose("ps", "--all", "--format", "json").splitlines()
    parts = {part["Service"]: part for part in map(json.loads, listed)}
    done = {name for name, part in parts.items() if part["State"] == "exited"}
    assert done == {"prepare", "migrate", "sandbox-history"}
    assert {parts[name]["ExitCode"] for name in done} == {0}
    assert {part["Health"] for name, part in parts.items() if name not in done} == {"healthy"}


def test_the_scheduled_night_is_published(stack: Stack, runs: dict[str, str]) -> None:
    assert runs["night"].startswith("scheduled__")
    assert stack.manifest()["market_date"] == str(market_date())
    levels = stack.ask(
        "select index_id from indices.index_level_daily where profile = 'house'"
        " and market_date = (select market_date from main.about)"
    )
    assert {"top100", "large"} <= {row["index_id"] for row in levels}
    build = stack.tasks(runs["night"], "build")
    assert [(task["state"], task["try_number"]) for task in build] == [("success", "1")]


def test_the_backfill_fills_thirty_days_while_the_night_goes_on(
    stack: Stack, runs: dict[str, str]
) -> None:
    times = stack.query(
        "select max(start_date) < min(end_date) from dag_run where run_id in"
        f" ('{runs['night']}', '{runs['backfill']}')"
    )
    assert times == [["t"]]
    code = (
        'import duckdb; print(*duckdb.sql("select count(distinct market_date) from'
        " '/data/raw/funding_daily/**/*.parquet' where source = 'bybit'"
        f" and market_date between '{PAST[0]}' and '{PAST[1]}'\").fetchone())"
    )
    assert int(stack.run("scheduler", "python3", "-c", code)) == 30
    sessions = code.replace("funding_daily", "equity_daily").replace("'bybit'", "'fred'")
    sessions = sessions.replace("market_date", "session_date")
    assert 19 <= int(stack.run("scheduler", "python3", "-c", sessions)) <= 22


def test_the_failure_of_a_vendor_arrives_as_mail(stack: Stack, runs: dict[str, str]) -> None:
    assert runs
    mails = stack.mails()
    assert len(mails) == 1
    assert "sentiment_daily" in mails[0]["Subject"] + mails[0]["Text"]
    assert "alternative_me" in mails[0]["Text"]
    assert f"http://localhost:{PORTS['SITE_PORT']}/data_docs/" in mails[0]["Text"]


def test_the_site_shows_the_pages_of_the_night_and_nothing_else(
    stack: Stack, runs: dict[str, str]
) -> None:
    assert runs
    root = f"http://localhost:{PORTS['SITE_PORT']}"
    with urlopen(root, timeout=30) as page:
        assert page.status == 200
        assert b"<html" in page.read()[:500].lower()
    codes = stack.run(
        "site", "sh", "-c",
        "for p in published/tidemark.duckdb raw/ .lock data_docs/../raw/; do curl -s --path-as-is"
        " -o /dev/null -w '%{http_code} ' http://localhost:8080/$p; done",
    )  # fmt: skip
    assert codes.split() == ["404"] * 4
    assert stack.is_refused("site", "touch", "/data/x")


def test_no_secret_is_in_logs_xcom_rendered_fields_or_containers(
    stack: Stack, runs: dict[str, str]
) -> None:
    assert runs
    # Of each secret file every word that is long enough to be one.
    code = (
        "import pathlib, re; print('\\n'.join(w for p in pathlib.Path('/secrets').rglob('*')"
        " if p.is_file() for w in re.findall(r'[\\w=-]{20,}', p.read_text())))"
    )
    prepared = stack.compose("run", "--rm", "-T", "--no-deps", "prepare", "python3", "-c", code)
    secrets = {CANARY, *prepared.split()}
    assert len(secrets) >= 7
    assert {len(secret) for secret in secrets - {CANARY}} <= {24, 44, 64}
    database = stack.run("postgres", "pg_dump", "-U", "airflow", "--data-only", "airflow")
    for table in ("xcom", "rendered_task_instance_fields", "task_instance", "log"):
        assert f"COPY public.{table} (" in database
    assert "market_nightly" in database
    ids = stack.compose("ps", "--all", "--quiet").split()
    places = {
        "the database": database,
        "the containers' output": stack.compose("logs", "--no-color"),
        "the tasks' logs": stack.run("scheduler", "sh", "-c", "find /logs -type f -exec cat {} +"),
        "what the home says": stack.run(
            "scheduler", "sh", "-c",
            "find /data/journal /data/alerts /data/data_docs /data/state -type f -exec cat -v {} +",
        ),
    }  # fmt: skip
    shown = subprocess.run(
        ["docker", "inspect", *ids], capture_output=True, text=True, check=True
    ).stdout
    # Of .env, what runs tasks has the vendor's key in its environment.
    places["docker inspect"] = shown.replace(CANARY, "")
    assert min(len(text) for text in places.values()) > 1000
    told = [
        (place, secret[:4])
        for place, text in places.items()
        for secret in secrets
        if secret in text
    ]
    assert told == []


def test_secrets_and_homes_are_for_their_user_only(stack: Stack) -> None:
    told = stack.compose(
        "run", "--rm", "-T", "--no-deps", "prepare",
        "sh", "-c", "find /secrets -mindepth 1 -printf '%m %y %u\\n' | sort -u; id -un",
    ).splitlines()  # fmt: skip
    assert told == ["600 f tidemark", "700 d tidemark", "tidemark"]
    for service in ("scheduler", "api-server", "dag-processor", "triggerer", "sandbox"):
        assert stack.run(service, "id", "-u").strip() == "10001"
        assert stack.is_refused(service, "touch", "/opt/x")


def test_a_stranger_is_not_let_in(stack: Stack) -> None:
    token, stack.token = stack.token, ""
    try:
        with pytest.raises(OSError, match="401"):
            stack.call("GET", "/api/v2/dags")
        with pytest.raises(OSError, match="401"):
            stack.call("POST", "/auth/token", {"username": "admin", "password": "admin"})
    finally:
        stack.token = token


def test_upkeep_makes_a_backup_that_another_container_restores(
    stack: Stack, runs: dict[str, str]
) -> None:
    assert runs
    stack.run("scheduler", "tidemark", "upkeep")
    listing = "find raw ledger journal -type f | xargs sha256sum | sort"
    restored = stack.compose(
        "run", "--rm", "-T", "--no-deps", "scheduler", "sh", "-ec",
        "export TIDEMARK_HOME=/tmp/home; tidemark restore /backups >&2; cd /tmp/home; " + listing,
    )  # fmt: skip
    here = stack.run("scheduler", "sh", "-ec", "cd /data; " + listing)
    # The journal has what upkeep says of itself after the backup.
    assert set(restored.splitlines()) <= set(here.splitlines())
    for folder in (" raw/", " ledger/"):
        assert restored.count(folder) == here.count(folder) > 0


def test_a_second_start_keeps_secrets_and_data(stack: Stack, runs: dict[str, str]) -> None:
    published = stack.manifest()
    stack.compose("up", "--detach", "--wait", "--no-build")
    wait_for(lambda: stack.state(runs["night"]), 60, "the database forgot the night")
    stack.log_in()
    assert stack.manifest() == published
