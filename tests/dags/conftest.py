"""Airflow of one's own: it reads its home when it is first imported."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"

_IMPORT_HOME = tempfile.mkdtemp(prefix="tidemark-airflow-")
atexit.register(shutil.rmtree, _IMPORT_HOME, ignore_errors=True)
AIRFLOW_SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
}
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ.update(AIRFLOW_SETTINGS, AIRFLOW_HOME=_IMPORT_HOME)


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of an Airflow with a database, migrated once for all tests."""
    home = tmp_path_factory.mktemp("airflow")
    variables = {**AIRFLOW_SETTINGS, "AIRFLOW_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return variables
