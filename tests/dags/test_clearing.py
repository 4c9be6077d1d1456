"""Airflow's REST API: a failed night can be cleared, and its deadline stays where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

SCRIPT = """
import json
from airflow.api_fastapi.app import create_app
from airflow.cli import cli_parser
from airflow.models.deadline import Deadline
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

arguments = cli_parser.get_parser().parse_args(["dags", "reserialize"])
arguments.func(arguments)
client = TestClient(create_app(apps="core"), raise_server_exceptions=False)
client.headers["Authorization"] = "Bearer " + client.get("/auth/token").json()["access_token"]
dag, run = "/api/v2/dags/market_nightly", "/api/v2/dags/market_nightly/dagRuns/to-clear"

def ask(method, path, **content):
    answer = client.request(method, path, json=content)
    assert answer.status_code == 200, (path, answer.status_code, answer.text)
    return answer.json()

def deadlines():
    with create_session() as session:
        return [each.deadline_time.isoformat() for each in session.query(Deadline)]

ask("PATCH", dag, is_paused=False)
made = ask("POST", f"{dag}/dagRuns", dag_run_id="to-clear", logical_date=None)
before = deadlines()
ask("PATCH", f"{run}/taskInstances/notify", new_state="failed")
ask("PATCH", run, state="failed")
cleared = ask(
    "POST", f"{dag}/clearTaskInstances", dag_run_id="to-clear", dry_run=False,
    task_ids=["compose_alerts", "notify"], only_failed=False, reset_dag_runs=True,
)
told = {
    "queued_at": made["queued_at"],
    "before": before,
    "after": deadlines(),
    "cleared": sorted(task["task_id"] for task in cleared["task_instances"]),
    "state": ask("GET", run)["state"],
}
client.delete(run)
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.airflow
def test_a_failed_night_is_cleared_and_its_deadline_stays(
    airflow_environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env={
            **os.environ,
            **airflow_environment,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["cleared"] == ["compose_alerts", "notify"]
    assert told["state"] == "queued"
    (deadline,) = told["before"]
    queued_at = datetime.fromisoformat(told["queued_at"])
    assert datetime.fromisoformat(deadline) - queued_at == timedelta(hours=3)
    assert told["after"] == told["before"]
