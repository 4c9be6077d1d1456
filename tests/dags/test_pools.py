"""The pools: whoever installs Tidemark beside Airflow has them, in the size they were given."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pipeline.pools import list_pools

START = """
import json
from airflow.jobs.job import Job
from airflow.models.pool import Pool
Pool.create_or_update_pool("tidemark_cboe", 5, "by hand", include_deferred=False)
seen = []
for _ in range(2):
    Job()
    seen.append({pool.pool: pool.slots for pool in Pool.get_pools()})
print(json.dumps(seen))
"""


@pytest.mark.airflow
def test_airflow_makes_the_missing_pools_when_it_starts_and_leaves_the_others(
    airflow_environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, **airflow_environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    wanted = {name: size.slots for name, size in list_pools().items()}
    assert first == {"default_pool": 128, **wanted, "tidemark_cboe": 5}
    assert second == first


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_task_that_starts_makes_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline import airflow_plugin

    made: list[str] = []
    monkeypatch.setattr(airflow_plugin, "make_missing_pools", lambda: made.append("a") or ["a"])
    listener = airflow_plugin.PoolMaker()
    listener.on_starting(component=object())
    assert made == []
    starting = type("Job", (), {"__module__": "airflow.jobs.job"})
    listener.on_starting(component=starting())
    assert made == ["a"]
